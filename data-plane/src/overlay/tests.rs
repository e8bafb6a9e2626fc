use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use policy_engine::vocabulary::{Id, Instant, Name};
use proto::sync::{Kill, KillSet, RevocationSet, Scope};

use super::*;

fn scope(geo: &str) -> Option<Scope> {
    Some(Scope { geo: geo.to_owned(), node_class: String::new() })
}

/// Revocations of these keys.
pub(crate) fn revoked(place: (i64, u64), base_revision: i64, keys: &[&str]) -> RevocationSet {
    let keys = keys.iter().map(|key| hashed(key).to_vec()).collect();
    RevocationSet { epoch: place.0, seq: place.1, scope: scope("eu"), base_revision, keys }
}

/// One kill.
pub(crate) fn kill(target: &str, name: &str, mode: &str) -> Kill {
    let (target, name, mode) = (target.to_owned(), name.to_owned(), mode.to_owned());
    Kill { id: format!("no-{target}"), target, name, mode, ..Kill::default() }
}

/// A set of kills.
pub(crate) fn kills(place: (i64, u64), kills: Vec<Kill>) -> KillSet {
    KillSet { epoch: place.0, seq: place.1, scope: scope("eu"), kills }
}

pub(super) fn overlay(statements: Statements) -> Arc<Overlay> {
    Arc::new(Overlay::new("eu".parse().unwrap(), statements))
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(super) const NOW: Instant = Instant(1_000_000);

#[test]
fn within_an_epoch_only_what_is_newer_is_taken_over() {
    let overlay = overlay(Statements::nowhere());
    assert!(overlay.revoke(&revoked((1, 5), 0, &["a"])).is_now());
    for (old, taken) in [((1, 5), Taken::Known), ((1, 4), Taken::Older), ((0, 9), Taken::Older)] {
        assert_eq!(overlay.revoke(&revoked(old, 0, &["b"])), taken, "{old:?}");
    }
    assert!(overlay.revokes("a") && !overlay.revokes("b"));
    assert_eq!(overlay.revocation_seq(), 5);

    assert!(overlay.kill(&kills((1, 2), vec![kill("everything", "", "deny")])).is_now());
    assert_eq!(overlay.kill(&kills((1, 2), vec![])), Taken::Known);
    assert_eq!(overlay.kill(&kills((1, 1), vec![])), Taken::Older);
    assert_eq!((overlay.kill_seq(), overlay.kills_active(NOW)), (2, 1));
    assert!(overlay.kill(&kills((1, 3), vec![])).is_now(), "what is lifted is missing");
    assert_eq!((overlay.kill_seq(), overlay.kills_active(NOW)), (3, 0));
}

#[test]
fn what_a_statement_leaves_out_as_known_is_still_revoked_here() {
    let overlay = overlay(Statements::nowhere());
    overlay.revoke(&revoked((1, 5), 0, &["a", "b"]));
    overlay.revoke(&revoked((1, 6), 5, &["c"]));
    assert!(["a", "b", "c"].iter().all(|key| overlay.revokes(key)));
    overlay.revoke(&revoked((1, 7), 0, &["c"]));
    assert!(overlay.revokes("c") && !overlay.revokes("a"), "a whole statement is the whole");
}

#[test]
fn another_geos_statement_changes_nothing() {
    let overlay = overlay(Statements::nowhere());
    let elsewhere = RevocationSet { scope: scope("us"), ..revoked((1, 1), 0, &["a"]) };
    assert_eq!(overlay.revoke(&elsewhere), Taken::Elsewhere);
    let elsewhere = KillSet { scope: None, ..kills((1, 1), vec![kill("everything", "", "deny")]) };
    assert_eq!(overlay.kill(&elsewhere), Taken::Elsewhere);
    assert!(!overlay.revokes("a") && overlay.kills_active(NOW) == 0);
}

#[test]
fn a_kill_hits_its_target_alone_and_by_its_mode() {
    let (own, platform) = (Id::of(name("acme"), name("m")), Id::platform(name("m")));
    let (acme, rival) = (name("acme"), name("rival"));
    let all = |tenant: &'static str| match tenant {
        "acme" => &acme,
        _ => &rival,
    };
    let subject = |tenant: &'static str, model| Subject {
        tenant: Some(all(tenant)),
        model: Some(model),
        endpoint: Some(&platform),
        provider: Some(&platform),
        ..Subject::default()
    };
    let on = subject("acme", &platform);
    for (target, name, hits, misses) in [
        ("everything", "", Some(on), None),
        ("geo", "eu", Some(on), None),
        ("geo", "us", None, Some(on)),
        ("tenant", "tenants/acme", Some(on), Some(subject("rival", &platform))),
        ("model", "models/m", Some(on), Some(subject("acme", &own))),
        ("model", "tenants/acme/models/m", Some(subject("acme", &own)), Some(on)),
        ("provider", "providers/m", Some(on), Some(Subject { provider: Some(&own), ..on })),
        ("endpoint", "endpoints/m", Some(on), Some(Subject { endpoint: Some(&own), ..on })),
        ("endpoint", "endpoints/x", None, Some(on)),
        ("endpoint", "models/m", Some(on), None),
        ("nonsense", "models/x", Some(on), None),
    ] {
        for (mode, stages) in [
            ("deny", [true, true, true]),
            ("drain", [true, false, true]),
            ("read_only", [true, false, false]),
            ("unheard-of", [true, true, true]),
        ] {
            let overlay = overlay(Statements::nowhere());
            overlay.kill(&kills((1, 1), vec![kill(target, name, mode)]));
            for (stage, forbidden) in [Stage::Begin, Stage::GoOn, Stage::Look].into_iter().zip(stages) {
                let hit = |subject: &Subject<'_>| overlay.kills(subject, stage, NOW).is_some();
                assert_eq!(
                    hits.is_some_and(|s| hit(&s)),
                    hits.is_some() && forbidden,
                    "{target} {name} {mode} {stage:?}"
                );
                assert!(!misses.is_some_and(|s| hit(&s)), "{target} {name} {mode} {stage:?}");
            }
        }
    }
}

