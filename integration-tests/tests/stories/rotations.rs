//! Secrets that change while requests flow: nobody is refused for it, and what is new works as soon as its policy is there.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::{Context as _, Result};
use integration_tests::{
    door::{Ask, Caller, Door},
    household::Household,
    sandbox::{Geo, QUICKSTART},
    scripted::OpenAiLike,
    wait::within,
};
use proto::admin::{CreateKeyRequest, Key, KeySpec, keys_service_client::KeysServiceClient};

use crate::policy;

/// A tenant with somebody who may use what is called `sim-...`.
const NEWCOMER: &str = "---
apiVersion: chancery/v1
kind: Tenant
metadata: {name: globex}
spec: {displayName: Globex, currency: USD, domicile: DE}
---
apiVersion: chancery/v1
kind: Team
metadata: {name: works, tenant: globex}
spec: {jurisdictions: [EU]}
---
apiVersion: chancery/v1
kind: Principal
metadata: {name: hank, tenant: globex}
spec: {type: service, displayName: Hank, teams: [works]}
---
apiVersion: chancery/v1
kind: Grant
metadata: {name: works-chat, tenant: globex}
spec: {role: chat-user, team: works, to: {team: works}}
";

fn story(vendor: &OpenAiLike, secret: &str) -> String {
    let credential = format!("adapter: openai, credential: {{value: {secret}}}");
    policy::one_vendor(&vendor.base_url()).replace("adapter: openai", &credential)
}

async fn answered(house: &Household, geo: Geo, key: &str) -> Result<()> {
    for door in Door::BOTH {
        let caller = Caller::at(door, house.inference_url(geo)?, key);
        let told = caller.ask(&Ask::chat("sim-story", "hello")).await?;
        anyhow::ensure!(told.is_ok(), "{geo:?} {door:?}: {told:?}");
    }
    Ok(())
}

/// Asks at both planes until it is over; gives how often.
async fn flow(house: &Household, key: &str, over: &AtomicBool, asked: &AtomicUsize) -> Result<()> {
    while !over.load(Ordering::Relaxed) {
        for geo in Geo::ALL {
            answered(house, geo, key).await?;
            asked.fetch_add(1, Ordering::Relaxed);
        }
    }
    Ok(())
}

async fn newcomer(house: &Household) -> Result<String> {
    let revision = house.apply(NEWCOMER).await?;
    let spec = KeySpec { principal: "hank".into(), team: "works".into(), ..KeySpec::default() };
    let key = Some(Key { spec: Some(spec), ..Key::default() });
    let asked = house.authorised(CreateKeyRequest { parent: "tenants/globex".into(), key })?;
    let made = KeysServiceClient::new(house.channel().await?).create_key(asked).await?.into_inner();
    let key = made.key.context("a key was made and not told")?;
    anyhow::ensure!(key.revision > revision);
    for geo in Geo::ALL {
        house.enforces(geo, key.revision).await?;
    }
    Ok(made.secret)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_refuses_nobody_and_a_newcomer_is_served_as_soon_as_it_is_known() {
    let vendor = OpenAiLike::start().await.unwrap();
    let house = Household::start(QUICKSTART, "[upstream]\nallow_loopback = true\n").await.unwrap();
    house.apply(&story(&vendor, "sk-first")).await.unwrap();
    let key = house.key("ada@example.org", "research").await.unwrap();
    let (over, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    let shows = async |secret: &str| {
        let bearer = format!("Bearer {secret}");
        let shown = async {
            while vendor.request().await?.headers["authorization"] != bearer {}
            anyhow::Ok(())
        };
        within("a request with the credential", shown).await?
    };
    let changes = async {
        shows("sk-first").await?;
        for secret in ["sk-second", "sk-third", "sk-fourth"] {
            house.apply(&story(&vendor, secret)).await?;
            shows(secret).await?;
        }
        let theirs = newcomer(&house).await?;
        for geo in Geo::ALL {
            answered(&house, geo, &theirs).await?;
        }
        over.store(true, Ordering::Relaxed);
        anyhow::Ok(())
    };
    let (flown, changed) = tokio::join!(flow(&house, &key, &over, &asked), async {
        let changed = changes.await;
        over.store(true, Ordering::Relaxed);
        changed
    });
    flown.unwrap();
    changed.unwrap();
    println!("{} requests at each door, all answered", asked.load(Ordering::Relaxed));
}
