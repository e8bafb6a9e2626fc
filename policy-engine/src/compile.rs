//! Facts in, a compiled snapshot out, or every fault there is.
//!
//! Law: what compiles is complete: every reference holds, every name is known, every condition has its types. Nothing is
//! skipped, because a skipped rule is a widened policy. The same function runs before publishing and on the node.

mod build;
mod content;
mod currencies;
mod grants;
mod keys;
mod licences;
mod limits;
mod people;
mod prices;
mod registry;
mod rulebook;

pub use build::Fault;

use crate::facts::Facts;
use crate::rules::roles::RoleIndex;
use crate::snapshot::{CompiledSnapshot, Header};
use crate::vocabulary::{Id, Operation};
use build::{Build, ModelSets};

/// Compiles facts.
///
/// # Errors
/// Every fault there is; the list is never empty.
pub fn compile(facts: &Facts, header: Header) -> Result<CompiledSnapshot, Vec<Fault>> {
    let mut build = Build::new(facts);
    // Conditions first: they alone say which texts need a symbol; everybody else only looks theirs up.
    let conditions = rulebook::lower(&mut build);
    let mut people = people::compile(&mut build);
    grants::check(&mut build, &people);
    let mut registry = registry::compile(&mut build, &people);
    licences::accept(&mut build, &mut people, &registry.licences);
    prices::attach(&mut build, &people, &mut registry);
    let models: Vec<Id> = registry.models.iter().map(|m| m.id.clone()).collect();
    let mut roles = RoleIndex::build(facts, &models);
    people.give_roles(&build, &mut roles);
    let mut sets = ModelSets::new(&models);
    let (keys, narrowings) = keys::compile(&mut build, &people, &mut sets);
    let rules = rulebook::compile(&mut build, &people, conditions);
    let (limits, limit_index) = limits::compile(&mut build, &people, &registry, &mut sets);
    let content = content::compile(&mut build, &people, &mut sets, &rules);
    let geo_symbol = header.geo.as_ref().map(|g| build.symbols.symbol(g.as_str()));
    let operation_symbols = Operation::ALL.iter().map(|o| build.symbols.symbol(o.as_str())).collect();
    let role_symbols = roles.sets();
    let role_symbols =
        role_symbols.map(|set| build.symbols.members(roles.roles(set).map(|id| id.name.as_str()))).collect();
    let Build { faults, symbols, .. } = build;
    let (Some(content), true) = (content, faults.is_empty()) else { return Err(faults) };
    Ok(CompiledSnapshot {
        header,
        symbols,
        geo_symbol,
        operation_symbols,
        role_symbols,
        tenants: people.tenants,
        teams: people.teams,
        principals: people.principals,
        people: people.principal_at,
        team_names: people.team_at,
        tenant_names: people.tenant_at,
        keys,
        narrowings,
        roles,
        providers: registry.providers,
        endpoints: registry.endpoints,
        sites: registry.sites,
        licences: registry.licences,
        models: registry.models,
        model_names: registry.model_names,
        tenant_model_names: registry.tenant_model_names,
        rules,
        limits,
        limit_index,
        content,
    })
}
