//! The key pairs to which captured content is sealed, one a tenant: nodes have the public halves and can't read back what they wrote.
//!
//! Law: a pair is made when some of the tenant's content is first to be kept. A private half leaves the store sealed, is opened for one
//! content's key and is dropped; who has the key of one content can open no other. Destroying a tenant's private halves destroys
//! everything that was sealed to them, wherever it lies. Absent on purpose: who may have something opened (`api/admin`), and content.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::RwLock;
use policy_engine::facts::{Facts, Obligation};
use policy_engine::vocabulary::{Effect, Mode, Name};
use proto::captured::{INFO, bound};
use rustls::crypto::aws_lc_rs::hpke::DH_KEM_X25519_HKDF_SHA256_AES_256 as SUITE;
use rustls::crypto::hpke::{EncapsulatedSecret, Hpke as _, HpkePrivateKey};
use zeroize::Zeroizing;

use crate::clock;
use crate::error::ChangeError;
use crate::registry::hex;
use crate::seal::{SealError, Sealer, Use, random};
use crate::store::{ContentKeyRow, Store, StoreError};

/// The half of a pair that nodes have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// The pair's id, which stands in what is sealed to it.
    pub id: String,
    /// 32 bytes.
    pub key: Vec<u8>,
}

/// A content's key as it lies beside the content.
#[derive(Debug, Clone, Copy)]
pub struct Wrapped<'a> {
    /// Whose request it was.
    pub tenant: &'a Name,
    /// The request.
    pub request_id: &'a str,
    /// Where the node runs that kept it.
    pub geo: &'a str,
    /// The pair that it is sealed to.
    pub key_id: &'a str,
    /// The encapsulated key.
    pub encapsulated: &'a [u8],
    /// The content's key, sealed.
    pub wrapped: &'a [u8],
}

/// Every tenant's newest pair.
pub struct ContentKeys {
    sealer: Arc<Sealer>,
    newest: RwLock<HashMap<Name, PublicKey>>,
    /// Held while pairs are made.
    making: tokio::sync::Mutex<()>,
}

impl fmt::Debug for ContentKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContentKeys({})", self.newest.read().len())
    }
}

/// The tenants some of whose content is to be kept: every tenant, where a rule of the platform asks for it.
pub fn captured(facts: &Facts) -> Vec<Name> {
    let keeps = |obligation: &Obligation| matches!(obligation, Obligation::Capture(_));
    let rules = facts.rules.iter().filter(|(_, rule)| {
        rule.effect == Effect::Require && rule.mode == Mode::Enforce && rule.obligations.iter().any(keeps)
    });
    let mut owners: Vec<Option<&Name>> = rules.map(|(id, _)| id.tenant.as_ref()).collect();
    owners.sort_unstable();
    owners.dedup();
    match owners.first() {
        Some(None) => facts.tenants.keys().map(|id| id.name.clone()).collect(),
        _ => owners.into_iter().flatten().cloned().collect(),
    }
}

impl ContentKeys {
    /// Those that the store holds.
    pub(crate) async fn open(store: &Store, sealer: Arc<Sealer>) -> Result<Self, StoreError> {
        let mut newest = HashMap::new();
        for row in store.content_keys().await? {
            let corrupt = || StoreError::Corrupt(format!("a content key of `{}`", row.tenant));
            let tenant = Name::new(&row.tenant).map_err(|_| corrupt())?;
            newest.insert(tenant, PublicKey { id: row.id, key: row.public_key });
        }
        Ok(Self { sealer, newest: RwLock::new(newest), making: tokio::sync::Mutex::default() })
    }

    /// To whom a tenant's content is sealed; `None` where none is to be kept yet.
    pub fn of(&self, tenant: &Name) -> Option<PublicKey> {
        self.newest.read().get(tenant).cloned()
    }

