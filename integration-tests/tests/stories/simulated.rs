//! A draft is simulated where the records are, in every geo by one call: by gRPC, REST and the verb, told as it is from the nodes' files.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use integration_tests::{
    admin::Anything,
    door,
    household::{Household, Lines, binary},
    sandbox::{Geo, QUICKSTART},
    wait::until,
};
use proto::admin::{CreateKeyRequest, Key, KeySpec, keys_service_client::KeysServiceClient};
use serde_json::{Value, json};

use crate::decisions::verb;
use crate::policy;
use crate::replayed::{UNLIMITED, asked, json, load};

/// A tenant with nobody but its administrator, and one of the tenant that asks.
const ADMINS: &str = "---
apiVersion: chancery/v1
kind: Principal
metadata: {name: boss, tenant: acme}
spec: {type: user, teams: [research]}
---
apiVersion: chancery/v1
kind: Grant
metadata: {name: boss-writes, tenant: acme}
spec: {role: tenant-admin, to: {principal: boss}}
---
apiVersion: chancery/v1
kind: Grant
metadata: {name: boss-audits, tenant: acme}
spec: {role: auditor, to: {principal: boss}}
---
apiVersion: chancery/v1
kind: Tenant
metadata: {name: globex}
spec: {displayName: Globex, currency: EUR, timeZone: Europe/Berlin, domicile: DE}
---
apiVersion: chancery/v1
kind: Team
metadata: {name: all, tenant: globex}
spec: {}
---
apiVersion: chancery/v1
kind: Principal
metadata: {name: chief, tenant: globex}
spec: {type: user, teams: [all]}
---
apiVersion: chancery/v1
kind: Grant
metadata: {name: chief-writes, tenant: globex}
spec: {role: tenant-admin, to: {principal: chief}}
---
apiVersion: chancery/v1
kind: Grant
metadata: {name: chief-audits, tenant: globex}
spec: {role: auditor, to: {principal: chief}}
";

/// What the verb says, without the words on the way.
fn told(house: &Household, arguments: &[&str]) -> Result<(i32, Value)> {
    let (code, told) = verb(house, &[&["simulate", "-o", "json"], arguments].concat())?;
    Ok((code, json(&told).with_context(|| format!("{code}: {told}"))?))
}

/// What came of it, but for which of the requests are named and what is said of geos: both are found in another order.
fn sum(told: &Value) -> Value {
    let mut sum = told.clone();
    for way in ["allowToDeny", "denyToAllow"] {
        let rows = sum[way]["by"].as_array_mut().map(std::mem::take).unwrap_or_default();
        let bare = rows.into_iter().map(|mut row| {
            row["examples"] = row["examples"].as_array().map_or(0, Vec::len).into();
            row
        });
        sum[way]["by"] = bare.collect();
    }
    let fields = sum.as_object_mut().unwrap();
    fields.remove("geos");
    fields.remove("more");
    sum
}

fn draft(house: &Household, text: &str) -> Result<PathBuf> {
    let path = house.home().join("draft.yaml");
    std::fs::write(&path, text)?;
    Ok(path)
}

/// The key of an administrator of a tenant.
async fn key(house: &Household, tenant: &str, team: &str, principal: &str) -> Result<String> {
    let spec = KeySpec {
        tenant: tenant.to_owned(),
        principal: principal.to_owned(),
        team: team.to_owned(),
        ..KeySpec::default()
    };
    let key = Some(Key { spec: Some(spec), ..Key::default() });
    let request = house.authorised(CreateKeyRequest { parent: String::new(), key })?;
    Ok(KeysServiceClient::new(house.channel().await?).create_key(request).await?.into_inner().secret)
}

