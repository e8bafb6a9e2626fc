use std::time::Duration;

use super::*;
use crate::upstream::error::Stage;

#[tokio::test]
async fn case_50_statuses_are_errors_with_advice_and_a_capped_body() {
    let error = failing(
        "HTTP/1.1 429 Too Many Requests\r\nretry-after: 7\r\ncontent-length: 20\r\n\r\n{\"error\":{\"code\":1}}",
        true,
    )
    .await;
    let Kind::Status(refusal) = &error.kind else { panic!("{error:?}") };
    assert_eq!((refusal.status.as_u16(), refusal.retry_after), (429, Some(Duration::from_secs(7))));
    assert_eq!(refusal.body, r#"{"error":{"code":1}}"#);
    assert!(error.retryable());

    let error = failing("HTTP/1.1 529 Overloaded\r\nconnection: close\r\n\r\nbusy", false).await;
    assert!(error.retryable() && matches!(error.kind, Kind::Status(_)), "{error:?}");
}

#[tokio::test]
async fn case_46_an_error_body_is_kept_up_to_its_cap() {
    let port = serve(|mut stream| async move {
        request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 500 Oops\r\nconnection: close\r\n\r\n").await.unwrap();
        while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
    })
    .await;
    let error = OpenAi::build(&endpoint(port)).unwrap().call(call("{}", false)).await.unwrap_err();
    let Kind::Status(refusal) = error.kind else { panic!("{error:?}") };
    assert_eq!(refusal.body.len(), 64 * 1024);
}

#[tokio::test]
async fn case_52_redirects_are_not_followed() {
    let error = failing(
        "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n",
        false,
    )
    .await;
    assert!(matches!(&error.kind, Kind::Status(refusal) if refusal.status.as_u16() == 302));
    assert!(!error.retryable());
}

#[tokio::test]
async fn case_54_an_echoed_credential_never_passes() {
    let error =
        failing("HTTP/1.1 401 No\r\nconnection: close\r\n\r\nbad key sk-canary-0123456789abcdef", false)
            .await;
    let Kind::Status(refusal) = &error.kind else { panic!("{error:?}") };
    assert_eq!(refusal.body, "bad key **************************");

    let whole = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"echo\":\"sk-canary-0123456789abcdef\"}";
    assert_eq!(failing(whole, false).await.kind, Kind::Protocol);
    let events =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: sk-canary-0123456789abcdef\n\n";
    assert_eq!(failing(events, true).await.kind, Kind::Protocol);
}

#[tokio::test]
async fn case_47_encodings_are_refused_unread() {
    let error =
        failing("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nbomb", false).await;
    assert_eq!(error.kind, Kind::Protocol);
    let error =
        failing("HTTP/1.1 500 No\r\ncontent-encoding: br\r\ncontent-length: 4\r\n\r\nbomb", false).await;
    assert!(matches!(&error.kind, Kind::Status(refusal) if refusal.body.is_empty()));
}

#[tokio::test]
async fn case_51_lengths_and_framing() {
    let short = failing("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}", false).await;
    assert!(short.kind == Kind::Reset && short.retryable(), "{short:?}");
    let chunk = failing("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", false).await;
    assert_eq!(chunk.kind, Kind::Protocol, "{chunk:?}");
    let two = failing("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}", false).await;
    assert_eq!(two.kind, Kind::Protocol, "{two:?}");
    let junk = failing("220 smtp.example ESMTP\r\n\r\n", false).await;
    assert_eq!(junk.kind, Kind::Protocol, "{junk:?}");
    let nothing = failing("", false).await;
    assert!(nothing.kind == Kind::Reset && nothing.retryable(), "{nothing:?}");

    for whole in [
        "HTTP/1.0 200 OK\r\n\r\n{\"a\":1}",
        "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"a\":1}",
        "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n{\"a\":1}surplus",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3;ext=1\r\n{\"a\r\n4\r\n\":1}\r\n0\r\nx-trailer: 1\r\n\r\n",
    ] {
        let answer = answering(whole).await.call(call("{}", false)).await.unwrap();
        assert_eq!(collect(answer).await.unwrap(), "{\"a\":1}", "{whole}");
    }
}

#[tokio::test]
async fn case_46_answers_over_the_cap_are_given_up() {
    let announced = failing("HTTP/1.1 200 OK\r\ncontent-length: 10737418240\r\n\r\n", false).await;
    assert_eq!(announced.kind, Kind::TooLarge);
    for kind in ["application/json", "text/event-stream"] {
        let port = serve(move |mut stream| async move {
            request(&mut stream).await;
            let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            while stream.write_all(b"data: endless\n\n").await.is_ok() {}
        })
        .await;
        let mut config = endpoint(port);
        config.caps.max_answer_bytes = 100_000;
        let answer = OpenAi::build(&config).unwrap().call(call("{}", true)).await;
        let error = match answer {
            Ok(answer) => collect(answer).await.unwrap_err(),
            Err(error) => error,
        };
        assert_eq!(error.kind, Kind::TooLarge, "{kind}");
    }
}

#[tokio::test]
async fn case_44_resets_are_told_apart_by_what_was_delivered() {
    for (sent, delivered) in [
        ("", Delivered::Nothing),
        ("HTTP/1.1 200 OK\r\ncontent-ty", Delivered::Nothing),
        (
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 99\r\n\r\n",
            Delivered::Nothing,
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 99\r\n\r\ndata: a\n\n",
            Delivered::Something,
        ),
    ] {
        let error = failing(sent, true).await;
        assert_eq!((&error.kind, error.delivered), (&Kind::Reset, delivered), "after {sent:?}");
        assert_eq!(error.retryable(), delivered == Delivered::Nothing);
    }
}

#[tokio::test]
async fn case_43_silence_before_and_amid_the_answer() {
    let port = serve(|mut stream| async move {
        let (_, body) = request(&mut stream).await;
        if body == b"amid" {
            let start = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: a\n\n";
            stream.write_all(start.as_bytes()).await.unwrap();
        }
        std::future::pending::<()>().await;
    })
    .await;
    let mut config = endpoint(port);
    config.timeouts.first_byte = Duration::from_millis(40);
    let error = OpenAi::build(&config).unwrap().call(call("before", true)).await.unwrap_err();
    assert!(error.kind == Kind::Timeout(Stage::FirstByte) && error.retryable());

    let mut config = endpoint(port);
    config.timeouts.idle = Duration::from_millis(40);
    let answer = OpenAi::build(&config).unwrap().call(call("amid", true)).await.unwrap();
    let error = collect(answer).await.unwrap_err();
    assert!(error.kind == Kind::Timeout(Stage::Idle) && !error.retryable());

    let mut config = endpoint(port);
    config.timeouts.total = Duration::from_millis(40);
    let error = OpenAi::build(&config).unwrap().call(call("before", true)).await.unwrap_err();
    assert!(error.kind == Kind::Timeout(Stage::Total) && !error.retryable());
}

#[tokio::test]
async fn nobody_listening_is_told_without_saying_where() {
    let bound = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = bound.local_addr().unwrap().port();
    drop(bound);
    let error = OpenAi::build(&endpoint(port)).unwrap().call(call("{}", false)).await.unwrap_err();
    assert!(error.kind == Kind::Connect && error.retryable());
    assert!(!error.to_string().contains("127.0.0.1"), "{error}");
}

#[tokio::test]
async fn case_77_no_form_of_an_error_shows_the_credential() {
    for answer in
        ["", "junk\r\n\r\n", "HTTP/1.1 401 No\r\nconnection: close\r\n\r\nsk-canary-0123456789abcdef"]
    {
        let error = failing(answer, false).await;
        let mut told = format!("{error} {error:?} {error:#?}");
        let mut cause = std::error::Error::source(&error);
        while let Some(error) = cause {
            told.push_str(&format!("{error} {error:?}"));
            cause = error.source();
        }
        assert!(!told.contains("canary"), "{told}");
    }
}
