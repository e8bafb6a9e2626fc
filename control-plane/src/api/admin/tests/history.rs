//! History: what differs between revisions, who set what, what would have been decided, and what was in force put back.

mod rollback;

use proto::admin::history_service_server::HistoryService;
use proto::admin::kills_service_server::KillsService;
use proto::admin::rules_service_server::RulesService;

use super::*;

fn file(text: String) -> ApplyRequest {
    ApplyRequest { files: vec![SourceFile { path: "f".into(), text }], ..ApplyRequest::default() }
}

fn rule_of(name: &str, spec: &str) -> String {
    format!("apiVersion: chancery/v1\nkind: Rule\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n")
}

/// Applies files with a reason, and gives the revision; 0 where nothing changed.
async fn because(admin: &Admin, reason: &str, text: String) -> i64 {
    let mut request = root(file(text));
    request.metadata_mut().insert("x-chancery-reason", reason.parse().unwrap());
    let applied = admin.apply(request).await.unwrap().into_inner();
    assert_eq!(applied.faults, vec![]);
    applied.revision
}

async fn diff(
    admin: &Admin,
    token: &str,
    asked: DiffRevisionsRequest,
) -> Result<DiffRevisionsResponse, Status> {
    admin.diff_revisions(signed(token, asked)).await.map(tonic::Response::into_inner)
}

fn between(from: &str, to: &str) -> DiffRevisionsRequest {
    DiffRevisionsRequest { from: from.into(), to: to.into(), ..Default::default() }
}

async fn blame(admin: &Admin, token: &str, resource: &str, revision: &str) -> Result<BlameResponse, Status> {
    let asked = BlameRequest { resource: resource.into(), revision: revision.into() };
    admin.blame(signed(token, asked)).await.map(tonic::Response::into_inner)
}

async fn back(admin: &Admin, token: &str, asked: RollbackRequest) -> Result<RollbackResponse, Status> {
    admin.rollback(signed(token, asked)).await.map(tonic::Response::into_inner)
}

fn to(revision: &str, resources: &[&str]) -> RollbackRequest {
    let resources = resources.iter().map(ToString::to_string).collect();
    RollbackRequest { revision: revision.into(), resources, ..Default::default() }
}

fn fields(diff: &ResourceDiff) -> Vec<String> {
    diff.fields.iter().map(|f| format!("{}: {} -> {}", f.path, f.before, f.after)).collect()
}

fn message(refused: Result<impl std::fmt::Debug, Status>) -> String {
    let refusal = Refusal::of_status(&refused.unwrap_err());
    assert_eq!(refusal.code, ErrorCode::InvalidRequest, "{refusal:?}");
    refusal.message
}

#[tokio::test]
async fn what_differs_is_told_by_field_and_by_author_either_way_round() {
    let House { admin, .. } = &house().await;
    let first =
        because(admin, "a first try", rule_of("r", "layer: team, effect: forbid, when: \"purpose == 'a'\""))
            .await;
    let second = because(
        admin,
        "it was too narrow",
        rule_of("r", "layer: team, effect: forbid, when: \"purpose == 'b'\", geos: [eu]"),
    )
    .await;
    let found =
        diff(admin, TOKEN, between(&first.to_string(), &format!("revisions/{second}"))).await.unwrap();
    assert_eq!(
        (found.from.unwrap().revision, found.to.unwrap().name),
        (first, format!("revisions/{second}"))
    );
    let [change] = found.changes.as_slice() else { panic!("{:?}", found.changes) };
    assert_eq!((change.name.as_str(), change.change.as_str()), ("rules/r", "updated"));
    assert_eq!(
        fields(change),
        ["spec.geos:  -> [\"eu\"]", "spec.when: \"purpose == 'a'\" -> \"purpose == 'b'\""]
    );
    let [author] = change.authors.as_slice() else { panic!("{change:?}") };
    assert_eq!((author.reason.as_str(), author.actor.as_str()), ("it was too narrow", "platform/root"));
    assert_eq!(
        (author.change.as_str(), author.revision.as_str()),
        ("updated", format!("revisions/{second}").as_str())
    );

    let reverse = diff(admin, TOKEN, between("head", "head~1")).await.unwrap();
    assert_eq!(fields(&reverse.changes[0])[0], "spec.geos: [\"eu\"] -> ");
    assert_eq!(reverse.changes[0].authors, change.authors);
    assert!(diff(admin, TOKEN, between("head", "")).await.unwrap().changes.is_empty());

    let asked = DiffRevisionsRequest { actor: "nobody".into(), ..between("1", "head") };
    assert!(diff(admin, TOKEN, asked).await.unwrap().changes.is_empty());
    let asked =
        DiffRevisionsRequest { actor: "root".into(), resource: "rules/r".into(), ..between("1", "head") };
    let found = diff(admin, TOKEN, asked).await.unwrap();
    assert_eq!((found.changes.len(), found.changes[0].change.as_str()), (1, "created"));
    assert_eq!(found.changes[0].authors.len(), 2);
    assert!(found.changes[0].fields.iter().all(|field| field.before.is_empty() && !field.after.is_empty()));
    let asked = DiffRevisionsRequest { resource: "limits".into(), ..between("1", "head") };
    assert!(diff(admin, TOKEN, asked).await.unwrap().changes.is_empty());
}

