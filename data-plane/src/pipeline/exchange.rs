//! What the verbs of one request share.

use std::sync::Arc;

use http::HeaderValue;
use policy_engine::decision::{Candidate, Permit};
use policy_engine::request::Caller;
use proto::code::ErrorCode;

use super::account::Account;
use super::received::Arrival;
use super::reply::{Head, Reply};
use crate::error::Rejection;
use crate::node::Node;
use crate::overlay::{Cut, Killed, Stage, Subject};
use crate::runtime::{Endpoint, Runtime};

/// What the verbs share: the node, the revision, and the account of this request.
pub(crate) struct Exchange<'s> {
    /// The node.
    pub(crate) node: &'s Arc<Node>,
    /// The revision, taken once.
    pub(crate) runtime: &'s Arc<Runtime>,
    /// The request's account.
    pub(crate) account: Account,
}

impl<'s> Exchange<'s> {
    /// Opens the account of a request.
    pub(crate) fn open(node: &'s Arc<Node>, runtime: &'s Arc<Runtime>, arrival: &Arrival) -> Self {
        Self { node, runtime, account: Account::open(node, runtime.version, arrival) }
    }

    /// Refuses a request that something switched off hits, as far as it is known by now.
    pub(crate) fn may_begin(&mut self) -> Result<(), Rejection> {
        let met = self.node.overlay.kills(&self.account.subject(), Stage::Begin, self.node.clock.now());
        met.map_or(Ok(()), |met| Err(self.switched_off(&met)))
    }

    /// Refuses a request whose rules this node can't be sure to know.
    pub(crate) fn knows_rules(&self, caller: Caller, arrival: &Arrival) -> Result<(), Rejection> {
        let Some(identity) = self.runtime.snapshot.identity(caller) else { return Ok(()) };
        let declared = arrival.declared.as_ref();
        let classes = declared.iter().flat_map(|declared| &declared.classes).map(String::as_str);
        let tenant = &identity.tenant.staleness;
        match self.node.freshness.trusts_rules(self.runtime.spans(), tenant, classes) {
            true => Ok(()),
            false => Err(Rejection::stale(ErrorCode::RulesStale)),
        }
    }

    /// Drops the candidates that are switched off, and refuses where none is left.
    pub(crate) fn drop_killed(&mut self, permit: &mut Permit) -> Result<(), Rejection> {
        let (overlay, now) = (&self.node.overlay, self.node.clock.now());
        let mut last = None;
        permit.candidates.retain(|candidate| {
            let Some(endpoint) = self.runtime.endpoint(candidate.endpoint) else { return true };
            let met = overlay.kills(&endpoint.subject(), Stage::Begin, now);
            let stays = met.is_none();
            last = met.or(last.take());
            stays
        });
        match last.filter(|_| !permit.candidates.iter().any(Candidate::answers)) {
            Some(met) => Err(self.switched_off(&met)),
            None => Ok(()),
        }
    }

    /// What forbids sending the request to an endpoint now: nothing, where nothing changed since it was looked first.
    pub(crate) fn forbidden(&self, endpoint: &Endpoint) -> Option<Cut> {
        if !self.account.is_stale() {
            return None;
        }
        let known = self.account.subject();
        let subject =
            Subject { key: known.key, tenant: known.tenant, model: known.model, ..endpoint.subject() };
        let overlay = &self.node.overlay;
        if subject.key.is_some_and(|key| overlay.revokes(key)) {
            return Some(Cut::Revoked);
        }
        overlay.kills(&subject, Stage::Begin, self.node.clock.now()).map(Cut::Killed)
    }

    fn switched_off(&mut self, met: &Killed) -> Rejection {
        self.account.met(met);
        Rejection::switched_off(met, self.node.clock.now())
    }

    /// The endpoint that was called last, as a header.
    pub(crate) fn called(&self) -> Option<HeaderValue> {
        let id = self.account.called()?;
        let endpoint = self.runtime.endpoints().iter().find(|endpoint| endpoint.id == *id);
        endpoint.map(|endpoint| endpoint.header.clone())
    }
}

/// Refuses a request that cannot even be read, and records that.
pub(crate) fn turn_away(node: &Arc<Node>, arrival: &Arrival, rejection: Rejection) -> Reply {
    let runtime = node.runtime.load();
    let version = runtime.as_ref().map(|runtime| runtime.version).unwrap_or_default();
    Account::open(node, version, arrival).close(Some(&rejection));
    Head::bare(arrival, node).reply(Err(rejection))
}