#[test]
fn a_kill_ends_by_the_nodes_clock_and_the_strictest_of_several_counts() {
    let overlay = overlay(Statements::nowhere());
    let ends = proto::convert::timestamp(Instant(NOW.0 + 1));
    let deny = Kill { expires_at: Some(ends), ..kill("everything", "", "deny") };
    overlay.kill(&kills((1, 1), vec![kill("everything", "", "read_only"), deny]));
    let look = |at: i64| overlay.kills(&Subject::default(), Stage::Look, Instant(at)).is_some();
    assert!(look(NOW.0) && !look(NOW.0 + 1));
    assert_eq!((overlay.kills_active(NOW), overlay.kills_active(Instant(NOW.0 + 1))), (2, 1));
    let met = overlay.kills(&Subject::default(), Stage::Begin, NOW).unwrap();
    assert_eq!(met.ends, Some(Instant(NOW.0 + 1)));
}

/// Takes a statement's bytes for its body, unless its first byte says that it was changed.
pub(super) fn verify(_: Said, statement: Bytes) -> Result<Bytes, String> {
    match statement.first() {
        Some(b'!') => Ok(statement.slice(1..)),
        _ => Err("it does not verify".to_owned()),
    }
}

pub(super) fn kept(message: &impl prost::Message) -> Vec<u8> {
    [b"!".to_vec(), message.encode_to_vec()].concat()
}

