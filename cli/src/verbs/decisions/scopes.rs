//! What nodes held when they decided, read from the control plane and compiled here.
//!
//! Law: what was read is what nodes had only if its digest is the one that they wrote down; it is told where it is not. Of each revision
//! only what differs from the one before is read.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use policy_engine::snapshot::{CompiledSnapshot, Header};
use proto::manifest::{Holding, seal};
use proto::segment::hex;
use proto::simulated::compiled;
use proto::sync::{Resource, Scope};
use serde_json::{Map, Value};

use super::super::failure::Failure;
use super::super::field::{list, text};
use super::super::source::faultless;
use crate::client::Client;

/// Resources that are asked for at a time.
const PAGE: i32 = 1_000;

/// What nodes of a geo held of a revision.
#[derive(Debug)]
pub(crate) struct Held {
    /// Everything, compiled.
    pub(crate) snapshot: CompiledSnapshot,
    /// The digest of it, in hexadecimal digits.
    pub(crate) digest: String,
    /// AIP name of the revision.
    pub(crate) revision: String,
}

/// Reads what nodes held, one revision after another.
pub(crate) struct Reader<'c> {
    client: &'c Client,
    geo: String,
    /// What was read last.
    last: Option<(String, Holding)>,
}

impl<'c> Reader<'c> {
    /// Of one geo.
    pub(crate) fn of(client: &'c Client, geo: &str) -> Self {
        Self { client, geo: geo.to_owned(), last: None }
    }

    /// What nodes held of a revision, by the line whose digest begins so.
    pub(crate) async fn at(&mut self, revision: &str, digest: &str) -> Result<Held, Failure> {
        let asked = [("revision".to_owned(), revision.into()), ("digest".to_owned(), digest.into())];
        let (number, holding) = self.read(asked.into_iter().collect()).await?;
        let held = held(&holding, (&self.geo, &number))?;
        self.last = Some((number, holding));
        Ok(held)
    }

    /// What nodes would hold if files were applied to head; faults are the failure.
    pub(crate) async fn draft(&mut self, files: Vec<Value>) -> Result<Held, Failure> {
        let asked = [("draft".to_owned(), files.into())].into_iter().collect();
        let (number, holding) = self.read(asked).await?;
        held(&holding, (&self.geo, &number))
    }

    /// Reads what differs from what was read last, page by page; gives the revision's name too.
    async fn read(&self, mut asked: Map<String, Value>) -> Result<(String, Holding), Failure> {
        let mut put = |field: &str, value: Value| asked.insert(field.to_owned(), value);
        put("geo", self.geo.clone().into());
        put("pageSize", PAGE.into());
        let mut holding = match &self.last {
            Some((revision, before)) => {
                put("since", revision.clone().into());
                put("sinceDigest", hex(&before.root()).into());
                before.clone()
            }
            None => Holding::of(Scope { geo: self.geo.clone(), node_class: String::new() }),
        };
        loop {
            let page = self.client.post("history:readScope", &Value::Object(asked.clone())).await?.json;
            faultless(&page, "simulated")?;
            for resource in list(&page, "resources") {
                let body = BASE64_STANDARD.decode(text(resource, "body")).map_err(|_| strange())?;
                let (kind, name) = (text(resource, "kind"), text(resource, "name"));
                let mut resource = Resource { kind, name, body: body.into(), ..Resource::default() };
                seal(&mut resource);
                holding.put(resource);
            }
            for resource in list(&page, "removed") {
                holding.take(&text(resource, "kind"), &text(resource, "name"));
            }
            let token = text(&page, "nextPageToken");
            if token.is_empty() {
                let revision = page.get("revision").map(|point| text(point, "name")).unwrap_or_default();
                return Ok((revision, holding));
            }
            asked.insert("pageToken".to_owned(), token.into());
        }
    }
}

fn held(holding: &Holding, (geo, revision): (&str, &str)) -> Result<Held, Failure> {
    let number = revision.rsplit('/').next().and_then(|number| number.parse().ok()).unwrap_or_default();
    let header = Header { revision: number, geo: geo.parse().ok() };
    let snapshot = compiled(holding.contents().resources, header)
        .map_err(|error| unreadable(revision, &error.to_string()))?;
    Ok(Held { snapshot, digest: hex(&holding.root()), revision: revision.to_owned() })
}

fn unreadable(revision: &str, what: &str) -> Failure {
    Failure::Input(format!("what nodes held of {revision} can't be read by this build: {what}"))
}

fn strange() -> Failure {
    Failure::Input("what the control plane said of a resource is not base64".to_owned())
}
