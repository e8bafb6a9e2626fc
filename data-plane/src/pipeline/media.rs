//! An answer that is no text: sound, passed on as it comes.
//!
//! Law: pulled by the caller, never ahead of it, and never held but for the last piece of an answer to a tenant that demands a record.
//! What breaks off ends with an error, never as if it were whole. Dropping it cancels the vendor's call and ends the account.
//! Deliberately absent: looking into it; that it was not looked into is told before it begins.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::Stream;
use http::HeaderValue;

use super::Exchange;
use super::account::Account;
use crate::error::Rejection;
use crate::node::Clock;
use crate::overlay::Cut;
use crate::record::{Noted, Outcome, Unnoted};
use crate::upstream::error::UpstreamError;
use crate::upstream::events::EventStream;

/// An answer that is no text; after an error nothing follows.
pub(crate) struct MediaStream {
    /// What it says that it is.
    pub(crate) media_type: HeaderValue,
    /// `None` once nothing more is read.
    pieces: Option<EventStream>,
    /// What came and has not left.
    held: Option<Bytes>,
    account: Account,
    clock: Clock,
    /// Whoever sends it was told to wait before it breaks off.
    waited: bool,
    /// How it ends, once that is known.
    end: Option<Result<(), Rejection>>,
    /// Where the end waits for the record: that, and what takes its place if it does not come.
    noted: Option<Box<(Noted, Rejection)>>,
}

impl MediaStream {
    /// Goes on with an answer of which the first bytes have come.
    pub(super) fn begin(
        exchange: &mut Exchange<'_>,
        media_type: HeaderValue,
        (first, pieces): (Bytes, EventStream),
    ) -> Self {
        Self {
            media_type,
            pieces: Some(pieces),
            held: Some(first),
            account: exchange.account.hand_over(),
            clock: exchange.node.clock.clone(),
            waited: false,
            end: None,
            noted: None,
        }
    }

    fn cut(&mut self, cut: &Cut) {
        self.held = None;
        self.account.cut(cut);
        let rejection = Rejection::stopped(cut, self.clock.now());
        self.close(Err(Rejection { outcome: Outcome::Cut, ..rejection }));
    }

    fn break_off(&mut self, error: &UpstreamError) {
        self.account.failed(error);
        self.close(Err(Rejection::upstream(error, None).midway()));
    }

    fn close(&mut self, mut end: Result<(), Rejection>) {
        self.pieces = None;
        let mut instead = Rejection::unnoted(Unnoted).midway();
        self.account.sign(&mut instead);
        if let Err(rejection) = &mut end {
            self.account.sign(rejection);
        }
        if let Some(held) = &self.held {
            self.account.told(held);
        }
        let noted = self.account.close(end.as_ref().err());
        self.noted = noted.map(|noted| Box::new((noted, instead)));
        self.end = Some(end);
    }

    /// Ready where nothing has to wait for the record.
    fn poll_noted(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(waiting) = &mut self.noted else { return Poll::Ready(()) };
        let noted = ready!(Pin::new(&mut waiting.0).poll(cx));
        if let Some((_, instead)) = self.noted.take().map(|waiting| *waiting).filter(|_| noted.is_err()) {
            self.held = None;
            self.end = Some(Err(instead));
        }
        Poll::Ready(())
    }

    /// A piece that may leave: one that is known not to be the last, where that one has to wait.
    fn ready_piece(&mut self) -> Option<Bytes> {
        let waits = self.pieces.is_some() && self.account.must_be_noted();
        let piece = if waits { None } else { self.held.take() };
        if let Some(piece) = piece.as_ref().filter(|_| self.pieces.is_some()) {
            self.account.told(piece);
        }
        piece
    }
}

impl Stream for MediaStream {
    type Item = Result<Bytes, Rejection>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let stream = self.get_mut();
        loop {
            if stream.pieces.is_some()
                && let Some(cut) = stream.account.look()
            {
                stream.cut(&cut);
            }
            ready!(stream.poll_noted(cx));
            if let Some(piece) = stream.ready_piece() {
                return Poll::Ready(Some(Ok(piece)));
            }
            let Some(pieces) = stream.pieces.as_mut() else {
                // A connection sends what it was given while it waits, and drops that with what breaks off.
                if matches!(stream.end, Some(Err(_))) && !std::mem::replace(&mut stream.waited, true) {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                return Poll::Ready(stream.end.take().and_then(Result::err).map(Err));
            };
            match pieces.poll_piece(cx) {
                Poll::Ready(Some(Ok(piece))) => {
                    if let Some(before) = stream.held.replace(piece) {
                        stream.account.told(&before);
                        return Poll::Ready(Some(Ok(before)));
                    }
                }
                Poll::Ready(Some(Err(error))) => stream.break_off(&error),
                Poll::Ready(None) => stream.close(Ok(())),
                Poll::Pending => {
                    let cut = ready!(stream.account.poll_cut(cx));
                    stream.cut(&cut);
                }
            }
        }
    }
}
