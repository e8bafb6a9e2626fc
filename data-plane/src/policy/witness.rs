//! What a process before this one held, so that older files that are put in their place are not taken for what was there.
//!
//! Law: it is written after the files it is about, so that a crash between leaves it older than they are, never newer; of revocations
//! and kills it says what was held though the disk took none of it, for what was denied may not be forgotten. It only ever goes up; but
//! for what is kept of earlier epochs, which is removed once nothing follows from it: of that it says what was there last, byte for
//! byte. That it was gone once, it says until the control plane was heard, however often the node starts before.
//! Deliberately absent: a witness of itself. Where all files of a node are put back together, it is as old as they are.

use super::state::Version;
use crate::overlay::{Said, Traced};

/// Epoch and seq of a statement, or epoch and revision of a policy.
type Place = (i64, u64);

/// SHA-256.
pub(super) type Digest = [u8; 32];

/// What was held.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Witness {
    /// Places, by what is at them: `revocations`, `kills`, what is kept of earlier epochs, with its length, the audit log with its size, and
    /// the kept policies by their files' names.
    places: Vec<(String, Place)>,
    /// Digests of the files of what is kept of earlier epochs; a build before this one left none.
    digests: Vec<(String, Digest)>,
}

/// What is at a place.
fn word(said: Said) -> &'static str {
    match said {
        Said::Revocations => "revocations",
        Said::Kills => "kills",
    }
}

/// Where the last statement is that is kept of earlier epochs, how long they are, and what their file's digest is.
fn traces(said: Said) -> [&'static str; 3] {
    match said {
        Said::Revocations => {
            ["revocations-earlier", "revocations-earlier-bytes", "revocations-earlier-sha256"]
        }
        Said::Kills => ["kills-earlier", "kills-earlier-bytes", "kills-earlier-sha256"],
    }
}

/// What is said of the audit log.
const AUDIT: &str = "audit";

/// What says, at seq 1, that all of it was gone.
const GONE: &str = "gone";

impl Witness {
    /// The place of the newest statement that was held.
    pub(super) fn held(&self, said: Said) -> Place {
        self.at(word(said)).unwrap_or_default()
    }

    /// A statement is held; tells whether that is news.
    pub(super) fn holds(&mut self, said: Said, place: Place) -> bool {
        let news = place > self.held(said);
        if news {
            self.put(word(said), place);
        }
        news
    }

    /// The epoch and the size at which the audit log was seen.
    pub(super) fn seen(&self) -> Place {
        self.at(AUDIT).unwrap_or_default()
    }

    /// The audit log is seen at this; tells whether that is news.
    pub(super) fn sees(&mut self, place: Place) -> bool {
        let news = place > self.seen();
        if news {
            self.put(AUDIT, place);
        }
        news
    }

    /// What is kept of earlier epochs, from now on; tells whether that is news.
    pub(super) fn traces(&mut self, said: Said, traced: Traced) -> bool {
        let [place, bytes, digest] = traces(said);
        let now = [(place, traced.place), (bytes, (0, traced.bytes))];
        let news = now.iter().any(|(what, at)| self.at(what).unwrap_or_default() != *at)
            || self.digest(digest).unwrap_or_default() != traced.digest;
        if news {
            now.into_iter().for_each(|(what, at)| self.put(what, at));
            self.put_digest(digest, traced.digest);
        }
        news
    }

    /// Whether less is kept of earlier epochs than was, or something else that ends alike.
    pub(super) fn traced_more(&self, said: Said, found: Traced) -> bool {
        let [place, bytes, digest] = traces(said);
        let [place, bytes] = [place, bytes].map(|what| self.at(what).unwrap_or_default());
        let is_other =
            || (0, found.bytes) != bytes || self.digest(digest).is_some_and(|digest| digest != found.digest);
        found.place < place || (found.place == place && is_other())
    }

    /// Whether a kept file that ends with this version is older than it was.
    pub(super) fn is_older(&self, file: &str, version: &Version) -> bool {
        self.at(file).is_some_and(|kept| place_of(version) < kept)
    }

    /// A file ends with this version from now on.
    pub(super) fn keeps(&mut self, file: &str, version: &Version) {
        self.put(file, place_of(version));
    }

    /// The current file became the previous one.
    pub(super) fn moved(&mut self) {
        if let Some(current) = self.at("current") {
            self.put("previous", current);
        }
    }

    /// Whether it says nothing: a build that wrote none was here before, or nothing was held yet.
    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Whether it was gone, and the control plane was not heard since.
    pub(super) fn is_gone(&self) -> bool {
        self.at(GONE).is_some_and(|(_, gone)| gone > 0)
    }

    /// It was gone, or what was held is known again.
    pub(super) fn set_gone(&mut self, gone: bool) {
        self.put(GONE, (0, u64::from(gone)));
    }

    /// Its lines, each of which begins with [`MARK`].
    pub(super) fn text(&self) -> String {
        let places = self.places.iter().map(|(what, (epoch, at))| format!("{MARK}{what} {epoch} {at}\n"));
        let digests = self.digests.iter().map(|(what, digest)| format!("{MARK}{what} {}\n", hex(digest)));
        places.chain(digests).collect()
    }

