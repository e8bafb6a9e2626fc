//! What a rollback puts back, what it leaves as it is, and what guards it.

use super::*;

#[tokio::test]
async fn what_was_in_force_is_put_back_and_told_of() {
    let House { admin, .. } = &house().await;
    let spec = |purpose: &str| {
        rule_of("r", &format!("layer: team, effect: forbid, when: \"purpose == '{purpose}'\""))
    };
    let made = because(admin, "made", spec("a")).await;
    because(admin, "changed", spec("b")).await;
    create(admin, TOKEN, "ops", false).await.unwrap();
    let head = admin.publisher.current().head.revision;

    let tried =
        back(admin, TOKEN, RollbackRequest { dry_run: true, ..to(&made.to_string(), &[]) }).await.unwrap();
    assert_eq!((tried.revision, admin.publisher.current().head.revision), (0, head));
    let changes: Vec<(&str, &str)> =
        tried.changes.iter().map(|c| (c.name.as_str(), c.change.as_str())).collect();
    assert_eq!(changes, [("tenants/acme/teams/ops", "deleted"), ("rules/r", "updated")]);
    assert_eq!(fields(&tried.differences[1]), ["spec.when: \"purpose == 'b'\" -> \"purpose == 'a'\""]);

    // A part of it, and then all.
    let part = back(admin, TOKEN, to(&made.to_string(), &["rules"])).await.unwrap();
    assert_eq!((part.revision, part.changes.len(), part.differences.len()), (head + 1, 1, 0));
    let mut whole = root(to(&made.to_string(), &[]));
    whole.metadata_mut().insert("x-chancery-reason", "it did harm".parse().unwrap());
    let whole = admin.rollback(whole).await.unwrap().into_inner();
    assert_eq!((whole.revision, whole.to.unwrap().revision), (head + 2, made));
    assert!(diff(admin, TOKEN, between(&made.to_string(), "head")).await.unwrap().changes.is_empty());
    let event = admin.list_audit_events(root(ListAuditEventsRequest::default())).await.unwrap().into_inner();
    let event = &event.audit_events[0];
    assert_eq!(
        (event.action.as_str(), event.resource.as_str(), event.reason.as_str()),
        ("chancery.admin.v1.HistoryService/Rollback", format!("revisions/{made}").as_str(), "it did harm")
    );
    assert_eq!((event.revision, event.changes.len()), (whole.revision, 1));

    // What is in force already makes no revision.
    let again = back(admin, TOKEN, to(&made.to_string(), &[])).await.unwrap();
    assert_eq!((again.revision, again.changes.len()), (0, 0));
    assert_eq!(admin.publisher.current().head.revision, head + 2);

    // What is used by what stays can't go, and who uses it is told.
    let team = "tenants/acme/teams/late";
    create(admin, TOKEN, "late", false).await.unwrap();
    let principal = "apiVersion: chancery/v1\nkind: Principal\nmetadata: {name: late, tenant: acme}\nspec: {type: user, teams: [late]}\n";
    because(admin, "used", principal.to_owned()).await;
    let refused = back(admin, TOKEN, to(&made.to_string(), &[team])).await.unwrap();
    assert_eq!((refused.faults.len(), refused.revision), (1, 0), "{refused:?}");
    assert!(refused.faults[0].message.contains("principals/late"), "{:?}", refused.faults);
    assert!(
        admin.publisher.current().registry.get(Kind::Team, &proto::name::parse(team).unwrap().id).is_some()
    );
}

