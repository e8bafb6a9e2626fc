//! The form of a token: `chyn_(id)_(secret)_(pin)`.
//!
//! Law: the id is public, 80 random bits; the secret has 256. The pin is the first half of the SHA-256 of the certificate by
//! which the sync port is told, so that whoever has the token needs no other file to know the control plane.

use policy_engine::vocabulary::Name;
use zeroize::Zeroizing;

use crate::registry::{hex, sha256};
use crate::seal::{SealError, random};
use crate::store::Digest;

/// What every enrolment token begins with.
pub const PREFIX: &str = "chyn_";

/// Hexadecimal digits of a pin: 128 bits, of which nobody finds a second certificate.
const PIN: usize = 32;

/// Bytes of the longest token that is looked at.
const LONGEST: usize = 256;

/// A token as it was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Presented {
    /// Its public id.
    pub(crate) id: String,
    /// SHA-256 of its secret.
    pub(crate) digest: Digest,
    /// Whose it says it is.
    pub(crate) pin: String,
}

/// A new token's parts.
pub(super) struct Minted {
    pub(super) id: String,
    pub(super) digest: Digest,
    /// The whole of it.
    pub(super) token: Zeroizing<String>,
}

/// How a token names an authority by its certificate, DER.
pub fn pin(certificate: &[u8]) -> String {
    let whole = hex(&sha256(certificate));
    whole.get(..PIN).unwrap_or_default().to_owned()
}

/// Makes a token.
pub(super) fn mint(pin: &str) -> Result<Minted, SealError> {
    let id = hex(random::<10>()?.as_slice());
    let secret = Zeroizing::new(hex(random::<32>()?.as_slice()));
    let token = Zeroizing::new(format!("{PREFIX}{id}_{}_{pin}", secret.as_str()));
    Ok(Minted { id, digest: sha256(secret.as_bytes()), token })
}

/// A name that no other node has.
pub(crate) fn unique() -> Result<Name, SealError> {
    let name = format!("node-{}", hex(random::<4>()?.as_slice()));
    Name::new(&name).map_err(|_| SealError::System)
}

impl Presented {
    /// Reads a token; `None` where it has not the form of one.
    pub(crate) fn read(token: &str) -> Option<Self> {
        let token = Some(token).filter(|token| token.len() <= LONGEST)?;
        let parts: Vec<&str> = token.strip_prefix(PREFIX)?.split('_').collect();
        let [id, secret, pin] = parts.as_slice() else { return None };
        let is_hex = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        let fits = id.len() == 20 && pin.len() == PIN && is_hex(id) && is_hex(pin) && !secret.is_empty();
        fits.then(|| Self { id: (*id).to_owned(), digest: sha256(secret.as_bytes()), pin: (*pin).to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_as_it_was_made_and_nothing_else_is_one() {
        let pin = pin(b"certificate");
        let minted = mint(&pin).unwrap();
        let read = Presented::read(&minted.token).unwrap();
        assert_eq!((&read.id, &read.digest, &read.pin), (&minted.id, &minted.digest, &pin));
        let token = minted.token.as_str();
        let (short, other) = (&token[..token.len() - 1], token.replace("chyn_", "chy_"));
        let upper = token.to_uppercase();
        for bad in ["", "chyn_", "chyn_a_b_c", short, &other, &upper, &format!("{token}_"), &"é".repeat(200)]
        {
            assert_eq!(Presented::read(bad), None, "{bad}");
        }
    }
}
