//! What is billed by pictures, seconds, characters and requests: reserved, settled, written down, and unpriced where nothing says what it is.

use std::sync::Arc;

use policy_engine::facts::{Bound, Facts, Label, Picture, PicturePrice, PricePerMillion, PricePerUnit};
use policy_engine::vocabulary::{Money, Period};

use super::media::{file, text};
use super::*;
use crate::house::{limit, world};

/// `fast` costs nothing by tokens, and this by units.
fn priced(facts: &mut Facts, per_unit: PricePerUnit) {
    world::serve_all(facts, "fast");
    let price = Arc::make_mut(facts.prices.get_mut(&world::platform("fast")).unwrap());
    (price.per_million, price.per_unit) = (PricePerMillion::default(), per_unit);
}

fn pictures() -> PricePerUnit {
    let hd = Picture { size: Label::new("1024x1024"), quality: Label::new("hd") };
    let of = |of, amount| PicturePrice { of, amount };
    PricePerUnit { pictures: vec![of(Picture::default(), 40), of(hd, 80)], ..PricePerUnit::default() }
}

const IMAGES: &str = "/v1/images/generations";

#[tokio::test]
async fn pictures_cost_what_their_size_and_quality_does() {
    let open = open(|facts| priced(facts, pictures())).await;
    for (more, cost) in [
        ("", 40),
        (r#","n":3"#, 120),
        (r#","n":2,"size":"1024x1024","quality":"hd""#, 160),
        (r#","size":"1024x1024","quality":"low""#, 40),
    ] {
        let got = open.post(IMAGES, &format!(r#"{{"model":"fast","prompt":"a cat"{more}}}"#)).await;
        assert_eq!(got.status, 200, "{}", got.body);
        assert_eq!(open.house.seen_last().cost.unwrap().nanos, cost, "{more}");
    }
    let units = open.house.seen_last().usage.amounts.units;
    assert_eq!((units.pictures, units.requests, units.characters), (1, 1, 0));
    let refused = open.post(IMAGES, r#"{"model":"fast"}"#).await;
    assert_eq!(refused.status, 400);
    assert!(open.house.seen_last().cost.is_none(), "nothing was asked of anybody");
}

#[tokio::test]
async fn a_limit_of_money_counts_them_before_and_after() {
    let spend = |nanos| Bound::Spend(Money { currency: "USD".parse().unwrap(), nanos }, Period::Month);
    let open = open(|facts| {
        priced(facts, pictures());
        limit(facts, "money", spend(100));
    })
    .await;
    let ask = |n: u32| format!(r#"{{"model":"fast","prompt":"a cat","n":{n}}}"#);
    let refused = open.post(IMAGES, &ask(3)).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (429, "insufficient_quota"));
    assert_eq!(open.post(IMAGES, &ask(2)).await.status, 200);
    let refused = open.post(IMAGES, &ask(1)).await;
    assert_eq!(refused.code(), "insufficient_quota", "20 of 100 are left");
}

#[tokio::test]
async fn a_picture_of_no_priced_size_is_unpriced_and_refused_under_a_limit_of_money() {
    let only = || {
        let of = Picture { size: Label::new("1024x1024"), quality: None };
        PricePerUnit { pictures: vec![PicturePrice { of, amount: 40 }], ..PricePerUnit::default() }
    };
    let ask = |size: &str| format!(r#"{{"model":"fast","prompt":"a cat","n":10,"size":"{size}"}}"#);
    let free = open(|facts| priced(facts, only())).await;
    for (size, cost) in [("1024x1024", Some(400)), ("1536x1024", None)] {
        assert_eq!(free.post(IMAGES, &ask(size)).await.status, 200, "{size}");
        assert_eq!(free.house.seen_last().cost.map(|cost| cost.nanos), cost, "{size}");
    }
    let odd = free.post(IMAGES, &ask("01024x1024")).await;
    assert_eq!(odd.status, 400, "{}", odd.body);
    let limited = open(|facts| {
        priced(facts, only());
        let spend = Money { currency: "USD".parse().unwrap(), nanos: 1000 };
        limit(facts, "money", Bound::Spend(spend, Period::Month));
    })
    .await;
    assert_eq!(limited.post(IMAGES, &ask("1024x1024")).await.status, 200);
    let refused = limited.post(IMAGES, &ask("1536x1024")).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (403, "unpriced_model"));
}

#[tokio::test]
async fn a_text_that_is_spoken_costs_by_the_character_and_a_request_by_itself() {
    let prices = PricePerUnit { character: Some(1000), request: Some(7), ..PricePerUnit::default() };
    let open = open(|facts| priced(facts, prices)).await;
    let got = open.send_speech("né two").await;
    assert_eq!(got, 200);
    let record = open.house.seen_last();
    assert_eq!((record.cost.unwrap().nanos, record.usage.amounts.units.characters), (6007, 6));
    let chat = open.post("/v1/chat/completions", &crate::house::asking("fast", "hi", "")).await;
    assert_eq!(chat.status, 200);
    assert_eq!(open.house.seen_last().cost.unwrap().nanos, 7, "of tokens nothing is billed");
    let failed = crate::house::asking("fast", "[[sim:error=400]]", "");
    assert_eq!(open.post("/v1/chat/completions", &failed).await.status, 400);
    assert_eq!(open.house.seen_last().cost.map_or(0, |cost| cost.nanos), 0, "what failed is not billed");
}

#[tokio::test]
async fn sound_costs_by_the_seconds_that_are_told_and_is_unpriced_where_none_are() {
    let prices = PricePerUnit { audio_second: Some(100_000), ..PricePerUnit::default() };
    let open = open(|facts| {
        priced(facts, prices);
        let endpoint = facts.endpoints.get_mut(&world::platform("sim-a")).unwrap();
        Arc::make_mut(endpoint).upstream_model = "whisper-1".to_owned();
    })
    .await;
    let sound = "word ".repeat(300);
    for (format, cost) in [("json", Some(200_000)), ("verbose_json", Some(200_000)), ("srt", None)] {
        let parts = [text("model", "fast"), text("response_format", format), file("file", "a.wav", &sound)];
        assert_eq!(open.post_form("/v1/audio/transcriptions", &parts).await.status, 200, "{format}");
        let record = open.house.seen_last();
        assert_eq!(record.cost.map(|cost| cost.nanos), cost, "{format}");
        let millis = record.usage.amounts.units.audio_millis;
        assert_eq!(millis, if cost.is_some() { 2000 } else { 0 }, "{format}");
    }
}
