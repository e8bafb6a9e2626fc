//! One person: a pseudonym, the name behind it, and the key under which what is said of it is sealed.
//!
//! Law: the same text is sealed to the same ciphertext, for what did not change must be seen not to have. AES-256-GCM-SIV (RFC 8452) is
//! made for that. A pseudonym and a sealed text are words that no name and no text of a person can be taken for.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::registry::hex;
use crate::seal::{SealError, Sealer, Use, random};
use crate::store::SubjectRow;

/// What a pseudonym begins with; so many hexadecimal digits follow.
pub(super) const PSEUDONYM: &str = "p~";
/// What a sealed text begins with; the digits of its pseudonym follow, then `~`, then the ciphertext in base64url.
pub(super) const SEALED: &str = "s~";
/// The digits.
pub(super) const DIGITS: usize = 24;

/// Bytes of a key.
const KEY_LEN: usize = 32;

/// One person.
pub(super) struct Subject {
    pub(super) pseudonym: Arc<str>,
    pub(super) name: Arc<str>,
    pub(super) created_at: i64,
    secret: Zeroizing<[u8; KEY_LEN]>,
    key: LessSafeKey,
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.pseudonym)
    }
}

impl Subject {
    /// A new one, with a key of its own.
    pub(super) fn new(pseudonym: String, name: &str, created_at: i64) -> Result<Self, SealError> {
        Self::with(random()?, (&pseudonym, name, created_at))
    }

    fn with(
        secret: Zeroizing<[u8; KEY_LEN]>,
        (pseudonym, name, created_at): (&str, &str, i64),
    ) -> Result<Self, SealError> {
        let key = UnboundKey::new(&AES_256_GCM_SIV, secret.as_slice()).map_err(|_| SealError::System)?;
        let (pseudonym, name, key) = (pseudonym.into(), name.into(), LessSafeKey::new(key));
        Ok(Self { pseudonym, name, created_at, secret, key })
    }

    /// One that was kept.
    pub(super) fn opened(sealer: &Sealer, row: &SubjectRow) -> Result<Self, SealError> {
        let opened = sealer.open(Use::Subject(&row.pseudonym), &row.sealed)?;
        let (secret, name) = opened.split_first_chunk::<KEY_LEN>().ok_or(SealError::Opened)?;
        let name = std::str::from_utf8(name).map_err(|_| SealError::Opened)?;
        Self::with(Zeroizing::new(*secret), (&row.pseudonym, name, row.created_at))
    }

    /// How it is kept.
    pub(super) fn row(&self, sealer: &Sealer) -> Result<SubjectRow, SealError> {
        let mut text = Zeroizing::new(self.secret.to_vec());
        text.extend_from_slice(self.name.as_bytes());
        let sealed = sealer.seal(Use::Subject(&self.pseudonym), &text)?;
        Ok(SubjectRow { pseudonym: self.pseudonym.to_string(), sealed, created_at: self.created_at })
    }

    /// A text as it is stored.
    pub(super) fn seal(&self, text: &str) -> Result<String, SealError> {
        let mut bytes = text.as_bytes().to_vec();
        self.key.seal_in_place_append_tag(nonce(), self.aad(), &mut bytes).map_err(|_| SealError::System)?;
        let digits = self.pseudonym.strip_prefix(PSEUDONYM).unwrap_or_default();
        Ok(format!("{SEALED}{digits}~{}", BASE64_URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// A stored text as it was; `None` where it is none of this one's.
    pub(super) fn open(&self, ciphertext: &str) -> Option<String> {
        let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(ciphertext).ok()?;
        let text = self.key.open_in_place(nonce(), self.aad(), &mut bytes).ok()?;
        String::from_utf8(text.to_vec()).ok()
    }

    fn aad(&self) -> Aad<&[u8]> {
        Aad::from(self.pseudonym.as_bytes())
    }
}

/// Always the same: the mode is made to bear it, and tells no more by it than that two texts are the same.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

/// A new pseudonym.
pub(super) fn pseudonym() -> Result<String, SealError> {
    Ok(format!("{PSEUDONYM}{}", hex(random::<{ DIGITS / 2 }>()?.as_slice())))
}

/// Whether a text has the form of a pseudonym, such as `p~0f3c9a…`, whoever it is of.
pub fn is_pseudonym(text: &str) -> bool {
    text.strip_prefix(PSEUDONYM).is_some_and(are_digits)
}

/// Whether a text has the form of a sealed one.
pub(crate) fn is_sealed(text: &str) -> bool {
    let rest = text.strip_prefix(SEALED).and_then(|rest| rest.split_once('~'));
    rest.is_some_and(|(digits, sealed)| are_digits(digits) && sealed.bytes().all(is_base64))
}

pub(super) fn are_digits(text: &str) -> bool {
    text.len() == DIGITS && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

pub(super) fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_".contains(&byte)
}
