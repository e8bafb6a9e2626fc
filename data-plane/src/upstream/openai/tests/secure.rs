use std::convert::Infallible;

use http::{HeaderValue, Request, Response, header};
use http_body_util::{StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    body::{Frame, Incoming},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::upstream::{config::EndpointConfig, scripted::identity};

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// A TLS server that tells the HTTP version of each request, streams one event and then tells when it is cancelled.
async fn secure_server(acceptor: TlsAcceptor) -> (u16, mpsc::UnboundedReceiver<String>) {
    let (told, heard) = mpsc::unbounded_channel();
    let port = serve(move |stream| {
        let (acceptor, told) = (acceptor.clone(), told.clone());
        async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let service = service_fn(move |request| {
                std::future::ready(Ok::<_, Infallible>(stream_answer(&request, &told)))
            });
            auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service)
                .await
                .ok();
        }
    })
    .await;
    (port, heard)
}

fn stream_answer(request: &Request<Incoming>, told: &mpsc::UnboundedSender<String>) -> Response<Body> {
    told.send(format!("{:?}", request.version())).unwrap();
    let (events, pieces) = mpsc::channel::<Result<Frame<Bytes>, Infallible>>(1);
    let told = told.clone();
    tokio::spawn(async move {
        events.send(Ok(Frame::data(Bytes::from_static(b"data: a\n\n")))).await.unwrap();
        events.closed().await;
        told.send("cancelled".to_owned()).unwrap();
    });
    let body = StreamBody::new(tokio_stream::wrappers::ReceiverStream::new(pieces));
    let mut response = Response::new(UnsyncBoxBody::new(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response
}

fn secure(port: u16, roots: Option<String>) -> EndpointConfig {
    let mut config = endpoint(port);
    config.base_url = format!("https://localhost:{port}/v1");
    config.extra_roots = roots;
    config
}

#[tokio::test]
async fn private_roots_are_trusted_and_http_2_is_used_where_offered() {
    for (alpn, version) in
        [(&["h2", "http/1.1"][..], "HTTP/2.0"), (&["http/1.1"], "HTTP/1.1"), (&[], "HTTP/1.1")]
    {
        let (root, acceptor) = identity("localhost", alpn);
        let (port, mut heard) = secure_server(acceptor).await;
        let vendor = OpenAi::build(&secure(port, Some(root))).unwrap();
        let answer = vendor.call(call("{}", true)).await.unwrap();
        assert_eq!(heard.recv().await.unwrap(), version, "{alpn:?}");
        let AnswerBody::Events(mut events) = answer.body else { panic!("not a stream") };
        assert_eq!(events.next().await.unwrap().unwrap(), "data: a\n\n");
        drop(events);
        assert_eq!(heard.recv().await.unwrap(), "cancelled", "{alpn:?}");
    }
}

#[tokio::test]
async fn case_53_certificates_nobody_vouches_for_are_refused() {
    let (_, acceptor) = identity("localhost", &["h2"]);
    let (port, _heard) = secure_server(acceptor).await;
    let error = OpenAi::build(&secure(port, None)).unwrap().call(call("{}", false)).await.unwrap_err();
    assert!(error.kind == Kind::Tls, "{error:?}");

    let (root, acceptor) = identity("other.example", &["h2"]);
    let (port, _heard) = secure_server(acceptor).await;
    let error = OpenAi::build(&secure(port, Some(root))).unwrap().call(call("{}", false)).await.unwrap_err();
    assert_eq!(error.kind, Kind::Tls, "the wrong name: {error:?}");
}

#[tokio::test]
async fn a_server_without_tls_is_not_spoken_to() {
    let port = serve(|mut stream| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok();
    })
    .await;
    let error = OpenAi::build(&secure(port, None)).unwrap().call(call("{}", false)).await.unwrap_err();
    assert!(error.kind == Kind::Tls, "{error:?}");
}
