//! The pass over the bytes.
//!
//! Law: iterative, linear in the text, and accepting exactly what RFC 8259 does within our bounds (a test compares it with
//! another parser). Deliberately absent: leniency of any kind; what two parsers may read differently is refused.

use std::collections::HashSet;

use super::{DEPTH, Fault, Kind, Malformed, NODES, Node, Tape, Value, number, text};

/// Objects up to so many members have their names compared each with each; larger ones by hash.
const COMPARED: u32 = 12;

pub(super) fn scan(tape: &mut Tape, bytes: &[u8]) -> Result<(), Malformed> {
    tape.nodes.clear();
    tape.open.clear();
    if let Err(error) = std::str::from_utf8(bytes) {
        return Err(Malformed { fault: Fault::Utf8, at: error.valid_up_to() });
    }
    if u32::try_from(bytes.len()).is_err() {
        return Err(Malformed { fault: Fault::TooMany, at: 0 });
    }
    Scan { tape, bytes, at: 0 }.run()
}

struct Scan<'s> {
    tape: &'s mut Tape,
    bytes: &'s [u8],
    at: usize,
}

/// What may come next.
enum Next {
    Value,
    Key,
    AfterValue,
}

impl Scan<'_> {
    fn run(mut self) -> Result<(), Malformed> {
        let mut next = Next::Value;
        loop {
            self.skip_blanks();
            next = match next {
                Next::Value => self.value()?,
                Next::Key => self.key()?,
                Next::AfterValue => match self.tape.open.last().copied() {
                    Some(container) => self.after_value(container)?,
                    None if self.at == self.bytes.len() => return Ok(()),
                    None => return Err(self.wrong()),
                },
            };
        }
    }

    fn wrong(&self) -> Malformed {
        self.because(Fault::Syntax)
    }

    fn because(&self, fault: Fault) -> Malformed {
        Malformed { fault, at: self.at }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    fn value(&mut self) -> Result<Next, Malformed> {
        let start = self.at;
        match self.peek() {
            Some(b'{') => return self.open(Kind::Object),
            Some(b'[') => return self.open(Kind::Array),
            Some(b'"') => {
                let plain = self.string()?;
                self.push(Kind::String, start, plain)?;
            }
            Some(b't') => self.word(b"true", Kind::True)?,
            Some(b'f') => self.word(b"false", Kind::False)?,
            Some(b'n') => self.word(b"null", Kind::Null)?,
            Some(b'-' | b'0'..=b'9') => {
                self.number()?;
                let long = || number::is_long(self.bytes.get(start..self.at).unwrap_or_default());
                if !self.in_array() || long() {
                    self.push(Kind::Number, start, true)?;
                }
            }
            _ => return Err(self.wrong()),
        }
        Ok(Next::AfterValue)
    }

    fn in_array(&self) -> bool {
        let container = self.tape.open.last().and_then(|at| self.tape.nodes.get(*at as usize));
        container.is_some_and(|node| node.kind == Kind::Array)
    }

    fn open(&mut self, kind: Kind) -> Result<Next, Malformed> {
        if self.tape.open.len() >= DEPTH {
            return Err(self.because(Fault::Depth));
        }
        let start = self.at;
        self.at += 1;
        let container = self.push(kind, start, false)?;
        self.tape.open.push(container);
        self.skip_blanks();
        let (end, first) = if kind == Kind::Object { (b'}', Next::Key) } else { (b']', Next::Value) };
        if self.peek() == Some(end) {
            return self.close(container);
        }
        Ok(first)
    }

    fn key(&mut self) -> Result<Next, Malformed> {
        if self.peek() != Some(b'"') {
            return Err(self.wrong());
        }
        let start = self.at;
        let plain = self.string()?;
        self.push(Kind::Key, start, plain)?;
        self.skip_blanks();
        if self.peek() != Some(b':') {
            return Err(self.wrong());
        }
        self.at += 1;
        Ok(Next::Value)
    }

    fn after_value(&mut self, container: u32) -> Result<Next, Malformed> {
        let Some(node) = self.tape.nodes.get_mut(container as usize) else { return Err(self.wrong()) };
        node.count = node.count.saturating_add(1);
        let object = node.kind == Kind::Object;
        match (self.peek(), object) {
            (Some(b','), _) => {
                self.at += 1;
                Ok(if object { Next::Key } else { Next::Value })
            }
            (Some(b'}'), true) | (Some(b']'), false) => self.close(container),
            _ => Err(self.wrong()),
        }
    }

    fn close(&mut self, container: u32) -> Result<Next, Malformed> {
        self.at += 1;
        self.tape.open.pop();
        let (end, next) = (self.at as u32, self.tape.nodes.len() as u32);
        let Some(node) = self.tape.nodes.get_mut(container as usize) else { return Err(self.wrong()) };
        node.end = end;
        node.next = next;
        if node.kind == Kind::Object && node.count > 1 {
            self.distinct(container)?;
        }
        Ok(Next::AfterValue)
    }

    fn push(&mut self, kind: Kind, start: usize, plain: bool) -> Result<u32, Malformed> {
        let at = self.tape.nodes.len();
        if at >= NODES {
            return Err(self.because(Fault::TooMany));
        }
        let (start, end, next) = (start as u32, self.at as u32, at as u32 + 1);
        self.tape.nodes.push(Node { kind, plain, start, end, next, count: 0 });
        Ok(at as u32)
    }

    /// Refuses an object in which a name is written twice, however it is escaped.
    fn distinct(&self, container: u32) -> Result<(), Malformed> {
        let object = Value { tape: self.tape, text: self.bytes, at: container };
        let twice = if object.len() as u32 <= COMPARED {
            let names = || object.members().map(|(key, _)| key);
            names()
                .enumerate()
                .find(|(at, key)| names().take(*at).any(|other| same(&other, key)))
                .map(|(_, key)| key)
        } else {
            let mut seen = HashSet::with_capacity(object.len());
            object.members().map(|(key, _)| key).find(|key| !seen.insert(key.text()))
        };
        match twice {
            None => Ok(()),
            Some(key) => {
                let name = key.text().chars().take(64).flat_map(char::escape_default).collect();
                Err(Malformed { fault: Fault::Duplicate(name), at: key.range().start })
            }
        }
    }

    fn word(&mut self, word: &[u8], kind: Kind) -> Result<(), Malformed> {
        let start = self.at;
        if !self.bytes.get(start..).is_some_and(|rest| rest.starts_with(word)) {
            return Err(self.wrong());
        }
        self.at += word.len();
        self.push(kind, start, true).map(drop)
    }

    fn number(&mut self) -> Result<(), Malformed> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits()?,
            _ => return Err(self.wrong()),
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Malformed> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == start { Err(self.wrong()) } else { Ok(()) }
    }

    /// Passes a string from quote to quote; says whether it is without escapes.
    fn string(&mut self) -> Result<bool, Malformed> {
        self.at += 1;
        let mut plain = true;
        loop {
            self.at = text::next_special(self.bytes, self.at);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(plain);
                }
                Some(b'\\') => {
                    plain = false;
                    let escape = text::read_escape(self.bytes.get(self.at..).unwrap_or_default());
                    let (_, length) = escape.ok_or_else(|| self.wrong())?;
                    self.at += length;
                }
                _ => return Err(self.wrong()),
            }
        }
    }
}

/// Whether two keys are one. Most differ in their lengths, and without escapes a key is its bytes.
fn same(one: &Value<'_>, other: &Value<'_>) -> bool {
    match one.is_plain() && other.is_plain() {
        true => one.range().len() == other.range().len() && one.raw() == other.raw(),
        false => one.text() == other.text(),
    }
}
