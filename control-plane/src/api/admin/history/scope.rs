//! What nodes of a geo hold of a revision, or would hold of a draft: resource by resource, in pages.
//!
//! Law: what is read is what is hashed and sent, so that a digest that a node signed proves it. Absent on purpose: deciding anything;
//! whoever reads it does, where the records of decisions are.

use std::collections::VecDeque;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use parking_lot::Mutex;
use policy_engine::vocabulary::{Action, Geo};
use proto::admin::{Fault, ReadScopeRequest, ReadScopeResponse, RevisionPoint, ScopeResource};
use proto::manifest::Holding;
use proto::status::Refusal;
use proto::sync::SnapshotContents;

use super::{Admin, BYTES, Call, REVISIONS};
use crate::api::admin::page;
use crate::api::sync::held;
use crate::error::ChangeError;
use crate::history::{Point, meant};
use crate::manifest::{self, Declared};
use crate::nearest::suggestion;
use crate::publish::Published;
use crate::registry::hex;

/// Holdings that are kept, at most: pages of one are asked for one after another, and of the next revision what differs.
const MOST: usize = 4;

/// The holdings that were read last, by geo, revision and line. Clones share it.
#[derive(Debug, Clone, Default)]
pub(in crate::api::admin) struct Holdings(Arc<Mutex<Kept>>);

type Kept = VecDeque<(Key, Arc<Holding>)>;

