//! The events of the OpenAI dialect as those of `chancery.inference.v1`.
//!
//! Law: one start, then deltas in their order, a finish for each choice, usage last; a refusal is the status. Pulled by the
//! caller, and dropping it cancels what is behind it.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::Stream;
use proto::inference::chat_stream_event::Event as Step;
use proto::inference::stream_delta::Delta;
use proto::inference::{ChatStreamEvent, StreamDelta, StreamFinish, StreamStart, ToolCallDelta, Usage};
use tonic::Status;

use super::answer::{created, text};
use super::form;
use crate::pipeline::stream::ScreenedStream;
use crate::tape::{Kind, Tape, Value};
use crate::upstream::sse::Splitter;

/// The events of one answer.
#[expect(unreachable_pub, reason = "the generated trait is public, and so must be what it names")]
pub struct Events {
    /// `None` once they ended.
    stream: Option<Box<ScreenedStream>>,
    splitter: Splitter,
    tape: Tape,
    /// The model as it was asked for, until the start has been told.
    model: Option<String>,
    usage: Option<Usage>,
    ready: VecDeque<Step>,
}

impl Events {
    /// The events of a stream.
    pub(super) fn of(stream: Box<ScreenedStream>, model: String) -> Self {
        Self {
            stream: Some(stream),
            splitter: Splitter::new(usize::MAX),
            tape: Tape::default(),
            model: Some(model),
            usage: None,
            ready: VecDeque::new(),
        }
    }

    fn take(&mut self, frame: Bytes) {
        self.splitter.push(frame);
        // The splitter's cap is no bound here, so it gives no error.
        while let Ok(Some(event)) = self.splitter.next_event() {
            let Some(data) = event.data else { continue };
            let mut tape = std::mem::take(&mut self.tape);
            if tape.read(&data).is_ok()
                && let Some(root) = tape.root(&data)
            {
                self.take_chunk(root);
            }
            self.tape = tape;
        }
    }

    fn take_chunk(&mut self, root: Value<'_>) {
        if let Some(model) = self.model.take() {
            self.ready.push_back(Step::Start(StreamStart {
                id: text(root.get("id")),
                model,
                create_time: created(root),
            }));
        }
        if let Some(usage) = root.get("usage").filter(|usage| usage.kind() == Kind::Object) {
            self.usage = Some(form::usage(usage));
        }
        for (at, choice) in root.get("choices").into_iter().flat_map(|choices| choices.elements()).enumerate()
        {
            let index = choice.get("index").and_then(|index| index.whole()).unwrap_or(at as u64);
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            if let Some(delta) = choice.get("delta") {
                self.take_delta(index, delta);
            }
            if let Some(reason) = choice.get("finish_reason").filter(|reason| reason.kind() == Kind::String) {
                let reason = form::finish_reason(&reason.text()).into();
                self.ready.push_back(Step::Finish(StreamFinish { index, reason }));
            }
        }
    }

    fn take_delta(&mut self, index: u32, delta: Value<'_>) {
        let said = |name: &str| {
            delta.get(name).map(|value| value.text().into_owned()).filter(|text| !text.is_empty())
        };
        let texts = [
            said("reasoning_content").or_else(|| said("reasoning")).map(Delta::Reasoning),
            said("content").map(Delta::Text),
            said("refusal").map(Delta::Refusal),
        ];
        let calls = delta.get("tool_calls").into_iter().flat_map(|calls| calls.elements()).enumerate();
        let calls = calls.map(|(at, call)| Some(Delta::ToolCall(tool_call(at, call))));
        for delta in texts.into_iter().chain(calls).flatten() {
            self.ready.push_back(Step::Delta(StreamDelta { index, delta: Some(delta) }));
        }
    }
}

fn tool_call(at: usize, call: Value<'_>) -> ToolCallDelta {
    let index = call.get("index").and_then(|index| index.whole()).unwrap_or(at as u64);
    let function = call.get("function");
    let part = |name: &str| text(function.and_then(|function| function.get(name)));
    ToolCallDelta {
        index: u32::try_from(index).unwrap_or(u32::MAX),
        id: text(call.get("id")),
        name: part("name"),
        arguments: part("arguments"),
    }
}

impl Stream for Events {
    type Item = Result<ChatStreamEvent, Status>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let events = self.get_mut();
        loop {
            if let Some(step) = events.ready.pop_front() {
                return Poll::Ready(Some(Ok(ChatStreamEvent { event: Some(step) })));
            }
            let Some(stream) = events.stream.as_mut() else { return Poll::Ready(None) };
            match std::task::ready!(Pin::new(stream).poll_next(cx)) {
                Some(Ok(frame)) => events.take(frame),
                Some(Err(rejection)) => {
                    events.stream = None;
                    return Poll::Ready(Some(Err(super::status(&rejection))));
                }
                None => {
                    events.stream = None;
                    events.ready.extend(events.usage.take().map(Step::Usage));
                }
            }
        }
    }
}
