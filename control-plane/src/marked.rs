//! Which calls look only: those whose definition says `NO_SIDE_EFFECTS`.
//!
//! Law: what is not marked changes something, until somebody marks it.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use prost_reflect::MethodDescriptor;
use prost_types::method_options::IdempotencyLevel;

use crate::descriptors::pool;

static MARKED: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let all = pool().services().flat_map(|service| service.methods().collect::<Vec<_>>());
    let name = |rpc: MethodDescriptor| format!("{}/{}", rpc.parent_service().full_name(), rpc.name());
    all.filter(is_marked).map(name).collect()
});

fn is_marked(rpc: &MethodDescriptor) -> bool {
    let options = rpc.method_descriptor_proto().options.as_ref();
    options.is_some_and(|options| options.idempotency_level() == IdempotencyLevel::NoSideEffects)
}

/// Whether a call, such as `chancery.admin.v1.TeamsService/GetTeam`, changes nothing that is governed.
pub(crate) fn looks(action: &str) -> bool {
    MARKED.contains(action)
}

/// The definition of a call.
pub(crate) fn rpc(action: &str) -> Option<MethodDescriptor> {
    let (service, method) = action.split_once('/')?;
    pool().get_service_by_name(service)?.methods().find(|rpc| rpc.name() == method)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_marked_is_what_is_read() {
        let verbs =
            ["Get", "List", "Explain", "Export", "Prove", "Sign", "Diff", "Blame", "Read", "Simulate"];
        let services = pool().services().filter(|service| service.package_name() == "chancery.admin.v1");
        let mut count = 0;
        for rpc in services.flat_map(|service| service.methods().collect::<Vec<_>>()) {
            let reads = verbs.iter().any(|verb| rpc.name().starts_with(verb));
            assert_eq!(is_marked(&rpc), reads, "{}", rpc.full_name());
            count += usize::from(reads);
        }
        assert!(count > 40, "{count}");
        assert!(looks("chancery.admin.v1.TeamsService/GetTeam"));
        assert!(!looks("chancery.admin.v1.TeamsService/DeleteTeam") && !looks("nothing/Get"));
    }
}
