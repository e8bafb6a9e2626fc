//! A simulated answer as events: roles first, then a few tokens at a time, then why it ended.
//!
//! Law: the deltas of a choice joined are the choice of the whole answer; choices take turns. Deliberately absent:
//! deciding what to say (`reply`) and its JSON (`wire`).

use std::{
    collections::VecDeque,
    future::Future,
    ops::Range,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use tokio::time::{Sleep, sleep};

use super::{
    complete,
    directive::Directives,
    reply::{Choice, Form, Reply, Said},
    tokens,
    wire::{self, Call, Delta, Function, Saying},
};
use crate::upstream::{
    error::{Delivered, Kind, UpstreamError},
    timer::Timer,
};

/// Tokens in one delta where no directive says otherwise.
const DELTA_TOKENS: usize = 3;

/// A stream that is going on.
#[derive(Debug)]
pub(crate) struct Script {
    id: String,
    reply: Reply,
    /// Whether the caller asked for the usage.
    asks_usage: bool,
    steps: VecDeque<Step>,
    faults: Faults,
    timer: Timer,
    /// The pause before the next event, while it lasts.
    pause: Option<Pin<Box<Sleep>>>,
    given: usize,
}

/// When a stream goes wrong, in events given before.
#[derive(Debug, Clone, Copy)]
struct Faults {
    cut: Option<usize>,
    hang: Option<usize>,
}

/// How long to pause before the events of a stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pauses {
    pub(super) first: Duration,
    pub(super) each: Duration,
}

#[derive(Debug)]
struct Step {
    what: What,
    pause: Duration,
}

#[derive(Debug, Clone)]
enum What {
    Role { choice: usize },
    Text { choice: usize, part: Range<usize> },
    Name { choice: usize, call: usize },
    Arguments { choice: usize, call: usize, part: Range<usize> },
    Finish { choice: usize },
    Usage,
    Done,
}

impl Script {
    /// The events of `reply`.
    pub(super) fn new(
        (id, asks_usage): (String, bool),
        reply: Reply,
        directives: &Directives,
        (pauses, timer): (Pauses, Timer),
    ) -> Self {
        let mut turns: Vec<VecDeque<What>> =
            reply.choices.iter().enumerate().map(|(at, choice)| turn(at, choice, directives.chunk)).collect();
        // A text has no role.
        for turn in turns.iter_mut().filter(|_| reply.form == Form::Text) {
            turn.pop_front();
        }
        let mut steps = VecDeque::new();
        let mut first = true;
        while turns.iter().any(|turn| !turn.is_empty()) {
            for what in turns.iter_mut().filter_map(VecDeque::pop_front) {
                let pause = if std::mem::take(&mut first) { pauses.first } else { pauses.each };
                steps.push_back(Step { what, pause });
            }
        }
        if asks_usage && reply.usage.is_some() {
            steps.push_back(Step { what: What::Usage, pause: Duration::ZERO });
        }
        steps.push_back(Step { what: What::Done, pause: Duration::ZERO });
        let faults = Faults { cut: directives.cut, hang: directives.hang };
        Self { id, reply, asks_usage, steps, faults, timer, pause: None, given: 0 }
    }

    /// The next event; `None` after the last, or after a fault.
    pub(crate) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, UpstreamError>>> {
        if self.steps.is_empty() {
            return Poll::Ready(None);
        }
        if self.faults.cut == Some(self.given) {
            return self.fail(Kind::Reset);
        }
        if self.faults.hang == Some(self.given) {
            let stage = ready!(self.timer.poll_expired(cx));
            return self.fail(Kind::Timeout(stage));
        }
        if self.poll_pause(cx).is_pending() {
            let stage = ready!(self.timer.poll_expired(cx));
            return self.fail(Kind::Timeout(stage));
        }
        if let Err(stage) = self.timer.progressed() {
            return self.fail(Kind::Timeout(stage));
        }
        self.pause = None;
        self.given += 1;
        Poll::Ready(self.steps.pop_front().map(|step| Ok(self.event(&step.what))))
    }

    fn poll_pause(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let pause = self.steps.front().map_or(Duration::ZERO, |step| step.pause);
        if pause.is_zero() {
            return Poll::Ready(());
        }
        self.pause.get_or_insert_with(|| Box::pin(sleep(pause))).as_mut().poll(cx)
    }