    /// Makes pairs of those tenants that have none, and keeps them.
    ///
    /// # Errors
    /// The store can't take them.
    pub async fn make(&self, store: &Store, tenants: &[Name]) -> Result<(), ChangeError> {
        if self.lacking(tenants).is_empty() {
            return Ok(());
        }
        // Two that ask at first would make two of each.
        let _making = self.making.lock().await;
        let rows = self.lacking(tenants).into_iter().map(|tenant| Ok((tenant.clone(), self.pair(tenant)?)));
        let rows = rows.collect::<Result<Vec<_>, SealError>>()?;
        let kept: Vec<ContentKeyRow> = rows.iter().map(|(_, row)| row.clone()).collect();
        store.keep_content_keys(&kept, clock::now()).await?;
        let public = |row: ContentKeyRow| PublicKey { id: row.id, key: row.public_key };
        self.newest.write().extend(rows.into_iter().map(|(tenant, row)| (tenant, public(row))));
        Ok(())
    }

    fn lacking<'t>(&self, tenants: &'t [Name]) -> Vec<&'t Name> {
        let known = self.newest.read();
        tenants.iter().filter(|tenant| !known.contains_key(*tenant)).collect()
    }

    fn pair(&self, tenant: &Name) -> Result<ContentKeyRow, SealError> {
        let (public, private) = SUITE.generate_key_pair().map_err(|_| SealError::System)?;
        let id = format!("ck-{}", hex(random::<8>()?.as_slice()));
        let sealed = self.sealer.seal(Use::ContentKey(&id), private.secret_bytes())?;
        Ok(ContentKeyRow { id, tenant: tenant.to_string(), public_key: public.0, sealed: Some(sealed) })
    }

    /// Opens a content's key; `None` where it does not open: it was changed, is of another request, tenant or geo, or its pair was
    /// destroyed.
    ///
    /// # Errors
    /// The store can't be read, or what it holds does not open.
    pub async fn unwrap(
        &self,
        store: &Store,
        asked: &Wrapped<'_>,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, ChangeError> {
        let found = store.content_key(asked.key_id).await?;
        let found = found.filter(|row| row.tenant == asked.tenant.as_str());
        let Some((id, sealed)) = found.and_then(|row| Some((row.id, row.sealed?))) else { return Ok(None) };
        let private = HpkePrivateKey::from(self.sealer.open(Use::ContentKey(&id), &sealed)?.to_vec());
        let encapsulated = EncapsulatedSecret(asked.encapsulated.to_vec());
        let bound = bound(asked.request_id, asked.tenant.as_str(), asked.geo);
        Ok(SUITE.open(&encapsulated, INFO, &bound, asked.wrapped, &private).ok().map(Zeroizing::new))
    }

    /// Destroys a tenant's pairs, and with them whatever was sealed to them; how many there were. What is kept from now on is sealed to a
    /// pair that is made then.
    ///
    /// # Errors
    /// The store can't be written.
    pub async fn shred(&self, store: &Store, tenant: &Name) -> Result<u64, StoreError> {
        let _making = self.making.lock().await;
        let destroyed = store.shred_content_keys(tenant.as_str()).await?;
        self.newest.write().remove(tenant);
        Ok(destroyed)
    }
}

#[cfg(test)]
mod tests {
    use rustls::crypto::hpke::HpkePublicKey;

    use super::*;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    /// Something sealed to a pair as a node does it.
    fn sealed(to: &PublicKey, bound: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let (encapsulated, wrapped) =
            SUITE.seal(INFO, bound, &[9; 32], &HpkePublicKey(to.key.clone())).unwrap();
        (encapsulated.0, wrapped)
    }

