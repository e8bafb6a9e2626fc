//! What differs between two revisions: resource by resource, in pages.

use policy_engine::vocabulary::{Id, Kind};
use prost::Message as _;
use proto::admin::{DiffRevisionsRequest, DiffRevisionsResponse, ResourceDiff};
use proto::status::Refusal;

use super::{AUTHORS, Admin, BYTES, Call, Reader, authorship, difference, identity};
use crate::api::admin::page;
use crate::api::admin::revisions::filter;
use crate::history::{Point, meant};
use crate::store::{Place, Touched};

/// Resources that one call looks at, at most: those that are as they were, and those the caller may not read, are looked at too.
const MOST: i64 = 5_000;

/// What a page is of.
struct Asked {
    from: Point,
    to: Point,
    touched: Option<Touched>,
    actor: String,
    /// Where the page begins; `None`: with the first.
    beyond: Option<Place>,
    size: usize,
}

impl Asked {
    /// The revisions in between, whichever way they are compared: after the one and up to the other.
    fn between(&self) -> (i64, i64) {
        let (from, to) = (self.from.row.revision, self.to.row.revision);
        (from.min(to), from.max(to))
    }
}

/// A page, as far as it has come.
#[derive(Default)]
struct Found {
    changes: Vec<ResourceDiff>,
    bytes: usize,
    /// The last resource that was looked at.
    last: Option<Place>,
}

impl Admin {
    pub(super) async fn differences(
        &self,
        call: &Call,
        asked: &DiffRevisionsRequest,
    ) -> Result<DiffRevisionsResponse, Refusal> {
        let published = self.publisher.current();
        let reader = Reader { actor: &call.actor, published: &published };
        reader.demand()?;
        let (page, list) = self.asked(asked).await?;
        let places = self
            .publisher
            .store()
            .touched(page.between(), page.touched.as_ref(), (page.beyond.as_ref(), MOST))
            .await?;
        let looked_at_most = i64::try_from(places.len()).unwrap_or(i64::MAX) >= MOST;
        let (mut found, mut is_full) = (Found::default(), false);
        for place in places {
            if found.changes.len() >= page.size || found.bytes >= BYTES {
                is_full = true;
                break;
            }
            self.look(&reader, &page, (&mut found, place)).await?;
        }
        let last = found.last.filter(|_| is_full || looked_at_most);
        let sealer = self.publisher.vault().sealer();
        let next = last.map(|last| {
            let (from, to) = (page.from.row.revision, page.to.row.revision);
            page::token(sealer, &list, &format!("{from} {to} {} {} {}", last.kind, last.tenant, last.name))
        });
        Ok(DiffRevisionsResponse {
            from: Some(page.from.told()),
            to: Some(page.to.told()),
            changes: found.changes,
            next_page_token: next.unwrap_or_default(),
        })
    }

    /// Reads what is asked; of a page after the first the revisions are those of the first.
    async fn asked(&self, asked: &DiffRevisionsRequest) -> Result<(Asked, String), Refusal> {
        let (store, sealer) = (self.publisher.store(), self.publisher.vault().sealer());
        let to = if asked.to.is_empty() { "head" } else { &asked.to };
        let touched = filter::touched(asked.resource.trim_end_matches('/'))?;
        let size = page::size(asked.page_size)?;
        let list = format!("diff?{:?}", (&asked.from, to, &asked.resource, &asked.actor));
        let place = page::place(sealer, &list, &asked.page_token)?;
        let place = place.as_deref().and_then(read_place);
        let (from, to) = match &place {
            Some((from, to, _)) => (from.to_string(), to.to_string()),
            None => (asked.from.clone(), to.to_owned()),
        };
        let (from, to) = (meant(store, ("from", &from)).await?, meant(store, ("to", &to)).await?);
        let actor = filter::actor(&asked.actor)?;
        let beyond = place.map(|(_, _, place)| place);
        Ok((Asked { from, to, touched, actor, beyond, size }, list))
    }

    /// Looks at one resource, and tells of it where it differs and may be read.
    async fn look(
        &self,
        reader: &Reader<'_>,
        page: &Asked,
        (found, place): (&mut Found, Place),
    ) -> Result<(), Refusal> {
        let readable = identity(&place).filter(|(kind, id)| reader.may_read(*kind, id));
        if let Some((kind, id)) = readable
            && let Some(diff) = self.difference(page, (kind, &id), &place).await?
        {
            found.bytes = found.bytes.saturating_add(diff.encoded_len());
            found.changes.push(diff);
        }
        found.last = Some(place);
        Ok(())
    }

    async fn difference(
        &self,
        page: &Asked,
        (kind, id): (Kind, &Id),
        place: &Place,
    ) -> Result<Option<ResourceDiff>, Refusal> {
        let store = self.publisher.store();
        let before = store.version_at(place, page.from.row.revision).await?;
        let after = store.version_at(place, page.to.row.revision).await?;
        let (before, after) =
            (before.as_ref().map(|v| v.bytes.as_ref()), after.as_ref().map(|v| v.bytes.as_ref()));
        let Some(mut diff) = difference((kind, id), (before, after))? else { return Ok(None) };
        let most = if page.actor.is_empty() { AUTHORS.saturating_add(1) } else { 1_000 };
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let touches = store.touches(place, page.between(), most).await?;
        let by = |who: &str| who == page.actor || who.ends_with(&format!("/{}", page.actor));
        if !page.actor.is_empty() && !touches.iter().any(|t| by(&t.row.actor) || by(&t.row.proposer)) {
            return Ok(None);
        }
        diff.more_authors = touches.len() > AUTHORS;
        diff.authors = touches.iter().take(AUTHORS).map(authorship).collect();
        Ok(Some(diff))
    }
}

/// The revisions and the resource that a page token stands for.
fn read_place(text: &str) -> Option<(i64, i64, Place)> {
    let mut words = text.splitn(5, ' ');
    let (from, to) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let (kind, tenant) = (words.next()?.to_owned(), words.next()?.to_owned());
    Some((from, to, Place { kind, tenant, name: words.next()?.to_owned() }))
}
