//! The calls that are not among the five standard methods.

use anyhow::{Context as _, Result, ensure};
use integration_tests::admin::Anything;
use integration_tests::sandbox::Sandbox;
use serde_json::{Value, json};

use super::told;

/// Calls them all.
pub(super) async fn other_methods(caller: &Anything, house: &Sandbox) -> Result<()> {
    elevations(caller).await?;
    people(caller).await?;
    content(caller).await?;
    let spec = json!({"tenant": "acme", "principal": "ada@example.org", "team": "research"});
    let key = caller
        .call("chancery.admin.v1.KeysService/CreateKey", json!({"key": {"spec": spec}}))
        .await?
        .map_err(told)?;
    let name = key["key"]["name"].as_str().unwrap().to_owned();
    let read =
        caller.call("chancery.admin.v1.KeysService/GetKey", json!({"name": name})).await?.map_err(told)?;
    assert_eq!(read, key["key"]);
    assert!(!read.to_string().contains(key["secret"].as_str().unwrap().rsplit('_').next().unwrap()));
    let keys = caller
        .call("chancery.admin.v1.KeysService/ListKeys", json!({"parent": "tenants/acme"}))
        .await?
        .map_err(told)?;
    assert!(keys["keys"].as_array().unwrap().contains(&read));
    let dead =
        caller.call("chancery.admin.v1.KeysService/RevokeKey", json!({"name": name})).await?.map_err(told)?;
    assert!(dead["revokeTime"].is_string(), "{dead}");

    let revisions =
        caller.call("chancery.admin.v1.RevisionsService/ListRevisions", json!({})).await?.map_err(told)?;
    let newest = &revisions["revisions"][0];
    assert_eq!(newest["revision"], dead["revision"]);
    let one = caller
        .call("chancery.admin.v1.RevisionsService/GetRevision", json!({"name": newest["name"]}))
        .await?
        .map_err(told)?;
    assert_eq!(one["changes"][0]["name"], name.as_str());

    let events =
        caller.call("chancery.admin.v1.AuditService/ListAuditEvents", json!({})).await?.map_err(told)?;
    let event = &events["auditEvents"][0];
    assert_eq!(event["action"], "chancery.admin.v1.KeysService/RevokeKey");
    assert_eq!((&event["outcome"], &event["revision"]), (&json!("ok"), &dead["revision"]));
    let one = caller
        .call("chancery.admin.v1.AuditService/GetAuditEvent", json!({"name": event["name"]}))
        .await?
        .map_err(told)?;
    assert_eq!(&one, event);
    proofs(caller, event).await?;

    let asked = json!({"reason": "a drill"});
    let begun = caller.call("chancery.admin.v1.RevisionsService/BumpEpoch", asked).await?.map_err(told)?;
    assert_eq!((&begun["epoch"], begun.get("changes")), (&json!(2), None), "{begun}");

    house.enforced(begun["revision"].as_i64().unwrap()).await?;
    let nodes = caller.call("chancery.admin.v1.NodesService/ListNodes", json!({})).await?.map_err(told)?;
    let geos: Vec<&str> =
        nodes["nodes"].as_array().unwrap().iter().map(|node| node["geo"].as_str().unwrap()).collect();
    assert_eq!(geos, ["eu", "us"]);
    assert_eq!(nodes["nodes"][0]["state"], "connected");
    let asked = json!({"geo": "eu", "node": "third", "valid": "10m"});
    let made = caller.call("chancery.admin.v1.NodesService/EnrolNode", asked).await?.map_err(told)?;
    assert!(made["token"].as_str().unwrap().starts_with("chyn_"), "{made}");
    let name = json!({"name": made["node"]});
    let third = caller.call("chancery.admin.v1.NodesService/GetNode", name.clone()).await?.map_err(told)?;
    assert_eq!((&third["name"], &third["state"]), (&json!("nodes/third"), &json!("awaited")));
    tokens(caller).await?;
    drained(caller, &name).await?;
    let gone = caller.call("chancery.admin.v1.NodesService/RevokeNode", name.clone()).await?.map_err(told)?;
    assert!(gone["revokeTime"].is_string() && gone["state"] == "revoked", "{gone}");
    caller.call("chancery.admin.v1.NodesService/ForgetNode", name.clone()).await?.map_err(told)?;
    assert!(caller.call("chancery.admin.v1.NodesService/GetNode", name).await?.is_err());

    let file =
        json!({"path": "a.yaml", "text": crate::policy::rule("extra", "forbid", "purpose == 'x'", "")});
    let applied = caller
        .call("chancery.admin.v1.PolicyService/Apply", json!({"files": [file.clone()]}))
        .await?
        .map_err(told)?;
    assert_eq!(applied["changes"], json!([{"kind": "Rule", "name": "rules/extra", "change": "created"}]));
    let export = caller
        .call("chancery.admin.v1.PolicyService/Export", json!({"kinds": ["Rule"]}))
        .await?
        .map_err(told)?;
    assert!(export["text"].as_str().unwrap().contains("name: extra"), "{export}");
    let deleted = caller
        .call("chancery.admin.v1.PolicyService/Delete", json!({"files": [file.clone()]}))
        .await?
        .map_err(told)?;
    assert_eq!(deleted["changes"], json!([{"kind": "Rule", "name": "rules/extra", "change": "deleted"}]));
    history(caller).await?;
    staged(caller, file.clone()).await?;
    proposed(caller, file).await?;
    switched_off(caller).await?;
    let question = json!({
        "principal": "tenants/acme/principals/ada@example.org", "team": "research", "model": "sim-gemini-pro",
        "operation": "chat", "geo": "eu",
    });
    let why = caller.call("chancery.admin.v1.PolicyService/Explain", question).await?.map_err(told)?;
    assert_eq!(
        (&why["effect"], &why["reasons"][0]["code"]),
        (&json!("deny"), &json!("residency_unsatisfied"))
    );
    assert_eq!(why["candidates"][0]["endpoint"], "endpoints/sim-gemini-pro-us");
    assert_eq!(why["matchedGrants"], json!(["tenants/acme/grants/research-chat"]));
    surveyed(caller).await?;
    simulated(caller).await
}

