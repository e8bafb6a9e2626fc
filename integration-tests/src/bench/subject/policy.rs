//! Which policy the gateway enforces, and the generated text of it.
//!
//! Both hold everything a request meets: a team, a principal, a role by glob, a grant, an endpoint and a price a model, limits
//! that count and never refuse, a residency rule, and guardrails that find in both directions. Keys are in no file, because a
//! file cannot make them.

use std::fmt::Write;

use proto::admin::SourceFile;

use crate::servers::mock::MODELS;

/// The policies of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    /// What `chancery dev` seeds, and beside it a team that may ask the mock.
    Quickstart,
    /// Generated, in a tenant of its own, beside the quickstart.
    Large { keys: usize, models: usize, rules: usize },
}

/// Whom a key is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) tenant: &'static str,
    pub(crate) principal: String,
    pub(crate) team: String,
}

const QUICKSTART: &str = include_str!("../../../../deploy/examples/quickstart.yaml");
const TENANT: &str = "bench";
const TEAMS: usize = 100;
const PRINCIPALS: usize = 1_000;
const QUICKSTART_KEYS: usize = 10;
/// Of the large policy's rules, one in this many is its tenant's own and about one team; the others are about one model.
const OWN_ONE_IN: usize = 10;

impl Policy {
    /// As the command line and the table call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Policy::Quickstart => "quickstart",
            Policy::Large { .. } => "large",
        }
    }

    /// Its name, and how large it is where that is chosen.
    pub(crate) fn size(self) -> String {
        match self {
            Policy::Quickstart => self.name().to_owned(),
            Policy::Large { keys, models, rules } => {
                format!("{}: {keys} keys, {models} models, {rules} rules, drawn uniformly", self.name())
            }
        }
    }

    /// The files to apply; every model of ours is served by the mock at `upstream` (a base URL).
    pub(crate) fn files(self, upstream: &str) -> Vec<SourceFile> {
        let ours = match self {
            Policy::Quickstart => beside(upstream),
            Policy::Large { models, rules, .. } => large(models, rules, upstream),
        };
        let file = |path: &str, text: String| SourceFile { path: path.to_owned(), text };
        vec![file("quickstart.yaml", QUICKSTART.to_owned()), file("bench.yaml", ours)]
    }

    /// Whom the keys are for.
    pub(crate) fn holders(self) -> Box<dyn Iterator<Item = Holder>> {
        match self {
            Policy::Quickstart => Box::new((0..QUICKSTART_KEYS).map(|_| Holder {
                tenant: "acme",
                principal: "bench-bot".to_owned(),
                team: "bench".to_owned(),
            })),
            Policy::Large { keys, .. } => Box::new((0..keys).map(holder)),
        }
    }

    /// The models that unary requests ask for; streams ask for the mock's own names.
    pub(crate) fn models(self) -> Vec<String> {
        match self {
            Policy::Quickstart => MODELS.iter().take(1).map(|name| (*name).to_owned()).collect(),
            Policy::Large { models, .. } => (0..models).map(model).collect(),
        }
    }
}

fn model(number: usize) -> String {
    format!("large-{number:04}")
}

fn holder(number: usize) -> Holder {
    let principal = number % PRINCIPALS;
    Holder { tenant: TENANT, principal: format!("service-{principal:04}"), team: team(principal) }
}

fn team(principal: usize) -> String {
    format!("team-{:02}", principal % TEAMS)
}

/// YAML documents, one after the other.
#[derive(Default)]
struct Documents(String);

impl Documents {
    fn add(&mut self, kind: &str, metadata: &str, spec: &str) {
        // Writing to a string cannot fail.
        let _written = write!(
            self.0,
            "---\napiVersion: chancery/v1\nkind: {kind}\nmetadata: {{{metadata}}}\nspec: {{{spec}}}\n"
        );
    }

    fn provider(&mut self, upstream: &str) {
        let terms = "terms: {trainsOnData: false, dpa: true, baa: false, zeroRetention: true}";
        self.add(
            "Provider",
            "name: bench-mock",
            &format!("adapter: openai, baseUrl: \"{upstream}\", {terms}"),
        );
        let models = "models: [\"bench*\", \"large-*\"], operations: [chat]";
        let permissions = format!("[{{action: infer, {models}}}, {{action: view, {models}}}]");
        self.add("Role", "name: bench-user", &format!("permissions: {permissions}"));
    }

