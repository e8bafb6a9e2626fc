//! What was said in the cues of a transcript (SubRip, WebVTT), read as one text.
//!
//! Law: what is said goes on over the cues, so a number may stand in two of them; between them are frames, which are nobody's words:
//! a cue's number, and its time, in their strict forms alone. Whatever else a line is, it is something said. Deliberately absent: what
//! is found.

use policy_engine::content::{Blocked, Detectors, Finding, Joined, Masker};
use policy_engine::decision::Actions;

/// A transcript, line by line.
pub(super) struct Cues<'t> {
    /// Each line, its end included, and whether it is something said.
    lines: Vec<(&'t str, bool)>,
}

impl<'t> Cues<'t> {
    /// Reads a text; `None`: it has no cues.
    pub(super) fn read(text: &'t str) -> Option<Self> {
        let mut lines: Vec<(&str, bool)> = text.split_inclusive('\n').map(|line| (line, true)).collect();
        let times: Vec<usize> =
            lines.iter().enumerate().filter(|(_, (line, _))| is_time(line)).map(|(at, _)| at).collect();
        for at in &times {
            // What stands above a time is the cue's number, where it is one, and the empty line before that.
            let above = |back: usize| at.checked_sub(back);
            let numbered = above(1).and_then(|at| lines.get(at)).is_some_and(|(line, _)| is_number(line));
            let empty = above(if numbered { 2 } else { 1 }).filter(|at| {
                lines.get(*at).is_some_and(|(line, _)| line.trim_end_matches(['\r', '\n']).is_empty())
            });
            let number = above(1).filter(|_| numbered);
            for frame in [Some(*at), number, empty].into_iter().flatten() {
                if let Some((_, said)) = lines.get_mut(frame) {
                    *said = false;
                }
            }
        }
        (!times.is_empty()).then_some(Self { lines })
    }

    fn joined(&self) -> Joined {
        let mut joined = Joined::default();
        self.lines.iter().filter(|(_, said)| *said).for_each(|(line, _)| joined.push(line));
        joined
    }

    /// Appends what is found in what was said, in offsets of that.
    pub(super) fn scan(&self, detectors: &Detectors, findings: &mut Vec<Finding>) {
        self.joined().scan(detectors, findings);
    }

    /// The transcript with such findings masked; its frames stay.
    ///
    /// # Errors
    /// When a finding is to be blocked.
    pub(super) fn masked(
        &self,
        findings: &[Finding],
        actions: &Actions,
        masker: &mut Masker,
    ) -> Result<String, Blocked> {
        let mut said = self.joined().masked(findings, actions, masker)?.into_iter();
        let mut masked = String::new();
        for (line, is_said) in &self.lines {
            if !is_said {
                masked.push_str(line);
            } else if let Some(said) = said.next() {
                masked.push_str(&said);
                // A finding that goes on in the next cue takes the end of its line along.
                if line.ends_with('\n') && !said.ends_with('\n') {
                    masked.push('\n');
                }
            }
        }
        Ok(masked)
    }
}

/// A cue's number: up to six digits.
fn is_number(line: &str) -> bool {
    let line = line.trim_end_matches(['\r', '\n']);
    (1..=6).contains(&line.len()) && line.bytes().all(|byte| byte.is_ascii_digit())
}

/// A cue's time: `00:00:01,000 --> 00:00:02,000`, with a point in WebVTT, which may leave out the hours.
fn is_time(line: &str) -> bool {
    let sides = line.trim_end_matches(['\r', '\n']).split_once(" --> ");
    sides.is_some_and(|(from, to)| is_instant(from) && is_instant(to))
}

fn is_instant(text: &str) -> bool {
    let digits =
        |text: &str, count: usize| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some((clock, millis)) = text.split_once([',', '.']) else { return false };
    let parts: Vec<&str> = clock.split(':').collect();
    (2..=3).contains(&parts.len()) && parts.iter().all(|part| digits(part, 2)) && digits(millis, 3)
}

#[cfg(test)]
mod tests {
    use policy_engine::vocabulary::{Entity, MaskAction};

    use super::*;

    fn masked(text: &str) -> String {
        let detectors = Detectors::compile(Entity::ALL.iter().copied(), []).unwrap();
        let mut actions = Actions::default();
        Entity::ALL.iter().for_each(|entity| actions.tighten(*entity, MaskAction::Mask));
        let (cues, mut findings) = (Cues::read(text).unwrap(), Vec::new());
        cues.scan(&detectors, &mut findings);
        cues.masked(&findings, &actions, &mut Masker::new()).unwrap()
    }

    #[test]
    fn a_number_that_goes_on_in_the_next_cue_is_masked() {
        for (text, expected) in [
            (
                "1\n00:00:00,000 --> 00:00:01,000\nmy card is 4111 1111\n\n2\n00:00:01,000 --> 00:00:02,000\n1111 1111, thanks\n",
                "1\n00:00:00,000 --> 00:00:01,000\nmy card is [CREDIT_DEBIT_CARD_NUMBER_1]\n\n2\n00:00:01,000 --> 00:00:02,000\n, thanks\n",
            ),
            (
                "WEBVTT\r\n\r\n00:00.000 --> 00:01.000\r\nbob@exam\r\n\r\n00:01.000 --> 00:02.000\r\nask bob@example.org\r\n",
                "WEBVTT\r\n\r\n00:00.000 --> 00:01.000\r\nbob@exam\r\n\r\n00:01.000 --> 00:02.000\r\nask [EMAIL_1]\r\n",
            ),
        ] {
            assert_eq!(masked(text), expected);
        }
    }

    #[test]
    fn what_nothing_is_found_in_stays_and_what_has_no_cues_is_none() {
        let text = "WEBVTT - 12\n\nNOTE said\n\nintro\n00:00.000 --> 00:01.000 align:left\nhi\n\n7\n00:01:00.000 --> 00:02:00.000\nyou";
        assert_eq!(masked(text), text);
        for text in ["", "hello", "4111 --> 1111", "00:00:00 --> 00:00:01\nhi"] {
            assert!(Cues::read(text).is_none(), "{text}");
        }
        let hidden =
            "1\n00:00:00,000 --> 00:00:01,000\nhi\n\n4111111111111111\n00:00:01,000 --> 00:00:02,000\nyou\n";
        assert!(masked(hidden).contains("[CREDIT_DEBIT_CARD_NUMBER_1]"), "no cue has such a number");
    }
}
