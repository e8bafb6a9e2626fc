//! What is published: a small world, and changes of it that a seed draws.

use crate::chance::Chance;

/// What the control plane is told to do.
#[derive(Debug, Clone)]
pub(crate) enum Order {
    /// Files are applied, at once or by stages.
    Apply { text: String, staged: bool },
    /// What files name is deleted.
    Delete(String),
    /// A key is made.
    Issue,
    /// The key of this number, counted round, is taken back.
    Revoke(usize),
    /// The rollout that is on its way is taken back.
    Abort,
    /// A new epoch begins, and another, until one is above this.
    BumpEpoch(i64),
}

fn document(kind: &str, metadata: &str, spec: &str) -> String {
    format!("apiVersion: chancery/v1\nkind: {kind}\nmetadata: {{{metadata}}}\nspec: {{{spec}}}\n---\n")
}

fn role(purpose: usize) -> String {
    let permissions = format!("permissions: [{{action: infer, models: ['m-{purpose}', 'm']}}]");
    document("Role", "name: chat", &permissions)
}

fn rule(number: usize, purpose: usize) -> String {
    let spec =
        format!("layer: organisation, effect: forbid, when: \"purpose == 'p{purpose}'\", mode: enforce");
    document("Rule", &format!("name: r{number}"), &spec)
}

fn model(number: usize, tokens: usize) -> String {
    let card = format!("card: {{description: 'M', operations: [chat], contextWindow: {}}}", 1000 + tokens);
    let route = "route: {policy: weighted, groups: [[{endpoint: e-eu}], [{endpoint: e-us}]]}";
    document("Model", &format!("name: m{number}"), &format!("{card}, {route}"))
}

fn grant(number: usize) -> String {
    document("Grant", &format!("name: g{number}, tenant: acme"), "role: chat, team: crew, to: {team: crew}")
}

fn provider(number: usize, geo: &str, adapter: &str) -> String {
    document(
        "Provider",
        &format!("name: p{number}"),
        &format!("adapter: simulated, geos: [{geo}], displayName: '{adapter}'"),
    )
}

/// The world that every seed begins with.
pub(crate) fn beginning() -> Order {
    let text = [
        document("Tenant", "name: acme", "currency: USD"),
        document("Team", "name: crew, tenant: acme", "jurisdictions: [EU]"),
        document("Principal", "name: ada, tenant: acme", "type: user, teams: [crew]"),
        document("Provider", "name: sim", "adapter: simulated"),
        document(
            "Endpoint",
            "name: e-eu",
            "provider: sim, upstreamModel: m, processingRegions: [EU], storageRegions: [EU]",
        ),
        document(
            "Endpoint",
            "name: e-us",
            "provider: sim, upstreamModel: m, processingRegions: [US], storageRegions: [US]",
        ),
        role(0),
        rule(0, 0),
        model(0, 0),
        grant(0),
    ];
    Order::Apply { text: text.concat(), staged: false }
}

/// A change that every node sees, in every geo.
pub(crate) fn end(number: usize) -> Order {
    Order::Apply { text: document("Tenant", &format!("name: end{number}"), "currency: USD"), staged: false }
}

/// A change, of a few things so that it often is one of what another changed.
pub(crate) fn any(chance: &mut Chance) -> Order {
    let (number, value) = (1 + chance.below(4), chance.below(50));
    let at_once = |text| Order::Apply { text, staged: false };
    match chance.below(100) {
        0..=17 => Order::Issue,
        18..=31 => Order::Revoke(chance.below(1 << 16)),
        32..=41 => at_once(rule(number, value)),
        42..=51 => at_once(model(number, value)),
        52..=57 => at_once(grant(number)),
        58..=65 => at_once(provider(number, ["eu", "us"][value % 2], &value.to_string())),
        66..=83 => Order::Apply { text: [role(value), rule(number, value)].concat(), staged: true },
        84..=89 => Order::Abort,
        90..=93 => Order::Delete(rule(number, 0)),
        94..=96 => Order::Delete(model(number, 0)),
        _ => Order::Delete(grant(number)),
    }
}
