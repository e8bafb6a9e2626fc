mod faults;
mod operations;
mod secure;

use bytes::Bytes;
use futures_util::StreamExt;
use http::{HeaderName, HeaderValue};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::mpsc,
};

use super::{
    super::{
        call::AnswerBody,
        error::{Delivered, Kind},
        scripted::{KEY, call, endpoint, request, serve},
    },
    *,
};

/// One answer with a length, on every connection.
async fn answering(answer: &'static str) -> OpenAi {
    let port = serve(move |mut stream| async move {
        request(&mut stream).await;
        stream.write_all(answer.as_bytes()).await.unwrap();
        stream.shutdown().await.ok();
    })
    .await;
    OpenAi::build(&endpoint(port)).unwrap()
}

async fn failing(answer: &'static str, stream: bool) -> UpstreamError {
    match answering(answer).await.call(call("{}", stream)).await {
        Err(error) => error,
        Ok(answer) => collect(answer).await.unwrap_err(),
    }
}

async fn collect(answer: Answer) -> Result<Bytes, UpstreamError> {
    match answer.body {
        AnswerBody::Whole(body) => Ok(body),
        AnswerBody::Events(mut events) | AnswerBody::Media(mut events) => {
            let mut all = Vec::new();
            while let Some(piece) = events.next().await {
                all.extend_from_slice(&piece?);
            }
            Ok(all.into())
        }
    }
}