#[tokio::test]
async fn every_kind_is_told_by_fields_that_make_it_again() {
    use crate::history::{differing, tests::applied, tree};
    let House { admin, .. } = &house().await;
    key(admin, "acme", "ada", "research").await;
    let more = concat!(
        "apiVersion: chancery/v1\nkind: Licence\nmetadata: {name: terms, labels: {a.b: c}}\n",
        "spec: {kind: vendorEula, acceptance: required, territory: {exclude: [CN]}}\n---\n",
        "apiVersion: chancery/v1\nkind: LicenceAcceptance\nmetadata: {name: ours, tenant: acme}\n",
        "spec: {licence: terms, team: research, acceptedBy: ada}\n---\n",
        "apiVersion: chancery/v1\nkind: Guardrail\nmetadata: {name: base}\n",
        "spec: {applies: {models: [\"*\"]}, input: [{detect: EMAIL, action: mask}, {words: [x], action: block}]}\n---\n",
        "apiVersion: chancery/v1\nkind: Price\nmetadata: {name: p}\n",
        "spec: {model: sim-fast, validFrom: 2026-01-01, currency: USD, perMillion: {input: \"2.50\"}}\n",
    );
    because(admin, "the rest", more.to_owned()).await;
    let registry = &admin.publisher.current().registry;
    for kind in Kind::ALL {
        let all: Vec<_> = registry.all(*kind).collect();
        assert!(!all.is_empty(), "{kind}");
        for (id, stored) in &all {
            let told = tree(*kind, &stored.bytes).unwrap();
            let made = differing(None, Some(&told));
            assert!(made.iter().all(|d| d.before.is_none() && !d.path.is_empty()), "{kind} {id}: {made:?}");
            assert_eq!(applied(serde_json::json!({}), &made), told, "{kind} {id}");
            for (_, other) in &all {
                let other = tree(*kind, &other.bytes).unwrap();
                assert_eq!(
                    applied(told.clone(), &differing(Some(&told), Some(&other))),
                    other,
                    "{kind} {id}"
                );
            }
        }
    }
    let whole =
        diff(admin, TOKEN, DiffRevisionsRequest { page_size: 3, ..between("1", "head") }).await.unwrap();
    assert!(!whole.next_page_token.is_empty());
    let text = format!("{whole:?}");
    assert!(!text.contains("etag") && !text.contains("secret"), "{text}");
}

