//! The events of an answer, written.
//!
//! Law: blocks come one after the other, each opened, gone on with and closed, with ascending indices, whatever order their pieces come in. A call
//! is closed once its arguments are whole; until then pieces of others wait, and at the end nothing does. Absent on purpose: pings, and answers
//! beside the first, for the dialect has one.

use super::super::super::answer::{Finish, Usage};
use super::super::super::event::{Delta, Event, Start};
use super::super::super::json::Json;
use super::super::answer::{End, made, write_finish, write_usage};
use super::super::block;

/// Writes the events of one answer.
#[derive(Debug, Default)]
pub(crate) struct Writing {
    /// What the vendor calls the message; calls without an id are named after it.
    id: String,
    used: Usage,
    finish: Option<Finish>,
    refusal: String,
    /// Blocks so far.
    blocks: u64,
    open: Option<Open>,
    /// Calls that are whole; what comes of them later says nothing.
    called: Vec<u64>,
    /// Pieces of blocks that can't be opened yet.
    waiting: Vec<Delta>,
}

/// The block that is open.
#[derive(Debug)]
enum Open {
    Text,
    /// Thoughts, and whether their proof was given.
    Thinking(bool),
    Call {
        at: u64,
        arguments: Whole,
    },
}

/// Whether the pieces of a JSON object make a whole one.
#[derive(Debug, Default)]
struct Whole {
    depth: u64,
    within: Within,
    done: bool,
}

#[derive(Debug, Default, PartialEq)]
enum Within {
    #[default]
    Structure,
    String,
    Escape,
}

impl Whole {
    fn take(&mut self, piece: &str) {
        for byte in piece.bytes() {
            self.within = match (&self.within, byte) {
                (Within::Escape, _) => Within::String,
                (Within::String, b'\\') => Within::Escape,
                (Within::String, b'"') => Within::Structure,
                (Within::String, _) => Within::String,
                (Within::Structure, b'"') => Within::String,
                (Within::Structure, _) => {
                    match byte {
                        b'{' | b'[' => self.depth += 1,
                        b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                        _ => {}
                    }
                    self.done |= self.depth == 0 && matches!(byte, b'}' | b']');
                    Within::Structure
                }
            };
        }
    }
}

impl Open {
    /// Whether more of a delta belongs in here.
    fn takes(&self, delta: &Delta) -> bool {
        match (self, delta) {
            (Self::Text, Delta::Text(_))
            | (Self::Thinking(false), Delta::Thinking(_) | Delta::Signature(_)) => true,
            (Self::Call { at, .. }, Delta::Call { at: other, .. }) => at == other,
            _ => false,
        }
    }

    /// Whether another block may follow.
    fn may_close(&self) -> bool {
        match self {
            Self::Text | Self::Thinking(_) => true,
            Self::Call { arguments, .. } => arguments.done,
        }
    }
}

impl Writing {
    /// Writes what happens.
    pub(crate) fn put(&mut self, event: Event, out: &mut Vec<u8>) {
        match event {
            Event::Start(start) => self.start(start, out),
            Event::More { choice: 0, delta: Delta::Refusal(why) } => self.refusal.push_str(&why),
            Event::More { choice: 0, delta } => self.more(delta, out),
            Event::End { choice: 0, finish } => {
                self.flush(out);
                self.finish = Some(finish);
            }
            Event::More { .. } | Event::End { .. } => {}
            Event::Usage(usage) => self.use_up(usage),
            Event::Done => self.done(out),
        }
    }

    fn start(&mut self, start: Start, out: &mut Vec<u8>) {
        event("message_start", out, |json| {
            json.key("message").object(|json| {
                json.key("id").string(&start.id);
                json.key("type").string("message");
                json.key("role").string("assistant");
                json.key("model").string(&start.model);
                json.key("content").array(|_| {});
                write_finish(None, End { calls: false, refusal: None }, json);
                json.key("usage").object(|json| write_usage(&self.used, json));
            });
        });
        self.id = start.id;
    }

    /// What one event does not tell is what the one before told.
    fn use_up(&mut self, usage: Usage) {
        let told = |now: u64, before: u64| if now == 0 { before } else { now };
        self.used = Usage {
            input: told(usage.input, self.used.input),
            cached: told(usage.cached, self.used.cached),
            cache_written: told(usage.cache_written, self.used.cache_written),
            output: told(usage.output, self.used.output),
            thinking: told(usage.thinking, self.used.thinking),
        };
    }

