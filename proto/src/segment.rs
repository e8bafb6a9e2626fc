//! Segments of the decision log: what a node wrote down of requests, in files whose lines are chained and whose ends are signed.
//!
//! A segment is a file of lines, one record each, and a manifest. A line is `{"seq":N,"bootId":"B",…,"chain":"H"}`: its number within
//! the process that wrote it, that process, and `H = SHA-256(H of the line before ‖ the line up to ,"chain":)`, the first following
//! the hash of the manifest before. So a line that was changed is told from those around it, and a segment that is missing leaves its
//! successor without what it follows.
//!
//! Law: what was signed are the bytes that are kept. Nothing here reads a clock or a file: whoever checks hands over what there is.
//! Absent on purpose: where segments are kept and who moves them, and what a record says beside what was decided.

mod check;
mod line;
mod manifest;
mod record;
mod trail;

pub use check::{Checked, check};
pub use line::{Chain, Numbered, numbered};
pub use manifest::{Authorities, DOMAIN, Ended, Manifest, Signature, Signed};
pub use record::{Decided, Unreadable, decided, each_record};
pub use trail::{Anchor, Found, Gap, Trail, Walked};

/// SHA-256.
pub type Digest = [u8; 32];

/// What the first segment of a node follows.
pub const NOTHING: Digest = [0; 32];

/// What is wrong with a segment, as far as it can be told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// It was changed, or is none.
    Invalid,
    /// Its end is missing.
    Truncated,
    /// It is not signed by whom it names.
    Signature,
    /// Whoever signed it is vouched for by none of the authorities.
    Unknown,
}

/// What is wrong with a segment, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Fault {
    /// What it is.
    pub kind: Kind,
    /// The line, from 1; `None`: not one line.
    pub line: Option<u64>,
    /// In words.
    pub why: String,
}

impl Fault {
    fn new(kind: Kind, why: impl Into<String>) -> Self {
        Self { kind, line: None, why: why.into() }
    }

    fn at(line: u64, why: impl Into<String>) -> Self {
        Self { kind: Kind::Invalid, line: Some(line), why: why.into() }
    }
}

/// A digest in lower-case hexadecimal digits.
pub fn hex(digest: &Digest) -> String {
    let mut text = Vec::with_capacity(64);
    line::spell(digest, &mut text);
    String::from_utf8(text).unwrap_or_default()
}

/// The digest of 64 lower-case hexadecimal digits.
pub fn unhex(text: &[u8]) -> Option<Digest> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_chunks::<2>();
    let mut digest = [0; 32];
    if !rest.is_empty() || pairs.len() != digest.len() {
        return None;
    }
    for (byte, [high, low]) in digest.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests;
