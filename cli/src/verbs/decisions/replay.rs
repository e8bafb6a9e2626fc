//! `decisions replay`: whether what was decided is decided again, by what nodes held then and by this build.
//!
//! Law: only what is verified is replayed, and of what nodes held it is told whether it is what they wrote down. Whatever is decided
//! differently is told, and ends the verb with a code of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use policy_engine::replay::{Judged, replay};
use policy_engine::vocabulary::Id;
use proto::export::Kind;
use proto::segment::Decided;
use serde_json::{Value, json};

use super::super::Shown;
use super::super::failure::Failure;
use super::records::{Records, Tally};
use super::scopes::{Held, Reader};
use super::verify::Verify;
use crate::client::{Client, ClientError, Reply};
use crate::output;

/// What is decided differently is told of so many, at most.
const MOST: usize = 20;

/// What is replayed.
#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// Segments, or directories with segments in them: a node's outbox, or a geo's store.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    shown: Shown,
}

/// A geo, a revision, and the digest of what nodes there held of it.
type Place = (String, i64, String);

/// What was held, by place; `None`: the control plane knows of no such revision.
type World = BTreeMap<Place, Option<Held>>;

/// The places of records.
#[derive(Debug, Default)]
struct Places(BTreeSet<Place>);

impl Tally for Places {
    fn take(&mut self, decided: Decided) {
        let place = (decided.geo, decided.revision, decided.digest);
        if !self.0.contains(&place) {
            self.0.insert(place);
        }
    }

    fn pass(&mut self) {}

    fn join(&mut self, other: Self) {
        self.0.extend(other.0);
    }
}

/// What came of it.
#[derive(Debug)]
struct Replayed<'w> {
    world: &'w World,
    /// Decided again, as they were.
    same: u64,
    /// Of those, how many by what is not proved to be what the node held.
    unproved: u64,
    /// Decided differently, or not at all.
    different: u64,
    /// In which nothing was decided.
    undecided: u64,
    /// The versions of the engine that decided.
    evaluators: BTreeSet<String>,
    examples: Vec<Different>,
}

/// One that is decided differently.
#[derive(Debug)]
struct Different {
    request_id: String,
    revision: i64,
    then: Judged,
    /// `None`: there is nobody of that name, or no such revision.
    now: Option<Judged>,
}

impl Tally for Replayed<'_> {
    fn take(&mut self, decided: Decided) {
        let Decided { request_id, geo, revision, digest, recorded, judged, evaluator, .. } = decided;
        if !self.evaluators.contains(&evaluator) {
            self.evaluators.insert(evaluator);
        }
        let place = (geo, revision, digest);
        let held = self.world.get(&place).and_then(Option::as_ref);
        let now = held.and_then(|held| replay(&recorded, &held.snapshot));
        if now.as_ref() == Some(&judged) {
            self.same += 1;
            self.unproved += u64::from(held.is_none_or(|held| !held.digest.starts_with(&place.2)));
            return;
        }
        self.different += 1;
        if self.examples.len() < MOST {
            self.examples.push(Different { request_id, revision, then: judged, now });
        }
    }

    fn pass(&mut self) {
        self.undecided += 1;
    }

    fn join(&mut self, other: Self) {
        self.same += other.same;
        self.unproved += other.unproved;
        self.different += other.different;
        self.undecided += other.undecided;
        self.evaluators.extend(other.evaluators);
        self.examples.extend(other.examples);
        self.examples.truncate(MOST);
    }
}

impl Replay {
    pub(super) async fn run(&self, client: &Client, authorities: Option<&Path>) -> Result<(), Failure> {
        let begun = Instant::now();
        let asked = Verify::of(self.paths.clone());
        let over = asked.over(client).await?;
        let verified = asked.whole(authorities, over)?;
        let records = Records::below(&self.paths)?;
        let places = records.read("looking for revisions", Places::default)?;
        let world = world(client, places.0).await?;
        let replayed = records.read("replaying", || Replayed::of(&world))?;
        let (json, gaps) = (replayed.json(), verified);
        let reply = Reply { text: json.to_string(), json, revision: 0 };
        self.shown.print(&reply, || replayed.text());
        output::complain(&format!("replayed in {:.1} s", begun.elapsed().as_secs_f64()));
        match (replayed.different, gaps) {
            (0, 0) => Ok(()),
            (0, gaps) => Err(Failure::Unproved { kind: Kind::Gap, faults: 0, gaps }),
            (different, _) => {
                let of = replayed.same.saturating_add(different);
                Err(Failure::Differs { different, of })
            }
        }
    }
}

