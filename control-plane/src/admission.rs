//! Which certificates are a node's still: those that were not revoked.
//!
//! Law: whoever was let in learns at once when its node is revoked; no certificate of before is let in again, not by a restart
//! and not when its node gets a new token. Absent on purpose: whom a certificate names, and trust, which TLS decides.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use policy_engine::vocabulary::{Geo, Name};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::store::{RevokedRow, Store, StoreError};
use crate::validity::validity;

/// Nodes by what was taken from them. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Admission {
    places: Arc<Mutex<BTreeMap<Place, Standing>>>,
    writing: Arc<tokio::sync::Mutex<()>>,
}

type Place = (Geo, Name);

/// How a node stands.
#[derive(Debug, Clone, Default)]
struct Standing {
    /// When it was revoked, in microseconds since the Unix epoch; `None`: it is not.
    revoked_at: Option<i64>,
    /// Its certificates that begin before it are refused, in seconds since the Unix epoch.
    valid_from: i64,
    /// Cancelled when it is revoked.
    admitted: CancellationToken,
}

/// Why a certificate is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refused {
    /// Its node was revoked after it was issued.
    #[error("the node was revoked: it needs a new enrolment token")]
    Revoked,
    /// It ended, or does not begin yet: TLS may take up a session of when it was good.
    #[error("the certificate is not good at this time")]
    Time,
}

impl Admission {
    /// What a store remembers.
    pub async fn open(store: &Store) -> Result<Self, StoreError> {
        let admission = Self::default();
        for row in store.revoked_nodes().await? {
            let (Ok(geo), Ok(node)) = (Name::new(&row.geo), Name::new(&row.node)) else {
                let told = format!("a revoked node without a name: {} {}", row.geo, row.node);
                return Err(StoreError::Corrupt(told));
            };
            let standing =
                Standing { revoked_at: row.revoked_at, valid_from: row.valid_from, ..Standing::default() };
            admission.places.lock().insert((geo, node), standing);
        }
        Ok(admission)
    }

    /// Lets a node's certificate in; what is given back is cancelled when the node is revoked.
    pub fn admit(&self, geo: &Geo, node: &Name, certificate: &[u8]) -> Result<CancellationToken, Refused> {
        let (begin, end) = validity(certificate).ok_or(Refused::Time)?;
        let now = clock::now().div_euclid(1_000_000);
        let mut places = self.places.lock();
        let standing = places.entry((geo.clone(), node.clone())).or_default();
        if standing.revoked_at.is_some() || begin < standing.valid_from {
            return Err(Refused::Revoked);
        }
        if now < begin || now > end {
            return Err(Refused::Time);
        }
        Ok(standing.admitted.clone())
    }

    /// Waits until nobody else changes how a node stands: the store and this are changed one after the other.
    pub(crate) async fn turn(&self) -> impl Drop + '_ {
        self.writing.lock().await
    }

    /// Ends a node that the store knows to be revoked, and whoever was let in as it.
    pub(crate) fn revoke(&self, (geo, node): (&Geo, &Name), row: &RevokedRow) {
        let mut places = self.places.lock();
        let standing = places.entry((geo.clone(), node.clone())).or_default();
        standing.revoked_at = row.revoked_at;
        standing.valid_from = standing.valid_from.max(row.valid_from);
        std::mem::take(&mut standing.admitted).cancel();
    }

    /// Lets certificates of a node in that begin from now on; the store knows that it has a new token.
    pub(crate) fn readmit(&self, geo: &Geo, node: &Name) {
        if let Some(standing) = self.places.lock().get_mut(&(geo.clone(), node.clone())) {
            standing.revoked_at = None;
        }
    }

    /// When a node was revoked, in microseconds since the Unix epoch; `None`: it is not.
    pub fn revoked_at(&self, geo: &Geo, node: &Name) -> Option<i64> {
        self.places.lock().get(&(geo.clone(), node.clone()))?.revoked_at
    }

    /// The instant before which a certificate of a node must not begin, in seconds since the Unix epoch.
    pub(crate) fn valid_from(&self, geo: &Geo, node: &Name) -> i64 {
        self.places.lock().get(&(geo.clone(), node.clone())).map_or(0, |standing| standing.valid_from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    /// A certificate that is good between these two, in seconds from now.
    fn certificate(begin: i64, end: i64) -> Vec<u8> {
        let now = clock::now().div_euclid(1_000_000);
        let at = |offset: i64| {
            let seconds = u64::try_from(now + offset).unwrap();
            rcgen::date_time_ymd(1970, 1, 1) + std::time::Duration::from_secs(seconds)
        };
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::default();
        (params.not_before, params.not_after) = (at(begin), at(end));
        params.self_signed(&key).unwrap().der().to_vec()
    }

    fn row(revoked_at: i64, valid_from: i64) -> RevokedRow {
        RevokedRow { geo: "eu".into(), node: "a".into(), revoked_at: Some(revoked_at), valid_from }
    }

    #[test]
    fn who_was_let_in_learns_of_the_end_and_no_certificate_of_before_comes_back() {
        let (admission, eu, us, a) = (Admission::default(), name("eu"), name("us"), name("a"));
        let old = certificate(-100, 100);
        let (let_in, elsewhere) =
            (admission.admit(&eu, &a, &old).unwrap(), admission.admit(&us, &a, &old).unwrap());
        let now = clock::now();
        let from = now.div_euclid(1_000_000) - 50;
        admission.revoke((&eu, &a), &row(now, from));
        assert!(let_in.is_cancelled() && !elsewhere.is_cancelled());
        let newer = certificate(-10, 100);
        for certificate in [&old, &newer] {
            assert_eq!(admission.admit(&eu, &a, certificate).unwrap_err(), Refused::Revoked);
        }
        admission.readmit(&eu, &a);
        assert_eq!(admission.revoked_at(&eu, &a), None);
        assert_eq!(admission.admit(&eu, &a, &old).unwrap_err(), Refused::Revoked);
        let again = admission.admit(&eu, &a, &newer).unwrap();
        assert!(!again.is_cancelled());
        // Once more, by a clock that was set back: what was refused stays so.
        admission.revoke((&eu, &a), &row(now, from - 1000));
        assert!(again.is_cancelled());
        admission.readmit(&eu, &a);
        assert_eq!(admission.admit(&eu, &a, &old).unwrap_err(), Refused::Revoked);
    }

    #[test]
    fn case_70_a_certificate_is_let_in_in_its_time_alone() {
        let (admission, eu, a) = (Admission::default(), name("eu"), name("a"));
        for (begin, end) in [(-100, -10), (50, 100)] {
            assert_eq!(admission.admit(&eu, &a, &certificate(begin, end)).unwrap_err(), Refused::Time);
        }
        assert_eq!(admission.admit(&eu, &a, b"no certificate").unwrap_err(), Refused::Time);
        assert!(admission.admit(&eu, &a, &certificate(-10, 10)).is_ok());
    }

    #[tokio::test]
    async fn what_was_revoked_is_so_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store.db")).await.unwrap();
        let event = crate::store::Event { created_at: 1, revision: 0, body: Box::new(|_| Vec::new()) };
        store.revoke_node(&row(7, 8), &event).await.unwrap();
        let admission = Admission::open(&store).await.unwrap();
        assert_eq!(admission.revoked_at(&name("eu"), &name("a")), Some(7));
        assert_eq!(admission.valid_from(&name("eu"), &name("a")), 8);
        let refused = admission.admit(&name("eu"), &name("a"), &certificate(-10, 10));
        assert_eq!(refused.unwrap_err(), Refused::Revoked);
    }
}
