//! Enrolment on the sync port: the first certificate for a token, each further one for the one before.
//!
//! Law: who shows a token that is not taken is told so and nothing else, late, and in the same words whatever is wrong with it;
//! the operator is told which it was. A request for a certificate is looked at before its token, so that a bad one costs none.
//! Absent on purpose: what makes a token good (`enrolment`).

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant as Moment};

use parking_lot::Mutex;
use policy_engine::vocabulary::{Geo, Instant, Name};
use proto::code::ErrorCode;
use proto::status::Refusal;
use proto::sync::enrolment_server::Enrolment as EnrolmentRpc;
use proto::sync::{EnrolRequest, EnrolResponse, RenewRequest};
use rustls_pki_types::CertificateDer;
use tokio::sync::Semaphore;
use tonic::{Request, Response, Status};

use super::sync::{NodeId, PeerError, admitted};
use crate::act::Via;
use crate::admission::{Admission, Refused};
use crate::allowance::{Allowance, Terms};
use crate::ca::Requested;
use crate::clock;
use crate::enrolment::{Enrolment, EnrolmentError, Presented, Unfit};
use crate::publish::{Act, Publisher, noted};
use crate::store::EnrolmentRow;
use crate::validity::{serial, validity};

/// Bytes of a message: a token and a request of a few hundred.
pub const MESSAGE_BYTES: usize = 16 << 10;

/// Tokens that are looked at, and requests that are verified, at the same time.
const AT_ONCE: usize = 4;

/// Certificates of a node at once: it needs one in two thirds of the life of the one before.
const RENEWALS: u32 = 20;

/// The longest time after which a node may have one more.
const ONE_MORE: Duration = Duration::from_secs(60);

/// Nodes that are remembered; above that, those that were still for long are forgotten.
const NODES: usize = 10_000;

/// How much later a refusal is told than it is known.
const LATER: Duration = Duration::from_secs(1);

/// What is told whatever is wrong with a token.
const NOT_TAKEN: &str = "the enrolment token is not taken: ask whoever runs the control plane for a new one (`chancery nodes enrol`)";

/// The call of the first certificate, as the log knows it.
const ENROL: &str = "chancery.sync.v1.Enrolment/Enrol";

/// The call of each further one.
const RENEW: &str = "chancery.sync.v1.Enrolment/Renew";

/// The service that gives nodes their certificates.
#[derive(Debug)]
pub struct EnrolmentService {
    enrolment: Enrolment,
    admission: Admission,
    publisher: Publisher,
    places: Semaphore,
    renewals: Mutex<HashMap<String, Allowance>>,
}

impl EnrolmentService {
    /// Enrolment for the nodes that are let in; what is refused is logged by the publisher.
    pub fn new(enrolment: Enrolment, admission: Admission, publisher: Publisher) -> Self {
        let (places, renewals) = (Semaphore::new(AT_ONCE), Mutex::default());
        Self { enrolment, admission, publisher, places, renewals }
    }

    /// Refuses a node that wants certificates without end: each is an event in the log, which nothing is ever taken out of.
    fn may_renew(&self, node: &NodeId, now: Moment) -> Result<(), Status> {
        let mut renewals = self.renewals.lock();
        if renewals.len() >= NODES {
            renewals.retain(|_, allowance| !allowance.is_still(now));
        }
        let each = ONE_MORE.min(self.enrolment.issuer().valid / 6);
        let fresh = || Allowance::new(Terms { burst: RENEWALS, each }, now);
        renewals.entry(node.spiffe_id()).or_insert_with(fresh).take(now).map_err(|wait| {
            tracing::warn!(geo = %node.geo, node = %node.name, "a node wants its certificate renewed too often");
            let line = "the node's certificate was renewed too often of late";
            let refusal = Refusal::new(ErrorCode::RateLimitExceeded, line);
            Status::from(Refusal { retry_after: Some(wait), ..refusal })
        })
    }

    async fn enrolled(
        &self,
        asked: &EnrolRequest,
        from: Option<SocketAddr>,
    ) -> Result<(Geo, Name, CertificateDer<'static>), Status> {
        let _place = self.places.acquire().await.map_err(|_| Status::unavailable("shutting down"))?;
        let key = Requested::read(&asked.certificate_request).map_err(malformed)?;
        let Some(presented) = Presented::read(&asked.token) else {
            return Err(self.refused("", Unfit::Form, from).await);
        };
        match self.enrolment.enrol(&presented, &key, |row| act(&presented.id, row, from)).await {
            Ok(enrolled) => Ok(enrolled),
            Err(EnrolmentError::Unfit(why)) => Err(self.refused(&presented.id, why, from).await),
            Err(error) => Err(broken(&error)),
        }
    }

    /// Refuses a token; the log and an event say why.
    async fn refused(&self, id: &str, why: Unfit, from: Option<SocketAddr>) -> Status {
        tracing::warn!(token = id, %why, "an enrolment token is not taken");
        // Of what nobody made, all share one allowance of the log; what somebody made is its own.
        let known = !matches!(why, Unfit::Form | Unfit::Unknown | Unfit::Elsewhere);
        let actor = if known { format!("enrolmentTokens/{id}") } else { "unknown".to_owned() };
        let via = Via::sync(from, if known { "enrolment_token" } else { "none" });
        let act = Act { actor, action: ENROL.to_owned(), reason: why.to_string(), via, ..Act::default() };
        if let Err(error) = self.publisher.log_refusal(&act, ErrorCode::PermissionDenied.as_str()).await {
            tracing::error!(%error, "a refusal could not be logged");
        }
        Status::permission_denied(NOT_TAKEN)
    }

