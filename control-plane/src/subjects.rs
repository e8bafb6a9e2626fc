//! Who is who: people have names at the admin API alone, and pseudonyms everywhere behind it.
//!
//! Law: what is stored, sent to nodes, recorded, logged and exported knows a principal by a random pseudonym, and what is only for people
//! to read of it (its display name, its labels) as ciphertext under a key of its own. Names and keys are in one file, sealed. Who is
//! erased there is nobody any more, in every copy of everything else, and no digest or tree changes by it. A name is never given a
//! pseudonym that is not kept. Absent on purpose: who may erase (`api::admin`), and SQL (`store`).

mod cover;
mod reveal;
mod subject;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use parking_lot::RwLock;
use policy_engine::facts::{Facts, GrantSubject};
use policy_engine::rules::condition::compared;
use policy_engine::vocabulary::{Id, Kind, Name};

use crate::clock;
use crate::seal::{SealError, Sealer};
use crate::store::{StoreError, SubjectRow, SubjectStore};

pub(crate) use cover::says_pseudonym;
pub use subject::is_pseudonym;
pub(crate) use subject::is_sealed;
use subject::{Subject, pseudonym};

/// The attribute of conditions that is the id of a principal.
const CALLER: &str = "caller.principal";

/// Bytes of a name that may be somebody's, at most.
const MAX_NAME: usize = 256;

/// Why who is who can't be told or kept.
#[derive(Debug, thiserror::Error)]
pub enum SubjectError {
    /// The file can't be read or written.
    #[error("the file of who is who: {0}")]
    Store(#[from] StoreError),
    /// A key or a name in it does not open.
    #[error("the file of who is who: {0}")]
    Seal(#[from] SealError),
    /// The file is gone or is an old one.
    #[error(
        "{missing} principals in force have a pseudonym that the file of who is who (`subjects.db`) does not know and nobody erased: put \
         the file back from a backup; or, to go on with their pseudonyms alone, set `[subjects] nameless = true`"
    )]
    Gone {
        /// How many.
        missing: usize,
    },
}

/// Who is who. Clones share it; the default knows nobody and leaves every name as it is.
#[derive(Debug, Clone, Default)]
pub struct Subjects {
    shared: Option<Arc<Shared>>,
}

#[derive(Debug)]
struct Shared {
    sealer: Arc<Sealer>,
    store: SubjectStore,
    known: RwLock<Known>,
    keeping: tokio::sync::Mutex<()>,
    acting: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug, Default)]
struct Known {
    by_name: HashMap<Arc<str>, Arc<Subject>>,
    by_pseudonym: HashMap<Arc<str>, Arc<Subject>>,
    /// Names that were in force before there were pseudonyms.
    plain: HashSet<String>,
    /// Those that are not kept yet.
    fresh: Vec<Arc<Subject>>,
}

impl Subjects {
    /// Those of a file, sealed under the master key.
    pub async fn open(store: SubjectStore, sealer: Arc<Sealer>) -> Result<Self, SubjectError> {
        let mut known = Known::default();
        for row in store.all().await? {
            known.learn(Arc::new(Subject::opened(&sealer, &row)?));
        }
        let keeping = tokio::sync::Mutex::default();
        Ok(Self {
            shared: Some(Arc::new(Shared {
                sealer,
                store,
                known: RwLock::new(known),
                keeping,
                acting: Arc::default(),
            })),
        })
    }

    /// Learns what is in force: names of before there were pseudonyms stay as they are. Fails where pseudonyms are in force that nobody
    /// erased and the file does not know.
    pub fn settle(&self, facts: &Facts, erased: &HashSet<String>) -> Result<(), SubjectError> {
        let Some(shared) = &self.shared else { return Ok(()) };
        let mut known = shared.known.write();
        known.plain = named(facts).filter(|name| !is_pseudonym(name)).collect();
        let unknown = |id: &&Id| {
            let name = id.name.as_str();
            is_pseudonym(name) && !known.by_pseudonym.contains_key(name) && !erased.contains(name)
        };
        match facts.principals.keys().filter(unknown).count() {
            0 => Ok(()),
            missing => Err(SubjectError::Gone { missing }),
        }
    }

    /// The pseudonym of a name, if it has one.
    pub fn pseudonym_of(&self, name: &str) -> Option<String> {
        let known = self.shared.as_ref()?.known.read();
        known.by_name.get(name).map(|subject| subject.pseudonym.to_string())
    }

    /// The name behind a pseudonym, and when it was first said, in microseconds since the Unix epoch.
    pub fn name_of(&self, pseudonym: &str) -> Option<(String, i64)> {
        let known = self.shared.as_ref()?.known.read();
        known.by_pseudonym.get(pseudonym).map(|subject| (subject.name.to_string(), subject.created_at))
    }

    /// Whether a name is a pseudonym that stands for nobody, such as of who was erased.
    pub fn is_nobody(&self, name: &str) -> bool {
        let is_known = |shared: &Arc<Shared>| shared.known.read().by_pseudonym.contains_key(name);
        is_pseudonym(name) && self.shared.as_ref().is_some_and(|shared| !is_known(shared))
    }

