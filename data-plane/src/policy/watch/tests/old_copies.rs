//! Files of long ago that are put back one by one.

use std::fs;

use proto::sync::KillSet;

use super::full_disk::{kills, revocations, status_of};
use super::*;
use crate::overlay::tests::kill;
use crate::overlay::{Said, Traced};

/// What a node's disk holds of these files.
fn copied(control: &ControlPlane, files: &[&str]) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let paths = files.iter().map(|file| control.home().join("policy").join(file));
    paths.map(|path| (path.clone(), fs::read(&path).unwrap())).collect()
}

fn put_back(files: &[(std::path::PathBuf, Vec<u8>)]) {
    files.iter().for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
}

/// A node that held these seqs in turn, and what its disk held after the first.
async fn held(
    control: &mut ControlPlane,
    say: fn(u64) -> Saying,
    file: &str,
) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let node = start(control);
    let mut session = enforcing(control, &node, 5).await;
    let mut old = Vec::new();
    for seq in [2, 9] {
        session.say(say(seq)).await;
        status_of(&mut session, |status| status.revocation_seq.max(status.kill_seq) == seq).await;
        let kept = |enforced: &Enforced| enforced.held(Said::Kills).max(enforced.held(Said::Revocations));
        let witnessed = async {
            while kept(&Enforced::open(&control.home().join("policy"), "build")) != (0, seq) {
                tokio::task::yield_now().await;
            }
        };
        soon(witnessed).await;
        if seq == 2 {
            old = copied(control, &[file]);
        }
    }
    old
}

#[tokio::test]
async fn case_04_an_older_file_of_what_was_denied_serves_nobody_until_the_control_plane_is_heard() {
    for (say, file) in [(kills as fn(u64) -> Saying, "kills"), (revocations, "revocations")] {
        let mut control = ControlPlane::start().await;
        let old = held(&mut control, say, file).await;
        let (mut again, node) = follower(&control);
        again.holder.restore().await;
        assert!(!node.place.overlay.is_unknown(), "{file}: it is what was held");
        put_back(&old);
        let removed = control.home().join("policy").join(file);
        for gone in [false, true] {
            if gone {
                fs::remove_file(&removed).unwrap();
            }
            let (mut again, node) = follower(&control);
            again.holder.restore().await;
            again.holder.ends();
            assert!(node.place.overlay.is_unknown(), "{file}, gone: {gone}");
            let hello = again.hello();
            assert_eq!(hello.revocation_seq.max(hello.kill_seq), 0, "so that it is sent again");
        }
        let node = start(&control);
        // The first node may still be there.
        let session = async {
            loop {
                let session = control.session().await;
                if session.hello.revocation_seq.max(session.hello.kill_seq) == 0 {
                    return session;
                }
            }
        };
        let mut session = soon(session).await;
        session.welcome(60_000).await;
        session.say(say(9)).await;
        status_of(&mut session, |status| status.revocation_seq.max(status.kill_seq) == 9).await;
        assert!(!node.place.overlay.is_unknown());
    }
}

#[tokio::test]
async fn case_04_an_older_policy_is_not_used_in_place_of_any_that_was_kept_later() {
    let control = ControlPlane::start().await;
    let files = ["policy.current", "policy.previous"];
    let mut old = Vec::new();
    {
        let (mut first, node) = follower(&control);
        first.holder.renew(secrets(&node.public_key, [7; 32])).await;
        for revision in 1..=6 {
            first.holder.apply(&sample(revision).offer()).await.unwrap();
            assert!(first.holder.persist(sample(revision).offer()).await);
            if revision == 3 {
                old = copied(&control, &files);
            }
        }
        first.holder.ends();
    }
    assert_eq!(restored(&control).await.unwrap().0, 6);
    put_back(&old[..1]);
    assert_eq!(restored(&control).await.unwrap().0, 5, "the one before what was kept, and no older one");
    assert_eq!(restored(&control).await.unwrap().0, 5, "the old copy never becomes the one before");
    put_back(&old);
    assert_eq!(restored(&control).await, None, "both are old copies");
    // Without the witness nothing tells them from what was there.
    put_back(&old);
    fs::remove_file(control.home().join("policy/enforced")).unwrap();
    assert_eq!(restored(&control).await.unwrap().0, 3);
}

/// Kills and revocations of an epoch, of a store that was restored and forgot what was denied, or not.
fn of_epoch(said: Said, epoch: i64, seq: u64) -> Saying {
    let scope = Some(Scope { geo: "eu".into(), node_class: String::new() });
    let denies = epoch == 1;
    match said {
        Said::Kills => {
            let kills = if denies { vec![kill("model", "models/m", "deny")] } else { Vec::new() };
            let set = KillSet { seq, epoch, scope, kills };
            Saying::Kills(super::said(Subject::Kills, set.encode_to_vec()))
        }
        Said::Revocations => {
            let keys = if denies { vec![hashed("demo").to_vec()] } else { Vec::new() };
            let set = RevocationSet { seq, epoch, scope, keys, ..RevocationSet::default() };
            Saying::Revocations(super::said(Subject::Revocations, set.encode_to_vec()))
        }
    }
}

