//! Models with their routes and cards.
//!
//! Law: a model is written with endpoints, and a canary with others beside it. In a geo that has none of them it is there without, which
//! is not for its author to say.

use proto::admin::RouteGroup;
use proto::convert::{Faults, FieldFault, FieldPath, Problem, Step};

use super::Preparing;
use crate::govern::governed;

governed!(Model in models {
    fn prepare(&mut self, _preparing: &mut Preparing<'_>) -> Result<(), Faults> {
        let Some(spec) = &self.spec else { return Ok(()) };
        let groups = spec.route.iter().flat_map(|route| &route.groups);
        let alone = |group: &RouteGroup| {
            !group.targets.is_empty() && group.targets.iter().all(|target| target.canary_percent.is_some())
        };
        let problem = match groups.clone().position(alone) {
            Some(at) => Problem::Invalid(format!("group {at} is of canaries alone: nobody is there for the rest")),
            None if groups.clone().next().is_none() => Problem::Missing,
            None => return Ok(()),
        };
        let path = ["spec", "route", "groups"].map(Step::Field).to_vec();
        Err(Faults(vec![FieldFault { field: FieldPath(path), problem }]))
    }
});
