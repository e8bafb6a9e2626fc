//! Files of long ago that are put back one by one.

use std::fs;

use super::full_disk::{kills, revocations, status_of};
use super::*;
use crate::overlay::Said;

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
