//! One question to a keeper of secrets over HTTP, and why it was not answered.
//!
//! Law: an answer is read up to a bound, in a time, and wiped; what went wrong is told without any of it. The host is the operator's own, so
//! it may be anywhere, and nothing else is dialled: redirects are answers like any other.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use thiserror::Error;
use zeroize::{Zeroize as _, Zeroizing};

use crate::upstream::address::{AddressPolicy, Loopback};
use crate::upstream::connect::Connector;
use crate::upstream::tls;

/// How long a question may take.
const WITHIN: Duration = Duration::from_secs(10);
/// Bytes of an answer at most: more than Secrets Manager keeps, and than a credential needs.
const MOST: usize = 256 * 1024;

/// What of a configuration is of no use; the key, and why.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`secrets.{key}`: {why}")]
pub(crate) struct Unfit {
    pub(crate) key: &'static str,
    pub(crate) why: String,
}

/// Why a secret was not fetched.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum NotFetched {
    /// The node has no keeper of this kind.
    #[error("the node's configuration has no `{0}`")]
    NoKeeper(&'static str),
    /// There is no such secret, or none any more.
    #[error("there is no such secret: {0}")]
    Gone(&'static str),
    /// The keeper does not let this node have it, or in.
    #[error("the keeper refuses this node: status {0}")]
    Refused(u16),
    /// The keeper could not be asked, or its answer not read.
    #[error("the keeper can't be asked: {0}")]
    Away(String),
}

impl NotFetched {
    /// Whether the keeper knows that it is not there.
    pub(super) fn is_gone(&self) -> bool {
        matches!(self, Self::Gone(_))
    }
}

/// Asks keepers.
#[derive(Clone)]
pub(super) struct Asker(Client<Connector, Full<Bytes>>);

impl Asker {
    /// One that trusts a file's authorities too.
    pub(super) fn trusting(ca: Option<&Path>, key: &'static str) -> Result<Self, Unfit> {
        let unfit = |why: String| Unfit { key, why };
        let pem = ca
            .map(|path| {
                std::fs::read_to_string(path).map_err(|error| unfit(format!("`{}`: {error}", path.display())))
            })
            .transpose()?;
        let tls = tls::client(pem.as_deref()).map_err(|fault| unfit(fault.to_string()))?;
        let anywhere = ["0.0.0.0/0", "::/0"].iter().filter_map(|net| net.parse().ok()).collect();
        let policy = AddressPolicy { loopback: Loopback::Permitted, allowed: anywhere };
        let connector = Connector::new(policy, tls, WITHIN);
        Ok(Self(Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector)))
    }

    /// A status, and the whole answer.
    pub(super) async fn ask(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<(StatusCode, Zeroizing<Vec<u8>>), NotFetched> {
        let away = |error: &dyn std::error::Error| NotFetched::Away(root(error));
        let asking = async {
            let answer = self.0.request(request).await.map_err(|error| away(&error))?;
            let status = answer.status();
            let (mut body, mut whole) = (answer.into_body(), Zeroizing::new(Vec::new()));
            while let Some(frame) = body.frame().await {
                let Ok(data) = frame.map_err(|error| away(&error))?.into_data() else { continue };
                if whole.len().saturating_add(data.len()) > MOST {
                    return Err(NotFetched::Away("its answer is too long".to_owned()));
                }
                append(&mut whole, &data);
            }
            Ok((status, whole))
        };
        let answered = tokio::time::timeout(WITHIN, asking).await;
        answered.unwrap_or_else(|_| Err(NotFetched::Away("it takes too long".to_owned())))
    }
}

/// Adds bytes; what is outgrown is wiped.
fn append(whole: &mut Zeroizing<Vec<u8>>, more: &[u8]) {
    let needed = whole.len().saturating_add(more.len());
    if needed > whole.capacity() {
        let mut larger = Vec::with_capacity(needed.saturating_mul(2));
        larger.extend_from_slice(whole);
        whole.zeroize();
        **whole = larger;
    }
    whole.extend_from_slice(more);
}

/// What is at the bottom of an error: the system's word, without addresses or what was sent.
fn root(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source())
        .last()
        .map(ToString::to_string)
        .unwrap_or_default()
}

/// What a configuration's URL begins with, without a slash at its end.
pub(super) fn base(url: &str, key: &'static str) -> Result<String, Unfit> {
    let unfit = || Unfit { key, why: "is not an http or https URL without query and user".to_owned() };
    let uri: http::Uri = url.parse().map_err(|_| unfit())?;
    let has_host = uri
        .authority()
        .is_some_and(|authority| !authority.as_str().contains('@') && !authority.host().is_empty());
    let fits = matches!(uri.scheme_str(), Some("http" | "https")) && has_host && uri.query().is_none();
    if fits { Ok(url.trim_end_matches('/').to_owned()) } else { Err(unfit()) }
}