    fn answer(&self, certificate: &CertificateDer<'_>) -> Response<EnrolResponse> {
        let authority = self.enrolment.issuer().certificate.to_vec();
        Response::new(EnrolResponse { certificate: certificate.to_vec(), authority })
    }
}

#[tonic::async_trait]
impl EnrolmentRpc for EnrolmentService {
    async fn enrol(&self, request: Request<EnrolRequest>) -> Result<Response<EnrolResponse>, Status> {
        match self.enrolled(request.get_ref(), request.remote_addr()).await {
            Ok((geo, node, certificate)) => {
                tracing::info!(%geo, %node, "a node is enrolled");
                Ok(self.answer(&certificate))
            }
            Err(status) => {
                tokio::time::sleep(LATER).await;
                Err(status)
            }
        }
    }

    async fn renew(&self, request: Request<RenewRequest>) -> Result<Response<EnrolResponse>, Status> {
        let (node, revoked) = admitted(&request, &self.admission).map_err(|error| {
            if error != PeerError::Missing {
                tracing::warn!(%error, "a node's certificate is not renewed");
            }
            Status::permission_denied(error.to_string())
        })?;
        let _place = self.places.acquire().await.map_err(|_| Status::unavailable("shutting down"))?;
        let key = Requested::read(&request.get_ref().certificate_request).map_err(malformed)?;
        self.may_renew(&node, Moment::now())?;
        let made = self.enrolment.renew((&node.geo, &node.name), &key, &revoked);
        let made = made.map_err(|error| broken(&error))?;
        let act = Act {
            via: Via::sync(request.remote_addr(), "node_certificate"),
            ..renewal(&node.geo, &node.name, &made)
        };
        let logged = self.publisher.store().log(&noted(&act, clock::now())).await;
        logged.map_err(|error| broken(&error.into()))?;
        tracing::info!(geo = %node.geo, node = %node.name, "a node's certificate is renewed");
        Ok(self.answer(&made))
    }
}

/// The act of whoever has the token.
fn act(id: &str, row: &EnrolmentRow, from: Option<SocketAddr>) -> Act {
    Act {
        actor: format!("enrolmentTokens/{id}"),
        action: ENROL.to_owned(),
        resource: format!("geos/{}/nodes/{}", row.geo, row.node),
        via: Via::sync(from, "enrolment_token"),
        ..Act::default()
    }
}

/// The act of a node that has its next certificate.
fn renewal(geo: &Geo, node: &Name, certificate: &CertificateDer<'_>) -> Act {
    let actor = format!("geos/{geo}/nodes/{node}");
    let end = validity(certificate).map(|(_, end)| Instant(end.saturating_mul(1_000_000)));
    Act {
        resource: format!("{actor}/certificates/{}", serial(certificate)),
        actor,
        action: RENEW.to_owned(),
        reason: end.map(|end| format!("until {end}")).unwrap_or_default(),
        ..Act::default()
    }
}

fn malformed(error: impl std::fmt::Display) -> Status {
    Status::invalid_argument(error.to_string())
}

/// What failed here. That certificates are of no use here is told: it is no secret, and the node's operator can't know.
fn broken(error: &EnrolmentError) -> Status {
    match error {
        EnrolmentError::Impossible(why) => return Status::failed_precondition(*why),
        EnrolmentError::Unfit(_) => return Status::permission_denied(Refused::Revoked.to_string()),
        _ => {}
    }
    tracing::error!(error = error as &dyn std::error::Error, "a node could not be enrolled");
    Status::unavailable("the node can't be enrolled at present: ask again")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::ca::Authority;
    use crate::enrolment::{Issuer, pin};
    use crate::publish::tests::fixture;

    #[tokio::test]
    async fn a_node_that_wants_certificates_without_end_is_told_when_to_come_again() {
        let fixture = fixture().await;
        let authority = Arc::new(Authority::open_or_create(&fixture.dir.path().join("ca")).unwrap());
        let certificate = authority.certificate();
        let (pin, valid) = (Some(pin(&certificate)), Duration::from_secs(24 * 60 * 60));
        let issuer = Issuer { authority, certificate, pin, valid, port: 1, trusted: true };
        let store = fixture.publisher.store().clone();
        let enrolment = Enrolment::open(store, Admission::default(), issuer).await.unwrap();
        let service = EnrolmentService::new(enrolment, Admission::default(), fixture.publisher.clone());
        let node = |name: &str| NodeId { geo: "eu".parse().unwrap(), name: name.parse().unwrap() };
        let start = Moment::now();
        for _ in 0..RENEWALS {
            service.may_renew(&node("a"), start).unwrap();
        }
        let refused = Refusal::of_status(&service.may_renew(&node("a"), start).unwrap_err());
        assert_eq!((refused.code, refused.retry_after), (ErrorCode::RateLimitExceeded, Some(ONE_MORE)));
        service.may_renew(&node("b"), start).unwrap();
        service.may_renew(&node("a"), start + ONE_MORE).unwrap();
        assert!(service.may_renew(&node("a"), start + ONE_MORE).is_err());
    }
}
