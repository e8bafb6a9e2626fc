//! A tenant that demands a record is told nothing whole before it is on the disk.

use std::sync::{Arc, mpsc};

use futures_util::StreamExt as _;
use policy_engine::vocabulary::Operation;

use crate::house::{House, KEY, asking, bearer, refused, whole};
use crate::pipeline::{self, Body};
use crate::record::outbox::Settings;
use crate::record::{Door, Outcome};

const DOORS: [Door; 2] = [Door::OpenAi, Door::Grpc];
const STREAM: &str = r#","stream":true"#;

fn audited() -> House {
    House::with(Settings::default(), |facts| {
        let tenant = facts.tenants.values_mut().next().unwrap();
        Arc::make_mut(tenant).must_audit = true;
    })
}

/// The text of a stream, and the code of the error it ended with.
async fn streamed(house: &House, door: Door, text: &str) -> (String, Option<&'static str>) {
    let received = house.request((door, Operation::Chat), &bearer(KEY), &asking("fast", text, STREAM));
    let Ok(Body::Stream(mut stream)) = pipeline::serve(&house.node, received).await.body else {
        panic!("no stream")
    };
    let mut told = String::new();
    while let Some(frame) = stream.next().await {
        match frame {
            Ok(bytes) => told.push_str(std::str::from_utf8(&bytes).unwrap()),
            Err(rejection) => {
                assert!(rejection.refusal.request_id.is_some());
                return (told, Some(rejection.code().as_str()));
            }
        }
    }
    (told, None)
}

#[tokio::test]
async fn what_has_ended_is_on_the_disk() {
    let house = audited();
    for (number, door) in (0..).zip(DOORS) {
        let before = number * 3;
        let received = house.request((door, Operation::Chat), &bearer(KEY), &asking("fast", "hi", ""));
        whole(pipeline::serve(&house.node, received).await);
        assert_eq!(house.written.lock().len(), before + 1);
        let (told, end) = streamed(&house, door, "one two three").await;
        assert!(end.is_none() && told.ends_with("data: [DONE]\n\n"), "{told}");
        assert_eq!(house.written.lock().len(), before + 2);
        let received = house.request((door, Operation::Chat), &bearer(KEY), &asking("seen", "hi", ""));
        assert_eq!(refused(pipeline::serve(&house.node, received).await).0, "not_entitled");
        assert_eq!(house.written.lock().len(), before + 3, "a refusal is a decision too");
    }
    house.close();
}

#[tokio::test(start_paused = true)]
async fn where_the_disk_takes_nothing_the_answer_does_not_end_well() {
    let house = audited();
    let (written, (held, is_held), (free, freed)) =
        (house.written.clone(), mpsc::channel(), mpsc::channel::<()>());
    let disk = std::thread::spawn(move || {
        let _nothing_is_written = written.lock();
        held.send(()).unwrap();
        freed.recv().unwrap();
    });
    is_held.recv().unwrap();
    let (code, status, _) = refused(house.chat(&asking("fast", "hi", "")).await);
    assert_eq!((code, status), ("audit_unavailable", 503));
    let (told, end) = streamed(&house, Door::OpenAi, "[[sim:say=one two three four]][[sim:chunk=4]]").await;
    assert_eq!(end, Some("audit_unavailable"));
    assert!(!told.contains("[DONE]") && !told.contains("finish_reason\":\"stop"), "{told}");
    free.send(()).unwrap();
    disk.join().unwrap();
    let records: [_; 2] = house.records();
    assert!(records.iter().all(|record| record.outcome == Outcome::Answered), "they are written late");
    house.close();
}
