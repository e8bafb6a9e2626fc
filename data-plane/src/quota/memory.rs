//! The ledger of one process: counters behind sharded locks.
//!
//! A request locks the shards of all its lines, in ascending order so that no two requests wait for each other, and
//! nothing is awaited meanwhile. So its lines are granted all or none, and a refusal leaves no trace. Counters that a
//! fresh one would stand in for are forgotten. Nothing is shared with other processes and nothing survives this one.

mod clock;
mod shards;

use std::time::Duration;

use self::{
    clock::Clock,
    shards::{Locked, Shards},
};
use super::{
    bound::{Amounts, Bound},
    cell::Cell,
    hold::{Hold, Phase, Refusal, Settlement, Standing, State},
    line::Line,
    roster::Roster,
};

/// How many expired holds one request clears away before it is served itself.
const SWEEP: usize = 16;

/// Counters and live holds in the memory of this process.
#[derive(Debug)]
pub struct MemoryLedger {
    shards: Shards,
    roster: Roster,
    clock: Clock,
    /// µs.
    ttl: i64,
}

/// What lines are to hold more of; a line that a hold already has gives back what it needs no longer.
struct Change<'a> {
    lines: &'a [Line],
    to: &'a Amounts,
    had: &'a [Line],
    from: &'a Amounts,
}

impl MemoryLedger {
    /// An empty ledger whose holds expire when `ttl` passes without a checkpoint.
    #[must_use]
    pub fn new(ttl: Duration) -> Self {
        let ttl = i64::try_from(ttl.as_micros()).unwrap_or(i64::MAX);
        Self { shards: Shards::new(), roster: Roster::new(), clock: Clock::new(), ttl }
    }

    pub(super) fn reserve(&self, lines: Vec<Line>, estimate: Amounts, now: i64) -> Result<Hold, Refusal> {
        let now = self.clock.read(now);
        self.expire(now, SWEEP);
        let standings = {
            let mut locked = self.shards.lock(&lines, &[]);
            Change { lines: &lines, to: &estimate, had: &[], from: &estimate }.apply(&mut locked, now)?
        };
        let deadline = now.saturating_add(self.ttl);
        let hold = Hold::new(State {
            phase: Phase::Held,
            lines,
            standings,
            held: estimate,
            checkpoint: Amounts::default(),
            touched: now,
            deadline,
            berth: None,
        });
        let berth = self.roster.moor(hold.clone(), deadline);
        hold.0.lock().berth = berth;
        Ok(hold)
    }

    pub(super) fn adjust(&self, hold: &Hold, lines: Vec<Line>, to: Amounts, now: i64) -> Result<(), Refusal> {
        let now = self.clock.read(now);
        self.change(&mut hold.0.lock(), lines, to, now)
    }

    pub(super) fn extend(&self, hold: &Hold, more: Amounts, now: i64) -> Result<(), Refusal> {
        let now = self.clock.read(now);
        let mut state = hold.0.lock();
        let (lines, to) = (state.lines.clone(), state.held.plus(more));
        self.change(&mut state, lines, to, now)
    }

    pub(super) fn checkpoint(&self, hold: &Hold, so_far: Amounts, now: i64) {
        let now = self.clock.read(now);
        let mut state = hold.0.lock();
        if state.phase == Phase::Held {
            state.checkpoint = so_far;
            state.touch(now, self.ttl);
        }
    }

    pub(super) fn settle(&self, hold: &Hold, actual: &Amounts, now: i64) -> Settlement {
        let now = self.clock.read(now);
        let mut state = hold.0.lock();
        match state.phase {
            Phase::Held => {
                self.charge(hold, &mut state, actual, now);
                Settlement::Charged
            }
            Phase::Expired { at } => {
                state.phase = Phase::Settled;
                self.each(state.unsettled(), now, |bound, cell| {
                    cell.settle_late(bound, bound.measure(actual), bound.measure(&state.checkpoint), at);
                });
                Settlement::ChargedLate
            }
            Phase::Settled | Phase::Released => Settlement::Repeated,
        }
    }

    pub(super) fn release(&self, hold: &Hold) {
        let mut state = hold.0.lock();
        if state.phase == Phase::Held {
            self.give_back(hold, &mut state);
        }
    }

    /// Of an expired hold the truth may still come, so nothing is settled here.
    pub(super) fn abandon(&self, hold: &Hold) {
        let mut state = hold.0.lock();
        if state.phase != Phase::Held {
            return;
        }
        if state.checkpoint == Amounts::default() {
            self.give_back(hold, &mut state);
        } else {
            let (used, touched) = (state.checkpoint, state.touched);
            self.charge(hold, &mut state, &used, touched);
        }
    }

    pub(super) fn standings(&self, lines: &[Line], now: i64) -> Vec<Standing> {
        let now = self.clock.read(now);
        self.expire(now, SWEEP);
        self.shards.lock(lines, &[]).standings(lines, now)
    }

