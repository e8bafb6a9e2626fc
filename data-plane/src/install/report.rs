//! What a node says of itself with every heartbeat, as far as it is about requests.

use policy_engine::vocabulary::Kind;
use proto::sync::{Status, UnusableEndpoint};

use crate::node::Node;
use crate::runtime::Runtime;

/// Endpoints, and kills, that are named at most.
const NAMED: usize = 20;

/// How a node is: what it does, and what it can't.
pub(super) fn of(node: &Node) -> Status {
    let runtime = node.runtime.load();
    let Some(runtime) = runtime.as_ref() else { return Status::default() };
    let freshness = &node.freshness;
    let unusable = unusable(runtime);
    let (earlier_keys, earlier_kills) = node.overlay.earlier(node.clock.now());
    Status {
        inflight: runtime.endpoints().iter().map(|endpoint| u64::from(endpoint.vitals.busy())).sum(),
        tallies: node.revisions.told(),
        staleness: freshness.worst(runtime.spans(), freshness.reading()).as_str().to_owned(),
        snapshots_alive: u32::try_from(node.revisions.alive()).unwrap_or(u32::MAX),
        unusable_endpoint_count: u32::try_from(unusable.len()).unwrap_or(u32::MAX),
        unusable_endpoints: unusable.into_iter().take(NAMED).collect(),
        earlier_keys: u32::try_from(earlier_keys).unwrap_or(u32::MAX),
        earlier_kills: earlier_kills.into_iter().take(NAMED).collect(),
        ..Status::default()
    }
}

/// The endpoints that can't be called, in the order of names.
fn unusable(runtime: &Runtime) -> Vec<UnusableEndpoint> {
    let faulty = runtime.endpoints().iter().filter_map(|endpoint| {
        let reason = endpoint.upstream.as_ref().err()?.to_string();
        Some(UnusableEndpoint { endpoint: proto::name::format(Kind::Endpoint, &endpoint.id), reason })
    });
    let mut faulty: Vec<_> = faulty.collect();
    faulty.sort_by(|a, b| a.endpoint.cmp(&b.endpoint));
    faulty
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::house::world::platform;
    use crate::house::{House, world};

    #[test]
    fn an_endpoint_that_can_not_be_called_is_named_with_why_and_at_most_twenty_are() {
        let house = House::new(|facts| {
            let keyless = facts.endpoints[&platform("sim-a")].clone();
            facts.endpoints.insert(platform("keyless-a"), keyless);
        });
        let status = of(&house.node);
        let told = status.unusable_endpoints.iter().map(|it| (it.endpoint.as_str(), it.reason.as_str()));
        assert_eq!(
            told.collect::<Vec<_>>(),
            [
                ("endpoints/down-a", "base URL: it is down"),
                ("endpoints/keyless-a", "credential: not where the registry says it is"),
            ]
        );
        assert_eq!((status.unusable_endpoint_count, status.staleness.as_str()), (2, "fresh"));
        let mut facts = world::facts();
        let down = facts.endpoints[&platform("down-a")].clone();
        (0..40).for_each(|n| drop(facts.endpoints.insert(platform(&format!("down-{n}")), Arc::clone(&down))));
        house.enforce(8, &facts);
        let status = of(&house.node);
        assert_eq!((status.unusable_endpoints.len(), status.unusable_endpoint_count), (20, 41));
        house.close();
    }
}
