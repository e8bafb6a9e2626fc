//! What every part of the compilation shares: the facts, the faults found so far, and what names mean.
//!
//! Law: a name is resolved in one place, so that a reference means the same wherever it is written.

use std::collections::HashMap;
use std::sync::Arc;

use crate::bounds;
use crate::facts::{Facts, Geos, ModelGlob};
use crate::rules::condition::{Interner, Symbol};
use crate::rules::geo::{self, PlaceKind, RegionSet};
use crate::snapshot::rows::{Home, Places};
use crate::snapshot::{ModelRow, Registry, Table, areas_of};
use crate::vocabulary::{Id, Kind, Name};

/// What is wrong with one field of one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The kind of the resource.
    pub kind: Kind,
    /// The resource.
    pub id: Id,
    /// The field, as a path such as `spec.route.groups[0][1].endpoint`.
    pub field: String,
    /// A stable code: `unknown_reference`, `unknown_region`, `missing`, `duplicate`, `conflict`, `condition`, `currency`,
    /// `detectors`, `too_many`.
    pub code: &'static str,
    /// What is wrong and what would be right.
    pub message: String,
    /// What an `unknown_reference` refers to, in the resource's own tenant or on the platform.
    pub target: Option<(Kind, Name)>,
}

/// What every part of the compilation shares.
pub(crate) struct Build<'f> {
    pub(crate) facts: &'f Facts,
    pub(crate) faults: Vec<Fault>,
    pub(crate) symbols: Interner,
    areas: HashMap<Vec<Name>, Arc<[Symbol]>>,
    places: HashMap<Vec<Name>, Arc<Places>>,
    homes: HashMap<Option<Name>, Arc<Home>>,
}

impl<'f> Build<'f> {
    pub(crate) fn new(facts: &'f Facts, symbols: Interner) -> Self {
        Self {
            facts,
            faults: Vec::new(),
            symbols,
            areas: HashMap::new(),
            places: HashMap::new(),
            homes: HashMap::new(),
        }
    }

    pub(super) fn fault(
        &mut self,
        at: (Kind, &Id),
        field: impl Into<String>,
        code: &'static str,
        message: String,
    ) {
        let (kind, id) = (at.0, at.1.clone());
        self.faults.push(Fault { kind, id, field: field.into(), code, message, target: None });
    }

    /// Notes that there are too many of a kind; it is nobody's fault by name.
    pub(crate) fn too_many(&mut self, kind: Kind, count: usize) {
        let message = format!("there are {count} of this kind, and at most {} may be", bounds::most(kind));
        let nobody = Name::new("all").map(Id::platform);
        if let Ok(id) = nobody {
            self.fault((kind, &id), "", "too_many", message);
        }
    }

    /// Notes a reference to something that does not exist.
    pub(super) fn missing(&mut self, at: (Kind, &Id), field: impl Into<String>, target: (Kind, &str)) {
        let (kind, name) = target;
        self.fault(at, field, "unknown_reference", format!("there is no {kind} `{name}` here"));
        if let Some(fault) = self.faults.last_mut() {
            fault.target = Name::new(name).ok().map(|name| (kind, name));
        }
    }

    /// Resolves a place of the containment table, or notes that it knows none of that name.
    pub(super) fn region(&mut self, at: (Kind, &Id), field: &str, name: &Name) -> Option<RegionSet> {
        let set = geo::resolve(name.as_str());
        if set.is_none() {
            let message = format!("`{name}` is not a place of the region table of {}", geo::TABLE_AS_OF);
            self.fault(at, field, "unknown_region", message);
        }
        set
    }

    /// The union of several places; `None` where none is named or one is unknown.
    pub(super) fn regions(&mut self, at: (Kind, &Id), field: &str, names: &[Name]) -> Option<RegionSet> {
        let numbered = names.iter().enumerate();
        let sets: Vec<_> =
            numbered.map(|(n, name)| self.region(at, &format!("{field}[{n}]"), name)).collect();
        let sets: Option<Vec<_>> = sets.into_iter().collect();
        sets?.into_iter().reduce(|a, b| a.union(&b))
    }

    /// The symbols of the legal areas that hold all of one of these places, ascending; names the table does not know
    /// give none. Asked twice, the same areas are shared.
    pub(crate) fn areas(&mut self, places: &[Name]) -> Arc<[Symbol]> {
        if let Some(known) = self.areas.get(places) {
            return known.clone();
        }
        let areas = places.iter().flat_map(|place| areas_of(place.as_str())).copied();
        let areas: Arc<[Symbol]> = self.symbols.members(areas).into();
        self.areas.insert(places.to_vec(), areas.clone());
        areas
    }

