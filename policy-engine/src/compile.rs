//! Facts in, a compiled snapshot out, or every fault there is.
//!
//! Law: what compiles is complete: every reference holds, every name is known, every condition has its types. Nothing is
//! skipped, because a skipped rule is a widened policy. The same function runs before publishing and on the node.

pub(crate) mod build;
pub(crate) mod content;
pub(crate) mod currencies;
pub(crate) mod grants;
pub(crate) mod keys;
pub(crate) mod licences;
pub(crate) mod limits;
mod people;
pub(crate) mod prices;
pub(crate) mod registry;
mod rulebook;

pub use build::Fault;

use std::sync::Arc;

use crate::bounds;
use crate::facts::Facts;
use crate::rules::condition::Interner;
use crate::rules::roles::RoleIndex;
use crate::snapshot::{CompiledSnapshot, Header};
use crate::vocabulary::{Id, Operation};
use build::{Build, ModelSets};
use keys::Keys;

/// Compiles facts.
///
/// # Errors
/// Every fault there is; the list is never empty.
pub fn compile(facts: &Facts, header: Header) -> Result<CompiledSnapshot, Vec<Fault>> {
    let mut build = Build::new(facts, Interner::default());
    for (kind, count) in bounds::exceeded(facts) {
        build.too_many(kind, count);
    }
    // Conditions first: they alone say which texts need a symbol; everybody else only looks theirs up.
    let conditions = rulebook::lower(&mut build);
    let mut people = people::compile(&mut build);
    grants::check(&mut build, &people);
    let mut registry = registry::compile(&mut build, &people);
    licences::accept_all(&mut build, &mut people, &registry);
    prices::attach_all(&mut build, &people, &mut registry);
    let mut models = ModelSets::of_registry(&registry);
    let ids: Vec<Id> = registry.models.iter().map(|model| model.id.clone()).collect();
    let mut roles = RoleIndex::build(facts, &ids);
    facts.principals.iter().for_each(|(id, fact)| people.give_roles(&mut roles, id, fact));
    let keys = keys::compile(&mut build, &people, &mut models);
    let Keys { rows: keys, idle: idle_keys, narrowings, .. } = keys;
    let rules = rulebook::compile(&mut build, &people, conditions);
    let limits = limits::compile(&mut build, &people, &registry, &mut models);
    let content = content::compile(&mut build, &people, &mut models, &rules);
    let Build { faults, symbols, .. } = build;
    let (Some(content), true) = (content, faults.is_empty()) else { return Err(faults) };
    let mut snapshot = CompiledSnapshot {
        facts: facts.clone(),
        header,
        symbols,
        geo_symbol: None,
        operation_symbols: Vec::new(),
        role_symbols: Vec::new(),
        people,
        keys,
        idle_keys,
        narrowings,
        roles: Arc::new(roles),
        registry,
        rules,
        limits,
        content,
    };
    snapshot.look_up();
    Ok(snapshot)
}

impl CompiledSnapshot {
    /// Looks up the symbols of what is no row of a table: the geo, the operations, the roles of each set.
    pub(crate) fn look_up(&mut self) {
        let symbols = &self.symbols;
        self.geo_symbol = self.header.geo.as_ref().map(|geo| symbols.symbol(geo.as_str()));
        self.operation_symbols = Operation::ALL.iter().map(|o| symbols.symbol(o.as_str())).collect();
        let named = |set| symbols.members(self.roles.roles(set).map(|id| id.name.as_str()));
        self.role_symbols = self.roles.sets().map(|set| named(set).into()).collect();
    }
}
