//! The sentence: authenticate, entitle, inspect, decide, reserve, dispatch, screen; settle and record are the account's.
//!
//! Law: every door says it, whole and in this order; each verb takes what the one before gave, so none can be left out; the
//! revision is taken once, here. Deliberately absent: the forms of doors (`ingress`) and of vendors (`upstream`).

mod account;
mod again;
mod answer;
mod authenticate;
mod check;
mod decide;
mod dialect;
mod dispatch;
mod entitle;
mod estimate;
mod exchange;
mod inspect;
pub(crate) mod media;
mod mirror;
mod outline;
mod patch;
pub(crate) mod received;
mod repeated;
mod reply;
mod reserve;
mod screen;
pub(crate) mod stream;
#[cfg(test)]
mod tests;
mod usage;

use std::sync::Arc;

pub(crate) use authenticate::identify;
pub(crate) use check::{Direction, check};
pub(crate) use exchange::{Exchange, turn_away};
pub(crate) use outline::input_tokens;
pub(crate) use reply::{Body, Head, Rate, Reply};

use crate::{error::Rejection, node::Node, runtime::Runtime};
use received::Received;
use reply::Screened;

/// Answers a request, or refuses it.
pub(crate) async fn serve(node: &Arc<Node>, received: Received) -> Reply {
    let Some(runtime) = node.runtime.load_full() else {
        return turn_away(node, &received.arrival, Rejection::unready());
    };
    serve_by(node, &runtime, received).await
}

/// Answers a request by a revision.
async fn serve_by(node: &Arc<Node>, runtime: &Arc<Runtime>, received: Received) -> Reply {
    let head = Head::of(&received.arrival, runtime);
    let mut exchange = Exchange::open(node, runtime, &received.arrival);
    let screened = sentence(&mut exchange, received).await;
    end(exchange, head, screened).await
}

/// Closes the account of a request, and replies once it is recorded as its tenant demands.
async fn end(mut exchange: Exchange<'_>, mut head: Head, screened: Result<Screened, Rejection>) -> Reply {
    if screened.is_err() {
        head.endpoint = exchange.called();
    }
    let noted = exchange.account.close(screened.as_ref().err());
    let screened = match noted {
        None => screened,
        Some(noted) => noted.await.map_err(Rejection::unnoted).and(screened),
    };
    head.reply(screened)
}

async fn sentence(exchange: &mut Exchange<'_>, received: Received) -> Result<Screened, Rejection> {
    let identified = authenticate::authenticate(exchange, received)?;
    let entitled = entitle::entitle(exchange, identified)?;
    let inspected = inspect::inspect(exchange, entitled).await?;
    let permitted = decide::decide(exchange, inspected)?;
    let reserved = reserve::reserve(exchange, permitted).await?;
    let answering = dispatch::dispatch(exchange, reserved).await?;
    screen::screen(exchange, answering)
}
