//! What answers and is no adapter, or only half of one: bytes and trailers over HTTP/2 as a test wants them, plain and under TLS.

use std::convert::Infallible;

use bytes::Bytes;
use http::Response;
use http_body::Frame;
use http_body_util::StreamBody;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};

use super::*;
use crate::upstream::scripted::{identity, serve};

/// A status, headers, bytes and trailers.
#[derive(Clone, Default)]
struct Raw {
    status: u16,
    headers: Vec<(&'static str, &'static str)>,
    bytes: Vec<u8>,
    trailers: Option<HeaderMap>,
}

async fn answer_on<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S, raw: Raw) {
    let service = service_fn(move |_request| {
        let raw = raw.clone();
        let frames = [Some(Frame::data(Bytes::from(raw.bytes))), raw.trailers.map(Frame::trailers)];
        let frames: Vec<Result<_, Infallible>> = frames.into_iter().flatten().map(Ok).collect();
        let mut response = Response::new(StreamBody::new(futures_util::stream::iter(frames)));
        *response.status_mut() = StatusCode::from_u16(raw.status).unwrap();
        for (name, value) in raw.headers {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        std::future::ready(Ok::<_, Infallible>(response))
    });
    auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await.ok();
}

async fn answering(raw: Raw) -> Rpc {
    let port = serve(move |stream| answer_on(stream, raw.clone())).await;
    way(port, |_| {})
}

/// A message as it is on the wire.
fn framed(message: &impl prost::Message) -> Vec<u8> {
    let bytes = message.encode_to_vec();
    let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
    [&[0], &length[..], &bytes].concat()
}

fn trailers(status: &'static str) -> Option<HeaderMap> {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static(status));
    Some(trailers)
}

fn grpc(bytes: Vec<u8>, trailers: Option<HeaderMap>) -> Raw {
    Raw { status: 200, headers: vec![("content-type", "application/grpc+proto")], bytes, trailers }
}

fn all_events() -> Vec<u8> {
    events().into_iter().flat_map(|event| framed(&event.unwrap())).collect()
}

#[tokio::test]
async fn what_ends_without_a_status_or_within_a_message_is_no_answer() {
    let vendor = answering(grpc(all_events(), trailers("0"))).await;
    let told = collected(vendor.call(call(STREAMING, true)).await.unwrap()).await.unwrap();
    assert_eq!((said(&told).0.as_str(), said(&told).2), ("hello", true), "this one is whole");
    let torn = all_events();
    let torn = torn[..torn.len() - 1].to_vec();
    let compressed = [&[1_u8], &framed(&answer())[1..]].concat();
    for (bytes, trailers, kind) in [
        (all_events(), None, Kind::Reset),
        (all_events(), Some(HeaderMap::new()), Kind::Reset),
        (torn, trailers("0"), Kind::Protocol),
        (compressed, trailers("0"), Kind::Protocol),
        (vec![0, 0, 0, 0, 1, 0xff], trailers("0"), Kind::Protocol),
        (vec![0, 0xff, 0xff, 0xff, 0xff], trailers("0"), Kind::TooLarge),
    ] {
        let vendor = answering(grpc(bytes, trailers)).await;
        let (told, error) = collected(vendor.call(call(STREAMING, true)).await.unwrap()).await.unwrap_err();
        assert_eq!((error.kind, said(&told).2), (kind, false));
    }
    for (bytes, trailers, kind) in [
        (framed(&answer()), None, Kind::Reset),
        (Vec::new(), None, Kind::Reset),
        (Vec::new(), trailers("0"), Kind::Protocol),
        (framed(&ChatResponse::default()), trailers("0"), Kind::Protocol),
    ] {
        let vendor = answering(grpc(bytes, trailers)).await;
        let error = vendor.call(call(BODY, false)).await.unwrap_err();
        assert!(error.kind == kind && error.retryable(), "{error:?}");
    }
}

#[tokio::test]
async fn an_answer_of_more_fields_than_one_has_is_not_read() {
    let choices = [0x22_u8, 0x00].repeat(600_000);
    let length = u32::try_from(choices.len()).unwrap().to_be_bytes();
    let bytes = [&[0], &length[..], &choices].concat();
    let vendor = answering(grpc(bytes.clone(), trailers("0"))).await;
    assert_eq!(vendor.call(call(BODY, false)).await.unwrap_err().kind, Kind::TooLarge);
    let vendor = answering(grpc(bytes, trailers("0"))).await;
    let (_, error) = collected(vendor.call(call(STREAMING, true)).await.unwrap()).await.unwrap_err();
    assert_eq!(error.kind, Kind::TooLarge);
}

#[tokio::test]
async fn details_that_nobody_can_read_are_passed_over() {
    let with = |status: &'static str| {
        let mut told = trailers(status).unwrap();
        told.insert("grpc-status-details-bin", HeaderValue::from_static("!"));
        Some(told)
    };
    let vendor = answering(grpc(framed(&answer()), with("0"))).await;
    assert!(collected(vendor.call(call(BODY, false)).await.unwrap()).await.is_ok());
    let vendor = answering(grpc(Vec::new(), with("14"))).await;
    assert_eq!(status(&vendor.call(call(BODY, false)).await.unwrap_err()).0.as_u16(), 503);
}

#[tokio::test]
async fn what_is_none_of_grpc_is_told_by_its_status_or_as_out_of_protocol() {
    let page = |status| Raw {
        status,
        headers: vec![("content-type", "text/html"), ("retry-after", "3")],
        bytes: b"<html>".to_vec(),
        trailers: None,
    };
    let vendor = answering(page(503)).await;
    let (code, after, _) = status(&vendor.call(call(BODY, false)).await.unwrap_err());
    assert_eq!((code.as_u16(), after), (503, Some(Duration::from_secs(3))));
    let vendor = answering(page(302)).await;
    assert_eq!(status(&vendor.call(call(BODY, false)).await.unwrap_err()).0.as_u16(), 302);
    let vendor = answering(page(200)).await;
    assert_eq!(vendor.call(call(BODY, false)).await.unwrap_err().kind, Kind::Protocol);
    let vendor = answering(Raw {
        headers: vec![("content-type", "application/grpc"), ("grpc-status", "0")],
        ..grpc(vec![], None)
    });
    assert_eq!(vendor.await.call(call(BODY, false)).await.unwrap_err().kind, Kind::Protocol);
}

#[tokio::test]
async fn under_tls_it_is_http_2_or_nothing() {
    for (alpn, kind) in [(&["h2"][..], None), (&["http/1.1"], Some(Kind::Tls))] {
        let (roots, acceptor) = identity("localhost", alpn);
        let raw = grpc(framed(&answer()), trailers("0"));
        let port = serve(move |stream| {
            let (acceptor, raw) = (acceptor.clone(), raw.clone());
            async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                answer_on(stream, raw).await;
            }
        })
        .await;
        let vendor = way(port, |config| {
            config.base_url = format!("https://localhost:{port}");
            config.extra_roots = Some(roots);
        });
        match (vendor.call(call(BODY, false)).await, kind) {
            (Ok(answer), None) => assert!(collected(answer).await.is_ok()),
            (Err(error), Some(kind)) => assert_eq!(error.kind, kind),
            (other, _) => panic!("{other:?}"),
        }
    }
    // Without TLS too.
    let port = serve(|stream| async move {
        let mut stream = stream;
        crate::upstream::scripted::request(&mut stream).await;
    })
    .await;
    let error = way(port, |_| {}).call(call(BODY, false)).await.unwrap_err();
    assert!(error.retryable(), "{error:?}");
}
