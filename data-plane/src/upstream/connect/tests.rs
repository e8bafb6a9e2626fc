use std::{collections::VecDeque, net::Ipv4Addr, sync::Mutex};

use tokio::sync::mpsc;

use super::{
    super::{address::Loopback, scripted, tls},
    *,
};

const WITHIN: Duration = Duration::from_secs(5);

async fn open(policy: AddressPolicy, names: Names, uri: &str) -> Result<(), Unconnected> {
    let mut connector = Connector::with_names(policy, tls::client(None).unwrap(), WITHIN, names);
    connector.call(uri.parse().unwrap()).await.map(drop)
}

fn development() -> AddressPolicy {
    AddressPolicy { loopback: Loopback::Permitted, allowed: Vec::new() }
}

/// A listener that tells of every connection it got.
async fn listener() -> (u16, mpsc::UnboundedReceiver<()>) {
    let (told, heard) = mpsc::unbounded_channel();
    let port = scripted::serve(move |_| {
        told.send(()).unwrap();
        std::future::ready(())
    })
    .await;
    (port, heard)
}

#[tokio::test]
async fn case_76_spellings_are_refused_when_dialled_too() {
    let (port, mut heard) = listener().await;
    for host in
        ["127.0.0.1", "127.1", "0x7f000001", "2130706433", "[::ffff:127.0.0.1]", "localhost", "localhost."]
    {
        let uri = format!("http://{host}:{port}/");
        let outcome = open(AddressPolicy::default(), Names::System, &uri).await;
        assert!(matches!(outcome, Err(Unconnected::Refused(Some(_)))), "{host}: {outcome:?}");
    }
    for host in ["169.254.169.254", "[fd00:ec2::254]", "[::ffff:169.254.169.254]", "0.0.0.0", "[::]"] {
        let outcome = open(development(), Names::System, &format!("http://{host}:{port}/")).await;
        assert!(matches!(outcome, Err(Unconnected::Refused(Some(_)))), "{host}: {outcome:?}");
    }
    assert!(heard.try_recv().is_err(), "nothing was dialled");
}

#[tokio::test]
async fn case_76_a_name_that_changes_its_mind_gains_nothing() {
    let (port, mut heard) = listener().await;
    let local = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let answers = VecDeque::from([vec![local], vec![SocketAddr::from(([169, 254, 169, 254], port))]]);
    let names = Names::Table(Mutex::new(answers));
    let mut connector = Connector::with_names(development(), tls::client(None).unwrap(), WITHIN, names);
    let uri: Uri = format!("http://rebind.example:{port}/").parse().unwrap();
    assert!(connector.call(uri.clone()).await.is_ok());
    heard.recv().await.unwrap();
    assert!(matches!(connector.call(uri).await, Err(Unconnected::Refused(_))));
    assert!(heard.try_recv().is_err());
}

#[tokio::test]
async fn refused_and_dead_addresses_are_passed_over() {
    let (port, mut heard) = listener().await;
    let metadata = SocketAddr::from(([169, 254, 169, 254], port));
    let dead = SocketAddr::from((Ipv4Addr::LOCALHOST, unused_port().await));
    let alive = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let names = Names::Table(Mutex::new(VecDeque::from([vec![metadata, dead, alive]])));
    open(development(), names, "http://many.example:1/").await.unwrap();
    heard.recv().await.unwrap();
}

#[tokio::test]
async fn nobody_there_and_no_such_name() {
    let uri = format!("http://127.0.0.1:{}/", unused_port().await);
    assert!(matches!(open(development(), Names::System, &uri).await, Err(Unconnected::Dial(_))));
    let names = Names::Table(Mutex::new(VecDeque::new()));
    let outcome = open(development(), names, "http://void.example/").await;
    assert!(matches!(outcome, Err(Unconnected::Refused(None))));
}

#[tokio::test]
async fn a_handshake_that_never_ends_is_a_connect_timeout() {
    let port = scripted::serve(|stream| async move {
        let _held = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let tls = tls::client(None).unwrap();
    let mut connector = Connector::new(development(), tls, Duration::from_millis(30));
    let outcome = connector.call(format!("https://127.0.0.1:{port}/").parse().unwrap()).await;
    assert!(matches!(outcome, Err(Unconnected::Timeout)));
}

async fn unused_port() -> u16 {
    let bound = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    bound.local_addr().unwrap().port()
}

#[tokio::test]
async fn who_dials_wherever_it_is_told_to_remembers_no_address() {
    let (port, mut heard) = listener().await;
    let uri: Uri = format!("http://127.0.0.1:{port}/").parse().unwrap();
    for (connector, remembered) in [
        (Connector::forgetful(development(), tls::client(None).unwrap(), WITHIN), None),
        (Connector::new(development(), tls::client(None).unwrap(), WITHIN), Some(1)),
    ] {
        connector.clone().call(uri.clone()).await.unwrap();
        heard.recv().await.unwrap();
        assert_eq!(connector.0.dialled.as_ref().map(|dialled| dialled.lock().len()), remembered);
    }
}
