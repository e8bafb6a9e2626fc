//! A credential that cannot be printed and does not outlive its use.
//!
//! Law: the plain text leaves only through [`Secret::reveal`]; `Debug` and `Display` print `***`, the bytes are
//! wiped on drop. Deliberately absent: serde, `Clone`, `PartialEq`, `Deref`.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

/// A vendor credential: UTF-8 text of any length, wiped from memory when dropped.
pub(crate) struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text over; the caller should hold no other copy.
    pub(crate) fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The plain text, for the one place that writes it on the wire.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Whom to tell that a vendor refuses a credential.
#[derive(Clone)]
pub(crate) struct Refused {
    /// Which: it is a part of what tells one way upstream from another.
    reference: Arc<str>,
    tell: Arc<dyn Fn() + Send + Sync>,
}

impl Refused {
    /// Tells of a reference by calling this, which must not wait.
    pub(crate) fn by(reference: &str, tell: impl Fn() + Send + Sync + 'static) -> Self {
        Self { reference: reference.into(), tell: Arc::new(tell) }
    }

    /// A vendor refused it.
    pub(crate) fn tell(&self) {
        (self.tell)();
    }
}

impl fmt::Debug for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Refused({})", self.reference)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Holder {
        #[expect(dead_code, reason = "read by the derived Debug only")]
        credential: Option<Secret>,
    }

    #[test]
    fn case_78_no_form_of_printing_shows_a_secret() {
        let secret = Secret::new("sk-canary-4711".to_owned());
        assert_eq!(format!("{secret} {secret:?} {secret:#?}"), "*** *** ***");
        let held = format!("{:#?}", Holder { credential: Some(secret) });
        assert!(held.contains("***") && !held.contains("canary"), "{held}");
    }
}