    /// Every pseudonym after one, in their order, with its name and when that was first said.
    pub fn after(&self, pseudonym: &str) -> Vec<(String, String, i64)> {
        let Some(shared) = &self.shared else { return Vec::new() };
        let known = shared.known.read();
        let rest = known.by_pseudonym.values().filter(|subject| *subject.pseudonym > *pseudonym);
        let mut rest: Vec<_> = rest
            .map(|subject| (subject.pseudonym.to_string(), subject.name.to_string(), subject.created_at))
            .collect();
        rest.sort();
        rest
    }

    /// Whether there are pseudonyms here at all.
    pub fn are_kept(&self) -> bool {
        self.shared.is_some()
    }

    /// The subject of a name, made where there is none yet; `None` for what keeps its name.
    fn subject(&self, name: &str) -> Result<Option<Arc<Subject>>, SealError> {
        let Some(shared) = &self.shared else { return Ok(None) };
        if name.is_empty() || name.len() > MAX_NAME || is_pseudonym(name) {
            return Ok(shared.known.read().by_pseudonym.get(name).cloned());
        }
        {
            let known = shared.known.read();
            if known.plain.contains(name) {
                return Ok(None);
            }
            if let Some(subject) = known.by_name.get(name) {
                return Ok(Some(subject.clone()));
            }
        }
        let mut known = shared.known.write();
        if let Some(subject) = known.by_name.get(name) {
            return Ok(Some(subject.clone()));
        }
        let made = Arc::new(Subject::new(pseudonym()?, name, clock::now())?);
        known.learn(made.clone());
        known.fresh.push(made.clone());
        Ok(Some(made))
    }

    /// Keeps every pseudonym that was made since; nothing that names one is to be stored before.
    pub async fn keep(&self) -> Result<(), SubjectError> {
        let Some(shared) = &self.shared else { return Ok(()) };
        // Whoever comes while another keeps them waits until they are.
        let _turn = shared.keeping.lock().await;
        let fresh = std::mem::take(&mut shared.known.write().fresh);
        if fresh.is_empty() {
            return Ok(());
        }
        let rows: Result<Vec<SubjectRow>, SealError> =
            fresh.iter().map(|subject| subject.row(&shared.sealer)).collect();
        let kept = match rows {
            Ok(rows) => shared.store.keep(&rows).await.map_err(SubjectError::from),
            Err(error) => Err(error.into()),
        };
        if kept.is_err() {
            shared.known.write().fresh.extend(fresh);
        }
        kept
    }

    /// Whoever erases somebody, or places a hold, does so alone: names are in one file, holds in another, and no transaction is over both.
    /// There is one control plane a directory (`lock`), so that the process is all there is.
    pub(crate) async fn alone(&self) -> Option<tokio::sync::OwnedMutexGuard<()>> {
        match &self.shared {
            Some(shared) => Some(shared.acting.clone().lock_owned().await),
            None => None,
        }
    }

    /// Removes the name and the key behind a pseudonym for good; they need not be there.
    pub async fn erase(&self, pseudonym: &str) -> Result<(), SubjectError> {
        let Some(shared) = &self.shared else { return Ok(()) };
        let _turn = shared.keeping.lock().await;
        shared.store.erase(pseudonym).await?;
        shared.known.write().forget(pseudonym);
        Ok(())
    }

    /// Waits for what is written, and closes the file.
    pub async fn close(&self) {
        if let Some(shared) = &self.shared {
            shared.store.close().await;
        }
    }
}

impl Known {
    fn learn(&mut self, subject: Arc<Subject>) {
        self.by_name.insert(subject.name.clone(), subject.clone());
        self.by_pseudonym.insert(subject.pseudonym.clone(), subject);
    }

    fn forget(&mut self, pseudonym: &str) {
        if let Some(gone) = self.by_pseudonym.remove(pseudonym) {
            self.by_name.remove(&gone.name);
            self.fresh.retain(|fresh| fresh.pseudonym != gone.pseudonym);
        }
    }
}

/// Every id of a principal that facts say, there or not.
fn named(facts: &Facts) -> impl Iterator<Item = String> {
    let people = facts.principals.keys().map(|id| id.name.to_string());
    let granted = facts.grants.values().filter_map(|grant| match &grant.to {
        GrantSubject::Principal(name) => Some(name.to_string()),
        _ => None,
    });
    let limited =
        facts.limits.values().filter_map(|limit| limit.scope.principal.as_ref().map(Name::to_string));
    let ruled = facts.rules.values().flat_map(|rule| compared(&rule.when, CALLER).unwrap_or_default());
    people.chain(granted).chain(limited).chain(ruled.map(|(_, name)| name))
}

/// A resource that a file declares, under its pseudonym.
#[derive(Debug)]
pub(crate) struct Covered {
    pub(crate) id: Id,
    pub(crate) encoded: Vec<u8>,
}

/// Whether a kind can name people.
fn names_people(kind: Kind) -> bool {
    use Kind::{Grant, Key, LicenceAcceptance, Limit, Principal, Rule};
    matches!(kind, Principal | Key | Grant | Limit | LicenceAcceptance | Rule)
}

#[cfg(test)]
mod tests;
