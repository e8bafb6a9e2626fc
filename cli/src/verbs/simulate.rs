//! `simulate`: what a draft would have decided of requests that were made.
//!
//! Law: the records stay where they are; what is asked of the control plane is policy, or counts and ids. What was found in content is
//! taken for given: a draft that looks for more than was looked for then finds no more here, and that is told.

mod asked;
mod told;
mod tried;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Instant as Moment, SystemTime};

use clap::Args;
use policy_engine::simulate::{self, Against, Past, Tally as Counted, Worlds};
use policy_engine::vocabulary::{Instant, Kind, Name};
use proto::name;
use proto::segment::Decided;

use super::Shown;
use super::decisions::records::{Records, Tally};
use super::decisions::scopes::{Held, Reader};
use super::failure::Failure;
use super::instant::{From, moment};
use super::people::People;
use super::source::declared;
use crate::client::{Client, ClientError, Reply};
use crate::output;
use told::Told;
pub(super) use tried::tried;

/// Decide again, by a draft, the requests that were made: who would be refused that was allowed, and the other way round. Nothing is
/// applied, and the records stay where they are; whoever may not apply the draft may not simulate it. Without paths the nodes of every
/// geo read the records that they and their store have, and answer in counts and ids; with paths they are read here. Records are taken as
/// they are, those that are not sealed yet among them: `decisions verify` says whether they were changed.
#[derive(Debug, Args)]
pub(crate) struct Simulate {
    /// The draft: a file of YAML or JSON, a directory of them, or `-` for standard input; may be repeated. It is applied to what is in
    /// force now.
    #[arg(short, long = "file", required = true, value_name = "FILE|DIR|-")]
    files: Vec<PathBuf>,
    /// Records of decisions, or directories with them: a node's outbox, or a geo's store; none: the nodes are asked.
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Only requests from then on: a date such as 2026-01-31, an instant such as 2026-01-31T12:00:00Z, or how long ago, such as 24h.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only requests before then; likewise.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only requests of this tenant.
    #[arg(long)]
    tenant: Option<String>,
    /// Only records of this geo; may be repeated.
    #[arg(long = "geo", value_name = "GEO")]
    geos: Vec<String>,
    /// Compare the draft with what is in force now, which decides the same requests again, and not with what was decided then: what changed
    /// between then and now is left aside.
    #[arg(long)]
    in_force: bool,
    #[command(flatten)]
    shown: Shown,
}

/// What is in force in a geo, and what would be.
struct Pair {
    head: Held,
    draft: Held,
}

/// Records that are read here.
struct Here<'a> {
    worlds: &'a BTreeMap<String, Pair>,
    asked: &'a simulate::Asked,
    counted: Counted,
}

impl Tally for Here<'_> {
    fn take(&mut self, decided: Decided) {
        let Decided { request_id, geo, model, recorded, judged, .. } = decided;
        let Some(held) = self.worlds.get(&geo).filter(|_| self.asked.covers(&recorded)) else {
            self.counted.skip(1);
            return;
        };
        let past = Past { request_id: &request_id, recorded: &recorded, judged: &judged };
        let (head, draft) = (&held.head.snapshot, &held.draft.snapshot);
        let worlds = Worlds { head, draft, against: self.asked.against };
        self.counted.take(past, worlds, || {
            model.map_or_else(|| recorded.model.clone(), |model| name::format(Kind::Model, &model))
        });
    }

    fn pass(&mut self) {
        self.counted.pass();
    }

    fn join(&mut self, other: Self) {
        self.counted.join(other.counted);
    }
}

/// The geos of records.
#[derive(Default)]
struct Geos(BTreeSet<String>);

impl Tally for Geos {
    fn take(&mut self, decided: Decided) {
        self.0.insert(decided.geo);
    }

    fn pass(&mut self) {}

    fn join(&mut self, other: Self) {
        self.0.extend(other.0);
    }
}

/// Simulates, and tells what would turn.
pub(super) async fn run(client: &Client, asked: &Simulate) -> Result<(), Failure> {
    let begun = Moment::now();
    let told = match asked.paths.is_empty() {
        true => asked::of_nodes(client, asked).await?,
        false => asked.here(client).await?,
    };
    let json = told.json();
    let reply = Reply { text: json.to_string(), json, revision: 0 };
    asked.shown.print(&reply, || told.text());
    output::complain(&format!("simulated in {:.1} s", begun.elapsed().as_secs_f64()));
    told.whole()
}

impl Simulate {
    /// Reads the records at the paths.
    async fn here(&self, client: &Client) -> Result<Told, Failure> {
        let asked = simulate::Asked {
            since: self.instant("--since", self.since.as_deref())?,
            until: self.instant("--until", self.until.as_deref())?,
            tenant: match &self.tenant {
                Some(tenant) => {
                    Some(Name::new(tenant).map_err(|error| Failure::Input(format!("--tenant: {error}")))?)
                }
                None => None,
            },
            against: if self.in_force { Against::InForce } else { Against::Recorded },
        };
        self.tenant_is_there(client).await?;
        let files = declared(&self.files)?;
        let records = Records::below(&self.paths)?;
        if records.lacking > 0 {
            let told = "of which only the manifests are here are passed over: their records were pruned, or are elsewhere";
            output::complain(&format!("{} segments {told}", records.lacking));
        }
        let mut geos = records.read("looking for geos", Geos::default)?.0;
        geos.retain(|geo| self.geos.is_empty() || self.geos.contains(geo));
        if geos.is_empty() {
            let of = self.geos.iter().map(|geo| format!(" of geo `{geo}`")).collect::<Vec<_>>().join(" or");
            output::complain(&output::plain(&format!("no record{of} is there")));
        }
        let mut worlds = BTreeMap::new();
        for geo in geos {
            let mut reader = Reader::of(client, &geo);
            let head = reader.at("head", "").await?;
            let draft = reader.draft(files.clone()).await?;
            worlds.insert(geo, Pair { head, draft });
        }
        let new = || Here { worlds: &worlds, asked: &asked, counted: Counted::naming(usize::MAX) };
        let counted = records.read("simulating", new)?.counted;
        let who: BTreeSet<String> = counted.flips.keys().map(told::principal).collect();
        Ok(Told {
            bases: worlds.values().map(|held| held.head.revision.clone()).collect(),
            people: People::behind(client, who.iter().map(String::as_str)).await,
            counted,
            against: asked.against,
            geos: Vec::new(),
        })
    }

    /// Errors where the tenant is not there whose requests are asked for.
    async fn tenant_is_there(&self, client: &Client) -> Result<(), Failure> {
        let Some(tenant) = &self.tenant else { return Ok(()) };
        match client.get(&format!("tenants/{tenant}"), &[]).await {
            Err(ClientError::Refused(refused)) if refused.grpc == "NOT_FOUND" => {
                let fault = ("--tenant".to_owned(), format!("there is no `tenants/{tenant}`"));
                Err(Failure::Faults { done: "simulated", faults: vec![fault] })
            }
            // Whoever may not read it may know all the same what its requests would turn to.
            _ => Ok(()),
        }
    }

    fn instant(&self, option: &str, text: Option<&str>) -> Result<Option<Instant>, Failure> {
        let read = text.map(|text| moment(text, (SystemTime::now(), From::Ago))).transpose()?;
        let read = read.map(|text| Instant::parse(&text)).transpose();
        read.map_err(|error| Failure::Input(format!("{option}: {error}")))
    }
}
