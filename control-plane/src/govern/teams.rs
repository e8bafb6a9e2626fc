//! Teams, units of a tenant. One that something refers to stays: removing it would not compile.

use policy_engine::facts::Facts;
use policy_engine::vocabulary::Id;

use super::{governed, revoked_keys};

governed!(Team in teams {
    fn takes_along(id: &Id, facts: &Facts) -> Vec<Id> {
        revoked_keys(facts, |key| Some(&key.tenant) == id.tenant.as_ref() && key.team == id.name)
    }
});