/// What the simulated vendor has, by a node of a geo; what comes of it is the story of `providers`.
async fn surveyed(caller: &Anything) -> Result<()> {
    let asked = json!({"name": "providers/simulated", "geo": "us"});
    let found =
        caller.call("chancery.admin.v1.ProvidersService/SurveyProvider", asked).await?.map_err(told)?;
    ensure!(found["geo"] == "us" && found["models"][0]["id"] == "claude-haiku-4-5", "{found}");
    Ok(())
}

/// A draft with a fault, which is all that is said of it: what one turns is the story of `simulated`.
async fn simulated(caller: &Anything) -> Result<()> {
    let text = crate::policy::rule("extra", "forbid", "purpos == 'x'", "");
    let asked = json!({"files": [{"path": "a.yaml", "text": text}]});
    let answer = caller.call("chancery.admin.v1.PolicyService/Simulate", asked).await?.map_err(told)?;
    ensure!(answer["faults"][0]["path"] == "a.yaml" && answer.get("geos").is_none(), "{answer}");
    Ok(())
}

/// What was deleted last, as history tells of it, and back again.
async fn history(caller: &Anything) -> Result<()> {
    let call = async |method: &str, asked: Value| {
        let rpc = format!("chancery.admin.v1.HistoryService/{method}");
        caller.call(&rpc, asked).await?.map_err(told)
    };
    let diff = call("DiffRevisions", json!({"from": "head~1"})).await?;
    let change = &diff["changes"][0];
    assert_eq!((&change["name"], &change["change"]), (&json!("rules/extra"), &json!("deleted")), "{diff}");
    let blame = call("Blame", json!({"resource": "rules/extra"})).await?;
    assert_eq!(
        (&blame["state"], blame["lives"].as_array().map(Vec::len)),
        (&json!("deleted"), Some(2)),
        "{blame}"
    );
    for (revision, becomes) in [("head~1", "created"), ("head~1", "deleted")] {
        let back = call("Rollback", json!({"revision": revision, "resources": ["rules/extra"]})).await?;
        assert_eq!(back["changes"][0]["change"], becomes, "{back}");
    }
    // What nodes hold is what is said of the revision, and what differs from the one before is that.
    let whole = call("ReadScope", json!({"geo": "eu", "pageSize": 1000})).await?;
    let revision = caller
        .call("chancery.admin.v1.RevisionsService/GetRevision", json!({"name": whole["revision"]["name"]}))
        .await?
        .map_err(told)?;
    // A line that is being made has not noted what it is yet.
    let scopes = revision["scopes"].as_array().map_or(&[][..], Vec::as_slice);
    let known = scopes.iter().find(|scope| scope["geo"] == "eu").map(|scope| &scope["digest"]);
    assert!(known.is_none_or(|known| *known == whole["digest"]), "{revision}: {}", whole["digest"]);
    let bodies = whole["resources"].as_array().context("resources")?;
    assert!(bodies.iter().all(|resource| resource["body"].is_string()) && bodies.len() > 10, "{whole}");
    let since = call("ReadScope", json!({"geo": "eu", "since": "head~1"})).await?;
    assert_eq!(since["removed"], json!([{"kind": "Rule", "name": "rules/extra"}]), "{since}");
    assert_eq!((&since["digest"], &since["resources"]), (&whole["digest"], &Value::Null));
    Ok(())
}

