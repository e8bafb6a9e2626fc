//! Which node a certificate is of, and whether it still is.

use policy_engine::vocabulary::{Geo, Name};
use rustls_pki_types::CertificateDer;
use thiserror::Error;
use tokio_util::sync::CancellationToken;
use tonic::Request;

use crate::admission::{Admission, Refused};
use crate::validity;

/// The trust domain of node certificates.
const PREFIX: &str = "spiffe://chancery/geo/";

/// Which node: by its certificate, not by what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeId {
    /// Where it runs.
    pub geo: Geo,
    /// Its name, unique within the geo.
    pub name: Name,
}

/// Why a certificate is not a node's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PeerError {
    /// The peer showed none.
    #[error("a node shows a certificate")]
    Missing,
    /// It can't be read.
    #[error("the certificate can't be read")]
    Malformed,
    /// It has no, or more than one, SPIFFE id of a node.
    #[error("the certificate has not exactly one id of the form `spiffe://chancery/geo/GEO/node/NAME`")]
    Id,
    /// It is a node's no more.
    #[error("{node}: {why}")]
    Refused {
        /// Its SPIFFE id.
        node: String,
        /// Why.
        why: Refused,
    },
}

/// The node that calls, as long as it is not revoked: then what is given beside it is cancelled.
pub(crate) fn admitted<T>(
    request: &Request<T>,
    admission: &Admission,
) -> Result<(NodeId, CancellationToken), PeerError> {
    let certificates = request.peer_certs();
    let leaf = certificates.as_ref().and_then(|all| all.first()).ok_or(PeerError::Missing)?;
    let node = node_of(leaf)?;
    let admitted = admission.admit(&node.geo, &node.name, leaf);
    let admitted = admitted.map_err(|why| PeerError::Refused { node: node.spiffe_id(), why })?;
    Ok((node, admitted))
}

/// When the certificate that was shown ends, in seconds since the Unix epoch.
pub(super) fn shown_until<T>(request: &Request<T>) -> Option<i64> {
    validity::not_after(request.peer_certs()?.first()?)
}

/// The node a certificate was issued to, by its one URI name.
pub fn node_of(der: &CertificateDer<'_>) -> Result<NodeId, PeerError> {
    let certificate = webpki::EndEntityCert::try_from(der).map_err(|_| PeerError::Malformed)?;
    let mut ids = certificate.valid_uri_names().filter(|uri| uri.starts_with("spiffe:"));
    let (Some(id), None) = (ids.next(), ids.next()) else { return Err(PeerError::Id) };
    parse(id).ok_or(PeerError::Id)
}

fn parse(id: &str) -> Option<NodeId> {
    let mut parts = id.strip_prefix(PREFIX)?.split('/');
    let (geo, node, name, rest) = (parts.next()?, parts.next()?, parts.next()?, parts.next());
    let named = node == "node" && rest.is_none();
    named.then_some(NodeId { geo: Name::new(geo).ok()?, name: Name::new(name).ok()? })
}

impl NodeId {
    /// The SPIFFE id, as in the node's certificate.
    pub fn spiffe_id(&self) -> String {
        format!("{PREFIX}{}/node/{}", self.geo, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_id_of_a_node_names_one() {
        let node = parse("spiffe://chancery/geo/eu/node/eu-1").unwrap();
        assert_eq!(node.spiffe_id(), "spiffe://chancery/geo/eu/node/eu-1");
        for bad in [
            "spiffe://other/geo/eu/node/eu-1",
            "spiffe://chancery/geo/eu/node/",
            "spiffe://chancery/geo/eu/node/a/b",
            "spiffe://chancery/geo//node/a",
            "spiffe://chancery/geo/eu/nodes/a",
            "spiffe://chancery/geo/e u/node/a",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
