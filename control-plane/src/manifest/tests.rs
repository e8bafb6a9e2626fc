//! Declarative files end to end: into a real store and back.

use proto::admin::{ApplyResponse, SourceFile};

use super::*;
use crate::actor::Actor;
use crate::publish::tests::{Fixture, fixture};
use crate::publish::{Act, Mode};
use policy_engine::vocabulary::Kind;

mod prune;

const WHOLE: &str = include_str!("tests/whole.yaml");

fn root() -> Actor {
    Actor::Platform("test".into())
}

async fn applied(fixture: &Fixture, mode: Mode, texts: &[&str]) -> ApplyResponse {
    let files: Vec<SourceFile> = texts
        .iter()
        .enumerate()
        .map(|(n, text)| SourceFile { path: format!("{n}.yaml"), text: (*text).to_owned() })
        .collect();
    apply(&fixture.publisher, &root(), (Act::of_system("test"), mode), files).await.unwrap()
}

fn words(answer: &ApplyResponse) -> Vec<&str> {
    answer.changes.iter().map(|c| c.change.as_str()).collect()
}

fn faults(answer: &ApplyResponse) -> Vec<String> {
    answer.faults.iter().map(|f| format!("{}:{} {} {}", f.path, f.line, f.field, f.message)).collect()
}

#[tokio::test]
async fn one_of_every_kind_is_applied_and_its_export_changes_nothing() {
    let fixture = fixture().await;
    let tried = applied(&fixture, Mode::Try, &[WHOLE]).await;
    assert_eq!(faults(&tried), Vec::<String>::new());
    assert_eq!((tried.revision, fixture.publisher.current().head.revision), (0, 0));
    let first = applied(&fixture, Mode::Commit, &[WHOLE]).await;
    assert_eq!(first.revision, 1);
    assert!(words(&first).iter().all(|w| *w == "created"), "{:?}", words(&first));
    let kinds: std::collections::BTreeSet<&str> = first.changes.iter().map(|c| c.kind.as_str()).collect();
    assert_eq!(kinds.len(), Kind::ALL.len() - 1, "the fixture has one of every kind but keys");

    let again = applied(&fixture, Mode::Commit, &[WHOLE]).await;
    assert!(words(&again).iter().all(|w| *w == "unchanged"));
    assert_eq!((again.revision, fixture.publisher.current().head.revision), (0, 1));

    let text = export((&fixture.publisher.current(), &Default::default()), &root(), &Selection::default());
    let back = applied(&fixture, Mode::Commit, &[&text]).await;
    assert_eq!(faults(&back), Vec::<String>::new());
    assert!(words(&back).iter().all(|w| *w == "unchanged"), "{text}");
    assert_eq!(back.changes.len(), first.changes.len());
    insta::assert_snapshot!("export", text);
}

#[tokio::test]
async fn the_quickstart_is_applied_and_its_export_changes_nothing() {
    let fixture = fixture().await;
    let first =
        applied(&fixture, Mode::Commit, &[include_str!("../../../deploy/examples/quickstart.yaml")]).await;
    assert_eq!((faults(&first), first.revision), (Vec::new(), 1));
    let text = export((&fixture.publisher.current(), &Default::default()), &root(), &Selection::default());
    let back = applied(&fixture, Mode::Commit, &[&text]).await;
    assert_eq!((faults(&back), back.changes.len()), (Vec::new(), first.changes.len()));
    assert!(words(&back).iter().all(|w| *w == "unchanged"));
}

#[tokio::test]
async fn every_fault_is_reported_where_it_was_written_and_nothing_is_applied() {
    let fixture = fixture().await;
    let structural = "apiVersion: chancery/v1\nkind: Teem\nmetadata: {name: a}\nspec: {}\n---\napiVersion: chancery/v2\nkind: Tenant\nmetadata: {name: acme, tenant: x, colour: red}\nspec:\n  displayname: Acme\n  geos: eu\n---\nkind: Key\n---\n- 1\n";
    let twice = "apiVersion: chancery/v1\nkind: Tenant\nmetadata: {name: a}\nspec: {currency: USD}\n---\napiVersion: chancery/v1\nkind: Tenant\nmetadata: {name: a}\nspec: {currency: USD}\n";
    let answer = applied(&fixture, Mode::Commit, &[structural, twice, "a: [", WHOLE]).await;
    insta::assert_snapshot!("structural_faults", faults(&answer).join("\n"));
    assert!(answer.changes.is_empty());
    assert_eq!(fixture.publisher.current().head.revision, 0);
}

