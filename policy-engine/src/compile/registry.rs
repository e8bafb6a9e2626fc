//! Providers, endpoints, and models with their routes.

use std::collections::HashMap;
use std::sync::Arc;

use super::build::Build;
use crate::facts::{Endpoint, Model, Provider, RouteTarget, Terms};
use crate::rules::condition::Interner;
use crate::snapshot::registry::{meant, own, position};
use crate::snapshot::rows::{ModelSymbols, PriceRow, SiteRow, TargetRow};
use crate::snapshot::{EndpointRow, ModelRow, People, ProviderRow, Registry};
use crate::vocabulary::{Adapter, Id, Kind};

pub(crate) fn compile(build: &mut Build<'_>, people: &People) -> Registry {
    let (mut registry, facts) = (Registry::default(), build.facts);
    facts.providers.iter().for_each(|(id, fact)| registry.put_provider(build, people, (id, fact)));
    facts.licences.iter().for_each(|(id, fact)| registry.put_licence(build, people, (id, fact)));
    facts.endpoints.iter().for_each(|(id, fact)| registry.put_endpoint(build, people, (id, fact)));
    for (id, fact) in &facts.models {
        registry.put_model(build, people, (id, fact));
        registry.name_model(build, id);
    }
    registry
}

impl Registry {
    pub(crate) fn put_provider(
        &mut self,
        build: &mut Build<'_>,
        people: &People,
        provider: (&Id, &Provider),
    ) {
        let (id, provider) = provider;
        people.owner_of(build, Kind::Provider, id);
        if provider.adapter != Adapter::Simulated && provider.base_url.is_empty() {
            let message = format!("the adapter `{}` needs a base URL", provider.adapter);
            build.fault((Kind::Provider, id), "spec.baseUrl", "missing", message);
        }
        let row = ProviderRow {
            id: id.clone(),
            adapter: provider.adapter,
            base_url: provider.base_url.clone(),
            credential: provider.credential.clone(),
            auth: provider.auth.clone(),
            api_version: provider.api_version.clone(),
            responses_api: provider.responses_api,
            transport: provider.transport,
            template: provider.template.clone(),
        };
        self.providers.put(position(&self.providers, id), row);
    }

    pub(crate) fn put_endpoint(
        &mut self,
        build: &mut Build<'_>,
        people: &People,
        endpoint: (&Id, &Endpoint),
    ) {
        let (id, endpoint) = endpoint;
        let at = (Kind::Endpoint, id);
        people.owner_of(build, Kind::Endpoint, id);
        let provider = own(&self.providers, &id.tenant, &endpoint.provider);
        if provider.is_none() {
            build.missing(at, "spec.provider", (Kind::Provider, endpoint.provider.as_str()));
        }
        let vendor = Id { tenant: id.tenant.clone(), name: endpoint.provider.clone() };
        let vendor = build.facts.providers.get(&vendor);
        // The row stays even without a provider, or each route to it would be called a fault as well.
        let provider = provider.unwrap_or(u32::MAX);
        let site = SiteRow {
            name: build.symbols.symbol(id.name.as_str()),
            vendor: build.symbols.symbol(endpoint.provider.as_str()),
            provider,
            terms: terms(endpoint, vendor.map(|v| &**v)),
            unknown_fields: endpoint.unknown_fields,
            processing: build.places(at, "spec.processingRegions", &endpoint.processing_regions),
            storage: build.places(at, "spec.storageRegions", &endpoint.storage_regions),
        };
        let row = EndpointRow {
            id: id.clone(),
            upstream_model: Arc::from(endpoint.upstream_model.as_str()),
            timeouts: endpoint.timeouts,
            processing_regions: endpoint.processing_regions.as_slice().into(),
            provider,
        };
        let held = position(&self.endpoints, id);
        self.endpoints.put(held, row);
        self.sites.put(held, site);
    }

    /// Its prices and names are given to it later.
    pub(crate) fn put_model(&mut self, build: &mut Build<'_>, people: &People, model: (&Id, &Model)) {
        let (id, model) = model;
        let tenant = people.owner_of(build, Kind::Model, id);
        let licence = model.licence.as_ref().and_then(|l| {
            let found = meant(&self.licences, &id.tenant, l);
            if found.is_none() {
                build.missing((Kind::Model, id), "spec.licence", (Kind::Licence, l.as_str()));
            }
            found
        });
        let targets = self.route(build, (id, model));
        let mut row = ModelRow {
            id: id.clone(),
            card: Arc::new(model.card.clone()),
            aliases: model.aliases.clone(),
            policy: model.route.policy,
            retry_percent: model.route.retry_percent,
            hedge: model.route.hedge,
            sticky_by: model.route.sticky_by,
            licence_name: model.licence.clone(),
            tenant,
            licence,
            targets,
            symbols: ModelSymbols::default(),
            operations: model.card.operations.iter().fold(0, |set, op| set | 1 << *op as u8),
        };
        row.look_up(&build.symbols);
        self.models.put(position(&self.models, id), row);
    }

