//! The rows of the table: what is asked, how, and how hard.

use crate::load::{Door, Shape};
use crate::servers::mock::Writing;

/// Who sets the pace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// This many connections, each asking again when it has its answer.
    Closed(usize),
    /// This many requests a second, come what may.
    Open(u32),
}

/// One line of the table.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) door: Door,
    pub(crate) shape: Shape,
    pub(crate) pace: Pace,
    /// How the mock writes the stream that is asked for; none: a unary answer.
    pub(crate) writing: Option<Writing>,
}

const SMALL: usize = 622;
const LARGE: usize = 8_192;

fn unary(name: &'static str, door: Door, bytes: usize, pace: Pace) -> Row {
    Row { name, door, shape: Shape { bytes, stream: false }, pace, writing: None }
}

fn stream(name: &'static str, writing: Writing, connections: usize) -> Row {
    let shape = Shape { bytes: SMALL, stream: true };
    Row { name, door: Door::Rest, shape, pace: Pace::Closed(connections), writing: Some(writing) }
}

/// A stream that is told in another dialect than the vendor's.
fn translated(name: &'static str, writing: Writing, connections: usize) -> Row {
    Row { door: Door::Messages, ..stream(name, writing, connections) }
}

/// The rows that the floors speak of are found by these names.
pub(crate) const UNARY_1: &str = "openai 0.6 kB";
pub(crate) const UNARY_16: &str = "openai 0.6 kB x16";
pub(crate) const UNARY_64: &str = "openai 0.6 kB x64";
pub(crate) const UNARY_OPEN: &str = "openai 0.6 kB 1000/s";
pub(crate) const GRPC_16: &str = "grpc 0.6 kB x16";
pub(crate) const STREAM_1: &str = "stream burst";
pub(crate) const STREAM_16: &str = "stream burst x16";
pub(crate) const STREAM_WHOLE_1: &str = "stream coalesced";
pub(crate) const STREAM_PACED: &str = "stream paced x64";
pub(crate) const TRANSLATED: &str = "translated coalesced";
pub(crate) const STREAM_SPLIT: &str = "stream split x16";

/// Everything, under the small policy.
pub(crate) fn quickstart() -> Vec<Row> {
    vec![
        unary(UNARY_1, Door::Rest, SMALL, Pace::Closed(1)),
        unary(UNARY_16, Door::Rest, SMALL, Pace::Closed(16)),
        unary(UNARY_64, Door::Rest, SMALL, Pace::Closed(64)),
        unary(UNARY_OPEN, Door::Rest, SMALL, Pace::Open(1_000)),
        unary("openai 8 kB x16", Door::Rest, LARGE, Pace::Closed(16)),
        unary("grpc 0.6 kB", Door::Grpc, SMALL, Pace::Closed(1)),
        unary(GRPC_16, Door::Grpc, SMALL, Pace::Closed(16)),
        unary("grpc 0.6 kB x64", Door::Grpc, SMALL, Pace::Closed(64)),
        stream(STREAM_1, Writing::Burst, 1),
        stream(STREAM_16, Writing::Burst, 16),
        stream(STREAM_WHOLE_1, Writing::Coalesced, 1),
        stream(STREAM_PACED, Writing::Paced, 64),
        stream(STREAM_SPLIT, Writing::Split, 16),
        stream("stream coalesced x16", Writing::Coalesced, 16),
        unary("anthropic 0.6 kB x16", Door::Messages, SMALL, Pace::Closed(16)),
        translated(TRANSLATED, Writing::Coalesced, 1),
        translated("translated paced x64", Writing::Paced, 64),
    ]
}

/// What may grow with the policy.
pub(crate) fn large() -> Vec<Row> {
    vec![
        unary(UNARY_1, Door::Rest, SMALL, Pace::Closed(1)),
        unary(UNARY_16, Door::Rest, SMALL, Pace::Closed(16)),
        unary(UNARY_64, Door::Rest, SMALL, Pace::Closed(64)),
        unary("openai 8 kB x16", Door::Rest, LARGE, Pace::Closed(16)),
        unary(GRPC_16, Door::Grpc, SMALL, Pace::Closed(16)),
        stream(STREAM_16, Writing::Burst, 16),
        stream(STREAM_PACED, Writing::Paced, 64),
        stream(STREAM_SPLIT, Writing::Split, 16),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_that_a_floor_names_is_there_once() {
        let names: Vec<&str> = quickstart().iter().map(|row| row.name).collect();
        let wanted = [
            UNARY_1,
            UNARY_16,
            UNARY_64,
            UNARY_OPEN,
            GRPC_16,
            STREAM_1,
            STREAM_16,
            STREAM_WHOLE_1,
            STREAM_PACED,
            STREAM_SPLIT,
            TRANSLATED,
        ];
        for name in wanted {
            assert_eq!(names.iter().filter(|found| **found == name).count(), 1, "{name}");
        }
    }
}
