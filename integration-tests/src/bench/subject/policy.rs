//! Which policy the gateway enforces, and the generated text of the large one.
//!
//! The large policy holds everything a request meets: teams, principals, a role by glob, a grant a team, an endpoint and a price
//! a model, a limit that counts and never refuses, a guardrail that finds. Keys are not in it, because a file cannot make them.

use std::fmt::Write;

/// The policies of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    /// What `chancery dev` seeds.
    Quickstart,
    /// Generated, in a tenant of its own, beside the quickstart.
    Large { keys: usize, models: usize },
}

/// Whom a key is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) principal: String,
    pub(crate) team: String,
}

/// The tenant of the large policy.
pub(crate) const TENANT: &str = "bench";
const TEAMS: usize = 100;
const PRINCIPALS: usize = 1_000;

impl Policy {
    /// As the command line and the table call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Policy::Quickstart => "quickstart",
            Policy::Large { .. } => "large",
        }
    }
}

/// The name of model number `number` of the large policy.
pub(crate) fn model(number: usize) -> String {
    format!("large-{number:04}")
}

/// The holder of key number `number` of the large policy.
pub(crate) fn holder(number: usize) -> Holder {
    let principal = number % PRINCIPALS;
    Holder { principal: format!("service-{principal:04}"), team: team(principal) }
}

fn team(principal: usize) -> String {
    format!("team-{:02}", principal % TEAMS)
}

/// The large policy as one file of YAML documents; every model is served by the mock at `upstream` (a base URL).
pub(crate) fn large(models: usize, upstream: &str) -> String {
    let mut out = String::new();
    let mut add = |kind: &str, metadata: &str, spec: &str| {
        // Writing to a string cannot fail.
        let _written = write!(
            out,
            "---\napiVersion: chancery/v1\nkind: {kind}\nmetadata: {{{metadata}}}\nspec: {{{spec}}}\n"
        );
    };
    add("Tenant", &format!("name: {TENANT}"), "displayName: Bench, timeZone: Europe/Berlin, currency: USD");
    let terms = "trainsOnData: false, dpa: true, baa: false, zeroRetention: true";
    add(
        "Provider",
        "name: bench-mock",
        &format!("adapter: openai, baseUrl: \"{upstream}\", terms: {{{terms}}}"),
    );
    add(
        "Role",
        "name: bench-user",
        "permissions: [{action: infer, models: [\"large-*\"], operations: [chat]}]",
    );
    let ours = |name: &str| format!("name: {name}, tenant: {TENANT}");
    for number in 0..TEAMS {
        let team = team(number);
        add("Team", &ours(&team), "jurisdictions: [EU]");
        add(
            "Grant",
            &ours(&format!("{team}-chat")),
            &format!("role: bench-user, team: {team}, to: {{team: {team}}}"),
        );
    }
    for number in 0..PRINCIPALS {
        let Holder { principal, team } = holder(number);
        add("Principal", &ours(&principal), &format!("type: service, teams: [{team}]"));
    }
    for number in 0..models {
        let model = model(number);
        let name = format!("name: {model}");
        let regions = "processingRegions: [EU], storageRegions: [EU]";
        add("Endpoint", &name, &format!("provider: bench-mock, upstreamModel: bench, {regions}"));
        let card = "description: Bench, input: [text], output: [text], operations: [chat], contextWindow: 128000, \
                    maxOutputTokens: 16384";
        let route = format!("policy: weighted, groups: [[{{endpoint: {model}, weight: 1}}]]");
        add("Model", &name, &format!("card: {{{card}}}, route: {{{route}}}"));
        let each = "perMillion: {input: \"2.50\", output: \"10.00\"}";
        add("Price", &name, &format!("model: {model}, validFrom: 2026-01-01, currency: USD, {each}"));
    }
    let scope = "scope: {model: \"*\", each: key}";
    add("Limit", &ours("bench-requests"), &format!("{scope}, bound: {{requests: 100000000, per: 1m}}"));
    add("Limit", &ours("bench-tokens"), &format!("{scope}, bound: {{tokens: 1000000000000, per: 1m}}"));
    let found = "[{detect: EMAIL, action: mask}, {detect: CREDIT_DEBIT_CARD_NUMBER, action: mask}]";
    add(
        "Guardrail",
        "name: bench-baseline",
        &format!("applies: {{models: [\"large-*\"]}}, input: {found}, output: {found}"),
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_large_policy_is_as_large_as_asked() {
        let text = large(30, "http://127.0.0.1:1/v1");
        let count = |kind: &str| text.matches(&format!("\nkind: {kind}\n")).count();
        assert_eq!(
            (count("Model"), count("Endpoint"), count("Team"), count("Principal")),
            (30, 30, TEAMS, PRINCIPALS)
        );
        assert!(text.contains(&format!("name: {}", holder(1_234).principal)));
        assert_eq!(holder(5), holder(5 + PRINCIPALS));
    }
}
