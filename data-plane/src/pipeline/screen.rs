//! What the vendor answered, before the caller has it.
//!
//! Law: findings in an answer are decided like findings in a request; where nothing can apply, the bytes go on as they came. No
//! string of an answer but its structure is left out. Deliberately absent: streams, which are screened as they come (`stream`).

mod again;
mod whole;

use policy_engine::content::Detectors;
use std::sync::Arc;

use super::Exchange;
use super::answer::{Answering, Begun};
use super::decide::Permitted;
use super::reply::{Body, Told};
use super::stream::ScreenedStream;
use crate::error::Rejection;
pub(crate) use again::Again;

/// An answer that may go to the caller.
pub(crate) struct Screened {
    /// What is told in headers.
    pub(crate) told: Told,
    /// The answer.
    pub(crate) body: Body,
}

/// Screens an answer, or sets up its screening.
pub(crate) fn screen(exchange: &mut Exchange<'_>, answering: Answering<'_>) -> Result<Screened, Rejection> {
    let Answering { permitted, begun, endpoint } = answering;
    let standings = exchange.account.reservation().map(|held| held.standings()).unwrap_or_default();
    let told = Told::of(endpoint, &permitted.permit, &standings);
    let body = match begun {
        Begun::Whole { bytes, tape, .. } => {
            Body::Whole(whole::screen(exchange, permitted, (bytes, tape), &endpoint.id)?)
        }
        Begun::Events { first, events, .. } => {
            let splitter = endpoint.upstream.as_ref().map(|upstream| upstream.splitter());
            Body::Stream(Box::new(ScreenedStream::begin(
                exchange,
                permitted,
                (first, events, splitter),
                endpoint,
            )))
        }
    };
    Ok(Screened { told, body })
}

/// The detectors an answer must pass; `None` where no finding could change anything.
pub(crate) fn detectors(permitted: &Permitted<'_>) -> Option<Arc<Detectors>> {
    let view = permitted.entitled.entitled.inspect?;
    let asked = !permitted.permit.output.is_empty() || permitted.permit.output_decides;
    asked.then(|| view.detectors.clone())
}
