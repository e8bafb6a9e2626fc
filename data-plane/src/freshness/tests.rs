use std::sync::Arc;

use policy_engine::facts::Facts;
use policy_engine::vocabulary::{Duration as Length, Operation};

use super::*;
use crate::house::world::{self, platform};
use crate::house::{House, KEY, NOW, asking, bearer, refused, whole};
use crate::pipeline;
use crate::record::Door;

/// A node's clocks, so many seconds after it began.
pub(crate) fn at(seconds: i64) -> Reading {
    Reading { since: seconds * SECOND, wall: NOW + seconds * SECOND }
}

impl Freshness {
    /// Makes everything that was heard so much older, as if that time had passed.
    pub(crate) fn pass(&self, seconds: i64) {
        let mut known = self.known.lock();
        let Known { policy, revocations, .. } = &mut *known;
        [policy, revocations].into_iter().flatten().for_each(|at| *at -= seconds * SECOND);
        drop(known);
        self.look(self.reading());
    }
}

/// What a process finds that begins in a directory where the latest time that had come was written down, since the Unix epoch.
pub(crate) fn written(directory: &Path, latest: Duration) -> Freshness {
    let latest = i64::try_from(latest.as_micros()).unwrap();
    Kept::at(directory).write(Words { heard: latest, now: latest });
    Freshness::open(directory, AtMost::default())
}

const MINUTE: Length = Length(60 * SECOND);

/// The usual world, whose tenant says for how long it may be served.
pub(crate) fn says(staleness: Staleness) -> Facts {
    let mut facts = world::facts();
    let tenant = facts.tenants.get_mut(&platform("acme")).unwrap();
    Arc::make_mut(tenant).staleness = staleness;
    facts
}

fn spans(staleness: Staleness) -> Spans {
    let header = policy_engine::snapshot::Header { revision: 1, geo: None };
    Spans::of(&policy_engine::compile(&says(staleness), header).unwrap())
}

#[test]
fn each_class_is_soft_at_its_time_and_hard_as_the_strictest_tenant_says() {
    let freshness = Freshness::new(AtMost::default());
    freshness.heard(at(0), None, true);
    let usual = spans(Staleness::default());
    let levels = |seconds| Class::ALL.map(|class| freshness.level(class, &usual, at(seconds)));
    use Level::{Fresh, Hard, Soft};
    for (seconds, expected) in [
        (9, [Fresh, Fresh, Fresh, Fresh]),
        (10, [Fresh, Fresh, Soft, Fresh]),
        (30, [Fresh, Soft, Soft, Fresh]),
        (60, [Soft, Soft, Soft, Soft]),
        (3599, [Soft, Soft, Soft, Soft]),
        (3600, [Soft, Soft, Soft, Hard]),
        (86_400, [Soft, Hard, Hard, Hard]),
        (i64::from(u32::MAX) - 1, [Soft, Hard, Hard, Hard]),
    ] {
        assert_eq!(levels(seconds), expected, "after {seconds} s");
    }
    let strict = spans(Staleness { strict_revocation: true, ..Staleness::default() });
    assert_eq!(freshness.level(Class::Revocations, &strict, at(119)), Soft);
    assert_eq!(freshness.level(Class::Revocations, &strict, at(120)), Hard);
    // Heartbeats that tell of revocations this node lacks do not confirm those.
    freshness.heard(at(200), None, false);
    assert_eq!(freshness.level(Class::Keys, &strict, at(200)), Fresh);
    assert_eq!(freshness.level(Class::Revocations, &strict, at(200)), Hard);
    assert_eq!(freshness.age(), 200);
    assert!(!freshness.trusts_keys(&strict, None));
}