    /// Where a principal resides, shared like [`Build::areas`].
    pub(crate) fn home(&mut self, id: &Id, residency: Option<&Name>) -> Arc<Home> {
        if let Some(known) = self.homes.get(&residency.cloned()) {
            return known.clone();
        }
        let (mut country, mut region) = (None, None);
        if let Some(residency) = residency {
            match geo::kind(residency.as_str()) {
                None => {
                    self.region((Kind::Principal, id), "spec.residency", residency);
                    return Arc::default();
                }
                Some(PlaceKind::Country) => country = Some(residency.as_str()),
                Some(PlaceKind::Subdivision) => {
                    region = Some(residency.as_str());
                    country = residency.as_str().split('-').next();
                }
                Some(_) => {}
            }
        }
        let home = Arc::new(Home {
            residency: residency.cloned(),
            country: country.map(|c| self.symbols.symbol(c)),
            region: region.map(|r| self.symbols.symbol(r)),
            jurisdictions: self.areas(residency.map_or(&[][..], std::slice::from_ref)),
        });
        self.homes.insert(residency.cloned(), home.clone());
        home
    }

    /// Several places together, shared like [`Build::areas`]; `None` where none is named, which is unknown.
    pub(crate) fn places(&mut self, at: (Kind, &Id), field: &str, names: &[Name]) -> Option<Arc<Places>> {
        if let Some(known) = self.places.get(names) {
            return Some(known.clone());
        }
        let set = self.regions(at, field, names)?;
        let places = Places { set, symbols: Box::default() };
        let places = Arc::new(places.looked_up(&self.symbols));
        self.places.insert(names.to_vec(), places.clone());
        Some(places)
    }
}

/// Sets of models by the patterns that name them; a pattern is matched against the models once.
pub(crate) struct ModelSets {
    models: Table<ModelRow>,
    by_name: Option<HashMap<Name, Vec<usize>>>,
    by_pattern: HashMap<ModelGlob, Box<[u64]>>,
}

impl ModelSets {
    pub(crate) fn of_registry(registry: &Registry) -> Self {
        Self { models: registry.models.clone(), by_name: None, by_pattern: HashMap::new() }
    }

    /// The models that any of the patterns fits, as bits over their positions.
    pub(crate) fn of(&mut self, patterns: &[ModelGlob]) -> Box<[u64]> {
        let mut sum = vec![0_u64; self.models.len().div_ceil(64)];
        for pattern in patterns {
            if !pattern.as_str().contains('*') {
                let names = self.by_name.get_or_insert_with(|| names(&self.models));
                let named = names.get(pattern.as_str());
                named.into_iter().flatten().for_each(|at| set_bit(&mut sum, *at));
                continue;
            }
            let models = &self.models;
            let fitting = self.by_pattern.entry(pattern.clone()).or_insert_with(|| {
                let fits = models.iter().enumerate().filter(|(_, row)| pattern.matches(row.id.name.as_str()));
                bits(models.len(), fits.map(|(at, _)| at))
            });
            sum.iter_mut().zip(fitting.iter()).for_each(|(all, these)| *all |= these);
        }
        sum.into_boxed_slice()
    }
}

fn names(models: &Table<ModelRow>) -> HashMap<Name, Vec<usize>> {
    let mut by_name: HashMap<Name, Vec<usize>> = HashMap::new();
    for (at, row) in models.iter().enumerate() {
        by_name.entry(row.id.name.clone()).or_default().push(at);
    }
    by_name
}

/// A set of positions as bits.
pub(super) fn bits(count: usize, set: impl Iterator<Item = usize>) -> Box<[u64]> {
    let mut words = vec![0_u64; count.div_ceil(64)];
    set.for_each(|at| set_bit(&mut words, at));
    words.into_boxed_slice()
}

pub(super) fn set_bit(words: &mut [u64], at: usize) {
    if let Some(word) = words.get_mut(at / 64) {
        *word |= 1 << (at % 64);
    }
}

/// Whether two resources can ever be in the same geo.
pub(super) fn meet(a: &Geos, b: &Geos) -> bool {
    a.is_empty() || b.is_empty() || a.iter().any(|geo| b.contains(geo))
}
