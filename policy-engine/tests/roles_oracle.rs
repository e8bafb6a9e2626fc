//! The compiled role index against Casbin: on many small random policies, for every question there is, both and the
//! explainer give the same answer; and an index of something else is caught.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test says what it expects by panicking")]

#[path = "roles_oracle/policies.rs"]
mod policies;

use policy_engine::facts::{Facts, ModelGlob};
use policy_engine::rules::roles::{Access, RoleIndex, matched_grants};
use policy_engine::rules::roles_casbin::CasbinAuthoriser;
use policy_engine::vocabulary::{Action, Id, Operation};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};

use policies::{DOMAINS, KINDS, chain, domain, facts, models};

fn config(cases: u32) -> Config {
    Config { cases, failure_persistence: None, ..Config::default() }
}

/// Every kind of access anybody could ask for; actions where they do not belong included.
fn accesses(models: &[Id]) -> Vec<Access<'_>> {
    let actions = [Action::Infer, Action::View, Action::Read];
    let on_models = models.iter().flat_map(|model| {
        let each = |action| Operation::ALL.iter().map(move |operation| (action, *operation));
        let all = actions.into_iter().flat_map(each);
        all.map(move |(action, operation)| Access::Model { action, operation, model })
    });
    let kinds = |action| KINDS.iter().map(move |kind| Access::Admin { action, kind });
    let on_kinds = [Action::Read, Action::Write, Action::Audit, Action::Infer].into_iter().flat_map(kinds);
    on_models.chain(on_kinds).collect()
}

fn ask(
    index: &RoleIndex,
    set: policy_engine::rules::roles::RoleSetIx,
    access: &Access<'_>,
    models: &[Id],
) -> bool {
    match access {
        Access::Model { action, operation, model } => {
            let at = models.iter().position(|one| one == *model).unwrap();
            let permits = index.permits(set, *action, *operation, at);
            assert_eq!(permits, index.models(set, *action, *operation).any(|found| found == at));
            assert!(!permits || *action != Action::View || index.sees(set, at));
            permits
        }
        Access::Admin { action, kind } => index.admin(set, *action, kind),
    }
}

/// Compares Casbin on `truth` with an index of `indexed`, which is the same unless a test wants to be caught. Gives
/// how many questions were allowed, and how many there were.
fn compare(truth: &Facts, indexed: &Facts) -> Result<(usize, usize), String> {
    let casbin = CasbinAuthoriser::new(truth).map_err(|error| format!("{error:?}"))?;
    let models = models();
    let accesses = accesses(&models);
    let mut index = RoleIndex::build(indexed, &models);
    let (mut allowed, mut asked) = (0, 0);
    for (id, principal) in &truth.principals {
        for text in DOMAINS {
            let domain = domain(text);
            let set = index.role_set(&domain, id, &indexed.principals[id]);
            for access in &accesses {
                let expected =
                    casbin.enforce(&domain, (id, principal), access).map_err(|e| format!("{e:?}"))?;
                let found = ask(&index, set, access, &models);
                if found != expected {
                    return Err(format!("{id} in {domain} to {access:?}: index {found}, casbin {expected}"));
                }
                let reasons = matched_grants(indexed, &domain, (id, &indexed.principals[id]), access);
                if reasons.is_empty() == expected {
                    return Err(format!(
                        "{id} in {domain} to {access:?}: casbin {expected}, because {reasons:?}"
                    ));
                }
                allowed += usize::from(expected);
                asked += 1;
            }
        }
    }
    Ok((allowed, asked))
}

#[test]
fn casbin_and_the_index_agree_on_every_question() {
    let run = TestRunner::new(config(100))
        .run(&facts(), |facts| compare(&facts, &facts).map(|_| ()).map_err(TestCaseError::fail));
    run.unwrap();
}

/// How much is allowed differs widely from draw to draw; so this asks one draw, which is always the same.
#[test]
fn the_policies_that_are_compared_neither_allow_all_nor_nothing() {
    let mut runner = TestRunner::deterministic();
    let (mut allowed, mut asked) = (0, 0);
    for _ in 0..50 {
        let facts = facts().new_tree(&mut runner).unwrap().current();
        let (more, of) = compare(&facts, &facts).unwrap();
        allowed += more;
        asked += of;
    }
    let share = allowed as f64 / asked as f64;
    assert!((0.02..0.9).contains(&share), "one-sided: {allowed} of {asked} allowed");
}