    /// Expires every hold that is due, follows a clock that was set back, and forgets every idle counter.
    pub(super) fn sweep(&self, now: i64) {
        self.clock.set(now);
        self.expire(now, usize::MAX);
        self.shards.sweep(now);
    }

    /// How many counters and live holds there are.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.shards.len(), self.roster.len())
    }

    fn expire(&self, now: i64, most: usize) {
        if !self.roster.may_be_due(now) {
            return;
        }
        for (berth, hold) in self.roster.due(now, most) {
            let mut state = hold.0.lock();
            if state.phase != Phase::Held {
                continue;
            }
            if state.deadline > now {
                self.roster.postpone(berth, &hold, state.deadline);
                continue;
            }
            self.end(&hold, &mut state, Phase::Expired { at: now });
            self.each(state.unsettled(), now, |bound, cell| {
                cell.expire(bound, bound.measure(&state.held), bound.measure(&state.checkpoint), now);
            });
        }
    }

    fn change(&self, state: &mut State, lines: Vec<Line>, to: Amounts, now: i64) -> Result<(), Refusal> {
        if state.phase != Phase::Held {
            return state.lapsed();
        }
        state.standings = {
            let mut locked = self.shards.lock(&lines, &state.lines);
            Change { lines: &lines, to: &to, had: &state.lines, from: &state.held }.apply(&mut locked, now)?
        };
        state.lines = lines;
        state.held = to;
        state.touch(now, self.ttl);
        Ok(())
    }

    fn charge(&self, hold: &Hold, state: &mut State, actual: &Amounts, now: i64) {
        self.end(hold, state, Phase::Settled);
        self.each(state.unsettled(), now, |bound, cell| {
            cell.settle(bound, bound.measure(&state.held), bound.measure(actual), now);
        });
    }

    fn give_back(&self, hold: &Hold, state: &mut State) {
        self.end(hold, state, Phase::Released);
        self.each(&state.lines, state.touched, |bound, cell| {
            cell.give_back(bound, bound.measure(&state.held))
        });
    }

    /// The one way out of `Held`.
    fn end(&self, hold: &Hold, state: &mut State, phase: Phase) {
        state.phase = phase;
        if let Some(berth) = state.berth.take() {
            self.roster.leave(berth, hold);
        }
    }

    /// Runs `step` for every line; what ends a hold can not be refused, so its lines need no common lock.
    fn each<'a>(
        &self,
        lines: impl IntoIterator<Item = &'a Line>,
        now: i64,
        mut step: impl FnMut(&Bound, &mut Cell),
    ) {
        for line in lines {
            self.shards.with(line, now, |cell| step(&line.limit.bound, cell));
        }
    }
}

impl Change<'_> {
    /// Takes what is needed more, of all lines or of none, then gives back what is needed less.
    fn apply(&self, locked: &mut Locked<'_>, now: i64) -> Result<Vec<Standing>, Refusal> {
        let mut standings = Vec::with_capacity(self.lines.len());
        let mut refusal: Option<Refusal> = None;
        for line in self.lines {
            match self.take(locked, line, refusal.is_none(), now) {
                Ok(standing) if refusal.is_none() => standings.push(standing),
                Ok(_) => {}
                Err(other) if refusal.as_ref().is_none_or(|worst| other.outlasts(worst)) => {
                    refusal = Some(other)
                }
                Err(_) => {}
            }
        }
        if let Some(refusal) = refusal {
            for line in self.lines.iter().take(standings.len()) {
                locked.with(line, now, |cell| cell.give_back(&line.limit.bound, self.more(line)));
            }
            return Err(refusal);
        }
        if !self.had.is_empty() {
            for line in self.had {
                locked.with(line, now, |cell| cell.give_back(&line.limit.bound, self.less(line)));
            }
            standings = locked.standings(self.lines, now);
        }
        Ok(standings)
    }

    /// Takes one line, or only looks whether it could be taken.
    fn take(&self, locked: &mut Locked<'_>, line: &Line, keep: bool, now: i64) -> Result<Standing, Refusal> {
        let bound = &line.limit.bound;
        locked.with(line, now, |cell| {
            cell.advance(bound, now);
            let mut taken = *cell;
            match taken.take(bound, self.more(line), now) {
                Ok(()) => {
                    let standing = Standing::new(&line.limit, taken.level(bound, now));
                    if keep {
                        *cell = taken;
                    }
                    Ok(standing)
                }
                Err(wait) => Err(Refusal::new(&line.limit, wait, cell.level(bound, now).remaining)),
            }
        })
    }

    /// What a line needs beyond what the hold already has of it.
    fn more(&self, line: &Line) -> u128 {
        let to = line.limit.bound.measure(self.to);
        if self.had.contains(line) { to.saturating_sub(line.limit.bound.measure(self.from)) } else { to }
    }

    /// What a line of the hold no longer needs.
    fn less(&self, line: &Line) -> u128 {
        let from = line.limit.bound.measure(self.from);
        if self.lines.contains(line) { from.saturating_sub(line.limit.bound.measure(self.to)) } else { from }
    }
}

#[cfg(test)]
mod tests;
