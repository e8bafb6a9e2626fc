//! Resources of what was read: one provider for all entries of one vendor, address and key; an endpoint an entry; a model a name.
//!
//! Law: a price is that of the endpoint where endpoints of a model differ; what is unpriced stays so.

use std::collections::{BTreeMap, HashMap, HashSet};

use policy_engine::vocabulary::Kind;

use super::deployment::{Deployment, Key, Whom};
use super::routes::{Groups, Rank, targets};
use super::settings::Settings;
use crate::slug::{Taken, slug};
use crate::verbs::failure::Failure;
use crate::verbs::written::{
    Amounts, Bound, Credential, Endpoint, Limit, Model, Price, Provider, Route, Scope, Timeouts, Written,
};

/// The label that tells where a resource came from.
const SOURCE: &str = "litellm";

/// A file's resources, and the variables that nodes need: with each, whether its key is in the file.
pub(super) fn assemble(
    deployments: &[Deployment<'_>],
    settings: &Settings<'_>,
    regions: &[String],
) -> Result<(Written, Vec<(String, bool)>), Failure> {
    let mut house = House {
        written: Written::default(),
        regions,
        settings,
        taken: HashMap::new(),
        variables: BTreeMap::new(),
    };
    let providers = house.providers(deployments)?;
    let endpoints = house.endpoints(deployments, &providers)?;
    house.models(&Groups::of(deployments, &endpoints, settings))?;
    house.limits(deployments, &endpoints, &providers)?;
    Ok((house.written, house.variables.into_iter().collect()))
}

struct House<'h, 'n> {
    written: Written,
    regions: &'h [String],
    settings: &'h Settings<'n>,
    taken: HashMap<&'static str, Taken>,
    variables: BTreeMap<String, bool>,
}

impl<'h, 'n> House<'h, 'n> {
    fn take(&mut self, kind: &'static str, text: &str) -> String {
        self.taken.entry(kind).or_default().take(text)
    }

    /// A provider for each vendor, address and key.
    fn providers<'d>(
        &mut self,
        deployments: &'d [Deployment<'n>],
    ) -> Result<HashMap<&'d Whom, String>, Failure> {
        let mut names = HashMap::new();
        // A variable that is named is another's than a key that is in the file.
        let mut variables = Taken::joined_by('_');
        let named = deployments
            .iter()
            .filter_map(|d| if let Key::Variable(name) = &d.whom.key { Some(name) } else { None });
        let named: HashSet<&String> = named.collect();
        named.iter().for_each(|name| drop(variables.take(name)));
        for Deployment { whom, .. } in deployments {
            if names.contains_key(whom) {
                continue;
            }
            let env = match &whom.key {
                Key::None | Key::File(_) => None,
                Key::Variable(name) => Some((name.clone(), false)),
                Key::Inline { variable, .. } => Some((variables.take(variable), true)),
            };
            let file = if let Key::File(path) = &whom.key { Some(path.clone()) } else { None };
            let credential = env.clone().map(|(env, _)| Credential::Env(env));
            let name = self.take("providers", whom.vendor);
            let provider = Provider {
                adapter: whom.adapter.to_owned(),
                base_url: whom.base_url.clone(),
                api_version: whom.api_version.clone(),
                credential: credential.or(file.map(Credential::File)),
                auth: whom.auth.clone(),
            };
            self.written.add(Kind::Provider, (&name, SOURCE), &provider)?;
            self.variables.extend(env);
            names.insert(whom, name);
        }
        Ok(names)
    }

    /// An endpoint for each entry; their names.
    fn endpoints(
        &mut self,
        deployments: &[Deployment<'n>],
        providers: &HashMap<&Whom, String>,
    ) -> Result<Vec<String>, Failure> {
        let mut names = Vec::with_capacity(deployments.len());
        for deployment in deployments {
            let provider = providers.get(&deployment.whom).cloned().unwrap_or_default();
            let wanted = match deployment.id {
                Some(id) => id.to_owned(),
                None => format!("{provider}-{}", deployment.upstream_model),
            };
            let name = self.take("endpoints", &wanted);
            let regions =
                deployment.region.as_ref().map_or_else(|| self.regions.to_vec(), |place| vec![place.clone()]);
            let total = deployment.timeout.as_ref().or(self.settings.timeout.as_ref());
            let endpoint = Endpoint {
                provider,
                upstream_model: deployment.upstream_model.clone(),
                processing_regions: regions,
                timeouts: total.map(|total| Timeouts { total: total.clone() }),
            };
            self.written.add(Kind::Endpoint, (&name, SOURCE), &endpoint)?;
            names.push(name);
        }
        Ok(names)
    }

    fn models(&mut self, groups: &Groups<'_, 'n>) -> Result<(), Failure> {
        // Names that are whole keep themselves; those that are made get what is left.
        let mut taken = Taken::default();
        groups.names.iter().filter(|name| slug(name) == **name).for_each(|name| drop(taken.take(name)));
        for group in &groups.names {
            let name = if slug(group) == *group { (*group).to_owned() } else { taken.take(group) };
            let ranks = groups.route(group, self.settings);
            let Some((first, _)) = groups.members(group).first() else { continue };
            for (other, _) in groups.members(group).iter().filter(|(other, _)| other.card != first.card) {
                other.at.left(
                    "says another card (`model_info`) than the first entry of its name, whose card counts",
                );
            }
            let made = (name != *group).then_some(*group);
            let mut aliases: Vec<String> =
                made.into_iter().chain(groups.aliases(group).iter().copied()).map(str::to_owned).collect();
            let fits =
                |alias: &String| alias.len() <= 128 && alias.bytes().all(|byte| byte.is_ascii_graphic());
            if !aliases.iter().all(fits) {
                first.at.left(format!(
                    "is asked for by what is no alias, 1 to 128 visible characters: ask for `{name}`"
                ));
                aliases.retain(fits);
            }
            let route = Route {
                policy: self.settings.policy,
                groups: ranks.iter().map(|rank| targets(rank)).collect(),
            };
            self.written.add(
                Kind::Model,
                (&name, SOURCE),
                &Model { card: first.card.clone(), aliases, route },
            )?;
            self.prices(&name, &ranks)?;
        }
        Ok(())
    }

    /// One price for all where all cost the same, else one for each endpoint that has one.
    fn prices(&mut self, model: &str, ranks: &[Rank<'_, 'n>]) -> Result<(), Failure> {
        let targets: Vec<_> = ranks.iter().flatten().collect();
        let Some((first, _)) = targets.first() else { return Ok(()) };
        let same = targets.iter().all(|(deployment, _)| deployment.price == first.price);
        for (deployment, endpoint) in targets {
            let Some(per_million) = deployment.price.clone() else { continue };
            let amounts = Amounts { per_million: Some(per_million), per_unit: None };
            let (id, endpoint) = match same {
                true => (model.to_owned(), None),
                false => (format!("{model}.{endpoint}"), Some((*endpoint).to_owned())),
            };
            let name = self.take("prices", &id);
            let price =
                Price { model: model.to_owned(), endpoint, valid_from: None, currency: "USD", amounts };
            self.written.add(Kind::Price, (&name, SOURCE), &price)?;
            if same {
                break;
            }
        }
        Ok(())
    }

    fn limits(
        &mut self,
        deployments: &[Deployment<'n>],
        endpoints: &[String],
        providers: &HashMap<&Whom, String>,
    ) -> Result<(), Failure> {
        let minute = || Some("1m".to_owned());
        for (deployment, endpoint) in deployments.iter().zip(endpoints) {
            let scope = || Scope { endpoint: Some(endpoint.clone()), provider: None };
            let requests =
                deployment.rpm.map(|n| Bound { requests: Some(n), per: minute(), ..Bound::default() });
            let tokens = deployment.tpm.map(|n| Bound { tokens: Some(n), per: minute(), ..Bound::default() });
            let parallel = deployment.parallel.or(self.settings.parallel);
            let parallel = parallel.map(|n| Bound { concurrent: Some(n), ..Bound::default() });
            for (word, bound) in [
                ("rpm", requests),
                ("tpm", tokens),
                ("parallel", parallel),
                ("budget", deployment.budget.clone().map(spend)),
            ] {
                self.limit((endpoint, word), scope(), bound)?;
            }
        }
        let settings = self.settings;
        for (at, vendor, budget) in &settings.vendors {
            let mut of: Vec<&String> =
                providers.iter().filter(|(whom, _)| whom.vendor == *vendor).map(|(_, name)| name).collect();
            of.sort();
            match of.as_slice() {
                [provider] => {
                    let scope = Scope { endpoint: None, provider: Some((*provider).clone()) };
                    self.limit((provider.as_str(), "budget"), scope, Some(spend(budget.clone())))?;
                }
                [] => at.left("is no vendor that is carried"),
                _ => at.left("is a vendor with several addresses or keys, each a provider: no limit counts all of them together"),
            }
        }
        self.limit(("all", "budget"), Scope::default(), settings.budget.clone().map(spend))?;
        let all = settings.all_parallel.map(|n| Bound { concurrent: Some(n), ..Bound::default() });
        self.limit(("all", "parallel"), Scope::default(), all)
    }

    fn limit(&mut self, (of, word): (&str, &str), scope: Scope, bound: Option<Bound>) -> Result<(), Failure> {
        let Some(bound) = bound else { return Ok(()) };
        let name = self.take("limits", &format!("{of}-{word}"));
        self.written.add(Kind::Limit, (&name, SOURCE), &Limit { scope, bound })
    }
}

fn spend((amount, per): (String, String)) -> Bound {
    Bound { spend: Some(amount), per: Some(per), ..Bound::default() }
}
