//! What proves the log, as who does not trust us checks it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use prost::Message as _;
use proto::admin::audit_checkpoints_service_server::AuditCheckpointsService;
use proto::admin::audit_keys_service_server::AuditKeysService;
use proto::admin::audit_leaves_service_server::AuditLeavesService;
use proto::admin::rules_service_server::RulesService;
use proto::checkpoint::{Checkpoint, VerifierKey};
use proto::tree::{self, Hash, extends, includes};

use super::*;
use crate::checkpoints::Checkpoints;

fn hash(hex: &str) -> Hash {
    let byte = |at: usize| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap();
    std::array::from_fn(byte)
}

fn hashes(all: &[String]) -> Vec<Hash> {
    all.iter().map(|one| hash(one)).collect()
}

async fn signing() -> (Admin, House) {
    let house = house().await;
    let (store, sealer) = (house.admin.publisher.store(), house.admin.publisher.vault().sealer());
    let checkpoints = Checkpoints::open(store, sealer, 1).await.unwrap();
    (house.admin.clone().signing(checkpoints), house)
}

async fn sign(admin: &Admin) -> AuditCheckpoint {
    admin.sign_audit_checkpoint(root(SignAuditCheckpointRequest {})).await.unwrap().into_inner()
}

async fn leaves(admin: &Admin, asked: ListAuditLeavesRequest) -> Vec<AuditLeaf> {
    let (mut all, mut page_token) = (Vec::new(), String::new());
    loop {
        let asked = ListAuditLeavesRequest { page_token, page_size: 3, ..asked.clone() };
        let page = admin.list_audit_leaves(root(asked)).await.unwrap().into_inner();
        all.extend(page.audit_leaves);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return all;
        }
    }
}

#[tokio::test]
async fn the_log_is_proved_by_what_it_gives() {
    let (admin, _house) = signing().await;
    for id in ["one", "two", "three", "four"] {
        create(&admin, TOKEN, id, false).await.unwrap();
    }
    let first = sign(&admin).await;
    for id in ["five", "six", "seven"] {
        create(&admin, TOKEN, id, false).await.unwrap();
    }
    let second = sign(&admin).await;
    assert_eq!((sign(&admin).await, second.size), (second.clone(), first.size + 3));
    let keys = admin.list_audit_keys(root(ListAuditKeysRequest {})).await.unwrap().into_inner().audit_keys;
    assert_eq!(keys.iter().map(|key| key.name.as_str()).collect::<Vec<_>>(), ["auditKeys/1"]);
    let key: VerifierKey = keys[0].verifier_key.parse().unwrap();
    let [old, new] = [&first, &second].map(|one| Checkpoint::verified(&one.note, &key).unwrap());
    assert_eq!((new.size as i64, new.root), (second.size, hash(&second.root_hash)));

    let asked = ProveAuditCheckpointRequest { name: second.name.clone(), from_size: first.size };
    let proof = admin.prove_audit_checkpoint(root(asked)).await.unwrap().into_inner().consistency;
    assert!(extends((old.size, &old.root), (new.size, &new.root), &hashes(&proof)));

    let asked = ListAuditLeavesRequest { tree_size: second.size, prove: true, ..Default::default() };
    let all = leaves(&admin, asked.clone()).await;
    assert_eq!(all.len() as i64, second.size);
    let mut prev = [0; 32];
    for (index, leaf) in all.iter().enumerate() {
        let body = BASE64_STANDARD.decode(&leaf.body).unwrap();
        assert_eq!((leaf.sequence, hash(&leaf.prev_hash)), (index as i64 + 1, prev));
        assert_eq!(AuditEvent::decode(body.as_slice()).unwrap().sequence, leaf.sequence);
        prev = tree::leaf(&[prev.as_slice(), &body].concat());
        assert_eq!(hash(&leaf.hash), prev);
        assert!(includes((new.size, &new.root), (index as u64, prev), &hashes(&leaf.inclusion)));
    }
    let team = ListAuditLeavesRequest { resource: "tenants/acme/teams/five".into(), ..asked };
    let found: Vec<i64> = leaves(&admin, team).await.iter().map(|leaf| leaf.sequence).collect();
    assert_eq!(found, [first.size + 1]);
    let unproved =
        leaves(&admin, ListAuditLeavesRequest { tree_size: first.size, ..Default::default() }).await;
    assert!(unproved.len() as i64 == first.size && unproved.iter().all(|leaf| leaf.inclusion.is_empty()));
}