    /// Takes a line of the text up; what is no such line says nothing.
    pub(super) fn read(&mut self, line: &str) {
        let mut words = line.strip_prefix(MARK).into_iter().flat_map(|rest| rest.split(' '));
        match (words.next(), words.next(), words.next()) {
            (Some(what), Some(epoch), Some(at)) => {
                if let (Ok(epoch), Ok(at)) = (epoch.parse(), at.parse()) {
                    self.put(what, (epoch, at));
                }
            }
            (Some(what), Some(digest), None) => {
                if let Some(digest) = digest_of(digest) {
                    self.put_digest(what, digest);
                }
            }
            _ => {}
        }
    }

    fn at(&self, what: &str) -> Option<Place> {
        self.places.iter().find(|(known, _)| known == what).map(|(_, place)| *place)
    }

    fn put(&mut self, what: &str, place: Place) {
        self.places.retain(|(known, _)| known != what);
        self.places.push((what.to_owned(), place));
    }

    fn digest(&self, what: &str) -> Option<Digest> {
        self.digests.iter().find(|(known, _)| known == what).map(|(_, digest)| *digest)
    }

    fn put_digest(&mut self, what: &str, digest: Digest) {
        self.digests.retain(|(known, _)| known != what);
        self.digests.push((what.to_owned(), digest));
    }
}

/// A digest in hexadecimal digits.
pub(super) fn hex(digest: &Digest) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The digest of 64 hexadecimal digits.
pub(super) fn digest_of(hex: &str) -> Option<Digest> {
    let hex = Some(hex).filter(|hex| hex.len() == 64 && hex.is_ascii())?;
    let mut digest = [0; 32];
    for (at, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(digest)
}

/// What its lines begin with: a build that does not know them takes them for no version.
const MARK: &str = "held ";

fn place_of(version: &Version) -> Place {
    (version.epoch, u64::try_from(version.revision).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(epoch: i64, revision: i64) -> Version {
        Version { epoch, revision, digest: [0; 32] }
    }

    #[test]
    fn case_04_what_is_older_than_what_was_there_is_known_over_a_restart() {
        let mut witness = Witness::default();
        assert!(witness.holds(Said::Kills, (1, 9)) && !witness.holds(Said::Kills, (1, 9)));
        assert!(!witness.holds(Said::Kills, (1, 8)), "it never goes down");
        assert!(witness.holds(Said::Kills, (2, 3)), "an epoch is more than any seq");
        witness.keeps("current", &version(1, 5));
        witness.moved();
        witness.keeps("current", &version(1, 6));
        assert!(witness.traces(Said::Kills, Traced { place: (1, 2), bytes: 3, digest: [7; 32] }));
        witness.set_gone(true);
        let mut again = Witness::default();
        witness.text().lines().for_each(|line| again.read(line));
        assert_eq!(again, witness);
        assert!(again.is_gone());
        assert_eq!((again.held(Said::Kills), again.held(Said::Revocations)), ((2, 3), (0, 0)));
        for (file, revision, older) in [
            ("current", 5, true),
            ("current", 6, false),
            ("previous", 4, true),
            ("previous", 5, false),
            ("proven", 1, false),
        ] {
            assert_eq!(again.is_older(file, &version(1, revision)), older, "{file} {revision}");
        }
        assert!(!again.is_older("current", &version(2, 1)));
    }

    #[test]
    fn case_04_what_is_kept_of_earlier_epochs_is_known_byte_for_byte_but_by_a_build_that_left_no_digest() {
        let kept = Traced { place: (1, 2), bytes: 3, digest: [7; 32] };
        let other = Traced { digest: [8; 32], ..kept };
        let mut witness = Witness::default();
        assert!(witness.traces(Said::Kills, kept) && !witness.traces(Said::Kills, kept));
        assert!(!witness.traced_more(Said::Kills, kept) && witness.traced_more(Said::Kills, other));
        assert!(witness.traced_more(Said::Kills, Traced::default()));
        // What was written after it is newer.
        assert!(!witness.traced_more(Said::Kills, Traced { place: (1, 3), ..other }));
        let mut before = Witness::default();
        witness.text().lines().filter(|line| !line.contains("sha256")).for_each(|line| before.read(line));
        assert!(!before.traced_more(Said::Kills, other));
        assert!(before.traces(Said::Kills, kept) && before.traced_more(Said::Kills, other));
        assert!(witness.traces(Said::Kills, Traced::default()));
        assert!(!witness.traced_more(Said::Kills, Traced::default()));
    }

    #[test]
    fn rubbish_and_the_lines_of_versions_say_nothing() {
        let mut witness = Witness::default();
        for line in [
            "",
            "held",
            "held kills",
            "held kills 1",
            "held kills 1 x",
            "kills 1 2",
            "1 2 00 0 build",
            "held k 0g",
        ] {
            witness.read(line);
        }
        assert_eq!(witness, Witness::default());
    }
}
