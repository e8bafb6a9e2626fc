//! The OpenAI dialect as an SDK meets it.

use policy_engine::facts::{Bound, Obligation, Rule};
use policy_engine::vocabulary::{Duration, Effect, Layer, Mode, Period};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;
use crate::house::{asking, limit, world};

const CHAT: &str = "/v1/chat/completions";

#[tokio::test]
async fn an_answer_tells_who_judged_it_and_who_answered() {
    let open = open(|facts| {
        limit(facts, "rpm", Bound::Requests(60, Period::Sliding(Duration(60_000_000))));
        let rule = Rule {
            layer: Layer::Organisation,
            effect: Effect::Require,
            when: String::new(),
            obligations: vec![Obligation::Notice("für Menschen geprüft".into())],
            reason_code: None,
            legal_ref: None,
            valid_from: None,
            valid_to: None,
            mode: Mode::Enforce,
            or_unknown: None,
            needs_permit: false,
            geos: vec![],
        };
        facts.rules.insert(world::id("told"), std::sync::Arc::new(rule));
    })
    .await;
    let got = open.post(CHAT, &asking("fast", "[[sim:say=hello]]", "")).await;
    assert_eq!(got.status, 200, "{}", got.body);
    assert_eq!(got.json()["choices"][0]["message"]["content"], "hello");
    let told = |name: &str| got.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let [record] = open.house.records();
    assert_eq!(told("x-chancery-request-id"), Some(record.id.to_string()));
    assert_eq!(told("x-chancery-revision").as_deref(), Some("7"));
    assert_eq!(told("x-chancery-endpoint").as_deref(), Some("sim-a"));
    assert_eq!(told("x-chancery-geo").as_deref(), Some("eu"));
    assert_eq!(told("x-chancery-notice").as_deref(), Some("f%C3%BCr Menschen gepr%C3%BCft"));
    assert_eq!(told("x-ratelimit-limit-requests").as_deref(), Some("60"));
    assert_eq!(told("x-ratelimit-remaining-requests").as_deref(), Some("59"));
    assert_eq!(told("x-ratelimit-reset-requests").as_deref(), Some("1s"));
    assert_eq!(told("content-type").as_deref(), Some("application/json"));
}

#[tokio::test]
async fn every_answer_has_an_id_under_both_names_and_says_whether_to_try_again() {
    let open = open(|_| ()).await;
    let key = format!("Bearer {KEY}");
    let good = [("authorization", key.as_str())];
    let body = |model: &str| asking(model, "hi", "");
    for (method, path, headers, body, status, retry) in [
        (Method::POST, CHAT, &good[..], body("fast"), 200, None),
        (Method::GET, "/v1/models", &good, String::new(), 200, None),
        (Method::GET, "/v1/models/fast", &good, String::new(), 200, None),
        (Method::GET, "/v1/quota", &good, String::new(), 200, None),
        (Method::OPTIONS, CHAT, &[], String::new(), 204, None),
        (Method::GET, "/v1/models", &[], String::new(), 401, Some("false")),
        (Method::GET, "/v1/nothing", &good, String::new(), 404, Some("false")),
        (Method::DELETE, CHAT, &good, String::new(), 405, Some("false")),
        (Method::POST, CHAT, &good, "{".to_owned(), 400, Some("false")),
        (Method::POST, CHAT, &good, body("down"), 502, Some("true")),
    ] {
        let got = open.send((method, path), headers, &body).await;
        let told = |name: &str| got.headers.get(name).map(|value| value.to_str().unwrap());
        assert_eq!(got.status, status, "{path}: {}", got.body);
        assert_eq!(told("x-should-retry"), retry, "{path}");
        assert!(told("x-request-id").is_some_and(|id| id.len() == 36), "{path}");
        assert_eq!(told("x-request-id"), told("x-chancery-request-id"), "{path}");
        assert_eq!((told("x-chancery-geo"), told("x-chancery-revision")), (Some("eu"), Some("7")), "{path}");
        let called = match status {
            200 if path == CHAT => Some("sim-a"),
            502 => Some("down-a"),
            _ => None,
        };
        assert_eq!(told("x-chancery-endpoint"), called, "{path}: {status}");
    }
}

