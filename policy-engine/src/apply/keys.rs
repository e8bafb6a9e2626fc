//! API keys: those that changed, those of people who did, and revoked ones that were left out until now.

use std::collections::BTreeSet;

use super::Applying;
use crate::compile::build::ModelSets;
use crate::compile::keys::Keys;
use crate::vocabulary::{Kind, Name};

impl Applying<'_> {
    pub(super) fn keys(&mut self, models: &mut ModelSets, mut names: BTreeSet<Name>) -> Option<()> {
        let facts = self.build.facts;
        for id in self.changed(Kind::Key) {
            let tenant = |key: Option<&std::sync::Arc<crate::facts::Key>>| key.map(|key| key.tenant.clone());
            if tenant(self.before.keys.get(&id.name)) != tenant(facts.keys.get(&id.name)) {
                let limits: Vec<_> =
                    self.next.limits.of_key(id.name.as_str()).map(|row| row.id.clone()).collect();
                limits.into_iter().for_each(|limit| self.touch(Kind::Limit, limit));
            }
            names.insert(id.name);
        }
        if self.came {
            names.extend(self.next.idle_keys.keys().cloned());
        }
        if names.is_empty() {
            return Some(());
        }
        let next = &mut self.next;
        let mut keys = Keys::new(&next.people, models, std::mem::take(&mut next.narrowings));
        keys.rows = std::mem::take(&mut next.keys);
        keys.idle = std::mem::take(&mut next.idle_keys);
        for name in &names {
            match facts.keys.get(name) {
                Some(key) => keys.put(&mut self.build, name, key),
                None => keys.remove(name),
            }
        }
        let Keys { rows, idle, narrowings, .. } = keys;
        (next.keys, next.idle_keys, next.narrowings) = (rows, idle, narrowings);
        // Sets that no key has any more are never taken out; when they are the most, everything is made anew.
        (next.narrowings.sets.len() <= 2 * facts.keys.len() + 1_000).then_some(())
    }
}
