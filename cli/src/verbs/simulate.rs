//! `simulate`: what a draft would have decided of requests that were made.
//!
//! Law: the records stay where they are; what is asked of the control plane is policy. What was found in content is taken for given: a draft
//! that looks for more than was looked for then finds no more here, and that is told.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Instant as Moment, SystemTime};

use clap::Args;
use policy_engine::replay::{Judged, replay};
use policy_engine::vocabulary::{Id, Instant, Kind};
use proto::name;
use proto::segment::Decided;
use serde_json::{Value, json};

use super::Shown;
use super::decisions::records::{Records, Tally};
use super::decisions::scopes::{Held, Reader};
use super::failure::Failure;
use super::instant::{From, moment};
use super::people::People;
use super::source::declared;
use crate::client::{Client, Reply};
use crate::output;
use crate::output::table::table;

/// Requests that are named of each caller and model, at most.
const EXAMPLES: usize = 3;

/// Callers and models that are listed for people, at most.
const ROWS: usize = 20;

/// Decide again, by a draft, the requests that were made: who would be refused that was allowed, and the other way round. Nothing is
/// applied, and the records stay where they are; whoever may not apply the draft may not simulate it. Records are taken as they are, those
/// that are not sealed yet among them: `decisions verify` says whether they were changed.
#[derive(Debug, Args)]
pub(crate) struct Simulate {
    /// The draft: a file of YAML or JSON, a directory of them, or `-` for standard input; may be repeated. It is applied to what is in
    /// force now.
    #[arg(short, long = "file", required = true, value_name = "FILE|DIR|-")]
    files: Vec<PathBuf>,
    /// Records of decisions, or directories with them: a node's outbox, or a geo's store.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Only requests from then on: an instant such as 2026-01-31T12:00:00Z, or how long ago, such as 24h.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only requests of this tenant.
    #[arg(long)]
    tenant: Option<String>,
    #[command(flatten)]
    shown: Shown,
}

/// What is in force in a geo, and what would be.
struct Worlds {
    head: Held,
    draft: Held,
}

/// Which way a decision turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    AllowToDeny,
    DenyToAllow,
}

/// Who turns, on what: a principal with its tenant, and the model that was meant.
type Who = (Turn, String, String);

/// How often, and why.
#[derive(Debug, Default)]
struct Flips {
    count: u64,
    /// How many of them what is in force decides like the draft already.
    already: u64,
    reasons: BTreeSet<String>,
    rules: BTreeSet<String>,
    examples: Vec<String>,
}

/// What was simulated.
struct Simulated<'a> {
    worlds: &'a BTreeMap<String, Worlds>,
    asked: &'a Simulate,
    since: Option<Instant>,
    flips: BTreeMap<Who, Flips>,
    /// Decided as they were.
    same: u64,
    /// Allowed as they were, to go elsewhere.
    elsewhere: u64,
    /// In which nothing was decided.
    undecided: u64,
    /// That were not asked for.
    others: u64,
    /// Who turns, by name.
    people: People,
}

impl Tally for Simulated<'_> {
    fn take(&mut self, decided: Decided) {
        let Decided { request_id, geo, model, recorded, judged: then, .. } = decided;
        let is_asked = self.since.is_none_or(|since| recorded.instant >= since)
            && self.asked.tenant.as_ref().is_none_or(|tenant| tenant == recorded.tenant.as_str());
        let Some(worlds) = self.worlds.get(&geo).filter(|_| is_asked) else {
            self.others += 1;
            return;
        };
        let now = replay(&recorded, &worlds.draft.snapshot).unwrap_or_else(nobody);
        let turn = match (then.allowed, now.allowed) {
            (true, false) => Turn::AllowToDeny,
            (false, true) => Turn::DenyToAllow,
            (true, true) if then.candidates != now.candidates => {
                self.elsewhere += 1;
                return;
            }
            _ => {
                self.same += 1;
                return;
            }
        };
        let head = replay(&recorded, &worlds.head.snapshot).unwrap_or_else(nobody);
        let model = model.map_or(recorded.model, |model| name::format(Kind::Model, &model));
        let who = (turn, format!("{}/{}", recorded.tenant, recorded.principal), model);
        let flips = self.flips.entry(who).or_default();
        // Why it turns is what denies, now or then.
        let denial = if then.allowed { &now } else { &then };
        flips.take(denial, head.allowed == now.allowed, request_id);
    }

    fn pass(&mut self) {
        self.undecided += 1;
    }

    fn join(&mut self, other: Self) {
        self.same += other.same;
        self.elsewhere += other.elsewhere;
        self.undecided += other.undecided;
        self.others += other.others;
        for (who, flips) in other.flips {
            self.flips.entry(who).or_default().join(flips);
        }
    }
}

/// A caller who is not there is refused before policy is asked.
fn nobody() -> Judged {
    Judged { reasons: vec!["invalid_api_key".to_owned()], ..Judged::default() }
}

impl Flips {
    fn take(&mut self, denial: &Judged, already: bool, request_id: String) {
        self.count += 1;
        self.already += u64::from(already);
        self.reasons.extend(denial.reasons.first().cloned());
        self.rules.extend(denial.matched.iter().map(Id::to_string));
        if self.examples.len() < EXAMPLES {
            self.examples.push(request_id);
        }
    }

