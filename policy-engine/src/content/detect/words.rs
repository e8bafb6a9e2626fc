//! Lists of words and phrases, found whole and in any case.
//!
//! Law: a walk starts only where a word may start, goes at most the longest pattern deep, and reads no further than some pattern
//! is still alive, so that a stream holds back nothing that no pattern begins with.

use super::window::{Window, is_spaced_word};
use crate::content::normalise::{folded_lower, is_continuous_script};

/// Longest pattern once folded, bytes.
pub(super) const PATTERN: usize = 200;
/// Spaces in a row that a space in a pattern stands for.
const SPACES: usize = 4;

/// The patterns of all lists, as a tree over folded, lower-cased bytes.
#[derive(Debug)]
pub(super) struct Words {
    nodes: Vec<Node>,
    /// Bytes that some pattern starts with.
    first: [bool; 256],
}

#[derive(Debug, Default)]
struct Node {
    /// Sorted by byte.
    edges: Vec<(u8, u32)>,
    /// Lists with a pattern that ends here.
    lists: Vec<u32>,
}

/// A pattern as matched: folded, lower-cased, runs of space as one.
pub(super) fn pattern_of(word: &str) -> String {
    folded_lower(word).split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Words {
    /// No patterns.
    pub(super) fn new() -> Self {
        Self { nodes: vec![Node::default()], first: [false; 256] }
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
        if let Some(seen) = pattern.bytes().next().and_then(|byte| self.first.get_mut(usize::from(byte))) {
            *seen = true;
        }
    }

    fn may_start(&self, byte: u8) -> bool {
        self.first.get(usize::from(byte.to_ascii_lowercase())).copied().unwrap_or(false)
    }

    /// Reports every whole pattern that starts at or after `from`, as (list, start, end); gives the start of the first one that
    /// needs what has not arrived.
    pub(super) fn find(
        &self,
        window: &Window<'_>,
        from: usize,
        found: &mut impl FnMut(u32, usize, usize),
    ) -> Option<usize> {
        let bytes = window.bytes();
        let mut inside = window.char_before(from).is_some_and(is_spaced_word);
        let mut index = from;
        while let Some(byte) = bytes.get(index).copied() {
            let (spaced, width) = if byte.is_ascii() {
                (byte.is_ascii_alphanumeric() || byte == b'_', 1)
            } else {
                window.char_at(index).map_or((false, 1), |c| (is_spaced_word(c), c.len_utf8()))
            };
            if !(spaced && inside)
                && self.may_start(byte)
                && window.decide(|window| self.walk(window, index, found)).is_none()
            {
                return Some(index);
            }
            inside = spaced;
            index += width;
        }
        None
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
            let byte = if byte.is_ascii_whitespace() { b' ' } else { byte.to_ascii_lowercase() };
            let Ok(edge) = node.edges.binary_search_by_key(&byte, |edge| edge.0) else { return };
            at = node.edges.get(edge).map_or(usize::MAX, |edge| edge.1 as usize);
            index += 1;
            if byte == b' ' {
                let more = |n: &usize| window.at(index + n).is_some_and(|b| b.is_ascii_whitespace());
                index += (0..SPACES - 1).take_while(more).count();
            }
        }
    }
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
