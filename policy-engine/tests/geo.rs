//! Places: samples of who lies within whom, and the laws of sets that residency rests on.
#![expect(clippy::panic, reason = "a test says what it expects by panicking")]

use policy_engine::rules::geo::{
    PlaceKind, RegionSet, TABLE_AS_OF, jurisdictions_of, kind, names_overlapping, resolve,
};
use proptest::prelude::*;
use proptest::sample::select;

fn place(name: &str) -> RegionSet {
    resolve(name).unwrap_or_else(|| panic!("{name} is not in the table"))
}

#[test]
fn wholes_hold_their_parts_and_never_the_other_way_round() {
    let within = [
        ("eu-central-1", "DE"),
        ("de-fra", "DE"),
        ("DE", "EU"),
        ("EU", "EEA"),
        ("NO", "EEA"),
        ("us-west-1", "US-CA"),
        ("US-CA", "US"),
        ("us-newark", "US"),
        ("CA-QC", "CA"),
        ("canadaeast", "CA-QC"),
        ("europe-west2", "UK"),
        ("RE", "EU"),
        ("jp", "ap"),
        ("EEA", "global"),
        ("ZW", "global"),
    ];
    for (part, whole) in within {
        assert!(place(part).subset_of(&place(whole)), "{part} is within {whole}");
        assert!(!place(whole).subset_of(&place(part)), "{whole} is not within {part}");
    }
}

#[test]
fn a_whole_is_more_than_the_parts_that_are_listed() {
    let states = names_overlapping(&place("US")).into_iter().filter(|n| n.starts_with("US-"));
    let sum = states.fold(RegionSet::EMPTY, |sum, state| sum.union(&place(state)));
    assert!(sum.subset_of(&place("US")) && !place("US").subset_of(&sum));
}

#[test]
fn what_is_apart_stays_apart() {
    let apart = [
        ("NO", "EU"),
        ("CH", "EEA"),
        ("GB", "EU"),
        ("GB", "EEA"),
        ("eu-central-2", "EU"),
        ("HK", "CN"),
        ("cn-hongkong", "CN"),
        ("TW", "CN"),
        ("JE", "UK"),
        ("eu-west-2", "EU"),
        ("US-CA", "CA"),
        ("sa-east-1", "SA"),
        ("me-south-1", "ME"),
        ("eu-jovanovac-1", "EU"),
    ];
    for (one, other) in apart {
        assert!(!place(one).overlaps(&place(other)), "{one} and {other}");
        assert!(place(one).intersect(&place(other)).is_empty());
    }
}

#[test]
fn aliases_are_the_sets_they_serve() {
    for (geo, set) in [("eu", "EU"), ("us", "US"), ("uk", "UK"), ("uk", "GB"), ("cn", "CN"), ("apac", "ap")] {
        assert_eq!(place(geo), place(set), "{geo}");
    }
}

#[test]
fn unknown_names_and_other_spellings_are_no_places() {
    for name in [
        "",
        "Eu",
        "De",
        "de-",
        "EU-CENTRAL-1",
        "XX",
        "US-XX",
        "eu-central-9",
        "europe",
        "GLOBAL",
        " EU",
        "EU\n",
    ] {
        assert_eq!(resolve(name), None, "{name:?}");
        assert_eq!(kind(name), None);
        assert!(jurisdictions_of(name).is_empty());
    }
    assert_eq!(TABLE_AS_OF.len(), "2025-01-01".len());
}

#[test]
fn a_place_falls_under_every_law_around_it() {
    let cases: [(&str, &[&str]); 6] = [
        ("eu-central-1", &["DE", "EEA", "EU"]),
        ("DE", &["DE", "EEA", "EU"]),
        ("US-CA", &["US", "US-CA"]),
        ("us-west-1", &["US", "US-CA"]),
        ("GB", &["GB", "UK"]),
        ("eu", &["EEA", "EU"]),
    ];
    for (name, expected) in cases {
        assert_eq!(jurisdictions_of(name), expected, "{name}");
    }
}

#[test]
fn somewhere_in_the_eu_may_be_germany() {
    let names = names_overlapping(&place("EU"));
    for name in ["EU", "EEA", "DE", "eu", "eu-central-1", "global"] {
        assert!(names.contains(&name), "{name}");
    }
    assert!(!names.contains(&"US") && !names.contains(&"UK"));
    assert_eq!(kind("EU"), Some(PlaceKind::Group));
}

/// Unions of a few places of every sort.
fn set() -> impl Strategy<Value = RegionSet> {
    let names = vec![
        "DE",
        "FR",
        "EU",
        "EEA",
        "NO",
        "US",
        "US-CA",
        "us-west-1",
        "eu-central-1",
        "de-fra",
        "GB",
        "ap",
        "JP",
        "global",
    ];
    proptest::collection::vec(select(names), 0..4)
        .prop_map(|names| names.into_iter().fold(RegionSet::EMPTY, |sum, name| sum.union(&place(name))))
}

proptest! {
    #[test]
    fn within_is_a_partial_order(a in set(), b in set(), c in set()) {
        prop_assert!(a.subset_of(&a));
        prop_assert!(!(a.subset_of(&b) && b.subset_of(&a)) || a == b);
        prop_assert!(!(a.subset_of(&b) && b.subset_of(&c)) || a.subset_of(&c));
        prop_assert!(RegionSet::EMPTY.subset_of(&a) && a.subset_of(&place("global")));
    }

    #[test]
    fn both_is_the_largest_within_each_and_either_the_smallest_around(a in set(), b in set(), c in set()) {
        let (both, either) = (a.intersect(&b), a.union(&b));
        prop_assert!(both.subset_of(&a) && both.subset_of(&b) && a.subset_of(&either) && b.subset_of(&either));
        prop_assert_eq!(c.subset_of(&both), c.subset_of(&a) && c.subset_of(&b));
        prop_assert_eq!(either.subset_of(&c), a.subset_of(&c) && b.subset_of(&c));
        prop_assert_eq!(both.is_empty(), !a.overlaps(&b));
        prop_assert_eq!(a.minus(&b).union(&both), a);
    }

    #[test]
    fn a_set_reads_back_from_its_names(a in set(), b in set()) {
        let both = a.intersect(&b);
        for set in [a, both] {
            let sum = set.names().into_iter().fold(RegionSet::EMPTY, |sum, name| sum.union(&place(name)));
            prop_assert_eq!(sum, set);
        }
    }

    /// Widening where an endpoint may process never makes it lawful.
    #[test]
    fn widening_never_brings_a_set_within(a in set(), more in set(), allowed in set()) {
        prop_assert!(a.subset_of(&allowed) || !a.union(&more).subset_of(&allowed));
    }
}
