//! A draft against recorded decisions over the admin API: whoever may apply it and read the log of acts is told what it would turn.
//!
//! Law: a draft with faults is answered by those before any node is asked. Who may read the log of one tenant alone is told of that tenant,
//! and no numbers of others. It ends when the caller goes. Absent on purpose: reading records, which is done where they are.

use std::collections::BTreeSet;
use std::pin::Pin;

use futures_util::stream;
use policy_engine::simulate::{Against, Asked, Counts, Flips, Tally, Turn, Who};
use policy_engine::vocabulary::{Action, Geo, Id, Instant, Kind, Name};
use prost_types::Timestamp;
use proto::admin::{
    SimulateRequest, SimulateResponse, SimulatedCounts, SimulatedFlip, SimulatedGeo, Simulation,
};
use proto::code::ErrorCode;
use proto::name;
use proto::status::Refusal;
use tokio::sync::mpsc;
use tokio_stream::Stream;

use super::call::Call;
use super::{Admin, page};
use crate::manifest::{self, Declared};
use crate::simulate::{Question, Standing, Told, conduct, known};

/// The log whose readers may read decisions, as permissions name it.
const LOG: &str = "auditEvents";

/// Answers, one after the other.
pub(super) type Answers = Pin<Box<dyn Stream<Item = Result<SimulateResponse, Refusal>> + Send>>;

/// What whoever asked is told.
#[derive(Debug, Clone)]
struct Shown {
    /// AIP name of the revision that the draft was put on.
    base: String,
    /// Principals and models of each direction.
    size: usize,
    /// Whether numbers that count other tenants' records are told.
    all: bool,
}

impl Admin {
    /// What the draft would turn, bit by bit.
    pub(super) async fn simulated(&self, call: &Call, asked: SimulateRequest) -> Result<Answers, Refusal> {
        let (tenant, all) = self.whose(call, &asked.tenant)?;
        let size = page::size(asked.page_size)?;
        if asked.files.is_empty() {
            return Err(Refusal::field("files", "are missing: a draft is one file or more"));
        }
        if asked.deletes && !asked.prune_labels.is_empty() {
            return Err(Refusal::field("pruneLabels", "go with what is applied, not with what is deleted"));
        }
        let wanted = Asked {
            since: instant("since", asked.since.as_ref())?,
            until: instant("until", asked.until.as_ref())?,
            tenant,
            against: if asked.in_force { Against::InForce } else { Against::Recorded },
        };
        let geos = self.where_asked(call, &asked.geos)?;
        let head = self.publisher.current();
        let prune = asked.prune_labels.into_iter().collect();
        let declared =
            Declared { files: asked.files, prune, nodes_in: self.nodes.geos(), ..Declared::default() };
        let act = call.act(String::new());
        let draft = match asked.deletes {
            false => manifest::would(&self.publisher, &call.actor, act, declared).await?,
            true => manifest::would_without(&self.publisher, &call.actor, act, declared).await?,
        };
        let draft = match draft {
            Ok(draft) => draft,
            Err(faults) => {
                let told = SimulateResponse { faults, ..SimulateResponse::default() };
                return Ok(Box::pin(tokio_stream::once(Ok(told))));
            }
        };
        let base = format!("revisions/{}", head.head.revision);
        let mut questions = Vec::new();
        for geo in geos {
            let holdings = (self.made(&geo, head.clone()).await?, self.made(&geo, draft.clone()).await?);
            let known = known(self.publisher.store(), &geo, &wanted).await?;
            questions.push(Question::of(geo, (&holdings.0, &holdings.1), known));
        }
        let (tell, told) = mpsc::channel(4);
        tokio::spawn(conduct(self.nodes.reach().clone(), (questions, wanted), tell));
        let shown = Shown { base, size, all };
        Ok(Box::pin(shown.all(told)))
    }

    /// Whose requests are meant, and whether the caller may be told of everybody's.
    fn whose(&self, call: &Call, asked: &str) -> Result<(Option<Name>, bool), Refusal> {
        let current = self.publisher.current();
        let actor = &call.actor;
        let is_narrowed = actor.scope().is_some_and(|scope| !scope.tenants.is_empty());
        let all = !is_narrowed && current.permits_plural(actor, Action::Audit, LOG, None);
        let asked = match asked {
            "" => None,
            text => Some(Name::new(text).map_err(|error| Refusal::field("tenant", error.to_string()))?),
        };
        let is_there = |tenant: &Name| {
            let id = Id::platform(tenant.clone());
            match current.registry.get(Kind::Tenant, &id) {
                Some(_) => Ok(()),
                None => Err(Refusal::field("tenant", format!("there is no `tenants/{tenant}`"))),
            }
        };
        match asked {
            tenant if all => tenant.as_ref().map_or(Ok(()), is_there).map(|()| (tenant, true)),
            Some(tenant) => {
                current.demand_plural(actor, Action::Audit, LOG, Some(&tenant))?;
                Ok((Some(tenant), false))
            }
            None => {
                current.demand_plural(actor, Action::Audit, LOG, actor.own_tenant())?;
                Ok((actor.own_tenant().cloned(), false))
            }
        }
    }

