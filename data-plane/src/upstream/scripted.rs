//! A vendor for unit tests: a real socket on this machine that sends exactly the bytes a test wants.
//!
//! Law: a script runs on every connection in turn; what it learns it says through channels. Deliberately absent: HTTP,
//! apart from reading one request.

use std::{future::Future, sync::Arc};

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::HeaderValue;
use policy_engine::vocabulary::Operation;
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

use super::{
    address::{AddressPolicy, Loopback},
    call::{Answer, AnswerBody, Api, Call},
    config::{Adapter, Caps, EndpointConfig, Timeouts},
    error::UpstreamError,
    secret::Secret,
};

/// The credential the endpoints of these tests send.
pub(super) const KEY: &str = "sk-canary-0123456789abcdef";

/// Runs `script` on every connection; gives the port.
pub(crate) async fn serve<F, S>(script: S) -> u16
where
    S: Fn(TcpStream) -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(script(stream));
        }
    });
    port
}

/// Reads one request: its head and as much body as it announces.
pub(crate) async fn request<R: AsyncRead + Unpin>(stream: &mut R) -> (String, Vec<u8>) {
    let mut read = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&read);
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            let head = head.to_owned();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let whole = head.len() + 4 + length.map_or(0, |length| length.parse::<usize>().unwrap());
            if read.len() >= whole {
                return (head.clone(), read[head.len() + 4..].to_vec());
            }
        }
        assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0, "the request ended early");
    }
}

/// A whole answer of JSON, after which the connection ends.
pub(super) fn answer(status: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

/// An endpoint at `http://127.0.0.1:port/v1` with a credential.
pub(super) fn endpoint(port: u16) -> EndpointConfig {
    EndpointConfig {
        class: "scripted".to_owned(),
        adapter: Adapter::OpenAi,
        base_url: format!("http://127.0.0.1:{port}/v1"),
        credential: Some(Secret::new(KEY.to_owned())),
        refused: None,
        auth: None,
        api_version: String::new(),
        responses_api: None,
        template: None,
        timeouts: Timeouts::default(),
        caps: Caps::default(),
        addresses: AddressPolicy { loopback: Loopback::Permitted, allowed: Vec::new() },
        fetch: None,
        extra_roots: None,
    }
}

/// A chat call.
pub(super) fn call(body: &str, stream: bool) -> Call {
    Call {
        foreign: false,
        api: Api::Chat,
        operation: Operation::Chat,
        files: [].into(),
        body: Bytes::copy_from_slice(body.as_bytes()),
        stream,
        request_id: HeaderValue::from_static("req-1"),
        traceparent: None,
        noted: Default::default(),
        deadline: None,
    }
}

/// All of an answer, or as much as came before it broke off.
pub(super) async fn collected(answer: Answer) -> Result<Vec<u8>, (Vec<u8>, UpstreamError)> {
    let mut all = Vec::new();
    match answer.body {
        AnswerBody::Whole(body) => all.extend_from_slice(&body),
        AnswerBody::Media(_) => panic!("sound"),
        AnswerBody::Events(mut events) => {
            while let Some(piece) = events.next().await {
                match piece {
                    Ok(piece) => all.extend_from_slice(&piece),
                    Err(error) => return Err((all, error)),
                }
            }
        }
    }
    Ok(all)
}

/// What was said in chunks, what was used, and whether it came to its end.
pub(super) fn said(bytes: &[u8]) -> (String, Value, bool) {
    let text = std::str::from_utf8(bytes).unwrap();
    let data: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    let chunks = data.iter().filter(|data| **data != "[DONE]");
    let chunks: Vec<Value> = chunks.map(|data| serde_json::from_str(data).unwrap()).collect();
    let said = chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect();
    let usage = chunks.iter().rev().find_map(|chunk| chunk.get("usage").filter(|usage| usage.is_object()));
    (said, usage.cloned().unwrap_or_default(), data.last() == Some(&"[DONE]"))
}

/// A server certificate for `name`, signed by itself, in PEM, and a TLS acceptor that shows it and offers `alpn`.
pub(super) fn identity(name: &str, alpn: &[&str]) -> (String, TlsAcceptor) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let key = rustls_pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .unwrap();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    (made.cert.pem(), TlsAcceptor::from(Arc::new(config)))
}
