//! What is no list: refusals, junk, too much, no end, and pages that lead back.

use std::error::Error as _;

use super::*;
use crate::upstream::error::{Kind, Stage};
use crate::upstream::scripted::call;

/// A vendor that gives each page by its number, as one of Google's lists.
async fn pages(page: impl Fn(usize) -> String + Clone + Send + Sync + 'static) -> EndpointConfig {
    let count = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let port = serve(move |mut stream| {
        let (page, count) = (page.clone(), count.clone());
        async move {
            request(&mut stream).await;
            let number = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            // Who reads no more of a large one goes away.
            let _ = stream.write_all(page(number).as_bytes()).await;
            stream.shutdown().await.ok();
        }
    })
    .await;
    config(Adapter::Foreign(Dialect::Gemini), port, "/v1beta")
}

async fn unlisted(config: &EndpointConfig) -> Unlisted {
    Registry::build(config).unwrap().list().await.unwrap_err()
}

fn page(models: &str, token: &str) -> String {
    answer("200 OK", &format!(r#"{{"models":[{models}],"nextPageToken":"{token}"}}"#))
}

#[tokio::test]
async fn a_refusal_is_told_by_its_status_and_nothing_of_the_credential() {
    for (status, told) in [
        ("401 Unauthorized", "the upstream answered with status 401"),
        ("403 Forbidden", "the upstream answered with status 403"),
        ("429 Too Many Requests", "the upstream answered with status 429"),
        ("500 Internal Server Error", "the upstream answered with status 500"),
        ("302 Found", "the upstream answered with status 302"),
    ] {
        let body = format!(r#"{{"error":{{"message":"the key {KEY} is wrong"}}}}"#);
        let refused = answer(status, &body);
        let why = unlisted(&pages(move |_| refused.clone()).await).await;
        assert_eq!(why.to_string(), told);
        let mut whole = format!("{why:?}");
        let mut cause = why.source();
        while let Some(error) = cause {
            whole.push_str(&error.to_string());
            cause = error.source();
        }
        assert!(!whole.contains(KEY), "{whole}");
    }
}

#[tokio::test]
async fn whoever_keeps_a_credential_is_told_that_it_is_refused() {
    let (told, mut heard) = mpsc::unbounded_channel();
    let refused = Refused::by("vault:secret/x#k", move || told.send(()).unwrap());
    let config = pages(|_| answer("401 Unauthorized", "{}")).await;
    unlisted(&EndpointConfig { refused: Some(refused), ..config }).await;
    assert_eq!(heard.try_recv(), Ok(()));
}

#[tokio::test]
async fn junk_is_no_list_and_a_broken_page_spoils_those_before_it() {
    for junk in [
        "",
        "hello",
        "[]",
        "null",
        "{\"models\":7}",
        "{\"models\":[{\"displayName\":\"no name\"}]}",
        "{\"models\":[{\"name\":\"models/a b\"}]}",
        "{\"models\":[7]}",
        "\u{0}",
    ] {
        let why = unlisted(&pages(move |_| answer("200 OK", junk)).await).await;
        assert!(matches!(why, Unlisted::Unread(1)), "{junk}: {why}");
        let second = move |number| if number == 0 { page("", "t") } else { answer("200 OK", junk) };
        let why = unlisted(&pages(second).await).await;
        assert!(matches!(why, Unlisted::Unread(2)), "{junk}: {why}");
    }
    // Nothing at all is a list, of nothing.
    let none = pages(|_| answer("200 OK", "{}")).await;
    assert_eq!(listed(&none).await, Listed::default());
}

#[tokio::test]
async fn what_is_too_large_is_not_read() {
    let long = format!(r#"{{"name":"models/m","description":"{}"}}"#, "x".repeat(PAGE_BYTES));
    let said = page(&long, "");
    let why = unlisted(&pages(move |_| said.clone()).await).await;
    assert!(matches!(&why, Unlisted::Upstream(error) if error.kind == Kind::TooLarge), "{why:?}");
    let small = page(&vec!["{}"; OBJECTS].join(","), "");
    assert!(matches!(unlisted(&pages(move |_| small.clone()).await).await, Unlisted::Crowded));
    let many = |number: usize| {
        let models: Vec<String> =
            (0..1_000).map(|m| format!(r#"{{"name":"models/{number}-{m}"}}"#)).collect();
        page(&models.join(","), &format!("t{number}"))
    };
    assert!(matches!(unlisted(&pages(many).await).await, Unlisted::TooMany));
}

#[tokio::test]
async fn pages_that_never_end_or_lead_back_end_here() {
    let endless = pages(|number| page("", &format!("t{number}"))).await;
    assert!(matches!(unlisted(&endless).await, Unlisted::Endless));
    let round = pages(|number| page("", if number % 2 == 0 { "a" } else { "b" })).await;
    assert!(matches!(unlisted(&round).await, Unlisted::Round(3)));
    let same = pages(|_| page("", "a")).await;
    assert!(matches!(unlisted(&same).await, Unlisted::Round(2)));
    // More without a place to go on from would be a list cut short.
    let (port, _heard) =
        vendor(&[("/v1/models?limit=1000", r#"{"data":[],"has_more":true,"last_id":null}"#)]).await;
    let why = unlisted(&config(Adapter::Foreign(Dialect::Anthropic), port, "/v1")).await;
    assert!(matches!(why, Unlisted::Unread(1)), "{why}");
}

#[tokio::test]
async fn a_vendor_that_says_nothing_is_not_waited_for() {
    let port = serve(|mut stream| async move {
        request(&mut stream).await;
        std::future::pending::<()>().await;
    })
    .await;
    let mut slow = config(Adapter::OpenAi, port, "/v1");
    slow.timeouts.first_byte = Duration::from_millis(50);
    let why = unlisted(&slow).await;
    let stage = Kind::Timeout(Stage::FirstByte);
    assert!(matches!(&why, Unlisted::Upstream(error) if error.kind == stage), "{why:?}");
}

#[test]
fn what_can_not_be_called_can_not_be_asked() {
    let at = |url: &str| EndpointConfig { base_url: url.to_owned(), ..endpoint(1) };
    for url in ["http://169.254.169.254/v1", "ftp://x/v1", "http://10.0.0.1/v1", ""] {
        assert!(matches!(Registry::build(&at(url)), Err(Unlisted::Fault(Fault::BaseUrl(_)))), "{url}");
    }
    let keyless = EndpointConfig {
        credential: None,
        auth: Some(Auth::Aws { access_key_id: "A".to_owned(), region: "r".to_owned(), role: None }),
        ..config(Adapter::Foreign(Dialect::Bedrock), 8000, "")
    };
    let why = Registry::build(&keyless).map(|_| ()).unwrap_err();
    assert_eq!(why.to_string(), "it can't be asked: credential: not where the registry says it is");
}

#[test]
fn the_simulated_vendor_answers_to_every_name_of_its_list() {
    let models = super::super::simulated::models();
    assert!(models.is_sorted_by(|a, b| a.id < b.id));
    for model in &models {
        let body = format!(r#"{{"model":"{}"}}"#, model.id);
        assert_eq!(call(&body, false).model().unwrap(), model.id);
        assert!(
            model.operations.iter().all(|word| word.parse::<policy_engine::vocabulary::Operation>().is_ok())
        );
    }
}