type Key = (Geo, i64, &'static str);

impl Holdings {
    fn get(&self, key: &Key) -> Option<Arc<Holding>> {
        let mut kept = self.0.lock();
        let at = kept.iter().position(|(known, _)| known == key)?;
        let found = kept.remove(at)?;
        kept.push_front(found.clone());
        Some(found.1)
    }

    fn keep(&self, key: Key, holding: Arc<Holding>) {
        let mut kept = self.0.lock();
        kept.push_front((key, holding));
        kept.truncate(MOST);
    }
}

/// What a page is of.
struct Asked {
    point: Point,
    since: Option<Point>,
    /// Resources that were told on the pages before.
    told: usize,
    size: usize,
    list: String,
}

impl Admin {
    pub(super) async fn scope_read(
        &self,
        call: &Call,
        asked: ReadScopeRequest,
    ) -> Result<ReadScopeResponse, Refusal> {
        self.publisher.current().demand_plural(&call.actor, Action::Audit, REVISIONS, None)?;
        let geo = self.with_nodes(call, ("geo", &asked.geo))?;
        let page = self.asked_of_scope(&asked).await?;
        let before = match &page.since {
            Some(since) => Some(self.holding(&geo, since, &asked.since_digest).await?),
            None => None,
        };
        let holding = match asked.draft.is_empty() {
            true => self.holding(&geo, &page.point, &asked.digest).await?,
            false => match self.drafted(call, &geo, &page, asked).await? {
                Ok(holding) => holding,
                Err(faults) => return Ok(ReadScopeResponse { faults, ..ReadScopeResponse::default() }),
            },
        };
        let contents = match before {
            Some(before) => holding.changes_of(&before),
            None => holding.contents(),
        };
        Ok(self.scope_told(&page, &holding, contents))
    }

    /// A geo that nodes are known in, of those that the caller may look at: what is held is made for nodes.
    pub(in crate::api::admin) fn with_nodes(
        &self,
        call: &Call,
        (field, geo): (&str, &str),
    ) -> Result<Geo, Refusal> {
        let mut known = self.nodes.geos();
        known.retain(|geo| call.actor.scope().is_none_or(|scope| scope.has_geo(geo.as_str())));
        let refused = |line: String| Refusal::field(field, line);
        let read: Geo = geo.parse().map_err(|error: policy_engine::vocabulary::NameError| match geo {
            "" => refused("is missing: a geo that nodes are known in".to_owned()),
            _ => refused(error.to_string()),
        })?;
        match known.contains(&read) {
            true => Ok(read),
            false => {
                let hint = suggestion(read.as_str(), known.iter().map(Geo::as_str));
                Err(refused(format!("no node is known in `{read}`: {hint}")))
            }
        }
    }

    /// Reads what is asked; of a page after the first the revisions are those of the first.
    async fn asked_of_scope(&self, asked: &ReadScopeRequest) -> Result<Asked, Refusal> {
        let (store, sealer) = (self.publisher.store(), self.publisher.vault().sealer());
        let size = page::size(asked.page_size)?;
        let revision = if asked.revision.is_empty() { "head" } else { &asked.revision };
        let draft: Vec<_> = asked.draft.iter().map(|file| digest(&SHA256, file.text.as_bytes())).collect();
        let same = (revision, &asked.geo, &asked.digest, &asked.since, &asked.since_digest, draft);
        let list = format!("scope?{same:?}");
        let place = page::place(sealer, &list, &asked.page_token)?;
        let place = place.as_deref().and_then(read_place);
        let point = match &place {
            Some((revision, ..)) => meant(store, ("revision", &revision.to_string())).await?,
            None => meant(store, ("revision", revision)).await?,
        };
        let since = match &place {
            Some((_, since, _)) => since.map(|since| since.to_string()),
            None => (!asked.since.is_empty()).then(|| asked.since.clone()),
        };
        let since = match since {
            Some(since) => Some(meant(store, ("since", &since)).await?),
            None => None,
        };
        Ok(Asked { point, since, told: place.map_or(0, |(.., told)| told), size, list })
    }

    /// What nodes of a geo held of a revision, by the line whose digest begins so.
    async fn holding(&self, geo: &Geo, point: &Point, digest: &str) -> Result<Arc<Holding>, Refusal> {
        let candidate = self.holding_of(geo, point, false).await?;
        if digest.is_empty() || hex(&candidate.root()).starts_with(digest) {
            return Ok(candidate);
        }
        let stable = self.holding_of(geo, point, true).await?;
        let is_it = hex(&stable.root()).starts_with(digest);
        Ok(if is_it { stable } else { candidate })
    }

    async fn holding_of(&self, geo: &Geo, point: &Point, stable: bool) -> Result<Arc<Holding>, Refusal> {
        let then = self.then(point, stable).await?;
        let key = (geo.clone(), point.row.revision, then.line);
        // A rollout that is on its way may end, and its lines with it: only what is over is kept.
        let is_over = then.line.is_empty();
        if let Some(kept) = self.holdings.get(&key).filter(|_| is_over) {
            return Ok(kept);
        }
        let holding = self.made(geo, then.published).await?;
        if is_over {
            self.holdings.keep(key, holding.clone());
        }
        Ok(holding)
    }

    /// What nodes of a geo hold of what is published.
    pub(in crate::api::admin) async fn made(
        &self,
        geo: &Geo,
        published: Arc<Published>,
    ) -> Result<Arc<Holding>, Refusal> {
        let holding = held(&self.publisher, geo, published).await.map_err(|error| {
            tracing::error!(%geo, error = format!("{error:#}"), "what nodes held can't be made again");
            Refusal::from(ChangeError::Broken)
        })?;
        Ok(Arc::new(holding))
    }

    /// What nodes of a geo would hold of a draft.
    async fn drafted(
        &self,
        call: &Call,
        geo: &Geo,
        page: &Asked,
        asked: ReadScopeRequest,
    ) -> Result<Result<Arc<Holding>, Vec<Fault>>, Refusal> {
        let head = self.publisher.current().head.revision;
        if page.point.row.revision != head {
            let line = match asked.page_token.is_empty() {
                true => "is beside a draft: a draft is of head, leave it out".to_owned(),
                false => format!("was changed meanwhile, to revisions/{head}: begin again"),
            };
            return Err(Refusal::field("revision", line));
        }
        let act = call.act(String::new());
        let drafted = Declared { files: asked.draft, nodes_in: self.nodes.geos(), ..Declared::default() };
        Ok(match manifest::would(&self.publisher, &call.actor, act, drafted).await? {
            Ok(published) => Ok(self.made(geo, published).await?),
            Err(faults) => Err(faults),
        })
    }

    /// A page of what is held, or differs.
    fn scope_told(&self, page: &Asked, holding: &Holding, contents: SnapshotContents) -> ReadScopeResponse {
        let SnapshotContents { resources, removed } = contents;
        let (total, mut bytes) = (resources.len() + removed.len(), 0_usize);
        let mut answer = ReadScopeResponse {
            revision: Some(RevisionPoint { instant: None, ..page.point.told() }),
            digest: hex(&holding.root()),
            ..ReadScopeResponse::default()
        };
        let held = resources.into_iter().map(|r| (false, r.kind, r.name, r.body));
        let gone = removed.into_iter().map(|r| (true, r.kind, r.name, Default::default()));
        let mut told = page.told;
        for (is_gone, kind, name, body) in held.chain(gone).skip(page.told) {
            if told - page.told >= page.size || bytes >= BYTES {
                break;
            }
            told += 1;
            bytes += body.len() + kind.len() + name.len();
            let resource = ScopeResource { kind, name, body: body.to_vec() };
            if is_gone { answer.removed.push(resource) } else { answer.resources.push(resource) }
        }
        if told < total {
            let since = page.since.as_ref().map_or(0, |since| since.row.revision);
            let place = format!("{} {since} {told}", page.point.row.revision);
            answer.next_page_token = page::token(self.publisher.vault().sealer(), &page.list, &place);
        }
        answer
    }
}

fn read_place(place: &str) -> Option<(i64, Option<i64>, usize)> {
    let mut parts = place.split(' ');
    let revision = parts.next()?.parse().ok()?;
    let since: i64 = parts.next()?.parse().ok()?;
    Some((revision, (since > 0).then_some(since), parts.next()?.parse().ok()?))
}