    fn model(&mut self, name: &str, upstream_model: &str) {
        let metadata = format!("name: {name}");
        let regions = "processingRegions: [EU], storageRegions: [EU]";
        self.add(
            "Endpoint",
            &metadata,
            &format!("provider: bench-mock, upstreamModel: {upstream_model}, {regions}"),
        );
        let card = "description: Bench, input: [text], output: [text], operations: [chat], contextWindow: 128000, \
                    maxOutputTokens: 16384";
        let route = format!("policy: weighted, groups: [[{{endpoint: {name}, weight: 1}}]]");
        self.add("Model", &metadata, &format!("card: {{{card}}}, route: {{{route}}}"));
        let each = "perMillion: {input: \"2.50\", output: \"10.00\"}";
        self.add("Price", &metadata, &format!("model: {name}, validFrom: 2026-01-01, currency: USD, {each}"));
    }

    fn team(&mut self, tenant: &str, team: &str) {
        self.add("Team", &format!("name: {team}, tenant: {tenant}"), "jurisdictions: [EU]");
        self.add(
            "Grant",
            &format!("name: {team}-bench, tenant: {tenant}"),
            &format!("role: bench-user, team: {team}, to: {{team: {team}}}"),
        );
    }

    fn limits(&mut self, tenant: &str) {
        let scope = "scope: {model: \"*\", each: key}";
        let mut add = |name: &str, bound: &str| {
            self.add(
                "Limit",
                &format!("name: {name}, tenant: {tenant}"),
                &format!("{scope}, bound: {{{bound}}}"),
            );
        };
        add("bench-requests", "requests: 100000000, per: 1m");
        add("bench-tokens", "tokens: 1000000000000, per: 1m");
        add("bench-budget", "spend: \"100000000.00 USD\", per: month");
    }
}

/// The team that may ask the mock, in the quickstart's own tenant.
fn beside(upstream: &str) -> String {
    let mut out = Documents::default();
    out.provider(upstream);
    out.team("acme", "bench");
    out.add("Principal", "name: bench-bot, tenant: acme", "type: service, teams: [bench]");
    MODELS.iter().for_each(|name| out.model(name, name));
    out.limits("acme");
    out.0
}

fn large(models: usize, rules: usize, upstream: &str) -> String {
    let mut out = Documents::default();
    out.add(
        "Tenant",
        &format!("name: {TENANT}"),
        "displayName: Bench, timeZone: Europe/Berlin, currency: USD",
    );
    out.provider(upstream);
    (0..TEAMS).for_each(|number| out.team(TENANT, &team(number)));
    for number in 0..PRINCIPALS {
        let Holder { principal, team, .. } = holder(number);
        out.add(
            "Principal",
            &format!("name: {principal}, tenant: {TENANT}"),
            &format!("type: service, teams: [{team}]"),
        );
    }
    MODELS.iter().for_each(|name| out.model(name, name));
    (0..models).for_each(|number| out.model(&model(number), "bench"));
    (0..rules).for_each(|number| rule(&mut out, number, models));
    out.limits(TENANT);
    out.0
}

/// A rule that some of the requests meet: a team's own demands hold, and what is forbidden about a model depends on a purpose
/// nobody states.
fn rule(out: &mut Documents, number: usize, models: usize) {
    if number.is_multiple_of(OWN_ONE_IN) {
        let team = team(number / OWN_ONE_IN);
        let when = format!("\"'{team}' in caller.teams && purpose != 'p{number}'\"");
        let spec = format!(
            "layer: organisation, effect: require, when: {when}, orUnknown: true, \
             obligations: [{{mask: [INTERNATIONAL_BANK_ACCOUNT_NUMBER]}}]"
        );
        out.add("Rule", &format!("name: own-{number}, tenant: {TENANT}"), &spec);
    } else {
        let model = model(number % models.max(1));
        let when = format!("\"model.name == '{model}' && purpose == 'p{number}'\"");
        out.add(
            "Rule",
            &format!("name: about-{number}"),
            &format!("layer: organisation, effect: forbid, when: {when}"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_large_policy_is_as_large_as_asked() {
        let text = large(30, 50, "http://127.0.0.1:1/v1");
        let count = |kind: &str| text.matches(&format!("\nkind: {kind}\n")).count();
        assert_eq!(
            (count("Model"), count("Team"), count("Principal"), count("Rule")),
            (30 + MODELS.len(), TEAMS, PRINCIPALS, 50)
        );
        assert!(text.contains(&format!("name: {}", holder(1_234).principal)));
        assert_eq!(holder(5), holder(5 + PRINCIPALS));
    }
}
