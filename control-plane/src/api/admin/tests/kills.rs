//! What is switched off, by whom, with which words, and what is left of it in the log.

use proto::admin::kills_service_server::KillsService;

use super::*;
use crate::clock;

fn asked(target: &str, resource: &str, mode: &str) -> CreateKillRequest {
    let spec = KillSpec {
        target: target.into(),
        resource: resource.into(),
        mode: mode.into(),
        reason: "a leak".into(),
        expire_time: None,
    };
    CreateKillRequest { kill: Some(Kill { spec: Some(spec), ..Kill::default() }), ..Default::default() }
}

fn edited(edit: impl FnOnce(&mut KillSpec)) -> CreateKillRequest {
    let mut asked = asked("model", "models/sim-fast", "deny");
    edit(asked.kill.as_mut().unwrap().spec.as_mut().unwrap());
    asked
}

#[tokio::test]
async fn a_kill_is_made_seen_logged_and_lifted_without_a_revision() {
    let House { admin, _fixture } = house().await;
    let before = admin.publisher.current().head.revision;
    let mut watch = admin.publisher.kills().watch();
    let request = CreateKillRequest { kill_id: "no-fast".into(), ..asked("model", "models/sim-fast", "") };
    let made = admin.create_kill(root(request.clone())).await.unwrap().into_inner();
    assert_eq!((made.name.as_str(), made.state.as_str()), ("kills/no-fast", "active"));
    assert_eq!((made.creator.as_str(), made.spec.as_ref().unwrap().mode.as_str()), ("platform/root", "deny"));
    assert!(watch.has_changed().unwrap());
    assert_eq!(watch.borrow_and_update().seq, 1);
    assert_eq!(code(admin.create_kill(root(request)).await), ErrorCode::AlreadyExists);
    let tried = CreateKillRequest { validate_only: true, ..asked("everything", "", "drain") };
    assert_eq!(admin.create_kill(root(tried)).await.unwrap().into_inner().spec.unwrap().mode, "drain");
    let unnamed = admin.create_kill(root(asked("geo", "eu", "read_only"))).await.unwrap().into_inner();
    assert!(unnamed.name.len() > "kills/".len());

    let name = "kills/no-fast".to_owned();
    let read = admin.get_kill(root(GetKillRequest { name: name.clone() })).await.unwrap().into_inner();
    assert_eq!(read, made);
    let mut listed = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListKillsRequest { page_size: 1, page_token };
        let page = admin.list_kills(root(request)).await.unwrap().into_inner();
        listed.extend(page.kills);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    listed.sort_by(|a, b| b.name.cmp(&a.name));
    let unnamed = Kill { warnings: vec![], ..unnamed };
    assert_eq!(listed, [made.clone(), unnamed]);

    let lift = || DeleteKillRequest { name: name.clone(), allow_missing: false };
    admin.delete_kill(root(lift())).await.unwrap();
    let again = Refusal::of_status(&admin.delete_kill(root(lift())).await.unwrap_err());
    assert_eq!(again.code, ErrorCode::NotFound);
    assert!(again.message.contains("lifted already, by `platform/root` at 20"), "{again:?}");
    let read = admin.get_kill(root(GetKillRequest { name: name.clone() })).await.unwrap().into_inner();
    assert_eq!((read.state.as_str(), read.lifter.as_str()), ("lifted", "platform/root"));
    assert!(read.lift_time.is_some() && (&read.spec, &read.create_time) == (&made.spec, &made.create_time));
    let never = GetKillRequest { name: "kills/never".into() };
    assert_eq!(code(admin.get_kill(root(never)).await), ErrorCode::NotFound);
    let left = admin.list_kills(root(ListKillsRequest::default())).await.unwrap().into_inner().kills;
    assert!(left.iter().all(|kill| kill.name != name), "what was lifted is not listed");
    let missing = DeleteKillRequest { allow_missing: true, ..lift() };
    admin.delete_kill(root(missing)).await.unwrap();
    assert_eq!(admin.publisher.kills().current().seq, 3);
    assert_eq!(admin.publisher.current().head.revision, before, "no revision was made");

    let request = ListAuditEventsRequest {
        resource: "kills/no-fast".into(),
        outcome: "ok".into(),
        ..Default::default()
    };
    let events = admin.list_audit_events(root(request)).await.unwrap().into_inner().audit_events;
    let told: Vec<_> = events
        .iter()
        .map(|e| (e.action.rsplit('/').next().unwrap(), e.reason.as_str(), e.changes[0].change.as_str()))
        .collect();
    assert_eq!(told, [("DeleteKill", "", "deleted"), ("CreateKill", "a leak", "created")]);
    assert_eq!(events[0].changes[0].before_digest, events[1].changes[0].after_digest);
    // A restart lifts nothing.
    let again = crate::publish::tests::opened(_fixture.dir.path()).await.unwrap();
    assert_eq!((again.kills().current().seq, again.kills().current().kills.len()), (3, 1));
}

