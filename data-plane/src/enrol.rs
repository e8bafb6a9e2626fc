//! How this machine becomes a node, and stays one: by a token once, and from then on by the certificate it got for it.
//!
//! Law: the private key is made here and never leaves; before the token is shown to anybody, whoever is there has proved to be
//! the control plane that the token names. A node that has an identity starts with it, whether or not the control plane is
//! there; a token that made it is not looked at again, another one is.
//! Absent on purpose: where the node is and what it is called, which its certificate says.

mod call;
mod kept;
mod pinned;
mod renewal;
mod token;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};

use crate::config::{Config, Control};
use crate::freshness::Freshness;
use crate::policy::BackOff;
use crate::tls::{Files, Way};

use call::Failure;
use kept::Kept;
use token::Token;

pub(crate) use renewal::Renewal;

/// How long a node that has an identity waits at its start for a new one.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a machine is as a node.
pub(crate) struct Member {
    /// The way to the control plane.
    pub(crate) way: Arc<Way>,
    /// What renews its certificate; `None` where somebody else does.
    pub(crate) renewal: Option<Renewal>,
}

/// Who this node is: by the certificate it was given, by the one it has, or by a token.
pub(crate) async fn member(config: &Config, freshness: &Arc<Freshness>) -> anyhow::Result<Member> {
    let control = &config.control;
    if let (Some(ca), Some(certificate), Some(key)) = (&control.ca, &control.certificate, &control.key) {
        let files = Files { ca: ca.clone(), certificate: certificate.clone(), key: key.clone() };
        return Ok(Member {
            way: Arc::new(Way::open(&control.url, files, freshness.clone())?),
            renewal: None,
        });
    }
    let kept = Kept::at(&config.state.dir.join("identity"));
    let token = given(control, kept.is_there())?.filter(|token| !kept.is_of(token));
    let mut pending = None;
    match token {
        None if kept.is_there() => {}
        None => bail!(
            "this machine is no node yet: make a token by `chancery nodes enrol` and give it as `control.enrolment_token`"
        ),
        Some(token) if kept.is_there() => pending = replaced(&control.url, &kept, token).await,
        Some(token) => first(&control.url, &kept, &token).await?,
    }
    let way = Arc::new(Way::open(&control.url, kept.files(), freshness.clone())?);
    let renewal = Some(Renewal { way: way.clone(), kept, pending, freshness: freshness.clone() });
    Ok(Member { way, renewal })
}

/// The token that is configured. A file that is gone is none once there is an identity: it may be taken away then.
fn given(control: &Control, known: bool) -> anyhow::Result<Option<Token>> {
    let text = match (&control.enrolment_token, &control.enrolment_token_file) {
        (Some(token), _) => token.reveal().to_owned(),
        (None, Some(path)) => match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if known && error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("`{}` can't be read", path.display())),
        },
        (None, None) => return Ok(None),
    };
    if text.trim().is_empty() {
        return Ok(None);
    }
    Ok(Some(Token::read(text.trim())?))
}

/// Waits for the control plane as long as it takes; what it refuses is the end.
async fn first(url: &str, kept: &Kept, token: &Token) -> anyhow::Result<()> {
    let mut back_off = BackOff::default();
    loop {
        match once(url, kept, token).await {
            Ok(()) => return Ok(()),
            Err(Failure::Refused(why)) => bail!("this machine is not enrolled: {why}"),
            Err(Failure::Away(reason)) => {
                let pause = back_off.pause();
                let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
                tracing::warn!(url, reason, pause_ms, "this machine can't be enrolled yet");
                tokio::time::sleep(pause).await;
            }
        }
    }
}

/// Tries a new token where there is an identity; gives it back where it could not be tried.
async fn replaced(url: &str, kept: &Kept, token: Token) -> Option<Token> {
    let tried = tokio::time::timeout(PATIENCE, once(url, kept, &token)).await;
    match tried.unwrap_or_else(|_| Err(Failure::Away("nothing answers".to_owned()))) {
        Ok(()) => None,
        Err(Failure::Refused(why)) => {
            tracing::error!(why, "the new token is not taken: the node goes on with the certificate it has");
            None
        }
        Err(Failure::Away(reason)) => {
            tracing::warn!(url, reason, "the new token can't be used yet: the node begins with what it has");
            Some(token)
        }
    }
}

/// Uses a token, and keeps what is given for it.
async fn once(url: &str, kept: &Kept, token: &Token) -> Result<(), Failure> {
    let key = kept.pending_key().map_err(Failure::kept)?;
    let granted = call::enrol(url, token, &key).await?;
    kept.take(&granted, &key, Some(token)).map_err(Failure::kept)?;
    tracing::info!(url, "this machine is enrolled");
    Ok(())
}
