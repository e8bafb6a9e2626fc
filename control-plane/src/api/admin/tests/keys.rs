//! Keys over the admin API: shown once, good until they are revoked, told by their fields.

use super::*;

#[tokio::test]
async fn a_key_is_shown_once_works_and_ends_when_it_is_revoked() {
    let House { admin, .. } = &house().await;
    let made = key(admin, "acme", "boss", "research").await;
    let name = made.key.clone().unwrap().name;
    let listed =
        admin.list_keys(root(ListKeysRequest { parent: "tenants/acme".into(), ..Default::default() })).await;
    assert_eq!(listed.unwrap().into_inner().keys, vec![made.key.clone().unwrap()]);
    let read = admin.get_key(root(GetKeyRequest { name: name.clone() })).await.unwrap().into_inner();
    assert!(!format!("{read:?}").contains(made.secret.rsplit('_').next().unwrap()));

    let geo = "eu".parse().unwrap();
    let ring = admin.publisher.ring();
    let scope = ring.scope_key(admin.publisher.store(), &geo).await.unwrap();
    let scoped = |admin: &Admin, public_id: &policy_engine::vocabulary::Name| {
        let published = admin.publisher.current();
        ring.scoped(public_id, &published.facts.keys[public_id], &scope).unwrap()
    };
    let (public_id, digest) = crate::govern::keys::presented(&made.secret).unwrap();
    let expected = aws_lc_rs::hmac::sign(
        &aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &scope.secret),
        &digest,
    );
    let first = scoped(admin, &public_id);
    assert_eq!((first.mac.as_slice(), first.revoked), (expected.as_ref(), false));

    for _ in 0..2 {
        let revoked =
            admin.revoke_key(root(RevokeKeyRequest { name: name.clone() })).await.unwrap().into_inner();
        assert!(revoked.revoke_time.is_some());
    }
    assert!(scoped(admin, &public_id).revoked);
    let denied = admin.get_key(signed(&made.secret, GetKeyRequest { name: name.clone() })).await;
    assert_eq!(code(denied), ErrorCode::KeyRevoked);
    let unknown = RevokeKeyRequest { name: "tenants/acme/keys/none".into() };
    assert_eq!(code(admin.revoke_key(root(unknown)).await), ErrorCode::NotFound);
    let spec = KeySpec {
        tenant: "acme".into(),
        principal: "nobody".into(),
        team: "research".into(),
        ..Default::default()
    };
    let request =
        CreateKeyRequest { parent: String::new(), key: Some(Key { spec: Some(spec), ..Key::default() }) };
    assert_eq!(code(admin.create_key(root(request)).await), ErrorCode::InvalidRequest);
}

#[tokio::test]
async fn a_key_that_can_not_be_made_is_told_by_its_fields_and_has_no_name() {
    let House { admin, .. } = &house().await;
    let told = async |principal: &str, team: &str, models: &[&str]| {
        let models = models.iter().map(|model| (*model).to_owned()).collect();
        let spec = KeySpec { principal: principal.into(), team: team.into(), models, ..KeySpec::default() };
        let key = Key { spec: Some(spec), ..Key::default() };
        let request = CreateKeyRequest { parent: "tenants/acme".into(), key: Some(key) };
        let refused = Refusal::of_status(&admin.create_key(root(request)).await.unwrap_err());
        assert_eq!(refused.code, ErrorCode::InvalidRequest);
        let fields: Vec<String> =
            refused.fields.iter().map(|f| format!("{}: {}", f.field, f.message)).collect();
        assert_eq!(refused.message, fields.join("; "));
        refused.message
    };
    let nobody = "key.spec.principal: there is no Principal `nobody` in tenant `acme`";
    assert_eq!(told("nobody", "research", &[]).await, nobody);
    let both = format!("key.spec.team: there is no Team `none` in tenant `acme`; {nobody}");
    assert_eq!(told("nobody", "none", &[]).await, both);
    assert!(told("ada", "research", &["a/b"]).await.starts_with("key.spec.models: "));
    assert_eq!(told("", "research", &[]).await, "key.spec.principal: is missing");
}
