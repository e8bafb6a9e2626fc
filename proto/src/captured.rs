//! Captured content: what was asked and answered, sealed to its tenant, as lines of files.
//!
//! A line is `{"format":…,"requestId":…,…,"sealed":"S"}`: in clear whose it is, until when it is kept and how its key is sealed, then the
//! content under that key (AES-256-GCM), with everything before `,"sealed":` as associated data. The key is fresh for each line and is
//! sealed to the tenant's public half (RFC 9180: X25519, HKDF-SHA256, AES-256-GCM) with [`INFO`] and [`bound`]. So whoever wrote a line
//! can't read it back, and a byte of it that is changed is seen.
//!
//! Law: what is in clear says nothing of the content but its length. Nothing here reads a clock or a file, or has a private key. Absent on
//! purpose: sealing the key to the tenant and opening it, which are the node's and the control plane's.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use policy_engine::vocabulary::Instant;
use serde::{Deserialize, Serialize};

use crate::segment::Digest;

/// The form.
pub const DOMAIN: &str = "chancery/captured/v1";

/// What keys are sealed for; changes only together with the form.
pub const INFO: &[u8] = DOMAIN.as_bytes();

/// What ends the name of a file of lines, and of one that is still written to.
pub const ENDING: &str = "captured";
/// See [`ENDING`].
pub const OPEN: &str = "open";

/// Bytes of a content's key.
pub const KEY: usize = 32;

/// What stands before the content, and after it.
const SEALED: &[u8] = b",\"sealed\":\"";
const END: &[u8] = b"\"}";

/// Bytes that say how long the prompt is.
const LENGTH: usize = 4;

/// One of the two directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Part {
    /// What went to the endpoint.
    Prompt,
    /// What the caller was answered.
    Answer,
}

impl Part {
    /// The word on every surface.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Prompt => "prompt",
            Self::Answer => "answer",
        }
    }
}

/// What stands in clear.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    /// [`DOMAIN`].
    pub format: String,
    /// The request.
    pub request_id: String,
    /// Whose it is.
    pub tenant: String,
    /// Where the node runs that kept it.
    pub geo: String,
    /// When the request was received.
    #[serde(with = "crate::instants")]
    pub time: Instant,
    /// Until when it is kept.
    #[serde(with = "crate::instants")]
    pub until: Instant,
    /// The tenant's key pair that its key is sealed to.
    pub key: String,
    /// What of it is not whole: only its beginning was kept.
    pub truncated: Vec<Part>,
    /// The encapsulated key.
    #[serde(with = "base64ed")]
    pub encapsulated: Vec<u8>,
    /// The content's key, sealed.
    #[serde(with = "base64ed")]
    pub wrapped: Vec<u8>,
}

/// What was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// What went to the endpoint: the body in its dialect, after masking.
    pub prompt: Vec<u8>,
    /// What the caller was answered: a body, or the events of a stream as they left.
    pub answer: Vec<u8>,
}

/// A line that was read, and is not opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// What stands in clear.
    pub header: Header,
    head: Vec<u8>,
    sealed: Vec<u8>,
}

/// Why there is no content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unopened {
    /// It is not of the form.
    #[error("it is no captured content: {0}")]
    Form(String),
    /// It does not open.
    #[error("it does not open: it was changed, or this is not its key")]
    Changed,
    /// It can't be sealed.
    #[error("it can't be sealed")]
    System,
}

/// What the sealing of a content's key is bound to: it opens for the same request of the same tenant and geo alone.
pub fn bound(request_id: &str, tenant: &str, geo: &str) -> Vec<u8> {
    [request_id, "\n", tenant, "\n", geo, "\n"].concat().into_bytes()
}

/// By what a line is known, without its line feed.
pub fn hash(line: &[u8]) -> Digest {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    digest(&SHA256, line).as_ref().try_into().unwrap_or_default()
}

/// Seals content under a key that is used for nothing else; gives the line, with its line feed.
///
/// # Errors
/// [`Unopened::System`].
pub fn seal(header: &Header, key: &[u8; KEY], (prompt, answer): (&[u8], &[u8])) -> Result<Vec<u8>, Unopened> {
    let mut head = serde_json::to_vec(header).map_err(|_| Unopened::System)?;
    head.pop();
    let length = u32::try_from(prompt.len()).map_err(|_| Unopened::System)?;
    let mut text = Vec::with_capacity(LENGTH + prompt.len() + answer.len() + AES_256_GCM.tag_len());
    text.extend_from_slice(&length.to_be_bytes());
    text.extend_from_slice(prompt);
    text.extend_from_slice(answer);
    let sealing = cipher(key).ok_or(Unopened::System)?;
    sealing.seal_in_place_append_tag(once(), Aad::from(&head), &mut text).map_err(|_| Unopened::System)?;
    let mut line = head;
    line.reserve(text.len() / 3 * 4 + SEALED.len() + END.len() + 8);
    line.extend_from_slice(SEALED);
    line.extend_from_slice(STANDARD.encode(text).as_bytes());
    line.extend_from_slice(END);
    line.push(b'\n');
    Ok(line)
}