#[test]
fn a_node_may_be_stricter_than_its_tenants_and_never_less_strict() {
    let week =
        Staleness { keys: Some(Staleness::MOST), rules: Some(Staleness::MOST), ..Staleness::default() };
    let of_week = spans(week);
    for (at_most, seconds, trusted) in [
        (AtMost::default(), 604_799, true),
        (AtMost::default(), 604_800, false),
        (AtMost { keys: 100, ..AtMost::default() }, 99, true),
        (AtMost { keys: 100, ..AtMost::default() }, 100, false),
    ] {
        let freshness = Freshness::new(at_most);
        freshness.heard(at(0), None, true);
        freshness.look(at(seconds));
        assert_eq!(freshness.trusts_keys(&of_week, Some(&week)), trusted, "{at_most:?} {seconds}");
        assert_eq!(freshness.serves_nobody(&of_week), !trusted);
    }
    let lax = Freshness::new(AtMost { keys: 604_800, rules: 50 });
    lax.heard(at(0), None, true);
    lax.look(at(50));
    assert!(lax.trusts_keys(&of_week, Some(&week)));
    assert!(!lax.trusts_rules(&of_week, &week, std::iter::empty()));
}

#[test]
fn a_restart_makes_nothing_fresh_whatever_the_clock_was_set_to() {
    let home = tempfile::tempdir().unwrap();
    let open = || Freshness::open(home.path(), AtMost::default());
    let now = open().reading().wall;
    assert_eq!(open().age(), u32::MAX, "nothing was ever heard");

    let kept = Kept::at(home.path());
    let hours = |n: i64| n * 3600 * SECOND;
    kept.write(Words { heard: now - hours(2), now: now - hours(1) });
    assert!((7200..7300).contains(&open().age()), "{}", open().age());

    // The clock was set back by a day: what was written is the later.
    kept.write(Words { heard: now + hours(22), now: now + hours(24) });
    let back = open();
    assert!((7200..7300).contains(&back.age()), "{}", back.age());
    assert!(back.is_astray());
    assert_eq!(back.not_before(Instant(now)), Instant(now + hours(24)).max(back.not_before(Instant(0))));
    // The control plane's clock settles it.
    let reading = back.reading();
    back.heard(reading, Some(Instant(reading.wall)), true);
    assert!(!back.is_astray() && back.age() == 0);
    assert_eq!(back.not_before(Instant(reading.wall)), Instant(reading.wall));

    // What can't be read is as old as the policy beside it.
    std::fs::write(home.path().join("heard"), b"yesterday").unwrap();
    assert_eq!(open().age(), u32::MAX);
    let policy = std::fs::File::create(home.path().join("policy.current")).unwrap();
    policy.set_modified(SystemTime::now() - Duration::from_secs(500)).unwrap();
    assert!((500..600).contains(&open().age()), "{}", open().age());
}

#[test]
fn what_was_heard_is_written_down_now_and_then_and_read_back() {
    let home = tempfile::tempdir().unwrap();
    let freshness = Freshness::new(AtMost::default());
    assert_eq!(freshness.words(at(0)), None, "nothing was heard");
    freshness.heard(at(1), Some(Instant(NOW)), true);
    let words = freshness.words(at(1)).unwrap();
    assert_eq!(words, Words { heard: NOW, now: NOW });
    freshness.look(at(5));
    assert_eq!(freshness.words(at(5)), None);
    freshness.look(at(6));
    let later = freshness.words(at(6)).unwrap();
    assert_eq!(later, Words { heard: NOW, now: NOW + 5 * SECOND }, "it goes on while nothing is heard");
    let kept = Kept::at(home.path());
    kept.write(later);
    assert_eq!(kept.read(), Some(later));
}

#[test]
fn case_100_a_clock_that_jumps_is_an_alarm_and_makes_nothing_good_again() {
    let freshness = Freshness::new(AtMost::default());
    freshness.heard(at(0), Some(Instant(NOW)), true);
    let jumped = |seconds: i64, by: i64| Reading { wall: at(seconds).wall + by * SECOND, ..at(seconds) };
    for (by, astray) in
        [(0, false), (60, false), (61, true), (30, false), (-61, true), (-3600, true), (0, false)]
    {
        let reading = jumped(10, by);
        freshness.look(reading);
        assert_eq!(freshness.is_astray(), astray, "{by}");
        let expected = NOW + 10 * SECOND + by.max(0) * SECOND;
        assert_eq!(freshness.not_before(Instant(reading.wall)), Instant(expected), "{by}");
    }
    assert_eq!(freshness.age(), 10, "ages are the monotonic clock's");
}

