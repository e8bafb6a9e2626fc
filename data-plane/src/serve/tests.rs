//! A whole data plane on real sockets: before it has policy, with it, and at its end.

mod staleness;

use proto::inference::ChatRequest;
use proto::inference::inference_client::InferenceClient;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus as Told;
use tonic_health::pb::health_client::HealthClient;

use super::*;
use crate::config::{Drain, Listen, State, Telemetry, Upstream};
use crate::house::log::Lines;
use crate::house::{asking, world};
use crate::policy::sample::{Sample, secrets};
use crate::policy::scripted::{ControlPlane, Session, soon};

const BEARER: &str = "authorization: Bearer chy_demo_secret\r\n";

async fn started(control: &ControlPlane) -> DataPlane {
    DataPlane::start(config(control), None).await.unwrap()
}

fn config(control: &ControlPlane) -> Config {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    Config {
        decisions: Default::default(),
        listen: Listen { inference: any, ops: any, ..Listen::default() },
        control: control.config(),
        state: State { dir: control.home().join("state"), ..State::default() },
        policy: crate::config::Policy::default(),
        upstream: Upstream::default(),
        fetch: Default::default(),
        secrets: Default::default(),
        bounds: crate::config::Bounds::default(),
        drain: Drain::default(),
        telemetry: Telemetry::default(),
    }
}

/// Brings a node its first policy.
async fn enforced(control: &mut ControlPlane, plane: &DataPlane) -> Session {
    let mut session = soon(control.session()).await;
    session.welcome(60_000).await;
    let key = session.hello.hpke_public_key.clone();
    session.secrets(secrets(&key, [7; 32])).await;
    session.offer(&Sample::of(&world::facts(), 5)).await.unwrap();
    soon(plane.enforces(5)).await.unwrap();
    session
}

/// A request as text, and its whole answer.
async fn exchange(address: SocketAddr, head: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let text = format!("{head}host: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    soon(stream.read_to_string(&mut answer)).await.unwrap();
    answer
}

async fn get(address: SocketAddr, path: &str) -> String {
    exchange(address, &format!("GET {path} HTTP/1.1\r\n{BEARER}"), "").await
}

async fn chat(address: SocketAddr) -> String {
    let head = format!("POST /v1/chat/completions HTTP/1.1\r\ncontent-type: application/json\r\n{BEARER}");
    exchange(address, &head, &asking("fast", "hello", "")).await
}

async fn grpc(address: SocketAddr) -> Channel {
    Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap()
}

async fn health(channel: &Channel, service: &str) -> Told {
    let asked = HealthCheckRequest { service: service.into() };
    HealthClient::new(channel.clone()).check(asked).await.unwrap().into_inner().status()
}

#[tokio::test]
async fn case_02_without_policy_it_lives_is_not_ready_and_says_so_on_both_doors() {
    let mut control = ControlPlane::start().await;
    let plane = started(&control).await;
    let (inference, ops) = (plane.inference_address(), plane.ops_address());
    let channel = grpc(inference).await;
    assert!(get(ops, "/livez").await.starts_with("HTTP/1.1 200"));
    let unready = get(ops, "/readyz").await;
    assert!(unready.starts_with("HTTP/1.1 503") && unready.contains("retry-after: 1"), "{unready}");
    for answer in [chat(inference).await, get(inference, "/v1/models").await] {
        assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("policy_unavailable"), "{answer}");
    }
    let mut client = InferenceClient::new(channel.clone());
    let mut request = tonic::Request::new(ChatRequest { model: "fast".into(), ..ChatRequest::default() });
    request.metadata_mut().insert("authorization", "Bearer chy_demo_secret".parse().unwrap());
    assert_eq!(client.chat(request).await.unwrap_err().code(), tonic::Code::Unavailable);
    for service in ["", "chancery.inference.v1.Inference"] {
        assert_eq!(health(&channel, service).await, Told::NotServing);
    }

    let mut watching = HealthClient::new(channel.clone())
        .watch(HealthCheckRequest { service: "chancery.inference.v1.Inference".into() })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(watching.message().await.unwrap().unwrap().status(), Told::NotServing);
    let _session = enforced(&mut control, &plane).await;
    assert_eq!(soon(watching.message()).await.unwrap().unwrap().status(), Told::Serving);
    assert!(get(ops, "/readyz").await.ends_with("ok, revision 5\n"));
    assert!(chat(inference).await.starts_with("HTTP/1.1 200"));
    assert!(get(ops, "/metrics").await.contains("chancery_policy_revision 5"));

    // Who watches health does not hold up the end.
    soon(plane.shutdown()).await;
    assert!(TcpStream::connect(inference).await.is_err());
}

