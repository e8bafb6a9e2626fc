//! The view detectors match on: what a reader sees, with the way back to the bytes that were sent.
//!
//! Law: a character folds alone, whatever stands beside it, so any chunking of a text folds to the same view.
//! Composition is therefore never done (NFKD and dropped accents instead of NFKC); a run of more than
//! [`INVISIBLE_RUN`] invisible characters folds to breaks, which bounds how much text a candidate can span.
//! An escape (`%40`, `&#64;`, `\u0040`) folds like the character it stands for, and waits where it has not arrived whole.
//! Absent on purpose: decoding of base64, which has no characters to fold.

mod escape;
mod tables;

use unicode_normalization::char::decompose_compatible;

use escape::{Escape, Rest};

pub(super) use escape::backslash::{letter, mark, spelled};
pub(super) use tables::{is_continuous_script, is_extending};

/// Invisible characters in a row that a match may span; each one more folds to [`BREAK`].
pub(super) const INVISIBLE_RUN: u8 = 16;

/// What ends every candidate.
const BREAK: char = '\0';

/// A folded text and, for every byte of it, the character of the original it came from.
#[derive(Debug, Default)]
pub(super) struct Folded {
    text: String,
    /// INVARIANT: as long as `text`. Absolute offset where the byte's original character starts.
    starts: Vec<usize>,
    /// INVARIANT: as long as `text`. Bytes from there to the character's end, the marks that sit on it included.
    extents: Vec<u8>,
    /// Absolute offset of the end of what was pushed.
    end: usize,
    invisible: u8,
    /// The beginning of an escape of which the rest has not arrived; it stands after `end`.
    open: String,
}

impl Folded {
    /// Room for a text of that many bytes.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self {
            text: String::with_capacity(bytes),
            starts: Vec::with_capacity(bytes),
            extents: Vec::with_capacity(bytes),
            ..Self::default()
        }
    }

    /// The view.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Absolute offset of the original character the byte at `index` came from; past the view, the original's end.
    pub(super) fn start_of(&self, index: usize) -> usize {
        self.starts.get(index).copied().unwrap_or(self.end)
    }

    /// Absolute offset of the end of the original character that ends before view offset `index`.
    pub(super) fn end_of(&self, index: usize) -> usize {
        let last = index.saturating_sub(1);
        match (self.starts.get(last), self.extents.get(last)) {
            (Some(start), Some(extent)) => start + usize::from(*extent),
            _ => self.end,
        }
    }

    /// Absolute offset of the end of what has arrived.
    pub(super) fn arrived(&self) -> usize {
        self.end + self.open.len()
    }

    /// Adds the next piece of the original.
    pub(super) fn push(&mut self, piece: &str) {
        if self.open.is_empty() && escape::next(piece.as_bytes()).is_none() {
            return self.push_plain(piece);
        }
        let mut text = std::mem::take(&mut self.open);
        text.push_str(piece);
        let open = self.push_escaped(&text, Rest::Open);
        self.open.push_str(open);
    }

    /// Says that no piece follows: what may have become an escape is none.
    pub(super) fn finish(&mut self) {
        let text = std::mem::take(&mut self.open);
        self.push_escaped(&text, Rest::Known);
    }

    /// Adds text with escapes; gives back the end of it that may begin another.
    fn push_escaped<'t>(&mut self, mut text: &'t str, rest: Rest) -> &'t str {
        while let Some((plain, from)) = escape::next(text.as_bytes()).map(|at| text.split_at(at)) {
            self.push_plain(plain);
            let length = match escape::read(from.as_bytes(), rest) {
                Escape::Open => return from,
                Escape::Of(c, length) => {
                    self.push_char(c, length);
                    length
                }
                Escape::None => {
                    self.push_plain(from.get(..1).unwrap_or_default());
                    1
                }
            };
            text = from.get(length..).unwrap_or_default();
        }
        self.push_plain(text);
        ""
    }

    fn push_plain(&mut self, mut piece: &str) {
        while !piece.is_empty() {
            // Most are ASCII throughout, which is seen many bytes at a time.
            let plain =
                if piece.is_ascii() { piece.len() } else { piece.bytes().take_while(u8::is_ascii).count() };
            let (ascii, rest) = piece.split_at(plain);
            self.push_ascii(ascii);
            let mut rest = rest.chars();
            let mut seen = 0;
            for c in rest.by_ref().take_while(|c| !c.is_ascii()) {
                seen += c.len_utf8();
                self.push_char(c, c.len_utf8());
            }
            piece = piece.get(plain + seen..).unwrap_or_default();
        }
    }

    /// Forgets at most the first `bytes` of the view and gives how many; offsets of the original stay what they were.
    pub(super) fn forget(&mut self, bytes: usize) -> usize {
        let mut cut = bytes.min(self.text.len());
        while !self.text.is_char_boundary(cut) {
            cut -= 1;
        }
        self.text.drain(..cut);
        self.starts.drain(..cut);
        self.extents.drain(..cut);
        cut
    }

    fn push_ascii(&mut self, ascii: &str) {
        if ascii.is_empty() {
            return;
        }
        self.text.push_str(ascii);
        self.starts.extend(self.end..self.end + ascii.len());
        self.extents.resize(self.text.len(), 1);
        self.end += ascii.len();
        self.invisible = 0;
    }

    /// Adds a character that was written in so many bytes.
    fn push_char(&mut self, c: char, length: usize) {
        let (start, before) = (self.end, self.text.len());
        self.end += length;
        fold(c, &mut |folded| self.text.push(folded));
        if self.text.len() == before {
            if self.invisible < INVISIBLE_RUN {
                self.invisible += 1;
                return self.extend_last(c, length);
            }
            self.text.push(BREAK);
        } else {
            self.invisible = 0;
        }
        self.starts.resize(self.text.len(), start);
        self.extents.resize(self.text.len(), u8::try_from(length).unwrap_or(u8::MAX));
    }

    /// A mark on the last character goes where that character goes. What would not fit a byte goes alone.
    fn extend_last(&mut self, mark: char, length: usize) {
        let mark_end = self.end;
        if let (Some(start), Some(extent)) = (self.starts.last(), self.extents.last_mut())
            && is_extending(mark)
            && start + usize::from(*extent) + length == mark_end
            && let Ok(more) = u8::try_from(length)
        {
            *extent = extent.checked_add(more).unwrap_or(*extent);
        }
    }
}

