//! The table of the essay, row by row, without Casbin; `tests/roles_oracle.rs` compares with it at random.

use std::sync::Arc;

use super::*;
use crate::facts::{Facts, Grant, GrantSubject, ModelGlob, Permission, Principal, Role};
use crate::vocabulary::{Action, Id, Name, Operation, PrincipalType};

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn id(text: &str) -> Id {
    let (tenant, own) = text.split_once('/').unwrap();
    Id { tenant: Name::new(tenant).ok(), name: name(own) }
}

fn line(action: Action, objects: &str) -> Permission {
    let globs: Vec<ModelGlob> = objects.split(' ').map(|glob| ModelGlob::new(glob).unwrap()).collect();
    let (models, resources) = match action {
        Action::Infer | Action::View => (globs, Vec::new()),
        _ => (Vec::new(), globs),
    };
    Permission { action, models, operations: Vec::new(), resources }
}

fn role(permissions: Vec<Permission>, inherits: &[&str]) -> Arc<Role> {
    Arc::new(Role { permissions, inherits: inherits.iter().map(|one| name(one)).collect(), geos: Vec::new() })
}

fn grant(role: &str, team: Option<&str>, to: GrantSubject) -> Arc<Grant> {
    Arc::new(Grant { role: name(role), team: team.map(name), to, geos: Vec::new() })
}

fn principal(teams: &[&str], groups: &[&str]) -> Arc<Principal> {
    let names = |texts: &[&str]| texts.iter().map(|text| name(text)).collect();
    let (teams, groups) = (names(teams), names(groups));
    Arc::new(Principal { kind: PrincipalType::User, teams, groups, residency: None, geos: Vec::new() })
}

/// Two tenants; `chat` is the platform's, and `acme` has a `chat` of its own.
fn facts() -> Facts {
    let roles = [
        ("/chat", role(vec![line(Action::Infer, "sim-*"), line(Action::View, "*")], &[])),
        ("/lead", role(vec![line(Action::Write, "grants")], &["chat", "lead"])),
        ("/admin", role(vec![line(Action::Read, "*"), line(Action::Write, "*")], &[])),
        ("acme/chat", role(vec![line(Action::Infer, "gpt own-*")], &[])),
        ("acme/lead2", role(Vec::new(), &["lead", "chat"])),
    ];
    let grants = [
        ("acme/team", grant("chat", Some("red"), GrantSubject::Team(name("red")))),
        ("acme/group", grant("lead2", None, GrantSubject::Group(name("staff")))),
        ("globex/one", grant("chat", Some("red"), GrantSubject::Principal(name("ada")))),
        ("/root", grant("admin", None, GrantSubject::Principal(name("root")))),
        ("/nowhere", grant("admin", Some("red"), GrantSubject::Principal(name("root")))),
        ("acme/dangling", grant("no-such-role", None, GrantSubject::Team(name("red")))),
    ];
    let principals = [
        ("acme/ada", principal(&["red"], &[])),
        ("acme/bob", principal(&[], &["staff"])),
        ("acme/guest", principal(&["blue"], &[])),
        ("globex/ada", principal(&["red"], &["staff"])),
        ("/root", principal(&[], &[])),
    ];
    Facts {
        roles: roles.into_iter().map(|(text, role)| (id(text), role)).collect(),
        grants: grants.into_iter().map(|(text, grant)| (id(text), grant)).collect(),
        principals: principals.into_iter().map(|(text, principal)| (id(text), principal)).collect(),
        ..Facts::default()
    }
}

fn domain(text: &str) -> Domain {
    match text.split_once('/').unwrap() {
        ("", _) => Domain::Platform,
        (tenant, "") => Domain::Tenant(name(tenant)),
        (tenant, team) => Domain::Team(name(tenant), name(team)),
    }
}

#[test]
fn who_may_infer_with_which_model() {
    let facts = facts();
    let models = ["/sim-a", "/gpt", "acme/own-x", "globex/own-x"].map(id);
    let mut index = RoleIndex::build(&facts, &models);
    let cases: [(&str, &str, &[usize]); 10] = [
        ("acme/ada", "acme/red", &[1, 2]), // the tenant's own role shadows the platform's
        ("acme/ada", "acme/blue", &[]),    // a grant in one team
        ("acme/ada", "globex/red", &[]),   // another tenant's domain
        ("acme/bob", "acme/red", &[0, 1, 2]), // by group, by two inherited roles of either owner
        ("acme/bob", "acme/blue", &[0, 1, 2]), // a grant without a team
        ("acme/guest", "acme/red", &[]),   // acting in a team makes nobody a member
        ("globex/ada", "globex/red", &[0]), // a principal of the same name, with the platform's role
        ("globex/ada", "acme/red", &[]),   // nobody of acme
        ("/root", "acme/red", &[]),        // an administrator is no user of models
        ("globex/ada", "/", &[]),
    ];
    for (who, place, expected) in cases {
        let set = index.role_set(&domain(place), &id(who), &facts.principals[&id(who)]);
        let found: Vec<usize> = index.models(set, Action::Infer, Operation::Chat).collect();
        assert_eq!(found, expected, "{who} in {place}");
    }
}

