//! What a process before this one held, so that older files that are put in their place are not taken for what was there.
//!
//! Law: it is written after the files it is about, so that a crash between leaves it older than they are, never newer; of revocations
//! and kills it says what was held though the disk took none of it, for what was denied may not be forgotten. It only ever goes up.
//! Deliberately absent: a witness of itself. Where all files of a node are put back together, it is as old as they are.

use super::state::Version;
use crate::overlay::Said;

/// Epoch and seq of a statement, or epoch and revision of a policy.
type Place = (i64, u64);

/// Places, by what is at them: `revocations`, `kills`, and the kept policies by their files' names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Witness(Vec<(String, Place)>);

/// What is at a place.
fn word(said: Said) -> &'static str {
    match said {
        Said::Revocations => "revocations",
        Said::Kills => "kills",
    }
}

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

    /// Its lines, each of which begins with [`MARK`].
    pub(super) fn text(&self) -> String {
        self.0.iter().map(|(what, (epoch, at))| format!("{MARK}{what} {epoch} {at}\n")).collect()
    }

    /// Takes a line of the text up; what is no such line says nothing.
    pub(super) fn read(&mut self, line: &str) {
        let mut words = line.strip_prefix(MARK).into_iter().flat_map(|rest| rest.split(' '));
        let (what, epoch, at) = (words.next(), words.next(), words.next());
        let (epoch, at) = (epoch.and_then(|word| word.parse().ok()), at.and_then(|word| word.parse().ok()));
        if let (Some(what), Some(epoch), Some(at)) = (what, epoch, at) {
            self.put(what, (epoch, at));
        }
    }

    fn at(&self, what: &str) -> Option<Place> {
        self.0.iter().find(|(known, _)| known == what).map(|(_, place)| *place)
    }

    fn put(&mut self, what: &str, place: Place) {
        self.0.retain(|(known, _)| known != what);
        self.0.push((what.to_owned(), place));
    }
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
        let mut again = Witness::default();
        witness.text().lines().for_each(|line| again.read(line));
        assert_eq!(again, witness);
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
    fn rubbish_and_the_lines_of_versions_say_nothing() {
        let mut witness = Witness::default();
        for line in
            ["", "held", "held kills", "held kills 1", "held kills 1 x", "kills 1 2", "1 2 00 0 build"]
        {
            witness.read(line);
        }
        assert_eq!(witness, Witness::default());
    }
}
