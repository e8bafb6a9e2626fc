//! What the verbs of one request share.

use std::sync::Arc;

use http::HeaderValue;

use super::account::Account;
use super::received::Arrival;
use super::reply::{Head, Reply};
use crate::error::Rejection;
use crate::node::Node;
use crate::runtime::Runtime;

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
        Self { node, runtime, account: Account::open(node, runtime.revision(), arrival) }
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
    let revision = runtime.as_ref().map_or(0, |runtime| runtime.revision());
    Account::open(node, revision, arrival).close(Some(&rejection));
    Head::bare(arrival, node).reply(Err(rejection))
}
