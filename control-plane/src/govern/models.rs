//! Models with their routes and cards.
//!
//! Law: a model is written with endpoints. In a geo that has none of them it is there without, which is not for its author to say.

use proto::convert::{Faults, FieldFault, FieldPath, Problem, Step};

use super::Preparing;
use crate::govern::governed;

governed!(Model in models {
    fn prepare(&mut self, _preparing: &mut Preparing<'_>) -> Result<(), Faults> {
        let Some(spec) = &self.spec else { return Ok(()) };
        if spec.route.as_ref().is_some_and(|route| !route.groups.is_empty()) {
            return Ok(());
        }
        let path = ["spec", "route", "groups"].map(Step::Field).to_vec();
        Err(Faults(vec![FieldFault { field: FieldPath(path), problem: Problem::Missing }]))
    }
});