    #[tokio::test]
    async fn what_is_sealed_to_a_tenant_opens_for_its_request_alone_until_its_pair_is_destroyed() {
        let home = tempfile::tempdir().unwrap();
        let store = Store::open(&home.path().join("store.db")).await.unwrap();
        let sealer = Arc::new(Sealer::new(&[7; 32]).unwrap());
        let keys = ContentKeys::open(&store, sealer.clone()).await.unwrap();
        let (acme, rival) = (name("acme"), name("rival"));
        assert_eq!(keys.of(&acme), None);
        let both = [acme.clone(), rival.clone()];
        for made in futures_util::future::join_all((0..8).map(|_| keys.make(&store, &both))).await {
            made.unwrap();
        }
        assert_eq!(store.content_keys().await.unwrap().len(), 2, "one a tenant, whoever asked first");
        let public = keys.of(&acme).unwrap();
        let kept = store.content_key(&public.id).await.unwrap().unwrap().sealed.unwrap();
        assert_eq!(kept.len(), 12 + 32 + 16, "it lies there sealed");

        let (encapsulated, wrapped) = sealed(&public, &bound("r", "acme", "eu"));
        let asked = Wrapped {
            tenant: &acme,
            request_id: "r",
            geo: "eu",
            key_id: &public.id,
            encapsulated: &encapsulated,
            wrapped: &wrapped,
        };
        // After a restart as well.
        let again = ContentKeys::open(&store, sealer).await.unwrap();
        assert_eq!(again.of(&acme), Some(public.clone()));
        for keys in [&keys, &again] {
            let opened = keys.unwrap(&store, &asked).await.unwrap();
            assert_eq!(opened.as_deref().map(Vec::as_slice), Some(&[9_u8; 32][..]));
        }
        let mut changed = wrapped.clone();
        changed[3] ^= 1;
        let other = keys.of(&rival).unwrap();
        for wrong in [
            Wrapped { tenant: &rival, ..asked },
            Wrapped { tenant: &rival, key_id: &other.id, ..asked },
            Wrapped { request_id: "s", ..asked },
            Wrapped { geo: "us", ..asked },
            Wrapped { key_id: "ck-nothing", ..asked },
            Wrapped { wrapped: &changed, ..asked },
            Wrapped { wrapped: &[], ..asked },
            Wrapped { encapsulated: &[], ..asked },
            Wrapped { encapsulated: &[0; 32], ..asked },
        ] {
            assert!(keys.unwrap(&store, &wrong).await.unwrap().is_none(), "{wrong:?}");
        }

        assert_eq!(keys.shred(&store, &acme).await.unwrap(), 1);
        assert!(keys.unwrap(&store, &asked).await.unwrap().is_none());
        assert_eq!((keys.of(&acme), keys.of(&rival)), (None, Some(other)));
        keys.make(&store, &both).await.unwrap();
        assert_ne!(keys.of(&acme).unwrap().id, public.id, "what is kept from now on has another pair");
        assert!(keys.unwrap(&store, &asked).await.unwrap().is_none());
    }

    #[test]
    fn whose_content_is_kept_is_told_by_the_rules() {
        let mut facts = Facts::default();
        let rule = |mode: Mode, obligation: Obligation| policy_engine::facts::Rule {
            layer: policy_engine::vocabulary::Layer::Organisation,
            effect: Effect::Require,
            when: String::new(),
            obligations: vec![obligation],
            reason_code: None,
            legal_ref: None,
            valid_from: None,
            valid_to: None,
            mode,
            or_unknown: None,
            needs_permit: false,
            geos: vec![],
        };
        let tenant = policy_engine::facts::Tenant {
            display_name: String::new(),
            time_zone: "UTC".into(),
            currency: "USD".parse().unwrap(),
            domicile: None,
            must_audit: false,
            staleness: Default::default(),
            geos: vec![],
        };
        let keeps = || Obligation::Capture("30d".parse().unwrap());
        let id = |tenant: &str, rule: &str| match tenant {
            "" => policy_engine::vocabulary::Id::platform(name(rule)),
            tenant => policy_engine::vocabulary::Id::of(name(tenant), name(rule)),
        };
        for tenant_id in ["acme", "rival"] {
            facts.tenants.insert(id("", tenant_id), Arc::new(tenant.clone()));
        }
        facts.rules.insert(id("acme", "a"), Arc::new(rule(Mode::Enforce, Obligation::NoCache)));
        facts.rules.insert(id("rival", "b"), Arc::new(rule(Mode::Shadow, keeps())));
        assert!(captured(&facts).is_empty());
        facts.rules.insert(id("acme", "c"), Arc::new(rule(Mode::Enforce, keeps())));
        assert_eq!(captured(&facts), [name("acme")]);
        facts.rules.insert(id("", "d"), Arc::new(rule(Mode::Enforce, keeps())));
        assert_eq!(captured(&facts), [name("acme"), name("rival")]);
    }
}