#[tokio::test]
async fn a_kill_says_what_it_hits_how_and_why_of_things_that_are_there() {
    let House { admin, .. } = &house().await;
    for (request, field, said) in [
        (edited(|s| s.target = "modle".into()), "target", "did you mean `model`?"),
        (edited(|s| s.target = String::new()), "target", "is missing"),
        (edited(|s| s.resource = "models/sim-fats".into()), "resource", "did you mean `models/sim-fast`?"),
        (edited(|s| s.resource = "sim-fast".into()), "resource", "known are `models/sim-fast`"),
        (edited(|s| s.resource = "tenants/acme/models/sim-fast".into()), "resource", "there is no Model"),
        (edited(|s| s.resource = "endpoints/sim-eu".into()), "resource", "is no name of a Model"),
        (edited(|s| s.mode = "dney".into()), "mode", "did you mean `deny`?"),
        (edited(|s| s.mode = "off".into()), "mode", "known are `deny`, `drain`, `read_only`"),
        (edited(|s| s.reason = "  ".into()), "reason", "is missing"),
        (edited(|s| s.reason = "x".repeat(513)), "reason", "at most 512 bytes"),
        (edited(|s| s.reason = "a\nb".into()), "reason", "a line"),
        (edited(|s| s.expire_time = Some(clock::timestamp(1))), "expireTime", "is in the past"),
        (edited(|s| s.target = "everything".into()), "resource", "everything is meant"),
        (
            edited(|s| (s.target, s.resource) = ("geo".into(), "e u".into())),
            "resource",
            "is no name of a geo",
        ),
        (
            edited(|s| (s.target, s.resource) = ("tenant".into(), "tenants/acm".into())),
            "resource",
            "`tenants/acme`",
        ),
    ] {
        let refusal = Refusal::of_status(&admin.create_kill(root(request)).await.unwrap_err());
        let [wrong] = refusal.fields.as_slice() else { panic!("{refusal:?}") };
        assert_eq!(
            (refusal.code, &*wrong.field),
            (ErrorCode::InvalidRequest, &*format!("kill.spec.{field}"))
        );
        assert!(wrong.message.contains(said), "{said}: {wrong:?}");
    }
    let both = edited(|s| (s.mode, s.reason) = ("x".into(), String::new()));
    let refusal = Refusal::of_status(&admin.create_kill(root(both)).await.unwrap_err());
    assert_eq!(refusal.fields.len(), 2, "every fault is told");
    let named = CreateKillRequest { kill_id: "a/b".into(), ..asked("everything", "", "") };
    assert_eq!(code(admin.create_kill(root(named)).await), ErrorCode::InvalidRequest);
    for name in ["kills/", "no-fast", "models/x", "kills/a/b"] {
        let request = GetKillRequest { name: name.into() };
        assert_eq!(code(admin.get_kill(root(request)).await), ErrorCode::InvalidRequest, "{name}");
    }
    for (target, resource) in [
        ("everything", ""),
        ("geo", "nowhere-yet"),
        ("tenant", "tenants/acme"),
        ("provider", "providers/sim"),
        ("endpoint", "endpoints/sim-eu"),
        ("model", "models/sim-fast"),
    ] {
        admin.create_kill(root(asked(target, resource, "drain"))).await.unwrap();
    }
}

#[tokio::test]
async fn a_geo_that_is_switched_off_is_one_that_is_known() {
    let House { admin, .. } = &house().await;
    admin.nodes.await_node(&"eu".parse().unwrap(), &"eu-1".parse().unwrap());
    for (geo, said) in [("EU", "did you mean `eu`?"), ("mars", "known are `eu`")] {
        let refusal = Refusal::of_status(&admin.create_kill(root(asked("geo", geo, ""))).await.unwrap_err());
        assert_eq!(refusal.fields[0].field, "kill.spec.resource");
        assert!(refusal.fields[0].message.contains(said), "{refusal:?}");
    }
    admin.create_kill(root(asked("geo", "eu", ""))).await.unwrap();
}

