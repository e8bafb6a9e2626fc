//! Where things are: names of places, the sets of places they stand for, and whether one lies within another.
//!
//! Law: a name is expanded before it is compared, so `eu-central-1` is within `DE`, `DE` within `EU`, `EU` within `EEA`,
//! and never the other way round; a name that the dated table does not know is no place at all.
//! Policy is written in exactly these names; only what callers declare is read in either case ([`place_named`]).
//! Absent on purpose: addresses, distances, adequacy. Whether a transfer is *allowed* is a rule, not geography.
//!
//! A place that can be divided (a country, a state) has one leaf of its own, "somewhere in it, no more is known",
//! beside the leaves of its parts. That is why a whole is never within the sum of its listed parts.
//!
//! | written | as | matched |
//! |---|---|---|
//! | `DE`, `US-CA` | ISO 3166-1 and 3166-2 | upper case |
//! | `EU`, `EEA`, `UK` | legal group | upper case |
//! | `eu-central-1`, `westeurope` | cloud region | lower case |
//! | `eu`, `us`, `global` | geo: alias of the set it serves | lower case |

mod subject;
mod table;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

pub use subject::{jurisdictions_touched, place_named};
pub use table::TABLE_AS_OF;

/// Words of a [`RegionSet`]; 64 leaves each.
const WORDS: usize = 10;

/// A set of places, as bits over the leaves of the containment table.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct RegionSet([u64; WORDS]);

/// What sort of name a place has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PlaceKind {
    /// A legal group of countries, such as `EU`; also an alias in law, such as `UK`.
    Group,
    /// An ISO 3166-1 alpha-2 country.
    Country,
    /// An ISO 3166-2 subdivision.
    Subdivision,
    /// A geo: where a data plane runs, and the set it serves.
    Geo,
    /// A vendor's region.
    CloudRegion,
}

impl RegionSet {
    /// No place; within everything.
    pub const EMPTY: RegionSet = RegionSet([0; WORDS]);

    /// Whether every place of this set is in `other`.
    pub fn subset_of(&self, other: &RegionSet) -> bool {
        self.0.iter().zip(&other.0).all(|(mine, theirs)| mine & !theirs == 0)
    }

    /// Whether some place is in both.
    pub fn overlaps(&self, other: &RegionSet) -> bool {
        self.0.iter().zip(&other.0).any(|(mine, theirs)| mine & theirs != 0)
    }

    /// The places in both.
    #[must_use]
    pub fn intersect(&self, other: &RegionSet) -> RegionSet {
        self.zip(other, |mine, theirs| mine & theirs)
    }

    /// The places in either.
    #[must_use]
    pub fn union(&self, other: &RegionSet) -> RegionSet {
        self.zip(other, |mine, theirs| mine | theirs)
    }

    /// The places of this set that are not in `other`.
    #[must_use]
    pub fn minus(&self, other: &RegionSet) -> RegionSet {
        self.zip(other, |mine, theirs| mine & !theirs)
    }

    /// Whether there is no place in it.
    pub fn is_empty(&self) -> bool {
        *self == Self::EMPTY
    }

    /// The fewest table names that together are this set, groups and countries first; for messages.
    pub fn names(&self) -> Vec<&'static str> {
        let mut rest = *self;
        let mut names = Vec::new();
        for place in &TABLE.largest_first {
            if place.set.subset_of(self) && place.set.overlaps(&rest) {
                rest = rest.minus(&place.set);
                names.push(place.name);
            }
        }
        names
    }

    fn zip(&self, other: &RegionSet, with: impl Fn(u64, u64) -> u64) -> RegionSet {
        let mut out = *self;
        for (mine, theirs) in out.0.iter_mut().zip(&other.0) {
            *mine = with(*mine, *theirs);
        }
        out
    }

    fn leaf(index: usize) -> RegionSet {
        let mut set = Self::EMPTY;
        if let Some(word) = set.0.get_mut(index / 64) {
            *word |= 1 << (index % 64);
        }
        set
    }
}

impl fmt::Display for RegionSet {
    /// The names of [`RegionSet::names`], joined by commas; `nowhere` if there is none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_empty() {
            true => f.write_str("nowhere"),
            false => f.write_str(&self.names().join(", ")),
        }
    }
}

impl fmt::Debug for RegionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RegionSet({self})")
    }
}

/// The set of leaves that `name` stands for; `None` if the table does not know it.
pub fn resolve(name: &str) -> Option<RegionSet> {
    TABLE.places.get(name).map(|place| place.set)
}

/// What sort of name this is; `None` if the table does not know it.
pub fn kind(name: &str) -> Option<PlaceKind> {
    TABLE.places.get(name).map(|place| place.kind)
}

/// Every legal area a place lies within, itself included if it is one: for `US-CA`, `US` and `US-CA`; for
/// `eu-central-1`, `DE`, `EEA` and `EU`. Sorted; empty for an unknown name.
pub fn jurisdictions_of(name: &str) -> Vec<&'static str> {
    let Some(set) = resolve(name) else { return Vec::new() };
    let legal = |place: &&Place| place.kind <= PlaceKind::Subdivision && set.subset_of(&place.set);
    TABLE.places.values().filter(legal).map(|place| place.name).collect()
}

