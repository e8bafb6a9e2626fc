//! Events of an export that are said to have been pruned, held against the events that tell of it.
//!
//! Law: what nothing tells of in the export is not believed. Absent on purpose: hashes; that what is left was logged is shown as of any event.

use std::collections::BTreeMap;

use crate::pruned::Run;

/// Events that are said to have been pruned, by the event that is said to tell of it, until that comes.
#[derive(Debug, Default)]
pub(super) struct Pruned {
    waiting: BTreeMap<u64, Vec<Said>>,
}

/// Events in a row, on lines in a row.
#[derive(Debug)]
struct Said {
    line: u64,
    first: u64,
    last: u64,
}

/// A line, and the event on it.
pub(super) type Place = (u64, u64);

impl Pruned {
    /// An event says that another tells of its pruning.
    pub(super) fn said(&mut self, (line, sequence): Place, by: u64) {
        let all = self.waiting.entry(by).or_default();
        match all.last_mut() {
            Some(said) if said.last.checked_add(1) == Some(sequence) && said.line_of(sequence) == line => {
                said.last = sequence;
            }
            _ => all.push(Said { line, first: sequence, last: sequence }),
        }
    }

    /// An event comes that tells of these; gives those that it should tell of and does not.
    pub(super) fn told(&mut self, by: u64, runs: Option<&[Run]>) -> Vec<Place> {
        let said = self.waiting.remove(&by).unwrap_or_default();
        let is_told = |sequence: u64| {
            runs.is_some_and(|runs| runs.iter().any(|(first, last)| (*first..=*last).contains(&sequence)))
        };
        said.iter().flat_map(Said::places).filter(|(_, sequence)| !is_told(*sequence)).collect()
    }

    /// Those of which nothing that came tells.
    pub(super) fn left(&mut self) -> Vec<Place> {
        std::mem::take(&mut self.waiting).values().flatten().flat_map(Said::places).collect()
    }
}

impl Said {
    fn line_of(&self, sequence: u64) -> u64 {
        self.line.saturating_add(sequence.saturating_sub(self.first))
    }

    fn places(&self) -> impl Iterator<Item = Place> {
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
            pruned.said((line, sequence), by);
        }
        assert_eq!(pruned.told(8, None), [(5, 4)], "it tells of nothing");
        assert_eq!(pruned.told(8, None), []);
        assert_eq!(pruned.told(9, Some(&[(1, 2), (6, 6)])), [(4, 3)]);
        assert_eq!((pruned.left(), pruned.left()), (vec![(8, 7)], vec![]));
    }
}
