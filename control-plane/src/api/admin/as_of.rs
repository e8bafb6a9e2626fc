//! Explanations as of an earlier moment: by what was in force then, with what is taken for given told beside the answer.
//!
//! Law: the same function judges, over the facts of that revision projected to the geo. Of a moment when a rollout was on its way it is
//! told which of the two lines answers. Kills are no part of revisions: those that are still there are known, of those that were lifted
//! only that they were.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use policy_engine::vocabulary::{Action, Instant};
use prost::Message as _;
use proto::admin::{AuditEvent, ExplainRequest, ExplainResponse, Rollout};
use proto::code::ErrorCode;
use proto::status::Refusal;

use super::Admin;
use super::call::Call;
use crate::clock;
use crate::explain::{Imagined, World, explain};
use crate::history::{Point, meant};
use crate::kills::KillsNow;
use crate::publish::{Published, lines};
use crate::store::Page;

/// Events that are searched for kills that were lifted since, and those of them that are read.
const EVENTS: (i64, i64) = (200_000, 1_000);

/// What is in the body of an event about a kill.
const OF_KILLS: &[u8] = b"chancery.admin.v1.KillsService/";

/// What answers, and by which line.
pub(super) struct Then {
    pub(super) published: Arc<Published>,
    rollout: Option<Rollout>,
    pub(super) line: &'static str,
}

impl Admin {
    pub(super) async fn explained_as_of(
        &self,
        call: &Call,
        asked: &ExplainRequest,
        imagined: Imagined,
    ) -> Result<ExplainResponse, Refusal> {
        if asked.revision != 0 {
            return Err(Refusal::field("revision", "is given beside `asOf`: give one of them"));
        }
        let point = meant(self.publisher.store(), ("asOf", &asked.as_of)).await?;
        let moment = point.moment();
        let imagined = match asked.instant {
            Some(_) => imagined,
            None => Imagined { instant: Instant(moment), ..imagined },
        };
        let then = self.then(&point, asked.stable).await?;
        let (kills, lifted) = self.kills_then(moment).await?;
        let world = World { kills: Arc::new(kills), kills_at: moment, ..self.world(&then.published) };
        let answer = explain(world, imagined).await?;
        let may_name = self.publisher.current().permits_plural(&call.actor, Action::Read, "kills", None);
        let mut assumptions = of_policy(&point, asked.instant.is_some());
        assumptions.extend(of_rollout(&then));
        assumptions.extend(lifted.told(may_name));
        Ok(ExplainResponse {
            as_of: Some(point.told()),
            assumptions,
            rollout: then.rollout.map(|rollout| rollout.name).unwrap_or_default(),
            line: then.line.to_owned(),
            ..answer
        })
    }

    /// What was in force, by the line that is asked for.
    pub(super) async fn then(&self, point: &Point, stable: bool) -> Result<Then, Refusal> {
        let revision = point.row.revision;
        let published = self.past.at(&self.publisher, revision).await?.ok_or_else(broken)?;
        let page = Page { before: revision.checked_add(1), size: 1 };
        let newest = self.publisher.store().rollouts(page).await?.into_iter().next();
        let newest =
            newest.map(|row| Rollout::decode(row.body.as_slice()).map_err(|_| broken())).transpose()?;
        let Some(rollout) = newest.filter(|rollout| was_on_its_way(rollout, point)) else {
            return Ok(Then { published, rollout: None, line: "" });
        };
        if !stable {
            return Ok(Then { published, rollout: Some(rollout), line: "candidate" });
        }
        let base = self.past.at(&self.publisher, rollout.base_revision).await?.ok_or_else(broken)?;
        let record = rollout.clone();
        let task = tokio::task::spawn_blocking(move || lines::stable_then(record, &published, &base));
        let stable = task.await.map_err(|_| broken())??.ok_or_else(broken)?;
        Ok(Then { published: Arc::new(stable), rollout: Some(rollout), line: "stable" })
    }

