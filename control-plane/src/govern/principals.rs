//! Principals, users and services. Keys of one that are in force keep it; revoked ones go with it.
//!
//! Law: nobody is made who can't be named: a pseudonym that stands for nobody, such as of who was erased, is no principal's id.

use policy_engine::facts::Facts;
use policy_engine::vocabulary::Id;
use proto::convert::{Faults, Problem};

use super::{Preparing, governed, revoked_keys};

governed!(Principal in principals {
    fn takes_along(id: &Id, facts: &Facts) -> Vec<Id> {
        revoked_keys(facts, |key| Some(&key.tenant) == id.tenant.as_ref() && key.principal == id.name)
    }

    fn prepare(&mut self, preparing: &mut Preparing<'_>) -> Result<(), Faults> {
        let (name, subjects) = (preparing.id.name.as_str(), &preparing.gate.subjects);
        if preparing.before.is_some() || !subjects.is_nobody(name) {
            return Ok(());
        }
        let why = "is a pseudonym that stands for nobody: name the principal".to_owned();
        Err(Faults::of("metadata.name", Problem::Invalid(why)))
    }
});
