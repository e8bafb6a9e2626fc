//! Asking the control plane for a certificate: the first by a token, the next by the one before.
//!
//! Law: a request says nothing but the key. Who is asked has proved who it is before anything is said.

use std::sync::Arc;
use std::time::Duration;

use proto::sync::enrolment_client::EnrolmentClient;
use proto::sync::{EnrolRequest, EnrolResponse, RenewRequest};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use rustls_pki_types::CertificateDer;
use tonic::transport::{ClientTlsConfig, Endpoint};
use tonic::{Code, Status};

use super::pinned::{Pinned, Seen};
use super::token::Token;
use crate::tls::{self, Way};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What was given.
#[derive(Debug, Clone)]
pub(super) struct Granted {
    /// The node's certificate.
    pub(super) certificate: CertificateDer<'static>,
    /// The authorities to trust: that of the sync port, where it was not known before, and the one that issued.
    pub(super) authorities: Vec<CertificateDer<'static>>,
}

/// Why nothing was given.
#[derive(Debug)]
pub(super) enum Failure {
    /// It never will be.
    Refused(String),
    /// It may be later.
    Away(String),
}

impl Failure {
    /// What can't be kept may be once the disk is well.
    pub(super) fn kept(error: anyhow::Error) -> Self {
        Self::Away(format!("the identity can't be kept: {error:#}"))
    }

    fn of(status: &Status) -> Self {
        match status.code() {
            Code::PermissionDenied
            | Code::Unauthenticated
            | Code::InvalidArgument
            | Code::FailedPrecondition => Self::Refused(status.message().to_owned()),
            Code::Unimplemented => Self::Refused(tls::ELSEWHERE.to_owned()),
            _ => Self::Away(status.message().to_owned()),
        }
    }
}

/// The first certificate, for a token.
pub(super) async fn enrol(url: &str, token: &Token, key: &KeyPair) -> Result<Granted, Failure> {
    let pinned = Arc::new(Pinned::by(token));
    let broken = |error: anyhow::Error| Failure::Refused(format!("{error:#}"));
    let endpoint = tls::endpoint(url).map_err(broken)?;
    let endpoint = endpoint.tls_config_with_verifier(ClientTlsConfig::new(), pinned.clone());
    let endpoint = endpoint.map_err(|error| broken(error.into()))?;
    let mut client = connected(&endpoint).await.map_err(|failure| match pinned.seen() {
        Some(Seen::Stranger(why)) => Failure::Refused(format!("{url} is not trusted: {why}")),
        _ => failure,
    })?;
    let asked = EnrolRequest { token: token.whole.to_string(), certificate_request: request(key)? };
    let answer = client.enrol(asked).await.map_err(|status| Failure::of(&status))?.into_inner();
    let mut granted = granted(answer);
    if let Some(Seen::Authority(authority)) = pinned.seen() {
        granted.authorities.insert(0, authority);
    }
    Ok(granted)
}

/// The next certificate, by the one before.
pub(super) async fn renew(way: &Way, key: &KeyPair) -> Result<Granted, Failure> {
    let mut client = connected(&way.endpoint()).await?;
    let asked = RenewRequest { certificate_request: request(key)? };
    let answer = client.renew(asked).await.map_err(|status| Failure::of(&status))?.into_inner();
    Ok(granted(answer))
}

async fn connected(endpoint: &Endpoint) -> Result<EnrolmentClient<tonic::transport::Channel>, Failure> {
    let channel = endpoint.clone().timeout(PATIENCE).connect().await;
    channel
        .map(EnrolmentClient::new)
        .map_err(|error| Failure::Away(tls::hinted(format!("{:#}", anyhow::Error::from(error)))))
}

fn granted(answer: EnrolResponse) -> Granted {
    Granted { certificate: answer.certificate.into(), authorities: vec![answer.authority.into()] }
}

/// A request (PKCS#10, DER) that says nothing but the key, signed by it.
fn request(key: &KeyPair) -> Result<Vec<u8>, Failure> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    let made = params.serialize_request(key).map_err(|error| Failure::Refused(error.to_string()))?;
    Ok(made.der().to_vec())
}
