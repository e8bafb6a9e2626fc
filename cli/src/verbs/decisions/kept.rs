//! Captured content below some paths: each line of it by the request it is of, and whether it is what records say.
//!
//! Law: a file is known by its name's ending. A line that breaks off at the end of a file is one that is being written, or was when its
//! machine ended. Nothing is opened here.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use policy_engine::vocabulary::Instant;
use proto::captured::{ENDING, OPEN, hash};
use proto::segment::{Digest, Fault, Gap, Kind, unhex};
use serde::Deserialize;

use super::super::failure::Failure;

/// How deep directories are gone into: below the root of a store, a file is its geo, day and tenant deep.
const DEPTH: usize = 8;

/// Within how many bytes of its beginning a line says of which request it is.
const HEAD: usize = 256;

/// A line, and where it is.
pub(super) struct Found {
    /// The file.
    pub(super) path: PathBuf,
    /// The line.
    pub(super) line: Vec<u8>,
}

/// The lines of a request: more than one where it was written twice, or is on a node and in a store.
pub(super) fn of_request(paths: &[PathBuf], request_id: &str) -> Result<Vec<Found>, Failure> {
    let mut found = Vec::new();
    each(paths, &mut |path, line| {
        if request_of(line) == Some(request_id) {
            found.push(Found { path: path.to_owned(), line: line.to_vec() });
        }
    })?;
    Ok(found)
}

/// What is known of content: the hashes of its lines, by request.
#[derive(Debug, Default)]
pub(super) struct Known(HashMap<String, Vec<Digest>>);

/// What is wrong with the content that records name.
#[derive(Debug, Default)]
pub(super) struct Wrong {
    pub(super) faults: Vec<Fault>,
    pub(super) gaps: Vec<Gap>,
}

impl Known {
    /// What is below these paths.
    pub(super) fn below(paths: &[PathBuf]) -> Result<Self, Failure> {
        let mut known = Self::default();
        each(paths, &mut |_, line| {
            if let Some(request) = request_of(line) {
                known.0.entry(request.to_owned()).or_default().push(hash(line));
            }
        })?;
        Ok(known)
    }

    /// Holds a segment's records, of this node, against it. What is over by `now` may be gone.
    pub(super) fn missed_by(
        &self,
        lines: &Path,
        node: &(String, String),
        now: Instant,
    ) -> Result<Wrong, Failure> {
        let unread = |source| Failure::File { path: lines.to_owned(), source };
        let mut wrong = Wrong::default();
        let records = BufReader::with_capacity(1 << 16, File::open(lines).map_err(unread)?);
        for (at, line) in (1..).zip(records.split(b'\n')) {
            // What is no record is told by who checks the segment.
            let record = serde_json::from_slice::<Record>(&line.map_err(unread)?).ok();
            let Some(record) = record else { continue };
            let Some((sha256, until)) = record.captured.as_ref().and_then(Captured::place) else { continue };
            match self.0.get(&record.request_id) {
                Some(found) if found.contains(&sha256) => {}
                Some(_) => wrong.faults.push(Fault {
                    kind: Kind::Invalid,
                    line: Some(at),
                    why: format!("line {at}: the content of request {} was changed", record.request_id),
                }),
                None if until <= now => {}
                None => wrong.gaps.push(Gap {
                    node: node.clone(),
                    boot_id: record.boot_id,
                    seqs: (Some(record.seq), Some(record.seq)),
                    why: "its record names content that is not there",
                }),
            }
        }
        Ok(wrong)
    }
}

/// A record, as far as it tells of content.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    seq: u64,
    boot_id: String,
    request_id: String,
    #[serde(default)]
    captured: Option<Captured>,
}

#[derive(Deserialize)]
struct Captured {
    #[serde(default)]
    sha256: String,
    #[serde(default)]
    until: String,
}

impl Captured {
    /// What it has to be, and until when; `None` where it was lost.
    fn place(&self) -> Option<(Digest, Instant)> {
        Some((unhex(self.sha256.as_bytes())?, Instant::parse(&self.until).ok()?))
    }
}

/// The request that a line is of.
fn request_of(line: &[u8]) -> Option<&str> {
    let head = line.get(..HEAD.min(line.len())).unwrap_or_default();
    // What is cut within a letter is cut before it.
    let head = head.utf8_chunks().next()?.valid();
    let (_, rest) = head.split_once("\"requestId\":\"")?;
    rest.split_once('"').map(|(request, _)| request)
}

