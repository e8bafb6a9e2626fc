//! Models with their routes and cards.
//!
//! Law: a model is written with endpoints that answer, and a canary with others beside it. In a geo that has none of them it is there without, which
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
            let mut answering = group.targets.iter().filter(|target| target.mirror_percent.is_none()).peekable();
            answering.peek().is_some() && answering.all(|target| target.canary_percent.is_some())
        };
        let answers = |group: &RouteGroup| group.targets.iter().any(|target| target.mirror_percent.is_none());
        let problem = match groups.clone().position(alone) {
            Some(at) => Problem::Invalid(format!("group {at} is of canaries alone: nobody is there for the rest")),
            None if groups.clone().next().is_none() => Problem::Missing,
            None if !groups.clone().any(answers) => Problem::Invalid("are of mirrors alone: nobody answers".to_owned()),
            None => return Ok(()),
        };
        let path = ["spec", "route", "groups"].map(Step::Field).to_vec();
        Err(Faults(vec![FieldFault { field: FieldPath(path), problem }]))
    }
});