#[tokio::test]
async fn a_difference_comes_in_pages_that_are_of_one_pair_of_revisions() {
    let House { admin, .. } = &house().await;
    let before = admin.publisher.current().head.revision;
    for n in 0..5 {
        create(admin, TOKEN, &format!("team{n}"), false).await.unwrap();
    }
    let asked = DiffRevisionsRequest { page_size: 2, ..between(&before.to_string(), "head") };
    let (mut names, mut token) = (Vec::new(), String::new());
    loop {
        let asked = DiffRevisionsRequest { page_token: token, ..asked.clone() };
        let page = diff(admin, TOKEN, asked).await.unwrap();
        assert!(page.changes.len() <= 2);
        names.extend(page.changes.into_iter().map(|change| change.name));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
        // What is published meanwhile is no part of it.
        create(admin, TOKEN, &format!("zz{}", names.len()), false).await.unwrap();
        let other = DiffRevisionsRequest { page_token: token.clone(), ..between("head", "1") };
        assert_eq!(code(diff(admin, TOKEN, other).await), ErrorCode::InvalidRequest);
    }
    let wanted: Vec<String> = (0..5).map(|n| format!("tenants/acme/teams/team{n}")).collect();
    assert_eq!(names, wanted);
}

#[tokio::test]
async fn a_revision_that_is_none_is_refused_with_what_there_is() {
    let House { admin, .. } = &house().await;
    let ask = async |from: &str| message(diff(admin, TOKEN, between(from, "head")).await);
    for (from, told) in [
        ("", "is missing"),
        ("junk", "`junk` names no revision"),
        ("99", "`99` was never published: the newest is `revisions/1`"),
        ("revisions/99", "was never published"),
        ("0", "is before the first revision"),
        ("head~1", "is before the first revision"),
        ("1999-12-31T00:00:00Z", "is before the first revision, which was published at 20"),
        ("2999-12-31T00:00:00Z", "is in the future"),
    ] {
        let line = ask(from).await;
        assert!(line.starts_with("from: ") && line.contains(told), "{from}: {line}");
    }
    let line = message(blame(admin, TOKEN, "rules/eu-residency", "2999-01-01").await);
    assert!(line.starts_with("revision: "), "{line}");
    for (resource, wanted) in [("rules/none", ErrorCode::NotFound), ("junk", ErrorCode::InvalidRequest)] {
        assert_eq!(code(blame(admin, TOKEN, resource, "").await), wanted, "{resource}");
    }
    let line = message(back(admin, TOKEN, to("head~7", &[])).await);
    assert!(line.starts_with("revision: "), "{line}");
    let line = message(back(admin, TOKEN, to("head", &["junk"])).await);
    assert!(line.starts_with("resources[0]: "), "{line}");
    assert_eq!(code(back(admin, TOKEN, to("head", &["rules/none"])).await), ErrorCode::NotFound);
    let asked = ExplainRequest { as_of: "1999-12-31".into(), ..question("fast", "eu") };
    let line = message(admin.explain(root(asked)).await);
    assert!(line.starts_with("asOf: ") && line.contains("before the first revision"), "{line}");
    let asked = ExplainRequest { as_of: "head".into(), revision: 1, ..question("fast", "eu") };
    assert!(message(admin.explain(root(asked)).await).starts_with("revision: is given beside"));
    let asked = ExplainRequest { stable: true, ..question("fast", "eu") };
    assert!(message(admin.explain(root(asked)).await).starts_with("stable: "));
}

fn question(model: &str, geo: &str) -> ExplainRequest {
    ExplainRequest {
        principal: "tenants/acme/principals/ada".into(),
        model: model.into(),
        geo: geo.into(),
        ..Default::default()
    }
}

