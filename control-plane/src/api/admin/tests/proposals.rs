//! Four eyes: what one principal proposes becomes a revision by another's approval, and in no other way.

use policy_engine::vocabulary::Duration;
use prost::Message as _;
use proto::admin::proposals_service_server::ProposalsService;
use proto::admin::rollouts_service_server::RolloutsService;
use proto::admin::rules_service_server::RulesService;

use super::*;
use crate::approval::ApprovalConfig;
use crate::publish::Terms;
use crate::seal::Sealer;
use crate::store::{Page, Store};

const SECOND: &str = "second-token";

/// A house whose rules and providers two principals change together.
async fn together() -> House {
    together_within(ApprovalConfig::default().valid).await
}

/// The same, where proposals are good for so long.
async fn together_within(valid: Duration) -> House {
    let House { _fixture, .. } = house().await;
    let store = Store::open(&_fixture.dir.path().join("store.db")).await.unwrap();
    let approval = ApprovalConfig { kinds: [Kind::Rule, Kind::Provider].into(), valid };
    let terms = Terms { approval, ..Terms::default() };
    let sealer = std::sync::Arc::new(Sealer::new(&[7; 32]).unwrap());
    let publisher = Publisher::open(store, sealer, terms).await.unwrap();
    let named = |name: &str, token: &str| TokenDigest::of_admin(name, token_digest(token));
    let tokens = vec![named("root", TOKEN), named("second", SECOND)];
    let authenticator = Authenticator::new(publisher.clone(), tokens);
    House { admin: Admin::new(publisher, authenticator, NodeRegistry::default()), _fixture }
}

fn rule(name: &str, when: &str) -> SourceFile {
    let text = format!(
        "apiVersion: chancery/v1\nkind: Rule\nmetadata: {{name: {name}}}\n\
         spec: {{layer: organisation, effect: forbid, when: \"{when}\", mode: enforce}}\n"
    );
    SourceFile { path: "r.yaml".into(), text }
}

fn asked(file: SourceFile, propose: bool) -> ApplyRequest {
    ApplyRequest { files: vec![file], propose, ..ApplyRequest::default() }
}

async fn apply(admin: &Admin, token: &str, asked: ApplyRequest) -> Result<ApplyResponse, Status> {
    admin.apply(signed(token, asked)).await.map(tonic::Response::into_inner)
}

/// The name of a proposal of a rule.
async fn proposed(admin: &Admin, token: &str, file: SourceFile) -> String {
    let answer = apply(admin, token, asked(file, true)).await.unwrap();
    assert_eq!((answer.faults.as_slice(), answer.revision), (&[][..], 0));
    assert!(!answer.proposal.is_empty());
    answer.proposal
}

async fn approve(admin: &Admin, token: &str, name: &str) -> Result<ApproveProposalResponse, Status> {
    let asked = ApproveProposalRequest { name: name.into() };
    admin.approve_proposal(signed(token, asked)).await.map(tonic::Response::into_inner)
}

async fn reject(admin: &Admin, token: &str, name: &str) -> Result<Proposal, Status> {
    let asked = RejectProposalRequest { name: name.into() };
    admin.reject_proposal(signed(token, asked)).await.map(tonic::Response::into_inner)
}

async fn got(admin: &Admin, name: &str) -> Proposal {
    admin.get_proposal(root(GetProposalRequest { name: name.into() })).await.unwrap().into_inner()
}

fn refusal<T: std::fmt::Debug>(answer: Result<T, Status>) -> (ErrorCode, String) {
    let refusal = Refusal::of_status(&answer.unwrap_err());
    (refusal.code, refusal.message)
}

async fn newest_event(admin: &Admin) -> AuditEvent {
    let rows = admin.publisher.store().events(Page { before: None, size: 1 }).await.unwrap();
    AuditEvent::decode(rows[0].body.as_slice()).unwrap()
}

fn head(admin: &Admin) -> i64 {
    admin.publisher.current().head.revision
}

