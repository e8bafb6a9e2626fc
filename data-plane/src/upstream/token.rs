//! Tokens that a vendor is shown instead of the secret: asked for by a grant, kept until shortly before their end.
//!
//! Law: one asks at a time, whoever else needs a token waits for that one; and while the one there is still holds, nobody waits for the next.
//! A failure counts for a moment for all who waited. Neither a token nor what was said with a refusal is ever told, not even to the operator:
//! only the word of the standard for why. Absent on purpose: tokens of whoever calls us.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Uri, header};
use http_body_util::Full;
use serde::Deserialize;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::{Instant, timeout_at};
use zeroize::Zeroizing;

use super::{
    call::AnswerBody,
    config::{Caps, EndpointConfig, Fault},
    error::{Kind, Stage, UpstreamError},
    grant::Grant,
    line::{Form, Line},
    secret::Secret,
    target::Target,
};

/// The most that an answer with a token may weigh, in bytes.
const ANSWER_BYTES: usize = 64 * 1024;
/// How long a failure counts for all.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest that is waited for a token.
const WAIT: Duration = Duration::from_secs(30);
/// How long before its end a token is taken to be over, for clocks and requests on their way.
const SKEW: Duration = Duration::from_secs(10);
/// How long before its end the next is asked for, at most; of short lives, a fifth.
const AHEAD: Duration = Duration::from_secs(300);
/// How long a token holds that does not say so.
const UNTOLD: u64 = 300;
/// The longest that a token is kept, in seconds.
const LONGEST: u64 = 24 * 3600;

/// The tokens of one endpoint.
#[derive(Clone)]
pub(super) struct Tokens(Arc<Kept>);

struct Kept {
    grant: Grant,
    line: Line,
    from: Uri,
    held: ArcSwapOption<Token>,
    /// Whose turn it is to ask, and what came of the last time if it was nothing.
    turn: Arc<Mutex<Option<(Instant, Kind)>>>,
}

/// A token.
pub(super) struct Token {
    /// As it is.
    pub(super) secret: Arc<Secret>,
    /// As it is shown.
    pub(super) header: HeaderValue,
    renew: Instant,
    end: Instant,
}

/// What whoever gives tokens answers (RFC 6749, 5.1).
#[derive(Deserialize)]
struct Given {
    access_token: String,
    expires_in: Option<Seconds>,
}

/// Seconds; older authorities write them as a string.
#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(u64),
    Text(String),
}

/// What is answered instead (RFC 6749, 5.2).
#[derive(Deserialize)]
struct Refused {
    error: String,
}

impl Tokens {
    /// Tokens by a grant from a place; nothing is asked yet.
    pub(super) fn build(
        config: &EndpointConfig,
        (grant, from): (Grant, &str),
        secret: Option<Arc<Secret>>,
    ) -> Result<Self, Fault> {
        let from = Target::parse(from, &config.addresses)?.join("")?;
        let caps = Caps { max_answer_bytes: ANSWER_BYTES, ..config.caps };
        let line = Line::build(config, &from, secret)?.capped(caps);
        Ok(Self(Arc::new(Kept { grant, line, from, held: ArcSwapOption::empty(), turn: Arc::default() })))
    }

    /// The token of now.
    pub(super) async fn current(&self, deadline: Option<Instant>) -> Result<Arc<Token>, UpstreamError> {
        if let Some(token) = self.0.held(Instant::now()) {
            self.renew(&token);
            return Ok(token);
        }
        let latest = Instant::now() + WAIT;
        let (until, stage) = match deadline.filter(|deadline| *deadline < latest) {
            Some(deadline) => (deadline, Stage::Total),
            None => (latest, Stage::Connect),
        };
        let asked = async {
            let mut turn = Arc::clone(&self.0.turn).lock_owned().await;
            self.0.ask(&mut turn).await
        };
        let asked = timeout_at(until, asked).await;
        asked.unwrap_or_else(|_| Err(UpstreamError::new(Kind::Timeout(stage))))
    }

    /// The vendor does not take this token, whatever its end: the next call asks for another.
    pub(super) fn refused(&self, token: &Arc<Token>) {
        let held = self.0.held.load();
        if held.as_ref().is_some_and(|held| Arc::ptr_eq(held, token)) {
            self.0.held.compare_and_swap(&held, None);
        }
    }

