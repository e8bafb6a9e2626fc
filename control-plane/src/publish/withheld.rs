//! Why the nodes of a geo are sent nothing of what is published: what they are to have could not be made, or not be kept.
//!
//! Law: noted by whoever makes it, for an admin to read of every node there; nothing is decided by it. Absent on purpose: what a node
//! refuses, which it says itself.

use std::collections::BTreeMap;

use parking_lot::RwLock;
use policy_engine::vocabulary::Geo;

/// Why not, by geo and line of succession.
#[derive(Debug, Default)]
pub(crate) struct Withheld(RwLock<BTreeMap<(Geo, &'static str), String>>);

impl Withheld {
    /// Why nodes of a geo that follow a line are sent nothing from now on; `None`: they are sent what there is.
    pub(crate) fn note(&self, (geo, line): (&Geo, &'static str), why: Option<String>) {
        let place = (geo.clone(), line);
        match why {
            Some(why) => drop(self.0.write().insert(place, why)),
            // Almost always, nothing was in the way.
            None if self.0.read().contains_key(&place) => drop(self.0.write().remove(&place)),
            None => {}
        }
    }

    /// Why nodes of a geo are sent nothing, whichever line it is; empty: nothing is in the way.
    pub(crate) fn from(&self, geo: &Geo) -> String {
        let all = self.0.read();
        let why = all.iter().find(|((of, _), _)| of == geo).map(|(_, why)| why.clone());
        why.unwrap_or_default()
    }
}