#[tokio::test]
async fn faults_of_values_and_references_name_the_line_of_the_value() {
    let fixture = fixture().await;
    let values = "apiVersion: chancery/v1\nkind: Model\nmetadata: {name: m}\nspec:\n  card: {operations: [sing]}\n  route:\n    groups:\n      - [{endpoint: a/b}]\n      - targets:\n          - {endpoint: e, weight: 0}\n";
    let answer = applied(&fixture, Mode::Commit, &[values]).await;
    insta::assert_snapshot!("value_faults", faults(&answer).join("\n"));
    let references = values.replace("sing", "chat").replace("a/b", "gone").replace(", weight: 0", "");
    let answer = applied(&fixture, Mode::Commit, &[&references]).await;
    insta::assert_snapshot!("reference_faults", faults(&answer).join("\n"));
    assert_eq!(fixture.publisher.current().head.revision, 0);
}

#[tokio::test]
async fn what_a_route_says_is_checked_where_it_is_written() {
    let fixture = fixture().await;
    let model = |route: &str| {
        format!(
            "apiVersion: chancery/v1\nkind: Model\nmetadata: {{name: m}}\nspec:\n  card: {{operations: [chat]}}\n  \
             route: {{{route}}}\n"
        )
    };
    for (route, field, line) in [
        ("groups: [[{endpoint: a, canaryPercent: 5}]]", "spec.route.groups", "of canaries alone"),
        (
            "groups: [[{endpoint: a, canaryPercent: 60}, {endpoint: b, canaryPercent: 40}, {endpoint: c}]]",
            "spec.route.groups",
            "leave nothing to the others",
        ),
        ("groups: [[{endpoint: a, canaryPercent: 0}, {endpoint: b}]]", "canaryPercent", "is not 1 to 99"),
        ("groups: [[{endpoint: a}]], retryPercent: 200", "spec.route.retryPercent", "is not 0 to 100"),
        ("groups: [[{endpoint: a}]], stickyBy: mood", "spec.route.stickyBy", "session | key | prefix"),
    ] {
        let told = faults(&applied(&fixture, Mode::Commit, &[&model(route)]).await);
        let [only] = told.as_slice() else { panic!("{route}: {told:?}") };
        assert!(only.contains(field) && only.contains(line), "{route}: {only}");
    }
}

#[tokio::test]
async fn an_unknown_field_hides_no_other_fault() {
    let fixture = fixture().await;
    let rule = "apiVersion: chancery/v1\nkind: Rule\nmetadata: {name: r}\nspec:\n  effect: forbid\n  layer: x\n  colour: red\n  when: 'model.nmae =='\n  geos:\n    - {a: b}\n    - E U\n";
    let grant = "apiVersion: chancery/v1\nkind: Grant\nmetadata: {name: g, tenant: gone}\nspec:\n  role: none\n  to: {team: nobody}\n";
    let limit = "apiVersion: chancery/v1\nkind: Limit\nmetadata: {name: l}\nspec: {bound: {requests: 0}}\n";
    let answer = applied(&fixture, Mode::Commit, &[rule, grant, limit]).await;
    insta::assert_snapshot!("all_faults", faults(&answer).join("\n"));
    let clean = rule.replace("  colour: red\n", "").replace("layer: x", "layer: regulation");
    let clean = clean.split("  geos:").next().unwrap();
    let answer = applied(&fixture, Mode::Commit, &[clean, grant]).await;
    insta::assert_snapshot!("references_once_all_converts", faults(&answer).join("\n"));
    assert_eq!(fixture.publisher.current().head.revision, 0);
}

#[tokio::test]
async fn a_name_that_is_none_and_words_that_are_none_hide_no_fault() {
    let fixture = fixture().await;
    let rule = "apiVersion: chancery/v1\nkind: Rule\nmetadata:\n  name: X!\nspec:\n  layer: organization\n  effect: deny\n  wen: x\n  when: 'model.nmae =='\n  mode: enforced\n";
    let fields = |told: &[String]| -> Vec<String> {
        told.iter().map(|line| line.split(' ').nth(1).unwrap().to_owned()).collect()
    };
    let told = faults(&applied(&fixture, Mode::Commit, &[rule]).await);
    let all = ["metadata.name", "spec.layer", "spec.effect", "spec.wen", "spec.when", "spec.mode"];
    assert_eq!(fields(&told), all, "{told:?}");
    // One after the other, as they are mended.
    let mended = rule.replace("X!", "x").replace("organization", "organisation").replace("deny", "forbid");
    let told = faults(&applied(&fixture, Mode::Commit, &[&mended]).await);
    assert_eq!(fields(&told), all[3..], "{told:?}");
    let told = faults(
        &applied(&fixture, Mode::Commit, &[&mended.replace("enforced", "enforce").replace("  wen: x\n", "")])
            .await,
    );
    assert_eq!(fields(&told), ["spec.when"], "{told:?}");
    let told = faults(&applied(&fixture, Mode::Commit, &[&mended.replace("enforced", "enforce")]).await);
    assert_eq!(fields(&told), ["spec.wen", "spec.when"], "{told:?}");
}