/// Who has every right has none to take: that they can be taken is the story of `break_glass`.
async fn elevations(caller: &Anything) -> Result<()> {
    let call = |rpc: &str| format!("chancery.admin.v1.ElevationsService/{rpc}");
    let holders =
        caller.call("chancery.admin.v1.AdministratorsService/ListAdministrators", json!({})).await?;
    let holders = holders.map_err(told)?;
    ensure!(holders["administrators"][0]["role"] == "admin", "{holders}");
    let none = caller.call(&call("ListElevations"), json!({})).await?;
    ensure!(none.is_ok_and(|none| none["elevations"].is_null()), "nobody took any");
    let spec = json!({"elevation": {"spec": {"reason": "x"}}});
    for (rpc, asked, code) in [
        ("CreateElevation", spec, "failed_precondition"),
        ("GetElevation", json!({"name": "elevations/1"}), "not_found"),
        ("EndElevation", json!({"name": "elevations/1"}), "not_found"),
    ] {
        let refused =
            caller.call(&call(rpc), asked).await?.err().map(|refusal| refusal.code.as_str().to_owned());
        ensure!(refused.as_deref() == Some(code), "{rpc}: {refused:?}");
    }
    Ok(())
}

/// Who is behind a pseudonym, and what is held of it: what erasing does is the story of `erased`.
async fn people(caller: &Anything) -> Result<()> {
    let call = async |rpc: &str, asked: Value| {
        let answer = caller.call(&format!("chancery.admin.v1.{rpc}"), asked).await?;
        Ok::<_, anyhow::Error>(answer.map_err(|refusal| refusal.code.as_str().to_owned()))
    };
    let ada = call("SubjectsService/GetSubject", json!({"name": "subjects/ada@example.org"})).await?.unwrap();
    ensure!(ada["principals"] == json!(["tenants/acme/principals/ada@example.org"]), "{ada}");
    let people = call("SubjectsService/ListSubjects", json!({})).await?.unwrap();
    let is_ada = |subject: &Value| subject["name"] == ada["name"] && subject["id"] == "ada@example.org";
    ensure!(people["subjects"].as_array().is_some_and(|all| all.iter().any(is_ada)), "{people}");
    let hold = json!({"holdId": "case-7", "hold": {"spec": {"subject": ada["name"], "reason": "case 7"}}});
    let placed = call("HoldsService/CreateHold", hold).await?.unwrap();
    let name = json!({"name": "holds/case-7"});
    ensure!(call("HoldsService/GetHold", name.clone()).await?.unwrap() == placed, "{placed}");
    let all = call("HoldsService/ListHolds", json!({})).await?.unwrap();
    ensure!(all["holds"] == json!([placed]), "{all}");
    let erase = json!({"name": ada["name"], "reason": "request 7"});
    let refused = call("SubjectsService/EraseSubject", erase).await?;
    ensure!(refused.err().as_deref() == Some("failed_precondition"), "it is in force");
    let release = json!({"name": "holds/case-7", "reason": "closed"});
    let released = call("HoldsService/ReleaseHold", release.clone()).await?.unwrap();
    ensure!(released["releaser"] == "platform/root", "{released}");
    let twice = call("HoldsService/ReleaseHold", release).await?;
    ensure!(twice.err().as_deref() == Some("failed_precondition"), "it is over");
    let spec = json!({"class": "decisions", "geo": "eu", "keep": "400d", "reason": "policy 7"});
    let set = call("RetentionsService/SetRetention", json!({"spec": spec})).await?.unwrap();
    let name = json!({"name": "retentions/decisions-eu"});
    ensure!(set["name"] == name["name"] && set["creator"] == "platform/root", "{set}");
    ensure!(call("RetentionsService/GetRetention", name.clone()).await?.unwrap() == set, "{set}");
    let all = call("RetentionsService/ListRetentions", json!({})).await?.unwrap();
    ensure!(all["retentions"] == json!([set]), "{all}");
    let silent = call("RetentionsService/DeleteRetention", name.clone()).await?;
    ensure!(silent.err().as_deref() == Some("invalid_request"), "nobody said why");
    let delete = json!({"name": name["name"], "reason": "policy 8"});
    ensure!(call("RetentionsService/DeleteRetention", delete.clone()).await?.is_ok(), "it was there");
    let twice = call("RetentionsService/DeleteRetention", delete).await?;
    ensure!(twice.err().as_deref() == Some("not_found"), "it is gone");
    Ok(())
}

