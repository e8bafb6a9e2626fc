//! What was taken back and what is switched off: it holds at once, above any snapshot.
//!
//! Law: it can only refuse, never allow. Within an epoch nothing goes back to an older seq, a new epoch lifts nothing (`earlier`),
//! and what is on disk is taken over before a request is served: a restart lifts nothing. What this build does not understand of a kill is enforced as the strictest it may
//! mean. Where nothing was ever taken back or switched off a request pays for one load. Deliberately absent: whether a statement is
//! the control plane's (`policy` verifies it), and anything that allows.
//!
//! | mode | new requests | what is open | catalogue and quota |
//! |---|---|---|---|
//! | deny | refused | cut | refused |
//! | drain | refused | may end | refused |
//! | read_only | refused | may end | answered |
//!
//! Whoever asks for a model, an endpoint or a provider that is killed still sees the catalogue, where it is not available. A file of
//! it that can't be used, or that is older than what the node held, may lack a kill: until the control plane was heard, the node is
//! then not ready and refuses requests as if it had no policy, and so it does where it has a policy and `enforced` is gone, which
//! tells what is older. It is said in the log.

mod earlier;
mod kept;
mod kills;
mod seats;
mod watch;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use policy_engine::vocabulary::{Geo, Instant};
use proto::sync::{Kill, KillSet, RevocationSet};

pub(crate) use earlier::{Taken, Trace};
pub(crate) use kept::{Said, Statements, Traced};
pub(crate) use kills::{Killed, Kind, Stage, Subject};
pub(crate) use watch::{Cut, Watch};

use kills::Kills;
use seats::Seats;

/// What was taken back, and what is switched off.
pub(crate) struct Overlay {
    geo: Geo,
    /// How often it changed, above two bits that say what there is: [`KEYS`], [`KILLS`]. What a request looks at.
    turn: AtomicU64,
    now: ArcSwap<Now>,
    changing: Mutex<()>,
    seats: Seats,
    statements: Statements,
    cut: [AtomicU64; 2],
}

/// All of it, at one time.
#[derive(Debug, Clone, Default)]
struct Now {
    revocations: Arc<Revocations>,
    kills: Arc<Kills>,
    /// What was on disk can't be known, and the control plane was not heard since.
    unknown: Unknown,
}

/// What was on disk and could not be used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Unknown {
    revocations: bool,
    kills: bool,
}

/// Keys that were taken back.
#[derive(Debug, Default)]
struct Revocations {
    place: Place,
    /// All of them, ascending.
    keys: Vec<Hashed>,
    /// Those of earlier epochs that this one does not know of.
    earlier: Vec<Hashed>,
}

/// Epoch and seq: what is not after it is old.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Place(i64, u64);

/// The first 16 bytes of the SHA-256 of a key's public id.
pub(crate) type Hashed = [u8; 16];

/// The bit that says that some key was taken back.
const KEYS: u64 = 1;
/// The bit that says that something is switched off, or may be.
const KILLS: u64 = 2;
/// How many bits those are.
const BITS: u32 = 2;

/// A key's public id as revocations name it.
pub(crate) fn hashed(public_id: &str) -> Hashed {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, public_id.as_bytes());
    digest.as_ref().first_chunk().copied().unwrap_or_default()
}

impl Overlay {
    /// Nothing yet, of a node in this geo, whose statements are kept in memory or on disk.
    pub(crate) fn new(geo: Geo, statements: Statements) -> Self {
        Self {
            geo,
            turn: AtomicU64::new(0),
            now: ArcSwap::default(),
            changing: Mutex::new(()),
            seats: Seats::default(),
            statements,
            cut: Default::default(),
        }
    }

    /// Takes verified revocations over, if they are newer than what is known and for here.
    pub(crate) fn revoke(&self, set: &RevocationSet) -> Taken {
        if !self.is_here(set.scope.as_ref()) {
            return Taken::Elsewhere;
        }
        self.take(|now| {
            let (before, place) = (&now.revocations, Place(set.epoch, set.seq));
            before.place.admits(place, now.unknown.revocations)?;
            let (after, trace) = before.after(set, place);
            now.revocations = Arc::new(after);
            now.unknown.revocations = false;
            Ok(trace)
        })
    }

