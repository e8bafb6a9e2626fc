//! A control plane whose audit log is not what it was.

use super::full_disk::{kills, status_of};
use super::*;
use crate::policy::log::tests::Events;

fn of_epoch(epoch: i64, revision: i64) -> Sample {
    let mut sample = sample(revision);
    sample.envelope.epoch = epoch;
    sample.seal();
    sample
}

#[tokio::test]
async fn case_11_a_log_that_was_rolled_back_ends_newer_policy_and_nothing_else_until_a_new_epoch() {
    let mut control = ControlPlane::start().await;
    let node = start(&control);
    let mut session = soon(control.session()).await;
    assert_eq!(session.hello.audit_log_size, 0);
    session.welcome(60_000).await;
    session.secrets(secrets(&node.public_key, [7; 32])).await;
    let (before, rolled, after) = (Events::of(&[1, 2, 3, 4]), Events::of(&[1, 2]), Events::of(&[1, 2, 9]));
    assert_eq!(session.shows(before.shown(0, &[1])).await.size, 4);
    assert_eq!(session.offer(&sample(5)).await.unwrap().revision, 5);
    drop(session);

    let mut session = soon(control.session()).await;
    assert_eq!(session.hello.audit_log_size, 4);
    session.welcome(60_000).await;
    // What shows nothing is not followed any more, after something was shown.
    let nack = session.offer(&sample(6)).await.unwrap_err();
    assert_eq!((nack.code(), nack.running.unwrap().revision), (NackCode::AuditInconsistent, 5));
    let (standing, alarms) = node.state.log();
    assert!(standing.inconsistent && alarms == 1, "that it is shown no more is told");
    let mut said = session.shows(rolled.shown(4, &[1])).await;
    assert!(said.size == 4 && said.inconsistency.starts_with("the audit log was rolled back: "), "{said:?}");
    assert_eq!(node.state.log().1, 1);
    for revision in [6, 7] {
        let nack = session.offer(&sample(revision)).await.unwrap_err();
        assert_eq!((nack.code(), nack.revision), (NackCode::AuditInconsistent, revision));
        assert_eq!((nack.detail.as_str(), nack.running.unwrap().revision), (said.inconsistency.as_str(), 5));
        said = session.shows(after.shown(4, &[1])).await;
    }
    assert_eq!(node.state.log().1, 1, "it is told once");
    // What was only stale stays so: an older revision is refused as that.
    assert_eq!(session.offer(&sample(4)).await.unwrap_err().code(), NackCode::StaleRevision);
    // What is switched off is off at once.
    session.say(kills(3)).await;
    status_of(&mut session, |status| status.kill_seq == 3).await;

    assert_eq!(session.offer(&of_epoch(1, 3)).await.unwrap().epoch, 1);
    let said = session.shows(after.shown(4, &[1])).await;
    assert_eq!((said.size, said.inconsistency.as_str()), (3, ""));
    assert_eq!(session.offer(&of_epoch(1, 4)).await.unwrap().revision, 4);
    let (standing, alarms) = node.state.log();
    assert_eq!((standing.size, standing.inconsistent, alarms), (3, false, 1));
    // The next process is held to the same.
    let (mut again, _node) = follower(&control);
    again.holder.restore().await;
    assert_eq!(again.hello().audit_log_size, 3);
}

#[tokio::test]
async fn a_control_plane_that_begins_an_epoch_and_shows_nothing_since_is_followed_one_step_and_told_of() {
    let mut control = ControlPlane::start().await;
    let node = start(&control);
    let mut session = soon(control.session()).await;
    session.welcome(60_000).await;
    session.secrets(secrets(&node.public_key, [7; 32])).await;
    let (before, after) = (Events::of(&[1, 2, 3, 4]), Events::of(&[1, 2, 9]));
    assert_eq!(session.shows(before.shown(0, &[1])).await.size, 4);
    assert_eq!(session.offer(&sample(5)).await.unwrap().revision, 5);
    drop(session);

    for (epoch, alarms) in [(1, 1), (3, 2)] {
        let mut session = soon(control.session()).await;
        session.welcome(60_000).await;
        assert_eq!(session.offer(&of_epoch(epoch, 3)).await.unwrap().epoch, epoch);
        assert!(!node.state.log().0.inconsistent);
        drop(session);
        let mut session = soon(control.session()).await;
        session.welcome(60_000).await;
        for revision in [4, 5] {
            let nack = session.offer(&of_epoch(epoch, revision)).await.unwrap_err();
            assert_eq!((nack.code(), nack.running.unwrap().revision), (NackCode::AuditInconsistent, 3));
            assert!(node.state.log().0.inconsistent && node.state.log().1 == alarms, "it is told once");
        }
        drop(session);
    }
    let mut session = soon(control.session()).await;
    session.welcome(60_000).await;
    assert_eq!(session.shows(after.shown(4, &[1])).await.inconsistency, "");
    assert_eq!(session.offer(&of_epoch(3, 4)).await.unwrap().revision, 4);
    assert!(!node.state.log().0.inconsistent);
}
