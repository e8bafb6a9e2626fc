//! The admin API, called in process: every answer and every refusal a caller can get.

mod captured;
mod geos;
mod guards;
mod history;
mod keys;
mod kills;
mod nodes;
mod proofs;
mod proposals;
mod subjects;
mod upstream;

use policy_engine::vocabulary::{Action, Kind};
use prost_types::FieldMask;
use proto::admin::audit_service_server::AuditService;
use proto::admin::endpoints_service_server::EndpointsService;
use proto::admin::keys_service_server::KeysService;
use proto::admin::nodes_service_server::NodesService;
use proto::admin::policy_service_server::PolicyService;
use proto::admin::revisions_service_server::RevisionsService;
use proto::admin::teams_service_server::TeamsService;
use proto::admin::tenants_service_server::TenantsService;
use proto::admin::*;
use proto::code::ErrorCode;
use proto::status::Refusal;
use tonic::{Request, Status};

use super::*;
use crate::actor::{TokenDigest, token_digest};
use crate::publish::tests::{Fixture, fixture};

const TOKEN: &str = "root-token";
const WORLD: &str = include_str!("tests/world.yaml");

struct House {
    admin: Admin,
    _fixture: Fixture,
}

fn signed<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    request
}

fn root<T>(message: T) -> Request<T> {
    signed(TOKEN, message)
}

fn code<T: std::fmt::Debug>(answer: Result<T, Status>) -> ErrorCode {
    Refusal::of_status(&answer.unwrap_err()).code
}

async fn house() -> House {
    let fixture = fixture().await;
    let token = TokenDigest::of_admin("root", token_digest(TOKEN));
    let authenticator = Authenticator::new(fixture.publisher.clone(), vec![token]);
    let admin = Admin::new(fixture.publisher.clone(), authenticator, NodeRegistry::default());
    let file = SourceFile { path: "world.yaml".into(), text: WORLD.into() };
    let applied = admin
        .apply(root(ApplyRequest { files: vec![file], dry_run: false, ..Default::default() }))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(applied.faults, vec![]);
    House { admin, _fixture: fixture }
}

async fn key(admin: &Admin, tenant: &str, principal: &str, team: &str) -> CreateKeyResponse {
    let spec = KeySpec { principal: principal.into(), team: team.into(), ..KeySpec::default() };
    let key = Key { spec: Some(spec), ..Key::default() };
    let request = CreateKeyRequest { parent: format!("tenants/{tenant}"), key: Some(key) };
    admin.create_key(root(request)).await.unwrap().into_inner()
}

fn team(display: &str) -> Team {
    let spec = TeamSpec { display_name: display.into(), ..TeamSpec::default() };
    Team { spec: Some(spec), ..Team::default() }
}

async fn create(admin: &Admin, token: &str, id: &str, validate_only: bool) -> Result<Team, Status> {
    let request = CreateTeamRequest {
        parent: "tenants/acme".into(),
        team_id: id.into(),
        team: Some(team(id)),
        validate_only,
    };
    admin.create_team(signed(token, request)).await.map(tonic::Response::into_inner)
}

