//! Rights over restarts, over a store that takes nothing, and for who is no more allowed any.

use proto::admin::AuditEvent;

use super::*;
use crate::actor::Scope;
use crate::publish::tests::{fixture, opened};
use crate::store::Page;

const LONG: Duration = Duration::from_secs(600);

fn eve() -> Actor {
    Actor::Auditor { name: "eve".to_owned(), scope: Scope::default() }
}

fn allowed() -> BreakGlassConfig {
    BreakGlassConfig { who: vec!["platform/eve".to_owned()], ..BreakGlassConfig::default() }
}

async fn taken(elevations: &Elevations, length: Duration) -> Result<Elevation, ChangeError> {
    let act = Act { actor: eve().name(), ..Act::default() };
    let spec = ElevationSpec { reason: "x".to_owned(), ..ElevationSpec::default() };
    elevations.take(&eve(), (act, spec), length).await
}

/// The newest event, once it is of this call.
async fn event(publisher: &Publisher, action: &str) -> AuditEvent {
    let look = async {
        loop {
            let newest = publisher.store().events(Page { before: None, size: 1 }).await.unwrap();
            let found = newest.first().map(|logged| AuditEvent::decode(logged.body.as_slice()).unwrap());
            if let Some(event) = found.filter(|event| event.action == action) {
                return event;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), look).await.expect(action)
}

#[tokio::test]
async fn what_was_taken_is_had_over_a_restart_and_by_who_may_still() {
    let fixture = fixture().await;
    let elevations = Elevations::open(&fixture.publisher, &allowed()).await.unwrap();
    let made = taken(&elevations, LONG).await.unwrap();
    assert!(matches!(taken(&elevations, LONG).await, Err(ChangeError::Refused(_))), "one at a time");
    let (raised, until) = elevations.raised(eve());
    assert_eq!((raised.elevation(), raised.name().as_str()), (made.name.as_str(), "platform/eve"));
    assert_eq!(until, made.expire_time.as_ref().map(clock::micros));
    let other = Actor::Auditor { name: "mallory".to_owned(), scope: Scope::default() };
    assert_eq!(elevations.raised(other.clone()).0, other);
    drop((elevations, fixture.publisher));

    let publisher = opened(fixture.dir.path()).await.unwrap();
    let again = Elevations::open(&publisher, &allowed()).await.unwrap();
    assert_eq!(again.raised(eve()).0.elevation(), made.name);
    let nobody = Elevations::open(&publisher, &BreakGlassConfig::default()).await.unwrap();
    assert_eq!(nobody.raised(eve()).0, eve(), "who may no more has them no more");
    let ended = again.end(Act { actor: "platform/root".to_owned(), ..Act::default() }, 1).await.unwrap();
    assert_eq!((ended.state.as_str(), ended.ender.as_str()), ("ended", "platform/root"));
    assert_eq!(again.raised(eve()).0, eve());
    assert!(matches!(again.end(Act::default(), 1).await, Err(ChangeError::Refused(_))));
    assert!(matches!(again.end(Act::default(), 7).await, Err(ChangeError::Refused(_))));
}

#[tokio::test]
async fn what_ended_while_nothing_ran_ends_at_the_start() {
    let fixture = fixture().await;
    let elevations = Elevations::open(&fixture.publisher, &allowed()).await.unwrap();
    taken(&elevations, Duration::from_micros(1)).await.unwrap();
    assert_eq!(elevations.raised(eve()).0, eve());
    drop((elevations, fixture.publisher));
    let publisher = opened(fixture.dir.path()).await.unwrap();
    let again = Elevations::open(&publisher, &allowed()).await.unwrap();
    let stop = CancellationToken::new();
    let running = tokio::spawn(again.run(stop.clone()));
    let over = event(&publisher, EXPIRED).await;
    assert_eq!((over.actor.as_str(), over.elevation.as_str()), ("system", "elevations/1"));
    stop.cancel();
    running.await.unwrap();
    let kept = shown(&publisher.store().elevation(1).await.unwrap().unwrap()).unwrap();
    assert_eq!((kept.state.as_str(), kept.ender.as_str()), ("expired", "system"));
    assert_eq!(publisher.metrics().elevations.get(), 0);
}

#[tokio::test]
async fn rights_end_though_nothing_can_be_written_and_the_event_comes_when_it_can() {
    let fixture = fixture().await;
    let elevations = Elevations::open(&fixture.publisher, &allowed()).await.unwrap();
    let stop = CancellationToken::new();
    let running = tokio::spawn(elevations.clone().run(stop.clone()));
    let made = taken(&elevations, Duration::from_millis(100)).await.unwrap();
    fixture.publisher.store().pragma("PRAGMA query_only = 1").await.unwrap();
    while elevations.raised(eve()).0 != eve() {
        tokio::task::yield_now().await;
    }
    assert!(taken(&elevations, LONG).await.is_err(), "what can't be logged is not given");
    assert_eq!(elevations.raised(eve()).0, eve());
    fixture.publisher.store().pragma("PRAGMA query_only = 0").await.unwrap();
    assert_eq!(event(&fixture.publisher, EXPIRED).await.elevation, made.name);
    stop.cancel();
    running.await.unwrap();
}

#[test]
fn a_length_is_told_as_it_is_configured() {
    for (seconds, told) in [(3600, "`1h`"), (5400, "`90m`"), (61, "`61s`")] {
        assert_eq!(spoken(Duration::from_secs(seconds)), told);
    }
    assert_eq!(spoken(Duration::from_millis(1500)), "`1500ms`");
}
