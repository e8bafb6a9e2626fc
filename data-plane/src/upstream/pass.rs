//! How a request shows whose it is: by the secret itself, by a token that it gives a right to, or by a signature.
//!
//! Law: made once for an endpoint, from its credential and nothing else; what is shown is looked for in what comes back. Absent on purpose: which
//! header a vendor looks into for a secret (the vendors').

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use http::{Request, header};
use http_body_util::Full;
use policy_engine::facts::Auth;
use tokio::time::Instant;

use super::{
    call::Answer,
    config::{Adapter, EndpointConfig, Fault, Place},
    error::{Kind, UpstreamError},
    grant::{Account, Grant},
    line::{Form, Line},
    secret::Secret,
    sign::Signer,
    token::{Token, Tokens},
};

/// How the requests to an endpoint show whose they are.
pub(super) enum Pass {
    /// By a header that is the same for all of them; or not at all.
    Header(Option<Arc<Secret>>),
    /// By a token.
    Token(Tokens),
    /// By a signature.
    Signed(Box<Signer>),
}

/// The service of AWS that an adapter calls, as signatures name it. An API of the organisation's own stands behind API Gateway.
fn service(adapter: Adapter) -> &'static str {
    match adapter {
        Adapter::Custom(Place::Http) => "execute-api",
        Adapter::Custom(Place::SageMaker) => "sagemaker",
        Adapter::Custom(Place::Lambda) => "lambda",
        Adapter::OpenAi | Adapter::Azure | Adapter::Foreign(_) | Adapter::Simulated(_) => "bedrock",
    }
}

/// A request on its way, and what it shows.
enum Shown {
    Nothing,
    Token(Arc<Token>),
}

impl Pass {
    /// As the configuration has it.
    pub(super) fn build(config: &EndpointConfig) -> Result<Self, Fault> {
        let secret = || config.credential.as_ref().ok_or(Fault::CredentialMissing);
        let copy = |secret: &Secret| Arc::new(Secret::new(secret.reveal().to_owned()));
        Ok(match &config.auth {
            None => Self::Header(config.credential.as_ref().map(copy)),
            Some(Auth::Entra { tenant, client, scope, authority }) => {
                let secret = copy(secret()?);
                let from = format!("{authority}/{tenant}/oauth2/v2.0/token");
                let grant = Grant::Client {
                    client: client.clone(),
                    secret: Arc::clone(&secret),
                    scope: scope.clone(),
                };
                Self::Token(Tokens::build(config, (grant, &from), Some(secret))?)
            }
            Some(Auth::Google { scope }) => {
                let account = Account::read(secret()?, scope)?;
                let from = account.token_uri().to_owned();
                Self::Token(Tokens::build(config, (Grant::Account(account), &from), None)?)
            }
            Some(Auth::Aws { access_key_id, region }) => Self::Signed(Box::new(Signer::read(
                access_key_id,
                secret()?,
                (region, service(config.adapter)),
            )?)),
        })
    }

    /// The secret that a header shows, where one does.
    pub(super) fn secret(&self) -> Option<&Secret> {
        match self {
            Self::Header(secret) => secret.as_deref(),
            Self::Token(_) | Self::Signed(_) => None,
        }
    }

    /// What is looked for in every answer; of tokens, it is each its own.
    pub(super) fn watched(&self) -> Option<Arc<Secret>> {
        match self {
            Self::Header(secret) => secret.clone(),
            Self::Token(_) => None,
            Self::Signed(signer) => Some(Arc::clone(signer.shown())),
        }
    }

    /// One exchange, shown to be ours.
    pub(super) async fn exchange(
        &self,
        line: &Line,
        request: (Request<Full<Bytes>>, Bytes),
        (form, deadline): (Form, Option<Instant>),
    ) -> Result<Answer, UpstreamError> {
        let (mut request, body) = request;
        let shown = self.show(&mut request, &body, deadline).await?;
        let Shown::Token(token) = shown else { return line.exchange(request, form, deadline).await };
        let watched = Some(Arc::clone(&token.secret));
        let answer = line.exchange_watching(request, (form, deadline), &watched).await;
        if let (Err(error), Self::Token(tokens)) = (&answer, self)
            && matches!(&error.kind, Kind::Status(refusal) if refusal.status == http::StatusCode::UNAUTHORIZED)
        {
            tokens.refused(&token);
        }
        answer
    }

    async fn show(
        &self,
        request: &mut Request<Full<Bytes>>,
        body: &[u8],
        deadline: Option<Instant>,
    ) -> Result<Shown, UpstreamError> {
        match self {
            Self::Header(_) => Ok(Shown::Nothing),
            Self::Token(tokens) => {
                let token = tokens.current(deadline).await?;
                request.headers_mut().insert(header::AUTHORIZATION, token.header.clone());
                Ok(Shown::Token(token))
            }
            Self::Signed(signer) => {
                signer.sign(request, body, SystemTime::now())?;
                Ok(Shown::Nothing)
            }
        }
    }
}
