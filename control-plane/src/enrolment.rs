//! How a machine becomes a node: a token that says which one it is, good once, for a key that it makes itself.
//!
//! Law: of a token's secret only the SHA-256 is kept; what is wrong with a token is told to the operator and never to who shows
//! it. Where the node is and what it is called stands in the token's record; nothing that comes with it is believed but a key
//! whose private half its sender has proved to have.
//! Absent on purpose: the wire (`api`), and what is taken from a node (`admission`).

mod token;

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use policy_engine::vocabulary::{Geo, Name};
use rustls_pki_types::CertificateDer;
use subtle::ConstantTimeEq as _;
use thiserror::Error;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::admission::Admission;
use crate::ca::{Authority, CaError, Requested};
use crate::clock;
use crate::publish::{Act, noted};
use crate::registry::sha256;
use crate::seal::SealError;
use crate::store::{EnrolmentRow, RevokedRow, Store, StoreError};

pub use token::{PREFIX, pin};
pub(crate) use token::{Presented, unique};

/// How long after its end a token is remembered, so that an operator is told why it is refused.
const REMEMBERED: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The authority's side of enrolment. Clones share it.
#[derive(Debug, Clone)]
pub struct Enrolment {
    store: Store,
    admission: Admission,
    issuer: Arc<Issuer>,
}

/// What certificates are made by, and what tokens say of the sync port.
#[derive(Debug)]
pub struct Issuer {
    /// The built-in authority.
    pub authority: Arc<Authority>,
    /// Its certificate, DER.
    pub certificate: CertificateDer<'static>,
    /// Names the authority of the sync port's own certificate; `None` where the port does not show it.
    pub pin: Option<String>,
    /// How long a node's certificate is good.
    pub valid: Duration,
    /// The sync port.
    pub port: u16,
    /// Whether the sync port takes certificates of the built-in authority.
    pub trusted: bool,
}

/// A token that was made.
pub struct Made {
    /// The whole of it; it is nowhere else.
    pub token: Zeroizing<String>,
    /// From when on it is not good, in microseconds since the Unix epoch.
    pub expires_at: i64,
}

/// Why a token is not taken. For the operator: who shows one learns only that it is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Unfit {
    /// It has not the form of one.
    #[error("it has not the form of a token")]
    Form,
    /// Another control plane made it.
    #[error("it is of another authority")]
    Elsewhere,
    /// There is none of its id.
    #[error("no such token was made")]
    Unknown,
    /// Its secret is another.
    #[error("its secret is not the token's")]
    Secret,
    /// It was used for another key.
    #[error("it was used before")]
    Used,
    /// Its time is over.
    #[error("it has expired")]
    Expired,
    /// It was taken back.
    #[error("it was withdrawn")]
    Withdrawn,
    /// Its node was revoked.
    #[error("its node was revoked since it was made")]
    Revoked,
}

