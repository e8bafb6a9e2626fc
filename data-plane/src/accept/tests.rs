//! How connections end.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, StreamBody};
use hyper_util::client::legacy::Client;
use tokio::sync::mpsc;

use super::*;

/// A port whose every answer begins and never ends; who waits on the receiver learns when an answer was dropped.
async fn endless(drain: &CancellationToken, cut: &CancellationToken) -> (SocketAddr, mpsc::Receiver<()>) {
    let (listener, address) = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let (alive, dropped) = mpsc::channel(1);
    let service = tower::service_fn(move |_: Request<Incoming>| {
        let alive = alive.clone();
        let frames = futures_util::stream::unfold((alive, false), |(alive, begun)| async move {
            if begun {
                std::future::pending::<()>().await;
            }
            Some((Ok::<_, Infallible>(http_body::Frame::data(Bytes::from_static(b"x"))), (alive, true)))
        });
        let body = StreamBody::new(Box::pin(frames));
        async move { Ok::<_, Infallible>(Response::new(body)) }
    });
    let port = Port {
        listener,
        tls: None,
        connections: 8,
        headers: Duration::from_secs(5),
        stalled: Duration::from_secs(5),
        drain: drain.clone(),
        cut: Arc::new(Cuts::under(cut.clone())),
        open: TaskTracker::new(),
    };
    tokio::spawn(serve(port, service));
    (address, dropped)
}

#[tokio::test]
async fn case_99_a_drain_waits_for_answers_and_a_cut_does_not() {
    for http2 in [false, true] {
        let (drain, cut) = (CancellationToken::new(), CancellationToken::new());
        let (address, mut dropped) = endless(&drain, &cut).await;
        let client: Client<_, Empty<Bytes>> =
            Client::builder(TokioExecutor::new()).http2_only(http2).build_http();
        let mut answer = client.get(format!("http://{address}/").parse().unwrap()).await.unwrap();
        assert_eq!(answer.frame().await.unwrap().unwrap().into_data().unwrap(), "x");
        drain.cancel();
        let still = tokio::time::timeout(Duration::from_millis(50), answer.frame()).await;
        assert!(still.is_err(), "an answer in flight survives the drain");
        cut.cancel();
        assert_eq!(dropped.recv().await, None, "nothing of the answer is left");
        assert!(answer.frame().await.is_none_or(|frame| frame.is_err()));
    }
}