#[tokio::test]
async fn one_principal_changes_nothing_of_such_a_kind_alone() {
    let House { admin, .. } = &together().await;
    let before = head(admin);
    let held = |answer: (ErrorCode, String)| {
        assert_eq!(answer.0, ErrorCode::FailedPrecondition);
        assert!(answer.1.contains("chancery apply --propose"), "{}", answer.1);
    };
    held(refusal(apply(admin, TOKEN, asked(rule("x", "true"), false)).await));
    let staged = ApplyRequest { staged: true, ..asked(rule("x", "true"), false) };
    held(refusal(apply(admin, TOKEN, staged).await));
    let files = vec![rule("eu-residency", "true")];
    held(refusal(PolicyService::delete(admin, root(DeleteRequest { files, ..Default::default() })).await));
    let name = "rules/eu-residency".to_owned();
    held(refusal(admin.delete_rule(root(DeleteRuleRequest { name, ..Default::default() })).await));
    let name = "rules/eu-residency".to_owned();
    let found = admin.get_rule(root(GetRuleRequest { name })).await.unwrap().into_inner();
    let mut changed = found.clone();
    changed.spec.as_mut().unwrap().when = "false".into();
    let update = UpdateRuleRequest { rule: Some(changed), ..Default::default() };
    held(refusal(admin.update_rule(root(update)).await));
    let rule_id = "y".to_owned();
    let made = CreateRuleRequest {
        rule_id,
        rule: Some(Rule { spec: found.spec, ..Rule::default() }),
        ..Default::default()
    };
    held(refusal(admin.create_rule(root(made)).await));
    assert_eq!(head(admin), before);

    // What changes nothing, is only tried, is of another kind, or takes a key back, is not held up.
    let world = SourceFile { path: "world.yaml".into(), text: WORLD.into() };
    assert_eq!(apply(admin, TOKEN, asked(world, false)).await.unwrap().revision, 0);
    let dry = ApplyRequest { dry_run: true, propose: true, ..asked(rule("x", "true"), false) };
    let dry = apply(admin, TOKEN, dry).await.unwrap();
    assert_eq!((dry.changes[0].change.as_str(), dry.proposal.as_str()), ("created", ""));
    let made = key(admin, "acme", "ada", "research").await.key.unwrap();
    let revoked = admin.revoke_key(root(RevokeKeyRequest { name: made.name })).await.unwrap().into_inner();
    assert!(revoked.revoke_time.is_some());
}

#[tokio::test]
async fn what_one_proposes_another_approves_once() {
    let House { admin, .. } = &together().await;
    let before = head(admin);
    let mut request = signed(TOKEN, asked(rule("x", "true"), true));
    request.metadata_mut().insert("x-chancery-reason", "because".parse().unwrap());
    request.metadata_mut().insert("x-chancery-ticket", "T-1".parse().unwrap());
    let name = admin.apply(request).await.unwrap().into_inner().proposal;
    assert_eq!(name, "proposals/1");
    let event = newest_event(admin).await;
    assert_eq!((event.changes[0].name.as_str(), event.actor.as_str()), ("proposals/1", "platform/root"));
    let found = got(admin, &name).await;
    assert_eq!((found.state.as_str(), found.proposer.as_str()), ("pending", "platform/root"));
    assert_eq!((found.reason.as_str(), found.ticket.as_str()), ("because", "T-1"));
    assert_eq!((found.base_revision, found.files.as_slice()), (before, &[rule("x", "true")][..]));
    assert_eq!(head(admin), before);

    let (code, line) = refusal(approve(admin, TOKEN, &name).await);
    assert_eq!(code, ErrorCode::PermissionDenied);
    assert!(line.contains("another principal is to approve it"), "{line}");
    let done = approve(admin, SECOND, &name).await.unwrap();
    let published = done.proposal.unwrap();
    assert_eq!((published.state.as_str(), published.revision), ("published", before + 1));
    assert_eq!((published.approver.as_str(), published.rollout.as_str()), ("platform/second", ""));
    assert_eq!(head(admin), before + 1);
    let event = newest_event(admin).await;
    assert_eq!((event.resource.as_str(), event.actor.as_str()), ("proposals/1", "platform/second"));
    assert_eq!((event.changes[0].name.as_str(), event.revision), ("rules/x", before + 1));
    for token in [TOKEN, SECOND] {
        assert_eq!(refusal(approve(admin, token, &name).await).1, "it is published, not pending");
        assert_eq!(refusal(reject(admin, token, &name).await).1, "it is published, not pending");
    }
    let idle = apply(admin, TOKEN, asked(rule("x", "true"), true)).await.unwrap();
    assert_eq!((idle.proposal.as_str(), idle.changes[0].change.as_str()), ("", "unchanged"));

    let files = vec![rule("x", "true")];
    let removing = DeleteRequest { files, propose: true, ..Default::default() };
    let name = PolicyService::delete(admin, root(removing)).await.unwrap().into_inner().proposal;
    approve(admin, SECOND, &name).await.unwrap();
    assert_eq!(newest_event(admin).await.changes[0].change, "deleted");
}

