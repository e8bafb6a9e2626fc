//! Texts that stand apart and are read as one: the parts of a message.
//!
//! Law: what a part holds is found as if it stood alone, and what only the parts together hold is found as well; what crosses
//! from one part into others is replaced where it begins and cut from the others. Only text within [`NEAR`] bytes of where two parts
//! meet is read again. Absent on purpose: which texts those are.

use std::ops::Range;

use super::detect::{Detectors, Finding, order};
use super::mask::{self, Blocked, Masker, Stretch, Weave};
use crate::content::What;
use crate::decision::Actions;
use crate::vocabulary::Entity;

/// Bytes on either side of a seam that are read as one text.
const NEAR: usize = 4096;

/// Bytes at the ends of what is read so, in which nothing is believed: what stands beyond may make it something else.
const EDGE: usize = 1024;

/// Texts in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Joined {
    text: String,
    /// INVARIANT: ascending; the last is the length of `text`.
    ends: Vec<usize>,
}

impl Joined {
    /// Adds the next text.
    pub fn push(&mut self, part: &str) {
        self.text.push_str(part);
        self.ends.push(self.text.len());
    }

    /// The parts as one text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Each part and where it starts.
    pub fn parts(&self) -> impl Iterator<Item = (usize, &str)> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| (start, self.text.get(start..*end).unwrap_or_default()))
    }

    /// Appends what is found in each part, and what is found in all together and adds to that, in offsets of [`Joined::text`],
    /// ordered as by [`Detectors::scan`].
    pub fn scan(&self, detectors: &Detectors, findings: &mut Vec<Finding>) {
        let mut all = Vec::new();
        for (start, part) in self.parts() {
            let before = all.len();
            detectors.scan(part, &mut all);
            for finding in all.iter_mut().skip(before) {
                (finding.start, finding.end) = (finding.start + start, finding.end + start);
            }
        }
        let mut together = Vec::new();
        self.seams().for_each(|near| self.scan_near(near, detectors, &mut together));
        together.retain(|finding| !is_covered(finding, &all) && !only_grew(finding, &all));
        if !together.is_empty() {
            all.append(&mut together);
            all.sort_unstable_by_key(order);
        }
        findings.append(&mut all);
    }

    /// The text around the places where two parts meet, what overlaps taken together.
    fn seams(&self) -> impl Iterator<Item = Range<usize>> {
        let near = |end: usize| {
            let to = self.text.ceil_char_boundary((end + NEAR).min(self.text.len()));
            self.text.floor_char_boundary(end.saturating_sub(NEAR))..to
        };
        let inner = self.ends.split_last().map_or(&[][..], |(_, inner)| inner);
        let mut ends = inner.iter().map(move |end| near(*end)).peekable();
        std::iter::from_fn(move || {
            let mut seam = ends.next()?;
            while let Some(next) = ends.next_if(|next| next.start <= seam.end) {
                seam.end = next.end;
            }
            Some(seam)
        })
    }

    fn scan_near(&self, near: Range<usize>, detectors: &Detectors, findings: &mut Vec<Finding>) {
        let mut found = Vec::new();
        detectors.scan(self.text.get(near.clone()).unwrap_or_default(), &mut found);
        let first = if near.start == 0 { 0 } else { near.start + EDGE };
        let last = if near.end == self.text.len() { near.end } else { near.end - EDGE };
        let found = found.into_iter().map(|finding| Finding {
            start: finding.start + near.start,
            end: finding.end + near.start,
            ..finding
        });
        findings.extend(found.filter(|finding| finding.start >= first && finding.end <= last));
    }

    /// The parts with findings (as [`Joined::scan`] gave them) replaced as `actions` say.
    ///
    /// # Errors
    /// When a finding is to be blocked.
    pub fn masked(
        &self,
        findings: &[Finding],
        actions: &Actions,
        masker: &mut Masker,
    ) -> Result<Vec<String>, Blocked> {
        if let Some(finding) = mask::blocked(findings, actions) {
            return Err(Blocked { what: finding.what });
        }
        let stretch = Stretch { text: &self.text, at: 0 };
        let (mut weave, mut rest) = (Weave::default(), findings);
        let mut masked = Vec::with_capacity(self.ends.len());
        for end in &self.ends {
            let mut out = String::new();
            weave.begin_text();
            let (begun, later) = rest.split_at(rest.partition_point(|finding| finding.start < *end));
            weave.replace(&stretch, begun, actions, (masker, &mut out))?;
            weave.pass(&stretch, *end, &mut out);
            masked.push(out);
            rest = later;
        }
        Ok(masked)
    }
}

/// Findings that may begin before another and still reach into it: but for a word of many lists, overlapping ones are few.
const BACK: usize = 8;

/// Whether this one is among findings, in their order, or those of the same kind leave nothing of it uncovered: two values that
/// stand side by side in two parts are two, though they read as one.
fn is_covered(finding: &Finding, by: &[Finding]) -> bool {
    if by.binary_search_by_key(&order(finding), order).is_ok() {
        return true;
    }
    let same = near(finding, by).filter(|other| other.what == finding.what);
    let reach = |reached: usize, other: &Finding| match other.start <= reached {
        true => reached.max(other.end),
        false => reached,
    };
    same.fold(finding.start, reach) >= finding.end
}