#[test]
fn who_may_administer_what() {
    let facts = facts();
    let mut index = RoleIndex::build(&facts, &[]);
    let cases = [
        ("/root", "acme/", Action::Write, "teams", true),
        ("/root", "/", Action::Read, "providers", true),
        ("/root", "/", Action::Audit, "revisions", false),
        ("acme/bob", "acme/", Action::Write, "grants", true),
        ("acme/bob", "acme/", Action::Write, "teams", false),
        ("acme/bob", "acme/", Action::Read, "grants", false),
        ("acme/bob", "/", Action::Write, "grants", false),
        ("acme/ada", "acme/", Action::Write, "grants", false),
        ("globex/ada", "acme/", Action::Write, "grants", false),
    ];
    for (who, place, action, kind, expected) in cases {
        let set = index.role_set(&domain(place), &id(who), &facts.principals[&id(who)]);
        assert_eq!(index.admin(set, action, kind), expected, "{who} in {place}: {action} {kind}");
    }
}

#[test]
fn people_with_the_same_roles_share_a_set() {
    let facts = facts();
    let mut index = RoleIndex::build(&facts, &[id("/sim-a")]);
    let mut set =
        |who: &str, place: &str| index.role_set(&domain(place), &id(who), &facts.principals[&id(who)]);
    assert_eq!(set("acme/bob", "acme/red"), set("acme/bob", "acme/blue"));
    assert_eq!(set("acme/guest", "acme/red"), set("globex/ada", "acme/red"));
    assert_ne!(set("acme/ada", "acme/red"), set("acme/bob", "acme/red"));
    let roles = set("acme/bob", "acme/red");
    let names: Vec<String> = index.roles(roles).map(ToString::to_string).collect();
    assert_eq!(names, ["chat", "lead", "acme/chat", "acme/lead2"]);
}

#[test]
fn the_policy_reads_as_casbin_lines() {
    let lines: Vec<String> = policy_lines(&facts()).iter().map(ToString::to_string).collect();
    let expected = [
        "p, role:/admin, *, kind:*, read, *",
        "p, role:/admin, *, kind:*, write, *",
        "p, role:/chat, *, model:sim-*, infer, *",
        "p, role:/chat, *, model:*, view, *",
        "p, role:/lead, *, kind:grants, write, *",
        "g, role:/lead, role:/chat, *",
        "g, role:/lead, role:/lead, *",
        "p, role:acme/chat, acme/*, model:gpt, infer, *",
        "p, role:acme/chat, acme/*, model:own-*, infer, *",
        "g, role:acme/lead2, role:/lead, acme/*",
        "g, role:acme/lead2, role:acme/chat, acme/*",
        "g, principal:/root, role:/admin, *",
        "g, group:acme/staff, role:acme/lead2, acme/*",
        "g, team:acme/red, role:acme/chat, acme/red",
        "g, principal:globex/ada, role:/chat, globex/red",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn reasons_name_the_grant_the_way_and_the_line() {
    let facts = facts();
    let bob = id("acme/bob");
    let model = id("/sim-a");
    let access = Access::Model { action: Action::Infer, operation: Operation::Chat, model: &model };
    let reasons = matched_grants(&facts, &domain("acme/red"), (&bob, &facts.principals[&bob]), &access);
    let shown: Vec<String> = reasons.iter().map(ToString::to_string).collect();
    let expected = "grant `acme/group` gives `group:acme/staff` the role `acme/lead2`, which inherits `lead`, \
                    which inherits `chat`, line 1";
    assert_eq!(shown, [expected]);
    let theirs = id("globex/own-x");
    let access = Access::Model { action: Action::Infer, operation: Operation::Chat, model: &theirs };
    assert!(matched_grants(&facts, &domain("acme/red"), (&bob, &facts.principals[&bob]), &access).is_empty());
}
