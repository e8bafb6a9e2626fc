//! Vendors' credentials, opened from where the registry says they are; and what is told where one can't be.
//!
//! Law: a credential that is named and can't be opened leaves its endpoints without a way: no prompt goes out without it. Told is
//! the reference, never what is behind it. Sealed ones, and those that are kept elsewhere, may come a moment after the policy that names them; only one that is
//! still not there after a while is told.

use std::env;
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use policy_engine::facts::Credential;
use policy_engine::snapshot::ProviderRow;
use policy_engine::vocabulary::{Id, Kind};

use crate::node::Node;
use crate::policy::Secrets;
use crate::runtime::Runtime;
use crate::secrets::{self, Remote};
use crate::upstream::config::Fault;
use crate::upstream::{Refused, Secret};

/// How long sealed secrets may be on their way.
const ON_THEIR_WAY: Duration = Duration::from_secs(5);

/// A provider's credential; `None` where it asks for none.
pub(super) fn open(
    provider: &ProviderRow,
    (sealed, remote): (&Secrets, &Remote),
) -> Result<Option<Secret>, Fault> {
    let Some(reference) = &provider.credential else { return Ok(None) };
    let found = match reference {
        Credential::Env(name) => env::var(name).ok(),
        Credential::File(path) => secrets::read(Path::new(path)).map(|text| text.trim().to_owned()),
        Credential::Sealed => {
            let name = proto::name::format(Kind::Provider, &provider.id);
            sealed.credentials.get(&name).map(|secret| secret.reveal().to_owned())
        }
        Credential::Vault(_) | Credential::Aws(_) => {
            remote.open(reference).map(|value| value.as_str().to_owned())
        }
    };
    let found = found.filter(|text| !text.is_empty()).ok_or(Fault::CredentialMissing)?;
    Ok(Some(Secret::new(found)))
}

/// Who is told when a vendor refuses a provider's credential, where it may have been changed.
pub(super) fn refused(provider: &ProviderRow, remote: &Arc<Remote>) -> Option<Refused> {
    let reference = provider.credential.clone().filter(Remote::keeps)?;
    let remote = remote.clone();
    Some(Refused::by(&reference.to_string(), move || remote.refused(&reference)))
}

/// Tells the operator which endpoints of what is in force now are not called for want of a credential.
pub(super) fn tell(node: &Arc<Node>, runtime: &Arc<Runtime>) {
    let missing = missing(runtime);
    let (sealed, here): (Vec<Missing>, Vec<Missing>) = missing.into_iter().partition(|m| m.on_its_way);
    here.iter().for_each(Missing::log);
    if sealed.is_empty() {
        return;
    }
    let (node, then) = (Arc::downgrade(node), Arc::downgrade(runtime));
    tokio::spawn(async move {
        tokio::time::sleep(ON_THEIR_WAY).await;
        tell_unless_replaced(&sealed, &node, &then);
    });
}

/// Where another policy, or the same with other secrets, is in force by now, that one has its own to tell.
fn tell_unless_replaced(sealed: &[Missing], node: &Weak<Node>, then: &Weak<Runtime>) {
    let now = node.upgrade().and_then(|node| node.runtime.load_full());
    if now.is_some_and(|now| Weak::ptr_eq(&Arc::downgrade(&now), then)) {
        sealed.iter().for_each(Missing::log);
    }
}

/// An endpoint without its credential.
#[derive(Debug, PartialEq, Eq)]
struct Missing {
    endpoint: Id,
    reference: String,
    fault: String,
    /// It comes after the policy that names it.
    on_its_way: bool,
}

fn missing(runtime: &Runtime) -> Vec<Missing> {
    let snapshot = &runtime.snapshot;
    let endpoints = snapshot.endpoints().zip(runtime.endpoints());
    let missing = endpoints.filter_map(|((_, row), endpoint)| {
        let fault = endpoint.upstream.as_ref().err().filter(|fault| fault.is_of_credential())?;
        let credential = snapshot.provider_of(row)?.credential.as_ref()?;
        Some(Missing {
            endpoint: row.id.clone(),
            reference: credential.to_string(),
            fault: fault.to_string(),
            on_its_way: *credential == Credential::Sealed || Remote::fetches(credential),
        })
    });
    missing.collect()
}

impl Missing {
    fn log(&self) {
        tracing::error!(
            endpoint = %self.endpoint,
            credential = self.reference,
            fault = self.fault,
            "an endpoint has no credential and is not called"
        );
    }
}

#[cfg(test)]
mod tests;
