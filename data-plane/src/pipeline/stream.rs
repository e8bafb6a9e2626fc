//! An answer that goes on while it comes.
//!
//! Law: pulled by the caller, never ahead of it; what leaves is the same however the vendor's bytes were cut; nothing that was
//! not understood or may not pass leaves, whatever goes wrong. Events that were read together leave together, as the very slices
//! that came where nothing was changed; only the first leaves alone, so that it waits for no other. Dropping it cancels the vendor's call and ends the account. Deliberately absent: the
//! form of an error at the door.
//!
//! | what comes | what leaves |
//! |---|---|
//! | an event that needs no change | its own bytes |
//! | an event with held or masked text, or with usage nobody asked for | the same with that spliced |
//! | comments, fields other than `data`, anything after `[DONE]` | nothing |
//! | an end without `[DONE]` after every answer was finished | `[DONE]` |
//! | of the Responses API, the event that says that the response is over | what is held, masked; then that event |
//! | any other end | what is held, masked; then the error |
//! | the end of an answer to a tenant that demands a record | nothing more until the record is on the disk |
//! | the key is taken back, or something it uses is switched off | the error alone |

mod chunk;
mod frame;
mod judge;
mod lane;
mod pace;
mod responses;

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::Stream;

use super::Exchange;
use super::account::Account;
use super::again::detectors;
use super::answer::is_error;
use super::decide::Permitted;
use super::repeated::Repeated;
use super::usage::Reported;
use crate::error::Rejection;
use crate::node::Clock;
use crate::overlay::Cut;
use crate::record::{Noted, Outcome, Unnoted};
use crate::runtime::Endpoint;
use crate::tape::{Kind as Form, Tape};
use crate::upstream::error::{Delivered, Kind, UpstreamError};
use crate::upstream::events::EventStream;
use crate::upstream::sse::{Event, Splitter};
use chunk::{Chunk, Finished};
use frame::Frame;
use judge::odd;
use lane::Lane;
use pace::Pace;
use responses::{Says, kind_of, says};

/// The largest event where an endpoint says nothing.
const EVENT_BYTES: usize = 1024 * 1024;

/// A stream of the OpenAI dialect's events, screened; after an error nothing follows.
pub(crate) struct ScreenedStream {
    /// `None` once nothing more is read.
    events: Option<EventStream>,
    splitter: Splitter,
    tape: Tape,
    lane: Lane,
    /// The lane in its place, where the events are those of the Responses API.
    told: Option<Box<responses::Lane>>,
    frame: Frame,
    shows_usage: bool,
    finished: Finished,
    account: Account,
    clock: Clock,
    opening: Opening,
    pace: Pace,
    /// The frame has let others go first.
    waited: bool,
    /// How it ends, once that is known and all before it has left.
    end: Option<Result<(), Rejection>>,
    /// Where the end waits for the record: that, and what takes its place if it does not come.
    noted: Option<Box<(Noted, Rejection)>>,
}

/// How far the first thing that leaves has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opening {
    /// It is in the frame, or nothing can leave yet.
    Ahead,
    /// It was handed to the door, which sends it when it is told to wait.
    Told,
    /// It is on its way.
    Over,
}

impl ScreenedStream {
    /// Goes on with an answer of which the first bytes have come.
    pub(crate) fn begin(
        exchange: &mut Exchange<'_>,
        permitted: Permitted<'_>,
        (first, events, splitter): (Bytes, EventStream, Option<Splitter>),
        (endpoint, repeated): (&Endpoint, Option<Box<Repeated>>),
    ) -> Self {
        let shows_usage = permitted.entitled.question.outline.shows_usage();
        let choices = permitted.entitled.question.outline.choices;
        let (lane, told) = match (detectors(&permitted), repeated) {
            (None, None) => (Lane::fast(), None),
            (Some(detectors), None) => {
                (Lane::inspected(detectors, permitted, exchange.runtime, &endpoint.id), None)
            }
            (None, Some(repeated)) => (Lane::fast(), Some(responses::Lane::fast(repeated))),
            (Some(detectors), Some(repeated)) => {
                let by = (exchange.runtime, &endpoint.id);
                (Lane::fast(), Some(responses::Lane::inspected(repeated, detectors, permitted, by)))
            }
        };
        let mut stream = Self {
            events: Some(events),
            splitter: splitter.unwrap_or_else(|| Splitter::new(EVENT_BYTES)),
            tape: Tape::default(),
            lane,
            told: told.map(Box::new),
            frame: Frame::default(),
            shows_usage,
            finished: Finished::of(choices),
            account: exchange.account.hand_over(),
            clock: exchange.node.clock.clone(),
            opening: Opening::Ahead,
            pace: Pace::new(exchange.node.bounds.keep_alive),
            waited: false,
            end: None,
            noted: None,
        };
        stream.frame.expect(&first);
        stream.splitter.push(first);
        stream.take_events(Frame::is_something);
        stream
    }

