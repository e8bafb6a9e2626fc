//! What leaves at once: the events of one piece.
//!
//! Law: a piece none of whose bytes were changed or dropped leaves as it is, without a copy. Deliberately absent: what the
//! events say.

use bytes::{Bytes, BytesMut};

/// The events that are to leave together.
#[derive(Debug, Default)]
pub(super) struct Frame {
    /// The piece at hand, if every event so far was wholly within it.
    piece: Option<Bytes>,
    /// Bytes of it that leave unchanged, from its beginning on.
    intact: usize,
    /// What leaves, where it is not the piece's own beginning.
    made: BytesMut,
}

impl Frame {
    /// A piece comes whose events will follow. What was there has left.
    pub(super) fn expect(&mut self, piece: &Bytes) {
        self.piece = Some(piece.clone());
        self.intact = 0;
    }

    /// An event leaves as it came.
    pub(super) fn pass(&mut self, raw: &Bytes) {
        if self.made.is_empty()
            && let Some(piece) = &self.piece
            && piece.get(self.intact..).is_some_and(|rest| std::ptr::eq(rest.as_ptr(), raw.as_ptr()))
            && piece.len() >= self.intact + raw.len()
        {
            self.intact += raw.len();
            return;
        }
        self.change().extend_from_slice(raw);
    }

    /// A payload leaves as an event of its own, written by `write`.
    pub(super) fn event(&mut self, write: impl FnOnce(&mut BytesMut)) {
        let out = self.change();
        out.extend_from_slice(b"data: ");
        write(out);
        out.extend_from_slice(b"\n\n");
    }

    /// A payload leaves as an event of its own under a name, written by `write`.
    pub(super) fn named(&mut self, name: &str, write: impl FnOnce(&mut BytesMut)) {
        let out = self.change();
        for part in ["event: ", name, "\ndata: "] {
            out.extend_from_slice(part.as_bytes());
        }
        write(out);
        out.extend_from_slice(b"\n\n");
    }

    /// The end mark leaves.
    pub(super) fn done(&mut self) {
        self.event(|out| out.extend_from_slice(b"[DONE]"));
    }

    /// A comment leaves, which says that the stream goes on.
    pub(super) fn comment(&mut self) {
        self.change().extend_from_slice(b": keep-alive\n\n");
    }

    /// Whether anything would leave.
    pub(super) fn is_something(&self) -> bool {
        self.intact > 0 || !self.made.is_empty()
    }

    /// All of it, while it has not left.
    pub(super) fn waiting(&self) -> &[u8] {
        match &self.piece {
            Some(piece) if self.made.is_empty() => piece.get(..self.intact).unwrap_or_default(),
            _ => &self.made,
        }
    }

    /// All of it, if there is any.
    pub(super) fn take(&mut self) -> Option<Bytes> {
        let piece = self.piece.take();
        if !self.made.is_empty() {
            return Some(self.made.split().freeze());
        }
        let intact = std::mem::take(&mut self.intact);
        (intact > 0).then(|| piece.map(|piece| piece.slice(..intact))).flatten()
    }

    /// The frame as bytes of its own, what was intact copied into them.
    fn change(&mut self) -> &mut BytesMut {
        let intact = std::mem::take(&mut self.intact);
        if let Some(piece) = self.piece.take() {
            self.made.extend_from_slice(piece.get(..intact).unwrap_or_default());
        }
        &mut self.made
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unchanged_piece_leaves_without_a_copy() {
        let piece = Bytes::from_static(b"data: a\n\ndata: b\n\nrest");
        let mut frame = Frame::default();
        frame.expect(&piece);
        frame.pass(&piece.slice(..9));
        frame.pass(&piece.slice(9..18));
        let left = frame.take().unwrap();
        assert_eq!((left.as_ptr(), &left[..]), (piece.as_ptr(), &b"data: a\n\ndata: b\n\n"[..]));
        assert!(frame.take().is_none());
    }

    #[test]
    fn a_changed_piece_keeps_its_order() {
        let piece = Bytes::from_static(b"data: a\n\ndata: b\n\ndata: c\n\n");
        let mut frame = Frame::default();
        frame.expect(&piece);
        frame.pass(&piece.slice(..9));
        frame.event(|out| out.extend_from_slice(b"B"));
        frame.pass(&piece.slice(18..));
        assert_eq!(&frame.take().unwrap()[..], b"data: a\n\ndata: B\n\ndata: c\n\n");
        frame.expect(&piece);
        frame.pass(&piece.slice(9..18));
        assert_eq!(&frame.take().unwrap()[..], b"data: b\n\n", "a dropped event is not there");
    }
}