#[test]
fn inheritance_has_no_depth_at_which_it_ends() {
    for length in [1, 9, 10, 11, 40] {
        let facts = chain(length);
        let (allowed, _) = compare(&facts, &facts).unwrap();
        assert!(allowed > 0, "a chain of {length} roles gives nothing");
    }
}

/// Whether an index of facts that were changed on the way is caught within a hundred policies.
fn is_caught(mangle: impl Fn(&mut Facts)) -> bool {
    let mut runner = TestRunner::deterministic();
    (0..100).any(|_| {
        let truth = facts().new_tree(&mut runner).unwrap().current();
        let mut wrong = truth.clone();
        mangle(&mut wrong);
        compare(&truth, &wrong).is_err()
    })
}

fn each<T: Clone>(all: &mut policy_engine::facts::Map<Id, std::sync::Arc<T>>, change: impl Fn(&mut T)) {
    let each = all.iter().map(|(id, one)| {
        let mut one = one.clone();
        change(std::sync::Arc::make_mut(&mut one));
        (id.clone(), one)
    });
    *all = each.collect();
}

#[test]
fn an_index_that_ignores_domains_is_caught() {
    assert!(is_caught(|facts| each(&mut facts.grants, |grant| grant.team = None)));
}

#[test]
fn an_index_that_ignores_inheritance_is_caught() {
    assert!(is_caught(|facts| each(&mut facts.roles, |role| role.inherits.clear())));
}

#[test]
fn an_index_that_ignores_operations_is_caught() {
    assert!(is_caught(|facts| {
        each(&mut facts.roles, |role| role.permissions.iter_mut().for_each(|line| line.operations.clear()));
    }));
}

#[test]
fn an_index_that_ignores_groups_is_caught() {
    assert!(is_caught(|facts| each(&mut facts.principals, |principal| principal.groups.clear())));
}

#[test]
fn an_index_that_takes_a_tenants_role_for_the_platforms_is_caught() {
    assert!(is_caught(|facts| {
        let own = facts.roles.keys().filter(|id| id.tenant.is_some());
        let theirs = |id: &Id| facts.roles.get(&Id::platform(id.name.clone())).cloned();
        let shadows: Vec<_> = own.filter_map(|id| Some((id.clone(), theirs(id)?))).collect();
        facts.roles.extend(shadows);
    }));
}

#[test]
fn an_index_that_reads_globs_as_prefixes_is_caught() {
    assert!(is_caught(|facts| {
        each(&mut facts.roles, |role| {
            for glob in role.permissions.iter_mut().flat_map(|line| &mut line.models) {
                let prefix = glob.as_str().split('*').next().unwrap_or("");
                *glob = ModelGlob::new(&format!("{prefix}*")).unwrap();
            }
        });
    }));
}

#[test]
fn an_unchanged_index_is_not_caught() {
    let mut runner = TestRunner::deterministic();
    for _ in 0..5 {
        let facts = facts().new_tree(&mut runner).unwrap().current();
        compare(&facts, &facts).unwrap();
    }
}

proptest! {
    #![proptest_config(config(4000))]

    /// Casbin's matcher and the index share the glob, so the glob is proved by itself.
    #[test]
    fn globs_are_anchored_regular_expressions(glob in "[ab*.]{1,8}", name in "[ab.]{0,10}") {
        prop_assume!(ModelGlob::new(&glob).is_ok());
        let pattern = glob.split('*').map(regex::escape).collect::<Vec<_>>().join(".*");
        let expected = regex::Regex::new(&format!("^(?:{pattern})$")).unwrap().is_match(&name);
        prop_assert_eq!(ModelGlob::new(&glob).unwrap().matches(&name), expected);
    }

    /// Taking a grant away never allows more.
    #[test]
    fn removing_a_grant_never_allows_more(facts in facts(), at in any::<prop::sample::Index>()) {
        prop_assume!(!facts.grants.is_empty());
        let mut fewer = facts.clone();
        let gone = fewer.grants.keys().nth(at.index(fewer.grants.len())).unwrap().clone();
        fewer.grants.remove(&gone);
        let models = models();
        let (mut before, mut after) = (RoleIndex::build(&facts, &models), RoleIndex::build(&fewer, &models));
        for (id, principal) in &facts.principals {
            for text in DOMAINS {
                let domain = domain(text);
                let sets = (before.role_set(&domain, id, principal), after.role_set(&domain, id, principal));
                for access in accesses(&models) {
                    let more = ask(&after, sets.1, &access, &models) && !ask(&before, sets.0, &access, &models);
                    prop_assert!(!more, "{} in {} to {:?} without {}", id, domain, access, gone);
                }
            }
        }
    }
}