    /// Takes everything that a piece completes.
    fn take_piece(&mut self, piece: Bytes) {
        self.frame.expect(&piece);
        self.splitter.push(piece);
        self.take_events(|_| false);
    }

    /// Takes what is complete, until the frame is enough.
    fn take_events(&mut self, enough: impl Fn(&Frame) -> bool) {
        while self.end.is_none() && !enough(&self.frame) {
            match self.splitter.next_event() {
                Ok(Some(event)) => self.take_event(&event),
                Ok(None) => return,
                Err(error) => self.break_off(&error),
            }
        }
    }

    fn take_event(&mut self, event: &Event) {
        let Some(data) = &event.data else { return };
        if self.told.is_some() {
            return self.take_told(event, data);
        }
        if event.is_done() {
            return self.complete();
        }
        if let Err(rejection) = self.take_chunk(event, data) {
            self.stop(rejection);
        }
    }

    fn take_chunk(&mut self, event: &Event, data: &Bytes) -> Result<(), Rejection> {
        let broken =
            |cause: &'static str| Rejection::upstream(&UpstreamError::caused(Kind::Protocol, cause), None);
        self.tape.read(data).map_err(|_| broken("an event is not JSON"))?;
        let root = self.tape.root(data).filter(|root| root.kind() == Form::Object);
        let Some(root) = root else { return Err(broken("an event is not an object")) };
        if is_error(root) {
            return Err(broken("the vendor ended with an error"));
        }
        let chunk = Chunk::read(root);
        if let Some(reported) = chunk.usage.and_then(|(_, usage)| Reported::read(usage)) {
            self.account.reported(reported);
            if chunk.choices.is_empty() && !self.shows_usage {
                return Ok(());
            }
        }
        let produced = self.lane.take(&chunk, (event, data), (&mut self.frame, self.shows_usage))?;
        self.account.produced(produced);
        chunk.choices.iter().for_each(|choice| self.finished.note(choice));
        Ok(())
    }

    /// Takes an event of the Responses API, which has an end mark of its own.
    fn take_told(&mut self, event: &Event, data: &Bytes) {
        if event.is_done() {
            return;
        }
        match self.take_event_of_response(event, data) {
            Ok(Says::Done) => {
                if let Some(events) = self.events.take() {
                    events.retire();
                }
                self.end = Some(Ok(()));
            }
            Ok(Says::More | Says::Failed) => {}
            Err(rejection) => self.stop(rejection),
        }
    }

    fn take_event_of_response(&mut self, event: &Event, data: &Bytes) -> Result<Says, Rejection> {
        let Some(lane) = &mut self.told else { return Ok(Says::More) };
        self.tape.read(data).map_err(|_| odd("an event is not JSON"))?;
        let root = self.tape.root(data).filter(|root| root.kind() == Form::Object);
        let root = root.ok_or_else(|| odd("an event is not an object"))?;
        let kind = kind_of(root)?;
        let says = says(kind);
        let usage = root.get("response").and_then(|response| response.get("usage"));
        if let Some(reported) = usage.and_then(Reported::read) {
            self.account.reported(reported);
        }
        if says == Says::Failed {
            return Err(odd("the vendor ended with an error"));
        }
        let produced = lane.take((kind, root), (event, data), &mut self.frame)?;
        self.account.produced(produced);
        Ok(says)
    }

    /// Of a stream of the Responses API: the number of the next event, and the response as it began, empty where it has not.
    pub(crate) fn standing(&self) -> Option<(u64, Bytes)> {
        self.told.as_ref().map(|lane| lane.standing())
    }

    fn flush(&mut self) -> Result<(), Rejection> {
        match &mut self.told {
            None => self.lane.flush(&mut self.frame),
            Some(lane) => lane.flush(&mut self.frame),
        }
    }

    /// The vendor is done: what is held leaves, then the end mark.
    fn complete(&mut self) {
        if let Some(events) = self.events.take() {
            events.retire();
        }
        match self.flush() {
            Ok(()) => {
                self.frame.done();
                self.end = Some(Ok(()));
            }
            Err(rejection) => self.end = Some(Err(rejection)),
        }
    }

    /// The vendor's bytes ended.
    fn run_out(&mut self) {
        if let Some(event) = self.splitter.finish() {
            self.take_event(&event);
        }
        if self.end.is_some() {
            return;
        }
        if self.finished.all() {
            self.complete();
        } else {
            self.break_off(&UpstreamError::new(Kind::Reset).after(Delivered::Something));
        }
    }

    /// Once a frame: what other streams have by now is read before any of it is written, so that writes come together and their
    /// callers are woken once. The first event and the end wait for nobody.
    fn lets_others_go_first(&mut self) -> bool {
        let going_on = self.opening == Opening::Over && self.end.is_none();
        going_on && self.frame.is_something() && !std::mem::replace(&mut self.waited, true)
    }

