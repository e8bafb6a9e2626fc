//! One seed: hosts, what happens to them, and how it must end.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use control_plane::ca::Authority;
use control_plane::store::Head;
use tempfile::TempDir;
use turmoil::Sim;

use crate::chance::Chance;
use crate::control::{self, Desk, HEARTBEAT, Known};
use crate::disk::{Shelf, closed, copy_store};
use crate::edits::{self, Order};
use crate::laws::Watched;
use crate::node::{self, CONTROL, Seat};

/// A step of the simulation.
const TICK: Duration = Duration::from_millis(10);

/// Within what time all must be well again: the longest pause between two attempts, twice, and a bit.
const SETTLED: Duration = Duration::from_secs(90);

/// What happened, over one or more seeds.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    published: usize,
    refused: usize,
    staged: usize,
    aborted: usize,
    revoked: usize,
    nodes_killed: usize,
    disks_damaged: usize,
    controls_killed: usize,
    stores_restored: usize,
    cut_off: usize,
    enforced: usize,
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Self) {
        self.published += other.published;
        self.refused += other.refused;
        self.staged += other.staged;
        self.aborted += other.aborted;
        self.revoked += other.revoked;
        self.nodes_killed += other.nodes_killed;
        self.disks_damaged += other.disks_damaged;
        self.controls_killed += other.controls_killed;
        self.stores_restored += other.stores_restored;
        self.cut_off += other.cut_off;
        self.enforced += other.enforced;
    }

    /// Whether there was some of everything.
    pub(crate) fn happened(&self) -> bool {
        let all = [self.published, self.staged, self.aborted, self.revoked, self.nodes_killed, self.enforced];
        let faults = [self.disks_damaged, self.controls_killed, self.stores_restored, self.cut_off];
        all.into_iter().chain(faults).all(|count| count > 0)
    }
}

/// What ends a fault.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Mend {
    Network(usize),
    Node(usize),
    Control,
}

/// An older copy of the store, and the keys that were taken back by then.
#[derive(Debug, Clone)]
struct Copied {
    dir: PathBuf,
    revoked: BTreeSet<String>,
}

struct World {
    sim: Sim<'static>,
    chance: Chance,
    desk: Arc<Mutex<Desk>>,
    seats: Vec<Arc<Seat>>,
    watched: Vec<Watched>,
    shelves: Vec<Shelf>,
    copies: Vec<Copied>,
    mends: Vec<(Duration, Mend)>,
    down: Vec<bool>,
    known: Known,
    tally: Tally,
    home: TempDir,
}

/// Runs a seed.
pub(crate) fn run(seed: u64) -> Result<Tally> {
    let mut world = World::new(seed)?;
    while world.desk.lock().unwrap().orders.is_none() {
        world.pass(TICK)?;
    }
    world.order(edits::beginning());
    let events = world.chance.within(40..70);
    for _ in 0..events {
        let length = world.chance.within(50..1_200);
        world.pass(Duration::from_millis(length as u64))?;
        world.event()?;
    }
    world.settle().with_context(|| format!("after {:?}", world.tally))?;
    world.tell();
    Ok(world.tally)
}

impl World {
    fn new(seed: u64) -> Result<Self> {
        let memory = std::path::Path::new("/dev/shm");
        let home = if memory.is_dir() { tempfile::tempdir_in(memory)? } else { tempfile::tempdir()? };
        let mut chance = Chance::of(seed);
        let mut sim = turmoil::Builder::new()
            .rng_seed(seed)
            .tick_duration(TICK)
            .simulation_duration(Duration::from_secs(3_600))
            .min_message_latency(Duration::from_millis(1))
            .max_message_latency(Duration::from_millis(150))
            .tcp_capacity(1 << 14)
            .enable_random_order()
            .build();
        let dir = home.path().join("control-plane");
        std::fs::create_dir_all(&dir)?;
        let authority = Authority::open_or_create(&dir.join("ca"))?;
        let desk = Arc::<Mutex<Desk>>::default();
        let told = desk.clone();
        sim.host(CONTROL.0, move || control::run(dir.clone(), told.clone()));
        let count = chance.within(3..6);
        let mut seats = Vec::new();
        for number in 0..count {
            let seat = Arc::new(Seat::made(home.path(), (["eu", "us"][number % 2], number), &authority)?);
            seats.push(seat.clone());
            sim.host(seat.name.clone(), move || node::run(seat.clone()));
        }
        Ok(Self {
            sim,
            chance,
            desk,
            watched: seats.iter().map(|_| Watched::default()).collect(),
            shelves: seats.iter().map(|_| Shelf::default()).collect(),
            down: vec![false; seats.len() + 1],
            seats,
            copies: Vec::new(),
            mends: Vec::new(),
            known: Known::new(),
            tally: Tally::default(),
            home,
        })
    }

