//! Proofs of thoughts, and whose they are.
//!
//! Law: a vendor refuses a proof that is not its own, so whose one is shows: Gemini's own stand in the form between under [`OWN`]; those of
//! others are never written for Gemini. A caller of this dialect is given those of others under a mark, and what comes back under the mark
//! is theirs again; the marks are base64 of whole groups, so that what is marked is base64 still, as SDKs demand.
//!
//! A signature on something else than a thought stands in the form between as a thought without words before it.

/// What Gemini's own signatures begin with in the form between.
pub(crate) const OWN: &str = "google:";

/// `chancery:` in base64: the mark of another vendor's signature.
const BORROWED: &str = "Y2hhbmNlcnk6";

/// `redacted:` in base64: the mark of another vendor's thoughts that it alone can read.
const REDACTED: &str = "cmVkYWN0ZWQ6";

/// What the vendor takes, as it has published, for a call that was made by another model.
pub(super) const FOREIGN_CALL: &str = "skip_thought_signature_validator";

/// Who sent what is read, or is to read what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Peer {
    /// Gemini.
    Vendor,
    /// Who speaks the dialect to us.
    Caller,
}

/// What a signature on the wire is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Proof {
    /// A proof of thoughts, as the form between has it.
    Signature(String),
    /// Another vendor's thoughts.
    Redacted(String),
}

/// Reads a signature that a peer sent.
pub(super) fn read(wire: &str, peer: Peer) -> Proof {
    let marked = |mark: &str| wire.strip_prefix(mark).filter(|_| peer == Peer::Caller).map(str::to_owned);
    match (marked(BORROWED), marked(REDACTED)) {
        (Some(signature), _) => Proof::Signature(signature),
        (_, Some(data)) => Proof::Redacted(data),
        _ => Proof::Signature(format!("{OWN}{wire}")),
    }
}

/// Gemini's own signature, as it gave it.
pub(super) fn own(signature: &str) -> Option<&str> {
    signature.strip_prefix(OWN)
}

/// Another vendor's signature for a caller; `None`: it has no place.
pub(super) fn borrowed(signature: &str) -> Option<String> {
    is_base64(signature).then(|| format!("{BORROWED}{signature}"))
}

/// Another vendor's thoughts for a caller; `None`: they have no place.
pub(super) fn redacted(data: &str) -> Option<String> {
    is_base64(data).then(|| format!("{REDACTED}{data}"))
}

fn is_base64(text: &str) -> bool {
    !text.is_empty()
        && text.len().is_multiple_of(4)
        && text.trim_end_matches('=').bytes().all(|b| b.is_ascii_alphanumeric() || b"+/-_".contains(&b))
}