/// What one character matches as: nothing, itself, or a few characters. ASCII is itself, its case kept; all else is lower-cased.
pub(super) fn fold(c: char, emit: &mut impl FnMut(char)) {
    if c.is_ascii() {
        return emit(c);
    }
    if tables::is_invisible(c) {
        return;
    }
    if is_continuous_script(c) && !tables::is_compatibility_form(c) {
        return emit(c);
    }
    if let Some(digit) = tables::digit(c) {
        return emit(digit);
    }
    decompose_compatible(c, |part| {
        if part.is_ascii() {
            return emit(part.to_ascii_lowercase());
        }
        if tables::is_invisible(part) {
            return;
        }
        for lower in part.to_lowercase() {
            if tables::is_invisible(lower) {
                continue;
            }
            match tables::look_alike(lower) {
                Some(latin) => latin.chars().for_each(&mut *emit),
                None => emit(lower),
            }
        }
    });
}

/// Whether a whole text holds an escape.
pub(super) fn has_escape(text: &str) -> bool {
    escape::is_in(text)
}

/// Whether a text certainly folds to one without digits and without `@`; a quick look that may err to no. An escape that
/// folds to either has a digit or begins with `&`.
pub(super) fn is_plain(text: &str) -> bool {
    let telling = |hit: bool, b: &u8| hit | b.is_ascii_digit() | (*b == b'@') | (*b == b'&');
    let ascii = text.as_bytes().chunks(64).all(|block| !block.iter().fold(false, telling));
    ascii && text.chars().all(|c| c.is_ascii() || tables::is_plain(c))
}

/// A whole text folded and lower-cased, for comparing values and for patterns.
pub(super) fn folded_lower(text: &str) -> String {
    let mut folded = Folded::with_capacity(text.len());
    folded.push(text);
    folded.finish();
    folded.text.make_ascii_lowercase();
    folded.text
}

#[cfg(test)]
mod tests {
    use super::{Folded, fold, folded_lower, is_plain};

    #[test]
    fn a_reader_and_a_detector_see_the_same() {
        for (sent, seen) in [
            ("ｂｏｂ＠ｘ．ｃｏｍ", "bob@x.com"),
            ("b\u{200b}o\u{2060}b\u{ad}", "bob"),
            ("\u{202e}bob\u{202c}", "bob"),
            ("\u{e0062}x\u{e007f}", "x"),
            ("bоb", "bob"),
            ("４１１１", "4111"),
            ("٤١١١", "4111"),
            ("𝟒𝟏𝟏𝟏", "4111"),
            ("café cafe\u{301}", "cafe cafe"),
            ("СЕКРЕТ", &folded_lower("секрет")),
            ("Straße", "strasse"),
            ("12\u{2011}34\u{a0}5", "12-34 5"),
            ("机密", "机密"),
        ] {
            assert_eq!(folded_lower(sent), seen, "{sent}");
        }
    }

    #[test]
    fn the_way_back_covers_whole_characters_and_their_marks() {
        let mut folded = Folded::default();
        let sent = "é１m\u{301}\u{200b}x";
        folded.push(sent);
        assert_eq!(folded.text(), "e1mx");
        let back: Vec<_> =
            (0..4).map(|i| sent.get(folded.start_of(i)..folded.end_of(i + 1)).unwrap()).collect();
        assert_eq!(back, ["é", "１", "m\u{301}", "x"]);
        assert_eq!(folded.start_of(4), sent.len());
    }

    #[test]
    fn what_is_called_plain_folds_to_no_trigger() {
        let plain = (0x80..=0x10_ffff).filter_map(char::from_u32).filter(|c| super::tables::is_plain(*c));
        let mut count = 0;
        for c in plain {
            count += 1;
            fold(c, &mut |folded| assert!(!folded.is_ascii_digit() && folded != '@', "{c:?}"));
        }
        assert!(count > 30_000);
        assert!(
            is_plain("Le comité s’est réuni – voilà")
                && !is_plain("réuni 1")
                && !is_plain("a＠b")
                && !is_plain("m²")
        );
    }

    #[test]
    fn a_long_invisible_run_breaks() {
        let mut folded = Folded::default();
        folded.push(&format!("a{}b{}c", "\u{200b}".repeat(16), "\u{200b}".repeat(18)));
        assert_eq!(folded.text(), "ab\0\0c");
    }
}
