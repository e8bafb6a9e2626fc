//! A closed loop on a number of connections, or an open one at a fixed rate.
//!
//! The open loop's pace is kept by a thread that waits for no answer, and a request's clock starts when the thread says so, not
//! when a connection is free: a slow answer cannot hide the requests it kept waiting (coordinated omission).

use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet, LocalSet};

use super::corpus::{Corpus, Door};
use super::draw::Draw;
use super::line::Line;
use super::tally::{Outcome, Tally, Timed};

/// Open connections to one server, and the requests they carry.
pub(crate) struct Pool {
    lines: Vec<Worker>,
    corpus: Rc<Corpus>,
    door: Door,
    authority: String,
}

struct Worker {
    line: Line,
    draw: Draw,
    turn: u64,
}

/// A server that answers nothing but errors must not be asked a million times.
const ENOUGH_ERRORS: u64 = 20;

impl Pool {
    /// Opens `connections` connections.
    ///
    /// # Errors
    /// One of them cannot be opened.
    pub(crate) async fn open(
        door: Door,
        authority: &str,
        connections: usize,
        corpus: Corpus,
    ) -> anyhow::Result<Self> {
        let mut pool =
            Pool { lines: Vec::new(), corpus: Rc::new(corpus), door, authority: authority.to_owned() };
        for number in 0..connections {
            pool.lines.push(Worker::open(door, authority, number as u64).await?);
        }
        Ok(pool)
    }

    /// Every connection asks again as soon as it has its answer, until `window` is over.
    pub(crate) async fn closed(&mut self, window: Duration) -> Tally {
        let start = Instant::now();
        let (local, mut workers, mut sum) = (LocalSet::new(), JoinSet::new(), Tally::default());
        for mut worker in self.lines.drain(..) {
            let corpus = Rc::clone(&self.corpus);
            let looping = async move {
                let mut tally = Tally::default();
                while start.elapsed() < window && tally.errors < ENOUGH_ERRORS {
                    tally.count(worker.ask(&corpus, Instant::now()).await);
                }
                tally.elapsed = start.elapsed();
                (worker, tally)
            };
            workers.spawn_local_on(looping, &local);
        }
        local
            .run_until(async {
                while let Some(joined) = workers.join_next().await {
                    match joined {
                        Ok((worker, tally)) => {
                            self.lines.push(worker);
                            sum.merge(&tally);
                        }
                        Err(error) => sum.failed(&error.into()),
                    }
                }
            })
            .await;
        sum
    }

    /// A request every `1 / rate` seconds until `window` is over, on whichever connection is free, or on a new one.
    pub(crate) async fn open_loop(&mut self, window: Duration, rate: u32) -> Tally {
        let start = Instant::now();
        let (local, mut workers, mut sum) = (LocalSet::new(), JoinSet::new(), Tally::default());
        let mut beats = pace(start, window, rate);
        let running = local.run_until(async {
            loop {
                tokio::select! {
                    beat = beats.recv() => {
                        let Some(beat) = beat else { break };
                        match self.free().await {
                            Ok(mut worker) => {
                                let corpus = Rc::clone(&self.corpus);
                                workers.spawn_local(async move {
                                    let outcome = worker.ask(&corpus, beat).await;
                                    (worker, outcome)
                                });
                            }
                            Err(error) => sum.failed(&error),
                        }
                    }
                    Some(joined) = workers.join_next() => self.take_back(joined, &mut sum),
                }
            }
            while let Some(joined) = workers.join_next().await {
                self.take_back(joined, &mut sum);
            }
        });
        running.await;
        sum.elapsed = start.elapsed();
        sum
    }

    async fn free(&mut self) -> anyhow::Result<Worker> {
        match self.lines.pop() {
            Some(worker) => Ok(worker),
            None => Worker::open(self.door, &self.authority, u64::from(std::process::id())).await,
        }
    }

    fn take_back(&mut self, joined: Result<(Worker, Outcome), JoinError>, sum: &mut Tally) {
        match joined {
            Ok((worker, outcome)) => {
                self.lines.push(worker);
                sum.count(outcome);
            }
            Err(error) => sum.failed(&error.into()),
        }
    }
}

impl Worker {
    async fn open(door: Door, authority: &str, seed: u64) -> anyhow::Result<Self> {
        Ok(Worker { line: Line::open(door, authority).await?, draw: Draw::new(seed), turn: seed })
    }

    async fn ask(&mut self, corpus: &Corpus, since: Instant) -> Outcome {
        let drawn = corpus.draw(&mut self.draw, self.turn);
        self.turn += 1;
        let answer = self.line.call(drawn.request).await.map(|answer| Timed {
            whole: nanoseconds(since.elapsed()),
            first_byte: nanoseconds(answer.first_byte.saturating_duration_since(since)),
            events: answer.events,
        });
        Outcome { key: drawn.key, personal: drawn.personal, answer }
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn pace(start: Instant, window: Duration, rate: u32) -> mpsc::UnboundedReceiver<Instant> {
    let (sender, receiver) = mpsc::unbounded_channel();
    thread::spawn(move || {
        for beat in 0.. {
            let due = Duration::from_secs(1) * beat / rate;
            if due >= window {
                return;
            }
            thread::sleep(due.saturating_sub(start.elapsed()));
            if sender.send(Instant::now()).is_err() {
                return;
            }
        }
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_depends_on_nothing_but_the_clock() {
        let mut beats = pace(Instant::now(), Duration::from_millis(50), 1_000);
        let mut count = 0;
        while beats.blocking_recv().is_some() {
            count += 1;
        }
        assert_eq!(count, 50);
    }
}
