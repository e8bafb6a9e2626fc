//! Content views: of the tenants whose guardrails or rules about content changed, or of all where the platform's did.

use std::collections::BTreeSet;

use super::Applying;
use super::rules::Asked;
use crate::compile::build::ModelSets;
use crate::compile::content;
use crate::vocabulary::{Kind, Name};

impl Applying<'_> {
    pub(super) fn content(&mut self, models: &mut ModelSets, asked: Asked) -> Option<()> {
        let guardrails = self.changed(Kind::Guardrail);
        let mut owners: BTreeSet<Option<Name>> = guardrails.iter().map(|id| id.tenant.clone()).collect();
        let changed = asked.into_iter().filter(|(owner, before)| self.asked(owner.as_ref()) != *before);
        owners.extend(changed.map(|(owner, _)| owner));
        let next = &mut self.next;
        if owners.contains(&None) {
            next.content = content::compile(&mut self.build, &next.people, models, &next.rules)?;
            return Some(());
        }
        for tenant in owners.into_iter().flatten() {
            let at = next.people.tenant(&tenant)?;
            let view = content::compile_one(&mut self.build, (&next.people, &next.rules), models, &tenant);
            match view {
                Some(view) => drop(next.content.by_tenant.insert(at, view)),
                None => drop(next.content.by_tenant.remove(&at)),
            }
        }
        Some(())
    }
}