/// Why there is no token or certificate.
#[derive(Debug, Error)]
pub enum EnrolmentError {
    /// The token is not taken.
    #[error("the token is not taken")]
    Unfit(Unfit),
    /// Certificates of the built-in authority would not be taken, or nobody could tell this control plane by a token.
    #[error("{0}")]
    Impossible(&'static str),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No certificate can be made.
    #[error(transparent)]
    Issue(#[from] CaError),
    /// The system has no randomness.
    #[error(transparent)]
    Random(#[from] SealError),
}

impl Enrolment {
    /// Enrolment over a store; tokens that have long been over are forgotten.
    pub async fn open(store: Store, admission: Admission, issuer: Issuer) -> Result<Self, StoreError> {
        let kept = i64::try_from(REMEMBERED.as_micros()).unwrap_or(i64::MAX);
        store.forget_enrolments(clock::now().saturating_sub(kept)).await?;
        Ok(Self { store, admission, issuer: Arc::new(issuer) })
    }

    /// What certificates are made by.
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// Makes a token for a node that is good for so long.
    pub async fn make(
        &self,
        geo: &Geo,
        node: &Name,
        (valid, act): (Duration, &Act),
    ) -> Result<Made, EnrolmentError> {
        self.possible()?;
        let pin = self.issuer.pin.as_deref().ok_or(EnrolmentError::Impossible(
            "the chain in `sync.tls_certificate` does not end with the certificate of its authority, which a token names",
        ))?;
        let minted = token::mint(pin)?;
        let now = clock::now();
        let valid = i64::try_from(valid.as_micros()).unwrap_or(i64::MAX);
        let row = EnrolmentRow {
            id: minted.id,
            secret: minted.digest,
            geo: geo.to_string(),
            node: node.to_string(),
            expires_at: now.saturating_add(valid),
            made_by: act.actor.clone(),
            created_at: now,
            ..EnrolmentRow::default()
        };
        let _turn = self.admission.turn().await;
        self.store.keep_enrolment(&row, &noted(act, now)).await?;
        self.admission.readmit(geo, node);
        Ok(Made { token: minted.token, expires_at: row.expires_at })
    }

    /// Why certificates of the built-in authority are of no use here, if they are.
    fn possible(&self) -> Result<(), EnrolmentError> {
        const ELSEWHERE: &str = "`sync.own_authority` is false: nodes get their certificates from the authorities of `sync.client_ca`";
        if self.issuer.trusted { Ok(()) } else { Err(EnrolmentError::Impossible(ELSEWHERE)) }
    }

    /// Uses a token for a key: the node it is for, and its certificate.
    pub(crate) async fn enrol(
        &self,
        presented: &Presented,
        key: &Requested,
        act: impl FnOnce(&EnrolmentRow) -> Act,
    ) -> Result<(Geo, Name, CertificateDer<'static>), EnrolmentError> {
        self.possible()?;
        let now = clock::now();
        let of_key = sha256(key.key());
        let found = self.found(presented).await?;
        let corrupt = |_| StoreError::Corrupt(format!("an enrolment token for nobody: {}", found.id));
        let (geo, node) = (Name::new(&found.geo).map_err(corrupt)?, Name::new(&found.node).map_err(corrupt)?);
        // Read before the token is used: what is revoked after that gets a certificate of before.
        let from = self.admission.valid_from(&geo, &node);
        self.fit(&found, &of_key, now).map_err(EnrolmentError::Unfit)?;
        let event = act(&found);
        if !self.store.use_enrolment(&found, (&of_key, now), &noted(&event, now)).await? {
            // Somebody was quicker between the look and the use: with another key, or by revoking the node.
            let now_found = self.found(presented).await?;
            let why = self.fit(&now_found, &of_key, now).err().unwrap_or(Unfit::Used);
            return Err(EnrolmentError::Unfit(why));
        }
        let certificate = self.certify((&geo, &node), key, from)?;
        Ok((geo, node, certificate))
    }

    /// The record of a token whose secret was shown. Whether there is one is not told by how long it takes.
    async fn found(&self, presented: &Presented) -> Result<EnrolmentRow, EnrolmentError> {
        let found = self.store.enrolment(&presented.id).await?;
        let known = found.is_some();
        let row = found.unwrap_or_else(nobody);
        let same = bool::from(row.secret.ct_eq(&presented.digest));
        let ours = self.issuer.pin.as_deref() == Some(presented.pin.as_str());
        match (known, same, ours) {
            (true, true, true) => Ok(row),
            (false, _, false) => Err(EnrolmentError::Unfit(Unfit::Elsewhere)),
            (false, _, true) => Err(EnrolmentError::Unfit(Unfit::Unknown)),
            (true, false, _) => Err(EnrolmentError::Unfit(Unfit::Secret)),
            (true, true, false) => Err(EnrolmentError::Unfit(Unfit::Elsewhere)),
        }
    }

    fn fit(&self, row: &EnrolmentRow, key: &[u8; 32], now: i64) -> Result<(), Unfit> {
        match &row.used_for {
            _ if row.revoked => Err(Unfit::Revoked),
            _ if row.withdrawn_at.is_some() => Err(Unfit::Withdrawn),
            Some(used_for) if used_for != key => Err(Unfit::Used),
            _ if row.expires_at <= now => Err(Unfit::Expired),
            _ => Ok(()),
        }
    }

    /// A certificate for the next key of a node that was let in. It is of no use where the node is revoked meanwhile.
    pub fn renew(
        &self,
        (geo, node): (&Geo, &Name),
        key: &Requested,
        revoked: &CancellationToken,
    ) -> Result<CertificateDer<'static>, EnrolmentError> {
        self.possible()?;
        let from = self.admission.valid_from(geo, node);
        let made = self.certify((geo, node), key, from)?;
        // What was read of a revocation begins after it, and would be good again with the node's next token.
        if revoked.is_cancelled() { Err(EnrolmentError::Unfit(Unfit::Revoked)) } else { Ok(made) }
    }

    fn certify(
        &self,
        node: (&Geo, &Name),
        key: &Requested,
        from: i64,
    ) -> Result<CertificateDer<'static>, EnrolmentError> {
        Ok(self.issuer.authority.issue_requested(node, key, (self.issuer.valid, from))?)
    }
}

/// Ends a node: its tokens and certificates are refused from now on, and its streams are closed. Does nothing where it was ended.
pub async fn revoke(
    (store, admission): (&Store, &Admission),
    (geo, node): (&Geo, &Name),
    act: &Act,
) -> Result<(), StoreError> {
    let _turn = admission.turn().await;
    if admission.revoked_at(geo, node).is_some() {
        return Ok(());
    }
    let now = clock::now();
    let row = RevokedRow {
        geo: geo.to_string(),
        node: node.to_string(),
        revoked_at: Some(now),
        // The second after: certificates know no parts of one, and those that begin in this one are of before.
        valid_from: now.div_euclid(1_000_000).saturating_add(1),
    };
    store.revoke_node(&row, &noted(act, now)).await?;
    admission.revoke((geo, node), &row);
    Ok(())
}

/// Stands where there is no token, so that looking at it costs the same.
fn nobody() -> EnrolmentRow {
    let secret = digest(&SHA256, b"nobody's").as_ref().try_into().unwrap_or_default();
    EnrolmentRow { secret, ..EnrolmentRow::default() }
}

#[cfg(test)]
mod tests;
