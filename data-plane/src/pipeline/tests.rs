//! The sentence from end to end, on a node with the simulated vendor.

mod audited;
mod captured;
mod churn;
mod endings;
mod overlay;
mod refusals;
mod routing;
mod terms;

use crate::house::{House, asking, whole};
use crate::record::{Outcome, Provenance};

#[tokio::test]
async fn a_request_is_answered_and_recorded_as_it_was() {
    let house = House::new(|_| ());
    let reply = house.chat(&asking("fast-alias", "[[sim:say=hello there]]", "")).await;
    assert_eq!(reply.head.endpoint.as_ref().unwrap(), "sim-a");
    assert_eq!(reply.head.revision.as_ref().unwrap(), "7");
    let answer = whole(reply);
    assert_eq!(answer["choices"][0]["message"]["content"], "hello there");
    let [record] = house.records();
    assert_eq!((record.outcome, record.status, record.code), (Outcome::Answered, 200, None));
    assert_eq!(record.owner.as_ref().unwrap().key.as_ref(), "demo");
    assert_eq!(record.model_asked.as_deref(), Some("fast-alias"));
    assert_eq!(record.model.as_ref().unwrap().name.as_str(), "fast");
    assert_eq!(record.usage.provenance, Provenance::Vendor);
    assert_eq!(record.usage.amounts.input, answer["usage"]["prompt_tokens"].as_u64().unwrap());
    assert_eq!(record.usage.amounts.output, answer["usage"]["completion_tokens"].as_u64().unwrap());
    let amounts = record.usage.amounts;
    assert_eq!(record.cost.unwrap().nanos, i64::try_from(amounts.input + 2 * amounts.output).unwrap());
    house.close();
}

#[tokio::test]
async fn the_vendor_is_told_its_own_name_of_the_model_and_nothing_else_changes() {
    let house = House::new(|_| ());
    let answer = whole(house.chat(&asking("fast", "hi", r#","unknown":{"kept":true}"#)).await);
    assert_eq!(answer["model"], "sim-a-upstream");
    house.close();
}

#[tokio::test]
async fn another_candidate_answers_where_the_first_cannot_be_reached() {
    let house = House::new(|_| ());
    let reply = house.chat(&asking("pair", "hi", "")).await;
    assert_eq!(reply.head.endpoint.as_ref().unwrap(), "sim-b");
    whole(reply);
    let [record] = house.records();
    let tried: Vec<_> =
        record.attempts.iter().map(|a| (a.endpoint.name.as_str(), a.failure.is_some())).collect();
    assert_eq!(tried, [("down-a", true), ("sim-b", false)]);
    assert_eq!(record.endpoint.unwrap().name.as_str(), "sim-b");
    house.close();
}
