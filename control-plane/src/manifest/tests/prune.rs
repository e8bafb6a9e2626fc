//! What a labelled set no longer names goes with the revision that applies it.

use super::*;

/// Roles of a set, each with what it inherits.
fn roles(set: &str, roles: &[(&str, &str)]) -> String {
    let role = |(name, inherits): &(&str, &str)| {
        format!(
            "---\napiVersion: chancery/v1\nkind: Role\nmetadata: {{name: {name}, labels: {{app: {set}, owner: ops}}}}\n\
             spec: {{inherits: [{inherits}], permissions: [{{action: read}}]}}\n"
        )
    };
    roles.iter().map(role).collect()
}

async fn pruning(fixture: &Fixture, mode: Mode, labels: &[(&str, &str)], text: &str) -> ApplyResponse {
    let prune = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let files = vec![SourceFile { path: "0.yaml".to_owned(), text: text.to_owned() }];
    let declared = Declared { files, prune, may_shrink: true, ..Declared::default() };
    apply(&fixture.publisher, &root(), (Act::of_system("test"), mode), declared).await.unwrap()
}

fn changed(answer: &ApplyResponse) -> Vec<(&str, &str)> {
    let changes = answer.changes.iter().filter(|change| change.change != "unchanged");
    changes.map(|change| (change.name.as_str(), change.change.as_str())).collect()
}

#[tokio::test]
async fn what_has_every_label_and_is_in_no_file_goes_in_the_same_revision() {
    let fixture = fixture().await;
    let before = [roles("x", &[("a", ""), ("b", "a"), ("c", "b")]), roles("y", &[("other", "")])].concat();
    assert_eq!(applied(&fixture, Mode::Commit, &[&before]).await.revision, 1);

    let after = roles("x", &[("a", ""), ("new", "a")]);
    let x = [("app", "x"), ("owner", "ops")];
    let gone = [("roles/new", "created"), ("roles/b", "deleted"), ("roles/c", "deleted")];
    assert_eq!(changed(&pruning(&fixture, Mode::Try, &x, &after).await), gone);
    assert_eq!(fixture.publisher.current().head.revision, 1, "it was only tried");
    let other = [("app", "x"), ("owner", "somebody")];
    assert_eq!(changed(&pruning(&fixture, Mode::Try, &other, &after).await), gone[..1], "every label counts");
    assert_eq!(
        changed(&pruning(&fixture, Mode::Try, &[], &after).await),
        gone[..1],
        "without one nothing goes"
    );

    let done = pruning(&fixture, Mode::Commit, &x, &after).await;
    assert_eq!((changed(&done), done.revision), (gone.to_vec(), 2));
    let again = pruning(&fixture, Mode::Commit, &x, &after).await;
    assert_eq!((changed(&again), again.revision), (vec![], 0));
    let registry = &fixture.publisher.current().registry;
    let left: Vec<_> = registry.all(Kind::Role).map(|(id, _)| id.name.to_string()).collect();
    assert_eq!(left, ["a", "new", "other"]);
}

#[tokio::test]
async fn what_is_still_used_by_what_stays_is_a_fault_and_nothing_goes() {
    let fixture = fixture().await;
    let before = [roles("x", &[("a", ""), ("b", "")]), roles("y", &[("heir", "b")])].concat();
    applied(&fixture, Mode::Commit, &[&before]).await;
    let answer = pruning(&fixture, Mode::Commit, &[("app", "x")], &roles("x", &[("a", "")])).await;
    let told = faults(&answer).join("\n");
    assert!(answer.faults[0].name == "roles/heir" && told.contains("`b`"), "{told}");
    assert_eq!(fixture.publisher.current().head.revision, 1);
}
