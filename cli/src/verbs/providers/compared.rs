//! A vendor's list beside what is registered: what is new, what is said otherwise, and what is gone.
//!
//! Law: the same list beside what came of it is no difference. Of what is registered only dates are changed, for the rest is somebody's
//! decision; and a list that has not everything that may be called makes nothing new and nothing gone.

use std::collections::{BTreeMap, BTreeSet};

use policy_engine::facts::ModelGlob;
use policy_engine::vocabulary::{Id, Instant, Kind};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::card::{Card, Known};
use super::lifecycle::{Lifecycle, Since};
use super::registered::Registered;
use crate::dev::place;
use crate::slug::{Taken, slug};
use crate::verbs::failure::Failure;
use crate::verbs::field::list;
use crate::verbs::written::{Endpoint, Route, Target, Written};

/// Names that are told in one line at most.
const NAMED: usize = 5;

/// Models of a vendor that may all be gone at once; of more than these, half.
const FEW: usize = 3;

/// The label of what a vendor has: its provider.
const SOURCE: &str = "source";

/// What is wanted of what is new.
pub(super) struct Wanted<'w> {
    /// Names that models may have here; none: any.
    pub(super) only: &'w [ModelGlob],
    /// Also what is discouraged already.
    pub(super) deprecated: bool,
    /// Where it is processed, whatever the vendor says; none: as the vendor says.
    pub(super) regions: &'w [String],
    /// What it is labelled by.
    pub(super) labels: &'w [(String, String)],
    /// Most of what is registered may end at once.
    pub(super) end_many: bool,
    /// The time.
    pub(super) now: Instant,
}

/// What came of a comparison.
#[derive(Debug, Default)]
pub(super) struct Compared {
    /// What `apply` takes.
    pub(super) written: Written,
    /// Names of new models and endpoints.
    pub(super) new: Vec<String>,
    /// Names of models whose card changes, and how.
    pub(super) changed: Vec<(String, String)>,
    /// Names of endpoints whose model is not in the list, and what that is called there.
    pub(super) gone: Vec<(String, String)>,
    /// What whoever approves should know.
    pub(super) told: Vec<String>,
}

/// A model as it is written.
#[derive(Serialize)]
struct Model {
    card: Card,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    aliases: Vec<String>,
    route: Route,
}

/// What was left out, and what was taken from names.
#[derive(Default)]
struct Aside<'s> {
    discouraged: Vec<&'s str>,
    unasked: Vec<&'s str>,
    by_name: Vec<&'s str>,
    taken: Vec<String>,
    platforms: Vec<String>,
    nowhere: Vec<&'s str>,
    /// By where the vendor says that they are processed.
    placed: BTreeMap<String, Vec<&'s str>>,
    undeployed: usize,
}

/// Compares.
pub(super) fn compare(
    (provider, survey): (&Id, &Value),
    registered: &Registered,
    wanted: &Wanted<'_>,
) -> Result<Compared, Failure> {
    let mut listed: BTreeMap<&str, &Value> = BTreeMap::new();
    for model in list(survey, "models") {
        listed.extend(model.get("id").and_then(Value::as_str).map(|id| (id, model)));
    }
    let catalogue_only = survey.get("catalogueOnly").and_then(Value::as_bool).unwrap_or_default();
    let mut compared = Compared::default();
    let mut aside = Aside::default();
    let known: BTreeSet<&str> = registered.endpoints.values().map(String::as_str).collect();
    let unknown = listed.iter().filter(|(id, _)| !known.contains(*id));
    if catalogue_only {
        aside.undeployed = unknown.count();
    } else {
        compared.adds(
            (provider, unknown.map(|(id, model)| (*id, *model))),
            registered,
            (wanted, &mut aside),
        )?;
        let owner = owner(provider);
        let gone = registered.endpoints.iter().filter(|(_, id)| !listed.contains_key(id.as_str()));
        compared.gone =
            gone.map(|(endpoint, id)| (format!("{owner}endpoints/{endpoint}"), id.clone())).collect();
    }
    compared.told = aside.told(wanted);
    if !compared.new.is_empty() {
        if registered.platform.is_none() {
            let unread = "the platform's models can't be read, so names of theirs may be among the new ones";
            compared.told.push(unread.to_owned());
        }
        if wanted.labels.iter().any(|(key, value)| key == SOURCE && value != provider.name.as_str()) {
            compared.told.push(format!("the label `{SOURCE}` is the provider's name, and no other is taken"));
        }
    }
    compared.dates((provider, &listed), registered, (wanted, catalogue_only))?;
    Ok(compared)
}

