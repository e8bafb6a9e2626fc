//! A token as it is configured: `chyn_(id)_(secret)_(pin)`.
//!
//! Law: the whole of it is shown to the control plane alone; the id may be written down, the pin says whom to trust.

use aws_lc_rs::digest::{SHA256, digest};
use thiserror::Error;
use zeroize::Zeroizing;

/// What every enrolment token begins with.
const PREFIX: &str = "chyn_";

/// Hexadecimal digits of a pin.
const PIN: usize = 32;

/// A token for one node.
pub(crate) struct Token {
    pub(super) id: String,
    pub(super) pin: String,
    pub(super) whole: Zeroizing<String>,
}

/// What was given is no token.
#[derive(Debug, PartialEq, Eq, Error)]
#[error(
    "the enrolment token is not one: it is of the form `chyn_(id)_(secret)_(pin)`, as `chancery nodes enrol` prints it"
)]
pub(crate) struct Malformed;

impl Token {
    /// Reads a token.
    pub(super) fn read(text: &str) -> Result<Self, Malformed> {
        let parts: Vec<&str> = text.strip_prefix(PREFIX).ok_or(Malformed)?.split('_').collect();
        let [id, secret, pin] = parts.as_slice() else { return Err(Malformed) };
        let is_hex = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
        if !is_hex(id) || !is_hex(pin) || pin.len() != PIN || secret.is_empty() {
            return Err(Malformed);
        }
        Ok(Self { id: (*id).to_owned(), pin: pin.to_ascii_lowercase(), whole: text.to_owned().into() })
    }

    /// Whether a certificate is the one that the token names.
    pub(super) fn names(pin: &str, certificate: &[u8]) -> bool {
        let whole: String =
            digest(&SHA256, certificate).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        pin.len() == PIN && whole.starts_with(pin)
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_of_its_form_and_shows_nothing_of_its_secret() {
        let pin = "0123456789abcdef0123456789abcdef";
        let token = Token::read(&format!("chyn_0a1b_secret_{pin}")).unwrap();
        assert_eq!((token.id.as_str(), token.pin.as_str()), ("0a1b", pin));
        assert!(!format!("{token:?}").contains("secret"));
        for bad in [
            "",
            "chyn_",
            "chyn_0a_s",
            "chy_0a_s_00",
            "chyn_0a_s_00",
            "chyn_0a__0123456789abcdef0123456789abcdef",
        ] {
            assert_eq!(Token::read(bad).unwrap_err(), Malformed, "{bad}");
        }
    }

    #[test]
    fn a_pin_names_the_certificate_of_its_digest() {
        // FIPS 180-2, B.1.
        assert!(Token::names("ba7816bf8f01cfea414140de5dae2223", b"abc"));
        assert!(!Token::names("ba7816bf8f01cfea414140de5dae2223", b"abd"));
        assert!(!Token::names("", b"abc"), "nothing names nothing");
    }
}
