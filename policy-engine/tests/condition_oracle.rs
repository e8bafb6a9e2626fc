//! Conditions against the `cel` crate: on known attributes both say the same; on unknown ones ours never says more than
//! it knows; and the anchor of a condition never hides it.
//!
//! The oracle is asked with the very text that ours compiles, so lexing, precedence and meaning are all compared.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what it expects by panicking"
)]

#[path = "condition_oracle/trees.rs"]
mod trees;
#[path = "condition_oracle/world.rs"]
mod world;

use policy_engine::rules::condition::{Attribute, Condition, Interner, Set, Symbol, Text, Truth};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};

use trees::{Tree, tree};
use world::{World, knowns, words, world};

fn config(cases: u32) -> Config {
    Config { cases, failure_persistence: None, ..Config::default() }
}

/// What the `cel` crate says about a text in a world without unknowns.
fn oracle(text: &str, world: &World) -> bool {
    let program = cel::Program::compile(text).unwrap_or_else(|error| panic!("cel refuses {text}: {error:?}"));
    match program.execute(&world.cel()) {
        Ok(cel::Value::Bool(truth)) => truth,
        other => panic!("cel answers {text} with {other:?}"),
    }
}

/// An interner that has seen every word a world can have.
fn all_words() -> Interner {
    let mut interner = Interner::default();
    for attribute in Attribute::all() {
        for word in words(attribute) {
            interner.intern(word);
        }
    }
    interner
}

/// Compares the two on one text each; the same text unless the test wants to be caught.
fn compare(ours: &str, theirs: &str, world: &World) -> Result<bool, String> {
    let mut interner = all_words();
    let condition =
        Condition::compile(ours, &mut interner).map_err(|faults| format!("{ours}: {faults:?}"))?;
    let found = world.evaluate(&condition, &interner);
    let expected = oracle(theirs, world);
    if found == Truth::from(expected) {
        Ok(expected)
    } else {
        Err(format!("{ours}: {found:?}, cel: {expected}"))
    }
}

#[test]
fn known_attributes_give_what_cel_gives() {
    let (held, failed) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    let mut runner = TestRunner::new(config(3000));
    let run = runner.run(&(tree(), world()), |(tree, world)| {
        let text = tree.to_string();
        let truth = compare(&text, &text, &world).map_err(TestCaseError::fail)?;
        let count = if truth { &held } else { &failed };
        count.set(count.get() + 1);
        Ok(())
    });
    run.unwrap();
    assert!(
        held.get() > 300 && failed.get() > 300,
        "one-sided: {} hold, {} do not",
        held.get(),
        failed.get()
    );
}

#[test]
fn the_comparison_catches_a_wrong_meaning() {
    let wrong = [
        ("stream && purpose == 'support'", "stream || purpose == 'support'"),
        ("caller.country in ['DE']", "caller.country in ['FR']"),
        ("!(stream && endpoint.terms.baa)", "!stream && !endpoint.terms.baa"),
        ("stream || stream && endpoint.terms.dpa", "(stream || stream) && endpoint.terms.dpa"),
    ];
    for (ours, theirs) in wrong {
        let mut runner = TestRunner::new(config(500));
        let run = runner
            .run(&world(), |world| compare(ours, theirs, &world).map(drop).map_err(TestCaseError::fail));
        assert!(run.is_err(), "{ours} passes for {theirs}");
    }
}

proptest! {
    #![proptest_config(config(2000))]

    /// Taking knowledge away may turn an answer into `Unknown`, but never into its opposite.
    #[test]
    fn unknown_attributes_never_turn_an_answer_round(tree in tree(), world in world(), known in knowns()) {
        let mut interner = all_words();
        let text = tree.to_string();
        let condition = Condition::compile(&text, &mut interner).unwrap();
        let full = world.evaluate(&condition, &interner);
        let part = world.forget(&known).evaluate(&condition, &interner);
        prop_assert!(part == full || part == Truth::Unknown, "{text}: {full:?} became {part:?}");
        prop_assert!(full != Truth::Unknown, "{text}: unknown though everything is known");
    }

    /// What changes an answer is mentioned.
    #[test]
    fn attributes_that_are_not_mentioned_do_not_matter(tree in tree(), world in world()) {
        let mut interner = all_words();
        let condition = Condition::compile(&tree.to_string(), &mut interner).unwrap();
        let mentioned: Vec<bool> = Attribute::all().map(|attribute| condition.mentions(attribute)).collect();
        let part = world.forget(&mentioned).evaluate(&condition, &interner);
        prop_assert_eq!(part, world.evaluate(&condition, &interner));
    }

    /// Texts that no condition names are one symbol; that costs answers only where two of them are compared.
    #[test]
    fn unseen_texts_never_turn_an_answer_round(tree in tree(), world in world()) {
        let mut interner = Interner::default();
        let text = tree.to_string();
        let condition = Condition::compile(&text, &mut interner).unwrap();
        let found = world.evaluate(&condition, &interner);
        let expected = Truth::from(oracle(&text, &world));
        let compares_texts = tree.compares_attributes();
        prop_assert!(found == expected || compares_texts && found == Truth::Unknown, "{text}: {found:?}");
    }

    /// A known attribute without any value of the anchor makes the condition false, however much else is unknown.
    #[test]
    fn an_anchor_never_hides_a_condition(tree in tree(), world in world(), known in knowns()) {
        let mut interner = all_words();
        let text = tree.to_string();
        let condition = Condition::compile(&text, &mut interner).unwrap();
        for anchor in condition.anchors() {
            prop_assert!(!anchor.values.contains(&Symbol::UNSEEN));
            let world = world.forget(&known);
            if world.lacks(anchor.attribute, &anchor.values, &interner) {
                let found = world.evaluate(&condition, &interner);
                prop_assert_eq!(found, Truth::False, "{} anchored on {:?}", text, anchor);
            }
        }
    }
}

#[test]
fn anchors_are_found_often_enough_to_index_by() {
    let mut runner = TestRunner::deterministic();
    let mut anchored = 0;
    for _ in 0..500 {
        let tree: Tree = tree().new_tree(&mut runner).unwrap().current();
        let condition = Condition::compile(&tree.to_string(), &mut Interner::default()).unwrap();
        anchored += usize::from(!condition.anchors().is_empty());
    }
    assert!(anchored > 50, "{anchored} of 500");
}

#[test]
fn every_attribute_appears_in_the_oracle() {
    assert_eq!(Attribute::all().count(), Text::ALL.len() + Set::ALL.len() + 5);
    let everything: Vec<String> = Attribute::all()
        .map(|attribute| match attribute {
            Attribute::Text(_) => format!("{} == '{}'", attribute.path(), words(attribute)[0]),
            Attribute::Set(_) => format!("'{}' in {}", words(attribute)[0], attribute.path()),
            Attribute::Flag(_) => attribute.path().to_owned(),
        })
        .collect();
    let mut runner = TestRunner::deterministic();
    let world = world().new_tree(&mut runner).unwrap().current();
    for text in everything {
        compare(&text, &text, &world).unwrap();
    }
}
