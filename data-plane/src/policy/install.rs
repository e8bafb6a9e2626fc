//! What the policy of a node needs of the node.
//!
//! Law: whoever follows the control plane knows the rest of the node by this alone.

use std::sync::Arc;

use policy_engine::snapshot::CompiledSnapshot;
use proto::sync::Status;

use super::secrets::Secrets;
use super::state::Version;
use crate::drain::Drains;
use crate::overlay::Overlay;
use crate::record::Shelf;
use crate::retained::Retained;
use crate::simulate::Simulator;
use crate::upstream::registry::{Registry, Unlisted};

/// What makes a verified snapshot the one in force.
pub(crate) trait Install: Send + Sync + 'static {
    /// Builds everything a request needs and swaps it in; an error leaves the old in force. May block: it is called off the
    /// request path.
    fn install(
        &self,
        snapshot: Arc<CompiledSnapshot>,
        version: &Version,
        secrets: &Arc<Secrets>,
    ) -> Result<(), String>;

    /// What the node's status says of requests and endpoints.
    fn report(&self) -> Status;

    /// What holds above any snapshot.
    fn overlay(&self) -> &Overlay;

    /// Whether it is to take requests.
    fn drains(&self) -> &Drains;

    /// Segments of the decision log that the control plane is to know of.
    fn shelf(&self) -> &Shelf;

    /// What is held, and what is to go.
    fn retained(&self) -> &Retained;

    /// What decides recorded requests again, by a draft.
    fn simulator(&self) -> &Simulator;

    /// The registry of the vendor behind a provider of the policy in force, by its AIP name.
    fn registry(&self, provider: &str) -> Result<Registry, Unlisted>;
}