#[tokio::test]
async fn blame_names_who_set_each_field_over_an_end_and_a_new_beginning() {
    let House { admin, .. } = &house().await;
    let spec = |purpose: &str| {
        rule_of("r", &format!("layer: team, effect: forbid, when: \"purpose == '{purpose}'\""))
    };
    let made = because(admin, "made", spec("a")).await;
    let changed = because(admin, "changed", spec("b")).await;
    let author = |told: &BlameResponse, path: &str| {
        let field = told.fields.iter().find(|field| field.path == path).unwrap();
        let author = field.author.clone().unwrap();
        (author.revision, author.reason)
    };
    let named = |revision: i64| format!("revisions/{revision}");
    let told = blame(admin, TOKEN, "rules/r", "").await.unwrap();
    assert_eq!((told.state.as_str(), told.kind.as_str()), ("in_force", "Rule"));
    assert_eq!(author(&told, "spec.effect"), (named(made), "made".into()));
    assert_eq!(author(&told, "spec.when"), (named(changed), "changed".into()));
    let then = blame(admin, TOKEN, "rules/r", &made.to_string()).await.unwrap();
    assert_eq!(author(&then, "spec.when"), (named(made), "made".into()));

    admin
        .delete_rule(root(DeleteRuleRequest { name: "rules/r".into(), ..Default::default() }))
        .await
        .unwrap();
    let told = blame(admin, TOKEN, "rules/r", "").await.unwrap();
    assert_eq!(told.state, "deleted");
    assert_eq!(author(&told, "spec.when"), (named(changed), "changed".into()), "as it was last");
    let lives: Vec<&str> = told.lives.iter().map(|life| life.change.as_str()).collect();
    assert_eq!(lives, ["deleted", "created"]);

    let again = because(admin, "made again", spec("b")).await;
    let told = blame(admin, TOKEN, "rules/r", "head").await.unwrap();
    assert!(
        told.fields.iter().all(|field| field.author.as_ref().unwrap().revision == named(again)),
        "{told:?}"
    );
    assert_eq!((told.state.as_str(), told.lives.len()), ("in_force", 3));
}

#[tokio::test]
async fn who_reads_a_tenants_history_is_told_of_what_it_may_read_and_of_nothing_else() {
    let House { admin, .. } = &house().await;
    // May read teams, tenants and models of acme, and audit everything there.
    let reader = key(admin, "acme", "reader", "research").await.secret;
    let ada = key(admin, "acme", "ada", "research").await.secret;
    create(admin, TOKEN, "ops", false).await.unwrap();
    let other = CreateTeamRequest {
        parent: "tenants/other".into(),
        team_id: "theirs".into(),
        team: Some(team("theirs")),
        validate_only: false,
    };
    admin.create_team(root(other)).await.unwrap();
    because(admin, "a rule", rule_of("r", "layer: team, effect: forbid, when: \"purpose == 'a'\"")).await;
    let all = diff(admin, TOKEN, between("1", "head")).await.unwrap();
    assert_eq!(all.changes.len(), 5, "{:?}", all.changes);
    let own = diff(admin, &reader, between("1", "head")).await.unwrap();
    let names: Vec<&str> = own.changes.iter().map(|change| change.name.as_str()).collect();
    assert_eq!(names, ["tenants/acme/teams/ops"]);
    assert_eq!(code(diff(admin, &ada, between("1", "head")).await), ErrorCode::PermissionDenied);

    assert!(blame(admin, &reader, "tenants/acme/teams/ops", "").await.is_ok());
    for hidden in
        ["tenants/other/teams/theirs", "tenants/other/teams/none", "tenants/acme/limits/rpm", "rules/r"]
    {
        assert_eq!(code(blame(admin, &reader, hidden, "").await), ErrorCode::NotFound, "{hidden}");
    }
    assert_eq!(code(blame(admin, &ada, "tenants/acme/teams/ops", "").await), ErrorCode::PermissionDenied);

    // Who may read may not write, and who may write must know history to put it back.
    let boss = key(admin, "acme", "boss", "research").await.secret;
    for (token, resources) in
        [(&reader, &["tenants/acme/teams/ops"][..]), (&boss, &["tenants/acme/teams/ops"]), (&ada, &[])]
    {
        assert_eq!(code(back(admin, token, to("1", resources)).await), ErrorCode::PermissionDenied);
    }
    assert_eq!(
        code(back(admin, &reader, to("1", &["tenants/other/teams/theirs"])).await),
        ErrorCode::NotFound
    );
    let refusal = Refusal::of_status(&back(admin, &reader, to("1", &[])).await.unwrap_err());
    assert_eq!(refusal.code, ErrorCode::PermissionDenied);
    assert!(refusal.message.contains("--resource") && !refusal.message.contains("theirs"), "{refusal:?}");
}

