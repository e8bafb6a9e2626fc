//! What the vendor answered, before the caller has it.
//!
//! Law: findings in an answer are decided like findings in a request; where nothing can apply, the bytes go on as they came. No
//! string of an answer is left out, and no name of a member, but for the dialect's own words (`dialect`). Deliberately absent: streams, which are screened as they come (`stream`).

mod responses;
mod whole;

use super::Exchange;
use super::answer::{Answering, Begun};
use super::media::MediaStream;
use super::reply::{Body, Screened, Told};
use super::stream::ScreenedStream;
use crate::error::Rejection;
use crate::upstream::call::Api;

/// Screens an answer, or sets up its screening.
pub(crate) fn screen(exchange: &mut Exchange<'_>, answering: Answering<'_>) -> Result<Screened, Rejection> {
    let Answering { permitted, begun, endpoint, left_out, repeated } = answering;
    let standings = exchange.account.reservation().map(|held| held.standings()).unwrap_or_default();
    let told = Told::of((exchange.runtime, endpoint), (&permitted.permit, &left_out), &standings);
    let body = match begun {
        Begun::Whole { bytes, tape, .. } => {
            let (whole, id) = ((bytes, tape), &endpoint.id);
            match repeated {
                None => {
                    let answer = whole::screen(exchange, permitted, whole, id)?;
                    exchange.account.told(&answer);
                    Body::Whole(answer)
                }
                Some(repeated) => {
                    let answer = responses::screen(exchange, permitted, whole, (id, &repeated))?;
                    if exchange.account.keeps_content() {
                        exchange.account.told(&repeated.hidden(&answer));
                    }
                    Body::Response(answer)
                }
            }
        }
        Begun::Events { first, events, .. } => {
            let api = if repeated.is_some() { Api::Responses } else { Api::Chat };
            let splitter = endpoint.upstream.as_ref().ok().map(|upstream| upstream.splitter(api));
            Body::Stream(Box::new(ScreenedStream::begin(
                exchange,
                permitted,
                (first, events, splitter),
                (endpoint, repeated),
            )))
        }
        Begun::Media { media_type, first, pieces, .. } => {
            Body::Media(Box::new(MediaStream::begin(exchange, media_type, (first, pieces))))
        }
    };
    Ok(Screened { told, body })
}
