//! Bearer tokens: the platform's own, kept as their SHA-256, and API keys.

use policy_engine::vocabulary::Instant;
use proto::code::ErrorCode;
use proto::status::Refusal;
use subtle::ConstantTimeEq as _;
use tonic::metadata::MetadataMap;

use super::{Actor, Scope};
use crate::clock;
use crate::govern::keys::{PREFIX, presented};
use crate::publish::Publisher;
use crate::registry::sha256;
use crate::store::Digest;

/// A platform admin token as it is configured: its name, for the audit log, its SHA-256, and what it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenDigest {
    /// Its name.
    pub name: String,
    /// SHA-256 of the token.
    pub digest: Digest,
    /// What its holder may do.
    pub role: Role,
}

/// What the holder of a platform token may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// Everything.
    Admin,
    /// Look at what is in a scope.
    Auditor(Scope),
}

impl TokenDigest {
    /// An administrator's.
    pub fn of_admin(name: &str, digest: Digest) -> Self {
        Self { name: name.to_owned(), digest, role: Role::Admin }
    }

    /// Who holds it.
    fn actor(&self) -> Actor {
        let name = self.name.clone();
        match &self.role {
            Role::Admin => Actor::Platform(name),
            Role::Auditor(scope) => Actor::Auditor { name, scope: scope.clone() },
        }
    }
}

/// SHA-256 of a platform admin token.
pub fn token_digest(token: &str) -> Digest {
    sha256(token.as_bytes())
}

/// Recognises callers.
#[derive(Debug, Clone)]
pub struct Authenticator {
    publisher: Publisher,
    tokens: Vec<TokenDigest>,
}

impl Authenticator {
    /// Recognises these tokens, and the API keys in force.
    pub fn new(publisher: Publisher, tokens: Vec<TokenDigest>) -> Self {
        Self { publisher, tokens }
    }

    /// The platform's own tokens.
    pub(crate) fn tokens(&self) -> &[TokenDigest] {
        &self.tokens
    }

    /// Who calls with this metadata; says only what kind of credential is wrong, never whose.
    pub fn actor(&self, metadata: &MetadataMap) -> Result<Actor, Refusal> {
        let Some(token) = bearer(metadata) else {
            return Err(Refusal::new(
                ErrorCode::MissingApiKey,
                "an admin token or API key is needed: send it as `authorization: Bearer ...`",
            ));
        };
        if token.starts_with(PREFIX) { self.key(token) } else { self.token(token) }
    }

    fn token(&self, token: &str) -> Result<Actor, Refusal> {
        let digest = token_digest(token);
        // Every token is compared, so that the time taken does not tell which one was nearly right.
        let found = self
            .tokens
            .iter()
            .fold(None, |found, known| if known.digest.ct_eq(&digest).into() { Some(known) } else { found });
        found.map(TokenDigest::actor).ok_or_else(invalid)
    }

    fn key(&self, key: &str) -> Result<Actor, Refusal> {
        let (public_id, digest) = presented(key).ok_or_else(invalid)?;
        let published = self.publisher.current();
        let verified = self.publisher.ring().verifies(&public_id, &digest);
        let known = published.facts.keys.get(&public_id).filter(|_| verified).ok_or_else(invalid)?;
        if known.revoked {
            return Err(Refusal::new(ErrorCode::KeyRevoked, "the API key was revoked: ask for another"));
        }
        if known.expires.is_some_and(|at| Instant(clock::now()) >= at) {
            return Err(Refusal::new(ErrorCode::KeyExpired, "the API key has expired: ask for another"));
        }
        if !known.models.is_empty() || !known.geos.is_empty() {
            let narrowed = "the API key is narrowed to models or geos, which administration is none of: use one that is not";
            return Err(Refusal::new(ErrorCode::KeyScope, narrowed));
        }
        Ok(Actor::Principal {
            tenant: known.tenant.clone(),
            principal: known.principal.clone(),
            team: known.team.clone(),
            key_id: public_id,
        })
    }
}

fn invalid() -> Refusal {
    let message = "the admin token or API key is not valid: send one of this control plane as `authorization: Bearer ...`";
    Refusal::new(ErrorCode::InvalidApiKey, message)
}

fn bearer(metadata: &MetadataMap) -> Option<&str> {
    let header = metadata.get("authorization").and_then(|value| value.to_str().ok());
    let bearer = header.and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    });
    let plain = |name: &str| metadata.get(name).and_then(|value| value.to_str().ok());
    bearer.or_else(|| plain("x-api-key")).or_else(|| plain("api-key")).filter(|t| !t.is_empty())
}