#[tokio::test]
async fn a_stream_is_events_that_end_as_the_dialect_says() {
    let open = open(|_| ()).await;
    let got = open.post(CHAT, &asking("fast", "[[sim:say=one two three four]]", r#","stream":true"#)).await;
    assert_eq!(
        (got.status, got.headers["content-type"].to_str().unwrap()),
        (StatusCode::OK, "text/event-stream")
    );
    assert!(got.body.ends_with("data: [DONE]\n\n") && !got.body.contains("usage"), "{}", got.body);
    let asked = r#","stream":true,"stream_options":{"include_usage":true}"#;
    let got = open.post(CHAT, &asking("fast", "hi", asked)).await;
    assert_eq!(got.body.matches("prompt_tokens\":").count(), 1, "{}", got.body);
    let cut = open.post(CHAT, &asking("fast", "[[sim:cut=2]]hi", r#","stream":true"#)).await;
    let events: Vec<&str> = cut.body.trim_end().split("\n\n").collect();
    let [.., error, done] = events.as_slice() else { panic!("{}", cut.body) };
    assert_eq!(*done, "data: [DONE]");
    let error: serde_json::Value = serde_json::from_str(error.strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!(
        (&error["error"]["code"], &error["error"]["type"]),
        (&"upstream_error".into(), &"server_error".into())
    );
    assert!(error["error"]["chancery"]["request_id"].is_string());
}

#[tokio::test]
async fn refusals_have_the_dialects_shape_and_our_reasons() {
    let open = open(|_| ()).await;
    let got = open.send((Method::POST, CHAT), &[], &asking("fast", "hi", "")).await;
    assert_eq!((got.status.as_u16(), got.code().as_str()), (401, "missing_api_key"));
    assert_eq!(got.headers["www-authenticate"], "Bearer");
    let got = open.post(CHAT, &asking("seen", "hi", "")).await;
    let error = &got.json()["error"];
    assert_eq!((got.status.as_u16(), &error["type"]), (403, &"permission_error".into()));
    assert_eq!(error["chancery"]["reasons"][0]["code"], "not_entitled");
    assert_eq!(error["chancery"]["revision"], 7);
    let got = open.post(CHAT, r#"{"model":"fast","messages":[{"role":"robot","content":"x"}]}"#).await;
    assert_eq!((got.status.as_u16(), &got.json()["error"]["param"]), (400, &"messages[0].role".into()));
    let got = open
        .send((Method::POST, "/v1/chat/completions?key=chy_demo_secret"), &[("x-api-key", KEY)], "{}")
        .await;
    assert_eq!(got.status, 401);
}

#[tokio::test]
async fn paths_and_methods_are_taken_as_written() {
    let open = open(|_| ()).await;
    for path in [
        "/",
        "/v1",
        "//v1/chat/completions",
        "/v1/chat/completions/",
        "/v1/Chat/completions",
        "/v1/..%2fadmin",
        "/v1/%00",
    ] {
        let got = open.post(path, "{}").await;
        assert_eq!((got.status.as_u16(), got.code().as_str()), (404, "unimplemented"), "{path}");
    }
    let got = open.get(CHAT).await;
    assert_eq!((got.status.as_u16(), got.headers["allow"].to_str().unwrap()), (405, "POST, OPTIONS"));
    let got = open.send((Method::OPTIONS, CHAT), &[], "").await;
    assert_eq!((got.status.as_u16(), got.body.as_str()), (204, ""));
    let key = format!("Bearer {KEY}");
    let got = open.send((Method::HEAD, "/v1/models"), &[("authorization", &key)], "").await;
    assert_eq!((got.status.as_u16(), got.body.as_str()), (200, ""));
    assert!(got.headers["content-length"].to_str().unwrap().parse::<u64>().unwrap() > 0);
}

#[tokio::test]
async fn case_47_and_64_what_is_too_large_or_compressed_is_not_read() {
    let open = open(|_| ()).await;
    let key = format!("Bearer {KEY}");
    let headers = [("authorization", key.as_str()), ("content-encoding", "gzip")];
    let got = open.send((Method::POST, CHAT), &headers, "x").await;
    assert_eq!((got.status.as_u16(), got.code().as_str()), (415, "unsupported_media_type"));
    let most = open.house.node.bounds.body_bytes;
    let got = open.post(CHAT, &"x".repeat(most + 1)).await;
    assert_eq!((got.status.as_u16(), got.code().as_str()), (413, "payload_too_large"));
    let large = "x".repeat(100_000);
    let got = open.send((Method::POST, CHAT), &[("x-api-key", "chy_demo_wrong")], &large).await;
    assert_eq!(got.status, 401, "a large body is read of a proved caller only");
    let records: [_; 3] = open.house.records();
    assert!(records.iter().all(|record| record.code.is_some()));
}

/// A client that writes all of its body before it reads, as most do.
#[tokio::test]
async fn case_64_who_sends_too_much_gets_to_read_why() {
    let open = open(|_| ()).await;
    let most = open.house.node.bounds.body_bytes;
    for key in [KEY, "chy_demo_wrong"] {
        let mut caller = TcpStream::connect(open.address).await.unwrap();
        let head = format!(
            "POST {CHAT} HTTP/1.1\r\nhost: here\r\nauthorization: Bearer {key}\r\ncontent-length: {}\r\n\r\n",
            most + 1
        );
        caller.write_all(head.as_bytes()).await.unwrap();
        caller.write_all(&vec![b'x'; most + 1]).await.unwrap();
        let mut got = [0; 12];
        caller.read_exact(&mut got).await.unwrap();
        assert_eq!(&got[..], b"HTTP/1.1 413");
    }
}

#[tokio::test]
async fn models_are_those_the_caller_may_know_of() {
    let open = open(|_| ()).await;
    let got = open.get("/v1/models").await.json();
    let ids: Vec<_> =
        got["data"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids, ["down", "embed", "fast", "pair", "seen"]);
    let seen = &got["data"][4];
    assert_eq!((&seen["object"], &seen["chancery"]["available"]), (&"model".into(), &false.into()));
    assert_eq!(seen["chancery"]["reasons"][0], "not_entitled");
    assert_eq!(open.get("/v1/models/fast-alias").await.json()["id"], "fast");
    assert_eq!(open.get("/v1/models/f%61st").await.json()["id"], "fast");
    for hidden in ["hidden", "nothing", "..%2fquota", "%zz"] {
        let got = open.get(&format!("/v1/models/{hidden}")).await;
        assert_eq!((got.status.as_u16(), got.code().as_str()), (404, "model_not_found"), "{hidden}");
    }
    assert_eq!(open.send((Method::GET, "/v1/models"), &[], "").await.status, 401);
    let _: [_; 0] = open.house.records();
}

#[tokio::test]
async fn quota_is_what_is_left_of_ones_own() {
    let open = open(|facts| limit(facts, "day", Bound::Requests(10, Period::Day))).await;
    open.post(CHAT, &asking("fast", "hi", "")).await;
    let got = open.get("/v1/quota?model=fast").await.json();
    let quota = &got["data"][0];
    assert_eq!(quota["limit"], "tenants/acme/limits/day");
    assert_eq!(
        (quota["allowed"].as_u64(), quota["consumed"].as_u64(), quota["remaining"].as_u64()),
        (Some(10), Some(1), Some(9))
    );
    assert_eq!(
        (&quota["measure"], &quota["per"], &quota["model"]),
        (&"requests".into(), &"day".into(), &"*".into())
    );
    assert_eq!(quota["allowed_amount"], serde_json::Value::Null, "requests are no money");
    assert_eq!(open.get("/v1/quota?model=hidden").await.status, 404);
}

#[tokio::test]
async fn spend_reads_as_money_and_a_limit_shows_the_models_its_author_named() {
    let open = open(|facts| {
        limit(facts, "money", Bound::Spend("100 USD".parse().unwrap(), Period::Day));
        let money = std::sync::Arc::make_mut(facts.limits.get_mut(&world::id("money")).unwrap());
        money.scope.model = Some(policy_engine::facts::ModelGlob::new("f*t").unwrap());
    })
    .await;
    let got = open.get("/v1/quota").await.json();
    let quota = &got["data"][0];
    assert_eq!((&quota["measure"], &quota["currency"]), (&"spend".into(), &"USD".into()));
    assert_eq!(quota["allowed"].as_u64(), Some(100_000_000_000));
    let amounts = [&quota["allowed_amount"], &quota["consumed_amount"], &quota["remaining_amount"]];
    assert_eq!(amounts, ["100.00", "0.00", "100.00"]);
    assert_eq!(quota["model"], "f*t");
    assert_eq!(open.get("/v1/quota?model=fast").await.json()["data"][0]["model"], "f*t");
}

#[tokio::test]
async fn embeddings_are_vectors() {
    let open = open(|_| ()).await;
    let got = open.post("/v1/embeddings", r#"{"model":"embed","input":["one","two"]}"#).await;
    assert_eq!(got.status, 200, "{}", got.body);
    assert_eq!(got.json()["data"].as_array().unwrap().len(), 2);
    let [record] = open.house.records();
    assert!(record.usage.amounts.input > 0 && record.usage.amounts.output == 0);
}

#[tokio::test]
async fn case_33_closing_the_connection_ends_the_vendors_call() {
    let open = open(|_| ()).await;
    let body = asking("fast", "[[sim:delay=100s]]", "");
    let request = open.post(CHAT, &body);
    let watched = open.house.node.runtime.load_full().unwrap();
    let vitals = watched.endpoints().iter().find(|e| e.id.name.as_str() == "sim-a").unwrap().vitals.clone();
    {
        let mut request = std::pin::pin!(request);
        loop {
            tokio::select! {
                _ = request.as_mut() => panic!("it was to take longer"),
                () = tokio::task::yield_now() => if vitals.busy() == 1 { break },
            }
        }
    }
    while vitals.busy() > 0 {
        tokio::task::yield_now().await;
    }
    while open.house.node.ledger.size().1 > 0 {
        tokio::task::yield_now().await;
    }
    let [record] = open.house.records();
    assert_eq!(record.outcome, crate::record::Outcome::Cancelled);
}

#[tokio::test]
async fn case_58_a_request_in_doubt_is_refused_and_ends_its_connection() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let open = open(|_| ()).await;
    let next = "GET /v1/models HTTP/1.1\r\nhost: a\r\n\r\n";
    for (headers, body) in [
        ("transfer-encoding: gzip, chunked", "2\r\n{}\r\n0\r\n\r\n"),
        ("transfer-encoding: identity\r\ntransfer-encoding: chunked", "2\r\n{}\r\n0\r\n\r\n"),
        ("transfer-encoding: chunked", "0x2\r\n{}\r\n0\r\n\r\n"),
        ("transfer-encoding: chunked", "2\r\n{}0\r\n\r\n"),
        ("host: b", ""),
    ] {
        let mut stream = tokio::net::TcpStream::connect(open.address).await.unwrap();
        let key = format!("authorization: Bearer {KEY}");
        let sent = format!("POST {CHAT} HTTP/1.1\r\nhost: a\r\n{key}\r\n{headers}\r\n\r\n{body}{next}");
        stream.write_all(sent.as_bytes()).await.unwrap();
        let mut got = Vec::new();
        stream.read_to_end(&mut got).await.unwrap();
        let got = String::from_utf8(got).unwrap();
        assert!(got.starts_with("HTTP/1.1 400 ") && got.matches("HTTP/1.1").count() == 1, "{headers}: {got}");
    }
}
