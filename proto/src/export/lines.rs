//! A file line by line, of which no more than one line is ever kept.

use std::io::{self, BufRead, Read as _};

use aws_lc_rs::digest::{Context, SHA256};

/// Bytes of a line at most: an event names at most a thousand changes, which is less than a tenth of this.
pub const LONGEST: usize = 8 << 20;

/// How a line of a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// It ends as lines do.
    Whole,
    /// The file ends within it.
    Cut,
    /// It has more bytes than a line may have, and was passed over.
    TooLong,
}

/// The lines of a reader, and the hash over those that were passed.
pub(super) struct Lines<R> {
    from: R,
    text: Vec<u8>,
    passed: Context,
    /// Of the line that was come to last, from 1; 0 before the first.
    pub(super) number: u64,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(from: R) -> Self {
        Self { from, text: Vec::new(), passed: Context::new(&SHA256), number: 0 }
    }

    /// Goes on to the next line; `None` at the end of the file.
    pub(super) fn next(&mut self) -> io::Result<Option<Shape>> {
        self.fill()?;
        if self.text.is_empty() {
            return Ok(None);
        }
        self.number = self.number.saturating_add(1);
        let mut shape = if self.text.ends_with(b"\n") { Shape::Whole } else { Shape::Cut };
        while self.text.len() == LONGEST && !self.text.ends_with(b"\n") {
            shape = Shape::TooLong;
            self.fill()?;
        }
        Ok(Some(shape))
    }

    /// The line, without its end; of one that is too long what it ends with.
    pub(super) fn text(&self) -> &[u8] {
        self.text.strip_suffix(b"\n").unwrap_or(&self.text)
    }

    /// SHA-256 over every line before the one that was come to last, lower-case hexadecimal.
    pub(super) fn before(&self) -> String {
        super::record::hex(self.passed.clone().finish().as_ref())
    }

    /// Passes what is there, and reads on to the end of a line or as much as a line may have.
    fn fill(&mut self) -> io::Result<()> {
        self.passed.update(&self.text);
        self.text.clear();
        let most = u64::try_from(LONGEST).unwrap_or(u64::MAX);
        self.from.by_ref().take(most).read_until(b'\n', &mut self.text)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_whole_cut_or_too_long_and_the_next_is_found() {
        let long = vec![b'x'; LONGEST + 1];
        let file = [b"a\n\n".as_slice(), &long, b"\nb\nc"].concat();
        let mut lines = Lines::new(file.as_slice());
        let (whole, cut) = (Shape::Whole, Shape::Cut);
        for (shape, text) in [(whole, "a"), (whole, ""), (Shape::TooLong, "x"), (whole, "b"), (cut, "c")] {
            assert_eq!(lines.next().unwrap(), Some(shape), "line {}", lines.number);
            assert_eq!(lines.text(), text.as_bytes());
        }
        assert_eq!(lines.next().unwrap(), None);
        let whole = aws_lc_rs::digest::digest(&SHA256, &file);
        assert_eq!((lines.number, lines.before()), (5, crate::export::record::hex(whole.as_ref())));
    }

    #[test]
    fn a_line_may_be_as_long_as_that() {
        let file = [vec![b'x'; LONGEST - 1], b"\nb\n".to_vec()].concat();
        let mut lines = Lines::new(file.as_slice());
        assert_eq!(lines.next().unwrap(), Some(Shape::Whole));
        assert_eq!(lines.text().len(), LONGEST - 1);
        assert_eq!((lines.next().unwrap(), lines.text()), (Some(Shape::Whole), b"b".as_slice()));
    }
}