#[test]
fn a_restart_lifts_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let statements = Statements::at(&dir.path().join("policy"));
    assert_eq!(statements.kept(Said::Kills).unwrap(), None);
    let set = kills((1, 4), vec![kill("model", "models/m", "deny")]);
    statements.keep(Said::Kills, b"!older", Trace::AsItWas).unwrap();
    statements.keep(Said::Kills, &kept(&set), Trace::AsItWas).unwrap();
    statements.keep(Said::Revocations, &kept(&revoked((1, 9), 0, &["a"])), Trace::AsItWas).unwrap();
    let again = overlay(statements);
    again.restore(verify);
    assert!(again.revokes("a") && !again.is_unknown());
    assert_eq!((again.revocation_seq(), again.kill_seq(), again.kills_active(NOW)), (9, 4, 1));
    assert_eq!(again.kill(&kills((1, 3), vec![])), Taken::Older, "what is older does not lift it");
}

#[test]
fn a_file_that_was_changed_is_not_taken_for_an_empty_one() {
    let dir = tempfile::tempdir().unwrap();
    let statements = Statements::at(dir.path());
    let foreign = KillSet { scope: scope("us"), ..kills((1, 4), vec![]) };
    for broken in [b"?changed".to_vec(), b"!\xff\xff".to_vec(), kept(&foreign), vec![]] {
        statements.keep(Said::Kills, &broken, Trace::AsItWas).unwrap();
        let overlay = overlay(statements.clone());
        overlay.restore(verify);
        assert!(overlay.is_unknown(), "{broken:?}");
        assert_eq!(overlay.kill_seq(), 0, "so that it is sent again");
        overlay.heard(3, 5);
        assert!(overlay.is_unknown(), "what the newest kills are is not known yet");
        assert!(overlay.kill(&kills((1, 5), vec![])).is_now());
        assert!(!overlay.is_unknown());
    }
    let overlay = overlay(statements.clone());
    overlay.restore(verify);
    overlay.heard(3, 0);
    assert!(!overlay.is_unknown(), "nothing was ever switched off");
    let large = vec![b'!'; usize::try_from(9 << 20).unwrap()];
    statements.keep(Said::Revocations, &large, Trace::AsItWas).unwrap();
    assert!(statements.kept(Said::Revocations).is_err());
}

#[test]
fn case_03_what_is_no_file_in_place_of_one_is_not_taken_for_none() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("kills");
    let statements = Statements::at(dir.path());
    let places: [fn(&std::path::Path); 3] = [
        |path| std::os::unix::fs::symlink("nowhere", path).unwrap(),
        |path| assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success()),
        |path| drop(std::os::unix::net::UnixListener::bind(path).unwrap()),
    ];
    for place in places {
        place(&path);
        let overlay = overlay(statements.clone());
        overlay.restore(verify);
        assert!(overlay.is_unknown());
        std::fs::remove_file(&path).unwrap();
    }
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A look while nothing comes.
fn wait(overlay: &Overlay, watch: &mut Watch, cx: &Context<'_>, subject: &Subject<'_>) -> Option<Cut> {
    watch.sit(overlay, cx);
    watch.look(overlay, subject, || NOW)
}

#[test]
fn who_waits_is_woken_by_each_change_and_ended_by_the_one_that_hits_it() {
    let overlay = overlay(Statements::nowhere());
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(woken.clone());
    let cx = Context::from_waker(&waker);
    let mut watch = Watch::from_now(&overlay);
    let subject = Subject { key: Some("a"), ..Subject::default() };
    assert_eq!(wait(&overlay, &mut watch, &cx, &subject), None);
    overlay.revoke(&revoked((1, 1), 0, &["b"]));
    assert_eq!(woken.0.load(Ordering::SeqCst), 1);
    assert_eq!(wait(&overlay, &mut watch, &cx, &subject), None);
    assert!(watch.is_stale(&overlay));
    let mut later = watch.hand_over();
    watch.leave(&overlay);
    assert_eq!(overlay.seats.taken(), 1, "the seat goes with the request");
    overlay.revoke(&revoked((1, 2), 0, &["a", "b"]));
    assert_eq!(woken.0.load(Ordering::SeqCst), 2);
    assert_eq!(wait(&overlay, &mut later, &cx, &subject), Some(Cut::Revoked));
    assert_eq!(overlay.cut(), [1, 0]);
    later.leave(&overlay);
    assert_eq!(overlay.seats.taken(), 0);
}

