//! What closes a segment: its manifest, signed by the node's own key.
//!
//! Law: key and certificate are read anew for each signature, so that what is renewed signs at once; where they can't be read
//! nothing is sealed, and lines wait unsealed.

use std::fmt;

use policy_engine::vocabulary::Instant;
use proto::segment::{Digest, Ended, Manifest, Signature, Signed};

use super::tally::Tally;

/// Signs bytes.
type Sign = Box<dyn Fn(&[u8]) -> anyhow::Result<Signature> + Send>;

/// Who seals segments.
pub(crate) struct Seal {
    geo: String,
    node: String,
    sign: Sign,
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seal({}/{})", self.geo, self.node)
    }
}

/// What a segment is, beside its lines.
#[derive(Debug, Clone, Copy)]
pub(super) struct Closed<'s> {
    /// The process that wrote it.
    pub(super) boot_id: &'s str,
    /// The last number that was given.
    pub(super) last_seq: u64,
    /// The hash of the manifest before.
    pub(super) previous: Digest,
    /// How it ended.
    pub(super) ended: Ended,
    /// Bytes that were cut off.
    pub(super) torn: u64,
}

impl Seal {
    /// A node's seal, from its SPIFFE id.
    pub(crate) fn of(
        spiffe_id: &str,
        sign: impl Fn(&[u8]) -> anyhow::Result<Signature> + Send + 'static,
    ) -> Self {
        let place = spiffe_id.rsplit_once("/geo/").and_then(|(_, place)| place.split_once("/node/"));
        let (geo, node) = place.unwrap_or_default();
        Self { geo: geo.to_owned(), node: node.to_owned(), sign: Box::new(sign) }
    }

    /// Seals what was tallied, now; gives the manifest's hash and its text.
    pub(super) fn seal(&self, tally: &Tally, closed: Closed<'_>) -> anyhow::Result<(Digest, Vec<u8>)> {
        let Closed { boot_id, last_seq, previous, ended, torn } = closed;
        let now = Instant(jiff::Timestamp::now().as_microsecond());
        let lines = tally.spans();
        let (first_seq, revisions, times) = lines.unwrap_or((last_seq.saturating_add(1), (0, 0), (now, now)));
        let manifest = Manifest {
            format: proto::segment::DOMAIN.to_owned(),
            node: self.node.clone(),
            geo: self.geo.clone(),
            boot_id: boot_id.to_owned(),
            first_seq,
            last_seq,
            count: tally.count(),
            sha256: tally.sha256(),
            chain: tally.chain().digest(),
            previous,
            first_revision: revisions.0,
            last_revision: revisions.1,
            from: times.0,
            until: times.1,
            sealed: now,
            ended,
            torn,
        };
        let line = manifest.line();
        let signature = (self.sign)(&Signed::message(&line))?;
        Ok((Signed::hash_of(&line), Signed::text(&line, &signature)))
    }
}
