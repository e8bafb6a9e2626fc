//! Geos as they are named: held to those that nodes are known in, by every door a resource comes in by.

use proto::admin::rules_service_server::RulesService;

use super::*;

const RULE: &str = "apiVersion: chancery/v1
kind: Rule
metadata: {name: r}
spec:
  layer: organisation
  effect: forbid
  when: \"purpose == 'x'\"
  geos: [eu, GEO]
";

/// A house in which a node of `eu` is known.
async fn inhabited() -> House {
    let house = house().await;
    house.admin.nodes.await_node(&"eu".parse().unwrap(), &"eu-1".parse().unwrap());
    house
}

async fn applied(admin: &Admin, geo: &str, dry_run: bool) -> ApplyResponse {
    let file = SourceFile { path: "r.yaml".into(), text: RULE.replace("GEO", geo) };
    let asked = ApplyRequest { files: vec![file], dry_run, ..ApplyRequest::default() };
    admin.apply(root(asked)).await.unwrap().into_inner()
}

fn told(faults: &[Fault]) -> Vec<(u32, &str, &str)> {
    faults.iter().map(|fault| (fault.line, &*fault.field, &*fault.message)).collect()
}

#[tokio::test]
async fn a_file_that_spells_a_geo_otherwise_is_refused_and_one_that_nobody_is_in_is_warned_of() {
    let House { admin, _fixture } = inhabited().await;
    let refused = applied(&admin, "EU", true).await;
    let [(8, "spec.geos[1]", message)] = told(&refused.faults)[..] else { panic!("{:?}", refused.faults) };
    assert!(message.contains("write `eu`") && message.contains("nodes forget"), "{message}");
    let slip = applied(&admin, "euu", true).await;
    assert_eq!(told(&slip.warnings), [(8, "spec.geos[1]", "no node is known in `euu`: did you mean `eu`?")]);
    let early = applied(&admin, "mars", false).await;
    assert_eq!((early.faults.len(), early.changes.len()), (0, 1), "policy may come before nodes");
    assert_eq!(told(&early.warnings)[0].2, "no node is known in `mars`: known are `eu`");
    assert!(applied(&admin, "mars", false).await.warnings.is_empty(), "what changes nothing is told once");
    let nobody = house().await;
    let first = applied(&nobody.admin, "EU", false).await;
    assert_eq!((first.faults.len(), first.warnings.len()), (0, 0), "while no node is known");
}

#[tokio::test]
async fn a_resource_and_a_key_are_held_to_the_same() {
    let House { admin, _fixture } = inhabited().await;
    let create = |geo: &str| {
        let spec = RuleSpec {
            layer: "organisation".into(),
            effect: "forbid".into(),
            when: "purpose == 'x'".into(),
            geos: vec![geo.into()],
            ..RuleSpec::default()
        };
        let rule = Rule { spec: Some(spec), ..Rule::default() };
        admin.create_rule(root(CreateRuleRequest {
            rule_id: "r".into(),
            rule: Some(rule),
            ..Default::default()
        }))
    };
    let refusal = Refusal::of_status(&create("Eu").await.unwrap_err());
    assert_eq!((refusal.code, &*refusal.fields[0].field), (ErrorCode::InvalidRequest, "spec.geos[0]"));
    let rule = create("eu").await.unwrap().into_inner();
    let mut other = rule.clone();
    other.spec.as_mut().unwrap().geos = vec!["EU".into()];
    let update = UpdateRuleRequest { rule: Some(other), ..UpdateRuleRequest::default() };
    assert_eq!(code(admin.update_rule(root(update)).await), ErrorCode::InvalidRequest);

    let key = async |geo: &str| {
        let (principal, team, geos) = ("ada".into(), "research".into(), vec![geo.into()]);
        let spec = KeySpec { principal, team, geos, ..KeySpec::default() };
        let key = Some(Key { spec: Some(spec), ..Key::default() });
        admin.create_key(root(CreateKeyRequest { parent: "tenants/acme".into(), key })).await
    };
    let refusal = Refusal::of_status(&key("EU").await.unwrap_err());
    assert_eq!(refusal.fields[0].field, "key.spec.geos[0]");
    assert!(refusal.fields[0].message.contains("write `eu`"), "{refusal:?}");
    let warned = key("euu").await.unwrap().into_inner().warnings;
    assert_eq!(warned, ["spec.geos[0]: no node is known in `euu`: did you mean `eu`?"]);
    assert!(key("eu").await.unwrap().into_inner().warnings.is_empty());
}

#[tokio::test]
async fn whoever_enrols_in_another_spelling_is_told_the_way_out() {
    let House { admin, _fixture } = house().await;
    admin.nodes.await_node(&"EU".parse().unwrap(), &"eu-1".parse().unwrap());
    let asked = EnrolNodeRequest { geo: "eu".into(), new_geo: true, ..EnrolNodeRequest::default() };
    let refusal = Refusal::of_status(&admin.enrol_node(root(asked)).await.unwrap_err());
    let told = &refusal.fields[0].message;
    assert!(told.contains("`eu` is known as `EU`") && told.contains("nodes forget"), "{told}");
    admin.forget_node(root(ForgetNodeRequest { name: "nodes/eu-1".into() })).await.unwrap();
    assert!(applied(&admin, "eu", false).await.faults.is_empty());
}

#[tokio::test]
async fn a_dry_run_names_the_fields_that_would_change() {
    let House { admin, _fixture } = house().await;
    assert!(applied(&admin, "us", false).await.differences.is_empty(), "what is done is told by history");
    let would = applied(&admin, "uk", true).await;
    let [diff] = &would.differences[..] else { panic!("{would:?}") };
    assert_eq!((&*diff.name, &*diff.change, would.more_differences), ("rules/r", "updated", false));
    let fields: Vec<_> = diff.fields.iter().map(|f| (&*f.path, &*f.before, &*f.after)).collect();
    assert_eq!(fields, [("spec.geos[1]", "\"us\"", "\"uk\"")]);
    assert_eq!(applied(&admin, "us", true).await.differences, vec![]);
    let head = admin.get_revision(root(GetRevisionRequest { name: "revisions/head".into() })).await.unwrap();
    let before =
        admin.get_revision(root(GetRevisionRequest { name: "revisions/head~1".into() })).await.unwrap();
    let (head, before) = (head.into_inner().revision, before.into_inner().revision);
    assert_eq!((head, before), (admin.publisher.current().head.revision, head - 1));
    for wrong in ["revisions/head~", "revisions/headless", "revisions/head~99"] {
        let asked = GetRevisionRequest { name: wrong.into() };
        assert_eq!(code(admin.get_revision(root(asked)).await), ErrorCode::InvalidRequest, "{wrong}");
    }
}
