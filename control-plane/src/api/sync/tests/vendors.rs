//! Whose vendors' credentials a geo is given.

use super::node::Port;
use super::*;

/// The providers whose credentials a node of us that comes now is given with a revision.
async fn credentials(port: &Port, name: &str, revision: i64) -> Vec<String> {
    let mut node = port.node("us", name, Hello::default()).await;
    let mut given = Vec::new();
    loop {
        match node.arrived().await {
            Arrived::Secrets(bundle) => given = bundle.credentials,
            Arrived::Snapshot(snapshot) if snapshot.envelope.revision == revision => {
                return given.into_iter().map(|one| one.provider).collect();
            }
            Arrived::Snapshot(before) => node.ack(&before).await,
            _ => {}
        }
    }
}

#[tokio::test]
async fn case_15_a_credential_comes_and_goes_with_the_geos_of_its_tenant() {
    let port = Port::open().await;
    let tenant = |geos: &str| document("Tenant", "name: acme", &format!("currency: USD, geos: {geos}"));
    let spec = "adapter: openai, baseUrl: 'https://v.test/v1', credential: {value: sk-theirs}";
    let theirs = ["tenants/acme/providers/v"];
    let there = [tenant("[]"), document("Provider", "name: v, tenant: acme", spec)].concat();
    let revision = port.publish(&there).await;
    assert_eq!(credentials(&port, "us-1", revision).await, theirs);
    let revision = port.publish(&tenant("[eu]")).await;
    assert!(credentials(&port, "us-2", revision).await.is_empty(), "it is no provider of us any more");
    let revision = port.publish(&tenant("[]")).await;
    assert_eq!(credentials(&port, "us-3", revision).await, theirs);
}
