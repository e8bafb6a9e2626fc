//! The clock of one vendor call: one timer, re-armed only when it fires.
//!
//! Law: time counts against the vendor only while we wait for the vendor; a slow reader on our side never looks like
//! a silent upstream. Deliberately absent: the connect stage, which the connector times itself.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

use super::{config::Timeouts, error::Stage};

/// Watches the first byte, the gaps after it and the whole of one call.
#[derive(Debug)]
pub(crate) struct Timer {
    sleep: Pin<Box<Sleep>>,
    /// When the wait that is going on becomes too long.
    due: Due,
    idle: Duration,
    started: Instant,
    total: Instant,
}

#[derive(Debug, Clone, Copy)]
enum Due {
    FirstByte(Instant),
    Idle(Instant),
    /// Something came since the last wait; the next wait sets its own end.
    NotWaiting,
}

impl Timer {
    /// Starts the call's clock; `deadline` is the caller's own, if there is one.
    pub(crate) fn start(timeouts: &Timeouts, deadline: Option<Instant>) -> Self {
        let now = Instant::now();
        let total = deadline.map_or(now + timeouts.total, |deadline| deadline.min(now + timeouts.total));
        let first = now + timeouts.first_byte;
        Self {
            sleep: Box::pin(sleep_until(first.min(total))),
            due: Due::FirstByte(first),
            idle: timeouts.idle,
            started: now,
            total,
        }
    }

    /// When the call started.
    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    /// Something came: the first-byte stage is over and the gap starts anew. Says if the whole took too long.
    pub(crate) fn progressed(&mut self) -> Result<(), Stage> {
        self.due = Due::NotWaiting;
        if Instant::now() >= self.total { Err(Stage::Total) } else { Ok(()) }
    }

    /// From now on the call may take no longer than `within`.
    pub(crate) fn hasten(&mut self, within: Duration) {
        self.total = self.total.min(Instant::now() + within);
    }

    /// To be polled while nothing comes: ready with the stage whose time ran out.
    pub(crate) fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<Stage> {
        let (stage, due) = match self.due {
            Due::FirstByte(due) => (Stage::FirstByte, due),
            Due::Idle(due) => (Stage::Idle, due),
            Due::NotWaiting => {
                let due = Instant::now() + self.idle;
                self.due = Due::Idle(due);
                (Stage::Idle, due)
            }
        };
        let (stage, due) = if self.total <= due { (Stage::Total, self.total) } else { (stage, due) };
        if self.sleep.deadline() > due {
            self.sleep.as_mut().reset(due);
        }
        loop {
            ready!(self.sleep.as_mut().poll(cx));
            if Instant::now() >= due {
                return Poll::Ready(stage);
            }
            self.sleep.as_mut().reset(due);
        }
    }

    /// Waits for `work`, or for the stage that runs out first.
    pub(crate) async fn watch<F: Future>(&mut self, work: F) -> Result<F::Output, Stage> {
        let mut work = std::pin::pin!(work);
        std::future::poll_fn(|cx| {
            if let Poll::Ready(output) = work.as_mut().poll(cx) {
                return Poll::Ready(Ok(output));
            }
            self.poll_expired(cx).map(Err)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn timeouts(first_byte: u64, idle: u64, total: u64) -> Timeouts {
        Timeouts { connect: ms(1), first_byte: ms(first_byte), idle: ms(idle), total: ms(total) }
    }

    async fn expiry(timer: &mut Timer) -> (Stage, Duration) {
        let start = Instant::now();
        let stage = std::future::poll_fn(|cx| timer.poll_expired(cx)).await;
        (stage, start.elapsed())
    }

    #[tokio::test]
    async fn case_43_the_stages_run_out_apart() {
        let (stage, waited) = expiry(&mut Timer::start(&timeouts(20, 10_000, 20_000), None)).await;
        assert!(stage == Stage::FirstByte && waited >= ms(19), "{stage:?} {waited:?}");

        let mut timer = Timer::start(&timeouts(10_000, 20, 20_000), None);
        timer.progressed().unwrap();
        let (stage, waited) = expiry(&mut timer).await;
        assert!(stage == Stage::Idle && waited >= ms(19), "{stage:?} {waited:?}");

        let deadline = Instant::now() + ms(20);
        let (stage, _) = expiry(&mut Timer::start(&timeouts(10_000, 10_000, 20_000), Some(deadline))).await;
        assert_eq!(stage, Stage::Total);
    }

    #[tokio::test]
    async fn case_45_a_trickle_ends_with_the_total_time() {
        let mut timer = Timer::start(&timeouts(10_000, 10_000, 30), None);
        let start = Instant::now();
        let stage = loop {
            if let Err(stage) = timer.progressed() {
                break stage;
            }
            if let Err(stage) = timer.watch(tokio::time::sleep(ms(2))).await {
                break stage;
            }
        };
        assert!(stage == Stage::Total && start.elapsed() >= ms(30));
        assert_eq!(timer.progressed(), Err(Stage::Total), "even where something is always ready");
    }

    #[tokio::test]
    async fn a_slow_reader_is_not_a_silent_upstream() {
        let mut timer = Timer::start(&timeouts(0, 20, 20_000), None);
        timer.progressed().unwrap();
        let (stage, waited) = expiry(&mut timer).await;
        assert!(stage == Stage::Idle && waited >= ms(19), "an old timer says nothing: {stage:?} {waited:?}");
    }
}
