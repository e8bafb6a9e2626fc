//! Finds the blank lines that end events, remembering just enough from one piece to the next.
//!
//! Law: where a block ends depends on the bytes alone, never on how they were cut. A blank line made of CR waits for the
//! byte behind it, which may be its LF; only in a stream whose lines visibly end with CR alone it ends the block at once,
//! so that such a stream is not held back. Deliberately absent: fields.

/// Where we are in the block that is going on.
#[derive(Debug, Default)]
pub(super) struct Boundary {
    /// The current line has something in it.
    in_line: bool,
    /// The block has a line with something in it; blank lines before that belong to it and end nothing.
    has_line: bool,
    /// The byte before was a CR that ended a line.
    cr: Cr,
    /// The line before ended with CR alone.
    lone_cr: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Cr {
    /// It was not.
    #[default]
    None,
    /// It ended a line with something in it, or one before the block.
    Line,
    /// It ended a blank line, and so the block, with or without an LF.
    Block,
}

impl Boundary {
    /// The end of the block in `piece`, which continues what came before; the state is then that of a new block.
    pub(super) fn find(&mut self, piece: &[u8]) -> Option<usize> {
        let mut at = 0;
        while let Some(rest) = piece.get(at..).filter(|rest| !rest.is_empty()) {
            if self.cr != Cr::None {
                let feed = usize::from(rest.first() == Some(&b'\n'));
                if self.cr == Cr::Block {
                    return Some(self.reset(at + feed));
                }
                self.cr = Cr::None;
                self.lone_cr = feed == 0;
                at += feed;
                continue;
            }
            let Some(length) = memchr::memchr2(b'\n', b'\r', rest) else {
                self.in_line = true;
                return None;
            };
            self.in_line |= length > 0;
            let blank = !std::mem::replace(&mut self.in_line, false);
            let ends = blank && self.has_line;
            self.has_line |= !blank;
            at += length + 1;
            match (rest.get(length) == Some(&b'\r'), ends) {
                (false, true) => return Some(self.reset(at)),
                (false, false) => self.lone_cr = false,
                (true, true) if self.lone_cr => return Some(self.reset(at)),
                (true, true) => self.cr = Cr::Block,
                (true, false) => self.cr = Cr::Line,
            }
        }
        None
    }

    /// Whether the block that is going on has anything in it.
    pub(super) fn is_open(&self) -> bool {
        self.in_line || self.has_line
    }

    fn reset(&mut self, end: usize) -> usize {
        *self = Self::default();
        end
    }
}
