//! A body, filled in by a template.
//!
//! Law: a member whose value there is none of is left out of its object or array. A template makes no request much larger than it was: what it
//! would write beyond that is not written. Absent on purpose: what the values are.

use std::borrow::Cow;
use std::cell::Cell;

use policy_engine::facts::template::{Ask, Draft, Filling, Gap, Piece, Roles, Shape};
use policy_engine::vocabulary::Slot;

use super::super::chat::Role;
use super::super::json::Json;
use super::said::Said;

/// The bytes of a message without what was said and by whom.
const FRAME: usize = r#"{"role":"","content":""},"#.len();

/// How many times as large as the request a body may be, and the bytes that it may have beside.
const GROWTH: usize = 8;
const ROOM: usize = 256 * 1024;

/// What a place is filled with.
pub(super) enum Value<'c> {
    /// A text.
    Text(Cow<'c, str>),
    /// JSON as it stands.
    Raw(Cow<'c, str>),
    /// What was said.
    Messages(Vec<&'c Said>),
    /// Texts.
    Texts(&'c [String]),
}

/// A request on its way into a template; `value` is what a place is filled with, and `None` where the request has nothing for it.
pub(super) struct Fill<'c, F> {
    ask: &'c Ask,
    value: F,
    /// The bytes that it may still write; `None`: it would have had to write more.
    left: Cell<Option<usize>>,
}

impl<'c, F: Fn(Slot, Option<&'c Said>) -> Option<Value<'c>>> Fill<'c, F> {
    /// Of a request of so many bytes.
    pub(super) fn of(ask: &'c Ask, size: usize, value: F) -> Self {
        let left = Cell::new(Some(size.saturating_mul(GROWTH).saturating_add(ROOM)));
        Self { ask, value, left }
    }

    /// The body; `None`: its template makes too much of the request.
    pub(super) fn body(&self, draft: &Draft) -> Option<Json> {
        let mut json = Json::default();
        self.shape(&draft.shape, None, &mut json);
        self.left.get().map(|_| json)
    }

    /// Takes so many bytes of those that it may write; `false`: there are not as many.
    fn takes(&self, bytes: usize) -> bool {
        self.left.set(self.left.get().and_then(|left| left.checked_sub(bytes)));
        self.left.get().is_some()
    }

    /// Writes JSON with its places filled.
    fn shape(&self, shape: &Shape, message: Option<&'c Said>, json: &mut Json) {
        if !self.takes(weight(shape)) {
            return json.null();
        }
        match shape {
            Shape::Null => json.null(),
            Shape::Flag(flag) => json.boolean(*flag),
            Shape::Number(number) => json.raw(number.as_bytes()),
            Shape::Text(pieces) => json.string(&self.text(pieces, message)),
            Shape::Gap(gap) => self.gap(gap, message, json),
            Shape::List(all) => json.array(|json| {
                let there = all.iter().filter(|shape| !self.is_absent(shape, message));
                there.for_each(|shape| self.shape(shape, message, json));
            }),
            Shape::Object(members) => json.object(|json| {
                let there = members.iter().filter(|(_, shape)| !self.is_absent(shape, message));
                there.for_each(|(name, shape)| self.shape(shape, message, json.key(name)));
            }),
        }
    }

    fn is_absent(&self, shape: &Shape, message: Option<&'c Said>) -> bool {
        match shape {
            Shape::Gap(gap) => gap.otherwise.is_none() && (self.value)(gap.slot, message).is_none(),
            _ => false,
        }
    }

    fn gap(&self, gap: &Gap, message: Option<&'c Said>, json: &mut Json) {
        let value = (self.value)(gap.slot, message);
        let bytes = match &value {
            Some(Value::Text(text) | Value::Raw(text)) => text.len(),
            Some(Value::Texts(texts)) => texts.iter().map(|text| text.len() + 3).sum::<usize>(),
            Some(Value::Messages(_)) => 0,
            None => gap.otherwise.as_ref().map_or(0, String::len),
        };
        if !self.takes(bytes) {
            return json.null();
        }
        match (value, &gap.otherwise) {
            (Some(Value::Text(text)), _) => json.string(&text),
            (Some(Value::Raw(raw)), _) => json.raw(raw.as_bytes()),
            (Some(Value::Texts(texts)), _) => {
                json.array(|json| texts.iter().for_each(|text| json.string(text)))
            }
            (Some(Value::Messages(all)), _) => {
                json.array(|json| all.into_iter().for_each(|said| self.message(said, json)));
            }
            (None, Some(text)) if gap.slot.filling() == Filling::Text => json.string(text),
            (None, Some(otherwise)) => json.raw(otherwise.as_bytes()),
            (None, None) => json.null(),
        }
    }

    fn message(&self, said: &'c Said, json: &mut Json) {
        match &self.ask.message {
            Some(message) => self.shape(&message.shape, Some(said), json),
            None => {
                let role = role(said.role, &self.ask.roles);
                if !self.takes(FRAME + role.len() + said.text.len()) {
                    return json.null();
                }
                json.object(|json| {
                    json.key("role").string(role);
                    json.key("content").string(&said.text);
                });
            }
        }
    }

    fn text(&self, pieces: &[Piece], message: Option<&'c Said>) -> String {
        let mut text = String::new();
        let mut more = |words: &str| {
            if self.takes(words.len()) {
                text.push_str(words);
            }
        };
        for piece in pieces {
            match piece {
                Piece::Words(words) => more(words),
                Piece::Gap(gap) => match (self.value)(gap.slot, message) {
                    Some(Value::Text(value) | Value::Raw(value)) => more(&value),
                    _ => more(gap.otherwise.as_deref().unwrap_or_default()),
                },
            }
        }
        text
    }
}

/// The bytes of JSON without what is within it and what its places are filled with.
fn weight(shape: &Shape) -> usize {
    match shape {
        Shape::Null | Shape::Flag(_) => 6,
        Shape::Number(number) => number.len() + 1,
        Shape::Text(_) | Shape::Gap(_) | Shape::List(_) => 3,
        Shape::Object(members) => members.iter().map(|(name, _)| name.len() + 4).sum::<usize>() + 3,
    }
}

/// Who speaks, as the API has it.
pub(super) fn role(role: Role, roles: &Roles) -> &str {
    match role {
        Role::System => &roles.system,
        Role::User => &roles.user,
        Role::Assistant => &roles.assistant,
    }
}
