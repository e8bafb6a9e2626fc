//! Rows that say a text which has a symbol now, or none any more.
//!
//! Law: after it, every row has the symbols that its texts have.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::rules::geo;
use crate::snapshot::CompiledSnapshot;
use crate::vocabulary::{Name, Operation, PrincipalType};

/// Looks the texts up again in the rows that say them. `None` for words that rows everywhere may say: places, and what is
/// the same in every house.
pub(super) fn look_up(next: &mut CompiledSnapshot, texts: &BTreeSet<Arc<str>>) -> Option<()> {
    if texts.is_empty() {
        return Some(());
    }
    let everywhere = |text: &Arc<str>| {
        geo::kind(text).is_some()
            || PrincipalType::ALL.iter().any(|word| word.as_str() == &**text)
            || Operation::ALL.iter().any(|word| word.as_str() == &**text)
    };
    if texts.iter().any(everywhere) {
        return None;
    }
    for text in texts {
        if let Ok(name) = Name::new(text) {
            people(next, &name);
        }
    }
    endpoints(next, texts);
    models(next, texts);
    Some(())
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
