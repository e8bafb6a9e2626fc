//! Copies of requests, for endpoints that are being tried.
//!
//! Law: a copy is a request of its own, in the same hands: it is proved, decided, counted and recorded again, and goes to its mirror or
//! nowhere. It begins once the request it copies holds what its limits ask for, which waits for nothing of it; what comes back is read to
//! its end and thrown away. No answer ever comes from a mirror, no copy is copied, and none counts for a route's retries or a rollout's
//! errors: a mirror that is ill harms nobody. Deliberately absent: who is a mirror (the route's), and how many there may be (the node's).

use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant as Moment;

use futures_util::StreamExt as _;
use policy_engine::decision::{Candidate, EndpointIx, Permit};
use tokio::time::Instant as Timepoint;

use super::Exchange;
use super::entitle::{Entitled, Question};
use super::received::{Arrival, Mirrored, Received};
use super::reply::Body;
use crate::node::Node;
use crate::runtime::Runtime;

/// Parts the mirrors from who may answer, and gives those that see this request too. Of a copy only its mirror is left.
pub(super) fn part(permit: &mut Permit, exchange: &Exchange<'_>, question: &Question) -> Vec<EndpointIx> {
    if let Some(mirrored) = question.arrival.mirrors {
        permit.candidates.retain(|candidate| candidate.endpoint == mirrored.endpoint);
        return Vec::new();
    }
    if permit.candidates.iter().all(Candidate::answers) {
        return Vec::new();
    }
    let is_drawn = |percent: u32| exchange.node.chance() % 100 < u64::from(percent);
    let drawn = permit.candidates.iter().filter(|candidate| candidate.mirror_percent.is_some_and(is_drawn));
    let drawn = drawn.map(|candidate| candidate.endpoint).collect();
    permit.candidates.retain(Candidate::answers);
    drawn
}

/// Sends a copy of a request to a mirror, if there is room for one.
pub(super) fn send(exchange: &Exchange<'_>, entitled: &Entitled<'_>, endpoint: EndpointIx) {
    let node = exchange.node;
    let files: usize = entitled.files.iter().map(|file| file.bytes.len()).sum();
    let Some((place, buffered)) = node.copy(entitled.body.len().saturating_add(files)) else { return };
    let mirrored = Mirrored { of: entitled.question.arrival.id, endpoint };
    let received = Received {
        arrival: again(node, &entitled.question.arrival, mirrored),
        body: entitled.body.clone(),
        files: entitled.files.clone(),
        buffered: Some(buffered),
    };
    let (node, runtime) = (node.clone(), exchange.runtime.clone());
    let run: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(async move {
        place.over(Box::pin(run(&node, &runtime, received))).await;
    });
    tokio::spawn(run);
}

/// The head of a copy: the caller's own but for its name and its time.
fn again(node: &Node, arrival: &Arrival, mirrored: Mirrored) -> Arrival {
    let at = node.clock.now();
    let id = node.name_request(at);
    Arrival {
        door: arrival.door,
        task: arrival.task,
        form: arrival.form,
        id,
        id_header: id.to_header(),
        at,
        moment: Moment::now(),
        deadline: Timepoint::now() + node.bounds.total,
        own_deadline: false,
        traceparent: arrival.traceparent.clone(),
        session: arrival.session.clone(),
        credential: arrival.credential.clone(),
        declared: arrival.declared.clone(),
        mirrors: Some(mirrored),
    }
}

/// Answers a copy to nobody.
async fn run(node: &Arc<Node>, runtime: &Arc<Runtime>, received: Received) {
    match super::serve_by(node, runtime, received).await.body {
        Ok(Body::Whole(_) | Body::Response(_)) | Err(_) => {}
        Ok(Body::Stream(stream)) => {
            let mut stream = Pin::from(stream);
            while stream.next().await.is_some() {}
        }
        Ok(Body::Media(stream)) => {
            let mut stream = Pin::from(stream);
            while stream.next().await.is_some() {}
        }
    }
}