#[tokio::test]
async fn what_all_tenants_have_is_listed_as_far_as_the_caller_may_read_it() {
    let House { admin, _fixture } = house().await;
    let list = async |token: &str, page_size: i32, page_token: &str| {
        let parent = "tenants/-".into();
        let asked = ListTeamsRequest { parent, page_size, page_token: page_token.into() };
        let answer = admin.list_teams(signed(token, asked)).await?.into_inner();
        let names: Vec<String> = answer.teams.into_iter().map(|team| team.name).collect();
        Ok::<_, Status>((names, answer.next_page_token))
    };
    let (all, end) = list(TOKEN, 0, "").await.unwrap();
    let tenants: std::collections::BTreeSet<&str> =
        all.iter().filter_map(|name| name.split('/').nth(1)).collect();
    assert!(tenants.len() > 1 && end.is_empty(), "{all:?}");
    let (mut paged, mut token) = (Vec::new(), String::new());
    loop {
        let (page, next) = list(TOKEN, 1, &token).await.unwrap();
        paged.extend(page);
        token = next;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(paged, all);
    // A principal sees its own tenant's, and one that may read none is told so.
    let reader = key(&admin, "acme", "reader", "research").await.secret;
    let (own, _) = list(&reader, 0, "").await.unwrap();
    assert_eq!(own, ["tenants/acme/teams/research", "tenants/acme/teams/support"]);
    let ada = key(&admin, "acme", "ada", "research").await.secret;
    assert_eq!(code(list(&ada, 0, "").await), ErrorCode::PermissionDenied);
    // A token of one list is none of the other, and what belongs to the platform alone has no such parent.
    let (_, token) = list(TOKEN, 1, "").await.unwrap();
    let asked = ListTeamsRequest { parent: "tenants/acme".into(), page_size: 1, page_token: token };
    assert_eq!(code(admin.list_teams(root(asked)).await), ErrorCode::InvalidRequest);
    let asked = ListTenantsRequest::default();
    assert!(admin.list_tenants(root(asked)).await.is_ok());
    let asked = ListEndpointsRequest { parent: "tenants/-".into(), ..Default::default() };
    let none = admin.list_endpoints(root(asked)).await.unwrap().into_inner();
    assert_eq!(none.endpoints, vec![], "those of the platform are not among them");
}

#[tokio::test]
async fn a_resource_is_made_read_changed_and_removed() {
    let House { admin, .. } = &house().await;
    let before = admin.publisher.current().head.revision;
    let tried = create(admin, TOKEN, "ops", true).await.unwrap();
    assert_eq!(
        (tried.name.as_str(), admin.publisher.current().head.revision),
        ("tenants/acme/teams/ops", before)
    );
    let made = create(admin, TOKEN, "ops", false).await.unwrap();
    assert_eq!((made.revision, made.etag.is_empty()), (before + 1, false));
    assert_eq!(code(create(admin, TOKEN, "ops", false).await), ErrorCode::AlreadyExists);
    assert_eq!(code(create(admin, TOKEN, "a/b", false).await), ErrorCode::InvalidRequest);

    let name = made.name.clone();
    let read = admin.get_team(root(GetTeamRequest { name: name.clone() })).await.unwrap();
    assert_eq!(read.metadata().get("x-chancery-revision").unwrap(), &(before + 1).to_string());
    assert!(read.metadata().get("x-chancery-request-id").is_some());
    assert_eq!(read.into_inner(), made);

    let mask = FieldMask { paths: vec!["spec.jurisdictions".into()] };
    let mut wanted = team("not masked");
    wanted.name = name.clone();
    wanted.etag = made.etag.clone();
    wanted.spec.as_mut().unwrap().jurisdictions = vec!["EU".into()];
    let update = |team: Team| UpdateTeamRequest {
        team: Some(team),
        update_mask: Some(mask.clone()),
        ..Default::default()
    };
    let changed = admin.update_team(root(update(wanted.clone()))).await.unwrap().into_inner();
    let spec = changed.spec.clone().unwrap();
    assert_eq!((spec.display_name.as_str(), spec.jurisdictions.len()), ("ops", 1));
    assert_eq!((changed.create_time, changed.revision), (made.create_time, before + 2));
    wanted.spec.as_mut().unwrap().jurisdictions = vec!["US".into()];
    assert_eq!(code(admin.update_team(root(update(wanted.clone()))).await), ErrorCode::EtagMismatch);
    wanted.name = "tenants/acme/teams/none".into();
    assert_eq!(code(admin.update_team(root(update(wanted.clone()))).await), ErrorCode::NotFound);
    let upsert = UpdateTeamRequest { allow_missing: true, ..update(wanted) };
    assert_eq!(admin.update_team(root(upsert)).await.unwrap().into_inner().name, "tenants/acme/teams/none");

    let delete =
        |etag: &str| DeleteTeamRequest { name: name.clone(), etag: etag.into(), ..Default::default() };
    assert_eq!(code(admin.delete_team(root(delete("stale"))).await), ErrorCode::EtagMismatch);
    admin.delete_team(root(delete(&changed.etag))).await.unwrap();
    assert_eq!(code(admin.delete_team(root(delete(""))).await), ErrorCode::NotFound);
    let again = DeleteTeamRequest { allow_missing: true, ..delete("") };
    admin.delete_team(root(again)).await.unwrap();
    assert_eq!(code(admin.get_team(root(GetTeamRequest { name })).await), ErrorCode::NotFound);
}

#[tokio::test]
async fn faults_are_named_by_field_and_a_referenced_thing_stays() {
    let House { admin, .. } = &house().await;
    let mut bad = team("x");
    bad.spec.as_mut().unwrap().geos = vec!["a/b".into()];
    let request = CreateTeamRequest {
        parent: "tenants/acme".into(),
        team_id: "x".into(),
        team: Some(bad),
        validate_only: false,
    };
    let refusal = Refusal::of_status(&admin.create_team(root(request)).await.unwrap_err());
    assert_eq!((refusal.code, refusal.fields[0].field.as_str()), (ErrorCode::InvalidRequest, "spec.geos[0]"));
    let request = DeleteTeamRequest { name: "tenants/acme/teams/research".into(), ..Default::default() };
    let refusal = Refusal::of_status(&admin.delete_team(root(request)).await.unwrap_err());
    assert_eq!(refusal.code, ErrorCode::FailedPrecondition);
    assert!(refusal.fields.iter().any(|f| f.field.contains("tenants/acme/")), "{refusal:?}");
    let missing = CreateTenantRequest { tenant_id: "t".into(), tenant: None, validate_only: false };
    assert_eq!(code(admin.create_tenant(root(missing)).await), ErrorCode::InvalidRequest);
}

#[tokio::test]
async fn lists_come_in_pages_and_a_changed_token_is_refused() {
    let House { admin, .. } = &house().await;
    for n in 0..5 {
        create(admin, TOKEN, &format!("team{n}"), false).await.unwrap();
    }
    let (mut names, mut token) = (Vec::new(), String::new());
    loop {
        let request = ListTeamsRequest { parent: "tenants/acme".into(), page_size: 2, page_token: token };
        let page = admin.list_teams(root(request)).await.unwrap().into_inner();
        assert!(page.teams.len() <= 2);
        names.extend(page.teams.into_iter().map(|team| team.name));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
        let elsewhere =
            ListTeamsRequest { parent: "tenants/other".into(), page_size: 2, page_token: token.clone() };
        assert_eq!(code(admin.list_teams(root(elsewhere)).await), ErrorCode::InvalidRequest);
    }
    let mut sorted = names.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!((names.len(), &sorted), (7, &names));
    let list = |parent: &str| ListTeamsRequest { parent: parent.into(), ..Default::default() };
    assert_eq!(code(admin.list_teams(root(list("tenants/nobody"))).await), ErrorCode::NotFound);
    assert_eq!(code(admin.list_teams(root(list(""))).await), ErrorCode::InvalidRequest);
    assert_eq!(
        admin.list_tenants(root(ListTenantsRequest::default())).await.unwrap().into_inner().tenants.len(),
        2
    );
}

#[tokio::test]
async fn only_who_is_granted_it_may_and_others_things_are_not_there() {
    let House { admin, .. } = &house().await;
    let get = |name: &str| GetTeamRequest { name: name.into() };
    assert_eq!(
        code(admin.get_team(Request::new(get("tenants/acme/teams/research"))).await),
        ErrorCode::MissingApiKey
    );
    for token in ["wrong", "chy_abc_def", "chy_"] {
        assert_eq!(
            code(admin.get_team(signed(token, get("tenants/acme/teams/research"))).await),
            ErrorCode::InvalidApiKey
        );
    }
    let boss = key(admin, "acme", "boss", "research").await.secret;
    let ada = key(admin, "acme", "ada", "research").await.secret;
    admin.get_team(signed(&boss, get("tenants/acme/teams/research"))).await.unwrap();
    create(admin, &boss, "made-by-boss", false).await.unwrap();
    assert_eq!(code(create(admin, &ada, "made-by-ada", false).await), ErrorCode::PermissionDenied);
    assert_eq!(
        code(admin.get_team(signed(&ada, get("tenants/acme/teams/research"))).await),
        ErrorCode::PermissionDenied
    );
    for name in ["tenants/other/teams/research", "tenants/other/teams/none", "tenants/none/teams/x"] {
        assert_eq!(code(admin.get_team(signed(&boss, get(name))).await), ErrorCode::NotFound, "{name}");
    }
    let platform = CreateTenantRequest {
        tenant_id: "mine".into(),
        tenant: Some(Tenant::default()),
        validate_only: false,
    };
    assert_eq!(code(admin.create_tenant(signed(&boss, platform)).await), ErrorCode::NotFound);
    assert_eq!(
        code(admin.list_revisions(signed(&boss, Default::default())).await),
        ErrorCode::PermissionDenied
    );
    let exported = admin.export(signed(&boss, ExportRequest::default())).await.unwrap().into_inner().text;
    assert!(exported.contains("name: acme") && !exported.contains("other"), "{exported}");

    let events = admin.list_audit_events(root(Default::default())).await.unwrap().into_inner().audit_events;
    let refused: Vec<&AuditEvent> = events.iter().filter(|e| e.outcome == "permission_denied").collect();
    assert!(refused.iter().any(|e| e.action.ends_with("TeamsService/CreateTeam")
        && e.actor == "tenants/acme/principals/ada"
        && !e.key_id.is_empty()));
    let hidden = events.iter().find(|e| e.outcome == "not_found").unwrap();
    assert_eq!(
        (hidden.resource.as_str(), hidden.actor.as_str()),
        ("tenants/mine", "tenants/acme/principals/boss")
    );
    let made = events.iter().find(|e| e.resource.ends_with("made-by-boss")).unwrap();
    assert_eq!((made.actor.as_str(), made.outcome.as_str()), ("tenants/acme/principals/boss", "ok"));
    let one = admin.get_audit_event(root(GetAuditEventRequest { name: made.name.clone() })).await.unwrap();
    assert_eq!(&one.into_inner(), made);
}

#[tokio::test]
async fn history_tells_what_each_revision_changed() {
    let House { admin, .. } = &house().await;
    create(admin, TOKEN, "ops", false).await.unwrap();
    let list = ListRevisionsRequest { page_size: 1, ..Default::default() };
    let page = admin.list_revisions(root(list)).await.unwrap().into_inner();
    let newest = page.revisions[0].clone();
    assert_eq!((newest.changes.len(), newest.changes[0].name.as_str()), (1, "tenants/acme/teams/ops"));
    assert_eq!((newest.actor.as_str(), newest.changes[0].change.as_str()), ("platform/root", "created"));
    let next = ListRevisionsRequest { page_size: 1, page_token: page.next_page_token, ..Default::default() };
    let first = admin.list_revisions(root(next)).await.unwrap().into_inner();
    assert_eq!((first.revisions[0].revision, first.next_page_token.as_str()), (1, ""));
    let one = admin
        .get_revision(root(GetRevisionRequest { name: newest.name.clone() }))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(one, newest);
    assert_eq!(
        code(admin.get_revision(root(GetRevisionRequest { name: "revisions/99".into() })).await),
        ErrorCode::NotFound
    );
    assert!(admin.list_nodes(root(ListNodesRequest::default())).await.unwrap().into_inner().nodes.is_empty());
}

/// The world's endpoint in the EU, which now rejects fields outside the published schema.
fn rejecting() -> SourceFile {
    let text = "apiVersion: chancery/v1\nkind: Endpoint\nmetadata: {name: sim-eu}\nspec: {provider: sim, upstreamModel: fast, \
                processingRegions: [EU], storageRegions: [EU], unknownFields: reject}\n";
    SourceFile { path: "e".into(), text: text.into() }
}

#[tokio::test]
async fn a_decision_is_explained_by_the_revision_that_is_asked() {
    let House { admin, .. } = &house().await;
    let ask = |model: &str, geo: &str| ExplainRequest {
        principal: "tenants/acme/principals/ada".into(),
        model: model.into(),
        geo: geo.into(),
        ..Default::default()
    };
    let allowed = admin.explain(root(ask("fast", "eu"))).await.unwrap().into_inner();
    assert_eq!(
        (allowed.effect.as_str(), allowed.model.as_str()),
        ("allow", "models/sim-fast"),
        "{allowed:?}"
    );
    assert_eq!(allowed.matched_grants, ["tenants/acme/grants/research-chat"]);
    assert_eq!(allowed.limits, ["tenants/acme/limits/rpm"]);
    let open: Vec<(&str, bool)> =
        allowed.candidates.iter().map(|c| (c.endpoint.as_str(), c.permitted)).collect();
    assert_eq!(open, [("endpoints/sim-eu", true), ("endpoints/sim-us", false)]);
    assert_eq!(allowed.candidates[1].reasons[0].code, "residency_unsatisfied");
    assert_eq!(allowed.matched_rules[0].name, "rules/eu-residency");
    assert_eq!(allowed.obligations[0].residency, ["EU"]);
    let tools = ExplainRequest { egress_tools: vec!["web_search".into()], ..ask("fast", "eu") };
    let refused = admin.explain(root(tools)).await.unwrap().into_inner();
    assert_eq!(refused.reasons[0].code, "permit_missing", "{refused:?}");
    let from = |place: &str| ExplainRequest { subject_residency: vec![place.into()], ..ask("fast", "eu") };
    assert!(admin.explain(root(from("de-by"))).await.is_ok(), "read as a node reads it");
    assert_eq!(admin.explain(root(from("europe"))).await.unwrap_err().code(), tonic::Code::InvalidArgument);
    admin
        .apply(root(ApplyRequest { files: vec![rejecting()], dry_run: false, ..Default::default() }))
        .await
        .unwrap();
    let fields = |names: &[&str]| names.iter().map(ToString::to_string).collect();
    let plugins = ExplainRequest { unknown_fields: fields(&["seed", "plugins"]), ..ask("fast", "eu") };
    let refused = admin.explain(root(plugins)).await.unwrap().into_inner();
    assert_eq!(refused.reasons[0].code, "unknown_field", "{refused:?}");
    assert!(refused.reasons[0].message.contains("`plugins`"), "{refused:?}");
    assert_eq!(refused.candidates[0].reasons[0].code, "unknown_field");
    let seed = ExplainRequest { unknown_fields: fields(&["seed"]), ..ask("fast", "eu") };
    assert_eq!(admin.explain(root(seed)).await.unwrap().into_inner().effect, "allow", "it is published");
    let guarded = "apiVersion: chancery/v1\nkind: Guardrail\nmetadata: {name: baseline}\nspec: {applies: {models: [\"*\"]}, \
                   input: [{detect: EMAIL, action: mask}, {words: [project-x], action: block}], output: [{detect: PHONE, action: mask}]}\n";
    let files = vec![SourceFile { path: "g".into(), text: guarded.into() }];
    admin.apply(root(ApplyRequest { files, dry_run: false, ..Default::default() })).await.unwrap();
    let allowed = admin.explain(root(ask("fast", "eu"))).await.unwrap().into_inner();
    let acts: Vec<String> = allowed
        .content_actions
        .iter()
        .map(|a| format!("{} {} {}", a.direction, a.action, a.finding))
        .collect();
    assert_eq!(acts, ["input mask EMAIL", "input block words[0]", "output mask PHONE"]);
    let unknown = admin.explain(root(ask("gpt-9", "eu"))).await.unwrap().into_inner();
    assert_eq!((unknown.effect.as_str(), unknown.reasons[0].code.as_str()), ("deny", "model_not_found"));

    let rule = "apiVersion: chancery/v1\nkind: Rule\nmetadata: {name: no-chat}\nspec: {layer: organisation, effect: forbid, legalRef: Policy 7}\n";
    let file = SourceFile { path: "r".into(), text: rule.into() };
    admin
        .apply(root(ApplyRequest { files: vec![file], dry_run: false, ..Default::default() }))
        .await
        .unwrap();
    let denied = admin.explain(root(ask("fast", "eu"))).await.unwrap().into_inner();
    let reason = &denied.reasons[0];
    assert_eq!((denied.effect.as_str(), reason.code.as_str()), ("deny", "rule_forbids"));
    assert_eq!((reason.resource.as_str(), reason.legal_ref.as_str()), ("rules/no-chat", "Policy 7"));
    let then = ExplainRequest { revision: 1, ..ask("fast", "eu") };
    assert_eq!(admin.explain(root(then)).await.unwrap().into_inner().effect, "allow");
    let nobody = ExplainRequest { principal: "tenants/nope/principals/ada".into(), ..ask("fast", "eu") };
    let refusal = Refusal::of_status(&admin.explain(root(nobody)).await.unwrap_err());
    assert_eq!(refusal.fields[0].message, "there is no tenant `nope`");
    for bad in [
        ask("", "eu"),
        ask("fast", ""),
        ExplainRequest { team: "none".into(), ..ask("fast", "eu") },
        ExplainRequest { revision: 99, ..ask("fast", "eu") },
    ] {
        assert_eq!(code(admin.explain(root(bad)).await), ErrorCode::InvalidRequest);
    }
}

#[tokio::test]
async fn who_may_do_what_is_as_it_was_reviewed() {
    let House { admin, .. } = &house().await;
    let published = admin.publisher.current();
    let principal = |name: &str| crate::actor::Actor::Principal {
        tenant: "acme".parse().unwrap(),
        principal: name.parse().unwrap(),
        team: "research".parse().unwrap(),
        key_id: "k".parse().unwrap(),
    };
    let root = crate::actor::Actor::Platform("root".into());
    let actors = [root, principal("boss"), principal("reader"), principal("ada"), principal("nobody")];
    let (acme, other) = ("acme".parse().unwrap(), "other".parse().unwrap());
    let kinds = proto::name::COLLECTIONS.iter().map(|c| c.plural).chain(proto::name::RECORDS);
    let mut table =
        String::from("kind: action | root boss reader ada nobody, each on the platform, acme, other\n");
    for plural in kinds {
        let actions: &[Action] = match plural {
            "capturedContent" => &[Action::Open],
            _ => &[Action::Read, Action::Write, Action::Audit],
        };
        for action in actions.iter().copied() {
            let row = actors.iter().map(|actor| {
                let domains = [None, Some(&acme), Some(&other)];
                let may = domains
                    .map(|d| if published.permits_plural(actor, action, plural, d) { '✔' } else { '✘' });
                String::from_iter(may)
            });
            table.push_str(&format!("{plural}: {action} | {}\n", row.collect::<Vec<_>>().join(" ")));
        }
    }
    insta::assert_snapshot!("who_may_do_what", table);
}

#[test]
fn every_declared_service_is_served() {
    let services = crate::descriptors::pool().services();
    let declared = services.filter(|s| s.parent_file().package_name() == "chancery.admin.v1").count();
    assert_eq!(
        declared,
        Kind::ALL.len() + 19,
        "one a kind, and kills, revisions, history, rollouts, proposals, decision segments, captured content, audit with its leaves, checkpoints and keys, nodes, their tokens, policy, administrators, elevations, subjects, holds, retentions"
    );
}
