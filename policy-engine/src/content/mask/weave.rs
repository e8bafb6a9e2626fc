//! A text that is written out with its findings replaced, as far as it has arrived.
//!
//! Law: see the parent; what is written of a text does not depend on how it arrived. Absent on purpose: what is to be found.

use super::json::{Reading, behind_number, is_numeric, number_at_end};
use super::{Blocked, Masker, action};
use crate::content::detect::Finding;
use crate::decision::Actions;
use crate::vocabulary::MaskAction;

/// Part of a text, and its offset in the whole.
pub(in crate::content) struct Stretch<'a> {
    pub(in crate::content) text: &'a str,
    pub(in crate::content) at: usize,
}

impl Stretch<'_> {
    fn slice(&self, from: usize, to: usize) -> &str {
        let local = |offset: usize| offset.saturating_sub(self.at);
        self.text.get(local(from)..local(to)).unwrap_or_default()
    }
}

/// How far a text has been written out with its findings replaced.
#[derive(Debug, Default)]
pub(in crate::content) struct Weave {
    written: usize,
    reading: Reading,
    /// A number was replaced, of which more may follow.
    in_number: bool,
    /// A backslash was written last.
    slash: bool,
}

impl Weave {
    /// Of a text in which nothing is replaced.
    pub(in crate::content) fn unchanged() -> Self {
        Self { reading: Reading::prose(), ..Self::default() }
    }

    /// What follows is another text; offsets go on.
    pub(in crate::content) fn begin_text(&mut self) {
        (self.reading, self.in_number) = (Reading::default(), false);
    }

    /// Offset in the whole text of what is to be written next.
    pub(in crate::content) fn written(&self) -> usize {
        self.written
    }

    /// Writes up to the end of the last of `findings`, which are ordered and all start where nothing is open any more.
    pub(in crate::content) fn replace(
        &mut self,
        stretch: &Stretch<'_>,
        findings: &[Finding],
        actions: &Actions,
        (masker, out): (&mut Masker, &mut String),
    ) -> Result<(), Blocked> {
        for finding in findings {
            match action(actions, finding.what) {
                None | Some(MaskAction::Detect) => {}
                Some(MaskAction::Block) => {
                    self.pass(stretch, finding.start, out);
                    return Err(Blocked { what: finding.what });
                }
                Some(MaskAction::Mask) if finding.end > self.written => {
                    self.put(stretch, finding, (&mut *masker, &mut *out));
                }
                Some(MaskAction::Mask) => {}
            }
        }
        Ok(())
    }

    /// Writes a placeholder; as a string, in place of the whole number, where JSON has a number.
    fn put(&mut self, stretch: &Stretch<'_>, finding: &Finding, (masker, out): (&mut Masker, &mut String)) {
        let value = stretch.slice(finding.start, finding.end);
        if self.reading.is_prose() {
            return self.put_alone(stretch, (finding, value), (masker, out));
        }
        // What goes on from a number that was replaced went with it, whether or not it arrived before this was found.
        if self.in_number && stretch.slice(self.written, finding.start).bytes().all(is_numeric) {
            self.pass(stretch, finding.start, out);
        }
        let ahead = number_at_end(stretch.slice(self.written, finding.start));
        let is_number = value.bytes().all(is_numeric);
        if self.in_number && is_number && finding.start <= self.written {
            self.written = finding.end;
            return;
        }
        self.pass(stretch, finding.start - ahead, out);
        self.in_number = is_number && self.reading.expects_value();
        if self.in_number {
            out.push('"');
            masker.placeholder(finding.what, value, out);
            out.push('"');
            self.reading.skip_value();
            (self.written, self.slash) = (finding.end, false);
        } else {
            self.put_alone(stretch, (finding, value), (masker, out));
        }
    }

    /// Writes a placeholder where nothing has to be quoted.
    fn put_alone(
        &mut self,
        stretch: &Stretch<'_>,
        (finding, value): (&Finding, &str),
        (masker, out): (&mut Masker, &mut String),
    ) {
        self.pass(stretch, finding.start, out);
        let escape = if self.slash { rest_of_escape(value) } else { 0 };
        self.pass(stretch, finding.start + escape, out);
        masker.placeholder(finding.what, value, out);
        self.reading.advance(stretch.slice(self.written.max(finding.start), finding.end));
        (self.written, self.slash) = (finding.end, false);
    }

    /// Writes the text as it is up to `to`.
    pub(in crate::content) fn pass(&mut self, stretch: &Stretch<'_>, to: usize, out: &mut String) {
        if to > self.written {
            let mut text = stretch.slice(self.written, to);
            if self.in_number {
                text = behind_number(text);
                self.in_number = text.is_empty();
            }
            out.push_str(text);
            self.slash = text.ends_with('\\');
            if !self.reading.is_prose() {
                self.reading.advance(text);
            }
            self.written = to;
        }
    }

    /// The same, where more of the text may follow: what may be the beginning of a number that is replaced as a whole waits for it.
    pub(in crate::content) fn pass_so_far(&mut self, stretch: &Stretch<'_>, to: usize, out: &mut String) {
        if self.reading.is_prose() {
            return self.pass(stretch, to, out);
        }
        let open = number_at_end(stretch.slice(self.written, to.max(self.written)));
        self.pass(stretch, to.saturating_sub(open), out);
        if !self.reading.expects_value() {
            self.pass(stretch, to, out);
        }
    }
}

/// Bytes of what was found behind a backslash that are its escape's, as where base64 begins a line: they stay, or the backslash
/// would stand alone.
fn rest_of_escape(value: &str) -> usize {
    match value.as_bytes() {
        [b'n' | b't' | b'r' | b'b' | b'f', ..] => 1,
        [b'u', a, b, c, d, ..] if [a, b, c, d].into_iter().all(u8::is_ascii_hexdigit) => 5,
        _ => 0,
    }
}
