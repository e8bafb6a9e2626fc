//! The key of captured content: for a reason, for who may open it, and in the log before it is given.

use policy_engine::vocabulary::Name;
use proto::admin::captured_content_service_server::CapturedContentService;
use proto::captured::{INFO, bound};
use rustls::crypto::aws_lc_rs::hpke::DH_KEM_X25519_HKDF_SHA256_AES_256 as SUITE;
use rustls::crypto::hpke::{Hpke as _, HpkePublicKey};

use super::*;

/// Lets the boss of acme open what acme has.
const OPENER: &str = "
apiVersion: chancery/v1
kind: Role
metadata: {name: opener}
spec: {permissions: [{action: open, resources: [capturedContent]}]}
---
apiVersion: chancery/v1
kind: Grant
metadata: {name: opener, tenant: acme}
spec: {role: opener, to: {principal: boss}}
";

/// What asks for a key that was sealed to acme.
async fn asked(admin: &Admin) -> OpenCapturedContentRequest {
    let (content, acme) = (admin.publisher.ring().content(), "acme".parse::<Name>().unwrap());
    content.make(admin.publisher.store(), std::slice::from_ref(&acme)).await.unwrap();
    let to = content.of(&acme).unwrap();
    let (encapsulated, wrapped) =
        SUITE.seal(INFO, &bound("r-1", "acme", "eu"), &[9; 32], &HpkePublicKey(to.key.clone())).unwrap();
    OpenCapturedContentRequest {
        tenant: "acme".into(),
        request_id: "r-1".into(),
        geo: "eu".into(),
        key_id: to.id,
        encapsulated_key: encapsulated.0,
        wrapped_key: wrapped,
        reason: "a complaint".into(),
    }
}

async fn events(admin: &Admin) -> Vec<AuditEvent> {
    let asked = ListAuditEventsRequest { action: "Open".into(), ..Default::default() };
    admin.list_audit_events(root(asked)).await.unwrap().into_inner().audit_events
}

#[tokio::test]
async fn a_key_is_given_for_a_reason_and_that_is_an_event() {
    let House { admin, .. } = &house().await;
    let asked = asked(admin).await;
    for (wrong, expected) in [
        (OpenCapturedContentRequest { reason: String::new(), ..asked.clone() }, ErrorCode::InvalidRequest),
        (OpenCapturedContentRequest { tenant: String::new(), ..asked.clone() }, ErrorCode::InvalidRequest),
        (OpenCapturedContentRequest { tenant: "a/b".into(), ..asked.clone() }, ErrorCode::NotFound),
        (
            OpenCapturedContentRequest { request_id: "a\nb".into(), ..asked.clone() },
            ErrorCode::InvalidRequest,
        ),
        (
            OpenCapturedContentRequest { request_id: "r-2".into(), ..asked.clone() },
            ErrorCode::FailedPrecondition,
        ),
        (OpenCapturedContentRequest { geo: "us".into(), ..asked.clone() }, ErrorCode::FailedPrecondition),
        (OpenCapturedContentRequest { geo: "e\nu".into(), ..asked.clone() }, ErrorCode::InvalidRequest),
        (
            OpenCapturedContentRequest { tenant: "other".into(), ..asked.clone() },
            ErrorCode::FailedPrecondition,
        ),
        (
            OpenCapturedContentRequest { wrapped_key: vec![0; 48], ..asked.clone() },
            ErrorCode::FailedPrecondition,
        ),
    ] {
        assert_eq!(code(admin.open(root(wrong.clone())).await), expected, "{wrong:?}");
    }
    assert!(events(admin).await.iter().all(|event| event.outcome != "ok"));
    let given = admin.open(root(asked)).await.unwrap().into_inner();
    assert_eq!(given.content_key, [9; 32]);
    let event = &events(admin).await[0];
    assert_eq!((event.outcome.as_str(), event.resource.as_str()), ("ok", "tenants/acme/capturedContent/r-1"));
    assert_eq!((event.actor.as_str(), event.reason.as_str()), ("platform/root", "a complaint"));
}

#[tokio::test]
async fn who_administers_a_tenant_may_not_open_what_it_asked_unless_that_is_granted() {
    let House { admin, .. } = &house().await;
    let asked = asked(admin).await;
    let boss = key(admin, "acme", "boss", "research").await.secret;
    let reader = key(admin, "acme", "reader", "research").await.secret;
    for nobody in [&boss, &reader] {
        assert_eq!(code(admin.open(signed(nobody, asked.clone())).await), ErrorCode::PermissionDenied);
    }
    let file = SourceFile { path: "opener.yaml".into(), text: OPENER.into() };
    let request = ApplyRequest { files: vec![file], ..Default::default() };
    assert_eq!(admin.apply(root(request)).await.unwrap().into_inner().faults, vec![]);
    assert_eq!(code(admin.open(signed(&reader, asked.clone())).await), ErrorCode::PermissionDenied);
    assert_eq!(admin.open(signed(&boss, asked.clone())).await.unwrap().into_inner().content_key, [9; 32]);
    // Of another tenant it is not told whether there is any.
    let other = OpenCapturedContentRequest { tenant: "other".into(), ..asked };
    assert_eq!(code(admin.open(signed(&boss, other)).await), ErrorCode::NotFound);
}