/// Whether an address was whole in a part of its own and only took up words of its neighbour, which stay where they are.
fn only_grew(finding: &Finding, by: &[Finding]) -> bool {
    let address = What::Entity(Entity::Email);
    let mut others = near(finding, by).filter(|other| other.what == address);
    finding.what == address && others.any(|other| finding.start < other.end)
}

/// Findings that begin before a finding ends, but for those that begin long before it.
fn near<'f>(finding: &Finding, by: &'f [Finding]) -> impl Iterator<Item = &'f Finding> {
    let (start, end) = (finding.start, finding.end);
    let first = by.partition_point(|other| other.start <= start).saturating_sub(BACK);
    by.iter().skip(first).take_while(move |other| other.start < end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::content::WordList;
    use crate::vocabulary::{Entity, MaskAction};

    fn masked(parts: &[&str], action: MaskAction) -> Result<Vec<String>, Blocked> {
        let detectors = Detectors::compile(Entity::ALL.iter().copied(), []).unwrap();
        let mut actions = Actions::default();
        Entity::ALL.iter().for_each(|entity| actions.tighten(*entity, action));
        let mut joined = Joined::default();
        parts.iter().for_each(|part| joined.push(part));
        let mut findings = Vec::new();
        joined.scan(&detectors, &mut findings);
        joined.masked(&findings, &actions, &mut Masker::new())
    }

    #[test]
    fn what_crosses_is_replaced_where_it_begins_and_cut_from_the_others() {
        for (parts, expected) in [
            (&["a 4111 1111", " 1111 1111 b"][..], &["a [CREDIT_DEBIT_CARD_NUMBER_1]", " b"][..]),
            (&["bob@", "exam", "", "ple.com, x"], &["[EMAIL_1]", "", "", ", x"]),
            (&["4111111111111111", "0000000"], &["[CREDIT_DEBIT_CARD_NUMBER_1]", "0000000"]),
            (&["my phone is ", "4155552671"], &["my phone is ", "[PHONE_1]"]),
            (&["bob@x.co", "m ann@x.com", "bob@x.com"], &["[EMAIL_1]", "m [EMAIL_2]", "[EMAIL_3]"]),
            (&["ada@example.org", "foo bar"], &["[EMAIL_1]", "foo bar"]),
            (&["hello", "ada@example.org"], &["hello", "[EMAIL_1]"]),
            (&["", "nothing", ""], &["", "nothing", ""]),
            (&[], &[]),
        ] {
            let masked = masked(parts, MaskAction::Mask).unwrap();
            assert_eq!(masked, expected, "{parts:?}");
        }
        assert!(masked(&["4111 1111 ", "1111 1111"], MaskAction::Block).is_err());
        assert_eq!(
            masked(&["4111 1111 ", "1111 1111"], MaskAction::Detect).unwrap(),
            ["4111 1111 ", "1111 1111"]
        );
    }

    #[test]
    fn only_what_stands_near_a_seam_is_read_again() {
        let far = "so it was ".repeat(2_000);
        let parts: [&str; 7] = [&far, "4111 1111", " 1111 1111 ", &far, "bob@exam", "ple.com ", &far];
        let masked = masked(&parts, MaskAction::Mask).unwrap();
        assert_eq!(masked.concat().replace(&far, ""), "[CREDIT_DEBIT_CARD_NUMBER_1] [EMAIL_1] ");
        // Cut out of a longer number, the digits that are left would be a card's.
        let long = format!("{}4111111111111111", "1".repeat(9_000));
        let parts = [long.as_str(), &"1".repeat(9_000)];
        assert_eq!(super::tests::masked(&parts, MaskAction::Mask).unwrap(), parts);
    }

    #[test]
    fn a_word_of_many_lists_is_found_once_by_each() {
        let lists = (0..20).map(|n| WordList { id: n.to_string(), words: vec!["falcon".into()] });
        let detectors = Detectors::compile([], lists).unwrap();
        let mut joined = Joined::default();
        ["a falcon", " flies"].into_iter().for_each(|part| joined.push(part));
        let mut findings = Vec::new();
        joined.scan(&detectors, &mut findings);
        assert_eq!(findings.len(), 20);
    }

    proptest! {
        #[test]
        fn wherever_a_text_is_cut_its_findings_go(cut in 0_usize..40) {
            let text = "to bob@example.com, 4111 1111 1111 1111";
            let (left, right) = text.split_at(cut.min(text.len()));
            let parts = masked(&[left, right], MaskAction::Mask).unwrap();
            // A cut may leave a second address in what is whole only together; nothing of either may be left.
            let rest = parts.concat();
            prop_assert!(!rest.contains("bob@") && !rest.contains("1111"), "{rest}");
            prop_assert_eq!(parts.len(), 2);
        }
    }
}
