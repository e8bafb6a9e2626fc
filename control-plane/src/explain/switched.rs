//! What is switched off of that which a request would use, whatever policy says of it.
//!
//! Law: kills are of a moment and of no revision, so they are told beside an answer and change none. Why something is switched off is
//! for operators, and is not told.

use policy_engine::facts::Facts;
use policy_engine::vocabulary::{Id, Kind};
use proto::admin::{ExplainResponse, Kill, SwitchedOff};
use proto::name;

use super::Imagined;
use crate::kills::KillsNow;

/// The kills that hold at a moment and hit a request, as far as it was followed.
pub(super) fn off(
    (kills, at): (&KillsNow, i64),
    asked: &Imagined,
    answer: &ExplainResponse,
    facts: &Facts,
) -> Vec<SwitchedOff> {
    let hits = |kill: &Kill| {
        let kill = KillsNow::present(kill, at);
        let spec = kill.spec.as_ref().filter(|_| kill.state == "active")?;
        let hit = match spec.target.as_str() {
            "everything" => true,
            "geo" => spec.resource == asked.geo.as_str(),
            "tenant" => {
                name::parse_as(Kind::Tenant, &spec.resource).is_ok_and(|tenant| tenant.name == asked.tenant)
            }
            "model" => spec.resource == answer.model,
            "endpoint" => serving(answer).any(|endpoint| endpoint == spec.resource),
            "provider" => {
                serving(answer).any(|endpoint| provider(endpoint, facts) == Some(spec.resource.clone()))
            }
            _ => false,
        };
        hit.then(|| SwitchedOff {
            name: kill.name.clone(),
            target: spec.target.clone(),
            resource: spec.resource.clone(),
            mode: spec.mode.clone(),
        })
    };
    kills.kills.values().filter_map(hits).collect()
}

/// The endpoints that policy lets it go to.
fn serving(answer: &ExplainResponse) -> impl Iterator<Item = &str> {
    let open = answer.candidates.iter().filter(|candidate| candidate.permitted);
    open.map(|candidate| candidate.endpoint.as_str())
}

/// AIP name of the provider of an endpoint.
fn provider(endpoint: &str, facts: &Facts) -> Option<String> {
    let id = name::parse_as(Kind::Endpoint, endpoint).ok()?;
    let provider = facts.endpoints.get(&id)?.provider.clone();
    Some(name::format(Kind::Provider, &Id { tenant: id.tenant, name: provider }))
}