/// The last answer over gRPC, and that over REST, for a caller; how many there were over REST.
async fn by_both_doors(house: &Household, bearer: &str, asked: &Value) -> Result<(Value, Value, usize)> {
    let caller = Anything::at(&house.admin_url(), Some(bearer)).await?;
    let declared = caller.declared("chancery.admin.v1");
    let method = declared.iter().find(|method| method.name() == "Simulate").context("Simulate")?;
    let answers = caller.answers(method, asked.clone()).await?;
    let mut answers = answers.map_err(|refusal| anyhow::anyhow!("{refusal:?}"))?;
    let url = format!("{}/v1/policy:simulate", house.admin_url());
    let answer = door::client()?.post(url).bearer_auth(bearer).json(asked).send().await?;
    anyhow::ensure!(answer.status() == 200, "{answer:?}");
    anyhow::ensure!(answer.headers()["content-type"] == "application/x-ndjson", "{answer:?}");
    let text = answer.text().await?;
    let lines: Vec<Value> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let last = lines.last().cloned().context("a line")?;
    Ok((answers.pop().context("an answer")?, last, lines.len()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nodes_find_is_what_their_files_say_and_a_geo_that_is_away_is_told() {
    let more = Lines { planes: "[decisions]\nsegment_seconds = 3600\n", ..Lines::default() };
    let mut house = Household::of("warn", QUICKSTART, more).await.unwrap();
    house.apply(UNLIMITED).await.unwrap();
    house.apply(ADMINS).await.unwrap();
    let ada = house.key("ada@example.org", "research").await.unwrap();
    asked(&house, &ada).await.unwrap();
    let requests = load().0 as u64;
    let file = draft(&house, &policy::rule("no-support", "forbid", "purpose == 'support'", "")).unwrap();
    let path = file.to_str().unwrap();
    let outboxes = Geo::ALL.map(|geo| house.state_dir(geo).join("outbox"));
    let outboxes: Vec<&str> = outboxes.iter().filter_map(|path| path.to_str()).collect();

    // Records reach the disk a moment after answers.
    let files = until("every record", async || {
        let (code, told) = told(&house, &[&["-f", path], &outboxes[..]].concat()).ok()?;
        let read = told["decisions"].as_u64()? + told["undecided"].as_u64()?;
        (code == 0 && read == requests).then_some(told)
    })
    .await
    .unwrap();
    let (code, found) = told(&house, &["-f", path]).unwrap();
    assert_eq!(code, 0, "{found}");
    assert_eq!(sum(&found), sum(&files));
    assert!(found["allowToDeny"]["count"].as_u64().unwrap() > 0, "{found}");
    let named = found["allowToDeny"]["by"].to_string();
    assert!(named.contains("acme/ada@example.org") && !named.contains("p~"), "{named}");
    let states: Vec<_> = found["geos"].as_array().unwrap().iter().map(|geo| &geo["state"]).collect();
    assert_eq!(states, ["done", "done"], "{found}");

    // The same by both doors, with how far it is before.
    let request = json!({"files": [{"path": "a.yaml", "text": std::fs::read_to_string(&file).unwrap()}]});
    let root = house.token().unwrap();
    let (grpc, rest, lines) = by_both_doors(&house, &root, &request).await.unwrap();
    assert_eq!((&grpc["result"]["counts"], lines > 1), (&rest["result"]["counts"], true), "{rest}");
    let (turned, all) = (&rest["result"]["counts"]["allowToDeny"], &rest["result"]["counts"]["decisions"]);
    assert_eq!((turned, all), (&found["allowToDeny"]["count"], &found["decisions"]), "{rest}");
    let eu = json!({"files": request["files"], "geos": ["eu"], "pageSize": 1});
    let (_, rest, _) = by_both_doors(&house, &root, &eu).await.unwrap();
    let (geo, of_eu) = (&rest["geos"][0], rest["result"]["counts"]["decisions"].as_u64().unwrap());
    assert_eq!((&geo["geo"], rest["geos"].as_array().unwrap().len()), (&json!("eu"), 1), "{rest}");
    assert!(of_eu > 0 && of_eu < all.as_u64().unwrap(), "{rest}");

    several_at_once(&house, &request, turned).await.unwrap();
    what_is_tried_is_simulated(&house, path, &found).unwrap();
    faulty_and_forbidden(&house, &ada).await.unwrap();
    of_own_tenant(&house, &found).await.unwrap();

    // A node is killed: its geo is told as unavailable, and the other is answered.
    house.plane(Geo::Us).unwrap().kill().unwrap();
    let (code, found) = until("a geo that is away", async || {
        let (code, found) = told(&house, &["-f", path]).ok()?;
        (code != 0).then_some((code, found))
    })
    .await
    .unwrap();
    assert_eq!((code, found["decisions"].as_u64().unwrap()), (11, of_eu), "{found}");
    let us = &found["geos"][1];
    assert_eq!((&us["geo"], &us["state"]), (&json!("us"), &json!("unavailable")), "{found}");
    assert!(us["reason"].as_str().unwrap().contains("no node of it is connected"), "{us}");
}

/// Nobody who asks is in the way of another: each is answered, one after the other.
async fn several_at_once(house: &Household, asked: &Value, turned: &Value) -> Result<()> {
    let root = house.token()?;
    let asking = (0..4).map(|_| by_both_doors(house, &root, asked));
    for told in futures_util::future::try_join_all(asking).await? {
        let (grpc, rest, _) = told;
        for told in [grpc, rest] {
            anyhow::ensure!(&told["result"]["counts"]["allowToDeny"] == turned, "{told}");
        }
    }
    Ok(())
}

/// A dry run of the same files says what it would turn, beside what would change; so does one of a deletion.
fn what_is_tried_is_simulated(house: &Household, path: &str, found: &Value) -> Result<()> {
    let (code, told) = verb(house, &["apply", "--dry-run", "-o", "json", "-f", path])?;
    let tried = json(&told).with_context(|| format!("{code}: {told}"))?;
    anyhow::ensure!(tried["changes"][0]["change"] == "created", "{tried}");
    let (_, in_force) = self::told(house, &["-f", path, "--since", "24h", "--in-force"])?;
    anyhow::ensure!(sum(&tried["simulation"]) == sum(&in_force), "{tried} {in_force}");
    // What was decided before other changes is left aside.
    let counts = (&found["allowToDeny"]["count"], &in_force["allowToDeny"]["count"]);
    anyhow::ensure!(counts.0.as_u64() > counts.1.as_u64(), "{found} {in_force}");
    let (code, told) = verb(house, &["apply", "--dry-run", "-f", path])?;
    let lines = ["dry run, nothing was changed", "of the requests of the last 24 hours:", "allow -> deny:"];
    anyhow::ensure!(code == 0 && lines.iter().all(|line| told.contains(line)), "{code}: {told}");
    let (code, told) =
        verb(house, &["delete", "grant", "research-chat", "--tenant", "acme", "--dry-run", "-o", "json"])?;
    let tried = json(&told).with_context(|| format!("{code}: {told}"))?;
    anyhow::ensure!(code == 0 && tried["simulation"]["allowToDeny"]["count"].as_u64() > Some(0), "{tried}");
    what_is_in_force_is_compared_with(house, path, counts)
}

/// What a rule forbids that came after the requests is what its deletion lets through, and nothing of its own once it is in force; a day is
/// asked for as well as an instant.
fn what_is_in_force_is_compared_with(
    house: &Household,
    path: &str,
    (then, now): (&Value, &Value),
) -> Result<()> {
    let done = |arguments: &[&str]| -> Result<Value> {
        let (code, told) = verb(house, arguments)?;
        anyhow::ensure!(code == 0, "{arguments:?}: {code}: {told}");
        json(&told)
    };
    done(&["apply", "-o", "json", "-f", path])?;
    let tried = done(&["delete", "rule", "no-support", "--dry-run", "-o", "json"])?;
    let turned = |way: &str, told: &Value| told[way]["count"].clone();
    anyhow::ensure!(turned("denyToAllow", &tried["simulation"]) == *now, "{tried}");
    for since in ["2026-01-01", "2026-01-01T00:00:00Z"] {
        let (_, against) = told(house, &["-f", path, "--since", since, "--in-force"])?;
        let (_, recorded) = told(house, &["-f", path, "--since", since])?;
        anyhow::ensure!(against["inForce"] == true && turned("allowToDeny", &against) == 0, "{against}");
        anyhow::ensure!(turned("allowToDeny", &recorded) == *then, "{recorded}");
        let already = recorded["allowToDeny"]["by"].as_array().into_iter().flatten();
        let already: u64 = already.filter_map(|row| row["already"].as_u64()).sum();
        anyhow::ensure!(Some(already) == then.as_u64(), "{recorded}");
    }
    done(&["delete", "rule", "no-support", "-o", "json"]).map(drop)
}

/// What is wrong with a draft is told where it is, before anybody is asked; and who may not apply it may not simulate it.
async fn faulty_and_forbidden(house: &Household, ada: &str) -> Result<()> {
    let file = draft(house, &policy::rule("no-support", "forbid", "purpos == 'support'", ""))?;
    let path = file.to_str().context("a path")?;
    let (code, said) = verb(house, &["simulate", "-f", path])?;
    anyhow::ensure!(
        code == 7 && said.contains("draft.yaml:") && said.contains("spec.when"),
        "{code}: {said}"
    );
    let url = format!("{}/v1/policy:simulate", house.admin_url());
    let text = std::fs::read_to_string(&file)?;
    let body = json!({"files": [{"path": "a.yaml", "text": text}]});
    let ask = |bearer: &str, body: &Value| {
        door::client().map(|client| client.post(&url).bearer_auth(bearer).json(body))
    };
    let answer = ask(&house.token()?, &body)?.send().await?;
    anyhow::ensure!(answer.status() == 400, "{answer:?}");
    let faults: Value = answer.json().await?;
    anyhow::ensure!(faults["faults"][0]["path"] == "a.yaml" && faults.get("result").is_none(), "{faults}");
    let answer = ask(ada, &body)?.send().await?;
    anyhow::ensure!(answer.status() == 403, "{answer:?}");
    let unknown = json!({"files": [{"path": "a.yaml", "text": policy::rule("x", "forbid", "true", "")}], "geos": ["mars"]});
    let answer = ask(&house.token()?, &unknown)?.send().await?;
    let (status, refused) = (answer.status(), answer.text().await?);
    anyhow::ensure!(status == 400 && refused.contains("no node is known in `mars`"), "{status} {refused}");
    draft(house, &policy::rule("no-support", "forbid", "purpose == 'support'", "")).map(drop)
}

/// Who administers one tenant simulates what is its own, on its own, and is told no number of others.
async fn of_own_tenant(house: &Household, found: &Value) -> Result<()> {
    let boss = key(house, "acme", "research", "boss").await?;
    let chief = key(house, "globex", "all", "chief").await?;
    let rule = |tenant: &str| {
        let rule = policy::rule("no-support", "forbid", "purpose == 'support'", "");
        rule.replace("{name: no-support}", &format!("{{name: no-support, tenant: {tenant}}}"))
    };
    let of = |tenant: &str| json!({"files": [{"path": "a.yaml", "text": rule(tenant)}]});
    let (_, own, _) = by_both_doors(house, &boss, &of("acme")).await?;
    let counts = &own["result"]["counts"];
    anyhow::ensure!(counts["decisions"] == found["decisions"], "{own} {found}");
    anyhow::ensure!(counts["allowToDeny"] == found["allowToDeny"]["count"], "{own} {found}");
    anyhow::ensure!(counts.get("undecided").is_none() && own["geos"][0].get("records").is_none(), "{own}");
    let (_, none, _) = by_both_doors(house, &chief, &of("globex")).await?;
    let counts = &none["result"]["counts"];
    anyhow::ensure!(counts.get("decisions").is_none() && counts.get("skipped").is_none(), "{none}");
    // Another tenant's requests are not asked for, and the platform's rules are not its to draft.
    let path = house.home().join("own.yaml");
    std::fs::write(&path, rule("acme"))?;
    for (tenant, bearer, expected) in [("globex", &boss, 5), ("", &chief, 5)] {
        let (code, said) = as_somebody(house, bearer, &path, tenant)?;
        anyhow::ensure!(code == expected, "{tenant}: {code}: {said}");
    }
    Ok(())
}

fn as_somebody(house: &Household, bearer: &str, path: &Path, tenant: &str) -> Result<(i32, String)> {
    let told = Command::new(binary()?)
        .args(["simulate", "--tenant", tenant, "-f"])
        .arg(path)
        .env("CHANCERY_CONTROL_URL", house.admin_url())
        .env("CHANCERY_ADMIN_TOKEN", bearer)
        .output()?;
    let said = String::from_utf8([told.stdout, told.stderr].concat())?;
    Ok((told.status.code().unwrap_or(-1), said))
}
