//! What a sticky route keeps together.
//!
//! Law: it chooses between endpoints that are permitted and proves nothing; it is never written down. Deliberately absent: choosing.
//!
//! | by | what counts, the first that is there |
//! |---|---|
//! | session | the header `x-chancery-session`, the fields `prompt_cache_key`, `safety_identifier`, `user`, the key |
//! | key | the key |
//! | prefix | the beginnings of the first two texts: of the system prompt and of the first message, as long as a conversation goes on |

use policy_engine::vocabulary::StickyBy;

use super::super::entitle::Entitled;
use crate::tape::Tape;

/// The fields of a body that say whose it is, the finest first.
const FIELDS: [&str; 3] = ["prompt_cache_key", "safety_identifier", "user"];

/// The texts that a prefix is of, and how much of each, in bytes.
const PREFIX: (usize, usize) = (2, 1024);

/// A number that is the same for what belongs together.
pub(super) fn of(asked: &Entitled<'_>, by: StickyBy) -> u64 {
    let key = || hash(BASIS, asked.question.key.as_bytes());
    match by {
        StickyBy::Key => key(),
        StickyBy::Session => named(asked).unwrap_or_else(key),
        StickyBy::Prefix => {
            let texts = asked.question.outline.texts.iter().take(PREFIX.0);
            let beginnings = texts.filter_map(|at| asked.body.get(at.clone()));
            beginnings.fold(BASIS, |h, text| hash(h, text.get(..PREFIX.1).unwrap_or(text)))
        }
    }
}

fn named(asked: &Entitled<'_>) -> Option<u64> {
    if let Some(session) = &asked.question.arrival.session {
        return Some(hash(BASIS, session.as_bytes()));
    }
    let mut tape = Tape::for_text(asked.body.len());
    tape.read(&asked.body).ok()?;
    let root = tape.root(&asked.body)?;
    let name =
        FIELDS.iter().find_map(|field| Some(root.get(field)?.text()).filter(|text| !text.is_empty()))?;
    Some(hash(BASIS, name.as_bytes()))
}

/// Where a hash begins.
pub(super) const BASIS: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a, going on from a hash.
pub(super) fn hash(from: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(from, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// The same, finished so that near inputs lie far apart.
pub(super) fn mix(h: u64) -> u64 {
    let h = (h ^ (h >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let h = (h ^ (h >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    h ^ (h >> 33)
}
