//! Which entries are tried for a name, in which order, and with which shares.
//!
//! Law: entries of one name share its load as LiteLLM would share it: by rank, then by weight, else by requests or tokens a minute;
//! then come those of its fallbacks. Absent on purpose: fallbacks of a fallback, which are tried for its own name alone.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::at::At;
use super::deployment::Deployment;
use super::settings::Settings;
use crate::verbs::written::Target;

/// The greatest share a target may have.
const MOST_WEIGHT: u64 = 1_000_000;

/// An entry and its endpoint.
pub(super) type Member<'g, 'n> = (&'g Deployment<'n>, &'g str);

/// Entries that are tried together.
pub(super) type Rank<'g, 'n> = Vec<Member<'g, 'n>>;

/// Entries by what callers ask for, in the order of the file.
pub(super) struct Groups<'g, 'n> {
    pub(super) names: Vec<&'n str>,
    members: HashMap<&'n str, Rank<'g, 'n>>,
    by_id: HashMap<&'n str, Member<'g, 'n>>,
    /// What an alias means.
    means: HashMap<&'n str, &'n str>,
    aliases: HashMap<&'n str, Vec<&'n str>>,
    after: HashMap<&'n str, Vec<&'g At<'n>>>,
}

impl<'g, 'n> Groups<'g, 'n> {
    /// The groups of entries and their endpoints; an alias that means nothing is noted.
    pub(super) fn of(
        deployments: &'g [Deployment<'n>],
        endpoints: &'g [String],
        settings: &'g Settings<'n>,
    ) -> Self {
        let mut groups = Self {
            names: Vec::new(),
            members: HashMap::new(),
            by_id: HashMap::new(),
            means: HashMap::new(),
            aliases: HashMap::new(),
            after: HashMap::new(),
        };
        for member in
            deployments.iter().zip(endpoints).map(|(deployment, endpoint)| (deployment, endpoint.as_str()))
        {
            let group = member.0.group;
            let members = groups.members.entry(group).or_default();
            if members.is_empty() {
                groups.names.push(group);
            }
            members.push(member);
            groups.by_id.extend(member.0.id.map(|id| (id, member)));
        }
        settings.aliases.iter().for_each(|(alias, at)| groups.name(alias, at));
        for (of, after) in &settings.fallbacks {
            groups.after.entry(groups.meant(of)).or_default().extend(after);
        }
        groups
    }

    /// The entries of one name.
    pub(super) fn members(&self, name: &str) -> &[Member<'g, 'n>] {
        self.members.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// The other names of one.
    pub(super) fn aliases(&self, name: &str) -> &[&'n str] {
        self.aliases.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    fn name(&mut self, alias: &'n str, at: &At<'n>) {
        let means = if at.is_map() {
            let mut fields: BTreeMap<&str, At<'n>> = at.pairs().into_iter().collect();
            let means = fields.remove("model").and_then(|at| at.text());
            fields
                .remove("hidden")
                .filter(At::is_true)
                .iter()
                .for_each(|at| at.left("an alias is not hidden"));
            fields.values().for_each(|at| at.left("has no counterpart"));
            means
        } else {
            at.text()
        };
        match means {
            Some(means) if alias == means => {}
            Some(_) if self.members.contains_key(alias) => {
                at.left("is the name of a model too: callers get that")
            }
            Some(means) if self.members.contains_key(means) => {
                self.means.insert(alias, means);
                self.aliases.entry(means).or_default().push(alias);
            }
            _ => at.left("means no model that is carried"),
        }
    }

    fn meant(&self, name: &'n str) -> &'n str {
        self.means.get(name).copied().unwrap_or(name)
    }

    /// The entries of one name by rank.
    fn ranks(&self, name: &str) -> Vec<Rank<'g, 'n>> {
        let mut ranks: BTreeMap<u64, Rank<'g, 'n>> = BTreeMap::new();
        for member in self.members(name) {
            ranks.entry(member.0.order.unwrap_or(u64::MAX)).or_default().push(*member);
        }
        ranks.into_values().collect()
    }

    /// What is tried for a name, rank by rank: its own entries, then those of its fallbacks, each once.
    pub(super) fn route(&self, name: &str, settings: &Settings<'n>) -> Vec<Rank<'g, 'n>> {
        let mut ranks = self.ranks(name);
        let own = self.after.get(name).map(|own| own.iter().copied().cloned().collect::<Vec<_>>());
        for at in own.iter().flatten().chain(settings.default_fallbacks.iter().filter(|_| own.is_none())) {
            // Words of a request with the name are no fallback that a route has.
            let Some(after) = (!at.is_map()).then(|| at.text()).flatten().map(|after| self.meant(after))
            else {
                at.left("is more than the name of a model");
                continue;
            };
            if self.members.contains_key(after) {
                ranks.extend(self.ranks(after));
            } else if let Some(one) = self.by_id.get(after) {
                ranks.push(vec![*one]);
            } else {
                at.left("falls back to no model that is carried");
            }
        }
        let mut seen = HashSet::new();
        ranks.iter_mut().for_each(|rank| rank.retain(|(_, endpoint)| seen.insert(*endpoint)));
        ranks.retain(|rank| !rank.is_empty());
        ranks
    }
}

/// The targets of a rank with their shares: by weight, else by requests, else by tokens a minute, where the first entry has them.
pub(super) fn targets(rank: &[Member<'_, '_>]) -> Vec<Target> {
    let by = |of: fn(&Deployment<'_>) -> Option<u64>| {
        let said = rank.first().is_some_and(|(first, _)| of(first).is_some());
        said.then(|| {
            rank.iter().map(|(deployment, _)| of(deployment).unwrap_or_default()).collect::<Vec<u64>>()
        })
    };
    let shares = by(|d| d.weight).or_else(|| by(|d| d.rpm)).or_else(|| by(|d| d.tpm)).unwrap_or_default();
    let scale = shares.iter().copied().max().unwrap_or_default().div_ceil(MOST_WEIGHT).max(1);
    let mut shares = shares.into_iter();
    let mut targets = Vec::with_capacity(rank.len());
    for (deployment, endpoint) in rank {
        let share = shares.next().filter(|_| rank.len() > 1);
        if share == Some(0) {
            deployment.at.left("has no share of its name's load, as LiteLLM counts it: the route gives it the least there is");
        }
        let weight = share.and_then(|share| u32::try_from((share / scale).max(1)).ok());
        targets.push(Target { endpoint: (*endpoint).to_owned(), weight });
    }
    targets
}