impl Sealed {
    /// Reads a line, with or without its line feed.
    ///
    /// # Errors
    /// [`Unopened::Form`].
    pub fn read(line: &[u8]) -> Result<Self, Unopened> {
        let form = |why: String| Unopened::Form(why);
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let broken = || form("it does not end as such a line does".to_owned());
        let body = line.strip_suffix(END).ok_or_else(broken)?;
        let at = body.iter().rposition(|byte| *byte == b'"').ok_or_else(broken)?;
        let (head, sealed) = body.split_at_checked(at.saturating_add(1)).ok_or_else(broken)?;
        let head = head.strip_suffix(SEALED).ok_or_else(broken)?.to_vec();
        let header: Header =
            serde_json::from_slice(&[&head, &b"}"[..]].concat()).map_err(|error| form(error.to_string()))?;
        if header.format != DOMAIN {
            return Err(form("it is of another form".to_owned()));
        }
        let sealed = STANDARD.decode(sealed).map_err(|error| form(error.to_string()))?;
        Ok(Self { header, head, sealed })
    }

    /// Opens it by its key.
    ///
    /// # Errors
    /// [`Unopened::Changed`].
    pub fn open(&self, key: &[u8]) -> Result<Content, Unopened> {
        let key = key.try_into().map_err(|_| Unopened::Changed)?;
        let mut text = self.sealed.clone();
        let opening = cipher(key).ok_or(Unopened::Changed)?;
        let text =
            opening.open_in_place(once(), Aad::from(&self.head), &mut text).map_err(|_| Unopened::Changed)?;
        let (length, rest) = text.split_first_chunk::<LENGTH>().ok_or(Unopened::Changed)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| Unopened::Changed)?;
        let (prompt, answer) = rest.split_at_checked(length).ok_or(Unopened::Changed)?;
        Ok(Content { prompt: prompt.to_vec(), answer: answer.to_vec() })
    }
}

fn cipher(key: &[u8; KEY]) -> Option<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, key).ok().map(LessSafeKey::new)
}

/// A key seals one thing, so that no nonce is used twice under it.
fn once() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

/// Bytes as base64.
mod base64ed {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(String::deserialize(from)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            format: DOMAIN.to_owned(),
            request_id: "0198-r".to_owned(),
            tenant: "acme".to_owned(),
            geo: "eu".to_owned(),
            time: Instant(1_767_225_600_000_000),
            until: Instant(1_767_312_000_000_000),
            key: "ck-1".to_owned(),
            truncated: vec![Part::Answer],
            encapsulated: vec![1; 32],
            wrapped: vec![2; 48],
        }
    }

    #[test]
    fn what_is_sealed_opens_by_its_key_and_says_nothing_before() {
        let line = seal(&header(), &[7; KEY], (b"tell me", b"told \"you\"\n")).unwrap();
        let text = std::str::from_utf8(&line).unwrap();
        assert!(text.starts_with(r#"{"format":"chancery/captured/v1","requestId":"0198-r","tenant":"acme""#));
        assert!(
            text.ends_with("\"}\n") && text.contains(r#""truncated":["answer"]"#) && !text.contains("tell")
        );
        serde_json::from_str::<serde_json::Value>(text).unwrap();
        let sealed = Sealed::read(&line).unwrap();
        assert_eq!(
            (&sealed.header, Sealed::read(text.trim_end().as_bytes()).as_ref()),
            (&header(), Ok(&sealed))
        );
        let content = sealed.open(&[7; KEY]).unwrap();
        assert_eq!((&content.prompt[..], &content.answer[..]), (&b"tell me"[..], &b"told \"you\"\n"[..]));
        for wrong in [&[8; KEY][..], &[7; 31], &[]] {
            assert_eq!(sealed.open(wrong), Err(Unopened::Changed));
        }
        assert_eq!(hash(&line), hash(text.trim_end().as_bytes()));
    }

    #[test]
    fn whatever_byte_is_changed_it_does_not_open() {
        let line = seal(&header(), &[7; KEY], (b"tell me", b"")).unwrap();
        for at in 0..line.len() - 1 {
            let mut changed = line.clone();
            changed[at] ^= 1;
            let opened = Sealed::read(&changed).and_then(|sealed| sealed.open(&[7; KEY]));
            assert!(opened.is_err(), "byte {at}");
            assert_ne!(hash(&changed), hash(&line), "byte {at}");
        }
        for cut in 0..line.len() - 2 {
            assert!(Sealed::read(&line[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn what_a_key_is_bound_to_can_be_read_in_one_way() {
        let all = [("a", "b", "c"), ("a\nb", "", "c"), ("", "a", "b"), ("ab", "", "c")];
        let bounds: std::collections::BTreeSet<_> = all.iter().map(|(r, t, g)| bound(r, t, g)).collect();
        assert_eq!(bounds.len(), all.len());
        assert_eq!(bound("r", "t", "g"), b"r\nt\ng\n");
    }
}