    /// The kills that were there at a moment and still are, and what is known of others.
    async fn kills_then(&self, moment: i64) -> Result<(KillsNow, Lifted), Refusal> {
        let now = self.publisher.kills().current();
        let there =
            |made: Option<&prost_types::Timestamp>| made.is_none_or(|made| clock::micros(made) <= moment);
        let kills = now.kills.iter().filter(|(_, kill)| there(kill.create_time.as_ref()));
        let kills: BTreeMap<_, _> = kills.map(|(id, kill)| (id.clone(), kill.clone())).collect();
        let store = self.publisher.store();
        let events = store.events_with(moment, OF_KILLS, EVENTS).await?;
        let (first, last) = store.span(moment.saturating_add(1), i64::MAX).await?;
        let is_full = i64::try_from(events.len()).unwrap_or(i64::MAX) >= EVENTS.1;
        let unsure = last.saturating_sub(first) >= EVENTS.0 || is_full;
        let (mut seen, mut lifted) = (BTreeSet::new(), Vec::new());
        for event in events {
            let event = AuditEvent::decode(event.body.as_slice()).map_err(|_| broken())?;
            for change in event.changes.into_iter().filter(|change| change.name.starts_with("kills/")) {
                // The first that is heard of it since says whether it was there.
                if seen.insert(change.name.clone()) && change.change == "deleted" {
                    lifted.push(change.name);
                }
            }
        }
        Ok((KillsNow { seq: now.seq, kills }, Lifted { names: lifted, unsure }))
    }
}

/// Kills that were there and are not any more.
struct Lifted {
    names: Vec<String>,
    /// There are more events since than were looked at.
    unsure: bool,
}

impl Lifted {
    fn told(&self, may_name: bool) -> Vec<String> {
        let mut told = Vec::new();
        let names = self.names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        match (self.names.len(), may_name) {
            (0, _) => {}
            (_, true) => told.push(format!(
                "kills that were there then and were lifted since are not applied, for what they hit is not kept: {names}"
            )),
            (count, false) => told.push(format!(
                "of the kills that were there then, {count} were lifted since and are not applied, for what they hit is not kept"
            )),
        }
        if self.unsure {
            told.push(format!(
                "kills that were lifted since are looked for in the newest {} events of the log, and there are more",
                EVENTS.0
            ));
        }
        told
    }
}

/// Whether a rollout was neither completed nor aborted at a moment.
fn was_on_its_way(rollout: &Rollout, point: &Point) -> bool {
    let (revision, moment) = (point.row.revision, point.moment());
    let ended = rollout.end_time.as_ref().map(clock::micros);
    match rollout.state.as_str() {
        "aborted" if rollout.rollback_revision > 0 => rollout.rollback_revision > revision,
        "completed" | "aborted" => ended.is_some_and(|ended| ended > moment),
        _ => true,
    }
}

fn of_policy(point: &Point, instant_given: bool) -> Vec<String> {
    let name = format!("revisions/{}", point.row.revision);
    let published = Instant(point.row.created_at);
    let mut told = vec![match point.instant {
        Some(instant) => {
            format!("the policy in force at {} is that of {name}, published at {published}", Instant(instant))
        }
        None => format!("the policy is that of {name}, published at {published}"),
    }];
    if point.instant.is_none() && !instant_given {
        told.push(format!("it is judged as at {published}, when that was published"));
    }
    told.push(
        "the node had taken it over by then: one that had no connection enforced an earlier one".to_owned(),
    );
    told.push(format!(
        "it is judged by policy-engine {}, whichever version nodes ran then",
        policy_engine::VERSION
    ));
    told
}

fn of_rollout(then: &Then) -> Option<String> {
    let rollout = then.rollout.as_ref()?;
    let (name, base, candidate) = (&rollout.name, rollout.base_revision, rollout.candidate_revision);
    let lines = format!(
        "{name} was on its way: the stable line was revisions/{base} with what was changed since beside it, the candidate revisions/{candidate}"
    );
    Some(match then.line {
        "stable" => format!("{lines}; this is the stable line, which nodes outside of its stages enforced"),
        _ => format!(
            "{lines}; this is the candidate, which nodes of the stages that had begun enforced: `stable` asks for the other"
        ),
    })
}

fn broken() -> Refusal {
    Refusal::new(ErrorCode::Internal, "what is stored can't be read")
}