    fn control_dir(&self) -> PathBuf {
        self.home.path().join("control-plane")
    }

    fn order(&self, order: Order) {
        if let Some(orders) = &self.desk.lock().unwrap().orders {
            let _ = orders.send(order);
        }
    }

    /// Lets time pass; what is due to be mended is.
    fn pass(&mut self, length: Duration) -> Result<()> {
        let until = self.sim.elapsed() + length;
        while self.sim.elapsed() < until {
            let now = self.sim.elapsed();
            while let Some(at) = self.mends.iter().position(|(due, _)| *due <= now) {
                let (_, mend) = self.mends.swap_remove(at);
                self.mend(mend);
            }
            self.sim.step().map_err(|error| anyhow!("at {now:?} a host ended: {error}"))?;
            self.look()?;
            // A pool of connections waits by the clock of the simulation, and its threads work by another.
            if !self.down[self.seats.len()] && self.desk.lock().unwrap().orders.is_none() {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        Ok(())
    }

    fn look(&mut self) -> Result<()> {
        let desk = self.desk.lock().unwrap();
        for (seat, watched) in self.seats.iter().zip(&mut self.watched) {
            if let Some(node) = seat.running() {
                let looked = watched.look(&node, desk.revoked.iter());
                looked.with_context(|| format!("at {:?} `{}`", self.sim.elapsed(), seat.name))?;
            }
        }
        Ok(())
    }

    fn soon(&mut self, mend: Mend, most: usize) {
        let length = Duration::from_millis(self.chance.within(20..most) as u64);
        self.mends.push((self.sim.elapsed() + length, mend));
    }

    /// Says what happens, where one seed is looked at.
    fn say(&self, what: std::fmt::Arguments<'_>) {
        if std::env::var_os("CHANCERY_SEED").is_some() {
            println!("{:>9.2?} {what}", self.sim.elapsed());
        }
    }

    fn event(&mut self) -> Result<()> {
        let (kind, which) = (self.chance.below(100), self.chance.below(self.seats.len()));
        match kind {
            0..=54 => {
                let order = edits::any(&mut self.chance);
                self.order(order);
            }
            55..=68 => self.kill_node(which)?,
            69..=85 => self.cut_off(which),
            86..=92 => self.kill_control()?,
            // Several at once, which a node sees one or none of.
            _ => (0..4).for_each(|_| {
                let order = edits::any(&mut self.chance);
                self.order(order);
            }),
        }
        Ok(())
    }

    fn cut_off(&mut self, which: usize) {
        let name = self.seats[which].name.as_str();
        match self.chance.below(5) {
            0..=1 => self.sim.partition(name, CONTROL.0),
            2 => self.sim.partition_oneway(name, CONTROL.0),
            3 => self.sim.partition_oneway(CONTROL.0, name),
            _ => self.sim.hold(name, CONTROL.0),
        }
        self.tally.cut_off += 1;
        self.soon(Mend::Network(which), 8_000);
    }

    fn kill_node(&mut self, which: usize) -> Result<()> {
        if self.down[which] {
            return Ok(());
        }
        let seat = self.seats[which].clone();
        let told = self.chance.percent(30);
        if let Some(node) = seat.running().filter(|_| told) {
            node.end();
            self.pass(TICK * 2)?;
        }
        self.sim.crash(seat.name.as_str());
        let was = seat.running().and_then(|node| node.applied()).map(|applied| applied.revision);
        self.say(format_args!("`{}` ends at {was:?}, told: {told}", seat.name));
        seat.gone();
        self.watched[which].ended(told);
        (self.down[which], self.tally.nodes_killed) = (true, self.tally.nodes_killed + 1);
        if self.chance.percent(30) && self.shelves[which].damage(&seat.kept(), &mut self.chance)? {
            self.watched[which].damaged();
            self.tally.disks_damaged += 1;
            self.say(format_args!("its disk is damaged"));
        }
        if self.chance.percent(50) {
            self.shelves[which].copy(&seat.kept())?;
        }
        self.soon(Mend::Node(which), 6_000);
        Ok(())
    }

    fn kill_control(&mut self) -> Result<()> {
        let last = self.seats.len();
        if self.down[last] {
            return Ok(());
        }
        for _ in 0..self.chance.below(4) {
            let order = edits::any(&mut self.chance);
            self.order(order);
        }
        let moment = u32::try_from(self.chance.below(60)).unwrap_or_default();
        self.pass(TICK * moment)?;
        self.end_control()?;
        self.tally.controls_killed += 1;
        self.say(format_args!("the control plane ends"));
        let dir = self.control_dir();
        if self.chance.percent(40) && !self.copies.is_empty() {
            let copied = self.chance.pick(&self.copies).clone();
            self.restore(&copied)?;
        } else if self.desk.lock().unwrap().done > 0 {
            let copy = self.home.path().join(format!("copy-{}", self.copies.len()));
            std::fs::create_dir_all(&copy)?;
            copy_store(&dir, &copy)?;
            let revoked = self.desk.lock().unwrap().revoked.clone();
            self.copies.push(Copied { dir: copy, revoked });
        }
        self.soon(Mend::Control, 5_000);
        Ok(())
    }

    /// Ends the control plane's process, and waits until nothing of it holds the store.
    fn end_control(&mut self) -> Result<()> {
        {
            let mut desk = self.desk.lock().unwrap();
            (desk.orders, desk.lines) = (None, None);
        }
        self.sim.crash(CONTROL.0);
        let last = self.seats.len();
        self.down[last] = true;
        let dir = self.control_dir();
        closed(&dir)?;
        let (_, known) = control::known(&dir)?;
        self.known.extend(known);
        Ok(())
    }

    /// Puts an older copy of the store in place of what there is; what was done since is forgotten.
    fn restore(&mut self, copied: &Copied) -> Result<()> {
        let dir = self.control_dir();
        let (lost, _) = control::known(&dir)?;
        copy_store(&copied.dir, &dir)?;
        let (head, _) = control::known(&dir)?;
        {
            let mut desk = self.desk.lock().unwrap();
            desk.restored = desk.restored.max(Some(lost.epoch));
        }
        let before = std::mem::replace(&mut self.desk.lock().unwrap().revoked, copied.revoked.clone());
        for key in before.difference(&copied.revoked) {
            self.watched.iter_mut().for_each(|watched| watched.forgotten(key));
        }
        self.tally.stores_restored += 1;
        self.say(format_args!("its store is again that of revision {}", head.revision));
        Ok(())
    }

    fn mend(&mut self, mend: Mend) {
        match mend {
            Mend::Network(which) => {
                let name = self.seats[which].name.as_str();
                self.sim.release(name, CONTROL.0);
                self.sim.repair(name, CONTROL.0);
            }
            Mend::Node(which) if self.down[which] => {
                self.down[which] = false;
                self.sim.bounce(self.seats[which].name.as_str());
            }
            Mend::Control if self.down[self.seats.len()] => {
                let last = self.seats.len();
                self.down[last] = false;
                self.sim.bounce(CONTROL.0);
            }
            Mend::Node(_) | Mend::Control => {}
        }
    }

    /// Ends every fault, publishes once more, and waits until every node enforces it.
    fn settle(&mut self) -> Result<()> {
        self.mends.clear();
        for which in 0..self.seats.len() {
            self.mend(Mend::Network(which));
            self.mend(Mend::Node(which));
        }
        self.mend(Mend::Control);
        let head = self.last_word()?;
        let until = self.sim.elapsed() + SETTLED;
        while let Err(why) = self.agree(head) {
            ensure!(self.sim.elapsed() < until, "no convergence at {head:?}: {why:#}");
            self.pass(Duration::from_millis(100))?;
        }
        // It stays so.
        self.pass(HEARTBEAT * 3)?;
        self.agree(head)?;
        self.end_control()?;
        self.history(head.revision)
    }

    /// Publishes until the head is above everything that any node ever enforced, and for everybody; gives its revision.
    fn last_word(&mut self) -> Result<Head> {
        let until = self.sim.elapsed() + SETTLED;
        let mut number = 0;
        while self.sim.elapsed() < until {
            let newest = self.watched.iter().map(Watched::newest).max().unwrap_or_default();
            self.order(Order::Abort);
            number += 1;
            self.order(edits::end(number));
            self.pass(Duration::from_secs(2))?;
            let desk = self.desk.lock().unwrap();
            let Some(lines) = &desk.lines else { continue };
            let lines = lines.borrow();
            let Head { epoch, revision: head } = lines.head.head;
            let last = format!("end{number}");
            let is_there = lines.head.facts.tenants.keys().any(|id| id.name.as_str() == last);
            if lines.rollout.is_none() && (epoch, head) > newest && is_there {
                return Ok(Head { epoch, revision: head });
            }
        }
        let desk = self.desk.lock().unwrap();
        bail!("the last word was not published: {:?}", desk.refused.last())
    }

    /// Whether every node enforces a revision, of which its geo has one digest, and knows that it is the head.
    fn agree(&self, head: Head) -> Result<()> {
        let desk = self.desk.lock().unwrap();
        for seat in &self.seats {
            let node = seat.running().with_context(|| format!("`{}` does not run", seat.name))?;
            let applied = node.applied().with_context(|| format!("`{}` enforces nothing", seat.name))?;
            let at = (applied.epoch, applied.revision);
            ensure!(at == (head.epoch, head.revision), "`{}` is at {at:?}", seat.name);
            let age = node.confirmed_age();
            let fresh = age.is_some_and(|age| age < 2.0 * HEARTBEAT.as_secs_f64());
            ensure!(fresh, "`{}` heard nothing for {age:?} s", seat.name);
            let (size, inconsistent) = node.witnessed();
            ensure!(size > 0 && !inconsistent, "`{}` has seen {size} events: {inconsistent}", seat.name);
            for key in &desk.revoked {
                let verdict = node.verdict(key);
                ensure!(
                    verdict == data_plane::simulation::Verdict::Revoked,
                    "`{}`: a key that was taken back is {verdict:?}",
                    seat.name
                );
            }
        }
        Ok(())
    }

    /// Holds everything that was ever enforced against what the store, or one that was lost, knows.
    fn history(&mut self, head: i64) -> Result<()> {
        let (now, known) = control::known(&self.control_dir())?;
        ensure!(now.revision == head, "the head went on to {}", now.revision);
        for (seat, watched) in self.seats.iter().zip(&self.watched) {
            for (_, revision, digest) in &watched.enforced {
                let row = (*revision, seat.geo.to_owned(), *digest);
                let others: Vec<_> = self.known.iter().filter(|row| row.0 == *revision).collect();
                ensure!(
                    self.known.contains(&row),
                    "`{}` enforced {row:02x?}, which no history knows: {others:02x?}",
                    seat.name
                );
            }
            let applied = seat.running().and_then(|node| node.applied()).context("it ended")?;
            let row = (head, seat.geo.to_owned(), applied.digest);
            ensure!(known.contains(&row), "`{}` has another digest than the head", seat.name);
        }
        Ok(())
    }

    fn tell(&mut self) {
        let desk = self.desk.lock().unwrap();
        desk.refused.iter().for_each(|why| self.say(format_args!("not done: {why}")));
        self.tally.published = desk.done;
        self.tally.refused = desk.refused.len();
        self.tally.staged = desk.staged;
        self.tally.aborted = desk.aborted;
        self.tally.revoked = desk.revoked.len();
        self.tally.enforced = self.watched.iter().map(|watched| watched.enforced.len()).sum();
    }
}