    fn fail(&mut self, kind: Kind) -> Poll<Option<Result<Bytes, UpstreamError>>> {
        self.steps.clear();
        let delivered = if self.given == 0 { Delivered::Nothing } else { Delivered::Something };
        Poll::Ready(Some(Err(UpstreamError::new(kind).after(delivered))))
    }

    fn event(&self, what: &What) -> Bytes {
        let choice = match what {
            What::Done => return wire::DONE,
            What::Usage => {
                return self.framed(Saying { choice: None, usage: Some(self.reply.usage) });
            }
            What::Role { choice } => (*choice, self.role(*choice), None),
            What::Text { choice, part } => (*choice, self.text(*choice, part), None),
            What::Name { choice, call } => (*choice, self.name(*choice, *call), None),
            What::Arguments { choice, call, part } => (*choice, self.arguments((*choice, *call), part), None),
            What::Finish { choice } => {
                let finish = self.reply.choices.get(*choice).map(|choice| choice.finish);
                (*choice, Delta::default(), finish)
            }
        };
        let usage = self.asks_usage.then_some(None);
        self.framed(Saying { choice: Some(choice), usage })
    }

    fn framed(&self, saying: Saying<'_>) -> Bytes {
        match self.reply.form {
            Form::Chat => wire::event(&self.id, &self.reply.model, saying),
            Form::Text => complete::event(&self.id, &self.reply.model, saying),
        }
    }

    fn role(&self, choice: usize) -> Delta<'_> {
        let calls = matches!(self.reply.choices.get(choice), Some(Choice { said: Said::Calls(_), .. }));
        let content = if calls { None } else { Some("") };
        Delta { role: Some("assistant"), content: Some(content), tool_calls: None }
    }

    fn text(&self, choice: usize, part: &Range<usize>) -> Delta<'_> {
        let text = match self.reply.choices.get(choice) {
            Some(Choice { said: Said::Text(text), .. }) => text.get(part.clone()).unwrap_or_default(),
            _ => "",
        };
        Delta { content: Some(Some(text)), ..Delta::default() }
    }

    fn call(&self, choice: usize, call: usize) -> (&str, &str) {
        match self.reply.choices.get(choice) {
            Some(Choice { said: Said::Calls(calls), .. }) => {
                calls.get(call).map_or(("", ""), |(name, arguments)| (name, arguments))
            }
            _ => ("", ""),
        }
    }

    fn name(&self, choice: usize, call: usize) -> Delta<'_> {
        let (name, _) = self.call(choice, call);
        let id = Some(wire::call_id(&self.id, choice, call));
        let function = Function { name: Some(name), arguments: "" };
        let piece = Call { index: Some(call), id, kind: Some("function"), function };
        Delta { tool_calls: Some([piece]), ..Delta::default() }
    }

    fn arguments(&self, (choice, call): (usize, usize), part: &Range<usize>) -> Delta<'_> {
        let (_, arguments) = self.call(choice, call);
        let function = Function { name: None, arguments: arguments.get(part.clone()).unwrap_or_default() };
        let piece = Call { index: Some(call), id: None, kind: None, function };
        Delta { tool_calls: Some([piece]), ..Delta::default() }
    }
}

fn turn(choice: usize, said: &Choice, chunk: Option<usize>) -> VecDeque<What> {
    let mut turn = VecDeque::from([What::Role { choice }]);
    match &said.said {
        Said::Text(text) => {
            turn.extend(parts(text, chunk).into_iter().map(|part| What::Text { choice, part }));
        }
        Said::Calls(calls) => {
            for (call, (_, arguments)) in calls.iter().enumerate() {
                turn.push_back(What::Name { choice, call });
                let parts = parts(arguments, chunk).into_iter();
                turn.extend(parts.map(|part| What::Arguments { choice, call, part }));
            }
        }
    }
    turn.push_back(What::Finish { choice });
    turn
}

/// The parts of `text` that become deltas: so many characters each, or a few tokens.
fn parts(text: &str, chunk: Option<usize>) -> Vec<Range<usize>> {
    let lengths: Vec<usize> = match chunk {
        Some(_) => text.chars().map(char::len_utf8).collect(),
        None => tokens::tokens(text).map(str::len).collect(),
    };
    let mut at = 0;
    let mut parts = Vec::new();
    for group in lengths.chunks(chunk.unwrap_or(DELTA_TOKENS).max(1)) {
        let end = at + group.iter().sum::<usize>();
        parts.push(at..end);
        at = end;
    }
    parts
}
