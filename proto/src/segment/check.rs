//! One segment against its manifest: every line by its hash, its number and its process, and the file by its digest.
//!
//! Law: the first line that is not as it was written is named. A number that is missing where the chain holds was never written; one
//! that is missing where it does not hold was taken out.

use std::io::{BufRead, Read as _};

use aws_lc_rs::digest::{Context, SHA256};

use super::{Chain, Fault, Kind, Manifest, numbered};

/// The longest line that is read, in bytes: far above what a record has.
const MOST: u64 = 1 << 20;

/// What a segment held, that is as it was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    /// Lines.
    pub count: u64,
    /// Numbers, first and last, of records that were never written: there was no place for them.
    pub missing: Vec<(u64, u64)>,
}

/// Checks a segment's file. Whether the manifest is signed is not looked at.
///
/// # Errors
/// It is not what the manifest says, with the line at fault where it is one.
pub fn check(manifest: &Manifest, mut file: impl BufRead) -> Result<Checked, Fault> {
    let (mut whole, mut line) = (Context::new(&SHA256), Vec::new());
    let mut reading = Reading::of(manifest);
    loop {
        line.clear();
        let read = (&mut file).take(MOST).read_until(b'\n', &mut line);
        let at = reading.checked.count + 1;
        read.map_err(|error| Fault::at(at, format!("line {at} can't be read: {error}")))?;
        if line.is_empty() {
            break;
        }
        whole.update(&line);
        reading.line(&line)?;
    }
    reading.end(whole.finish().as_ref())
}

struct Reading<'m> {
    manifest: &'m Manifest,
    chain: Chain,
    /// The number that is due.
    due: u64,
    checked: Checked,
}

impl<'m> Reading<'m> {
    fn of(manifest: &'m Manifest) -> Self {
        let chain = Chain::after(manifest.previous);
        Self { manifest, chain, due: manifest.first_seq, checked: Checked::default() }
    }

    fn line(&mut self, line: &[u8]) -> Result<(), Fault> {
        let at = self.checked.count + 1;
        let due = self.due;
        if at > self.manifest.count {
            return Err(Fault::at(at, format!("line {at} is one more than were signed for")));
        }
        let Some(read) = numbered(line) else {
            return Err(match line.ends_with(b"\n") {
                true => Fault::at(at, format!("line {at}, where seq {due} is due, is no record")),
                false => Fault {
                    kind: Kind::Truncated,
                    line: Some(at),
                    why: format!("line {at}, where seq {due} is due, breaks off"),
                },
            });
        };
        if !self.chain.takes(&read) {
            let why = match read.seq {
                seq if seq == due => format!("line {at}, seq {seq}, is not as it was written"),
                seq if seq > due => {
                    format!(
                        "line {at} is seq {seq} where {due} is due: it was changed, or what stood before it is gone"
                    )
                }
                seq => format!("line {at} is seq {seq} where {due} is due: it was changed, put in, or moved"),
            };
            return Err(Fault::at(at, why));
        }
        if read.boot_id != self.manifest.boot_id {
            return Err(Fault::at(at, format!("line {at} is of another process than the manifest says")));
        }
        if read.seq < due {
            return Err(Fault::at(at, format!("line {at} is seq {} where {due} is due", read.seq)));
        }
        self.skip_to(read.seq);
        self.due = read.seq.saturating_add(1);
        self.checked.count = at;
        Ok(())
    }

    /// Notes the numbers up to one as missing.
    fn skip_to(&mut self, seq: u64) {
        if seq > self.due {
            self.checked.missing.push((self.due, seq - 1));
        }
    }

    fn end(mut self, sha256: &[u8]) -> Result<Checked, Fault> {
        let Manifest { count, last_seq, chain, .. } = self.manifest;
        if self.checked.count < *count {
            let gone = count - self.checked.count;
            let why = format!("the last {gone} of {count} lines are gone, from seq {} on", self.due);
            return Err(Fault { kind: Kind::Truncated, line: Some(self.checked.count + 1), why });
        }
        if self.chain.digest() != *chain || sha256 != self.manifest.sha256 {
            return Err(Fault::new(
                Kind::Invalid,
                "it is chained, and is not what was signed: it was written anew",
            ));
        }
        if last_seq.checked_add(1).is_none_or(|next| next < self.due) {
            return Err(Fault::new(Kind::Invalid, "its last number is above what was signed"));
        }
        self.skip_to(last_seq.saturating_add(1));
        Ok(self.checked)
    }
}