    fn join(&mut self, other: Self) {
        self.count += other.count;
        self.already += other.already;
        self.reasons.extend(other.reasons);
        self.rules.extend(other.rules);
        self.examples.extend(other.examples);
        self.examples.truncate(EXAMPLES);
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
    let since =
        asked.since.as_deref().map(|text| moment(text, (SystemTime::now(), From::Ago))).transpose()?;
    let since = since.map(|text| Instant::parse(&text)).transpose();
    let since = since.map_err(|error| Failure::Input(format!("--since: {error}")))?;
    let files = declared(&asked.files)?;
    let records = Records::below(&asked.paths)?;
    if records.lacking > 0 {
        let told = "of which only the manifests are here are passed over: their records were pruned, or are elsewhere";
        output::complain(&format!("{} segments {told}", records.lacking));
    }
    let geos = records.read("looking for geos", Geos::default)?.0;
    let mut worlds = BTreeMap::new();
    for geo in geos {
        let mut reader = Reader::of(client, &geo);
        let head = reader.at("head", "").await?;
        let draft = reader.draft(files.clone()).await?;
        worlds.insert(geo, Worlds { head, draft });
    }
    let new = || Simulated {
        worlds: &worlds,
        asked,
        since,
        flips: BTreeMap::new(),
        same: 0,
        elsewhere: 0,
        undecided: 0,
        others: 0,
        people: People::default(),
    };
    let mut simulated = records.read("simulating", new)?;
    simulated.people = People::behind(client, simulated.flips.keys().map(|(_, who, _)| who.as_str())).await;
    let json = simulated.json();
    let reply = Reply { text: json.to_string(), json, revision: 0 };
    asked.shown.print(&reply, || simulated.text());
    output::complain(&format!("simulated in {:.1} s", begun.elapsed().as_secs_f64()));
    Ok(())
}

impl Simulated<'_> {
    fn turned(&self, turn: Turn) -> Vec<(&Who, &Flips)> {
        let mut turned: Vec<_> = self.flips.iter().filter(|((way, ..), _)| *way == turn).collect();
        turned.sort_by_key(|(who, flips)| (Reverse(flips.count), *who));
        turned
    }

    fn count(&self, turn: Turn) -> u64 {
        self.turned(turn).iter().map(|(_, flips)| flips.count).sum()
    }

    fn decisions(&self) -> u64 {
        let flips: u64 = self.flips.values().map(|flips| flips.count).sum();
        self.same + self.elsewhere + flips
    }

    /// What it was simulated on, of each geo.
    fn bases(&self) -> BTreeSet<&str> {
        self.worlds.values().map(|worlds| worlds.head.revision.as_str()).collect()
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for (turn, what) in [(Turn::AllowToDeny, "allow -> deny"), (Turn::DenyToAllow, "deny -> allow")] {
            let turned = self.turned(turn);
            if turned.is_empty() {
                continue;
            }
            let row = |(who, flips): &(&Who, &Flips)| {
                let list = |all: &BTreeSet<String>| all.iter().cloned().collect::<Vec<_>>().join(" ");
                let (_, caller, model) = who;
                let example = flips.examples.first().cloned().unwrap_or_default();
                let reasons = output::plain(&list(&flips.reasons));
                vec![
                    flips.count.to_string(),
                    output::plain(&self.people.named(caller)),
                    output::plain(model),
                    reasons,
                    list(&flips.rules),
                    example,
                ]
            };
            text += &format!("{what}:\n");
            let headings = ["requests", "principal", "model", "because", "rules", "such as"];
            text += &table(&headings, turned.iter().take(ROWS).map(row));
            if turned.len() > ROWS {
                text += &format!(
                    "and {} principals and models more: -o json has them all\n",
                    turned.len() - ROWS
                );
            }
        }
        let bases: Vec<_> = self.bases().into_iter().collect();
        text += &format!("{} decisions, by the draft on {}:\n", self.decisions(), bases.join(" "));
        text += &format!(
            "  {} allow -> deny, {} deny -> allow, {} allowed to go elsewhere, {} as they were\n",
            self.count(Turn::AllowToDeny),
            self.count(Turn::DenyToAllow),
            self.elsewhere,
            self.same
        );
        let already: u64 = self.flips.values().map(|flips| flips.already).sum();
        if already > 0 {
            text += &format!("  {already} of those that turn, what is in force now turns already\n");
        }
        if self.undecided > 0 {
            text += &format!("  {} records more in which policy decided nothing\n", self.undecided);
        }
        text += "  what was found in content is what was looked for then; limits and kills are left aside\n";
        text
    }

    fn json(&self) -> Value {
        let turned = |turn: Turn| {
            let row = |(who, flips): &(&Who, &Flips)| {
                let (_, caller, model) = who;
                json!({ "principal": self.people.named(caller), "model": model, "count": flips.count, "already": flips.already,
                    "reasons": flips.reasons, "rules": flips.rules, "examples": flips.examples })
            };
            let by: Vec<_> = self.turned(turn).iter().map(row).collect();
            json!({ "count": self.count(turn), "by": by })
        };
        json!({
            "base": self.bases(),
            "decisions": self.decisions(),
            "allowToDeny": turned(Turn::AllowToDeny),
            "denyToAllow": turned(Turn::DenyToAllow),
            "elsewhere": self.elsewhere,
            "same": self.same,
            "undecided": self.undecided,
            "others": self.others,
        })
    }
}
