//! What is switched off of that which a request would use, whatever policy says of it.
//!
//! Law: it can only refuse, as on a node, and what policy says without it is told beside that. Kills are of a moment and of no revision.
//! Why something is switched off is for operators, and is not told.

use policy_engine::facts::Facts;
use policy_engine::vocabulary::{Id, Kind};
use proto::admin::{ExplainResponse, Kill, Reason, SwitchedOff};
use proto::name;

use super::Imagined;
use crate::kills::KillsNow;

/// The code that a node refuses by.
const SWITCHED_OFF: &str = "switched_off";

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

/// An answer of policy as a node gives it while that is switched off.
pub(super) fn refused(
    mut answer: ExplainResponse,
    kills: Vec<SwitchedOff>,
    facts: &Facts,
) -> ExplainResponse {
    answer.policy_effect.clone_from(&answer.effect);
    let (of_endpoints, of_all): (Vec<&SwitchedOff>, Vec<&SwitchedOff>) =
        kills.iter().partition(|kill| matches!(kill.target.as_str(), "endpoint" | "provider"));
    let mut reasons: Vec<Reason> = of_all.into_iter().map(reason).collect();
    for candidate in answer.candidates.iter_mut().filter(|candidate| candidate.permitted) {
        let owner = provider(&candidate.endpoint, facts);
        let hits = |kill: &&&SwitchedOff| {
            kill.resource == candidate.endpoint || Some(&kill.resource) == owner.as_ref()
        };
        let off: Vec<Reason> = of_endpoints.iter().filter(hits).map(|kill| reason(kill)).collect();
        candidate.permitted = off.is_empty();
        candidate.reasons.extend(off);
    }
    if reasons.is_empty() && !answer.candidates.iter().any(|candidate| candidate.permitted) {
        reasons.extend(of_endpoints.into_iter().map(reason));
    }
    if !reasons.is_empty() {
        answer.effect = "deny".to_owned();
        reasons.append(&mut answer.reasons);
        answer.reasons = reasons;
    }
    ExplainResponse { kills, ..answer }
}

fn reason(kill: &SwitchedOff) -> Reason {
    let what = if kill.resource.is_empty() { &kill.target } else { &kill.resource };
    Reason {
        code: SWITCHED_OFF.to_owned(),
        message: format!("`{what}` is switched off ({})", kill.mode),
        resource: kill.name.clone(),
        legal_ref: String::new(),
    }
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
