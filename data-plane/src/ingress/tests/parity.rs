//! Both doors: the same decision, the same usage, the same record.

use policy_engine::facts::Bound;
use policy_engine::vocabulary::{Duration, Period};
use proto::status::Refusal;

use super::grpc::{chat, client, with_key};
use super::*;
use crate::house::{asking, limit};
use crate::record::{Outcome, Record};

/// What must not depend on the door.
fn essence(record: Record) -> impl PartialEq + std::fmt::Debug {
    (
        (record.owner, record.model_asked, record.model, record.endpoint, record.operation, record.stream),
        (record.outcome, record.code, record.status, record.usage, record.cost),
        (record.ruling, record.found_input, record.found_output, record.attempts.len()),
    )
}

#[tokio::test]
async fn case_61_the_door_makes_no_difference() {
    let mut counted = 0;
    for (model, text) in [
        ("fast", "hi"),
        ("fast-alias", "[[sim:say=hello there]]"),
        ("pair", "hi"),
        ("seen", "hi"),
        ("hidden", "hi"),
        ("embed", "hi"),
        ("down", "hi"),
        ("fast", "[[sim:error=500]]"),
        ("fast", "[[sim:error=401]]"),
        ("fast", "[[sim:error=429]]"),
        ("fast", "[[sim:usage=none]]hi"),
        ("fast", "[[sim:usage=1000000000]]hi"),
        ("fast", "[[sim:cut=2]]hi"),
    ] {
        for stream in [false, true] {
            let open = open(|facts| {
                limit(facts, "tpm", Bound::Tokens(100_000, Period::Sliding(Duration(60_000_000))))
            })
            .await;
            let more = if stream { r#","stream":true"# } else { "" };
            let rest = open.post("/v1/chat/completions", &asking(model, text, more)).await;
            let mut client = client(&open).await;
            let status = if stream {
                match client.chat_stream(with_key(chat(model, text))).await {
                    Ok(response) => {
                        let mut stream = response.into_inner();
                        loop {
                            match stream.message().await {
                                Ok(Some(_)) => {}
                                Ok(None) => break None,
                                Err(status) => break Some(status),
                            }
                        }
                    }
                    Err(status) => Some(status),
                }
            } else {
                client.chat(with_key(chat(model, text))).await.err()
            };
            let [one, two] = open.house.records();
            let refused = matches!(one.outcome, Outcome::Refused | Outcome::Failed);
            if refused {
                assert_eq!(
                    rest.code(),
                    Refusal::of_status(status.as_ref().unwrap()).code.as_str(),
                    "{model} {text}"
                );
            }
            assert_eq!(status.is_some(), one.outcome != Outcome::Answered, "{model} {text} {stream}");
            assert_eq!(essence(one), essence(two), "{model} {text} {stream}");
            counted += 1;
        }
    }
    assert_eq!(counted, 26);
}
