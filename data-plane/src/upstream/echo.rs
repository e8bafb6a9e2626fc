//! Keeps our own credential out of what a vendor sends back.
//!
//! Law: a credential never passes in full, however the vendor cuts its bytes; refused in answers, masked in error
//! bodies. Deliberately absent: masking inside answers (a vendor that echoes credentials is out of protocol).

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use memchr::memmem;

use super::secret::Secret;

/// Credentials shorter than this many bytes are placeholders (`none`, `EMPTY`) that ordinary text may contain.
const SHORTEST: usize = 12;

/// Looks for one credential in one answer, across its pieces.
#[derive(Debug)]
pub(crate) struct Echo {
    credential: Arc<Secret>,
    /// The end of what came before, shorter than the credential.
    tail: BytesMut,
}

/// Whether a piece carried the credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    /// It did not.
    Nothing,
    /// It did, or completed it.
    Credential,
}

impl Echo {
    /// Nothing to look for where there is no credential or it is a mere placeholder.
    pub(crate) fn of(credential: &Option<Arc<Secret>>) -> Option<Self> {
        let credential = credential.as_ref().filter(|secret| secret.reveal().len() >= SHORTEST)?;
        Some(Self { credential: Arc::clone(credential), tail: BytesMut::new() })
    }

    /// Reads the next piece of the answer.
    pub(crate) fn hear(&mut self, piece: &[u8]) -> Heard {
        let needle = self.credential.reveal().as_bytes();
        let keep = needle.len().saturating_sub(1);
        if memmem::find(piece, needle).is_some() {
            return Heard::Credential;
        }
        let head = piece.get(..keep.min(piece.len())).unwrap_or(piece);
        let before = self.tail.len();
        self.tail.extend_from_slice(head);
        if before > 0 && memmem::find(&self.tail, needle).is_some() {
            return Heard::Credential;
        }
        if piece.len() >= keep {
            self.tail.clear();
            self.tail.extend_from_slice(piece.get(piece.len().saturating_sub(keep)..).unwrap_or_default());
        } else {
            let surplus = self.tail.len().saturating_sub(keep);
            drop(self.tail.split_to(surplus));
        }
        Heard::Nothing
    }

    /// The same bytes with every occurrence of the credential overwritten by `*`.
    pub(crate) fn mask(&self, body: Bytes) -> Bytes {
        let needle = self.credential.reveal().as_bytes();
        if memmem::find(&body, needle).is_none() {
            return body;
        }
        let mut masked = body.to_vec();
        while let Some(at) = memmem::find(&masked, needle) {
            let end = at + needle.len();
            if let Some(hit) = masked.get_mut(at..end) {
                hit.fill(b'*');
            }
        }
        masked.into()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "sk-canary-0123456789";

    fn echo() -> Echo {
        Echo::of(&Some(Arc::new(Secret::new(KEY.to_owned())))).unwrap()
    }

    fn heard(pieces: &[&[u8]]) -> bool {
        let mut echo = echo();
        pieces.iter().any(|piece| echo.hear(piece) == Heard::Credential)
    }

    proptest! {
        #[test]
        fn case_54_an_echo_is_heard_however_it_is_cut(
            before in "[a-z]{0,40}", after in "[a-z]{0,40}",
            cuts in proptest::collection::vec(0usize..100, 0..12),
        ) {
            let with = format!("{before}{KEY}{after}");
            let without = format!("{before}{}_{after}", &KEY[..KEY.len() - 1]);
            prop_assert!(heard(&pieces(with.as_bytes(), &cuts)));
            prop_assert!(!heard(&pieces(without.as_bytes(), &cuts)));
        }
    }

    fn pieces<'a>(text: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (text.len() + 1)).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        cuts.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect()
    }

    #[test]
    fn error_bodies_are_masked_and_keep_their_length() {
        let body = Bytes::from(format!("bad key {KEY}, I said {KEY}"));
        let masked = echo().mask(body.clone());
        assert_eq!(masked.len(), body.len());
        assert_eq!(masked, "bad key ********************, I said ********************");
    }

    #[test]
    fn placeholders_are_not_looked_for() {
        assert!(Echo::of(&Some(Arc::new(Secret::new("EMPTY".to_owned())))).is_none());
        assert!(Echo::of(&None).is_none());
    }
}
