//! Rights that somebody takes for a while: taken for a reason, told aloud, and over by themselves.
//!
//! Law: who may is configured, and nobody is by default. The beginning and the end, also that by time, are events in the transaction that
//! keeps them. Rights end by the clock and by the time that has passed, whichever is sooner, and whether or not the store can be written.
//! Absent on purpose: what the rights are (`actor`).

use std::sync::Arc;
use std::time::{Duration, Instant};

use prost::Message as _;
use proto::admin::{Elevation, ElevationSpec};
use proto::code::ErrorCode;
use proto::status::Refusal;
use tokio::sync::{Mutex, watch};
use tokio_util::sync::CancellationToken;

use crate::act::{Act, changed_aside};
use crate::actor::Actor;
use crate::clock;
use crate::config::BreakGlassConfig;
use crate::error::ChangeError;
use crate::publish::{Publisher, noted};
use crate::store::{ElevationRow, StoreError};

/// The call by which time ends rights, as the log names it.
const EXPIRED: &str = "chancery.admin.v1.ElevationsService/ExpireElevation";

/// How soon an end that could not be kept is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// For how long rights are taken where nothing is said.
const USUAL: Duration = Duration::from_secs(30 * 60);

/// Gives rights for a while. Clones share them.
#[derive(Debug, Clone)]
pub struct Elevations {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    publisher: Publisher,
    config: BreakGlassConfig,
    writing: Mutex<()>,
    active: watch::Sender<Arc<[Active]>>,
}

/// Rights that have not been seen to end.
#[derive(Debug, Clone)]
struct Active {
    number: i64,
    holder: String,
    key_id: String,
    /// When they end by the clock, in microseconds since the Unix epoch, and by the time that passes.
    ends: (i64, Instant),
}

impl Active {
    fn of(number: i64, found: &Elevation) -> Self {
        let at = found.expire_time.as_ref().map(clock::micros).unwrap_or_default();
        let left = u64::try_from(at.saturating_sub(clock::now())).unwrap_or_default();
        let ends = (at, Instant::now() + Duration::from_micros(left));
        Self { number, holder: found.holder.clone(), key_id: found.key_id.clone(), ends }
    }

    fn is_over(&self) -> bool {
        clock::now() >= self.ends.0 || Instant::now() >= self.ends.1
    }

    fn is_of(&self, actor: &Actor) -> bool {
        self.holder == actor.name() && self.key_id == actor.key_id()
    }
}

/// The AIP name of an elevation.
pub(crate) fn named(number: i64) -> String {
    format!("elevations/{number}")
}

/// What is kept of one.
fn read(row: &ElevationRow) -> Result<Elevation, StoreError> {
    Elevation::decode(row.body.as_slice())
        .map_err(|_| StoreError::Corrupt(format!("an elevation that can't be read, {}", row.number)))
}

/// One as it is told: with its state.
pub(crate) fn shown(row: &ElevationRow) -> Result<Elevation, StoreError> {
    let found = read(row)?;
    let state = match (&row.ended_at, found.ender.as_str()) {
        (Some(_), "system") => "expired",
        (Some(_), _) => "ended",
        (None, _) if row.expires_at <= clock::now() => "expired",
        (None, _) => "active",
    };
    Ok(Elevation { state: state.to_owned(), ..found })
}

