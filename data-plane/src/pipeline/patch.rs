//! Changes to a text at known places, applied once.
//!
//! Law: what no patch names stays as it was, byte for byte; patches never overlap. Deliberately absent: knowledge of what
//! the text is.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

/// One change: the bytes of a range are replaced; an empty range is an insertion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Patch {
    /// The place.
    pub(crate) at: Range<usize>,
    /// What stands there instead.
    pub(crate) with: Bytes,
}

/// The changes to one text, in order of their places.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Patches(Vec<Patch>);

impl Patches {
    /// Adds a change; one that overlaps another is dropped for the one that was there, which a caller never relies on.
    pub(crate) fn add(&mut self, at: Range<usize>, with: impl Into<Bytes>) {
        let place = self.0.partition_point(|patch| patch.at.start < at.start);
        let clear_before = place == 0 || self.0.get(place - 1).is_none_or(|before| before.at.end <= at.start);
        let clear_after = self.0.get(place).is_none_or(|after| at.end <= after.at.start);
        if clear_before && clear_after {
            self.0.insert(place, Patch { at, with: with.into() });
        }
    }

    /// What stands in a place instead, if that is changed as a whole.
    pub(crate) fn at(&self, at: &Range<usize>) -> Option<&Bytes> {
        self.0.iter().find(|patch| patch.at == *at).map(|patch| &patch.with)
    }

    /// Whether nothing is to be changed.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The changed text; without changes the very same bytes.
    pub(crate) fn apply(&self, text: &Bytes) -> Bytes {
        if self.0.is_empty() {
            return text.clone();
        }
        let more: usize = self.0.iter().map(|patch| patch.with.len()).sum();
        let mut out = BytesMut::with_capacity(text.len() + more);
        self.write(text, &mut out);
        out.freeze()
    }

    /// Appends the changed text to `out`.
    pub(crate) fn write(&self, text: &[u8], out: &mut BytesMut) {
        let mut done = 0;
        for patch in &self.0 {
            out.extend_from_slice(text.get(done..patch.at.start).unwrap_or_default());
            out.extend_from_slice(&patch.with);
            done = patch.at.end;
        }
        out.extend_from_slice(text.get(done..).unwrap_or_default());
    }

    /// Forgets every change, keeping the room.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn changes_stand_in_their_places() {
        let text = Bytes::from_static(br#"{"model":"a","x":"b"}"#);
        let mut patches = Patches::default();
        assert_eq!(patches.apply(&text).as_ptr(), text.as_ptr(), "nothing to change, nothing copied");
        patches.add(17..20, &b"\"[EMAIL_1]\""[..]);
        patches.add(1..1, &b"\"stream\":true,"[..]);
        patches.add(9..12, b"\"upstream\"".to_vec());
        assert_eq!(&patches.apply(&text)[..], br#"{"stream":true,"model":"upstream","x":"[EMAIL_1]"}"#);
        patches.add(10..18, &b"overlap"[..]);
        assert_eq!(patches.0.len(), 3);
    }

    proptest! {
        #[test]
        fn what_is_not_named_stays(
            text in proptest::collection::vec(any::<u8>(), 0..60),
            cuts in proptest::collection::vec((0_usize..60, 0_usize..5), 0..6),
        ) {
            let mut patches = Patches::default();
            let text = Bytes::from(text);
            for (start, length) in cuts {
                if start + length <= text.len() {
                    patches.add(start..start + length, text.slice(start..start + length).to_vec());
                }
            }
            prop_assert_eq!(patches.apply(&text), text);
        }
    }
}
