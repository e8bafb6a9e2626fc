//! Principals, users and services. Keys of one that are in force keep it; revoked ones go with it.
//!
//! Law: nobody is made who can't be named: a pseudonym that stands for nobody, such as of who was erased, is no principal's id.

use policy_engine::facts::Facts;
use policy_engine::vocabulary::Id;
use proto::convert::{Faults, Problem};

use super::{Preparing, governed, revoked_keys};
use crate::subjects::is_pseudonym;

governed!(Principal in principals {
    fn takes_along(id: &Id, facts: &Facts) -> Vec<Id> {
        revoked_keys(facts, |key| Some(&key.tenant) == id.tenant.as_ref() && key.principal == id.name)
    }

    fn prepare(&mut self, preparing: &mut Preparing<'_>) -> Result<(), Faults> {
        let (name, subjects) = (preparing.id.name.as_str(), &preparing.gate.subjects);
        let is_known = || preparing.before.is_some() || subjects.name_of(name).is_some();
        if !subjects.are_kept() || !is_pseudonym(name) || is_known() {
            return Ok(());
        }
        let why = "is a pseudonym that stands for nobody: name the principal".to_owned();
        Err(Faults::of("metadata.name", Problem::Invalid(why)))
    }
});