#[tokio::test]
async fn a_geo_that_is_switched_off_while_none_is_known_is_warned_of() {
    let House { admin, .. } = &house().await;
    let known = admin.create_kill(root(asked("tenant", "tenants/acme", ""))).await.unwrap().into_inner();
    assert!(known.warnings.is_empty());
    let blind = admin.create_kill(root(asked("geo", "nowhere", ""))).await.unwrap().into_inner();
    assert!(blind.warnings[0].contains("no node is known in `nowhere`"), "{blind:?}");
    admin.nodes.await_node(&"eu".parse().unwrap(), &"eu-1".parse().unwrap());
    let known = admin.create_kill(root(asked("geo", "eu", ""))).await.unwrap().into_inner();
    assert!(known.warnings.is_empty());
}

#[tokio::test]
async fn each_node_is_held_to_the_seq_by_which_it_came_to_be_told_of_a_kill() {
    let House { admin, .. } = &house().await;
    let begin = |geo: &str, id: &str, kill_seq: u64| {
        let (geo, id) = (geo.parse().unwrap(), id.parse().unwrap());
        admin.nodes.begin(&geo, &id, |node| {
            (node.kill_seq, node.connect_time) = (kill_seq, Some(clock::timestamp(1)));
        })
    };
    let _there =
        [begin("eu", "new", 7), begin("eu", "old", 5), begin("eu", "older", 4), begin("us", "other", 9)];
    for id in ["one", "two"] {
        let kill = CreateKillRequest { kill_id: id.into(), ..asked("geo", "eu", "") };
        admin.create_kill(root(kill)).await.unwrap();
    }
    let of = admin.publisher.kills().current().seq;
    let since = [("kills/one".to_owned(), 5), ("kills/two".to_owned(), 7)].into();
    let kills = admin.publisher.kills();
    kills.tells(&"eu".parse().unwrap(), crate::kills::Telling { of, seq: 7, since });
    kills.tells(&"us".parse().unwrap(), crate::kills::Telling { of, ..Default::default() });
    let held = async |name: &str| {
        let kill = admin.get_kill(root(GetKillRequest { name: name.into() })).await.unwrap().into_inner();
        let told = kill.nodes.into_iter().map(|one| (one.node, one.standing));
        told.filter(|(_, standing)| standing == "held").map(|(node, _)| node).collect::<Vec<_>>()
    };
    assert_eq!(held("kills/one").await, ["nodes/new", "nodes/old"]);
    assert_eq!(held("kills/two").await, ["nodes/new"]);
    let one = admin.get_kill(root(GetKillRequest { name: "kills/one".into() })).await.unwrap().into_inner();
    let told: Vec<_> = one.nodes.iter().map(|node| (&*node.node, &*node.standing)).collect();
    assert_eq!(told, [("nodes/new", "held"), ("nodes/old", "held"), ("nodes/older", "behind")]);
}

#[tokio::test]
async fn a_kill_that_has_ended_holds_its_name_no_more() {
    let House { admin, _fixture } = &house().await;
    let id = "drill".parse().unwrap();
    let mut spec = asked("model", "models/sim-fast", "deny").kill.unwrap().spec.unwrap();
    spec.expire_time = Some(clock::timestamp(1));
    let kills = admin.publisher.kills();
    kills.create(crate::act::Act::of_system("test"), id, spec).await.unwrap();
    let request =
        || CreateKillRequest { kill_id: "drill".into(), ..asked("model", "models/sim-fast", "deny") };
    let anew = admin.create_kill(root(request())).await.unwrap().into_inner();
    assert_eq!((anew.state.as_str(), anew.spec.unwrap().expire_time), ("active", None));
    assert_eq!(code(admin.create_kill(root(request())).await), ErrorCode::AlreadyExists);
    let again = crate::publish::tests::opened(_fixture.dir.path()).await.unwrap();
    assert_eq!((again.kills().current().seq, again.kills().current().kills.len()), (2, 1));
}

