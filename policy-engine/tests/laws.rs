//! What must be true of every decision, whatever the facts: shown on small random worlds, and where a law has a number or a
//! name, on facts written for it. `CHANCERY_LONG=1` runs a hundred times as many worlds.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what it expects by panicking"
)]

#[path = "laws/ask.rs"]
mod ask;
#[path = "laws/changes.rs"]
mod changes;
#[path = "laws/commerce.rs"]
mod commerce;
#[path = "laws/duties.rs"]
mod duties;
#[path = "laws/egress.rs"]
mod egress;
#[path = "laws/faults.rs"]
mod faults;
#[path = "laws/fields.rs"]
mod fields;
#[path = "laws/narrowing.rs"]
mod narrowing;
#[path = "laws/plain.rs"]
mod plain;
#[path = "laws/reference.rs"]
mod reference;
#[path = "laws/replayed.rs"]
mod replayed;
#[path = "laws/residency.rs"]
mod residency;
#[path = "laws/rulebook.rs"]
mod rulebook;
#[path = "laws/strictness.rs"]
mod strictness;
#[path = "laws/told.rs"]
mod told;
#[path = "laws/twists.rs"]
mod twists;
#[path = "laws/world.rs"]
mod world;

use proptest::test_runner::Config;

/// How many worlds a law is shown on.
fn worlds(cases: u32) -> Config {
    let factor = if std::env::var_os("CHANCERY_LONG").is_some() { 100 } else { 1 };
    Config { cases: cases * factor, failure_persistence: None, max_shrink_iters: 4_000, ..Config::default() }
}
