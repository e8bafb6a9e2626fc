//! Tools that a vendor runs by itself (web search, code, MCP): what they are told leaves the house, so each needs a permit.
//!
//! Law: a tool is permitted by an enforced `permit` that mentions `egressTools`, holds for the request, and would hold too if
//! the tool were the only one: a permit for one says nothing of another. Absent on purpose: which tools are a vendor's, which
//! is for whoever reads the body to say.

use super::context::Context;
use crate::reason::{Reason, ReasonCode};
use crate::request::Request;
use crate::rules::condition::{Attribute, EndpointSide, Set, Symbol};
use crate::snapshot::CompiledSnapshot;
use crate::snapshot::rows::Gate;
use crate::vocabulary::{Effect, Mode};

/// Tools that a reason names; a request may ask for any number.
const NAMED: usize = 5;

/// Whether a rule is of the kind that permits tools.
pub(super) fn is_about_tools(gate: &Gate) -> bool {
    gate.effect == Effect::Permit
        && gate.mode == Mode::Enforce
        && gate.condition.mentions(Attribute::Set(Set::EgressTools))
}

/// Takes out of `tools` what a rule that holds permits.
pub(super) fn permit(
    gate: &Gate,
    context: &Context<'_>,
    endpoint: Option<&EndpointSide<'_>>,
    tools: &mut Vec<Symbol>,
) {
    if !tools.is_empty() && is_about_tools(gate) {
        tools.retain(|tool| !context.holds_with_one_tool(gate, endpoint, *tool));
    }
}

/// Why a request with these tools, which nothing permits, is refused.
pub(super) fn missing(request: &Request<'_>, tools: &[Symbol], snapshot: &CompiledSnapshot) -> Reason {
    let is_missing = |tool: &&String| tools.contains(&snapshot.symbols.symbol(tool));
    let all: Vec<&String> = request.egress_tools.iter().filter(is_missing).collect();
    let mut names: Vec<String> = all.iter().take(NAMED).map(|tool| format!("`{tool}`")).collect();
    if all.len() > NAMED {
        names.push(format!("and {} more", all.len() - NAMED));
    }
    let names = names.join(", ");
    let line =
        format!("vendor-side tools ({names}) need a rule with effect `permit` that mentions `egressTools`");
    Reason { line: Some(line), ..Reason::plain(ReasonCode::PermitMissing) }
}