#[tokio::test]
async fn checkpoints_are_listed_and_what_is_not_there_is_refused() {
    let (admin, house) = signing().await;
    let first = sign(&admin).await;
    create(&admin, TOKEN, "one", false).await.unwrap();
    let second = sign(&admin).await;
    let list = async |page_token: String| {
        let asked = ListAuditCheckpointsRequest { page_size: 1, page_token };
        admin.list_audit_checkpoints(root(asked)).await.unwrap().into_inner()
    };
    let newest = list(String::new()).await;
    assert_eq!(newest.audit_checkpoints, std::slice::from_ref(&second));
    let rest = list(newest.next_page_token).await;
    assert!(rest.audit_checkpoints == std::slice::from_ref(&first) && rest.next_page_token.is_empty());
    let get = async |name: &str| {
        let asked = GetAuditCheckpointRequest { name: name.to_owned() };
        admin.get_audit_checkpoint(root(asked)).await.map(tonic::Response::into_inner)
    };
    assert_eq!(get(&first.name).await.unwrap(), first);
    assert_eq!(code(get("auditCheckpoints/999").await), ErrorCode::NotFound);
    assert_eq!(code(get("auditCheckpoints/01").await), ErrorCode::InvalidRequest);
    for from_size in [0, -1, second.size + 1] {
        let asked = ProveAuditCheckpointRequest { name: second.name.clone(), from_size };
        assert_eq!(code(admin.prove_audit_checkpoint(root(asked)).await), ErrorCode::InvalidRequest);
    }
    for (tree_size, prove) in [(0, true), (-1, false), (second.size + 1, true)] {
        let asked = ListAuditLeavesRequest { tree_size, prove, ..Default::default() };
        assert_eq!(code(admin.list_audit_leaves(root(asked)).await), ErrorCode::InvalidRequest);
    }
    let unsigned = house.admin.sign_audit_checkpoint(root(SignAuditCheckpointRequest {})).await;
    assert_eq!(code(unsigned), ErrorCode::FailedPrecondition);
}

#[tokio::test]
async fn who_may_not_read_the_log_gets_no_part_of_it() {
    let (admin, _house) = signing().await;
    let ada = key(&admin, "acme", "ada", "research").await.secret;
    let refused = [
        code(admin.list_audit_leaves(signed(&ada, ListAuditLeavesRequest::default())).await),
        code(admin.list_audit_checkpoints(signed(&ada, ListAuditCheckpointsRequest::default())).await),
        code(admin.sign_audit_checkpoint(signed(&ada, SignAuditCheckpointRequest {})).await),
        code(admin.list_audit_keys(signed(&ada, ListAuditKeysRequest {})).await),
    ];
    assert_eq!(refused, [ErrorCode::PermissionDenied; 4]);
}

#[tokio::test]
async fn a_page_of_large_events_ends_before_clients_choke_on_it() {
    let (admin, _house) = signing().await;
    let spec = |n: usize| RuleSpec {
        layer: "organisation".into(),
        effect: "forbid".into(),
        when: "purpose == 'x'".into(),
        description: format!("{n}{}", "x".repeat(16_000)),
        ..RuleSpec::default()
    };
    for n in 0..150 {
        let rule = Rule { name: "rules/large".into(), spec: Some(spec(n)), ..Rule::default() };
        let asked = UpdateRuleRequest { rule: Some(rule), allow_missing: true, ..Default::default() };
        admin.update_rule(root(asked)).await.unwrap();
    }
    let page =
        admin.list_audit_leaves(root(ListAuditLeavesRequest { page_size: 1_000, ..Default::default() }));
    let page = page.await.unwrap().into_inner();
    assert!(page.encoded_len() < 4 << 20 && !page.next_page_token.is_empty(), "{}", page.encoded_len());
    let (mut count, mut page_token) = (0, String::new());
    loop {
        let asked = ListAuditEventsRequest {
            page_size: 1_000,
            page_token,
            action: "UpdateRule".into(),
            ..Default::default()
        };
        let page = admin.list_audit_events(root(asked)).await.unwrap().into_inner();
        assert!(page.encoded_len() < 4 << 20);
        count += page.audit_events.len();
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(count, 150);
}
