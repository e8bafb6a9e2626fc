//! Chunks back into a snapshot, within a budget.
//!
//! Law: what was announced bounds what is accepted, and the announcement itself is bounded: a sender can't make the node
//! keep more than it said, nor say more than the node takes.

use aws_lc_rs::digest::{SHA256, digest};
use bytes::{Bytes, BytesMut};
use proto::manifest::MAX_BYTES;
use proto::sync::{Chunk, NackCode, SnapshotBegin, SnapshotEnd};

use super::verify::{Offer, Refusal};

/// The most bytes of one chunk.
const MAX_CHUNK: usize = 1 << 20;

/// A snapshot while its chunks arrive.
#[derive(Debug)]
pub(super) struct Assembly {
    /// Names the sending.
    pub(super) nonce: u64,
    /// What is offered, its contents not yet among it.
    offer: Offer,
    announced: u64,
    chunks: u32,
    seen: u32,
    contents: BytesMut,
}

impl Assembly {
    /// A snapshot begins.
    pub(super) fn begin(begin: SnapshotBegin) -> Result<Self, Refusal> {
        if begin.total_bytes > MAX_BYTES {
            let detail = format!("{} bytes are more than {MAX_BYTES}", begin.total_bytes);
            return Err(Refusal::of(NackCode::LimitExceeded, detail));
        }
        Ok(Self {
            nonce: begin.nonce,
            offer: Offer {
                envelope: begin.envelope,
                signature: begin.signature.into(),
                signer: begin.signer_certificate,
                base: begin.base_digest.into(),
                contents: Bytes::new(),
            },
            announced: begin.total_bytes,
            chunks: begin.chunk_count,
            seen: 0,
            contents: BytesMut::new(),
        })
    }

    /// The next chunk.
    pub(super) fn add(&mut self, chunk: &Chunk) -> Result<(), Refusal> {
        let after = (self.contents.len() + chunk.data.len()) as u64;
        if chunk.index != self.seen || self.seen >= self.chunks {
            let detail = format!("chunk {} came where {} of {} was due", chunk.index, self.seen, self.chunks);
            return Err(Refusal::of(NackCode::ResourceMissing, detail));
        }
        if after > self.announced || chunk.data.len() > MAX_CHUNK {
            return Err(Refusal::of(NackCode::LimitExceeded, "the chunks are longer than announced"));
        }
        self.seen += 1;
        self.contents.extend_from_slice(&chunk.data);
        Ok(())
    }

    /// The contents, if they are all there.
    pub(super) fn end(&self, end: &SnapshotEnd) -> Result<(), Refusal> {
        if self.seen != self.chunks || self.contents.len() as u64 != self.announced {
            let detail = format!("{} of {} chunks came", self.seen, self.chunks);
            return Err(Refusal::of(NackCode::ResourceMissing, detail));
        }
        match digest(&SHA256, &self.contents).as_ref() == &end.sha256[..] {
            true => Ok(()),
            false => {
                Err(Refusal::of(NackCode::DigestMismatch, "the chunks' digest is not the announced one"))
            }
        }
    }

    /// What was offered.
    pub(super) fn into_offer(self) -> Offer {
        Offer { contents: self.contents.freeze(), ..self.offer }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(total_bytes: u64, chunk_count: u32) -> Assembly {
        let begin = SnapshotBegin { nonce: 1, total_bytes, chunk_count, ..SnapshotBegin::default() };
        Assembly::begin(begin).unwrap()
    }

    fn chunk(index: u32, data: &'static [u8]) -> Chunk {
        Chunk { index, data: Bytes::from_static(data) }
    }

    #[test]
    fn case_09_lost_reordered_and_repeated_chunks_are_refused() {
        let end = SnapshotEnd { sha256: digest(&SHA256, b"abcd").as_ref().to_vec() };
        let mut whole = begin(4, 2);
        whole.add(&chunk(0, b"ab")).unwrap();
        assert_eq!(whole.end(&end).unwrap_err().code, NackCode::ResourceMissing);
        assert_eq!(whole.add(&chunk(0, b"ab")).unwrap_err().code, NackCode::ResourceMissing);
        whole.add(&chunk(1, b"cd")).unwrap();
        whole.end(&end).unwrap();
        assert_eq!(whole.add(&chunk(2, b"")).unwrap_err().code, NackCode::ResourceMissing);
        let mut swapped = begin(4, 2);
        assert!(swapped.add(&chunk(1, b"cd")).is_err());
        let mut long = begin(1, 1);
        assert_eq!(long.add(&chunk(0, b"ab")).unwrap_err().code, NackCode::LimitExceeded);
        let mut changed = begin(4, 1);
        changed.add(&chunk(0, b"abcx")).unwrap();
        assert_eq!(changed.end(&end).unwrap_err().code, NackCode::DigestMismatch);
    }

    #[test]
    fn an_announcement_beyond_the_budget_is_refused_before_a_byte_is_kept() {
        let huge =
            SnapshotBegin { nonce: 1, total_bytes: u64::MAX, chunk_count: 1, ..SnapshotBegin::default() };
        assert_eq!(Assembly::begin(huge).unwrap_err().code, NackCode::LimitExceeded);
    }
}
