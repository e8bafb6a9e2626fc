//! One line: its number, its process, and what chains it to the line before.
//!
//! Law: a line begins and ends in one form, so that it is read without reading what it says between. Writing one allocates nothing
//! where its buffer has room.

use aws_lc_rs::digest::{Context, SHA256};

use super::{Digest, unhex};

/// What stands before the hash of a line.
const LINK: &[u8] = b",\"chain\":\"";

/// What stands after it, with the line feed.
const END: &[u8] = b"\"}\n";

/// Hexadecimal digits of a hash.
const DIGITS: usize = 64;

/// The hash of the line before, which the next one is chained to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chain(Digest);

/// A line that reads as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbered<'l> {
    /// Its number.
    pub seq: u64,
    /// The process that wrote it.
    pub boot_id: &'l str,
    /// What is chained.
    pub body: &'l [u8],
    /// Its hash, as it says.
    pub chain: Digest,
}

impl Chain {
    /// The chain of a segment that follows a manifest with this hash.
    pub fn after(manifest: Digest) -> Self {
        Self(manifest)
    }

    /// The hash of the last line; before the first: of the manifest before.
    pub fn digest(&self) -> Digest {
        self.0
    }

    /// Ends a line that was written from `start` on, without its closing brace: appends its hash, the brace and the line feed.
    pub fn end(&mut self, start: usize, out: &mut Vec<u8>) {
        self.follow(out.get(start..).unwrap_or_default());
        out.extend_from_slice(LINK);
        spell(&self.0, out);
        out.extend_from_slice(END);
    }

    /// Goes on over a line that was read, whatever it says of itself; whether it says the same.
    pub fn takes(&mut self, line: &Numbered<'_>) -> bool {
        self.follow(line.body);
        // What comes next was chained to what the line says: so a change is found where it is, and not in every line after it.
        let same = self.0 == line.chain;
        self.0 = line.chain;
        same
    }

    fn follow(&mut self, body: &[u8]) {
        let mut context = Context::new(&SHA256);
        context.update(&self.0);
        context.update(body);
        self.0 = context.finish().as_ref().try_into().unwrap_or_default();
    }
}

/// Reads a line, with its line feed; `None` where it is not of the form.
pub fn numbered(line: &[u8]) -> Option<Numbered<'_>> {
    let rest = line.strip_suffix(END)?;
    let (rest, chain) = rest.split_at_checked(rest.len().checked_sub(DIGITS)?)?;
    let body = rest.strip_suffix(LINK)?;
    let rest = body.strip_prefix(b"{\"seq\":")?;
    let digits = rest.iter().position(|byte| !byte.is_ascii_digit())?;
    let (digits, rest) = rest.split_at_checked(digits)?;
    let seq = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let rest = rest.strip_prefix(b",\"bootId\":\"")?;
    let (boot_id, _) = rest.split_at_checked(rest.iter().position(|byte| *byte == b'"')?)?;
    Some(Numbered { seq, boot_id: std::str::from_utf8(boot_id).ok()?, body, chain: unhex(chain)? })
}

/// Writes a digest in lower-case hexadecimal digits.
pub(super) fn spell(digest: &Digest, out: &mut Vec<u8>) {
    let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
    out.extend(digest.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]));
}
