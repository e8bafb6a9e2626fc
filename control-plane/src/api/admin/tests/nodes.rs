//! What becomes of nodes by an operator's acts, and in what words they are shown.

use policy_engine::vocabulary::{Geo, Name};

use super::*;

fn place(id: &str) -> (Geo, Name) {
    ("eu".parse().unwrap(), id.parse().unwrap())
}

async fn forget(admin: &Admin, name: &str) -> Result<(), Status> {
    admin.forget_node(root(ForgetNodeRequest { name: name.into() })).await.map(drop)
}

async fn state(admin: &Admin, name: &str) -> Result<String, Status> {
    Ok(admin.get_node(root(GetNodeRequest { name: name.into() })).await?.into_inner().state)
}

#[tokio::test]
async fn a_revoked_node_is_called_so_and_can_be_forgotten_and_stays_revoked() {
    let House { admin, _fixture } = house().await;
    let (geo, id) = place("a");
    let schema = proto::manifest::SCHEMA;
    let session = admin.nodes.begin(&geo, &id, |node| node.schema = schema);
    assert_eq!(state(&admin, "nodes/a").await.unwrap(), "connected");
    assert_eq!(code(forget(&admin, "nodes/a").await), ErrorCode::FailedPrecondition);

    admin.revoke_node(root(RevokeNodeRequest { name: "nodes/a".into() })).await.unwrap();
    assert_eq!(state(&admin, "nodes/a").await.unwrap(), "revoked");
    let listed = admin.list_nodes(root(ListNodesRequest::default())).await.unwrap().into_inner().nodes;
    assert_eq!(listed[0].state, "revoked");
    let (states, _) = admin.nodes.tally(1);
    assert!(states.contains(&("revoked", 1)) && states.contains(&("connected", 0)), "{states:?}");
    drop(session);

    forget(&admin, "nodes/a").await.unwrap();
    assert_eq!(code(state(&admin, "nodes/a").await), ErrorCode::NotFound);
    assert_eq!(code(forget(&admin, "nodes/a").await), ErrorCode::NotFound);
    assert!(admin.nodes.admission().revoked_at(&geo, &id).is_some());
    let again = NodeRegistry::open(admin.publisher.store()).await.unwrap();
    assert_eq!(again.count(), 0);
    assert!(again.admission().revoked_at(&geo, &id).is_some());
    let asked = ListAuditEventsRequest { resource: "geos/eu/nodes/a".into(), ..Default::default() };
    let events = admin.list_audit_events(root(asked)).await.unwrap().into_inner().audit_events;
    let told: Vec<_> = events.iter().map(|e| (e.action.rsplit('/').next().unwrap(), &*e.outcome)).collect();
    assert!(told.starts_with(&[("ForgetNode", "ok"), ("RevokeNode", "ok")]), "{told:?}");
}

#[tokio::test]
async fn a_node_that_comes_while_it_is_forgotten_is_known() {
    let House { admin, _fixture } = house().await;
    let (geo, id) = place("a");
    admin.nodes.await_node(&geo, &id);
    let awaited = admin.nodes.get(&geo, &id).unwrap();
    let _session = admin.nodes.begin(&geo, &id, |_| ());
    let act = crate::act::Act::of_system("test");
    admin.nodes.forget((&geo, &id), &awaited, (admin.publisher.store(), &act)).await.unwrap();
    admin.nodes.keep(admin.publisher.store()).await;
    assert_eq!(NodeRegistry::open(admin.publisher.store()).await.unwrap().count(), 1);
}
