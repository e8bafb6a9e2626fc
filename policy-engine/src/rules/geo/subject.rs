//! Where data subjects live, as somebody says it: what is meant, and whose law may hold there.
//!
//! Law: reading is generous and never loses a law. A name is read in either case, a subdivision that the table does not list is its
//! country, and a place that makes no law of its own stands under every law that it may lie under.
//! Absent on purpose: a guess. What the table does not know is `None`, for whoever was told it to refuse.

use super::{Place, PlaceKind, TABLE, jurisdictions_of};

/// The name of the table that a text means: `eu` and `Eu` are `EU`, `DE-BY` is `DE`, as the table lists no subdivision of Germany;
/// of two names that differ in case alone, which are the same place, the legal one. `None` if the table knows no such place.
///
/// Of a country whose subdivisions are listed, one that is not is unknown: `US-XX` is `None`.
pub fn place_named(text: &str) -> Option<&'static str> {
    let (upper, lower) = (text.to_ascii_uppercase(), text.to_ascii_lowercase());
    let known = |name: &str| TABLE.places.get(name).map(|place| place.name);
    known(&upper).or_else(|| known(&lower)).or_else(|| country_of(&upper))
}

/// The country of an ISO 3166-2 code, where the table lists none of that country.
fn country_of(code: &str) -> Option<&'static str> {
    let (country, rest) = code.split_once('-')?;
    let country = TABLE.places.get(country).filter(|place| place.kind == PlaceKind::Country)?;
    let is_code = (1..=3).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_alphanumeric());
    let subdivides = |place: &Place| {
        let within = place.name.split_once('-').is_some_and(|(around, _)| around == country.name);
        within && place.kind == PlaceKind::Subdivision
    };
    (is_code && !TABLE.places.values().any(subdivides)).then_some(country.name)
}

/// Every legal area whose law may hold for somebody who is said to live there, sorted; empty for an unknown name. For a place that
/// makes law (`EU`, `DE`, `US-CA`) that is [`jurisdictions_of`]; for any other (a geo, a cloud region, and the `EEA`, which is wider
/// than the `EU` that makes its law) every area that shares a place with it.
pub fn jurisdictions_touched(name: &str) -> Vec<&'static str> {
    let Some(place) = TABLE.places.get(name) else { return Vec::new() };
    if place.kind <= PlaceKind::Subdivision && !holds_a_group(place) {
        return jurisdictions_of(name);
    }
    let touched = |other: &&Place| other.kind <= PlaceKind::Subdivision && other.set.overlaps(&place.set);
    TABLE.places.values().filter(touched).map(|other| other.name).collect()
}

/// Whether another group lies within it.
fn holds_a_group(place: &Place) -> bool {
    let smaller = |other: &Place| {
        other.kind == PlaceKind::Group && other.set != place.set && other.set.subset_of(&place.set)
    };
    TABLE.places.values().any(smaller)
}

#[cfg(test)]
mod tests {
    use super::super::{kind, resolve};
    use super::*;

    #[test]
    fn a_name_is_read_in_either_case_and_a_subdivision_as_its_country() {
        for (text, meant) in [
            ("EU", "EU"),
            ("Eu", "EU"),
            ("eu", "EU"),
            ("de", "DE"),
            ("us-ca", "US-CA"),
            ("EU-Central-1", "eu-central-1"),
            ("Global", "global"),
            ("eea", "EEA"),
            ("DE-BY", "DE"),
            ("de-by", "DE"),
            ("GB-ENG", "GB"),
            ("AT-9", "AT"),
            ("de-fra", "de-fra"),
        ] {
            assert_eq!(place_named(text), Some(meant), "{text}");
        }
        for text in [
            "", "XX", "europe", "XX-BY", "US-XX", "CA-XX", "EU-BY", "DE-", "DE-BAYE", "DE-B-Y", "DE-é", " EU",
        ] {
            assert_eq!(place_named(text), None, "{text:?}");
        }
    }

    #[test]
    fn every_name_means_itself_or_the_legal_name_of_the_same_place() {
        for place in TABLE.places.values() {
            let meant = place_named(place.name).unwrap();
            assert_eq!(resolve(meant), Some(place.set), "{}", place.name);
            assert!(meant == place.name || kind(meant) <= Some(PlaceKind::Subdivision), "{}", place.name);
            assert!(
                place.name.bytes().all(|b| b.is_ascii_lowercase() || !b.is_ascii_alphabetic())
                    || place.name.bytes().all(|b| b.is_ascii_uppercase() || !b.is_ascii_alphabetic())
            );
        }
    }

    #[test]
    fn a_place_without_law_of_its_own_is_under_all_that_it_may_lie_under() {
        for (name, expected) in [
            ("EU", vec!["EEA", "EU"]),
            ("DE", vec!["DE", "EEA", "EU"]),
            ("US", vec!["US"]),
            ("US-CA", vec!["US", "US-CA"]),
            ("UK", vec!["GB", "UK"]),
            ("eu-central-1", vec!["DE", "EEA", "EU"]),
            ("us-newark", vec!["US"]),
        ] {
            assert_eq!(jurisdictions_touched(name), expected, "{name}");
        }
        let of_the_eea = jurisdictions_touched("EEA");
        assert!(["EEA", "EU", "DE", "NO"].iter().all(|area| of_the_eea.contains(area)), "{of_the_eea:?}");
        assert!(!of_the_eea.contains(&"GB"));
        assert!(jurisdictions_touched("global").contains(&"US-CA"));
        assert!(jurisdictions_touched("Eu").is_empty(), "a name is read before it is looked up");
        for name in TABLE.places.keys() {
            let touched = jurisdictions_touched(name);
            assert!(jurisdictions_of(name).iter().all(|area| touched.contains(area)), "{name}");
        }
    }
}
