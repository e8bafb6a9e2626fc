//! Taking a node from the list, by an operator's act.
//!
//! Law: it changes what is shown and nothing else. A revocation stays, a token stays good, and a node that comes again is listed again.

use policy_engine::vocabulary::{Geo, Name};
use proto::admin::Node;
use proto::code::ErrorCode;
use proto::status::Refusal;

use super::{AWAITED, CONNECTED, INCOMPATIBLE, NodeRegistry, REVOKED};
use crate::act::Act;
use crate::clock;
use crate::publish::noted;
use crate::store::Store;

/// Microseconds for which a node that was not revoked must not have been heard: it may serve what it has for as long.
const GONE: i64 = 24 * 60 * 60 * 1_000_000;

impl NodeRegistry {
    /// Forgets a node that is known, unless it is there, or may be.
    pub(crate) async fn forget(
        &self,
        (geo, id): (&Geo, &Name),
        node: &Node,
        (store, act): (&Store, &Act),
    ) -> Result<(), Refusal> {
        let now = clock::now();
        if let Some(why) = keeps(node, now) {
            return Err(Refusal::new(ErrorCode::FailedPrecondition, why));
        }
        let _turn = self.shared.keeping.lock().await;
        store.forget_node((geo.as_str(), id.as_str()), &noted(act, now)).await?;
        let mut known = self.shared.known.write();
        let place = (geo.clone(), id.clone());
        if known.open.contains_key(&place) {
            // It came meanwhile, and is to be known.
            known.unkept.insert(place);
            drop(known);
            self.shared.changed.notify_one();
            return Ok(());
        }
        known.unkept.remove(&place);
        known.witnesses.remove(&place);
        if let Some(node) = known.nodes.remove(&place) {
            known.names.remove(&node.name);
        }
        Ok(())
    }
}

/// Why a node, as it is shown, stays in the list.
fn keeps(node: &Node, now: i64) -> Option<&'static str> {
    let heard = node.last_seen_time.as_ref().map_or(i64::MIN, clock::micros);
    match node.state.as_str() {
        REVOKED | AWAITED => None,
        CONNECTED | INCOMPATIBLE => Some("the node is connected: revoke it first"),
        _ if now.saturating_sub(heard) >= GONE => None,
        _ => Some("the node was heard within a day and may serve what it has: revoke it first"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_is_surely_gone_is_forgotten() {
        let node = |state: &str, ago: i64| Node {
            state: state.to_owned(),
            last_seen_time: Some(clock::timestamp(clock::now() - ago)),
            ..Node::default()
        };
        let may = |state, ago| keeps(&node(state, ago), clock::now()).is_none();
        assert!(may("revoked", 0) && may("awaited", 0) && may("disconnected", GONE));
        assert!(!may("disconnected", GONE / 2) && !may("connected", GONE) && !may("incompatible", GONE));
    }
}