impl Compared {
    /// Writes endpoints and models for what nobody has registered.
    fn adds<'s>(
        &mut self,
        (provider, unknown): (&Id, impl Iterator<Item = (&'s str, &'s Value)>),
        registered: &Registered,
        (wanted, aside): (&Wanted<'_>, &mut Aside<'s>),
    ) -> Result<(), Failure> {
        let mut endpoints = Taken::default();
        registered.endpoint_ids.iter().for_each(|id| endpoints.reserve(id));
        let mut names: BTreeSet<String> = BTreeSet::new();
        let owner = owner(provider);
        let given = wanted.labels.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str())));
        let mut labels = Map::from_iter(given);
        labels.insert(SOURCE.to_owned(), Value::from(provider.name.as_str()));
        let labels = Value::Object(labels);
        for (id, model) in unknown {
            let name = match slug(id) {
                name if name.is_empty() => "unnamed".to_owned(),
                name => name,
            };
            if !wanted.only.is_empty() && !wanted.only.iter().any(|glob| glob.matches(&name)) {
                continue;
            }
            if !wanted.deprecated && Lifecycle::of(model).is_over(wanted.now) {
                aside.discouraged.push(id);
                continue;
            }
            let Some((card, from)) = Card::of(model, wanted.now) else {
                aside.unasked.push(id);
                continue;
            };
            let endpoint = endpoints.take(&format!("{}.{name}", provider.name));
            let regions = match wanted.regions {
                [] => places(model),
                said => said.to_vec(),
            };
            if regions.is_empty() {
                aside.nowhere.push(id);
            } else if wanted.regions.is_empty() {
                aside.placed.entry(regions.join(", ")).or_default().push(id);
            }
            let spec = Endpoint {
                provider: provider.name.to_string(),
                upstream_model: id.to_owned(),
                processing_regions: regions,
                timeouts: None,
            };
            let at = format!("{owner}endpoints/{endpoint}");
            self.written.put(Kind::Endpoint, (at.clone(), labels.clone()), &spec)?;
            self.new.push(at);
            let would = || format!("`{name}`, which `{owner}endpoints/{endpoint}` would serve");
            if registered.is_platforms(&name) {
                aside.platforms.push(would());
                continue;
            }
            if registered.has_name(&name) || !names.insert(name.clone()) {
                aside.taken.push(would());
                continue;
            }
            if from == Known::ByName {
                aside.by_name.push(id);
            }
            let is_alias = id != name && id.len() <= 128 && id.bytes().all(|byte| byte.is_ascii_graphic());
            let is_free = !registered.has_name(id) && !registered.is_platforms(id);
            let alias = Some(id.to_owned()).filter(|_| is_alias && is_free);
            let target = Target { endpoint, weight: None };
            let spec = Model {
                card,
                aliases: alias.into_iter().collect(),
                route: Route { policy: "weighted", groups: vec![vec![target]] },
            };
            let at = format!("{owner}models/{name}");
            self.written.put(Kind::Model, (at.clone(), labels.clone()), &spec)?;
            self.new.push(at);
        }
        Ok(())
    }

    /// Writes models whose vendor says otherwise until when they may be used.
    fn dates(
        &mut self,
        (provider, listed): (&Id, &BTreeMap<&str, &Value>),
        registered: &Registered,
        (wanted, catalogue_only): (&Wanted<'_>, bool),
    ) -> Result<(), Failure> {
        let of = |id: &&str| match listed.get(*id) {
            Some(model) => Lifecycle::of(model),
            None if catalogue_only => Lifecycle::default(),
            None => Lifecycle::gone(),
        };
        let ends = |(id, model, names): (_, _, Vec<&str>)| {
            let all: Vec<Lifecycle> = names.iter().map(of).collect();
            (id, model, Lifecycle::of_all(&all))
        };
        let own: Vec<(&str, &Value, Lifecycle)> = registered.own().map(ends).collect();
        let is_kept = !wanted.end_many && self.keeps(&own, wanted.now);
        for (id, model, Lifecycle { deprecated, retired }) in own {
            let retired = retired.filter(|since| !is_kept || *since != Since::Seen);
            let mut spec = model.get("spec").cloned().unwrap_or_default();
            let mut how = Vec::new();
            for (field, word, since) in
                [("deprecatedFrom", "deprecated", deprecated), ("retiredFrom", "retired", retired)]
            {
                let told = spec.pointer(&format!("/card/{field}")).and_then(Value::as_str);
                let Some(at) = since.and_then(|since: Since| since.changes(told, wanted.now)) else {
                    continue;
                };
                how.push(format!("{word} from {at}"));
                if let Some(card) = spec.get_mut("card").and_then(Value::as_object_mut) {
                    card.insert(field.to_owned(), at.into());
                }
            }
            if how.is_empty() {
                continue;
            }
            let at = format!("{}models/{id}", owner(provider));
            let labels = model.get("labels").cloned().unwrap_or_else(|| json!({}));
            self.written.put(Kind::Model, (at.clone(), labels), &spec)?;
            self.changed.push((at, how.join(", ")));
        }
        Ok(())
    }

    /// Whether so many are gone at once that none of them is ended, for a list may be short once; that is told.
    fn keeps(&mut self, own: &[(&str, &Value, Lifecycle)], now: Instant) -> bool {
        let is_there = |model: &Value| {
            let told = model.pointer("/spec/card/retiredFrom").and_then(Value::as_str);
            Since::Seen.changes(told, now).is_some()
        };
        let there: Vec<_> = own.iter().filter(|(_, model, _)| is_there(model)).collect();
        let gone = there.iter().filter(|(_, _, ends)| ends.retired == Some(Since::Seen)).count();
        let keeps = there.len() > FEW && gone > there.len() / 2;
        if keeps {
            self.told.push(format!(
                "of {} models that it alone serves the list has {gone} no more: they stay as they are, for a list may be short once; \
                 `--end-many` retires them",
                there.len()
            ));
        }
        keeps
    }

    /// Whether nothing would change.
    pub(super) fn is_nothing(&self) -> bool {
        self.new.is_empty() && self.changed.is_empty()
    }

    /// A line for each difference.
    pub(super) fn lines(&self) -> String {
        let new = self.new.iter().map(|name| format!("{:<9}{name}\n", "new"));
        let changed = self.changed.iter().map(|(name, how)| format!("{:<9}{name}: {how}\n", "changed"));
        let gone = self.gone.iter();
        let gone = gone.map(|(name, id)| format!("{:<9}{name}: the list has no `{id}` any more\n", "gone"));
        new.chain(changed).chain(gone).collect()
    }

    /// How much there is of each, of so many that the list has.
    pub(super) fn counted(&self, listed: usize) -> String {
        match self.is_nothing() && self.gone.is_empty() {
            true => format!("nothing is new, changed or gone: {listed} models"),
            false => {
                let (new, changed, gone) = (self.new.len(), self.changed.len(), self.gone.len());
                format!("{new} new, {changed} changed, {gone} gone: {listed} models")
            }
        }
    }
}