#[tokio::test]
async fn what_does_not_convert_hides_no_fault_of_the_others_and_makes_none() {
    let fixture = fixture().await;
    let rule = |name: &str, layer: &str, when: &str| {
        format!(
            "apiVersion: chancery/v1\nkind: Rule\nmetadata: {{name: {name}}}\nspec:\n  effect: forbid\n  layer: {layer}\n  when: '{when}'\n---\n"
        )
    };
    let typed = rule("typed", "team", "model.name == 3");
    let told = faults(&applied(&fixture, Mode::Commit, &[&typed, &rule("boss", "boss", "true")]).await);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told[0].starts_with("0.yaml:7 spec.when ") && told[1].starts_with("1.yaml:6 spec.layer "),
        "{told:?}"
    );

    // A fault of a value that is found only when the fact is made of it, and one of no document at all.
    let tenant = "apiVersion: chancery/v1\nkind: Tenant\nmetadata: {name: acme}\nspec: {currency: XX}\n---\n";
    let team = "apiVersion: chancery/v1\nkind: Team\nmetadata: {name: t, tenant: acme}\nspec: {}\n---\n";
    let grant = "apiVersion: chancery/v1\nkind: Grant\nmetadata: {name: g, tenant: acme}\nspec:\n  role: none\n  to: {team: t}\n---\n";
    let told = faults(&applied(&fixture, Mode::Commit, &[tenant, team, grant, &typed]).await);
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(
        told[0].starts_with("0.yaml:4 spec.currency ") && told[2].starts_with("3.yaml:7 spec.when "),
        "{told:?}"
    );
    assert!(told[1].starts_with("2.yaml:5 spec.role there is no Role `none`"), "{told:?}");
    let told = faults(&applied(&fixture, Mode::Commit, &["a: [", team, grant, &typed]).await);
    assert_eq!(told.len(), 2, "what a file that can't be read declares may be what is referred to: {told:?}");
    assert!(told[1].starts_with("3.yaml:7 spec.when "), "{told:?}");
}

#[tokio::test]
async fn a_secret_that_is_well_is_told_no_fault_of_beside_one_of_another_field() {
    let fixture = fixture().await;
    let provider = |url: &str, key: &str| {
        format!(
            "apiVersion: chancery/v1\nkind: Provider\nmetadata: {{name: p}}\nspec:\n  adapter: openai\n  baseUrl: '{url}'\n  credential: {{value: '{key}'}}\n"
        )
    };
    let told = faults(&applied(&fixture, Mode::Commit, &[&provider("nonsense", "sk-0123")]).await);
    assert!(told.len() == 1 && told[0].starts_with("0.yaml:6 spec.baseUrl "), "{told:?}");
    let told = faults(&applied(&fixture, Mode::Commit, &[&provider("nonsense", " ")]).await);
    assert!(told.len() == 2 && told[1].starts_with("0.yaml:7 spec.credential.value is missing"), "{told:?}");
}

#[tokio::test]
async fn a_secret_is_sealed_and_in_no_export() {
    let fixture = fixture().await;
    let secret = "sk-live-0123456789";
    let file = format!(
        "apiVersion: chancery/v1\nkind: Provider\nmetadata: {{name: p}}\nspec: {{adapter: openai, baseUrl: 'https://x.test/v1', credential: {{value: {secret}}}}}\n"
    );
    assert_eq!(words(&applied(&fixture, Mode::Commit, &[&file]).await), ["created"]);
    assert_eq!(words(&applied(&fixture, Mode::Commit, &[&file]).await), ["unchanged"], "the same secret");
    let other = file.replace(secret, "sk-live-other");
    assert_eq!(words(&applied(&fixture, Mode::Commit, &[&other]).await), ["updated"], "another secret");
    let text = export((&fixture.publisher.current(), &Default::default()), &root(), &Selection::default());
    assert!(!text.contains("sk-live") && text.contains("sealed: cred-"), "{text}");
    assert_eq!(words(&applied(&fixture, Mode::Commit, &[&text]).await), ["unchanged"]);
    let unknown = text.replace("cred-", "cred-x");
    assert!(
        faults(&applied(&fixture, Mode::Commit, &[&unknown]).await)
            .concat()
            .contains("0.yaml:9 spec.credential.sealed")
    );
    let raw = std::fs::read(fixture.dir.path().join("store.db")).unwrap();
    let wal = std::fs::read(fixture.dir.path().join("store.db-wal")).unwrap_or_default();
    assert!(![raw, wal].concat().windows(7).any(|w| w == b"sk-live"), "no plaintext on disk");
}