    fn route(&self, build: &mut Build<'_>, model: (&Id, &Model)) -> Box<[TargetRow]> {
        let (id, model) = model;
        let mut targets = Vec::new();
        for (g, group) in model.route.groups.iter().enumerate() {
            for (t, target) in group.iter().enumerate() {
                let field = format!("spec.route.groups[{g}][{t}].endpoint");
                match own(&self.endpoints, &id.tenant, &target.endpoint) {
                    Some(at) if targets.iter().any(|x: &TargetRow| x.endpoint == at) => {
                        let message = format!("the route names `{}` twice", target.endpoint);
                        build.fault((Kind::Model, id), field, "duplicate", message);
                    }
                    Some(at) => {
                        let prices: Arc<[PriceRow]> = Arc::default();
                        let (group, weight) = (g as u32, target.weight);
                        let RouteTarget { canary_percent, mirror_percent, .. } = *target;
                        targets.push(TargetRow {
                            endpoint: at,
                            group,
                            weight,
                            canary_percent,
                            mirror_percent,
                            prices,
                        });
                    }
                    None => {
                        build.missing((Kind::Model, id), field, (Kind::Endpoint, target.endpoint.as_str()));
                    }
                }
            }
        }
        targets.into_boxed_slice()
    }

    /// Enters a model's name and aliases; a name that already means another model of the same owner is a fault.
    pub(crate) fn name_model(&mut self, build: &mut Build<'_>, id: &Id) {
        let Some(at) = position(&self.models, id) else { return };
        let Some(row) = self.models.get(at as usize) else { return };
        let names = names(&mut self.model_names, &mut self.tenant_model_names, row.tenant);
        let aliases = row.aliases.iter().enumerate();
        let aliases = aliases.map(|(n, alias)| (format!("spec.aliases[{n}]"), alias.as_str()));
        for (field, name) in std::iter::once(("metadata.name".to_owned(), id.name.as_str())).chain(aliases) {
            let taken = names.insert(Box::from(name), at).is_some_and(|other| other != at);
            if taken {
                let message = format!("`{name}` already names another model");
                build.fault((Kind::Model, id), field, "duplicate", message);
            }
        }
    }

    /// Takes out a model's name and aliases.
    pub(crate) fn unname_model(&mut self, id: &Id) {
        let row = position(&self.models, id).and_then(|at| self.models.get(at as usize));
        let Some(row) = row else { return };
        let names = names(&mut self.model_names, &mut self.tenant_model_names, row.tenant);
        names.remove(id.name.as_str());
        for alias in &row.aliases {
            names.remove(alias.as_str());
        }
    }
}

type Names = HashMap<Box<str>, u32>;

/// The names of what one owner has.
fn names<'n>(
    platform: &'n mut Arc<Names>,
    tenants: &'n mut Arc<HashMap<u32, Names>>,
    owner: Option<u32>,
) -> &'n mut Names {
    match owner {
        Some(tenant) => Arc::make_mut(tenants).entry(tenant).or_default(),
        None => Arc::make_mut(platform),
    }
}

impl ModelRow {
    /// Looks up the symbols of what conditions may ask of it.
    pub(crate) fn look_up(&mut self, symbols: &Interner) {
        self.symbols = ModelSymbols {
            name: symbols.symbol(self.id.name.as_str()),
            licence: self.licence_name.as_ref().map(|l| symbols.symbol(l.as_str())),
            risk_class: self.card.risk_class.as_ref().map(|r| symbols.symbol(r)),
            operations: symbols.members(self.card.operations.iter().map(|o| o.as_str())),
        };
    }
}

/// The endpoint's own terms before its provider's, flag by flag.
fn terms(endpoint: &Endpoint, vendor: Option<&Provider>) -> Terms {
    let (own, theirs) = (endpoint.terms, vendor.map(|v| v.terms).unwrap_or_default());
    Terms {
        trains_on_data: own.trains_on_data.or(theirs.trains_on_data),
        dpa: own.dpa.or(theirs.dpa),
        baa: own.baa.or(theirs.baa),
        zero_retention: own.zero_retention.or(theirs.zero_retention),
    }
}