    /// The geos whose nodes are asked.
    fn where_asked(&self, call: &Call, asked: &[String]) -> Result<BTreeSet<Geo>, Refusal> {
        if !asked.is_empty() {
            return asked.iter().map(|geo| self.with_nodes(call, ("geos", geo))).collect();
        }
        let mut geos = self.nodes.geos();
        geos.retain(|geo| call.actor.scope().is_none_or(|scope| scope.has_geo(geo.as_str())));
        match geos.is_empty() {
            false => Ok(geos),
            true => {
                let why = "no node is known, and so no decision";
                Err(Refusal::new(ErrorCode::FailedPrecondition, why))
            }
        }
    }
}

impl Shown {
    /// Everything that is told, up to the result; that there is none is told too.
    fn all(self, told: mpsc::Receiver<Told>) -> impl Stream<Item = Result<SimulateResponse, Refusal>> + Send {
        stream::unfold((told, Some(self)), |(mut told, shown)| async move {
            let shown = shown?;
            let Some(now) = told.recv().await else {
                let why = "the simulation ended without a result: ask again";
                return Some((Err(Refusal::new(ErrorCode::Internal, why)), (told, None)));
            };
            let is_last = now.result.is_some();
            Some((Ok(shown.response(now)), (told, Some(shown).filter(|_| !is_last))))
        })
    }

    fn response(&self, told: Told) -> SimulateResponse {
        let geos = told.geos.iter().map(|standing| self.geo(standing)).collect();
        let result = told.result.map(|tally| self.result(&tally));
        SimulateResponse { faults: Vec::new(), geos, result }
    }

    fn geo(&self, standing: &Standing) -> SimulatedGeo {
        let (records, expected_records) = if self.all { standing.records } else { (0, 0) };
        SimulatedGeo {
            geo: standing.geo.to_string(),
            state: standing.state.as_str().to_owned(),
            reason: self.reason(&standing.reason),
            records,
            expected_records,
            counts: Some(self.counts(&standing.counts)),
        }
    }

    /// Why a geo is not whole: what nodes say of themselves is for those alone who may be told of everybody.
    fn reason(&self, reason: &str) -> String {
        match reason.is_empty() || self.all {
            true => reason.to_owned(),
            false => "not everything that was asked for could be read there".to_owned(),
        }
    }

    fn counts(&self, counts: &Counts) -> SimulatedCounts {
        SimulatedCounts {
            decisions: number(counts.decisions()),
            same: number(counts.same),
            elsewhere: number(counts.elsewhere),
            allow_to_deny: number(counts.allow_to_deny),
            deny_to_allow: number(counts.deny_to_allow),
            undecided: if self.all { number(counts.undecided) } else { 0 },
            skipped: if self.all { number(counts.skipped) } else { 0 },
        }
    }

    fn result(&self, tally: &Tally) -> Simulation {
        let (mut flips, mut more) = (Vec::new(), tally.more);
        for turn in [Turn::AllowToDeny, Turn::DenyToAllow] {
            let turned = tally.turned(turn);
            more |= turned.len() > self.size;
            flips.extend(turned.into_iter().take(self.size).map(flip));
        }
        Simulation {
            base: self.base.clone(),
            counts: Some(self.counts(&tally.counts)),
            flips,
            more,
            already: number(tally.counts.already),
        }
    }
}

fn flip((who, flips): (&Who, &Flips)) -> SimulatedFlip {
    let turn = match who.turn {
        Turn::AllowToDeny => "allow_to_deny",
        Turn::DenyToAllow => "deny_to_allow",
    };
    SimulatedFlip {
        turn: turn.to_owned(),
        principal: format!("tenants/{}/principals/{}", who.tenant, who.principal),
        model: who.model.clone(),
        count: number(flips.count),
        already: number(flips.already),
        reasons: flips.reasons.iter().cloned().collect(),
        rules: flips.rules.iter().map(|rule| name::format(Kind::Rule, rule)).collect(),
        examples: flips.examples.clone(),
    }
}

fn instant(field: &str, time: Option<&Timestamp>) -> Result<Option<Instant>, Refusal> {
    let read = |time| proto::convert::instant(time).ok_or_else(|| Refusal::field(field, "is not an instant"));
    time.map(read).transpose()
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use tokio_stream::StreamExt as _;

    use super::*;

    fn shown(all: bool) -> Shown {
        Shown { base: "revisions/1".to_owned(), size: 1, all }
    }

    #[tokio::test]
    async fn an_end_without_a_result_is_told() {
        let (tell, told) = mpsc::channel(4);
        tell.send(Told { geos: Vec::new(), result: None }).await.unwrap();
        drop(tell);
        let all: Vec<_> = shown(true).all(told).collect().await;
        assert_eq!(
            (all.len(), all[0].is_ok(), all[1].as_ref().unwrap_err().code),
            (2, true, ErrorCode::Internal)
        );
        let (tell, told) = mpsc::channel(4);
        tell.send(Told { geos: Vec::new(), result: Some(Tally::naming(1)) }).await.unwrap();
        drop(tell);
        let all: Vec<_> = shown(true).all(told).collect().await;
        assert!(all.len() == 1 && all[0].as_ref().unwrap().result.is_some());
    }

    #[test]
    fn what_nodes_say_of_themselves_is_for_those_who_see_everybody() {
        let said = "node eu-1: `eu-1/b/1.jsonl`: line 3: expected value";
        assert_eq!(shown(true).reason(said), said);
        assert!(!shown(false).reason(said).contains("eu-1") && !shown(false).reason(said).is_empty());
        assert_eq!(shown(false).reason(""), "");
    }
}