    /// Has the next token asked for where it is time, while this one still serves.
    fn renew(&self, token: &Token) {
        if Instant::now() < token.renew {
            return;
        }
        let Ok(mut turn) = Arc::clone(&self.0.turn).try_lock_owned() else { return };
        if !has_just_failed(&turn) {
            let kept = Arc::clone(&self.0);
            tokio::spawn(async move { kept.renew(&mut turn).await });
        }
    }
}

type Turn = OwnedMutexGuard<Option<(Instant, Kind)>>;

fn has_just_failed(turn: &Turn) -> bool {
    turn.as_ref().is_some_and(|(at, _)| at.elapsed() < PAUSE)
}

impl Kept {
    fn held(&self, now: Instant) -> Option<Arc<Token>> {
        self.held.load_full().filter(|token| now < token.end)
    }

    /// The token that came while this one waited, or a new one.
    async fn ask(&self, turn: &mut Turn) -> Result<Arc<Token>, UpstreamError> {
        if let Some(token) = self.held(Instant::now()) {
            return Ok(token);
        }
        match turn.as_ref() {
            Some((_, kind)) if has_just_failed(turn) => Err(UpstreamError::new(kind.clone())),
            _ => self.renew(turn).await,
        }
    }

    async fn renew(&self, turn: &mut Turn) -> Result<Arc<Token>, UpstreamError> {
        let asked = self.fetch().await;
        match &asked {
            Ok(token) => {
                **turn = None;
                self.held.store(Some(Arc::clone(token)));
            }
            Err(error) => {
                // What is behind it is the standard's word for why, or the library's; never what was answered.
                let because = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
                tracing::warn!(from = self.from.host(), why = %error.kind, because, "no token for an endpoint's calls");
                **turn = Some((Instant::now(), error.kind.clone()));
            }
        }
        asked
    }

    async fn fetch(&self) -> Result<Arc<Token>, UpstreamError> {
        let unsigned = || UpstreamError::new(Kind::Credential);
        let form = self.grant.form(now()).ok_or_else(unsigned)?;
        let asked = Instant::now();
        let answer = self.line.exchange(self.request(&form), Form::Whole, None).await.map_err(refusal)?;
        let AnswerBody::Whole(body) = answer.body else { return Err(UpstreamError::new(Kind::Protocol)) };
        let given: Given = serde_json::from_slice(&body).map_err(|_| no_token())?;
        let lives = match &given.expires_in {
            Some(Seconds::Number(seconds)) => *seconds,
            Some(Seconds::Text(text)) => text.parse().map_err(|_| no_token())?,
            None => UNTOLD,
        };
        Token::of(given.access_token, asked, Duration::from_secs(lives.min(LONGEST))).ok_or_else(no_token)
    }

    fn request(&self, form: &str) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(Bytes::copy_from_slice(form.as_bytes())));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.from.clone();
        let headers = request.headers_mut();
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(header::CONTENT_TYPE, form);
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        request
    }
}

impl Token {
    /// A token that was asked for at a time and holds so long; `None`: no header can carry it.
    fn of(text: String, asked: Instant, lives: Duration) -> Option<Arc<Self>> {
        let text = Secret::new(text);
        let shown = Zeroizing::new(format!("Bearer {}", text.reveal()));
        let mut header = HeaderValue::from_str(&shown).ok().filter(|_| !text.reveal().is_empty())?;
        header.set_sensitive(true);
        let end = asked + lives.saturating_sub(SKEW.min(lives / 2));
        let renew = end - AHEAD.min(lives / 5);
        Some(Arc::new(Self { secret: Arc::new(text), header, renew, end }))
    }
}

fn no_token() -> UpstreamError {
    UpstreamError::caused(Kind::Credential, "the answer has no token")
}

/// Why no token was given: a refusal is our credential's fault, and says nothing of the caller's request.
fn refusal(error: UpstreamError) -> UpstreamError {
    let Kind::Status(refusal) = &error.kind else { return error };
    match refusal.status.as_u16() {
        408 | 429 | 500.. => UpstreamError::caused(Kind::Connect, "whoever gives tokens has none now"),
        _ => {
            let told = serde_json::from_slice(&refusal.body).map(|refused: Refused| refused.error);
            let is_word =
                |word: &String| word.len() <= 64 && word.bytes().all(|b| b == b'_' || b.is_ascii_lowercase());
            let why = told.ok().filter(is_word).unwrap_or_else(|| "no reason".to_owned());
            UpstreamError::caused(Kind::Credential, format!("no token was given: {why}"))
        }
    }
}

/// Seconds of Unix time.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests;
