//! Lists of words and phrases, found whole and in any case.
//!
//! Law: a walk starts only where a word may start, goes at most the longest pattern deep, and reads no further than some pattern
//! is still alive, so that a stream holds back nothing that no pattern begins with. An escape with a letter (`\falcon`) is that letter
//! where a word begins with it, and a space within a phrase.

use super::window::{Window, is_spaced_word};
use crate::content::normalise::{folded_lower, is_continuous_script, letter, mark, spelled};

/// Longest pattern once folded, bytes.
pub(super) const PATTERN: usize = 200;
/// Spaces in a row that a space in a pattern stands for.
const SPACES: usize = 4;

/// The patterns of all lists, as a tree over folded, lower-cased bytes.
#[derive(Debug)]
pub(super) struct Words {
    nodes: Vec<Node>,
    /// Pairs of bytes that some pattern starts with, one bit each: most words of a text are passed over by this alone.
    pairs: Box<[u64; PAIRS]>,
    /// Bytes that some pattern starts with, as they may be written.
    firsts: Box<[bool; 256]>,
}

/// 256 × 256 bits.
const PAIRS: usize = 1024;

#[derive(Debug, Default)]
struct Node {
    /// Sorted by byte.
    edges: Vec<(u8, u32)>,
    /// Lists with a pattern that ends here.
    lists: Vec<u32>,
}