#[tokio::test]
async fn of_several_who_decide_at_once_one_does() {
    let House { admin, .. } = &together().await;
    let name = proposed(admin, TOKEN, rule("x", "true")).await;
    let before = head(admin);
    let (one, two, three) = tokio::join!(
        approve(admin, SECOND, &name),
        reject(admin, TOKEN, &name),
        approve(admin, SECOND, &name)
    );
    let done = [one.is_ok(), two.is_ok(), three.is_ok()];
    assert_eq!(done.iter().filter(|done| **done).count(), 1, "{done:?}");
    let state = got(admin, &name).await.state;
    assert_eq!(head(admin) - before, i64::from(state == "published"), "{state}");
}

#[tokio::test]
async fn a_rejected_proposal_stays_out_and_a_list_has_all() {
    let House { admin, .. } = &together().await;
    let before = head(admin);
    let names =
        [proposed(admin, TOKEN, rule("a", "true")).await, proposed(admin, TOKEN, rule("b", "true")).await];
    // Who proposed it may take it back.
    let rejected = reject(admin, TOKEN, &names[0]).await.unwrap();
    assert_eq!((rejected.state.as_str(), rejected.rejecter.as_str()), ("rejected", "platform/root"));
    assert_eq!(newest_event(admin).await.action, "chancery.admin.v1.ProposalsService/RejectProposal");
    assert_eq!(refusal(approve(admin, SECOND, &names[0]).await).1, "it is rejected, not pending");
    assert_eq!(head(admin), before);
    let list = async |page_size, page_token: &str| {
        let asked = ListProposalsRequest { page_size, page_token: page_token.into() };
        admin.list_proposals(root(asked)).await.unwrap().into_inner()
    };
    let first = list(1, "").await;
    let second = list(1, &first.next_page_token).await;
    let found = [&second.proposals[0], &first.proposals[0]].map(|p| (p.name.clone(), p.files.len()));
    assert_eq!(found, names.map(|name| (name, 0)));
    assert!(second.next_page_token.is_empty());
    assert_eq!(code(approve(admin, SECOND, "proposals/3").await), ErrorCode::NotFound);
    assert_eq!(code(approve(admin, SECOND, "proposals/+1").await), ErrorCode::InvalidRequest);
}

