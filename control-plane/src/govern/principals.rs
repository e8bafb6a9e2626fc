//! Principals, users and services. Keys of one that are in force keep it; revoked ones go with it.

use policy_engine::facts::Facts;
use policy_engine::vocabulary::Id;

use super::{governed, revoked_keys};

governed!(Principal in principals {
    fn takes_along(id: &Id, facts: &Facts) -> Vec<Id> {
        revoked_keys(facts, |key| Some(&key.tenant) == id.tenant.as_ref() && key.principal == id.name)
    }
});
