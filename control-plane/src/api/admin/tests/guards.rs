//! What is published is what nodes take: more, and much less, is refused before.

use proto::admin::kills_service_server::KillsService;

use super::*;

fn file(text: &str) -> ApplyRequest {
    let file = SourceFile { path: "a.yaml".into(), text: text.into() };
    ApplyRequest { files: vec![file], ..ApplyRequest::default() }
}

fn roles(geos: &str) -> ApplyRequest {
    let role = |number: usize| {
        format!(
            "apiVersion: chancery/v1\nkind: Role\nmetadata: {{name: role-{number}}}\n\
             spec: {{permissions: [{{action: infer, models: [a]}}], geos: [{geos}]}}\n---\n"
        )
    };
    file(&(0..100).map(role).collect::<String>())
}

#[tokio::test]
async fn a_resource_that_no_node_takes_is_refused_where_it_is_declared() {
    let House { admin, _fixture } = house().await;
    let before = admin.publisher.current().head.revision;
    let models = vec!["a-model-of-many-*"; 70_000].join(", ");
    let role = format!(
        "apiVersion: chancery/v1\nkind: Role\nmetadata: {{name: big}}\nspec: {{permissions: [{{action: infer, models: [{models}]}}]}}\n"
    );
    let answer = admin.apply(root(file(&role))).await.unwrap().into_inner();
    let said: Vec<&str> = answer.faults.iter().map(|fault| fault.message.as_str()).collect();
    assert!(said.first().is_some_and(|said| said.contains("and a resource has 1048576 at most")), "{said:?}");
    assert_eq!(admin.publisher.current().head.revision, before);
    let name = "big".to_owned();
    let permission =
        Permission { action: "infer".into(), models: vec!["a*".repeat(30); 20_000], ..Default::default() };
    let spec = RoleSpec { permissions: vec![permission], ..Default::default() };
    let asked = CreateRoleRequest {
        role_id: name,
        role: Some(Role { spec: Some(spec), ..Default::default() }),
        ..Default::default()
    };
    let refused = proto::admin::roles_service_server::RolesService::create_role(&admin, root(asked)).await;
    assert_eq!(code(refused), ErrorCode::InvalidRequest);
}

#[tokio::test]
async fn what_would_leave_a_geo_bare_is_refused_and_named_unless_it_is_meant() {
    let House { admin, _fixture } = house().await;
    let geo = "eu".parse().unwrap();
    admin.publisher.follow(&geo).await.unwrap();
    admin.apply(root(roles(""))).await.unwrap();
    for validate_only in [true, false] {
        let asked = ApplyRequest { dry_run: validate_only, ..roles("us") };
        let refused = Refusal::of_status(&admin.apply(root(asked)).await.unwrap_err());
        assert_eq!(refused.code, ErrorCode::FailedPrecondition);
        assert!(refused.message.contains(" resources in `eu` "), "{}", refused.message);
    }
    let meant = ApplyRequest { allow_shrink: true, ..roles("us") };
    let revision = admin.apply(root(meant)).await.unwrap().into_inner().revision;
    assert_eq!(admin.publisher.current().shrink_revision, revision);
}

#[tokio::test]
async fn what_was_in_force_can_be_switched_off_for_those_that_have_it_still() {
    let House { admin, _fixture } = house().await;
    let kill = |resource: &str| {
        let spec = KillSpec {
            target: "model".into(),
            resource: resource.into(),
            reason: "a leak".into(),
            ..KillSpec::default()
        };
        CreateKillRequest { kill: Some(Kill { spec: Some(spec), ..Kill::default() }), ..Default::default() }
    };
    let world = admin.publisher.current();
    let (id, _) = world.registry.all(Kind::Model).next().unwrap();
    let name = proto::name::format(Kind::Model, id);
    let asked = DeleteModelRequest { name: name.clone(), ..Default::default() };
    let deleted = proto::admin::models_service_server::ModelsService::delete_model(&admin, root(asked)).await;
    deleted.unwrap();
    assert_eq!(code(admin.create_kill(root(kill("models/never-was"))).await), ErrorCode::InvalidRequest);
    let made = admin.create_kill(root(kill(&name))).await.unwrap().into_inner();
    assert_eq!(made.spec.unwrap().resource, name);
}
