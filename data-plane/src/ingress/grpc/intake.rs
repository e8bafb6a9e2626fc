//! The message of a call, as its bytes come in.
//!
//! Law: what is being read counts against the node's budget like the body of any other door, and it may take as long. Deliberately
//! absent: the size of one message, which tonic bounds, and decoding.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use proto::code::ErrorCode;
use tokio::time::Sleep;
use tonic::Status;

use crate::error::Rejection;
use crate::ingress::INTAKE;
use crate::node::{Buffered, Node};

/// A body that is counted while it is read, and read for so long.
pub(super) struct Intake {
    body: Incoming,
    budget: Option<Buffered>,
    /// Made when there is something to wait for.
    clock: Option<Pin<Box<Sleep>>>,
}

impl Intake {
    /// Counts `body` against the budget of `node`.
    pub(super) fn of(body: Incoming, node: &Arc<Node>) -> Self {
        Self { body, budget: node.buffer(0), clock: None }
    }
}

impl Body for Intake {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) else {
            let late = || refused(ErrorCode::Cancelled, "the message did not come in time");
            let clock = this.clock.get_or_insert_with(|| Box::pin(tokio::time::sleep(INTAKE)));
            return clock.as_mut().poll(cx).map(|()| Some(Err(late())));
        };
        let Some(frame) = frame else { return Poll::Ready(None) };
        let frame = frame.map_err(|error| Status::from_error(Box::new(error)))?;
        let more = frame.data_ref().map_or(0, Bytes::len);
        let fits = more == 0 || this.budget.as_mut().is_some_and(|budget| budget.grow(more));
        let full = || refused(ErrorCode::Overloaded, "this node holds as many bytes of requests as it may");
        Poll::Ready(Some(if fits { Ok(frame) } else { Err(full()) }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn refused(code: ErrorCode, line: &str) -> Status {
    Status::from(&*Rejection::new(code, line).refusal)
}