    /// Takes verified kills over, if they are newer than what is known and for here.
    pub(crate) fn kill(&self, set: &KillSet) -> Taken {
        if !self.is_here(set.scope.as_ref()) {
            return Taken::Elsewhere;
        }
        self.take(|now| {
            let (before, place) = (&now.kills, Place(set.epoch, set.seq));
            before.place.admits(place, now.unknown.kills)?;
            let after = before.after(set, &self.geo);
            let (new_epoch, found) = (place.0 != before.place.0, before.earlier.len());
            let trace = Trace::of(new_epoch, (found, after.earlier.len()));
            now.kills = Arc::new(after);
            now.unknown.kills = false;
            Ok(trace)
        })
    }

    /// Changes it by a statement, or says why that changes nothing.
    fn take(&self, change: impl FnOnce(&mut Now) -> Result<Trace, Taken>) -> Taken {
        let mut taken = Taken::Known;
        self.change(|now| {
            taken = change(now).map_or_else(|not| not, Taken::Now);
            matches!(taken, Taken::Now(_))
        });
        taken
    }

    /// The control plane said which seqs are its newest. Where it never took back or switched off anything, a file that could not be
    /// used held nothing that still holds.
    pub(crate) fn heard(&self, revocation_seq: u64, kill_seq: u64) {
        if !self.is_unknown() {
            return;
        }
        self.change(|now| {
            let before = now.unknown;
            now.unknown.revocations &= revocation_seq > 0;
            now.unknown.kills &= kill_seq > 0;
            before != now.unknown
        });
    }

    /// Whether something may be taken back or switched off that this node does not know of.
    pub(crate) fn is_unknown(&self) -> bool {
        self.holds(KILLS) && self.now.load().unknown != Unknown::default()
    }

    /// The seq of the revocations that hold; 0 is none, and where they are not known too.
    pub(crate) fn revocation_seq(&self) -> u64 {
        let now = self.now.load();
        if now.unknown.revocations { 0 } else { now.revocations.place.1 }
    }

    /// The seq of the kills that hold; 0 is none, and where they are not known too.
    pub(crate) fn kill_seq(&self) -> u64 {
        let now = self.now.load();
        if now.unknown.kills { 0 } else { now.kills.place.1 }
    }

    /// The epoch and the seq of what holds.
    pub(crate) fn place(&self, said: Said) -> (i64, u64) {
        let now = self.now.load();
        let Place(epoch, seq) = match said {
            Said::Revocations => now.revocations.place,
            Said::Kills => now.kills.place,
        };
        (epoch, seq)
    }

    /// A process before this one held a statement of this place: where what was restored is older, or nothing, what was denied since
    /// is not known until the control plane is heard. Tells whether it is.
    pub(crate) fn held_before(&self, said: Said, (epoch, seq): (i64, u64)) -> bool {
        self.place(said) < (epoch, seq) && self.doubt(said)
    }

    /// What was restored may lack something: what was denied is not known until the control plane is heard. Tells whether that is news.
    pub(crate) fn doubt(&self, said: Said) -> bool {
        self.change(|now| {
            let unknown = match said {
                Said::Revocations => &mut now.unknown.revocations,
                Said::Kills => &mut now.unknown.kills,
            };
            !std::mem::replace(unknown, true)
        })
    }

    /// The epoch of the revocations that hold, and of the kills.
    pub(crate) fn epochs(&self) -> [i64; 2] {
        let now = self.now.load();
        [now.revocations.place.0, now.kills.place.0]
    }

    /// Whether all that was taken back up to a place is known; of an epoch that is not told, whatever holds is of it.
    pub(crate) fn knows_revoked(&self, epoch: i64, seq: u64) -> bool {
        let now = self.now.load();
        let epoch = if epoch == 0 { now.revocations.place.0 } else { epoch };
        seq == 0 || (!now.unknown.revocations && now.revocations.place >= Place(epoch, seq))
    }

    /// What earlier epochs denied and this one does not know of: how many keys, and which kills that have not ended.
    pub(crate) fn earlier(&self, now: Instant) -> (usize, Vec<Kill>) {
        let held = self.now.load();
        (held.revocations.earlier.len(), held.kills.holding_on(now))
    }

