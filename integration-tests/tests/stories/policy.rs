//! Policy that stories add to the quickstart's: vendors of their own, and models of theirs.

/// A provider and one endpoint of it, both of this name, at a base URL, with the patience of a story.
pub(crate) fn vendor(name: &str, base_url: &str, region: &str) -> String {
    let timeouts = "timeouts: {connect: 2s, firstByte: 10s, idle: 10s, total: 15s}";
    vendor_with(name, base_url, region, timeouts)
}

/// The same, with its own patience.
pub(crate) fn vendor_with(name: &str, base_url: &str, region: &str, timeouts: &str) -> String {
    format!(
        "---
apiVersion: chancery/v1
kind: Provider
metadata: {{name: {name}}}
spec: {{adapter: openai, baseUrl: \"{base_url}\", terms: {{trainsOnData: false, dpa: true, zeroRetention: true}}}}
---
apiVersion: chancery/v1
kind: Endpoint
metadata: {{name: {name}}}
spec: {{provider: {name}, upstreamModel: echo-small, processingRegions: [{region}], storageRegions: [{region}], {timeouts}}}
"
    )
}

/// A priced model that tries these endpoints one after the other; Ada and the build bot may use what is called `sim-...`.
pub(crate) fn model(name: &str, endpoints: &[&str]) -> String {
    let groups: Vec<String> =
        endpoints.iter().map(|endpoint| format!("[{{endpoint: {endpoint}}}]")).collect();
    format!(
        "---
apiVersion: chancery/v1
kind: Model
metadata: {{name: {name}}}
spec:
  card: {{input: [text], output: [text], operations: [chat, embed], contextWindow: 8192, maxOutputTokens: 4096}}
  route: {{policy: weighted, groups: [{}]}}
---
apiVersion: chancery/v1
kind: Price
metadata: {{name: {name}}}
spec: {{model: {name}, validFrom: 2026-01-01, currency: USD, perMillion: {{input: \"1\", output: \"2\"}}}}
",
        groups.join(", ")
    )
}

/// One vendor in the EU behind the model `sim-story`.
pub(crate) fn one_vendor(base_url: &str) -> String {
    format!("{}{}", vendor("story", base_url, "EU"), model("sim-story", &["story"]))
}

/// A limit on what each key of `research` may do.
pub(crate) fn limit(name: &str, bound: &str) -> String {
    format!(
        "---
apiVersion: chancery/v1
kind: Limit
metadata: {{name: {name}, tenant: acme}}
spec: {{scope: {{team: research, model: \"*\", each: key}}, bound: {{{bound}}}}}
"
    )
}

/// A rule of the organisation.
pub(crate) fn rule(name: &str, effect: &str, when: &str, rest: &str) -> String {
    format!(
        "---
apiVersion: chancery/v1
kind: Rule
metadata: {{name: {name}}}
spec: {{layer: organisation, effect: {effect}, when: \"{when}\", mode: enforce{rest}}}
"
    )
}
