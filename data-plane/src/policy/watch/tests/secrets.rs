//! Secrets that come before, after and without the policy that they fit.

use super::*;

#[tokio::test]
async fn without_the_scope_key_of_its_api_keys_nothing_is_enforced() {
    let mut control = ControlPlane::start().await;
    let node = start(&control);
    let mut session = soon(control.session()).await;
    session.welcome(60_000).await;
    let nack = session.offer(&sample(5)).await.unwrap_err();
    assert_eq!(nack.code(), NackCode::ResourceMissing);
    assert!(nack.detail.contains("k1"), "{}", nack.detail);
    // Sealed to somebody else is as good as none.
    let other = NodeKey::open(&control.home().join("other.key")).unwrap();
    session.secrets(secrets(other.public(), [7; 32])).await;
    assert_eq!(session.offer(&sample(5)).await.unwrap_err().code(), NackCode::ResourceMissing);
    assert!(node.state.applied().is_none());
    session.secrets(secrets(&node.public_key, [7; 32])).await;
    assert_eq!(session.offer(&sample(5)).await.unwrap().revision, 5);
}

#[tokio::test]
async fn renewed_secrets_take_effect_without_a_snapshot_and_are_kept() {
    let mut control = ControlPlane::start().await;
    let node = start(&control);
    let mut session = enforcing(&mut control, &node, 5).await;
    // The same ones sealed anew change nothing.
    session.secrets(secrets(&node.public_key, [7; 32])).await;
    session.secrets(secrets(&node.public_key, [8; 32])).await;
    let installed = node.place.installs(2).await;
    assert_eq!(installed, [(5, Some(vec![7; 32])), (5, Some(vec![8; 32]))]);
    // Whatever is said after them is heard after they were kept.
    assert_eq!(session.offer(&sample(4)).await.unwrap_err().code(), NackCode::StaleRevision);
    let (mut again, restarted) = follower(&control);
    again.holder.restore().await;
    assert_eq!(restarted.place.installs(1).await, [(5, Some(vec![8; 32]))]);
}

#[tokio::test]
async fn secrets_that_do_not_fit_what_is_in_force_wait_for_the_policy_that_they_fit() {
    let mut control = ControlPlane::start().await;
    let node = start(&control);
    let mut session = enforcing(&mut control, &node, 5).await;
    let before = node.place.installs(1).await.len();
    // As a control plane tells them that has forgotten the key of this geo and made another.
    session.secrets(secrets_of(&node.public_key, ("another", [8; 32]))).await;
    assert_eq!(session.offer(&sample(6)).await.unwrap().revision, 6, "by the secrets that were in force");
    assert_eq!(node.place.installs(before + 1).await[before].1, Some(vec![7; 32]));
    // It is the newest, and fits what comes without API keys.
    let mut keyless = world::facts();
    keyless.keys.clear();
    let mut keyless = Sample::of(&keyless, 7);
    keyless.envelope.shrink_revision = 7;
    keyless.seal();
    assert_eq!(session.offer(&keyless).await.unwrap().revision, 7);
    assert_eq!(
        node.place.installs(before + 2).await[before + 1].1,
        None,
        "it has no key of that name any more"
    );
    let (mut again, restarted) = follower(&control);
    again.holder.restore().await;
    assert_eq!(restarted.state.applied().unwrap().revision, 7);
    // Without what opens the secrets beside a policy it is not used, though it has no API key that would need them.
    std::fs::remove_file(control.home().join("node.key")).unwrap();
    let (mut again, restarted) = follower(&control);
    again.holder.restore().await;
    assert_eq!(restarted.state.applied(), None);
}
