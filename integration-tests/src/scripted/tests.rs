use reqwest::Client;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::*;

fn chat(text: &str, stream: bool) -> Value {
    json!({"model": "m", "messages": [{"role": "user", "content": text}], "stream": stream})
}

fn client(roots: Option<&str>) -> Client {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let builder = Client::builder().no_proxy();
    match roots {
        Some(pem) => builder
            .add_root_certificate(reqwest::Certificate::from_pem(pem.as_bytes()).unwrap())
            .build()
            .unwrap(),
        None => builder.build().unwrap(),
    }
}

async fn dial(upstream: &ScriptedUpstream) -> TcpStream {
    TcpStream::connect(upstream.address()).await.unwrap()
}

#[tokio::test]
async fn a_script_reads_sends_waits_and_closes() {
    let gate = Gate::default();
    let script = Script::new().read().send("one").wait(&gate).send("two");
    let upstream = ScriptedUpstream::start([script]).await.unwrap();
    let mut peer = dial(&upstream).await;
    peer.write_all(b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc").await.unwrap();
    let mut seen = upstream.connection().await.unwrap();
    let sent = seen.request().await.unwrap();
    assert_eq!((sent.request_line(), sent.header("HOST")), ("POST /x HTTP/1.1", Some("h")));
    assert_eq!(sent.body, b"abc");
    let mut read = [0; 3];
    peer.read_exact(&mut read).await.unwrap();
    gate.open();
    peer.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"two");
    assert_eq!(peer.read(&mut read).await.unwrap(), 0, "then it closes");
    seen.done().await.unwrap();
    drop(peer);
    seen.closed().await.unwrap();
    assert!(!upstream.was_dialled().await);
}

#[tokio::test]
async fn chunked_requests_and_pipelined_ones_are_read() {
    let upstream = ScriptedUpstream::start([Script::new().read().read()]).await.unwrap();
    let mut peer = dial(&upstream).await;
    let first = "POST /1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=1\r\nde\r\n0\r\n\r\n";
    peer.write_all(format!("{first}GET /2 HTTP/1.1\r\n\r\n").as_bytes()).await.unwrap();
    let mut seen = upstream.connection().await.unwrap();
    assert_eq!(seen.request().await.unwrap().body, b"abcde");
    assert_eq!(seen.request().await.unwrap().request_line(), "GET /2 HTTP/1.1");
}

#[tokio::test]
async fn a_reset_is_a_reset_and_a_leaving_peer_is_noticed() {
    let scripts = [Script::new().read().send("x").reset(), Script::new().read().hang()];
    let upstream = ScriptedUpstream::start(scripts).await.unwrap();
    let mut peer = dial(&upstream).await;
    peer.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let error = peer.read_to_end(&mut Vec::new()).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);

    upstream.connection().await.unwrap().done().await.unwrap();

    let mut peer = dial(&upstream).await;
    peer.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut seen = upstream.connection().await.unwrap();
    seen.request().await.unwrap();
    let before = std::time::Instant::now();
    drop(peer);
    assert!(seen.closed().await.unwrap() >= before);
}

#[tokio::test]
async fn a_trickle_gives_every_byte_and_notices_a_leaving_peer() {
    let pause = std::time::Duration::from_millis(1);
    let upstream = ScriptedUpstream::start([Script::new().trickle("slow", pause)]).await.unwrap();
    let mut text = String::new();
    dial(&upstream).await.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "slow");
    let endless =
        ScriptedUpstream::start([Script::new().trickle("x".repeat(1_000_000), pause)]).await.unwrap();
    drop(dial(&endless).await);
    endless.connection().await.unwrap().closed().await.unwrap();
}

#[tokio::test]
async fn tls_scripts_show_their_certificate_and_protocol() {
    let identity = Identity::new("localhost", &["http/1.1"]).unwrap();
    let script = Script::new().read().send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    let upstream = ScriptedUpstream::start_tls([script], identity).await.unwrap();
    let answer = client(upstream.roots()).get(upstream.base_url()).send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "ok");
    let mut seen = upstream.connection().await.unwrap();
    seen.request().await.unwrap();
    assert_eq!(seen.alpn(), Some("http/1.1"));

    assert!(client(None).get(upstream.base_url()).send().await.is_err(), "nobody vouches for it");
    upstream.connection().await.unwrap().closed().await.unwrap();
    let expired = Identity::expired("localhost", &[]).unwrap();
    let upstream = ScriptedUpstream::start_tls([Script::new()], expired).await.unwrap();
    assert!(client(upstream.roots()).get(upstream.base_url()).send().await.is_err());
}

#[tokio::test]
async fn the_friendly_vendor_echoes_lists_and_embeds() {
    let upstream = OpenAiLike::start().await.unwrap();
    let (client, base) = (client(None), upstream.base_url());
    let models: Value = client.get(format!("{base}/models")).send().await.unwrap().json().await.unwrap();
    assert_eq!(models["data"][0]["id"], "echo-small");
    let url = format!("{base}/chat/completions");
    let whole: Value =
        client.post(&url).json(&chat("a b", false)).send().await.unwrap().json().await.unwrap();
    assert_eq!(whole["choices"][0]["message"]["content"], "a b");
    let events = client.post(&url).json(&chat("a b", true)).send().await.unwrap().text().await.unwrap();
    assert_eq!((events.matches("data: ").count(), events.ends_with("data: [DONE]\n\n")), (5, true));
    let url = format!("{base}/embeddings");
    let body = json!({"model": "m", "input": ["x", "y"]});
    let vectors: Value = client.post(url).json(&body).send().await.unwrap().json().await.unwrap();
    assert_eq!(vectors["data"].as_array().unwrap().len(), 2);
    let paths: Vec<String> = [
        upstream.request().await.unwrap(),
        upstream.request().await.unwrap(),
        upstream.request().await.unwrap(),
        upstream.request().await.unwrap(),
    ]
    .map(|asked| asked.path)
    .into();
    assert_eq!(paths, ["/v1/models", "/v1/chat/completions", "/v1/chat/completions", "/v1/embeddings"]);
    assert!(!upstream.was_asked().await);
}

#[tokio::test]
async fn canned_answers_come_in_order_and_cancellations_are_told() {
    for alpn in ["h2", "http/1.1"] {
        let upstream = OpenAiLike::start_tls(Identity::new("localhost", &[alpn]).unwrap()).await.unwrap();
        let (client, url) = (client(upstream.roots()), format!("{}/chat/completions", upstream.base_url()));
        let post = || client.post(&url).json(&chat("x", true)).send();
        upstream.answer_next(Canned::json(http::StatusCode::SERVICE_UNAVAILABLE, "{}")).await;
        let gate = Gate::default();
        let pieces = vec![Piece::Bytes("data: 1\n\n".into()), Piece::Wait(gate)];
        upstream.answer_next(Canned::events(pieces)).await;
        upstream.answer_next(Canned::events(vec![Piece::Bytes("data: 1\n\n".into()), Piece::Break])).await;

        assert_eq!(post().await.unwrap().status(), 503);
        let mut going = post().await.unwrap();
        assert_eq!(going.chunk().await.unwrap().unwrap(), "data: 1\n\n");
        drop(going);
        upstream.given_up().await.unwrap();
        assert!(post().await.unwrap().bytes().await.is_err(), "broken off");
        let version = if alpn == "h2" { http::Version::HTTP_2 } else { http::Version::HTTP_11 };
        assert_eq!(upstream.request().await.unwrap().version, version);
    }
}
