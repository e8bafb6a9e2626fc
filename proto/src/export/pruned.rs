//! Events of an export that are said to have been pruned, held against the events that tell of it.
//!
//! Law: what nothing tells of in the export is not believed. What is said is looked up in what is told, sorted: a file that says much of much
//! costs no more than reading it. Absent on purpose: hashes; that what is left was logged is shown as of any event.

use std::collections::BTreeMap;

use crate::pruned::Run;

/// Events that are said to have been pruned, by the event that is said to tell of it, until that comes.
#[derive(Debug, Default)]
pub(super) struct Pruned {
    waiting: BTreeMap<u64, Vec<Said>>,
}

/// Events in a row, on lines in a row.
#[derive(Debug)]
pub(super) struct Said {
    line: u64,
    first: u64,
    last: u64,
    /// The least that their time is, where that is known.
    pub(super) least: Option<i64>,
}

/// A line, and the event on it.
pub(super) type Place = (u64, u64);

impl Pruned {
    /// An event says that another tells of its pruning; the least that its time is.
    pub(super) fn said(&mut self, (line, sequence): Place, (by, least): (u64, Option<i64>)) {
        let all = self.waiting.entry(by).or_default();
        match all.last_mut() {
            Some(said)
                if said.last.checked_add(1) == Some(sequence)
                    && said.line_of(sequence) == line
                    && said.least == least =>
            {
                said.last = sequence;
            }
            _ => all.push(Said { line, first: sequence, last: sequence, least }),
        }
    }

    /// An event comes that may tell of these.
    pub(super) fn takes(&mut self, by: u64) -> Vec<Said> {
        self.waiting.remove(&by).unwrap_or_default()
    }

    /// Those of which nothing that came tells.
    pub(super) fn left(&mut self) -> Vec<Place> {
        std::mem::take(&mut self.waiting).values().flatten().flat_map(Said::places).collect()
    }
}

/// Those of what is said that are not in what is told.
pub(super) fn untold(said: &[Said], told: Option<&[Run]>) -> Vec<Place> {
    let mut runs = told.unwrap_or_default().to_vec();
    runs.sort_unstable();
    // The last of all runs up to each: where one is within another, the longer one counts.
    let mut furthest = 0;
    let reach: Vec<u64> = runs
        .iter()
        .map(|(_, last)| {
            furthest = furthest.max(*last);
            furthest
        })
        .collect();
    let is_told = |sequence: u64| {
        let begun = runs.partition_point(|(first, _)| *first <= sequence);
        begun.checked_sub(1).and_then(|at| reach.get(at)).is_some_and(|last| *last >= sequence)
    };
    said.iter().flat_map(Said::places).filter(|(_, sequence)| !is_told(*sequence)).collect()
}

impl Said {
    fn line_of(&self, sequence: u64) -> u64 {
        self.line.saturating_add(sequence.saturating_sub(self.first))
    }

    /// Each of them.
    pub(super) fn places(&self) -> impl Iterator<Item = Place> {
        (self.first..=self.last).map(|sequence| (self.line_of(sequence), sequence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_held_against_what_is_told() {
        let mut pruned = Pruned::default();
        for (line, sequence, by) in [(3, 2, 9), (4, 3, 9), (5, 4, 8), (7, 6, 9), (8, 7, 20)] {
            pruned.said((line, sequence), (by, None));
        }
        assert_eq!(untold(&pruned.takes(8), None), [(5, 4)], "it tells of nothing");
        assert_eq!(untold(&pruned.takes(8), None), []);
        assert_eq!(untold(&pruned.takes(9), Some(&[(1, 2), (6, 6)])), [(4, 3)]);
        assert_eq!((pruned.left(), pruned.left()), (vec![(8, 7)], vec![]));
    }

    #[test]
    fn a_file_that_says_much_of_much_is_looked_through() {
        let mut pruned = Pruned::default();
        let count = 200_000_u64;
        (0..count).for_each(|at| pruned.said((at, 2 * at), (u64::MAX, None)));
        // Runs of odd events in no order, one that is within another, and one that ends before it begins.
        let mut runs: Vec<Run> = (0..count).rev().map(|at| (2 * at + 1, 2 * at + 1)).collect();
        runs.extend([(0, 10), (2, 2), (9, 3)]);
        let said = pruned.takes(u64::MAX);
        assert_eq!(untold(&said, Some(&runs)).len() as u64, count - 6);
        assert_eq!(untold(&said, Some(&[(0, u64::MAX)])), []);
    }
}