/// A pattern as matched: folded, lower-cased, runs of space as one.
pub(super) fn pattern_of(word: &str) -> String {
    spelled(folded_lower(word)).split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Words {
    /// No patterns.
    pub(super) fn new() -> Self {
        Self { nodes: vec![Node::default()], pairs: Box::new([0; PAIRS]), firsts: Box::new([false; 256]) }
    }

    /// Whether there is nothing to find.
    pub(super) fn is_empty(&self) -> bool {
        self.nodes.len() == 1
    }

    /// Adds a pattern made by [`pattern_of`].
    pub(super) fn insert(&mut self, pattern: &str, list: u32) {
        let mut at = 0;
        for byte in pattern.bytes() {
            let fresh = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
            let Some(node) = self.nodes.get_mut(at) else { return };
            let next = match node.edges.binary_search_by_key(&byte, |edge| edge.0) {
                Ok(found) => node.edges.get(found).map_or(0, |edge| edge.1),
                Err(place) => {
                    node.edges.insert(place, (byte, fresh));
                    self.nodes.push(Node::default());
                    fresh
                }
            };
            at = next as usize;
        }
        if let Some(node) = self.nodes.get_mut(at)
            && !node.lists.contains(&list)
        {
            node.lists.push(list);
        }
        let mut opening = pattern.bytes();
        match (opening.next(), opening.next()) {
            (Some(first), Some(second)) => self.note_opening(first, second),
            (Some(first), None) => {
                let firsts = [Some(first), mark(first)].into_iter().flatten();
                firsts.for_each(|first| (0..=u8::MAX).for_each(|second| self.note_pair(first, second)));
            }
            (None, _) => {}
        }
    }

    /// Notes the pair, and how it looks where either is written as an escape.
    fn note_opening(&mut self, first: u8, second: u8) {
        for first in [Some(first), mark(first)].into_iter().flatten() {
            self.note_pair(first, second);
            if second == b' ' {
                b"ntrbf"
                    .iter()
                    .filter_map(|letter| mark(*letter))
                    .for_each(|mark| self.note_pair(first, mark));
            }
        }
    }

    fn note_pair(&mut self, first: u8, second: u8) {
        if let Some(bits) = self.pairs.get_mut(usize::from(first) * 4 + usize::from(second) / 64) {
            *bits |= 1 << (second % 64);
        }
        if self.firsts.get(usize::from(first)) == Some(&false) {
            let written = (0..=u8::MAX).zip(self.firsts.iter_mut());
            written.filter(|(byte, _)| as_matched(*byte) == first).for_each(|(_, starts)| *starts = true);
        }
    }

    fn is_pair(&self, first: u8, second: u8) -> bool {
        let bits = self.pairs.get(usize::from(first) * 4 + usize::from(second) / 64);
        bits.is_some_and(|bits| bits & (1 << (second % 64)) != 0)
    }

    /// Reports every whole pattern that starts at or after `from`, as (list, start, end); gives the start of the first one that
    /// needs what has not arrived.
    pub(super) fn find(
        &self,
        window: &Window<'_>,
        from: usize,
        found: &mut impl FnMut(u32, usize, usize),
    ) -> Option<usize> {
        let mut is_live = |index: usize| {
            starts_word(window, index) && window.decide(|window| self.walk(window, index, found)).is_none()
        };
        let mut index = from;
        loop {
            let rest = window.bytes().get(index..)?;
            let starts = |byte: &u8| self.firsts.get(usize::from(*byte)).is_some_and(|starts| *starts);
            let (skipped, first) = rest.iter().enumerate().find(|(_, byte)| starts(byte))?;
            index += skipped;
            let second = rest.get(skipped + 1);
            let may_be = second.is_none_or(|second| self.is_pair(as_matched(*first), as_matched(*second)));
            if may_be && is_live(index) {
                return Some(index);
            }
            index += 1;
        }
    }

    fn walk(&self, window: &Window<'_>, start: usize, found: &mut impl FnMut(u32, usize, usize)) {
        let (mut at, mut index) = (0, start);
        while let Some(node) = self.nodes.get(at) {
            if !node.lists.is_empty() && ends_word(window, index) {
                node.lists.iter().for_each(|list| found(*list, start, index));
            }
            if node.edges.is_empty() {
                return;
            }
            let Some(byte) = window.at(index) else { return };
            let byte = match letter(byte) {
                None => as_matched(byte),
                Some(letter) if index == start => letter,
                Some(_) => b' ',
            };
            let Ok(edge) = node.edges.binary_search_by_key(&byte, |edge| edge.0) else { return };
            at = node.edges.get(edge).map_or(usize::MAX, |edge| edge.1 as usize);
            index += 1;
            if byte == b' ' {
                let is_space = |b: u8| b.is_ascii_whitespace() || letter(b).is_some();
                let more = |n: &usize| window.at(index + n).is_some_and(is_space);
                index += (0..SPACES - 1).take_while(more).count();
            }
        }
    }
}

/// A byte as patterns spell it.
fn as_matched(byte: u8) -> u8 {
    const MATCHED: [u8; 256] = {
        let mut table = [0; 256];
        let mut byte = 0_u8;
        while let Some(place) = table.split_at_mut(byte as usize).1.first_mut() {
            *place = if byte.is_ascii_whitespace() { b' ' } else { byte.to_ascii_lowercase() };
            if byte == u8::MAX {
                break;
            }
            byte += 1;
        }
        table
    };
    MATCHED.get(usize::from(byte)).copied().unwrap_or(byte)
}

/// Whether a pattern may start at `index`, the first byte of a character or not.
fn starts_word(window: &Window<'_>, index: usize) -> bool {
    let inside = window.char_before(index).is_some_and(is_spaced_word);
    window.is_boundary(index) && !(inside && window.char_at(index).is_some_and(is_spaced_word))
}

/// Whether a word may end before `end`.
fn ends_word(window: &Window<'_>, end: usize) -> bool {
    let next = window.char_at(end);
    !(window.char_before(end).is_some_and(is_spaced_word) && next.is_some_and(is_spaced_word))
}

/// Whether a pattern could never stand whole in a text that is read character by character.
pub(super) fn is_blank(pattern: &str) -> bool {
    !pattern
        .chars()
        .any(|c| c.is_alphanumeric() || is_continuous_script(c) || c.is_ascii_punctuation() || !c.is_ascii())
}