/// What nodes held at each place.
async fn world(client: &Client, places: BTreeSet<Place>) -> Result<World, Failure> {
    let mut world = World::new();
    let mut reader: Option<(String, Reader<'_>)> = None;
    for place in places {
        let (geo, revision, digest) = &place;
        let reader = match reader.take().filter(|(known, _)| known == geo) {
            Some((geo, kept)) => reader.insert((geo, kept)),
            None => reader.insert((geo.clone(), Reader::of(client, geo))),
        };
        let held = match reader.1.at(&revision.to_string(), digest).await {
            Ok(held) => Some(held),
            Err(Failure::Client(ClientError::Refused(refused)))
                if refused.status < 500 && refused.grpc != "PERMISSION_DENIED" =>
            {
                output::complain(&format!(
                    "revision {revision} of {geo} is not to be had: {}",
                    refused.message
                ));
                None
            }
            Err(other) => return Err(other),
        };
        world.insert(place, held);
    }
    Ok(world)
}

impl<'w> Replayed<'w> {
    fn of(world: &'w World) -> Self {
        Self {
            world,
            same: 0,
            unproved: 0,
            different: 0,
            undecided: 0,
            evaluators: BTreeSet::new(),
            examples: Vec::new(),
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for Different { request_id, revision, then, now } in &self.examples {
            let now = now.as_ref().map_or_else(
                || "can't be decided: nobody of that name, or no such revision".to_owned(),
                told,
            );
            text += &format!(
                "differs: {request_id} at revision {revision}\n  then {}\n  now  {now}\n",
                told(then)
            );
        }
        let Self { same, unproved, different, undecided, .. } = self;
        let revisions: BTreeSet<i64> = self.world.keys().map(|(_, revision, _)| *revision).collect();
        let all = same + different;
        text += &format!("replayed: {all} decisions over {} revisions\n", revisions.len());
        text += &format!("  {same} are decided again as they were, {different} are not\n");
        if *unproved > 0 {
            text += &format!(
                "  {unproved} of them by what is not proved to be what the node held: its digest is another\n"
            );
        }
        let others = self.evaluators().filter(|version| *version != policy_engine::VERSION);
        let others: Vec<_> = others.map(output::plain).collect();
        if !others.is_empty() {
            let (others, this) = (others.join(", "), policy_engine::VERSION);
            text += &format!("  decided by other versions of the engine too: {others}; this is {this}\n");
        }
        if *undecided > 0 {
            text += &format!("  {undecided} records more in which policy decided nothing\n");
        }
        text
    }

    /// The versions of the engine that decided, as far as records tell.
    fn evaluators(&self) -> impl Iterator<Item = &str> {
        self.evaluators.iter().map(String::as_str).filter(|version| !version.is_empty())
    }

    fn json(&self) -> Value {
        let revisions: BTreeSet<i64> = self.world.keys().map(|(_, revision, _)| *revision).collect();
        let examples = self.examples.iter().map(|example| {
            json!({ "requestId": example.request_id, "revision": example.revision, "then": judged(&example.then),
                "now": example.now.as_ref().map(judged) })
        });
        json!({
            "decisions": self.same + self.different,
            "revisions": revisions.len(),
            "same": self.same,
            "unproved": self.unproved,
            "different": self.different,
            "undecided": self.undecided,
            "evaluator": policy_engine::VERSION,
            "evaluators": self.evaluators().collect::<Vec<_>>(),
            "examples": examples.collect::<Vec<_>>(),
        })
    }
}

/// A decision on one line.
fn told(judged: &Judged) -> String {
    let names = |ids: &[Id]| ids.iter().map(Id::to_string).collect::<Vec<_>>().join(" ");
    let effect = if judged.allowed { "allow" } else { "deny" };
    let parts = [
        ("because", judged.reasons.join(" ")),
        ("rules", names(&judged.matched)),
        ("shadow", names(&judged.shadow_denials)),
        ("candidates", names(&judged.candidates)),
    ];
    let parts = parts.into_iter().filter(|(_, names)| !names.is_empty());
    parts.fold(effect.to_owned(), |line, (what, names)| format!("{line}, {what} {}", output::plain(&names)))
}

/// The same for programs.
fn judged(judged: &Judged) -> Value {
    let names = |ids: &[Id]| ids.iter().map(Id::to_string).collect::<Vec<_>>();
    json!({
        "effect": if judged.allowed { "allow" } else { "deny" },
        "reasons": judged.reasons,
        "matchedRules": names(&judged.matched),
        "shadowDenials": names(&judged.shadow_denials),
        "candidates": names(&judged.candidates),
    })
}
