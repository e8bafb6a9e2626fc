//! Compliance rules. Their conditions are checked where they are compiled, and here of a rule that does not come so far.

use policy_engine::rules::condition::{Condition, Interner};

use crate::govern::governed;

governed!(Rule in rules {
    fn lone_faults(&self) -> Vec<(&'static str, String)> {
        let when = self.spec.as_ref().map(|spec| spec.when.as_str()).unwrap_or_default();
        let found = Condition::compile(when, &mut Interner::default()).err().unwrap_or_default();
        found.into_iter().map(|error| ("spec.when", error.to_string())).collect()
    }
});
