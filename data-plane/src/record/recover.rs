//! What a process left that was ended: its open segment is read again, cut to whole lines, and can be sealed.
//!
//! Law: nothing is sealed that is not as it was written. A file of a build that chained no lines, or one that somebody changed, is
//! left as it is, without a seal.

use std::io::{self, BufRead as _};

use policy_engine::vocabulary::Instant;
use proto::segment::{Digest, numbered};
use serde::Deserialize;

use super::file::Lines;
use super::tally::{Counted, Tally};

/// What a file was found to be.
#[derive(Debug)]
pub(super) enum Left {
    /// Nothing: it may be written to.
    Empty,
    /// Lines of a process.
    Lines(Box<Recovered>),
    /// Lines that nothing vouches for; why.
    Unknown(&'static str),
}

/// Lines that were read again.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) tally: Tally,
    pub(super) boot_id: String,
    /// Bytes of a torn line that were cut off.
    pub(super) torn: u64,
}

/// What a manifest says of a line beside its number.
#[derive(Deserialize)]
struct Told {
    time: String,
    revision: i64,
}

/// Reads a file again that follows a manifest with this hash, and cuts off a torn line.
pub(super) fn recover(lines: &mut Lines, previous: Digest) -> io::Result<Left> {
    let mut reader = lines.reader()?;
    let (mut tally, mut boot_id) = (Tally::after(previous), String::new());
    let (mut line, mut whole) = (Vec::new(), 0_u64);
    loop {
        line.clear();
        reader.read_until(b'\n', &mut line)?;
        if !line.ends_with(b"\n") {
            break;
        }
        let read = numbered(&line).and_then(|read| Some((read, serde_json::from_slice::<Told>(&line).ok()?)));
        let Some((read, told)) = read else {
            return Ok(Left::Unknown("a line is not one of a chain: it may be of an earlier build"));
        };
        let mut chain = tally.chain();
        let same_boot = tally.count() == 0 || boot_id == read.boot_id;
        if !chain.takes(&read) || !same_boot || (tally.count() > 0 && read.seq <= tally.last_seq()) {
            return Ok(Left::Unknown("a line is not as it was written"));
        }
        if tally.count() == 0 {
            read.boot_id.clone_into(&mut boot_id);
        }
        let received = Instant::parse(&told.time).unwrap_or(Instant(0));
        tally.count_line(Counted { seq: read.seq, revision: told.revision, received });
        tally.wrote(&line, chain);
        whole = whole.saturating_add(line.len() as u64);
    }
    let torn = lines.length().saturating_sub(whole);
    if torn > 0 {
        lines.cut(whole)?;
    }
    Ok(match tally.count() {
        0 => Left::Empty,
        _ => Left::Lines(Box::new(Recovered { tally, boot_id, torn })),
    })
}