impl Aside<'_> {
    /// A line for each kind of what whoever approves should know.
    fn told(&self, wanted: &Wanted<'_>) -> Vec<String> {
        let mut told = Vec::new();
        let mut tell = |names: &[&str], why: &str| {
            if !names.is_empty() {
                told.push(format!("{}: {why}", named(names)));
            }
        };
        tell(
            &self.by_name,
            "the vendor does not say what can be asked of it: that is taken from the name, look at it",
        );
        tell(&self.unasked, "left out, for nothing that the gateway asks can be asked of it");
        tell(&self.discouraged, "left out, for the vendor discourages it; `--deprecated` takes it in");
        if wanted.regions.is_empty() {
            tell(
                &self.nowhere,
                "where it is processed is unknown, so no residency rule lets a request there; `--regions` says it",
            );
        }
        for (places, names) in &self.placed {
            tell(names, &format!("processed in {places}, as the vendor says: look at it"));
        }
        for (whose, names) in [("there is", &self.taken), ("the platform has", &self.platforms)] {
            if !names.is_empty() {
                let names = names.join("; ");
                told.push(format!(
                    "{whose} a model of the name already, and its route stays as it is: {names}"
                ));
            }
        }
        if self.undeployed > 0 {
            told.push(format!(
                "{} more models could be deployed there: an endpoint names a deployment, which is made at the vendor first",
                self.undeployed
            ));
        }
        told
    }
}

/// Names in a line, the first few of them.
fn named(names: &[&str]) -> String {
    let first: Vec<String> = names.iter().take(NAMED).map(|name| format!("`{name}`")).collect();
    match names.len().saturating_sub(NAMED) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

/// Where a model is processed, as the vendor says, where every place of it is one of the region table.
fn places(model: &Value) -> Vec<String> {
    let places = list(model, "regions").iter().map(|region| place(region.as_str()?).ok());
    places.collect::<Option<_>>().unwrap_or_default()
}

/// What stands before the collection in the names of whoever owns a provider.
fn owner(provider: &Id) -> String {
    provider.tenant.as_ref().map(|tenant| format!("tenants/{tenant}/")).unwrap_or_default()
}

#[cfg(test)]
mod tests;
