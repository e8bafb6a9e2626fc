//! What a full disk refuses holds, and is written once there is room.

use std::fs;
use std::path::PathBuf;

use proto::sync::KillSet;

use super::*;
use crate::overlay::Said;
use crate::overlay::tests::kill;

/// Directories where files are written before they take their places: nothing can be, as on a disk that is full.
struct Full(Vec<PathBuf>);

impl Full {
    fn of(control: &ControlPlane) -> Self {
        let files = ["policy.new", "revocations.new", "kills.new"];
        let full: Vec<PathBuf> = files.iter().map(|name| control.home().join("policy").join(name)).collect();
        full.iter().for_each(|path| fs::create_dir_all(path).unwrap());
        Self(full)
    }

    fn has_room(self) {
        self.0.iter().for_each(|path| fs::remove_dir(path).unwrap());
    }
}

fn scope() -> Option<Scope> {
    Some(Scope { geo: "eu".into(), node_class: String::new() })
}

pub(super) fn revocations(seq: u64) -> Saying {
    let keys = vec![hashed("demo").to_vec()];
    let set = RevocationSet { seq, scope: scope(), keys, ..RevocationSet::default() };
    Saying::Revocations(super::said(Subject::Revocations, set.encode_to_vec()))
}

pub(super) fn kills(seq: u64) -> Saying {
    let kills = vec![kill("model", "models/m", "deny")];
    let set = KillSet { seq, scope: scope(), kills, ..KillSet::default() };
    Saying::Kills(super::said(Subject::Kills, set.encode_to_vec()))
}

/// The first status of which this is so.
pub(super) async fn status_of(session: &mut Session, is_so: impl Fn(&NodeStatus) -> bool) -> NodeStatus {
    let found = async {
        loop {
            session.heartbeat(6).await;
            let status = session.status().await;
            if is_so(&status) {
                return status;
            }
        }
    };
    soon(found).await
}

/// What a node says that starts here: the seqs it knows, and the revision it enforces.
async fn says_after_a_start(control: &ControlPlane) -> (u64, u64, i64) {
    let (mut again, node) = follower(control);
    again.holder.restore().await;
    let hello = again.hello();
    assert_eq!(node.place.overlay.revokes("demo"), hello.revocation_seq == 2);
    (hello.revocation_seq, hello.kill_seq, hello.applied.unwrap().revision)
}

#[tokio::test]
async fn case_96_what_met_a_full_disk_is_written_once_there_is_room() {
    let mut control = ControlPlane::start().await;
    let node = start(&control);
    let mut session = enforcing(&mut control, &node, 5).await;
    let full = Full::of(&control);
    session.say(revocations(2)).await;
    session.say(kills(3)).await;
    session.put(sample(6).offer()).await;
    let holds = |status: &NodeStatus| status.applied.as_ref().is_some_and(|applied| applied.revision == 6);
    let status = status_of(&mut session, holds).await;
    assert_eq!((status.revocation_seq, status.kill_seq, status.persisted), (2, 3, false));
    assert!(node.place.overlay.revokes("demo"));
    // A start finds nothing of it, and says so: the control plane sends it again.
    assert_eq!(says_after_a_start(&control).await, (0, 0, 5));
    full.has_room();
    status_of(&mut session, |status| status.persisted).await;
    assert_eq!(says_after_a_start(&control).await, (2, 3, 6));
}

#[tokio::test]
async fn case_96_a_revocation_alone_that_is_not_on_disk_is_told_and_outlives_the_stream() {
    let mut control = ControlPlane::start().await;
    let node = start(&control);
    let mut session = enforcing(&mut control, &node, 5).await;
    let full = Full::of(&control);
    session.say(revocations(2)).await;
    let status = status_of(&mut session, |status| status.revocation_seq == 2).await;
    assert!(!status.persisted, "it is not on disk");
    drop(session);
    control.end().await;
    full.has_room();
    let kept = node.place.overlay.statements();
    let written = async {
        while kept.kept(Said::Revocations).unwrap().is_none() || !kept.are_saved() {
            tokio::task::yield_now().await;
        }
    };
    soon(written).await;
    assert_eq!(says_after_a_start(&control).await, (2, 0, 5));
}