#[tokio::test]
async fn a_call_is_one_post_with_the_body_as_given() {
    let (told, mut heard) = mpsc::unbounded_channel();
    let port = serve(move |mut stream| {
        let told = told.clone();
        async move {
            for _ in 0..2 {
                told.send(request(&mut stream).await).unwrap();
                let answer =
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        }
    })
    .await;
    let vendor = OpenAi::build(&endpoint(port)).unwrap();
    let mut first = call(r#"{"model":"m" , "x":1}"#, false);
    first.traceparent = Some(HeaderValue::from_static("00-aa-bb-01"));
    vendor.call(first).await.unwrap();
    let mut second = call("{}", true);
    second.operation = Operation::Embed;
    vendor.call(second).await.unwrap();

    let (head, body) = heard.recv().await.unwrap();
    assert!(head.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"), "{head}");
    assert_eq!(body, br#"{"model":"m" , "x":1}"#);
    for line in [
        format!("host: 127.0.0.1:{port}"),
        format!("authorization: Bearer {KEY}"),
        "content-type: application/json".to_owned(),
        "accept: application/json".to_owned(),
        "accept-encoding: identity".to_owned(),
        "x-client-request-id: req-1".to_owned(),
        "traceparent: 00-aa-bb-01".to_owned(),
    ] {
        assert!(head.lines().any(|sent| sent == line), "`{line}` is missing in {head}");
    }
    let (head, _) = heard.recv().await.expect("the same connection is used again");
    assert!(head.starts_with("POST /v1/embeddings HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("accept: text/event-stream"));
}

#[tokio::test]
async fn case_54_only_allow_listed_headers_pass() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: v-1\r\n\
        set-cookie: a=b\r\nauthorization: Bearer sk-canary-0123456789abcdef\r\nserver: x\r\nconnection: close\r\n\
        request-id: sk-canary-0123456789abcdef\r\ncontent-length: 11\r\n\r\n{\"ok\":true}";
    let answer = answering(answer).await.call(call("{}", false)).await.unwrap();
    let mut names: Vec<&str> = answer.headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["content-type", "x-request-id"]);
    assert_eq!(collect(answer).await.unwrap(), r#"{"ok":true}"#);
}

#[tokio::test]
async fn events_come_as_they_are_sent() {
    let (go, ready) = mpsc::unbounded_channel::<()>();
    let ready = Arc::new(tokio::sync::Mutex::new(ready));
    let port = serve(move |mut stream| {
        let ready = Arc::clone(&ready);
        async move {
            request(&mut stream).await;
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n\r\n";
            stream.write_all(head.as_bytes()).await.unwrap();
            for piece in ["data: a\n\n", "data: b\n\n"] {
                stream.write_all(piece.as_bytes()).await.unwrap();
                ready.lock().await.recv().await;
            }
        }
    })
    .await;
    let answer = OpenAi::build(&endpoint(port)).unwrap().call(call("{}", true)).await.unwrap();
    let AnswerBody::Events(mut events) = answer.body else { panic!("not a stream") };
    for expected in ["data: a\n\n", "data: b\n\n"] {
        assert_eq!(events.next().await.unwrap().unwrap(), expected);
        go.send(()).unwrap();
    }
    assert!(events.next().await.is_none() && events.next().await.is_none());
}

#[tokio::test]
async fn case_33_dropping_the_events_cancels_the_vendor() {
    let (told, mut heard) = mpsc::unbounded_channel();
    let port = serve(move |mut stream| {
        let told = told.clone();
        async move {
            request(&mut stream).await;
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: a\n\n";
            stream.write_all(head.as_bytes()).await.unwrap();
            let mut rest = Vec::new();
            told.send(stream.read_to_end(&mut rest).await.is_ok()).unwrap();
        }
    })
    .await;
    let vendor = OpenAi::build(&endpoint(port)).unwrap();
    let AnswerBody::Events(mut events) = vendor.call(call("{}", true)).await.unwrap().body else {
        panic!("not a stream")
    };
    events.next().await.unwrap().unwrap();
    assert!(heard.try_recv().is_err(), "the connection is open while somebody reads");
    drop(events);
    heard.recv().await.expect("the vendor sees the end of the connection");
}

#[tokio::test]
async fn a_retired_stream_leaves_its_connection_to_the_next_call() {
    let (told, mut heard) = mpsc::unbounded_channel();
    let (go, ready) = mpsc::unbounded_channel::<()>();
    let ready = Arc::new(tokio::sync::Mutex::new(ready));
    let dialled = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let port = serve(move |mut stream| {
        let (told, ready) = (told.clone(), Arc::clone(&ready));
        let first = dialled.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
        async move {
            request(&mut stream).await;
            if first {
                let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
                stream.write_all(format!("{head}e\r\ndata: [DONE]\n\n\r\n").as_bytes()).await.unwrap();
                ready.lock().await.recv().await;
                stream.write_all(b"0\r\n\r\n").await.unwrap();
                request(&mut stream).await;
                told.send(()).unwrap();
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}").await.unwrap();
        }
    })
    .await;
    let vendor = OpenAi::build(&endpoint(port)).unwrap();
    let AnswerBody::Events(mut events) = vendor.call(call("{}", true)).await.unwrap().body else {
        panic!("not a stream")
    };
    assert_eq!(events.next().await.unwrap().unwrap(), "data: [DONE]\n\n");
    events.retire();
    go.send(()).unwrap();
    // Every other connection is closed by the server, so that only the first one can be used again.
    let again = async {
        while heard.try_recv().is_err() {
            vendor.call(call("{}", false)).await.unwrap();
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), again)
        .await
        .expect("the connection is used again");
}

#[tokio::test]
async fn case_33_dropping_the_call_before_its_head_cancels_too() {
    let (told, mut heard) = mpsc::unbounded_channel();
    let port = serve(move |mut stream| {
        let told = told.clone();
        async move {
            request(&mut stream).await;
            told.send(()).unwrap();
            stream.read_to_end(&mut Vec::new()).await.ok();
            told.send(()).unwrap();
        }
    })
    .await;
    let vendor = OpenAi::build(&endpoint(port)).unwrap();
    let going = tokio::spawn(async move { vendor.call(call("{}", false)).await.map(drop) });
    heard.recv().await.unwrap();
    going.abort();
    heard.recv().await.expect("the vendor sees the end of the connection");
}

#[test]
fn a_bad_credential_or_url_is_found_when_the_endpoint_is_built() {
    assert!(matches!(OpenAi::build(&endpoint(25)), Err(Fault::BaseUrl(_))));
    let mut config = endpoint(8000);
    config.credential = Some(Secret::new("line\nbreak".to_owned()));
    assert!(matches!(OpenAi::build(&config), Err(Fault::Credential)));
}
