//! Many simulated nodes, and the board on which each notes how far it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use control_plane::ca::Authority;
use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::board::{At, Board, Place};
use super::node::{Found, Frozen, Node, PAUSE};

/// How long everything may take that is waited for.
const PATIENCE: Duration = Duration::from_secs(180);

/// Between two looks at the board.
const LOOK: Duration = Duration::from_millis(2);

/// Many nodes.
pub(crate) struct Crowd {
    board: Arc<Board>,
    frozen: Vec<Frozen>,
    /// Cancelled and replaced to end all streams at once.
    cut: Arc<Mutex<CancellationToken>>,
    forget: Arc<AtomicBool>,
    tasks: JoinSet<()>,
}

impl Crowd {
    /// So many nodes, which come as fast as they can and come again when their stream ends.
    pub(crate) fn start(nodes: usize, from: (&Authority, &str)) -> anyhow::Result<Self> {
        let begun = Instant::now();
        let place = Place { revision: 0, at: begun, bytes: 0, confirmed: 0, confirmed_at: begun };
        let board = Arc::new(Board(Mutex::new(vec![place; nodes])));
        let (found, cut) = (Arc::<Found>::default(), Arc::new(Mutex::new(CancellationToken::new())));
        let forget = Arc::new(AtomicBool::default());
        let (mut tasks, mut frozen) = (JoinSet::new(), Vec::with_capacity(nodes));
        for number in 0..nodes {
            let node = Node::new(number, from, (found.clone(), board.clone()))?;
            frozen.push(node.frozen.clone());
            tasks.spawn(live(node, cut.clone(), forget.clone()));
        }
        Ok(Self { board, frozen, cut, forget, tasks })
    }

    /// The last so many nodes read nothing from now on.
    pub(crate) fn freeze(&self, last: usize) {
        let first = self.frozen.len().saturating_sub(last);
        self.frozen.iter().skip(first).for_each(Frozen::freeze);
    }

    /// Ends all streams; all nodes come again, those that shall `forget` with nothing.
    pub(crate) fn cut(&self, forget: bool) {
        self.forget.store(forget, Ordering::SeqCst);
        for place in self.board.0.lock().iter_mut() {
            place.confirmed = 0;
            if forget {
                place.revision = 0;
            }
        }
        std::mem::take(&mut *self.cut.lock()).cancel();
    }

    /// Waits until the first so many nodes enforce a revision; gives when each did, and the most bytes that took.
    pub(crate) async fn enforce(&self, first: usize, revision: i64) -> anyhow::Result<(Vec<At>, u64)> {
        let there = |place: &Place| place.revision >= revision;
        let all = self.reach(first, there).await.with_context(|| format!("revision {revision}"))?;
        let bytes = all.iter().map(|place| place.bytes).max().unwrap_or_default();
        Ok((all.into_iter().map(|place| place.at).collect(), bytes))
    }

    /// Waits until the first so many nodes heard, on their present streams, that this is the head; gives when each did.
    pub(crate) async fn confirm(&self, first: usize, revision: i64) -> anyhow::Result<Vec<At>> {
        let all = self.reach(first, |place| place.confirmed >= revision).await.context("a heartbeat")?;
        Ok(all.into_iter().map(|place| place.confirmed_at).collect())
    }

    async fn reach(&self, first: usize, there: impl Fn(&Place) -> bool) -> anyhow::Result<Vec<Place>> {
        let begun = Instant::now();
        loop {
            {
                let board = self.board.0.lock();
                let mine = board.iter().take(first);
                let late = mine.clone().filter(|place| !there(place)).count();
                if late == 0 {
                    return Ok(mine.copied().collect());
                }
                anyhow::ensure!(begun.elapsed() < PATIENCE, "{late} of {first} nodes are not there");
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Ends all nodes.
    pub(crate) async fn end(mut self) {
        self.tasks.shutdown().await;
    }
}

/// Keeps a node on its stream.
async fn live(mut node: Node, cut: Arc<Mutex<CancellationToken>>, forget: Arc<AtomicBool>) {
    loop {
        let token = cut.lock().clone();
        // It always ends by an error, which is the end of its stream.
        let _ended = token.run_until_cancelled(node.session()).await;
        if token.is_cancelled() && forget.load(Ordering::SeqCst) {
            node.forget();
        }
        // Spread like the nodes' own, the first time.
        let jitter = (node.number as u32).wrapping_mul(2_654_435_761) % 1_000;
        tokio::time::sleep(PAUSE.mul_f64(f64::from(jitter) / 1_000.0)).await;
    }
}
