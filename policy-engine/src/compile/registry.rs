//! Providers, endpoints, and models with their routes.

use std::collections::HashMap;
use std::sync::Arc;

use super::build::{Build, Positions};
use super::licences;
use super::people::People;
use crate::facts::{Endpoint, Model, Provider, Terms};
use crate::snapshot::rows::{ModelSymbols, PriceRow, SiteRow, TargetRow};
use crate::snapshot::{EndpointRow, LicenceRow, ModelRow, ProviderRow};
use crate::vocabulary::{Adapter, Id, Kind};

/// The registry's tables while they are built.
#[derive(Default)]
pub(super) struct Registry {
    pub(super) providers: Vec<ProviderRow>,
    pub(super) endpoints: Vec<EndpointRow>,
    pub(super) sites: Vec<SiteRow>,
    pub(super) licences: Vec<LicenceRow>,
    pub(super) models: Vec<ModelRow>,
    pub(super) model_names: HashMap<Box<str>, u32>,
    pub(super) tenant_model_names: HashMap<u32, HashMap<Box<str>, u32>>,
}

pub(super) fn compile(build: &mut Build<'_>, people: &People) -> Registry {
    let mut registry = Registry {
        providers: compile_providers(build, people),
        licences: licences::compile(build, people),
        ..Registry::default()
    };
    compile_endpoints(build, people, &mut registry);
    compile_models(build, people, &mut registry);
    registry
}

fn compile_providers(build: &mut Build<'_>, people: &People) -> Vec<ProviderRow> {
    let mut rows = Vec::with_capacity(build.facts.providers.len());
    for (id, provider) in &build.facts.providers {
        people.owner_of(build, Kind::Provider, id);
        if provider.adapter != Adapter::Simulated && provider.base_url.is_empty() {
            let message = format!("the adapter `{}` needs a base URL", provider.adapter);
            build.fault((Kind::Provider, id), "spec.baseUrl", "missing", message);
        }
        rows.push(ProviderRow {
            id: id.clone(),
            adapter: provider.adapter,
            base_url: provider.base_url.clone(),
            credential: provider.credential.clone(),
        });
    }
    rows
}

fn compile_endpoints(build: &mut Build<'_>, people: &People, registry: &mut Registry) {
    let facts = build.facts;
    let positions = Positions::of(registry.providers.iter().map(|p| &p.id));
    for (id, endpoint) in &facts.endpoints {
        let at = (Kind::Endpoint, id);
        people.owner_of(build, Kind::Endpoint, id);
        let provider = positions.own(&id.tenant, &endpoint.provider);
        if provider.is_none() {
            build.missing(at, "spec.provider", (Kind::Provider, endpoint.provider.as_str()));
        }
        let vendor = provider.and_then(|p| registry.providers.get(p as usize));
        let vendor = vendor.and_then(|row| facts.providers.get(&row.id));
        // The row stays even without a provider, or each route to it would be called a fault as well.
        let provider = provider.unwrap_or(u32::MAX);
        registry.endpoints.push(EndpointRow {
            id: id.clone(),
            upstream_model: Arc::from(endpoint.upstream_model.as_str()),
            timeouts: endpoint.timeouts,
            processing_regions: endpoint.processing_regions.as_slice().into(),
            provider,
        });
        registry.sites.push(SiteRow {
            name: build.symbols.symbol(id.name.as_str()),
            vendor: build.symbols.symbol(endpoint.provider.as_str()),
            provider,
            terms: terms(endpoint, vendor.map(|v| &**v)),
            unknown_fields: endpoint.unknown_fields,
            processing: build.places(at, "spec.processingRegions", &endpoint.processing_regions),
            storage: build.places(at, "spec.storageRegions", &endpoint.storage_regions),
        });
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

fn compile_models(build: &mut Build<'_>, people: &People, registry: &mut Registry) {
    let endpoints = Positions::of(registry.endpoints.iter().map(|e| &e.id));
    let licences = Positions::of(registry.licences.iter().map(|l| &l.id));
    for (at, (id, model)) in build.facts.models.iter().enumerate() {
        let tenant = people.owner_of(build, Kind::Model, id);
        let licence = model.licence.as_ref().and_then(|l| {
            let found = licences.resolve(&id.tenant, l);
            if found.is_none() {
                build.missing((Kind::Model, id), "spec.licence", (Kind::Licence, l.as_str()));
            }
            found
        });
        let targets = compile_route(build, (id, model), &endpoints);
        let row = ModelRow {
            id: id.clone(),
            card: Arc::new(model.card.clone()),
            aliases: model.aliases.clone(),
            policy: model.route.policy,
            licence_name: model.licence.clone(),
            tenant,
            licence,
            targets,
            symbols: ModelSymbols {
                name: build.symbols.symbol(id.name.as_str()),
                licence: model.licence.as_ref().map(|l| build.symbols.symbol(l.as_str())),
                risk_class: model.card.risk_class.as_ref().map(|r| build.symbols.symbol(r)),
                operations: build.symbols.members(model.card.operations.iter().map(|o| o.as_str())),
            },
            operations: model.card.operations.iter().fold(0, |set, op| set | 1 << *op as u8),
        };
        name_model(build, registry, &row, at as u32);
        registry.models.push(row);
    }
}

fn compile_route(build: &mut Build<'_>, model: (&Id, &Model), endpoints: &Positions) -> Box<[TargetRow]> {
    let (id, model) = model;
    let mut targets = Vec::new();
    for (g, group) in model.route.groups.iter().enumerate() {
        for (t, target) in group.iter().enumerate() {
            let field = format!("spec.route.groups[{g}][{t}].endpoint");
            match endpoints.own(&id.tenant, &target.endpoint) {
                Some(at) if targets.iter().any(|x: &TargetRow| x.endpoint == at) => {
                    let message = format!("the route names `{}` twice", target.endpoint);
                    build.fault((Kind::Model, id), field, "duplicate", message);
                }
                Some(at) => {
                    let prices: Arc<[PriceRow]> = Arc::default();
                    targets.push(TargetRow { endpoint: at, group: g as u32, weight: target.weight, prices });
                }
                None => build.missing((Kind::Model, id), field, (Kind::Endpoint, target.endpoint.as_str())),
            }
        }
    }
    targets.into_boxed_slice()
}

/// Enters a model's name and aliases; a name that already means another model of the same owner is a fault.
fn name_model(build: &mut Build<'_>, registry: &mut Registry, row: &ModelRow, at: u32) {
    let names = match row.tenant {
        Some(tenant) => registry.tenant_model_names.entry(tenant).or_default(),
        None => &mut registry.model_names,
    };
    let aliases = row.aliases.iter().enumerate().map(|(n, a)| (format!("spec.aliases[{n}]"), a.as_str()));
    for (field, name) in std::iter::once(("metadata.name".to_owned(), row.id.name.as_str())).chain(aliases) {
        let taken = names.insert(Box::from(name), at).is_some_and(|other| other != at);
        if taken {
            let message = format!("`{name}` already names another model");
            build.fault((Kind::Model, &row.id), field, "duplicate", message);
        }
    }
}