    fn more(&mut self, delta: Delta, out: &mut Vec<u8>) {
        match self.open.as_ref().is_some_and(|open| open.takes(&delta)) {
            true => self.go_on(delta, out),
            false => self.waiting.push(delta),
        }
        while !self.waiting.is_empty() && self.open.as_ref().is_none_or(Open::may_close) {
            self.next(out);
        }
    }

    /// Opens the block that has waited longest, with all of it that has come.
    fn next(&mut self, out: &mut Vec<u8>) {
        self.close(out);
        let waiting = std::mem::take(&mut self.waiting);
        for delta in waiting {
            match &self.open {
                None => self.begin(delta, out),
                // Pieces of a call are told by whose they are, and all else by where it stands.
                Some(open)
                    if open.takes(&delta)
                        && (self.waiting.is_empty() || matches!(open, Open::Call { .. })) =>
                {
                    self.go_on(delta, out);
                }
                Some(_) => self.waiting.push(delta),
            }
        }
    }

    /// Opens a block, unless there is nothing to it.
    fn begin(&mut self, delta: Delta, out: &mut Vec<u8>) {
        let open = match &delta {
            Delta::Text(text) if !text.is_empty() => Open::Text,
            Delta::Thinking(text) if !text.is_empty() => Open::Thinking(false),
            Delta::Signature(_) => Open::Thinking(false),
            Delta::Call { at, .. } if !self.called.contains(at) => {
                Open::Call { at: *at, arguments: Whole::default() }
            }
            Delta::Redacted(data) => {
                self.block(out, |json| block::write_redacted(data, json));
                return self.end_block(out);
            }
            _ => return,
        };
        self.block(out, |json| match &delta {
            Delta::Call { at, id, name, .. } => {
                let id = id.clone().filter(|id| !id.is_empty()).unwrap_or_else(|| made(&self.id, *at));
                block::write_tool_use((&id, name.as_deref().unwrap_or_default(), "{}"), json);
            }
            Delta::Text(_) => block::write_text("", json),
            _ => block::write_thinking(("", None), json),
        });
        self.open = Some(open);
        self.go_on(delta, out);
    }

    /// More of the block that is open.
    fn go_on(&mut self, delta: Delta, out: &mut Vec<u8>) {
        let (kind, member, piece) = match &delta {
            Delta::Text(text) => ("text_delta", "text", text),
            Delta::Thinking(text) => ("thinking_delta", "thinking", text),
            Delta::Signature(signature) => ("signature_delta", "signature", signature),
            Delta::Call { arguments, .. } => ("input_json_delta", "partial_json", arguments),
            Delta::Redacted(_) | Delta::Refusal(_) => return,
        };
        match &mut self.open {
            Some(Open::Call { arguments, .. }) => arguments.take(piece),
            Some(Open::Thinking(proved)) => *proved |= matches!(delta, Delta::Signature(_)),
            _ => {}
        }
        if piece.is_empty() {
            return;
        }
        event("content_block_delta", out, |json| {
            json.key("index").number_of(self.blocks);
            json.key("delta").object(|json| {
                json.key("type").string(kind);
                json.key(member).string(piece);
            });
        });
    }

    fn block(&self, out: &mut Vec<u8>, write: impl FnOnce(&mut Json)) {
        event("content_block_start", out, |json| {
            json.key("index").number_of(self.blocks);
            json.key("content_block").object(write);
        });
    }

    fn end_block(&mut self, out: &mut Vec<u8>) {
        event("content_block_stop", out, |json| json.key("index").number_of(self.blocks));
        self.blocks += 1;
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        match self.open.take() {
            Some(Open::Call { at, .. }) => self.called.push(at),
            Some(_) => {}
            None => return,
        }
        self.end_block(out);
    }

    /// Writes and closes all that there is.
    fn flush(&mut self, out: &mut Vec<u8>) {
        while !self.waiting.is_empty() {
            self.next(out);
        }
        self.close(out);
    }

    fn done(&mut self, out: &mut Vec<u8>) {
        self.flush(out);
        let refusal = Some(self.refusal.as_str()).filter(|refusal| !refusal.is_empty());
        event("message_delta", out, |json| {
            json.key("delta").object(|json| {
                let end = End { calls: !self.called.is_empty(), refusal };
                write_finish(self.finish.as_ref(), end, json);
            });
            json.key("usage").object(|json| write_usage(&self.used, json));
        });
        event("message_stop", out, |_| {});
    }
}

/// Writes an event of a type, framed.
fn event(name: &str, out: &mut Vec<u8>, write: impl FnOnce(&mut Json)) {
    let mut json = Json::default();
    json.object(|json| {
        json.key("type").string(name);
        write(json);
    });
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    out.extend_from_slice(&json.done());
    out.extend_from_slice(b"\n\n");
}