/// A key of content that nobody kept: that one is opened is the story of `captured`.
async fn content(caller: &Anything) -> Result<()> {
    let asked =
        json!({"tenant": "acme", "requestId": "x", "geo": "eu", "keyId": "ck-none", "reason": "a drill"});
    let answer = caller.call("chancery.admin.v1.CapturedContentService/Open", asked).await?;
    let refused = answer.err().map(|refusal| refusal.code.as_str().to_owned());
    ensure!(refused.as_deref() == Some("failed_precondition"), "{refused:?}");
    Ok(())
}

/// The token of a node that never came, listed and taken back.
async fn tokens(caller: &Anything) -> Result<()> {
    let call = async |method: &str, asked: Value| {
        let rpc = format!("chancery.admin.v1.EnrolmentTokensService/{method}");
        caller.call(&rpc, asked).await?.map_err(told)
    };
    let listed = call("ListEnrolmentTokens", json!({})).await?;
    let token = &listed["enrolmentTokens"][0];
    assert_eq!((&token["node"], &token["state"]), (&json!("geos/eu/nodes/third"), &json!("unused")));
    assert_eq!(token["creator"], "platform/root");
    let withdrawn = call("WithdrawEnrolmentToken", json!({"name": token["name"]})).await?;
    assert_eq!((&withdrawn["name"], &withdrawn["state"]), (&token["name"], &json!("withdrawn")));
    Ok(())
}

/// A node that is to take no requests, and then is.
async fn drained(caller: &Anything, name: &Value) -> Result<()> {
    let call = async |method: &str, asked: Value| {
        let rpc = format!("chancery.admin.v1.NodesService/{method}");
        caller.call(&rpc, asked).await?.map_err(told)
    };
    let asked = json!({"name": name["name"], "reason": "a drill", "within": "1m"});
    let drained = call("DrainNode", asked).await?;
    assert_eq!(drained["drain"]["withinMs"], 60_000, "{drained}");
    assert!(call("UndrainNode", name.clone()).await?.get("drain").is_none());
    Ok(())
}

/// Something that is switched off, and lifted again.
async fn switched_off(caller: &Anything) -> Result<()> {
    let call = async |method: &str, asked: Value| {
        let rpc = format!("chancery.admin.v1.KillsService/{method}");
        caller.call(&rpc, asked).await?.map_err(told)
    };
    let spec =
        json!({"target": "model", "resource": "models/sim-gpt-4o", "mode": "drain", "reason": "a drill"});
    let made = call("CreateKill", json!({"killId": "drill", "kill": {"spec": spec}})).await?;
    let mut got = call("GetKill", json!({"name": "kills/drill"})).await?;
    // One that is asked for tells how every node stands to it, beside what was made.
    let nodes = got.as_object_mut().and_then(|got| got.remove("nodes")).context("nodes")?;
    let names: Vec<_> = nodes.as_array().context("a list")?.iter().map(|node| &node["node"]).collect();
    assert_eq!((got, names), (made.clone(), vec![&json!("nodes/eu-1"), &json!("nodes/us-1")]));
    assert_eq!(call("ListKills", json!({})).await?["kills"], json!([made]));
    call("DeleteKill", json!({"name": "kills/drill"})).await?;
    Ok(())
}

