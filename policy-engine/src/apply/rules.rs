//! Rules: conditions lowered and forgotten, gates put where they are looked for.

use std::collections::BTreeMap;

use super::Applying;
use crate::rules::condition::{Condition, Interner};
use crate::vocabulary::{Id, Kind, Name};

/// The conditions of the rules that changed and are still there.
pub(super) type Lowered = Vec<(Id, Condition)>;

/// What an owner's rules asked of content before, by owner: whether anything, and which entities.
pub(super) type Asked = BTreeMap<Option<Name>, (bool, u32)>;

impl Applying<'_> {
    /// Lowers the conditions of rules that changed, and notes which texts have a symbol now, or none any more.
    pub(super) fn lower(&mut self) -> Option<Lowered> {
        let mut lowered = Vec::new();
        let changed = self.changed(Kind::Rule);
        for id in &changed {
            let Some(rule) = self.build.facts.rules.get(id) else { continue };
            let known = alone(&rule.when)?;
            let symbols = &self.build.symbols;
            let new = known.named().filter(|(text, _)| symbols.find(text).is_none());
            self.texts.extend(new.map(|(text, _)| text.into()));
            lowered.push((id.clone(), Condition::compile(&rule.when, &mut self.build.symbols).ok()?));
        }
        for id in changed {
            if let Some(rule) = self.before.rules.get(&id) {
                self.texts.extend(self.build.symbols.release(&alone(&rule.when)?));
            }
        }
        Some(lowered)
    }

    /// Takes out the rules that changed and puts in those that are there, and gives what their owners asked of content before.
    pub(super) fn rules(&mut self, lowered: Lowered) -> Option<Asked> {
        let mut asked = Asked::new();
        for id in self.changed(Kind::Rule) {
            let tenant = id.tenant.as_ref().and_then(|tenant| self.next.people.tenant(tenant));
            if !asked.contains_key(&id.tenant) {
                asked.insert(id.tenant.clone(), self.asked(id.tenant.as_ref()));
            }
            self.next.rules.remove(tenant, &id);
        }
        for (id, condition) in lowered {
            let rule = self.build.facts.rules.get(&id)?;
            self.next.rules.put(&mut self.build, &self.next.people, (&id, rule), condition)?;
        }
        // Duties that no rule has any more are never taken out; when they are the most, everything is made anew.
        let rules = &self.next.rules;
        (rules.duties.len() <= 2 * rules.rows.len() + 1_000).then_some(asked)
    }

    /// What the rules of an owner ask of content.
    pub(super) fn asked(&self, owner: Option<&Name>) -> (bool, u32) {
        let rules = &self.next.rules;
        let bucket = match owner {
            None => Some(&rules.platform),
            Some(tenant) => self.next.people.tenant(tenant).and_then(|tenant| rules.tenants.get(&tenant)),
        };
        bucket.map_or((false, 0), |bucket| (bucket.asks_for_content(), bucket.entities()))
    }
}

/// The texts of one condition, alone.
fn alone(when: &str) -> Option<Interner> {
    let mut texts = Interner::default();
    Condition::compile(when, &mut texts).ok()?;
    Some(texts)
}
