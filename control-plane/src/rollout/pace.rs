//! Whether time passed between two looks as it does: not where this process did not run for a while, nor where its clock was set.
//!
//! Law: what nobody here could see counts for nothing, as after a restart: nodes are heard anew and what bakes bakes anew. Where the
//! clock was set, what was noted by it is moved along with it, so that no length of time is longer or shorter than it was. Absent on
//! purpose: what nodes' clocks say.

use std::time::{Duration, Instant};

use prost_types::Timestamp;
use proto::admin::Rollout;

use super::fleet::micros;
use crate::clock;
use crate::nodes::Watch;

/// What may come between two looks beside the pause: a busy machine, a slow store, a clock that is kept in time.
const SLACK: Duration = Duration::from_secs(2);

/// The last look.
#[derive(Debug)]
pub(super) struct Pace {
    at: Instant,
    wall: i64,
    /// Since when nodes are heard, where that is not since this process began.
    watch: Option<Watch>,
    /// By how many microseconds the clock was set that a rollout's times were not moved by yet; `None`: they are as they should be.
    owed: Option<i64>,
}

impl Pace {
    /// A first look, now.
    pub(super) fn begun() -> Self {
        Self { at: Instant::now(), wall: clock::now(), watch: None, owed: None }
    }

    /// Another look, now; where time did not pass as it does, by how many microseconds the clock was set since what it was set by was
    /// last [settled](Self::settled).
    pub(super) fn look(&mut self) -> Option<i64> {
        self.looked(Instant::now(), clock::now())
    }

    fn looked(&mut self, at: Instant, wall: i64) -> Option<i64> {
        let passed = micros(at.saturating_duration_since(self.at));
        let set = wall.saturating_sub(self.wall).saturating_sub(passed);
        let most = micros(SLACK);
        let broke = passed > most || set.saturating_abs() > most;
        if broke {
            self.watch = Some(Watch { began: wall, left: self.wall });
        }
        (self.at, self.wall) = (at, wall);
        if broke {
            self.owed = Some(self.owed.unwrap_or_default().saturating_add(set));
        }
        self.owed
    }

    /// As if the clock had been set forward by so many microseconds since the last look.
    #[cfg(test)]
    pub(super) fn was_set(&mut self, by: i64) {
        self.wall = self.wall.saturating_sub(by);
    }

    /// A rollout's times were moved by what was owed, and kept.
    pub(super) fn settled(&mut self) {
        self.owed = None;
    }

    /// Since when nodes are heard, given since when this process hears them.
    pub(super) fn watch(&self, own: Watch) -> Watch {
        self.watch.unwrap_or(own)
    }
}

/// A rollout whose stages began, and were followed, so many microseconds later by the clock.
pub(super) fn moved(rollout: &Rollout, by: i64) -> Rollout {
    let mut moved = rollout.clone();
    let later = |stamp: &mut Option<Timestamp>| {
        *stamp = stamp.as_ref().map(|stamp| clock::timestamp(clock::micros(stamp).saturating_add(by)));
    };
    for stage in &mut moved.stages {
        later(&mut stage.start_time);
        if stage.state == "running" {
            // Who follows is to be seen anew.
            (stage.acked_time, stage.bake_end_time) = (None, None);
        }
    }
    moved
}

#[cfg(test)]
mod tests {
    use proto::admin::RolloutStage;

    use super::*;

    const SECOND: i64 = 1_000_000;

    #[test]
    fn where_time_passes_as_it_does_nothing_is_begun_anew() {
        let (start, own) = (Instant::now(), Watch { began: 7, left: 3 });
        let mut pace = Pace { at: start, wall: 1_000 * SECOND, watch: None, owed: None };
        let after = |seconds: u64| start + Duration::from_secs(seconds);
        assert_eq!(pace.looked(after(1), 1_001 * SECOND), None);
        assert_eq!(pace.looked(after(2), 1_003 * SECOND), None, "a clock that is put right");
        assert_eq!(pace.watch(own), own);
        // It was stopped for ten seconds, and the clock went on.
        assert_eq!(pace.looked(after(12), 1_013 * SECOND), Some(0));
        assert_eq!(pace.watch(own), Watch { began: 1_013 * SECOND, left: 1_003 * SECOND });
        pace.settled();
        // The clock is set forward, and back before that was kept.
        assert_eq!(pace.looked(after(13), 1_074 * SECOND), Some(60 * SECOND));
        assert_eq!(pace.looked(after(14), 1_075 * SECOND), Some(60 * SECOND), "it is owed until it is kept");
        assert_eq!(pace.looked(after(15), 476 * SECOND), Some(-540 * SECOND));
        assert_eq!(pace.watch(own).began, 476 * SECOND);
        pace.settled();
        assert_eq!(pace.looked(after(16), 477 * SECOND), None);
    }

    #[test]
    fn a_stage_is_as_old_as_it_was_whatever_the_clock_is_set_to_and_bakes_anew() {
        let stamp = |seconds: i64| Some(clock::timestamp(seconds * SECOND));
        let stage = |state: &str| RolloutStage {
            state: state.into(),
            start_time: stamp(100),
            acked_time: stamp(110),
            bake_end_time: stamp(170),
            ..RolloutStage::default()
        };
        let rollout = Rollout { stages: vec![stage("done"), stage("running")], ..Rollout::default() };
        let after = moved(&rollout, -50 * SECOND);
        let times = |stage: &RolloutStage| (stage.start_time, stage.acked_time, stage.bake_end_time);
        assert_eq!(times(&after.stages[0]), (stamp(50), stamp(110), stamp(170)));
        assert_eq!(times(&after.stages[1]), (stamp(50), None, None));
    }
}