#[test]
fn who_moves_to_another_task_is_woken_there() {
    let overlay = overlay(Statements::nowhere());
    let tasks = [(); 2].map(|()| Arc::new(Woken::default()));
    let mut watch = Watch::from_now(&overlay);
    for task in &tasks {
        let waker = Waker::from(task.clone());
        wait(&overlay, &mut watch, &Context::from_waker(&waker), &Subject::default());
    }
    overlay.revoke(&revoked((1, 1), 0, &["b"]));
    assert_eq!(tasks.each_ref().map(|task| task.0.load(Ordering::SeqCst)), [0, 1]);
    assert_eq!(overlay.seats.taken(), 1);
    watch.leave(&overlay);
}

/// Between a look and a seat nothing is missed: whoever begins to wait while something changes is ended by it, one way or the other.
#[test]
fn no_change_is_missed_by_who_begins_to_wait() {
    for _ in 0..200 {
        let overlay = overlay(Statements::nowhere());
        let ended = std::thread::scope(|threads| {
            let waits = threads.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
                let mut watch = Watch::from_now(&overlay);
                if overlay.revokes("a") {
                    return true;
                }
                let subject = Subject { key: Some("a"), ..Subject::default() };
                let cut = std::future::poll_fn(|cx| match wait(&overlay, &mut watch, cx, &subject) {
                    Some(cut) => Poll::Ready(cut),
                    None => Poll::Pending,
                });
                let limit = std::time::Duration::from_secs(10);
                let ended = runtime.block_on(async { tokio::time::timeout(limit, cut).await });
                watch.leave(&overlay);
                ended == Ok(Cut::Revoked)
            });
            overlay.revoke(&revoked((1, 1), 0, &["a"]));
            waits.join().unwrap()
        });
        assert!(ended);
    }
}

/// What a request pays: told by `cargo test -- --nocapture`, and bounded far above what it is, for machines differ.
#[test]
fn a_look_and_a_seat_cost_little() {
    const TIMES: u32 = 100_000;
    let empty = overlay(Statements::nowhere());
    let full = overlay(Statements::nowhere());
    full.revoke(&revoked((1, 1), 0, &["x"]));
    full.kill(&kills((1, 1), vec![kill("model", "models/m", "deny")]));
    let (m, t, key) = (Id::platform(name("other")), name("acme"), "0123456789abcdef0123");
    let subject = Subject { key: Some(key), tenant: Some(&t), model: Some(&m), ..Subject::default() };
    let waker = Waker::from(Arc::new(Woken::default()));
    let cx = Context::from_waker(&waker);
    let time = |what: &str, work: &mut dyn FnMut()| {
        let began = std::time::Instant::now();
        (0..TIMES).for_each(|_| work());
        let each = began.elapsed() / TIMES;
        println!("{what}: {each:?}");
        assert!(each < std::time::Duration::from_micros(50), "{what}: {each:?}");
    };
    for (state, overlay) in [("empty", &empty), ("not empty", &full)] {
        time(&format!("key, {state}"), &mut || assert!(!overlay.revokes(key)));
        time(&format!("kills, {state}"), &mut || {
            assert!(overlay.kills(&subject, Stage::Begin, NOW).is_none());
        });
        time(&format!("a request's seat, {state}"), &mut || {
            let mut watch = Watch::from_now(overlay);
            assert!(wait(overlay, &mut watch, &cx, &subject).is_none());
            watch.leave(overlay);
        });
    }
    let mut watch = Watch::from_now(&full);
    time("an event", &mut || assert!(wait(&full, &mut watch, &cx, &subject).is_none()));
    watch.leave(&full);
}