#[tokio::test]
async fn what_no_longer_compiles_stays_and_what_was_overtaken_is_over() {
    let House { admin, .. } = &together().await;
    let world = |text: &str| SourceFile { path: "w.yaml".into(), text: text.into() };
    let role = "apiVersion: chancery/v1\nkind: Role\nmetadata: {name: base}\nspec: {permissions: [{action: read}]}\n";
    assert!(apply(admin, TOKEN, asked(world(role), false)).await.unwrap().revision > 0);
    let heir = "apiVersion: chancery/v1\nkind: Role\nmetadata: {name: heir}\nspec: {inherits: [base]}\n---\n";
    let both = SourceFile { path: "b.yaml".into(), text: format!("{heir}{}", rule("x", "true").text) };
    let name = proposed(admin, TOKEN, both).await;
    let base = "roles/base".to_owned();
    let gone = DeleteRoleRequest { name: base, ..Default::default() };
    proto::admin::roles_service_server::RolesService::delete_role(admin, root(gone)).await.unwrap();
    let before = head(admin);
    let faulty = approve(admin, SECOND, &name).await.unwrap();
    assert_eq!((faulty.faults[0].path.as_str(), faulty.faults[0].line), ("b.yaml", 4));
    assert_eq!((faulty.proposal.unwrap().state.as_str(), head(admin)), ("pending", before));
    assert!(apply(admin, TOKEN, asked(world(role), false)).await.unwrap().revision > 0);
    assert_eq!(approve(admin, SECOND, &name).await.unwrap().faults, vec![]);

    // Two of one rule: the second would undo what the first did, which its approver was not shown.
    let names =
        [proposed(admin, TOKEN, rule("x", "false")).await, proposed(admin, TOKEN, rule("x", "1 == 1")).await];
    approve(admin, SECOND, &names[0]).await.unwrap();
    let before = head(admin);
    let (code, line) = refusal(approve(admin, SECOND, &names[1]).await);
    assert_eq!(code, ErrorCode::FailedPrecondition);
    assert!(line.starts_with("`rules/x` was changed after it was proposed at revision"), "{line}");
    let over = got(admin, &names[1]).await;
    assert_eq!((over.state.as_str(), over.decision_reason, head(admin)), ("superseded", line, before));
}

#[tokio::test]
async fn a_proposal_is_judged_as_a_dry_run_is_and_keeps_no_secret() {
    let House { admin, _fixture } = &together().await;
    let faulty = apply(admin, TOKEN, asked(rule("x", "nonsense("), true)).await.unwrap();
    assert!(!faulty.faults.is_empty() && faulty.proposal.is_empty());
    let provider = |credential: &str| SourceFile {
        path: "p.yaml".into(),
        text: format!(
            "apiVersion: chancery/v1\nkind: Provider\nmetadata: {{name: p}}\nspec:\n  adapter: simulated\n  credential:\n    {credential}\n"
        ),
    };
    let refused = apply(admin, TOKEN, asked(provider("value: sk-very-secret"), true)).await.unwrap();
    let [fault] = refused.faults.as_slice() else { panic!("{refused:?}") };
    assert_eq!((fault.line, fault.field.as_str()), (7, "spec.credential.value"));
    assert!(!fault.message.contains("sk-very"), "{fault:?}");
    let removing =
        DeleteRequest { files: vec![provider("value: sk-very-secret")], propose: true, ..Default::default() };
    assert_eq!(PolicyService::delete(admin, root(removing)).await.unwrap().into_inner().faults.len(), 1);
    let name = proposed(admin, TOKEN, provider("env: SOME_KEY")).await;
    assert_eq!(name, "proposals/1", "nothing was kept of what was refused");
    assert_eq!(approve(admin, SECOND, &name).await.unwrap().faults, vec![]);
    for entry in std::fs::read_dir(_fixture.dir.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(7).any(|part| part == b"sk-very"));
    }
}