async fn chat(house: &House, key: &str, class: &'static str) -> Result<(), (&'static str, u16, Option<u64>)> {
    let mut headers = bearer(key);
    headers.insert("x-chancery-data-class", http::HeaderValue::from_static(class));
    let received = house.request((Door::OpenAi, Operation::Chat), &headers, &asking("fast", "hi", ""));
    let reply = pipeline::serve(&house.node, received).await;
    match &reply.body {
        Ok(_) => {
            whole(reply);
            Ok(())
        }
        Err(rejection) => {
            let wait = rejection.retry_after();
            let (code, status, _) = refused(reply);
            Err((code, status, wait))
        }
    }
}

#[tokio::test]
async fn case_17_what_is_too_old_is_a_503_and_never_a_401_until_it_is_confirmed() {
    let house = House::new(|facts| *facts = says(Staleness { keys: Some(MINUTE), ..Staleness::default() }));
    let freshness = &house.node.freshness;
    let stale = Err(("auth_stale", 503, Some(5)));
    freshness.heard(at(0), None, true);
    freshness.look(at(59));
    assert_eq!(chat(&house, KEY, "").await, Ok(()));
    assert_eq!(chat(&house, "chy_new_key", "").await, Err(("invalid_api_key", 401, None)));
    freshness.look(at(60));
    assert_eq!(chat(&house, KEY, "").await, stale);
    assert_eq!(chat(&house, "chy_new_key", "").await, stale, "it may have been made since");
    assert_eq!(chat(&house, "chy_demo_wrong", "").await, stale, "told like one that is not known");
    assert_eq!(
        chat(&house, "chy_lost_lost", "").await,
        Err(("key_revoked", 401, None)),
        "that does not grow old"
    );
    freshness.heard(at(61), None, true);
    assert_eq!(chat(&house, KEY, "").await, Ok(()));
    let [first, _, refused, ..] = house.records::<7>();
    assert_eq!(first.code, None);
    assert_eq!((refused.code, refused.owner.unwrap().tenant.as_str()), (Some("auth_stale"), "acme"));
    house.close();
}

#[tokio::test]
async fn rules_that_are_too_old_refuse_what_they_would_judge_and_restricted_data_first() {
    let week = Staleness { keys: Some(Staleness::MOST), ..Staleness::default() };
    let house = House::new(|facts| *facts = says(week));
    let freshness = &house.node.freshness;
    let stale = Err(("rules_stale", 503, Some(5)));
    freshness.heard(at(0), None, true);
    for (seconds, open, restricted) in
        [(3599, Ok(()), Ok(())), (3600, Ok(()), stale), (86_399, Ok(()), stale), (86_400, stale, stale)]
    {
        freshness.look(at(seconds));
        assert_eq!(chat(&house, KEY, "public").await, open, "{seconds}");
        assert_eq!(chat(&house, KEY, "public, Restricted").await, restricted, "{seconds}");
    }
    freshness.heard(at(86_401), None, true);
    assert_eq!(chat(&house, KEY, "restricted").await, Ok(()));
    house.close();
}

#[tokio::test]
async fn a_tenant_that_is_strict_is_refused_and_another_is_served() {
    let strict = Staleness { strict_revocation: true, ..Staleness::default() };
    let house = House::new(|facts| *facts = says(strict));
    let other = spans(Staleness::default());
    let freshness = &house.node.freshness;
    freshness.heard(at(0), None, true);
    freshness.look(at(120));
    assert_eq!(chat(&house, KEY, "").await, Err(("auth_stale", 503, Some(5))));
    assert!(freshness.trusts_keys(&other, Some(&Staleness::default())));
    house.close();
}

#[tokio::test]
async fn a_key_that_ended_is_not_good_again_by_a_clock_that_was_set_back() {
    let house = House::new(|facts| {
        let key = facts.keys.get_mut(&world::name("demo")).unwrap();
        Arc::make_mut(key).expires = Some(Instant(NOW + 100 * SECOND));
    });
    house.node.freshness.heard(at(0), Some(Instant(NOW)), true);
    assert_eq!(chat(&house, KEY, "").await, Ok(()));
    house.node.freshness.look(Reading { wall: NOW, ..at(101) });
    assert_eq!(chat(&house, KEY, "").await, Err(("key_expired", 401, None)));
    house.close();
}
