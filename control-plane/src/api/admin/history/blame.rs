//! Who set each field of a resource, over deletions and new beginnings.

use std::collections::BTreeMap;

use proto::admin::{Authorship, BlameRequest, BlameResponse, FieldBlame};
use proto::name;
use proto::status::Refusal;

use super::{AUTHORS, Admin, Call, Reader, authorship, place, unreadable};
use crate::actor::{absent, missing};
use crate::history::{blamed, meant, tree};
use crate::store::{Place, Touch, Version};

/// Versions that are looked at; what is as old as the first of them may be older.
const VERSIONS: i64 = 500;

/// Fields that are told.
const FIELDS: usize = 2_000;

/// Revisions of a resource that are looked at for its beginnings and ends.
const TOUCHES: i64 = 2_000;

impl Admin {
    pub(super) async fn blamed(&self, call: &Call, asked: &BlameRequest) -> Result<BlameResponse, Refusal> {
        let published = self.publisher.current();
        let reader = Reader { actor: &call.actor, published: &published };
        reader.demand()?;
        let found = name::parse(&asked.resource).map_err(|e| Refusal::field("resource", e.to_string()))?;
        if !reader.may_read(found.kind, &found.id) {
            return Err(absent());
        }
        let store = self.publisher.store();
        let revision = if asked.revision.is_empty() { "head" } else { &asked.revision };
        let point = meant(store, ("revision", revision)).await?;
        let at = point.row.revision;
        let place = place(found.kind, &found.id);
        let versions = store.versions_before(&place, (at, VERSIONS.saturating_add(1))).await?;
        let newest = versions.first().ok_or_else(|| missing(&asked.resource))?;
        let is_over = newest.until.is_some_and(|until| until <= at);
        let touches = store.touches(&place, (0, at), TOUCHES).await?;
        let (life, is_cut) = life(&versions);
        let read = |version: &Version| Some((version.since, tree(found.kind, &version.bytes)?));
        let trees: Option<Vec<_>> = life.iter().rev().map(|version| read(version)).collect();
        let fields = blamed(&trees.ok_or_else(unreadable)?);
        let authors = self.authors(&place, fields.iter().map(|field| field.revision), &touches).await?;
        let oldest = life.last().map(|version| version.since).filter(|_| is_cut);
        let told = fields.iter().take(FIELDS).map(|field| FieldBlame {
            path: field.path.clone(),
            value: field.value.to_string(),
            author: authors.get(&field.revision).cloned(),
            or_earlier: oldest == Some(field.revision),
        });
        let lives = touches.iter().filter(|touch| !(touch.had && touch.has));
        Ok(BlameResponse {
            kind: found.kind.to_string(),
            name: name::format(found.kind, &found.id),
            as_of: Some(point.told()),
            state: if is_over { "deleted" } else { "in_force" }.to_owned(),
            fields: told.collect(),
            more_fields: fields.len() > FIELDS,
            lives: lives.take(AUTHORS).map(authorship).collect(),
        })
    }

    /// The author of each of these revisions.
    async fn authors(
        &self,
        place: &Place,
        wanted: impl Iterator<Item = i64>,
        known: &[Touch],
    ) -> Result<BTreeMap<i64, Authorship>, Refusal> {
        let mut authors: BTreeMap<i64, Authorship> =
            known.iter().map(|touch| (touch.row.revision, authorship(touch))).collect();
        for revision in wanted {
            if authors.contains_key(&revision) {
                continue;
            }
            let before = revision.saturating_sub(1);
            let found = self.publisher.store().touches(place, (before, revision), 1).await?;
            authors.extend(found.iter().map(|touch| (revision, authorship(touch))));
        }
        Ok(authors)
    }
}

/// The versions of a resource since it was made last, newest first, and whether there are more than are looked at.
fn life(versions: &[Version]) -> (Vec<&Version>, bool) {
    let most = usize::try_from(VERSIONS).unwrap_or(usize::MAX);
    let mut life: Vec<&Version> = Vec::new();
    for version in versions {
        if life.last().is_some_and(|next| version.until != Some(next.since)) {
            return (life, false);
        }
        if life.len() >= most {
            return (life, true);
        }
        life.push(version);
    }
    (life, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(since: i64, until: Option<i64>) -> Version {
        Version { since, until, digest: [0; 32], bytes: bytes::Bytes::new() }
    }

    #[test]
    fn a_life_begins_where_there_was_none_and_is_cut_where_it_is_too_long() {
        let versions = [version(9, None), version(7, Some(9)), version(2, Some(5)), version(1, Some(2))];
        let (found, is_cut) = life(&versions);
        assert_eq!((found.iter().map(|v| v.since).collect::<Vec<_>>(), is_cut), (vec![9, 7], false));
        let many: Vec<Version> = (0..=VERSIONS).rev().map(|n| version(n, Some(n + 1))).collect();
        let (found, is_cut) = life(&many);
        assert_eq!((found.len() as i64, is_cut), (VERSIONS, true));
        assert!(life(&many[1..]).0.len() as i64 == VERSIONS && !life(&many[1..]).1);
    }
}