#[tokio::test]
async fn who_may_not_write_or_read_it_all_does_not_decide_or_see_it() {
    let House { admin, .. } = &together().await;
    let rivals = "---\napiVersion: chancery/v1\nkind: Principal\nmetadata: {name: rival, tenant: other}\n\
        spec: {type: user, teams: [research]}\n---\napiVersion: chancery/v1\nkind: Grant\nmetadata: {name: rival, tenant: other}\n\
        spec: {role: tenant-admin, to: {principal: rival}}\n";
    let rivals = SourceFile { path: "o.yaml".into(), text: rivals.into() };
    assert!(apply(admin, TOKEN, asked(rivals, false)).await.unwrap().revision > 0);
    let boss = key(admin, "acme", "boss", "research").await.secret;
    let again = key(admin, "acme", "boss", "research").await.secret;
    let reader = key(admin, "acme", "reader", "research").await.secret;
    let ada = key(admin, "acme", "ada", "research").await.secret;
    let rival = key(admin, "other", "rival", "research").await.secret;
    let of_acme = rule("own, tenant: acme", "true");
    let name = proposed(admin, &boss, of_acme).await;
    let of_platform = proposed(admin, TOKEN, rule("x", "true")).await;

    // Another key is no other principal.
    assert_eq!(code(approve(admin, &again, &name).await), ErrorCode::PermissionDenied);
    for (token, refused) in [
        (&reader, ErrorCode::PermissionDenied),
        (&ada, ErrorCode::PermissionDenied),
        (&rival, ErrorCode::NotFound),
    ] {
        assert_eq!(code(approve(admin, token, &name).await), refused);
        assert_eq!(code(reject(admin, token, &name).await), refused);
    }
    assert_eq!(code(approve(admin, &boss, &of_platform).await), ErrorCode::PermissionDenied);
    let list = async |token: &str| {
        let answer = admin.list_proposals(signed(token, ListProposalsRequest::default())).await?.into_inner();
        Ok::<_, Status>(answer.proposals.into_iter().map(|p| p.name).collect::<Vec<_>>())
    };
    let get = async |token: &str, name: &str| {
        admin.get_proposal(signed(token, GetProposalRequest { name: name.into() })).await
    };
    assert_eq!(list(TOKEN).await.unwrap(), [of_platform.clone(), name.clone()]);
    assert_eq!(list(&boss).await.unwrap(), [name.as_str()]);
    assert_eq!(list(&rival).await.unwrap(), [""; 0]);
    assert_eq!(code(list(&ada).await), ErrorCode::PermissionDenied);
    assert!(get(&boss, &name).await.is_ok());
    assert_eq!(code(get(&rival, &name).await), ErrorCode::NotFound);
    assert_eq!(code(get(&ada, &name).await), ErrorCode::PermissionDenied);
    assert_eq!(approve(admin, TOKEN, &name).await.unwrap().proposal.unwrap().state, "published");
    // It reads what it proposed, whatever became of it.
    assert_eq!(get(&boss, &name).await.unwrap().into_inner().approver, "platform/root");
}

#[tokio::test]
async fn a_staged_proposal_begins_a_rollout_that_one_alone_may_take_back() {
    let House { admin, .. } = &together().await;
    let staged = ApplyRequest { staged: true, manual: true, ..asked(rule("x", "true"), true) };
    let name = apply(admin, TOKEN, staged).await.unwrap().proposal;
    assert!(admin.publisher.lines().borrow().rollout.is_none());
    let published = approve(admin, SECOND, &name).await.unwrap().proposal.unwrap();
    assert_eq!(published.rollout, format!("rollouts/{}", published.revision));
    let active = admin.publisher.lines().borrow().rollout.clone().unwrap();
    assert_eq!((&active.record.name, active.record.manual), (&published.rollout, true));
    let name = published.rollout;
    let ended = admin.abort_rollout(root(AbortRolloutRequest { name })).await.unwrap().into_inner();
    assert_eq!((ended.state.as_str(), ended.rollback_revision), ("aborted", published.revision + 1));
    assert_eq!(
        code(admin.get_rule(root(GetRuleRequest { name: "rules/x".into() })).await),
        ErrorCode::NotFound
    );
}

