//! The segment store of a geo as a bucket: an S3 service that is not ours (moto's), away at first, with something else in a segment's place.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use integration_tests::{
    door::{Ask, Caller, Door},
    household::{Household, free},
    program::{self, Language},
    sandbox::{Geo, QUICKSTART},
    wait::until,
};
use reqwest::Method;

use crate::decisions::verb;

/// A caller whom moto takes at its word.
const CALLER: &str = "AWS4-HMAC-SHA256 Credential=AKIASTORY/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";

/// The bucket, as who may do everything there.
pub(crate) struct Bucket(pub(crate) String);

impl Bucket {
    pub(crate) async fn call(&self, method: Method, name: &str, text: &str) -> Result<String> {
        let request = reqwest::Client::new().request(method, format!("{}{name}", self.0));
        let sent = request.header("authorization", CALLER).body(text.to_owned()).send().await?;
        Ok(sent.error_for_status()?.text().await?)
    }

    async fn get(&self, name: &str) -> Result<String> {
        self.call(Method::GET, name, "").await
    }

    pub(crate) async fn names(&self) -> Result<Vec<String>> {
        let listed = self.get("?list-type=2").await?;
        let keys = listed.split("<Key>").skip(1).filter_map(|rest| rest.split_once("</Key>"));
        Ok(keys.map(|(name, _)| format!("/{name}")).collect())
    }

    /// Every object, as a file below a directory.
    async fn fetch(&self, to: &Path) -> Result<()> {
        for name in self.names().await? {
            let path = to.join(name.trim_start_matches('/'));
            fs::create_dir_all(path.parent().context("a directory")?)?;
            fs::write(path, self.get(&name).await?)?;
        }
        Ok(())
    }
}

async fn asked(house: &Household, key: &str, count: usize) -> Result<()> {
    for at in 0..count {
        let caller = Caller::at(Door::BOTH[at % 2], house.inference_url(Geo::Eu)?, key);
        let told = caller.ask(&Ask::chat("sim-mistral-large", "write this down")).await?;
        assert!(told.is_ok(), "{told:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn segments_are_brought_to_a_bucket_once_it_is_there_and_nothing_is_written_over() {
    let service = free().unwrap();
    let more = format!(
        "[decisions]\nsegment_records = 4\nsegment_seconds = 3600\nkeep_bytes = 0\nstore = \"s3://segments/chancery\"\n\
         store_endpoint = \"http://{service}\"\n"
    );
    let mut house = Household::start(QUICKSTART, &more).await.unwrap();
    let key = house.key("ada@example.org", "research").await.unwrap();
    asked(&house, &key, 5).await.unwrap();
    until("a store that is missed", async || {
        house.plane(Geo::Eu).ok()?.log().ok()?.contains("segments can't be shipped").then_some(())
    })
    .await
    .unwrap();

    let _moto = program::serve(
        Language::Python,
        "moto.server",
        &["-H", "127.0.0.1", "-p", &service.port().to_string()],
    )
    .unwrap();
    let bucket = Bucket(format!("http://{service}/segments"));
    until("a service of buckets", async || bucket.call(Method::PUT, "", "").await.ok()).await.unwrap();
    let first = until("the first segment", async || {
        let names = bucket.names().await.ok()?;
        (names.len() == 2).then(|| names.into_iter().find(|name| name.ends_with(".manifest")))?
    })
    .await
    .unwrap();
    assert!(
        first.starts_with("/chancery/eu/eu-1/") && first.ends_with("/00000000000000000001.manifest"),
        "{first}"
    );

    // What has the name of the next one is something else: it stays, and that is told.
    let forged = first.replace("00001.manifest", "00005.jsonl");
    bucket.call(Method::PUT, &forged, "forged").await.unwrap();
    asked(&house, &key, 3).await.unwrap();
    until("what is in the way", async || {
        house
            .plane(Geo::Eu)
            .ok()?
            .log()
            .ok()?
            .contains("is something else: nothing is written over it")
            .then_some(())
    })
    .await
    .unwrap();
    assert_eq!(bucket.get(&forged).await.unwrap(), "forged");
    let log = house.plane(Geo::Eu).unwrap().log().unwrap();
    assert!(!log.contains("X-Amz-Signature") && !log.contains("a-secret-of-stories"), "{log}");

    // Taken away by who may, and everything arrives, and is whole.
    bucket.call(Method::DELETE, &forged, "").await.unwrap();
    until("the second segment", async || (bucket.names().await.ok()?.len() == 4).then_some(()))
        .await
        .unwrap();
    let fetched = tempfile::tempdir().unwrap();
    bucket.fetch(fetched.path()).await.unwrap();
    let ca = house.home().join("control/control-plane/ca/ca.pem");
    let arguments = ["decisions", "verify", fetched.path().to_str().unwrap(), "--ca", ca.to_str().unwrap()];
    let (code, told) = verb(&house, &arguments).unwrap();
    assert!(code == 0 && told.contains("2 segments of 1 nodes, 8 records"), "{code}: {told}");
}