#[tokio::test]
async fn who_asks_why_is_told_what_is_switched_off() {
    let House { admin, .. } = &house().await;
    let hit = async |model: &str, geo: &str| {
        let asked = ExplainRequest {
            principal: "tenants/acme/principals/ada".into(),
            model: model.into(),
            geo: geo.into(),
            ..ExplainRequest::default()
        };
        let answer = admin.explain(root(asked)).await.unwrap().into_inner();
        assert_eq!((answer.policy_effect.as_str(), answer.geo.as_str()), ("allow", geo));
        let told: Vec<String> = answer.kills.into_iter().map(|kill| kill.name).collect();
        let refused = answer.reasons.iter().filter(|reason| reason.code == "switched_off");
        let by: Vec<String> = refused.map(|reason| reason.resource.clone()).collect();
        assert_eq!(answer.effect == "deny", !by.is_empty(), "{by:?}");
        (told, by)
    };
    assert_eq!(hit("fast", "eu").await, (vec![], vec![]));
    for (id, target, resource, told, by) in [
        ("a", "geo", "us", &[][..], &[][..]),
        ("d", "tenant", "tenants/other", &[], &[]),
        ("e", "endpoint", "endpoints/sim-eu", &["kills/e"], &["kills/e"]),
        ("b", "provider", "providers/sim", &["kills/b", "kills/e"], &["kills/b", "kills/e"]),
        ("c", "model", "models/sim-fast", &["kills/b", "kills/c", "kills/e"], &["kills/c"]),
    ] {
        let kill = CreateKillRequest { kill_id: id.into(), ..asked(target, resource, "") };
        admin.create_kill(root(kill)).await.unwrap();
        let names = |of: &[&str]| of.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(hit("fast", "eu").await, (names(told), names(by)), "{target}");
    }
}

#[tokio::test]
async fn only_the_platforms_admins_switch_things_off() {
    let House { admin, .. } = &house().await;
    let mut tokens = Vec::new();
    for principal in ["boss", "reader", "ada"] {
        tokens.push(key(admin, "acme", principal, "research").await.secret);
    }
    admin
        .create_kill(root(CreateKillRequest { kill_id: "x".into(), ..asked("tenant", "tenants/acme", "") }))
        .await
        .unwrap();
    let name = || "kills/x".to_owned();
    for token in &tokens {
        let answers = [
            admin.create_kill(signed(token, asked("tenant", "tenants/acme", "deny"))).await.map(drop),
            admin.get_kill(signed(token, GetKillRequest { name: name() })).await.map(drop),
            admin.list_kills(signed(token, ListKillsRequest::default())).await.map(drop),
            admin
                .delete_kill(signed(token, DeleteKillRequest { name: name(), allow_missing: true }))
                .await
                .map(drop),
        ];
        for answer in answers {
            assert_eq!(code(answer), ErrorCode::PermissionDenied, "also for an admin of the tenant it hits");
        }
    }
    assert_eq!(admin.publisher.kills().current().kills.len(), 1);
}

#[tokio::test]
async fn case_16_a_revoked_key_is_told_to_the_geos_it_works_in_and_to_no_other() {
    let House { admin, _fixture } = house().await;
    let told = |publisher: &Publisher, geo: &str| {
        let published = publisher.current();
        crate::revocations::revocations(&published.revoked, published.head, &geo.parse().unwrap())
    };
    let everywhere = key(&admin, "acme", "boss", "research").await.key.unwrap().name;
    let spec = KeySpec {
        tenant: "acme".into(),
        principal: "ada".into(),
        team: "research".into(),
        geos: vec!["us".into()],
        ..KeySpec::default()
    };
    let request = CreateKeyRequest {
        key: Some(Key { spec: Some(spec), ..Key::default() }),
        ..CreateKeyRequest::default()
    };
    let us_only = admin.create_key(root(request)).await.unwrap().into_inner().key.unwrap().name;
    let empty = told(&admin.publisher, "eu");
    assert_eq!((empty.seq, empty.keys.len(), empty.base_revision), (0, 0, 0));
    let untouched = admin.publisher.current().revoked.clone();
    create(&admin, TOKEN, "another", false).await.unwrap();
    assert!(std::sync::Arc::ptr_eq(&untouched, &admin.publisher.current().revoked), "carried on as it is");

    let mut seq = 0;
    for name in [&everywhere, &us_only] {
        admin.revoke_key(root(RevokeKeyRequest { name: name.clone() })).await.unwrap();
        let now = told(&admin.publisher, "us").seq;
        assert_eq!(i64::try_from(now).unwrap(), admin.publisher.current().head.revision);
        assert!(now > seq);
        seq = now;
    }
    let digest = |name: &str| {
        let public_id = name.rsplit('/').next().unwrap();
        crate::registry::sha256(public_id.as_bytes())[..16].to_vec()
    };
    let mut both = vec![digest(&everywhere), digest(&us_only)];
    both.sort();
    let again = crate::publish::tests::opened(_fixture.dir.path()).await.unwrap();
    for publisher in [&admin.publisher, &again] {
        assert_eq!(told(publisher, "eu").keys, [digest(&everywhere)]);
        assert_eq!(told(publisher, "us").keys, both);
        assert_eq!((told(publisher, "us").seq, told(publisher, "eu").seq), (seq, seq));
    }
}