#[tokio::test]
async fn what_nobody_decided_in_time_is_shown_as_expired_and_is_not_decided() {
    let House { admin, .. } = &together_within(Duration(1)).await;
    let before = head(admin);
    let name = proposed(admin, TOKEN, rule("x", "true")).await;
    while crate::clock::now() <= crate::clock::micros(&got(admin, &name).await.expire_time.unwrap()) {}
    assert_eq!(got(admin, &name).await.state, "expired");
    let asked = ListProposalsRequest::default();
    let listed = admin.list_proposals(root(asked)).await.unwrap().into_inner().proposals;
    assert_eq!((listed[0].name.as_str(), listed[0].state.as_str()), (name.as_str(), "expired"));
    let told = (ErrorCode::FailedPrecondition, "it has expired: propose it again".to_owned());
    assert_eq!(refusal(approve(admin, SECOND, &name).await), told);
    assert_eq!(refusal(reject(admin, TOKEN, &name).await), told);
    assert_eq!(head(admin), before);
    let store = admin.publisher.store();
    assert_eq!(store.pending_proposals(crate::clock::now()).await.unwrap(), 0, "it holds up no other");

    let House { admin, .. } = &together().await;
    let name = proposed(admin, TOKEN, rule("x", "true")).await;
    let made = got(admin, &name).await;
    let good_for = made.expire_time.unwrap().seconds - made.create_time.unwrap().seconds;
    assert_eq!((made.state.as_str(), good_for), ("pending", 7 * 24 * 60 * 60));
}

#[tokio::test]
async fn what_was_in_force_is_put_back_by_two_principals_and_no_more_than_was_shown() {
    use proto::admin::history_service_server::HistoryService;
    let House { admin, _fixture } = &together().await;
    let base = admin.publisher.current().head.revision;
    for name in ["r1", "r2"] {
        let proposal = proposed(admin, TOKEN, rule(name, "purpose == 'x'")).await;
        approve(admin, SECOND, &proposal).await.unwrap();
    }
    let back = |token: &str, propose: bool, resources: &[&str]| {
        let resources = resources.iter().map(ToString::to_string).collect();
        let asked = RollbackRequest { revision: base.to_string(), resources, propose, ..Default::default() };
        admin.rollback(signed(token, asked))
    };
    assert_eq!(code(back(TOKEN, false, &[]).await), ErrorCode::FailedPrecondition, "not alone");
    let kept = back(TOKEN, true, &["rules/r1"]).await.unwrap().into_inner();
    assert_eq!((kept.revision, kept.changes.len(), kept.differences.len()), (0, 1, 1));
    let asked = GetProposalRequest { name: kept.proposal.clone() };
    let read = admin.get_proposal(root(asked)).await.unwrap().into_inner();
    assert_eq!(
        (read.verb.as_str(), read.rollback_revision, read.rollback_resources),
        ("rollback", format!("revisions/{base}"), vec!["rules/r1".to_owned()])
    );
    assert_eq!(code(approve(admin, TOKEN, &kept.proposal).await), ErrorCode::PermissionDenied);
    let done = approve(admin, SECOND, &kept.proposal).await.unwrap();
    assert_eq!((done.faults.len(), done.proposal.unwrap().state.as_str()), (0, "published"));
    let rule_there = |name: &str| {
        let name = proto::name::parse(&format!("rules/{name}")).unwrap();
        admin.publisher.current().registry.get(Kind::Rule, &name.id).is_some()
    };
    assert_eq!((rule_there("r1"), rule_there("r2")), (false, true));

    // Everything, as it was shown: what is made meanwhile is not taken back with it.
    let whole = back(TOKEN, true, &[]).await.unwrap().into_inner();
    create(admin, TOKEN, "meanwhile", false).await.unwrap();
    let done = approve(admin, SECOND, &whole.proposal).await.unwrap();
    assert_eq!((done.faults.len(), done.proposal.unwrap().state.as_str()), (0, "published"));
    assert!(!rule_there("r2"));
    let asked = GetTeamRequest { name: "tenants/acme/teams/meanwhile".into() };
    assert!(admin.get_team(root(asked)).await.is_ok());
    assert_eq!(
        back(TOKEN, true, &["rules"]).await.unwrap().into_inner().proposal,
        "",
        "nothing would change"
    );
}
