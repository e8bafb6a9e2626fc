//! How a request shows whose it is: by the secret itself, by a token that it gives a right to, or by a signature with it or with a session's key.
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
    lease::Lease,
    line::{ErrorType, Form, Line},
    secret::Secret,
    session::{Assuming, Sessions},
    sign::{Key, Scope},
    token::{Granted, Impersonation, Token, Tokens},
};

/// What a token is for that is only shown for another.
const FOR_ANOTHER: &str = "https://www.googleapis.com/auth/cloud-platform";
/// By which AWS says that a session's key is none, or no longer one.
const SESSION_OVER: [&str; 4] =
    ["ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"];

/// How the requests to an endpoint show whose they are.
pub(super) enum Pass {
    /// By a header that is the same for all of them; or not at all.
    Header(Option<Arc<Secret>>),
    /// By a token.
    Token(Tokens),
    /// By a signature.
    Signed(Box<Key>, Scope),
    /// By a signature with the key of a session.
    Session(Sessions, Scope),
}

/// The service of AWS that an adapter calls, as signatures name it. An API of the organisation's own stands behind API Gateway.
fn service(adapter: Adapter) -> &'static str {
    match adapter {
        Adapter::Custom(Place::Http) => "execute-api",
        Adapter::Custom(Place::SageMaker) => "sagemaker",
        Adapter::Custom(Place::Lambda) => "lambda",
        Adapter::OpenAi | Adapter::Azure | Adapter::Foreign(_) | Adapter::Rpc | Adapter::Simulated(_) => {
            "bedrock"
        }
    }
}

/// A request on its way, and what it shows.
enum Shown {
    Nothing,
    Token(Arc<Token>),
    Session(Arc<Lease<Key>>),
}

impl Shown {
    /// What must not come back.
    fn watched(&self) -> Option<Arc<Secret>> {
        match self {
            Self::Nothing => None,
            Self::Token(token) => Some(Arc::clone(&token.given.secret)),
            Self::Session(session) => Some(Arc::clone(session.given.shown())),
        }
    }
}

impl Pass {
    /// As the configuration has it.
    pub(super) fn build(config: &EndpointConfig) -> Result<Self, Fault> {
        let secret = || config.credential.as_ref().ok_or(Fault::CredentialMissing);
        let copy = |secret: &Secret| Arc::new(Secret::new(secret.reveal().to_owned()));
        Ok(match &config.auth {
            None => Self::Header(config.credential.as_ref().map(copy)),
            Some(Auth::Entra { tenant, client, scope, authority, is_federated }) => {
                let secret = copy(secret()?);
                let from = format!("{authority}/{tenant}/oauth2/v2.0/token");
                let grant = Grant::Client {
                    client: client.clone(),
                    secret: Arc::clone(&secret),
                    is_federated: *is_federated,
                    scope: scope.clone(),
                };
                Self::Token(Granted::build(config, (grant, &from), (Some(secret), None))?)
            }
            Some(Auth::Google { scope, federation: None }) => {
                let account = Account::read(secret()?, scope)?;
                let from = account.token_uri().to_owned();
                Self::Token(Granted::build(config, (Grant::Account(account), &from), (None, None))?)
            }
            Some(Auth::Google { scope, federation: Some(federation) }) => {
                let secret = copy(secret()?);
                let url = federation.impersonation_url.as_deref();
                let then = url.map(|url| Impersonation::build(config, url, scope)).transpose()?;
                let grant = Grant::Exchange {
                    audience: federation.audience.clone(),
                    subject: Arc::clone(&secret),
                    scope: if then.is_some() { FOR_ANOTHER.to_owned() } else { scope.clone() },
                };
                Self::Token(Granted::build(config, (grant, &federation.token_url), (Some(secret), then))?)
            }
            Some(Auth::Aws { access_key_id, region, role }) => {
                let scope = Scope { region: region.clone(), service: service(config.adapter) };
                match role {
                    None => Self::Signed(Box::new(Key::read(access_key_id, secret()?)?), scope),
                    Some(role) => {
                        let by = ((access_key_id.as_str(), secret()?), region.as_str());
                        Self::Session(Assuming::build(config, role, by)?, scope)
                    }
                }
            }
        })
    }

    /// The secret that a header shows, where one does.
    pub(super) fn secret(&self) -> Option<&Secret> {
        match self {
            Self::Header(secret) => secret.as_deref(),
            Self::Token(_) | Self::Signed(..) | Self::Session(..) => None,
        }
    }

    /// What is looked for in every answer; of tokens and sessions, it is each its own.
    pub(super) fn watched(&self) -> Option<Arc<Secret>> {
        match self {
            Self::Header(secret) => secret.clone(),
            Self::Token(_) | Self::Session(..) => None,
            Self::Signed(key, _) => Some(Arc::clone(key.shown())),
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
        let watched = shown.watched();
        if watched.is_none() {
            return line.exchange(request, form, deadline).await;
        }
        let answer = line.exchange_watching(request, (form, deadline), &watched).await;
        if let Err(error) = &answer {
            self.let_go(&shown, error);
        }
        answer
    }

    /// The token that a request shows, where it shows one.
    pub(super) async fn token(&self, deadline: Option<Instant>) -> Result<Option<Arc<Token>>, UpstreamError> {
        match self {
            Self::Token(tokens) => tokens.current(deadline).await.map(Some),
            Self::Header(_) | Self::Signed(..) | Self::Session(..) => Ok(None),
        }
    }

    /// Forgets a token that a vendor refuses.
    pub(super) fn refused(&self, token: &Arc<Token>, error: &UpstreamError) {
        self.let_go(&Shown::Token(Arc::clone(token)), error);
    }

    /// Forgets what the vendor does not take.
    fn let_go(&self, shown: &Shown, error: &UpstreamError) {
        let Kind::Status(refusal) = &error.kind else { return };
        match (self, shown) {
            (Self::Token(tokens), Shown::Token(token))
                if refusal.status == http::StatusCode::UNAUTHORIZED =>
            {
                tokens.refused(token);
            }
            (Self::Session(sessions, _), Shown::Session(session)) if is_over(error) => {
                sessions.refused(session);
            }
            _ => {}
        }
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
                request.headers_mut().insert(header::AUTHORIZATION, token.given.header.clone());
                Ok(Shown::Token(token))
            }
            Self::Signed(key, scope) => {
                key.sign((request, body), scope, SystemTime::now())?;
                Ok(Shown::Nothing)
            }
            Self::Session(sessions, scope) => {
                let session = sessions.current(deadline).await?;
                session.given.sign((request, body), scope, SystemTime::now())?;
                Ok(Shown::Session(session))
            }
        }
    }
}

/// Whether AWS says that the key of a session is none.
fn is_over(error: &UpstreamError) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref());
    cause.is_some_and(|ErrorType(name)| SESSION_OVER.contains(&name.as_str()))
}