/// Every name of the table that shares a place with `set`. This is what a rule's `'US' in endpoint.processingRegions`
/// is tested against: *may it be processed somewhere in the US*. Sorted.
pub fn names_overlapping(set: &RegionSet) -> Vec<&'static str> {
    TABLE.places.values().filter(|place| place.set.overlaps(set)).map(|place| place.name).collect()
}

struct Place {
    name: &'static str,
    kind: PlaceKind,
    set: RegionSet,
}

struct Table {
    places: BTreeMap<&'static str, Place>,
    largest_first: Vec<Place>,
    leaves: usize,
}

static TABLE: LazyLock<Table> = LazyLock::new(Table::read);

impl Table {
    /// Reads the lists in the order in which they refer to each other.
    fn read() -> Table {
        let mut table = Table { places: BTreeMap::new(), largest_first: Vec::new(), leaves: 0 };
        for country in table::COUNTRIES.split(' ') {
            table.divide(country, PlaceKind::Country, None);
        }
        for subdivision in table::SUBDIVISIONS.split(' ') {
            table.divide(subdivision, PlaceKind::Subdivision, subdivision.get(..2));
        }
        for (within, names) in table::CLOUD_REGIONS {
            for name in names.split(' ') {
                table.divide(name, PlaceKind::CloudRegion, Some(within));
            }
        }
        for (group, names) in table::GROUPS {
            table.join(group, PlaceKind::Group, names);
        }
        for (geo, names) in table::GEOS {
            table.join(geo, PlaceKind::Geo, names);
        }
        table.join(table::EVERYWHERE, PlaceKind::Geo, table::COUNTRIES);
        table.order();
        table
    }

    /// A new place with a leaf of its own, which every place around it holds too.
    fn divide(&mut self, name: &'static str, kind: PlaceKind, within: Option<&'static str>) {
        let leaf = RegionSet::leaf(self.leaves);
        self.leaves += 1;
        self.places.insert(name, Place { name, kind, set: leaf });
        let mut around = within;
        while let Some(place) = around.and_then(|name| self.places.get_mut(name)) {
            place.set = place.set.union(&leaf);
            around = match place.kind {
                PlaceKind::Subdivision => place.name.get(..2),
                _ => None,
            };
        }
    }

    /// A new name for the union of known ones.
    fn join(&mut self, name: &'static str, kind: PlaceKind, names: &str) {
        let known = names.split(' ').filter_map(|part| self.places.get(part));
        let set = known.fold(RegionSet::EMPTY, |sum, place| sum.union(&place.set));
        self.places.insert(name, Place { name, kind, set });
    }

    /// Orders places for [`RegionSet::names`]: everywhere, groups by size, countries, subdivisions, regions; no geos.
    fn order(&mut self) {
        let named = |p: &&Place| p.kind != PlaceKind::Geo || p.name == table::EVERYWHERE;
        let copy = |p: &Place| Place { name: p.name, kind: p.kind, set: p.set };
        let mut places: Vec<Place> = self.places.values().filter(named).map(copy).collect();
        let size = |p: &Place| p.set.0.iter().map(|word| word.count_ones()).sum::<u32>();
        places.sort_by_key(|p| (p.name != table::EVERYWHERE, p.kind, std::cmp::Reverse(size(p)), p.name));
        self.largest_first = places;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_listed_once_and_every_reference_holds() {
        let regions = table::CLOUD_REGIONS.iter().flat_map(|(_, names)| names.split(' '));
        let groups = table::GROUPS.iter().chain(table::GEOS).map(|(name, _)| *name);
        let all: Vec<&str> = table::COUNTRIES
            .split(' ')
            .chain(table::SUBDIVISIONS.split(' '))
            .chain(regions)
            .chain(groups)
            .chain([table::EVERYWHERE])
            .collect();
        assert_eq!(all.len(), TABLE.places.len(), "a name is listed twice");
        assert!(all.iter().all(|name| !name.is_empty()));
        let referred = table::GROUPS.iter().chain(table::GEOS).flat_map(|(_, names)| names.split(' '));
        let within = table::CLOUD_REGIONS.iter().map(|(within, _)| *within);
        for name in referred.chain(within) {
            assert!(resolve(name).is_some(), "{name}");
        }
        assert!(TABLE.leaves <= WORDS * 64, "{} leaves need more words", TABLE.leaves);
        assert_eq!(table::COUNTRIES.split(' ').count(), 249);
    }

    #[test]
    fn everywhere_holds_every_leaf_and_every_set_can_be_named() {
        let everywhere = resolve("global").unwrap();
        let leaves: u32 = everywhere.0.iter().map(|word| word.count_ones()).sum();
        assert_eq!(leaves as usize, TABLE.leaves);
        for place in TABLE.places.values() {
            let named = place.set.names().into_iter().filter_map(resolve);
            assert_eq!(named.fold(RegionSet::EMPTY, |sum, set| sum.union(&set)), place.set, "{}", place.name);
        }
        assert_eq!(resolve("eu").unwrap().names(), ["EU"]);
        assert_eq!(resolve("eu").unwrap().union(&resolve("uk").unwrap()).to_string(), "EU, UK");
        assert_eq!(RegionSet::EMPTY.to_string(), "nowhere");
    }
}
