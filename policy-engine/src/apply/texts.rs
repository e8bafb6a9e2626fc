//! Rows that say a text which has a symbol now, or none any more.
//!
//! Law: after it, every row has the symbols that its texts have.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::Applying;
use crate::rules::geo::{self, RegionSet};
use crate::snapshot::rows::{Home, Places, SiteRow};
use crate::snapshot::{CompiledSnapshot, PrincipalRow, areas_of};
use crate::vocabulary::{Id, Name, Operation, PrincipalType};

impl Applying<'_> {
    /// Looks the texts up again in the rows that say them. `None` for words that are the same in every house, and so in most rows.
    pub(super) fn look_up(&mut self) -> Option<()> {
        if self.texts.is_empty() {
            return Some(());
        }
        let everywhere = |text: &Arc<str>| {
            PrincipalType::ALL.iter().any(|word| word.as_str() == &**text)
                || Operation::ALL.iter().any(|word| word.as_str() == &**text)
        };
        if self.texts.iter().any(everywhere) {
            return None;
        }
        for text in &self.texts {
            if let Ok(name) = Name::new(text) {
                people(&mut self.next, &name);
            }
        }
        endpoints(&mut self.next, &self.texts);
        models(&mut self.next, &self.texts);
        if self.texts.iter().any(|text| geo::kind(text).is_some()) {
            self.places();
        }
        Some(())
    }

    /// Looks up again where people and endpoints are, if a condition may ask for it by one of the texts. Rows share what they say
    /// of places, so that each place is looked up once.
    fn places(&mut self) {
        let (facts, texts, build) = (self.build.facts, &self.texts, &mut self.build);
        let people = &mut self.next.people;
        for (id, team) in &facts.teams {
            if team.jurisdictions.iter().any(|place| is_within(place, texts)) {
                people.put_team(build, id, team);
            }
        }
        let mut homes: HashMap<*const Home, Option<Arc<Home>>> = HashMap::new();
        people.principals.change(|row| {
            let known = homes.entry(Arc::as_ptr(&row.home));
            let new = known.or_insert_with(|| {
                let residency = row.home.residency.as_ref().filter(|place| is_within(place, texts))?;
                let id = Id { tenant: None, name: row.name.clone() };
                Some(build.home(&id, Some(residency)))
            });
            Some(PrincipalRow { home: new.clone()?, ..row.clone() })
        });
        let sets: Vec<RegionSet> = texts.iter().filter_map(|text| geo::resolve(text)).collect();
        let symbols = &self.next.symbols;
        let mut known: HashMap<*const Places, Option<Arc<Places>>> = HashMap::new();
        let mut again = |places: &Arc<Places>| {
            let met = known.entry(Arc::as_ptr(places)).or_insert_with(|| {
                sets.iter().any(|set| set.overlaps(&places.set)).then(|| Arc::new(places.looked_up(symbols)))
            });
            met.clone()
        };
        self.next.registry.sites.change(|site| {
            let processing = site.processing.as_ref().and_then(&mut again);
            let storage = site.storage.as_ref().and_then(&mut again);
            if processing.is_none() && storage.is_none() {
                return None;
            }
            let (processing, storage) =
                (processing.or_else(|| site.processing.clone()), storage.or_else(|| site.storage.clone()));
            Some(SiteRow { processing, storage, ..site.clone() })
        });
    }
}

/// Whether a place is one of the texts, or in a country or under a law that is.
fn is_within(place: &Name, texts: &BTreeSet<Arc<str>>) -> bool {
    let country = place.as_str().split('-').next();
    texts.contains(place.as_str())
        || country.is_some_and(|country| texts.contains(country))
        || areas_of(place.as_str()).iter().any(|area| texts.contains(*area))
}

fn people(next: &mut CompiledSnapshot, name: &Name) {
    let symbol = next.symbols.symbol(name.as_str());
    let people = &mut next.people;
    if let Some(row) = people.tenant(name).and_then(|at| people.tenants.get_mut(at as usize)) {
        row.symbol = symbol;
    }
    for tenant in (0..people.tenants.len() as u32).map(Some) {
        if let Some(row) = people.team(tenant, name).and_then(|at| people.teams.get_mut(at as usize)) {
            row.symbol = [symbol];
        }
        if let Some(row) =
            people.principal(tenant, name).and_then(|at| people.principals.get_mut(at as usize))
        {
            row.symbol = symbol;
        }
    }
}

fn endpoints(next: &mut CompiledSnapshot, texts: &BTreeSet<Arc<str>>) {
    let said = |name: &Name| texts.contains(name.as_str());
    let providers = &next.registry.providers;
    let vendor = |at: u32| providers.get(at as usize).map(|row| row.id.name.clone());
    let rows = next.registry.endpoints.iter().enumerate();
    let says = rows.filter_map(|(at, row)| {
        let (name, vendor) = (&row.id.name, vendor(row.provider)?);
        (said(name) || said(&vendor)).then(|| (at, name.clone(), vendor))
    });
    let says: Vec<(usize, Name, Name)> = says.collect();
    for (at, name, vendor) in says {
        if let Some(site) = next.registry.sites.get_mut(at) {
            site.name = next.symbols.symbol(name.as_str());
            site.vendor = next.symbols.symbol(vendor.as_str());
        }
    }
}

fn models(next: &mut CompiledSnapshot, texts: &BTreeSet<Arc<str>>) {
    let rows = next.registry.models.iter().enumerate();
    let says = rows.filter(|(_, row)| {
        texts.contains(row.id.name.as_str())
            || row.licence_name.as_ref().is_some_and(|licence| texts.contains(licence.as_str()))
            || row.card.risk_class.as_ref().is_some_and(|class| texts.contains(class.as_str()))
    });
    let says: Vec<usize> = says.map(|(at, _)| at).collect();
    for at in says {
        if let Some(row) = next.registry.models.get_mut(at) {
            row.look_up(&next.symbols);
        }
    }
}