    /// How many kills hold now.
    pub(crate) fn kills_active(&self, now: Instant) -> usize {
        self.now.load().kills.active(now)
    }

    /// How many keys are known to be taken back.
    pub(crate) fn keys_revoked(&self) -> usize {
        self.now.load().revocations.keys.len()
    }

    /// Requests that were ended midway since the start: because of their key, and because of a kill.
    pub(crate) fn cut(&self) -> [u64; 2] {
        self.cut.each_ref().map(|count| count.load(Ordering::Relaxed))
    }

    /// Where statements are kept.
    pub(crate) fn statements(&self) -> &Statements {
        &self.statements
    }

    /// Whether there is anything of a sort to look at: one load.
    fn holds(&self, sort: u64) -> bool {
        self.turn.load(Ordering::Acquire) & sort != 0
    }

    /// Whether a key was taken back.
    pub(crate) fn revokes(&self, public_id: &str) -> bool {
        self.holds(KEYS) && self.now.load().revokes(public_id)
    }

    /// The kill that hits a request as far as it is known by now, if one does.
    pub(crate) fn kills(&self, subject: &Subject<'_>, stage: Stage, now: Instant) -> Option<Killed> {
        if !self.holds(KILLS) {
            return None;
        }
        self.now.load().kills.hit(subject, stage, now)
    }

    fn is_here(&self, scope: Option<&proto::sync::Scope>) -> bool {
        let here = scope.is_some_and(|scope| scope.geo == self.geo.as_str());
        if !here {
            tracing::error!("a statement that is not for this node's geo is left alone");
        }
        here
    }

    /// Changes it, and wakes every request that waits, so that each looks whether it may go on.
    fn change(&self, change: impl FnOnce(&mut Now) -> bool) -> bool {
        {
            let _one_at_a_time = self.changing.lock();
            let mut now = Now::clone(&self.now.load());
            if !change(&mut now) {
                return false;
            }
            let sorts = now.sorts();
            self.now.store(Arc::new(now));
            let turns = self.turn.load(Ordering::Relaxed) >> BITS;
            self.turn.store(((turns + 1) << BITS) | sorts, Ordering::SeqCst);
        }
        self.seats.wake();
        true
    }
}

impl Place {
    /// Whether a statement of another place is to be taken over; where what holds may not be all, the same one is too.
    fn admits(self, place: Self, again: bool) -> Result<(), Taken> {
        match place.cmp(&self) {
            std::cmp::Ordering::Greater => Ok(()),
            std::cmp::Ordering::Equal if again => Ok(()),
            std::cmp::Ordering::Equal => Err(Taken::Known),
            std::cmp::Ordering::Less => Err(Taken::Older),
        }
    }
}

impl Revocations {
    /// What a set makes of the keys before it.
    fn after(&self, set: &RevocationSet, place: Place) -> (Self, Trace) {
        let mut keys: Vec<Hashed> = set.keys.iter().filter_map(|key| key.first_chunk().copied()).collect();
        if keys.len() < set.keys.len() {
            tracing::error!("revocations hold what is no key's digest");
        }
        keys.sort_unstable();
        let new_epoch = place.0 != self.place.0;
        let mut earlier = if new_epoch { self.keys.clone() } else { self.earlier.clone() };
        earlier.retain(|key| keys.binary_search(key).is_err());
        let trace = Trace::of(new_epoch, (self.earlier.len(), earlier.len()));
        // What was left out is in a snapshot that this node may not have yet; a key never comes back within an epoch.
        if !new_epoch && set.base_revision > 0 {
            keys.extend(&self.keys);
        }
        keys.extend(&earlier);
        keys.sort_unstable();
        keys.dedup();
        (Self { place, keys, earlier }, trace)
    }
}

impl Now {
    fn sorts(&self) -> u64 {
        let kills = self.unknown != Unknown::default() || !self.kills.is_empty();
        let keys = !self.revocations.keys.is_empty();
        (if kills { KILLS } else { 0 }) | (if keys { KEYS } else { 0 })
    }

    fn revokes(&self, public_id: &str) -> bool {
        !self.revocations.keys.is_empty() && self.revocations.keys.binary_search(&hashed(public_id)).is_ok()
    }
}

#[cfg(test)]
pub(crate) mod tests;
