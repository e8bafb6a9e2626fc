//! Which nodes that are not connected are looked for: those that were there until a moment ago.
//!
//! Law: what was not heard for long is not expected, nor is what an operator sent away. After a start, a moment ago is when the process before
//! this one ended: a control plane that was away for an hour has lost no node by that.

use proto::admin::Node;

use super::{DISCONNECTED, Watch};
use crate::clock;

/// For how long, in microseconds. Nodes look again for a control plane at least every half a minute, and then have a stream to open.
const MOMENT: i64 = 60 * 1_000_000;

/// Whether a node, as it is shown, is looked for.
pub(super) fn is(node: &Node, watch: Watch, now: i64) -> bool {
    if node.state != DISCONNECTED || node.drain.is_some() {
        return false;
    }
    let Some(heard) = node.last_seen_time.as_ref().map(clock::micros) else { return false };
    let within = |since: i64, at: i64| at.saturating_sub(since) < MOMENT;
    within(heard, now) || (within(watch.began, now) && within(heard, watch.left))
}

#[cfg(test)]
mod tests {
    use proto::admin::NodeDrain;

    use super::*;

    const SECOND: i64 = 1_000_000;

    #[test]
    fn who_was_there_a_moment_ago_is_looked_for_and_nobody_else() {
        let node = |state: &str, heard: i64| Node {
            state: state.into(),
            last_seen_time: Some(clock::timestamp(heard * SECOND)),
            ..Node::default()
        };
        // The process before this one heard nodes until 1000, and this one began at 5000.
        let watch = Watch { began: 5_000 * SECOND, left: 1_000 * SECOND };
        let expected = |node: &Node, now: i64| is(node, watch, now * SECOND);
        for (heard, now, looked_for) in [
            (5_990, 6_000, true),
            (5_941, 6_000, true),
            (5_940, 6_000, false),
            (1_000, 5_010, true),
            (941, 5_059, true),
            (940, 5_010, false),
            (1_000, 5_060, false),
        ] {
            assert_eq!(expected(&node("disconnected", heard), now), looked_for, "{heard} {now}");
        }
        for state in ["connected", "incompatible", "awaited", "revoked"] {
            assert!(!expected(&node(state, 5_990), 6_000), "{state}");
        }
        let drained = Node { drain: Some(NodeDrain::default()), ..node("disconnected", 5_990) };
        assert!(!expected(&drained, 6_000));
        assert!(!expected(&Node { state: "disconnected".into(), ..Node::default() }, 5_010), "never heard");
    }
}