/// What one question as of the first revision costs, of a policy of so many resources: rebuilt, and then kept.
#[tokio::test]
async fn a_large_past_is_rebuilt_once() {
    let House { admin, .. } = &house().await;
    let many = |n: usize| {
        format!(
            "---\napiVersion: chancery/v1\nkind: Team\nmetadata: {{name: t{n}, tenant: acme}}\nspec: {{}}\n"
        )
    };
    let then = because(admin, "many", (0..10_000).map(many).collect()).await;
    create(admin, TOKEN, "after", false).await.unwrap();
    let mut took = Vec::new();
    for _ in 0..2 {
        let begun = std::time::Instant::now();
        let asked = ExplainRequest { as_of: then.to_string(), ..question("fast", "eu") };
        assert_eq!(admin.explain(root(asked)).await.unwrap().into_inner().revision, then);
        assert_eq!(admin.past.revisions(), [then]);
        took.push(begun.elapsed());
    }
    println!("as of a revision of 10,000 resources: {:?} rebuilt, {:?} kept", took[0], took[1]);
}

/// A small generator of numbers, so that a run is the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// One random change of what decides.
fn change(dice: &mut Dice, n: u64) -> String {
    let file = |kind: &str, name: &str, spec: String| {
        format!("apiVersion: chancery/v1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n")
    };
    let one = |dice: &mut Dice, of: &[&'static str]| of[usize::try_from(dice.roll(of.len() as u64)).unwrap()];
    let place = one(dice, &["EU", "US", "EU, US"]);
    let effect = one(dice, &["forbid", "require"]);
    let obliged = match effect {
        "require" => format!(", obligations: [{{residency: [{place}]}}]"),
        _ => String::new(),
    };
    let when = one(
        dice,
        &["purpose == 'marketing'", "purpose == 'hiring'", "'EMAIL' in data.classes", "node.geo == 'us'"],
    );
    let mode = one(dice, &["enforce", "enforce", "shadow"]);
    match dice.roll(4) {
        0 | 1 => {
            let name = format!("r{}", dice.roll(4));
            let rest = format!("when: \"{when}\", mode: {mode}, description: n{n}{obliged}");
            file("Rule", &name, format!("layer: organisation, effect: {effect}, {rest}"))
        }
        2 => {
            let places = format!("processingRegions: [{place}], storageRegions: [{place}]");
            file("Endpoint", "sim-us", format!("provider: sim, upstreamModel: fast{n}, {places}"))
        }
        _ => {
            let models = format!("[\"{}\", m{n}]", one(dice, &["sim-*", "none-*"]));
            let permission = format!("{{action: infer, models: {models}, operations: [chat]}}");
            file("Role", "chat-user", format!("permissions: [{permission}]"))
        }
    }
}

#[tokio::test]
async fn an_answer_as_of_then_is_the_answer_that_was_given_then() {
    let House { admin, .. } = &house().await;
    let mut dice = Dice(7);
    let questions = || {
        let geos = ["eu", "us"];
        let said = [("", None), ("marketing", None), ("hiring", Some("EMAIL"))];
        geos.into_iter().flat_map(move |geo| {
            said.into_iter().map(move |(purpose, class)| ExplainRequest {
                purpose: purpose.into(),
                data_classes: class.map(str::to_owned).into_iter().collect(),
                ..question("fast", geo)
            })
        })
    };
    let mut recorded = Vec::new();
    for n in 0..50 {
        let revision = because(admin, "a change", change(&mut dice, n)).await;
        assert!(revision > 0);
        for asked in questions() {
            let answer = admin.explain(root(asked.clone())).await.unwrap().into_inner();
            assert_eq!(answer.revision, revision);
            assert!(answer.as_of.is_none() && answer.assumptions.is_empty());
            recorded.push((asked, answer));
        }
    }
    let effects: std::collections::BTreeSet<&str> =
        recorded.iter().map(|(_, answer)| answer.effect.as_str()).collect();
    assert_eq!(effects.len(), 2, "some are allowed and some are denied");
    for (asked, then) in recorded {
        // By the instant of the answer, and by the revision.
        let instant =
            policy_engine::vocabulary::Instant(crate::clock::micros(then.instant.as_ref().unwrap()));
        for as_of in [instant.to_string(), format!("revisions/{}", then.revision)] {
            let asked = ExplainRequest { as_of, instant: then.instant, ..asked.clone() };
            let mut now = admin.explain(root(asked)).await.unwrap().into_inner();
            let point = now.as_of.take().unwrap();
            assert_eq!(point.revision, then.revision);
            assert!(!now.assumptions.is_empty() && now.line.is_empty());
            now.assumptions.clear();
            assert_eq!(now, then);
        }
    }
}

#[tokio::test]
async fn an_answer_as_of_then_tells_which_line_and_which_kills_there_were() {
    let House { admin, .. } = &house().await;
    let spec = |purpose: &str| {
        rule_of("r", &format!("layer: team, effect: forbid, when: \"purpose == '{purpose}'\""))
    };
    let base = because(admin, "before", spec("other")).await;
    let staged = ApplyRequest { staged: true, manual: true, ..file(spec("x")) };
    let staged = admin.apply(root(staged)).await.unwrap().into_inner();
    assert_eq!(staged.rollout, format!("rollouts/{}", staged.revision));
    create(admin, TOKEN, "beside", false).await.unwrap();
    let head = admin.publisher.current().head.revision;
    let ask = async |as_of: &str, stable: bool| {
        let asked =
            ExplainRequest { purpose: "x".into(), as_of: as_of.into(), stable, ..question("fast", "eu") };
        admin.explain(root(asked)).await.unwrap().into_inner()
    };
    let told =
        |answer: &ExplainResponse| (answer.effect.clone(), answer.line.clone(), answer.rollout.clone());
    for revision in [staged.revision, head] {
        let candidate = ask(&revision.to_string(), false).await;
        assert_eq!(told(&candidate), ("deny".into(), "candidate".into(), staged.rollout.clone()));
        let stable = ask(&revision.to_string(), true).await;
        assert_eq!(told(&stable), ("allow".into(), "stable".into(), staged.rollout.clone()));
        assert!(
            stable.assumptions.iter().any(|line| line.contains(&format!("revisions/{base}"))),
            "{stable:?}"
        );
    }
    assert_eq!(told(&ask(&base.to_string(), true).await), ("allow".into(), String::new(), String::new()));

    let spec = KillSpec { target: "everything".into(), reason: "a drill".into(), ..KillSpec::default() };
    let make = async |id: &str| {
        let kill = Kill { spec: Some(spec.clone()), ..Kill::default() };
        let asked = CreateKillRequest { kill_id: id.into(), kill: Some(kill), validate_only: false };
        admin.create_kill(root(asked)).await.unwrap().into_inner()
    };
    let kill = make("one").await;
    make("two").await;
    create(admin, TOKEN, "after", false).await.unwrap();
    let during = ask("head", false).await;
    assert_eq!(during.kills.len(), 2, "{during:?}");
    assert_eq!(ask(&head.to_string(), false).await.kills, vec![], "they were made later");
    admin.delete_kill(root(DeleteKillRequest { name: kill.name, allow_missing: false })).await.unwrap();
    let after = ask("head", false).await;
    assert_eq!(after.kills.iter().map(|kill| kill.name.as_str()).collect::<Vec<_>>(), ["kills/two"]);
    assert!(
        after.assumptions.iter().any(|line| line.contains("lifted since") && line.contains("`kills/one`")),
        "{after:?}"
    );
}

#[tokio::test]
async fn the_last_few_worlds_are_kept_and_no_more() {
    let House { admin, .. } = &house().await;
    for n in 0..8 {
        create(admin, TOKEN, &format!("team{n}"), false).await.unwrap();
    }
    for revision in [1, 2, 3, 4, 1, 5, 9] {
        let asked = ExplainRequest { as_of: revision.to_string(), ..question("fast", "eu") };
        assert_eq!(admin.explain(root(asked)).await.unwrap().into_inner().revision, revision);
    }
    // The head is not kept twice, and what was asked for last is kept longest.
    assert_eq!(admin.past.revisions(), [5, 1, 4, 3]);
}