#[tokio::test]
async fn case_99_what_is_in_flight_ends_whole_and_nothing_new_begins() {
    let mut control = ControlPlane::start().await;
    let plane = started(&control).await;
    let _session = enforced(&mut control, &plane).await;
    let (inference, ops) = (plane.inference_address(), plane.ops_address());
    let body = asking("fast", "hello", "");
    let (first, rest) = body.split_at(10);
    let mut inflight = TcpStream::connect(inference).await.unwrap();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n{BEARER}content-length: {}\r\nexpect: 100-continue\r\n\r\n",
        body.len()
    );
    inflight.write_all(head.as_bytes()).await.unwrap();
    // Once it asks for the body, the request is in flight.
    let mut asked = [0; 25];
    soon(inflight.read_exact(&mut asked)).await.unwrap();
    assert!(asked.starts_with(b"HTTP/1.1 100"));
    inflight.write_all(first.as_bytes()).await.unwrap();

    let ending = tokio::spawn(plane.shutdown());
    while !get(ops, "/readyz").await.contains("draining") {}
    while TcpStream::connect(inference).await.is_ok() {}
    assert!(!ending.is_finished(), "it waits for what is in flight");
    inflight.write_all(rest.as_bytes()).await.unwrap();
    let mut answer = String::new();
    soon(inflight.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"), "{answer}");
    soon(ending).await.unwrap();
    assert!(TcpStream::connect(ops).await.is_err());
    let outbox = control.home().join("state/outbox");
    let written: Vec<String> = std::fs::read_dir(outbox)
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    assert_eq!(written.concat().lines().count(), 1, "its record is on disk: {written:?}");
}

#[tokio::test]
async fn a_state_directory_is_refused_while_another_node_has_it() {
    let control = ControlPlane::start().await;
    let plane = started(&control).await;
    let Err(refused) = DataPlane::start(config(&control), None).await else {
        panic!("two nodes, one directory")
    };
    let pid = std::process::id();
    assert!(
        refused.to_string().ends_with(&format!("is in use by another data plane (pid {pid})")),
        "{refused}"
    );
    soon(plane.shutdown()).await;
    soon(started(&control).await.shutdown()).await;
}

#[tokio::test]
async fn its_life_is_told_and_a_port_in_use_by_its_key() {
    let (lines, _guard) = Lines::of_this_thread();
    let mut control = ControlPlane::start().await;
    let plane = started(&control).await;
    let fresh = lines.with("a data plane has started");
    assert!(fresh.len() == 1 && fresh[0].contains("\"revision\":0"), "{fresh:?}");
    drop(enforced(&mut control, &plane).await);

    let mut second = config(&control);
    second.state.dir = control.home().join("second");
    for key in ["listen.inference", "listen.ops"] {
        let (mut second, taken) = (second.clone(), plane.ops_address());
        if key == "listen.ops" {
            second.listen.ops = taken
        } else {
            second.listen.inference = taken
        }
        let Err(error) = DataPlane::start(second, None).await else { panic!("a port in use twice") };
        assert_eq!(error.to_string(), format!("`{key}` can't be bound to {taken}"));
    }
    soon(plane.shutdown()).await;
    let drain = lines.with("the drain begins");
    assert!(drain.len() == 1 && drain[0].contains("\"in_flight\":0"), "{drain:?}");
    assert_eq!(lines.with("a data plane has stopped").len(), 1);

    control.end().await;
    let plane = started(&control).await;
    let again = lines.with("a data plane has started");
    for told in [
        "\"revision\":5",
        "\"geo\":\"eu\"",
        "\"node\":\"spiffe://chancery/geo/eu/node/eu-1\"",
        "\"version\":\"",
    ] {
        assert!(again[1].contains(told), "{again:?}");
    }
    assert!(again[1].contains(&format!("\"inference\":\"{}\"", plane.inference_address())), "{again:?}");
    assert_eq!(lines.with("plain text"), Vec::<String>::new(), "on loopback nobody else reads along");
}

#[test]
fn plain_text_to_other_machines_is_worth_a_warning() {
    for (address, tls, exposed) in [
        ("127.0.0.1:8080", false, false),
        ("[::1]:8080", false, false),
        ("[::ffff:127.0.0.1]:8080", false, false),
        ("0.0.0.0:8080", false, true),
        ("[::]:8080", false, true),
        ("10.0.0.1:8080", false, true),
        ("0.0.0.0:8080", true, false),
    ] {
        assert_eq!(is_exposed(address.parse().unwrap(), tls), exposed, "{address}");
    }
}

#[tokio::test]
async fn case_01_a_node_serves_from_disk_when_the_control_plane_is_gone() {
    let mut control = ControlPlane::start().await;
    let plane = started(&control).await;
    drop(enforced(&mut control, &plane).await);
    plane.shutdown().await;
    control.end().await;
    let plane = started(&control).await;
    soon(plane.enforces(5)).await.unwrap();
    assert!(chat(plane.inference_address()).await.starts_with("HTTP/1.1 200"));
    let metrics = get(plane.ops_address(), "/metrics").await;
    assert!(metrics.contains("chancery_policy_connected 0"), "{metrics}");
    let age = metrics.lines().find(|line| line.starts_with("chancery_policy_confirmed_age_seconds"));
    assert_eq!(age, None, "no number says for how long nothing has confirmed it");
    let end = "chancery_certificate_not_after_timestamp_seconds{certificate=\"node\"} ";
    assert!(metrics.lines().any(|told| told.starts_with(end)), "{metrics}");
    let version = concat!("chancery_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1");
    for line in [version, "chancery_requests_in_flight 0", "chancery_records_lost_total 0"] {
        assert!(metrics.lines().any(|told| told == line), "{line}: {metrics}");
    }
    assert!(metrics.contains("# TYPE chancery_records_written counter"), "{metrics}");
}
