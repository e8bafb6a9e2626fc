//! Who asks: an API key to the caller it stands for.
//!
//! Law: an unknown key, a wrong secret and a malformed key are told alike and cost alike, one MAC each, compared in constant
//! time; that a key expired or was taken back is told only to who proved to hold it, and stays true however old it is. What is too
//! old to say that a key is good is no reason to call it bad. Deliberately absent: any cache of keys.

use aws_lc_rs::{digest, hmac};
use http::HeaderValue;
use policy_engine::request::Caller;
use policy_engine::vocabulary::Instant;
use proto::code::ErrorCode;
use subtle::ConstantTimeEq as _;

use super::Exchange;
use super::received::Received;
use crate::error::Rejection;
use crate::node::Node;
use crate::record::Owner;
use crate::runtime::Runtime;

/// A request whose caller is proved.
pub(crate) struct Identified {
    /// The request.
    pub(crate) received: Received,
    /// Who asks.
    pub(crate) caller: Caller,
    /// The key's public id.
    pub(crate) key: Box<str>,
}

/// Proves the caller of a request, and notes whose it is.
pub(crate) fn authenticate(exchange: &mut Exchange<'_>, received: Received) -> Result<Identified, Rejection> {
    let arrival = &received.arrival;
    let (node, runtime) = (exchange.node, exchange.runtime);
    let (caller, key) = prove(node, runtime, (&arrival.credential, arrival.at))?;
    if let Some(identity) = runtime.snapshot.identity(caller) {
        let owner = Owner {
            tenant: identity.tenant.name.clone(),
            team: identity.team.name.clone(),
            principal: identity.principal.name.clone(),
            key: key.clone(),
        };
        exchange.account.identified(owner, identity.tenant.must_audit);
    }
    trusted(node, runtime, Some(caller))?;
    exchange.may_begin()?;
    if let Err(rejection) = &received.arrival.declared {
        return Err(rejection.clone());
    }
    Ok(Identified { received, caller, key })
}

/// The caller that a credential stands for, if what says so is still good, and the key's public id.
pub(crate) fn identify(
    node: &Node,
    runtime: &Runtime,
    credential: (&Result<HeaderValue, ErrorCode>, Instant),
) -> Result<(Caller, Box<str>), Rejection> {
    let (caller, key) = prove(node, runtime, credential)?;
    trusted(node, runtime, Some(caller))?;
    Ok((caller, key))
}

/// Whether what is known of a caller's key and roles is still good. Of a key that is not known it could be any tenant's: that it
/// is not valid is said only while every tenant's keys are known well enough, so that no good key made since is called bad.
fn trusted(node: &Node, runtime: &Runtime, caller: Option<Caller>) -> Result<(), Rejection> {
    let tenant = caller
        .and_then(|caller| runtime.snapshot.identity(caller))
        .map(|identity| &identity.tenant.staleness);
    match node.freshness.trusts_keys(runtime.spans(), tenant) {
        true => Ok(()),
        false => Err(Rejection::stale(ErrorCode::AuthStale)),
    }
}

/// The caller that a credential stands for, and the key's public id.
fn prove(
    node: &Node,
    runtime: &Runtime,
    (credential, now): (&Result<HeaderValue, ErrorCode>, Instant),
) -> Result<(Caller, Box<str>), Rejection> {
    if node.overlay.is_unknown() {
        return Err(Rejection::unready());
    }
    let presented = credential.as_ref().map_err(|code| refuse(*code))?;
    let (id, secret) = parts(presented.as_bytes()).unwrap_or(("", b""));
    let row = runtime.snapshot.key(id);
    let digest = digest::digest(&digest::SHA256, secret);
    let mac = hmac::sign(runtime.scope_key(row.map_or("", |row| &row.scope_key)), digest.as_ref());
    let expected = row.map_or([0; 32], |row| row.mac);
    let proved = bool::from(mac.as_ref().ct_eq(&expected));
    let Some(row) = row.filter(|_| proved) else {
        trusted(node, runtime, None)?;
        return Err(refuse(ErrorCode::InvalidApiKey));
    };
    if row.revoked || node.overlay.revokes(id) {
        return Err(refuse(ErrorCode::KeyRevoked));
    }
    if row.expires.is_some_and(|expires| expires <= node.freshness.not_before(now)) {
        return Err(refuse(ErrorCode::KeyExpired));
    }
    Ok((row.caller(), id.into()))
}

/// The public id and the secret of `chy_<public id>_<secret>`.
fn parts(key: &[u8]) -> Option<(&str, &[u8])> {
    let rest = key.strip_prefix(b"chy_")?;
    let at = rest.iter().position(|byte| *byte == b'_')?;
    let (id, secret) = rest.split_at(at);
    let fits = (1..=128).contains(&id.len()) && secret.len() <= 256;
    Some((std::str::from_utf8(id).ok().filter(|_| fits)?, secret.get(1..)?))
}

fn refuse(code: ErrorCode) -> Rejection {
    let line = match code {
        ErrorCode::MissingApiKey => {
            "no API key was given: send it as `authorization: Bearer KEY`, `x-api-key` or `api-key`"
        }
        ErrorCode::KeyExpired => "the API key has expired",
        ErrorCode::KeyRevoked => Rejection::REVOKED,
        _ => "the API key is not valid",
    };
    Rejection::new(code, line)
}
