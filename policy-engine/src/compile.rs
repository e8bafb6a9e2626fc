//! Facts in, a compiled snapshot out, or every fault there is.
//!
//! Law: what compiles is complete: every reference holds, every name is known, every condition has its types. Nothing is
//! skipped, because a skipped rule is a widened policy. The same function runs before publishing and on the node.

mod commerce;
mod content;
mod keys;
mod people;
mod registry;
mod rulebook;

use std::collections::HashMap;

use crate::facts::Facts;
use crate::rules::condition::Interner;
use crate::rules::roles::RoleIndex;
use crate::snapshot::{CompiledSnapshot, Header};
use crate::vocabulary::{Id, Kind, Name, Operation};

/// What is wrong with one field of one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The kind of the resource.
    pub kind: Kind,
    /// The resource.
    pub id: Id,
    /// The field, as a path such as `spec.route.groups[0][1].endpoint`.
    pub field: String,
    /// A stable code: `unknown_reference`, `duplicate`, `unknown_region`, `condition`, `currency`, `conflict`.
    pub code: &'static str,
    /// What is wrong and what would be right.
    pub message: String,
}

/// Compiles facts; a fault list is never empty.
pub fn compile(facts: &Facts, header: Header) -> Result<CompiledSnapshot, Vec<Fault>> {
    let mut build = Build { facts, faults: Vec::new(), symbols: Interner::default() };
    // Conditions first: they alone say which texts need a symbol; everybody else only looks theirs up.
    let conditions = rulebook::lower(&mut build);
    let people = people::compile(&mut build);
    let mut registry = registry::compile(&mut build, &people);
    commerce::attach_prices(&mut build, &mut registry);
    let models: Vec<Id> = registry.models.iter().map(|m| m.id.clone()).collect();
    let mut roles = RoleIndex::build(facts, &models);
    let people = people.with_roles(facts, &mut roles, &registry);
    let (keys, narrowings) = keys::compile(&mut build, &people, &models);
    let rules = rulebook::compile(&mut build, &people, conditions);
    let (limits, limit_index) = commerce::compile_limits(&mut build, &people, &registry);
    let content = content::compile(&mut build, &people, &models);
    let geo_symbol = header.geo.as_ref().map(|g| build.symbols.symbol(g.as_str()));
    let operation_symbols = Operation::ALL.iter().map(|o| build.symbols.symbol(o.as_str())).collect();
    let role_symbols =
        roles.sets().map(|set| build.symbols.members(roles.roles(set).map(|id| id.name.as_str())));
    let role_symbols = role_symbols.collect();
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

/// What every part of the compilation shares.
struct Build<'f> {
    facts: &'f Facts,
    faults: Vec<Fault>,
    symbols: Interner,
}

impl Build<'_> {
    fn fault(&mut self, at: (Kind, &Id), field: impl Into<String>, code: &'static str, message: String) {
        self.faults.push(Fault { kind: at.0, id: at.1.clone(), field: field.into(), code, message });
    }

    /// Notes a reference to something that does not exist.
    fn missing(&mut self, at: (Kind, &Id), field: impl Into<String>, target: (Kind, &str)) {
        let (kind, name) = target;
        self.fault(at, field, "unknown_reference", format!("there is no {kind} `{name}` here"));
    }

    /// Resolves a place of the containment table, or notes that it knows none of that name.
    fn region(&mut self, at: (Kind, &Id), field: &str, name: &Name) -> Option<crate::rules::geo::RegionSet> {
        let set = crate::rules::geo::resolve(name.as_str());
        if set.is_none() {
            let message =
                format!("`{name}` is not a place of the region table of {}", crate::rules::geo::TABLE_AS_OF);
            self.fault(at, field, "unknown_region", message);
        }
        set
    }

    /// The union of several places; `None` where none is named or one is unknown.
    fn regions(
        &mut self,
        at: (Kind, &Id),
        field: &str,
        names: &[Name],
    ) -> Option<crate::rules::geo::RegionSet> {
        let sets: Vec<_> = names
            .iter()
            .enumerate()
            .map(|(n, name)| self.region(at, &format!("{field}[{n}]"), name))
            .collect();
        let sets: Option<Vec<_>> = sets.into_iter().collect();
        sets?.into_iter().reduce(|a, b| a.union(&b))
    }
}

/// Positions by id, for references within a tenant that fall back to the platform.
struct Positions(HashMap<Id, u32>);

impl Positions {
    fn of<'a>(ids: impl Iterator<Item = &'a Id>) -> Self {
        Self(ids.enumerate().map(|(at, id)| (id.clone(), at as u32)).collect())
    }

    /// What a reference written in `tenant` means: the tenant's own thing, else the platform's.
    fn resolve(&self, tenant: &Option<Name>, name: &Name) -> Option<u32> {
        let own = tenant.as_ref().and_then(|t| self.0.get(&Id::of(t.clone(), name.clone())));
        own.or_else(|| self.0.get(&Id::platform(name.clone()))).copied()
    }
}

/// A set of positions as bits.
fn bits(count: usize, set: impl Iterator<Item = usize>) -> Box<[u64]> {
    let mut words = vec![0_u64; count.div_ceil(64)];
    for at in set {
        if let Some(word) = words.get_mut(at / 64) {
            *word |= 1 << (at % 64);
        }
    }
    words.into_boxed_slice()
}