/// A change that is proposed, seen, and decided; who proposed it may not approve it.
async fn proposed(caller: &Anything, file: Value) -> Result<()> {
    let call = async |method: &str, asked: Value| {
        let rpc = format!("chancery.admin.v1.ProposalsService/{method}");
        caller.call(&rpc, asked).await
    };
    let asked = json!({"files": [file], "propose": true});
    let applied = caller.call("chancery.admin.v1.PolicyService/Apply", asked).await?.map_err(told)?;
    let name = json!({"name": applied["proposal"]});
    let got = call("GetProposal", name.clone()).await?.map_err(told)?;
    assert_eq!((&got["state"], &got["files"][0]["path"]), (&json!("pending"), &json!("a.yaml")));
    let listed = call("ListProposals", json!({})).await?.map_err(told)?;
    assert_eq!(listed["proposals"][0]["name"], applied["proposal"]);
    let refused = call("ApproveProposal", name.clone()).await?.unwrap_err();
    assert!(format!("{refused:?}").contains("another principal is to approve it"), "{refused:?}");
    let ended = call("RejectProposal", name).await?.map_err(told)?;
    assert_eq!((&ended["state"], &ended["rejecter"]), (&json!("rejected"), &got["proposer"]), "{ended}");
    Ok(())
}

/// What proves an event: its leaf, the checkpoint over it and the key that signed that.
async fn proofs(caller: &Anything, event: &Value) -> Result<()> {
    let call = async |rpc: &str, asked: Value| {
        let rpc = format!("chancery.admin.v1.{rpc}");
        caller.call(&rpc, asked).await?.map_err(told)
    };
    let signed = call("AuditCheckpointsService/SignAuditCheckpoint", json!({})).await?;
    let name = json!({"name": signed["name"]});
    assert_eq!(call("AuditCheckpointsService/GetAuditCheckpoint", name.clone()).await?, signed);
    let listed = call("AuditCheckpointsService/ListAuditCheckpoints", json!({})).await?;
    assert_eq!(listed["auditCheckpoints"][0], signed);
    let asked = json!({"name": signed["name"], "fromSize": 1});
    let proof = call("AuditCheckpointsService/ProveAuditCheckpoint", asked).await?;
    assert!(proof["consistency"].as_array().is_some_and(|hashes| !hashes.is_empty()), "{proof}");
    let keys = call("AuditKeysService/ListAuditKeys", json!({})).await?;
    let key: proto::checkpoint::VerifierKey =
        keys["auditKeys"][0]["verifierKey"].as_str().unwrap().parse()?;
    let checkpoint = proto::checkpoint::Checkpoint::verified(signed["note"].as_str().unwrap(), &key)?;
    assert_eq!(Some(checkpoint.size), signed["size"].as_u64());
    let asked = json!({"action": "RevokeKey", "treeSize": signed["size"], "prove": true});
    let leaves = call("AuditLeavesService/ListAuditLeaves", asked).await?;
    assert_eq!(leaves["auditLeaves"][0]["sequence"], event["sequence"]);
    let asked = json!({"geo": "eu", "node": "nobody"});
    let segments = call("DecisionSegmentsService/ListDecisionSegments", asked).await?;
    assert!(segments.get("decisionSegments").is_none(), "{segments}");
    Ok(())
}

/// A staged change, steered and taken back.
async fn staged(caller: &Anything, file: Value) -> Result<()> {
    let call = async |method: &str, asked: Value| {
        let rpc = format!("chancery.admin.v1.RolloutsService/{method}");
        caller.call(&rpc, asked).await
    };
    let asked = json!({"files": [file], "staged": true, "manual": true});
    let applied = caller.call("chancery.admin.v1.PolicyService/Apply", asked).await?.map_err(told)?;
    let name = json!({"name": applied["rollout"]});
    let got = call("GetRollout", name.clone()).await?.map_err(told)?;
    // A geo of one node is one stage.
    assert_eq!((&got["manual"], got["stages"].as_array().map(Vec::len)), (&json!(true), Some(2)));
    let listed = call("ListRollouts", json!({})).await?.map_err(told)?;
    assert_eq!(listed["rollouts"][0]["name"], applied["rollout"]);
    assert_eq!(call("PauseRollout", name.clone()).await?.map_err(told)?["state"], "paused");
    let refused = call("ApproveRollout", name.clone()).await?.unwrap_err();
    assert!(format!("{refused:?}").contains("it is paused, not waiting"), "{refused:?}");
    assert_eq!(call("ResumeRollout", name.clone()).await?.map_err(told)?["state"], "progressing");
    let ended = call("AbortRollout", name).await?.map_err(told)?;
    assert_eq!(
        (&ended["state"], ended["rollbackRevision"].is_number()),
        (&json!("aborted"), true),
        "{ended}"
    );
    Ok(())
}