impl Elevations {
    /// Reads what has not ended; what should have while nothing ran ends at once.
    pub async fn open(publisher: &Publisher, config: &BreakGlassConfig) -> Result<Self, StoreError> {
        let rows = publisher.store().open_elevations().await?;
        let active = rows.iter().map(|row| Ok(Active::of(row.number, &read(row)?)));
        let (active, _) = watch::channel(active.collect::<Result<Arc<[Active]>, StoreError>>()?);
        let (publisher, config) = (publisher.clone(), config.clone());
        let shared = Shared { publisher, config, writing: Mutex::new(()), active };
        shared.measure();
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Whether somebody of this name may take rights.
    pub(crate) fn may(&self, name: &str) -> bool {
        // Who is configured is named as people name each other.
        let subjects = self.shared.publisher.subjects();
        self.shared.config.who.iter().any(|known| subjects.cover_text(known) == name)
    }

    /// The actor, with the rights it has taken, and until when it has them.
    pub(crate) fn raised(&self, actor: Actor) -> (Actor, Option<i64>) {
        let active = self.shared.active.borrow();
        // Who is no more in the configuration has no more than its own rights, whatever was taken before.
        let held = active.iter().find(|one| one.is_of(&actor) && !one.is_over());
        match held.filter(|one| self.may(&one.holder)) {
            Some(one) => {
                let (holder, elevation) = (Box::new(actor), named(one.number));
                (Actor::Elevated { holder, elevation }, Some(one.ends.0))
            }
            None => (actor, None),
        }
    }

    /// For how long rights shall be taken: as was asked, or as is usual.
    pub(crate) fn length(&self, asked: Option<Duration>) -> Result<Duration, Refusal> {
        let most = self.shared.config.max.0;
        match asked {
            None => Ok(USUAL.min(most)),
            Some(asked) if !asked.is_zero() && asked <= most => Ok(asked),
            Some(_) => Err(Refusal::field(
                "elevation.spec.valid",
                format!(
                    "is not more than nothing and at most {}, which `break_glass.max` allows",
                    spoken(most)
                ),
            )),
        }
    }

    /// Takes rights, for a time that was found well.
    pub(crate) async fn take(
        &self,
        actor: &Actor,
        (act, spec): (Act, ElevationSpec),
        length: Duration,
    ) -> Result<Elevation, ChangeError> {
        let (this, actor) = (self.clone(), actor.clone());
        let taken = tokio::spawn(async move { this.taken(&actor, (act, spec), length).await });
        taken.await.map_err(|_| ChangeError::Broken)?
    }

    async fn taken(
        &self,
        actor: &Actor,
        (act, spec): (Act, ElevationSpec),
        length: Duration,
    ) -> Result<Elevation, ChangeError> {
        let _turn = self.shared.writing.lock().await;
        let held = self.shared.active.borrow().iter().find(|one| one.is_of(actor) && !one.is_over()).cloned();
        if let Some(held) = held {
            let line = format!("`{}` is not over: end it first", named(held.number));
            return Err(Refusal::new(ErrorCode::FailedPrecondition, line).into());
        }
        let now = clock::now();
        let ends = now.saturating_add(i64::try_from(length.as_micros()).unwrap_or(i64::MAX));
        let made = |number: i64| Elevation {
            name: named(number),
            create_time: Some(clock::timestamp(now)),
            spec: Some(spec.clone()),
            holder: actor.name(),
            key_id: actor.key_id(),
            expire_time: Some(clock::timestamp(ends)),
            ..Elevation::default()
        };
        let begun = |row: &ElevationRow| {
            let name = named(row.number);
            let act = Act { resource: name.clone(), elevation: name.clone(), ..act.clone() };
            changed_aside(act, &name, (None, Some(&row.body)), now)
        };
        let row =
            self.shared.publisher.store().elevate(ends, |number| made(number).encode_to_vec(), begun).await?;
        let made = made(row.number);
        self.shared.change(|active| active.push(Active::of(row.number, &made)));
        self.shared.publisher.metrics().elevated.inc();
        tracing::warn!(
            elevation = %made.name, holder = %made.holder, until = %clock::timestamp(ends), reason = %spec.reason,
            ticket = %spec.ticket, "somebody broke the glass: they have the platform's rights until then"
        );
        Ok(shown(&row)?)
    }

    /// Ends rights, because somebody said so.
    pub(crate) async fn end(&self, act: Act, number: i64) -> Result<Elevation, ChangeError> {
        let this = self.clone();
        tokio::spawn(async move { this.ended(act, number).await }).await.map_err(|_| ChangeError::Broken)?
    }

    async fn ended(&self, act: Act, number: i64) -> Result<Elevation, ChangeError> {
        let _turn = self.shared.writing.lock().await;
        let (store, now) = (self.shared.publisher.store(), clock::now());
        let found = store.elevation(number).await?.ok_or_else(|| crate::actor::missing(&named(number)))?;
        if found.ended_at.is_some() {
            let line = format!("`{}` is over already", named(number));
            return Err(Refusal::new(ErrorCode::FailedPrecondition, line).into());
        }
        let over =
            Elevation { end_time: Some(clock::timestamp(now)), ender: act.actor.clone(), ..read(&found)? };
        let row = ElevationRow { body: over.encode_to_vec(), ended_at: Some(now), ..found };
        let act = Act { resource: over.name.clone(), elevation: over.name.clone(), ..act };
        match store.end_elevation(&row, &noted(&act, now)).await {
            // Another process ended it.
            Ok(()) | Err(StoreError::Decided) => {}
            Err(error) => return Err(error.into()),
        }
        self.shared.change(|active| active.retain(|one| one.number != number));
        tracing::warn!(elevation = %over.name, holder = %over.holder, by = %over.ender, "rights that were taken for a while are over");
        Ok(shown(&row)?)
    }

    /// Ends what is over by time, until it is stopped.
    pub async fn run(self, stop: CancellationToken) {
        let mut changes = self.shared.active.subscribe();
        loop {
            let next = changes.borrow_and_update().iter().map(|one| one.ends.1).min();
            let due = async {
                match next {
                    Some(at) => tokio::time::sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                changed = changes.changed() => if changed.is_err() { return },
                () = due => self.expire().await,
            }
        }
    }

    async fn expire(&self) {
        let over: Vec<Active> =
            self.shared.active.borrow().iter().filter(|one| one.is_over()).cloned().collect();
        for one in over {
            let reason = "its time was over".to_owned();
            let act = Act { reason, ..Act::of_system(EXPIRED) };
            match self.end(act, one.number).await {
                Ok(_) => {}
                // Somebody ended it at the same moment.
                Err(ChangeError::Refused(_)) => {
                    self.shared.change(|active| active.retain(|other| other.number != one.number));
                }
                Err(error) => {
                    let why = error.to_string();
                    tracing::error!(error = why, elevation = %named(one.number), "the end of rights can't be logged yet; they are over");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }
}

impl Shared {
    fn change(&self, change: impl FnOnce(&mut Vec<Active>)) {
        let mut active = self.active.borrow().to_vec();
        change(&mut active);
        self.active.send_replace(active.into());
        self.measure();
    }

    fn measure(&self) {
        let count = self.active.borrow().len();
        self.publisher.metrics().elevations.set(i64::try_from(count).unwrap_or(i64::MAX));
    }
}

/// A length as it is configured: in the largest unit that divides it.
fn spoken(length: Duration) -> String {
    let seconds = length.as_secs();
    match () {
        () if length.subsec_nanos() > 0 => format!("`{}ms`", length.as_millis()),
        () if seconds.is_multiple_of(3600) => format!("`{}h`", seconds / 3600),
        () if seconds.is_multiple_of(60) => format!("`{}m`", seconds / 60),
        () => format!("`{seconds}s`"),
    }
}

#[cfg(test)]
mod tests;