#[tokio::test]
async fn what_was_denied_for_good_stays_denied() {
    let House { admin, .. } = &house().await;
    let made = key(admin, "acme", "ada", "research").await.key.unwrap();
    let provider = |secret: &str, host: &str| {
        format!(
            "apiVersion: chancery/v1\nkind: Provider\nmetadata: {{name: p}}\n\
             spec: {{adapter: openai, baseUrl: \"https://{host}.example.com/v1\", credential: {{value: {secret}}}}}\n"
        )
    };
    let first = because(admin, "a first secret", provider("sk-one", "old")).await;
    let credential = |admin: &Admin| {
        let registry = &admin.publisher.current().registry;
        let stored =
            registry.get(Kind::Provider, &policy_engine::vocabulary::Id::platform("p".parse().unwrap()));
        let provider: Provider = prost::Message::decode(stored.unwrap().bytes.clone()).unwrap();
        let spec = provider.spec.unwrap();
        (spec.base_url, spec.credential)
    };
    let (_, old) = credential(admin);
    because(admin, "it leaked", provider("sk-two", "new")).await;
    let (_, new) = credential(admin);
    assert_ne!(old, new);
    admin.revoke_key(root(RevokeKeyRequest { name: made.name.clone() })).await.unwrap();

    let done = back(admin, TOKEN, to(&first.to_string(), &[])).await.unwrap();
    let changes: Vec<&str> = done.changes.iter().map(|change| change.name.as_str()).collect();
    assert_eq!(changes, ["providers/p"]);
    assert_eq!(
        credential(admin),
        ("https://old.example.com/v1".into(), new),
        "the address is put back, the secret is not"
    );
    let left: Vec<&str> = done.left.iter().map(|left| left.name.as_str()).collect();
    assert_eq!(left, ["providers/p", made.name.as_str()]);
    assert!(done.left[1].reason.contains("stays revoked"), "{:?}", done.left);
    let read = admin.get_key(root(GetKeyRequest { name: made.name.clone() })).await.unwrap().into_inner();
    assert!(read.revoke_time.is_some());
    let line = message(back(admin, TOKEN, to(&first.to_string(), &[made.name.as_str()])).await);
    assert!(line.contains("stays revoked"), "{line}");

    // One that is not there any more comes back without its secret.
    let gone = "apiVersion: chancery/v1\nkind: Provider\nmetadata: {name: p}\nspec: {}\n".to_owned();
    let request =
        DeleteRequest { files: vec![SourceFile { path: "f".into(), text: gone }], ..Default::default() };
    assert_eq!(PolicyService::delete(admin, root(request)).await.unwrap().into_inner().faults, vec![]);
    let done = back(admin, TOKEN, to(&first.to_string(), &["providers/p"])).await.unwrap();
    assert_eq!((credential(admin).1, done.left.len()), (None, 1));
    assert!(done.left[0].reason.contains("give it again"), "{:?}", done.left);
}

#[tokio::test]
async fn a_rollback_goes_by_stages_and_is_guarded_as_any_change_is() {
    let House { admin, .. } = &house().await;
    let spec = |purpose: &str| {
        rule_of("r", &format!("layer: team, effect: forbid, when: \"purpose == '{purpose}'\""))
    };
    let first = because(admin, "one", spec("a")).await.to_string();
    because(admin, "two", spec("b")).await;
    let staged = RollbackRequest { staged: true, manual: true, ..to(&first, &[]) };
    let staged = back(admin, TOKEN, staged).await.unwrap();
    assert_eq!(staged.rollout, format!("rollouts/{}", staged.revision));
    let refusal = Refusal::of_status(&back(admin, TOKEN, to("head~1", &["rules/r"])).await.unwrap_err());
    assert_eq!(refusal.code, ErrorCode::FailedPrecondition, "it is on its way: {refusal:?}");

    let many = |n: usize| {
        format!(
            "---\napiVersion: chancery/v1\nkind: Team\nmetadata: {{name: t{n}, tenant: acme}}\nspec: {{}}\n"
        )
    };
    because(admin, "many", (0..60).map(many).collect()).await;
    let refusal = Refusal::of_status(&back(admin, TOKEN, to("head~1", &[])).await.unwrap_err());
    assert_eq!(refusal.code, ErrorCode::FailedPrecondition);
    assert!(refusal.message.contains("--allow-shrink"), "{refusal:?}");
    let meant = RollbackRequest { allow_shrink: true, ..to("head~1", &[]) };
    assert_eq!(back(admin, TOKEN, meant).await.unwrap().changes.len(), 60);
}
