//! Drains of nodes over the admin API: who may, and for how long what is in flight may take.

use std::time::Duration;

use policy_engine::vocabulary::{Action, Duration as Length, Geo, Name};
use proto::admin::{DrainNodeRequest, Node, UndrainNodeRequest};
use proto::status::Refusal;

use super::Admin;
use super::call::Call;
use crate::actor::missing;
use crate::error::unspoken;

/// For how long what is in flight may go on where nothing is said, and at most.
const WITHIN: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(60 * 60));

/// What permissions name nodes.
const LIST: &str = "nodes";

impl Admin {
    pub(super) async fn drained(&self, call: &Call, asked: &DrainNodeRequest) -> Result<Node, Refusal> {
        let place = self.to_be_drained(call, &asked.name)?;
        let within = within(&asked.within)?;
        let act = call.act_because(&asked.reason, format!("geos/{}/nodes/{}", place.0, place.1))?;
        self.nodes.drains().begin(&act, &place, within).await?;
        self.node(call, &asked.name)
    }

    pub(super) async fn undrained(&self, call: &Call, asked: &UndrainNodeRequest) -> Result<Node, Refusal> {
        let place = self.to_be_drained(call, &asked.name)?;
        let act = call.act(format!("geos/{}/nodes/{}", place.0, place.1));
        self.nodes.drains().end(&act, &place).await?;
        self.node(call, &asked.name)
    }

    /// A node that is known, for a caller who may say what becomes of it.
    fn to_be_drained(&self, call: &Call, name: &str) -> Result<(Geo, Name), Refusal> {
        call.concerns(name.to_owned());
        self.publisher.current().demand_plural(&call.actor, Action::Write, LIST, None)?;
        let place = self.nodes.named(name).ok_or_else(|| missing(name))?;
        self.nodes.get(&place.0, &place.1).ok_or_else(|| missing(name))?;
        Ok(place)
    }
}

fn within(asked: &str) -> Result<Duration, Refusal> {
    let (usual, most) = WITHIN;
    if asked.is_empty() {
        return Ok(usual);
    }
    if asked == "0s" {
        return Ok(Duration::ZERO);
    }
    let wrong = |why: String| Refusal::field("within", why);
    let Length(micros) =
        asked.parse().map_err(|error: policy_engine::vocabulary::SpanError| wrong(error.to_string()))?;
    let length = Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX));
    if length > most {
        return Err(wrong(format!("`{}` is not between `0s` and `1h`", unspoken(asked))));
    }
    Ok(length)
}