    fn break_off(&mut self, error: &UpstreamError) {
        self.account.failed(error);
        self.stop(Rejection::upstream(error, None));
    }

    /// Ends it where it may not go on: nothing more is read, and nothing that has not left yet leaves.
    fn cut(&mut self, cut: &Cut) {
        self.events = None;
        self.drop_frame();
        self.opening = Opening::Over;
        self.account.cut(cut);
        let rejection = Rejection::stopped(cut, self.clock.now());
        self.end = Some(Err(Rejection { outcome: Outcome::Cut, ..rejection }));
    }

    /// What has not left yet never does.
    fn drop_frame(&mut self) {
        self.frame = Frame::default();
        self.told.iter_mut().for_each(|lane| lane.dropped());
    }

    /// Nothing more is read; what is held leaves as far as it may, then the error.
    fn stop(&mut self, rejection: Rejection) {
        self.events = None;
        // Of two reasons to end, the first is told.
        let _ = self.flush();
        self.end = Some(Err(rejection.midway()));
    }

    fn close(&mut self, end: &mut Result<(), Rejection>) -> Option<Noted> {
        if let Err(rejection) = end {
            self.account.sign(rejection);
        }
        self.events = None;
        let tally = self.told.as_ref().map_or_else(|| self.lane.tally(), |lane| lane.tally());
        self.account.found_output(tally);
        // What waits for the record leaves after it.
        keep(&mut self.account, self.told.as_deref(), self.frame.waiting());
        self.account.close(end.as_ref().err())
    }

    /// Whether what is there says that the answer is whole, to a tenant that demands a record first, and the end is still to come.
    fn is_held(&self) -> bool {
        self.account.must_be_noted() && self.end.is_none() && self.finished.all()
    }

    /// Ready where nothing has to wait for the record. What would leave last is kept back until then.
    fn poll_noted(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.account.must_be_noted()
            && let Some(mut end) = self.end.take()
        {
            let mut instead = Rejection::unnoted(Unnoted).midway();
            self.account.sign(&mut instead);
            self.noted = self.close(&mut end).map(|noted| Box::new((noted, instead)));
            self.end = Some(end);
        }
        let Some(waiting) = &mut self.noted else { return Poll::Ready(()) };
        let noted = ready!(Pin::new(&mut waiting.0).poll(cx));
        if let Some((_, instead)) = self.noted.take().map(|waiting| *waiting).filter(|_| noted.is_err()) {
            self.drop_frame();
            self.end = Some(Err(instead));
        }
        Poll::Ready(())
    }
}

/// Tells the account what leaves; where it repeats what the caller wrote, without that.
fn keep(account: &mut Account, told: Option<&responses::Lane>, leaving: &[u8]) {
    match told.filter(|_| account.keeps_content()) {
        Some(lane) => account.told(&lane.kept(leaving)),
        None => account.told(leaving),
    }
}

impl Stream for ScreenedStream {
    type Item = Result<Bytes, Rejection>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let stream = self.get_mut();
        loop {
            // One load while nothing changed, however much comes.
            if stream.events.is_some()
                && let Some(cut) = stream.account.look()
            {
                stream.cut(&cut);
            }
            ready!(stream.poll_noted(cx));
            if stream.lets_others_go_first() {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if !stream.is_held()
                && let Some(bytes) = stream.frame.take()
            {
                stream.waited = false;
                stream.pace.moved();
                stream.told.iter_mut().for_each(|lane| lane.sent());
                keep(&mut stream.account, stream.told.as_deref(), &bytes);
                return Poll::Ready(Some(Ok(bytes)));
            }
            match stream.opening {
                Opening::Ahead if !stream.splitter.rest().is_empty() => {
                    stream.opening = Opening::Told;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Opening::Told => {
                    stream.opening = Opening::Over;
                    stream.frame.expect(stream.splitter.rest());
                    stream.take_events(|_| false);
                    continue;
                }
                Opening::Ahead | Opening::Over => stream.opening = Opening::Over,
            }
            if let Some(mut end) = stream.end.take() {
                stream.close(&mut end);
                return Poll::Ready(end.err().map(Err));
            }
            let Some(events) = stream.events.as_mut() else { return Poll::Ready(None) };
            match events.poll_piece(cx) {
                Poll::Ready(Some(Ok(piece))) => stream.take_piece(piece),
                Poll::Ready(Some(Err(error))) => stream.break_off(&error),
                Poll::Ready(None) => stream.run_out(),
                Poll::Pending => {
                    if let Poll::Ready(cut) = stream.account.poll_cut(cx) {
                        stream.cut(&cut);
                        continue;
                    }
                    ready!(stream.pace.poll_silent(cx));
                    stream.frame.comment();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