/// Goes through every whole line below these paths.
fn each(paths: &[PathBuf], take: &mut dyn FnMut(&Path, &[u8])) -> Result<(), Failure> {
    let mut files = Vec::new();
    for path in paths {
        let unread = |source: io::Error| Failure::File { path: path.clone(), source };
        match fs::metadata(path).map_err(unread)?.is_dir() {
            true => below(path, DEPTH, &mut files).map_err(unread)?,
            false => files.push(path.clone()),
        }
    }
    files.sort();
    for path in &files {
        let unread = |source| Failure::File { path: path.clone(), source };
        let mut file = BufReader::with_capacity(1 << 18, File::open(path).map_err(unread)?);
        let mut line = Vec::new();
        while file.read_until(b'\n', &mut line).map_err(unread)? > 0 {
            if line.ends_with(b"\n") {
                take(path, &line);
            }
            line.clear();
        }
    }
    Ok(())
}

fn below(directory: &Path, depth: usize, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let (kind, path) = (entry.file_type()?, entry.path());
        let is_one = path.extension().is_some_and(|ending| ending == ENDING || ending == OPEN);
        if kind.is_dir() && depth > 0 {
            below(&path, depth - 1, files)?;
        } else if kind.is_file() && is_one {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proto::captured::{DOMAIN, Header, seal};
    use proto::segment::hex;

    use super::*;

    fn line(request_id: &str, prompt: &[u8]) -> Vec<u8> {
        let header = Header {
            format: DOMAIN.to_owned(),
            request_id: request_id.to_owned(),
            tenant: "acme".to_owned(),
            geo: "eu".to_owned(),
            time: Instant(0),
            until: Instant(9),
            key: "ck-1".to_owned(),
            truncated: vec![],
            encapsulated: vec![1; 32],
            wrapped: vec![2; 48],
        };
        seal(&header, &[7; 32], (prompt, b"told")).unwrap()
    }

    #[test]
    fn content_is_found_by_its_request_and_held_against_records() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("captured/eu/2026-01-01/acme");
        fs::create_dir_all(&dir).unwrap();
        let (one, two) = (line("r-1", b"ask"), line("r-2", b"ask"));
        let torn = &line("r-3", b"ask")[..90];
        fs::write(dir.join("01-a.captured"), [&one[..], &two, torn].concat()).unwrap();
        fs::write(dir.join("01-b.jsonl"), &one).unwrap();
        let root = vec![home.path().to_owned()];
        let found = of_request(&root, "r-2").unwrap();
        assert_eq!((found.len(), &found[0].line), (1, &two));
        assert!(of_request(&root, "r-3").unwrap().is_empty() && of_request(&root, "r").unwrap().is_empty());
        // A file that is given is looked into, whatever its name is.
        assert_eq!(of_request(&[dir.join("01-b.jsonl")], "r-1").unwrap().len(), 1);

        let record = |seq: u64, request: &str, captured: &str| {
            format!(
                "{{\"seq\":{seq},\"bootId\":\"b\",\"requestId\":\"{request}\"{captured},\"chain\":\"\"}}\n"
            )
        };
        let of = |line: &[u8], until: &str| {
            format!(
                ",\"captured\":{{\"file\":\"a\",\"sha256\":\"{}\",\"until\":\"{until}\"}}",
                hex(&hash(line))
            )
        };
        let (late, past) = ("2026-02-01T00:00:00Z", "2026-01-01T00:00:00Z");
        let lines = [
            record(1, "r-1", &of(&one, late)),
            record(2, "r-2", &of(&one, late)),
            record(3, "r-9", &of(&one, late)),
            record(4, "r-9", &of(&one, past)),
            record(5, "r-9", ",\"captured\":{\"lost\":\"disk\"}"),
            record(6, "r-9", ""),
        ];
        let records = home.path().join("1.jsonl");
        fs::write(&records, lines.concat()).unwrap();
        let node = ("eu".to_owned(), "eu-1".to_owned());
        let now = Instant::parse("2026-01-15").unwrap();
        let wrong = Known::below(&root).unwrap().missed_by(&records, &node, now).unwrap();
        let faults: Vec<_> = wrong.faults.iter().map(|fault| fault.why.as_str()).collect();
        assert_eq!(faults, ["line 2: the content of request r-2 was changed"]);
        let gaps: Vec<_> = wrong.gaps.iter().map(|gap| gap.seqs).collect();
        assert_eq!(gaps, [(Some(3), Some(3))]);
    }
}