/// The last statement of a file alone, made as long as all of them by a field that nobody knows.
fn padded(file: &[u8]) -> Vec<u8> {
    let (mut rest, mut statements) = (file, Vec::new());
    while !rest.is_empty() {
        let length = prost::decode_length_delimiter(&mut rest).unwrap();
        statements.push(rest.split_off(..length).unwrap());
    }
    let last = statements.pop().unwrap();
    let room: usize = statements.iter().map(|statement| statement.len()).sum();
    let value = room - 2 - prost::length_delimiter_len(room - 4);
    let mut field = vec![0xA2, 0x06];
    prost::encode_length_delimiter(value, &mut field).unwrap();
    field.resize(field.len() + value, 0);
    assert_eq!(field.len(), room);
    let mut padded = Vec::new();
    prost::encode_length_delimiter(last.len() + room, &mut padded).unwrap();
    padded.extend([last, &field].concat());
    padded
}

#[tokio::test]
async fn case_04_a_kept_policy_without_what_was_held_serves_nobody_until_the_control_plane_is_heard() {
    let mut control = ControlPlane::start().await;
    {
        let (mut first, node) = follower(&control);
        first.holder.renew(secrets(&node.public_key, [7; 32])).await;
        first.holder.apply(&sample(5).offer()).await.unwrap();
        assert!(first.holder.persist(sample(5).offer()).await);
        first.holder.ends();
    }
    let path = control.home().join("policy/enforced");
    let whole = fs::read_to_string(&path).unwrap();
    let lines = |held: bool| {
        let some = whole.lines().filter(|line| line.starts_with("held ") == held);
        some.map(|line| format!("{line}\n")).collect::<String>()
    };
    for (form, doubts) in [
        (Some(whole.clone()), false),
        // As a build left it that did not note what was held.
        (Some(lines(false)), false),
        (Some(lines(true)), true),
        (Some("rubbish".to_owned()), true),
        (Some(String::new()), true),
        (None, true),
    ] {
        match &form {
            Some(text) => fs::write(&path, text).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        // A start does not bring back what was held.
        for start in 1..=2 {
            let (mut again, node) = follower(&control);
            again.holder.restore().await;
            again.holder.ends();
            assert_eq!(node.state.applied().unwrap().revision, 5);
            assert_eq!(node.place.overlay.is_unknown(), doubts, "{form:?}, start {start}");
        }
    }
    let node = start(&control);
    let mut session = soon(control.session()).await;
    session.welcome(60_000).await;
    status_of(&mut session, |_| !node.place.overlay.is_unknown()).await;
    let known = async {
        while Enforced::open(&control.home().join("policy"), "build").memory() != Memory::Whole {
            tokio::task::yield_now().await;
        }
    };
    soon(known).await;
    let (mut again, node) = follower(&control);
    again.holder.restore().await;
    assert!(!node.place.overlay.is_unknown());
}

#[tokio::test]
async fn case_04_less_than_was_kept_of_earlier_epochs_serves_nobody_until_the_control_plane_is_heard() {
    for (said, file) in [(Said::Kills, "kills-earlier"), (Said::Revocations, "revocations-earlier")] {
        let mut control = ControlPlane::start().await;
        let path = control.home().join("policy").join(file);
        let mut old = Vec::new();
        {
            let node = start(&control);
            let mut session = enforcing(&mut control, &node, 5).await;
            for (epoch, seq) in [(1, 9), (2, 3), (3, 4)] {
                session.say(of_epoch(said, epoch, seq)).await;
                status_of(&mut session, |status| status.revocation_seq.max(status.kill_seq) == seq).await;
                let open = || Enforced::open(&control.home().join("policy"), "build");
                let witnessed = async {
                    // Both are there: what is held, and what is kept of earlier epochs.
                    let less = crate::overlay::Traced { place: (epoch, seq - 1), ..Traced::default() };
                    while open().held(said) != (epoch, seq) || (epoch > 1 && !open().traced_more(said, less))
                    {
                        tokio::task::yield_now().await;
                    }
                };
                soon(witnessed).await;
                if epoch == 2 {
                    old = fs::read(&path).unwrap();
                }
            }
        }
        let whole = fs::read(&path).unwrap();
        assert!(whole.starts_with(&old) && whole.len() > old.len());
        let boundary = (1..old.len()).find(|at| {
            let mut rest = &old[..*at];
            prost::decode_length_delimiter(&mut rest).is_ok_and(|length| length == rest.len())
        });
        let first = boundary.expect("where the first statement ends");
        let padded = padded(&whole);
        let forms: [(Option<&[u8]>, bool); 6] = [
            (Some(&whole), false),
            (Some(&padded), true),
            (Some(&old), true),
            (Some(&whole[..first]), true),
            (Some(&whole[first..]), true),
            (None, true),
        ];
        for (form, is_less) in forms {
            match form {
                Some(bytes) => fs::write(&path, bytes).unwrap(),
                None => fs::remove_file(&path).unwrap(),
            }
            let (mut again, node) = follower(&control);
            again.holder.restore().await;
            again.holder.ends();
            assert_eq!(node.place.overlay.is_unknown(), is_less, "{file}: {:?}", form.map(<[u8]>::len));
        }
    }
}
