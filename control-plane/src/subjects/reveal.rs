//! What leaves by the admin API, with the names of people put back.
//!
//! Law: names and sealed texts are put back in texts alone; bytes, which are what is hashed and proved, stay as they are. Who was erased
//! stays a pseudonym, and a text that can't be opened any more says so. Absent on purpose: who may read an answer; who gets one may read it.

use std::borrow::Cow;

use prost::Message;
use prost_reflect::{DynamicMessage, ReflectMessage as _, Value};

use super::subject::{DIGITS, PSEUDONYM, SEALED, are_digits, is_base64};
use super::{Known, Subjects};
use crate::descriptors::pool;

/// What stands for a text whose subject was erased.
const ERASED: &str = "(erased)";

/// Messages that tell pseudonyms as such: those of people, and what nodes hold.
const AS_IT_IS: [&str; 2] = ["chancery.admin.v1.Subject", "chancery.admin.v1.ScopeResource"];

/// Fields that hold JSON as text, in which a text is put back as JSON spells it.
const JSON: [&str; 4] = [
    "chancery.admin.v1.AuditedChange.diff",
    "chancery.admin.v1.FieldChange.before",
    "chancery.admin.v1.FieldChange.after",
    "chancery.admin.v1.FieldBlame.value",
];

impl Subjects {
    /// An answer with the names of people in it; `message` is its full name.
    pub(crate) fn revealed<T: Message + Default>(&self, message: &str, answer: T) -> T {
        let Some(shared) = &self.shared else { return answer };
        let bytes = answer.encode_to_vec();
        if !has_any(&bytes) {
            return answer;
        }
        let known = shared.known.read();
        let dynamic = pool().get_message_by_name(message);
        let dynamic = dynamic.and_then(|message| DynamicMessage::decode(message, bytes.as_slice()).ok());
        let Some(mut dynamic) = dynamic else { return answer };
        known.reveal(&mut dynamic);
        T::decode(dynamic.encode_to_vec().as_slice()).unwrap_or(answer)
    }

    /// A message with the names of people in it.
    pub(crate) fn reveal(&self, message: &mut DynamicMessage) {
        if let Some(shared) = &self.shared {
            shared.known.read().reveal(message);
        }
    }

    /// A text with the names of people in it.
    pub(crate) fn reveal_text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match &self.shared {
            Some(shared) if has_any(text.as_bytes()) => shared.known.read().text(text, false),
            _ => Cow::Borrowed(text),
        }
    }
}

fn has_any(bytes: &[u8]) -> bool {
    [PSEUDONYM, SEALED].iter().any(|word| memchr::memmem::find(bytes, word.as_bytes()).is_some())
}

impl Known {
    fn reveal(&self, message: &mut DynamicMessage) {
        let descriptor = message.descriptor();
        if AS_IT_IS.contains(&descriptor.full_name()) {
            return;
        }
        for (field, value) in message.fields_mut() {
            self.value(value, JSON.contains(&field.full_name()));
        }
    }

    fn value(&self, value: &mut Value, json: bool) {
        match value {
            Value::String(text) => {
                if let Cow::Owned(revealed) = self.text(text, json) {
                    *text = revealed;
                }
            }
            Value::Message(message) => self.reveal(message),
            Value::List(all) => all.iter_mut().for_each(|each| self.value(each, json)),
            Value::Map(all) => all.values_mut().for_each(|each| self.value(each, json)),
            _ => {}
        }
    }

    /// A text with every pseudonym that is known, and every sealed text, put back.
    fn text<'t>(&self, text: &'t str, json: bool) -> Cow<'t, str> {
        let mut revealed = String::new();
        let (mut from, mut seek) = (0, 0);
        while let Some(at) = text.get(seek..).and_then(|rest| rest.find('~')).map(|found| seek + found) {
            seek = at + 1;
            let Some((start, end, found)) = self.at(text, at) else { continue };
            revealed.push_str(text.get(from..start).unwrap_or_default());
            match json {
                true => {
                    let quoted = serde_json::to_string(&found).unwrap_or_default();
                    revealed.push_str(quoted.trim_start_matches('"').strip_suffix('"').unwrap_or_default());
                }
                false => revealed.push_str(&found),
            }
            (from, seek) = (end, end);
        }
        if from == 0 {
            return Cow::Borrowed(text);
        }
        revealed.push_str(text.get(from..).unwrap_or_default());
        Cow::Owned(revealed)
    }

    /// What is around the `~` at a place: from where to where, and what is put there.
    fn at(&self, text: &str, at: usize) -> Option<(usize, usize, String)> {
        let start = at.checked_sub(1)?;
        let digits_end = at.checked_add(1)?.checked_add(DIGITS)?;
        let digits = text.get(at + 1..digits_end).filter(|digits| are_digits(digits))?;
        let subject = self.by_pseudonym.get(format!("{PSEUDONYM}{digits}").as_str());
        match text.get(start..=at)? {
            PSEUDONYM => Some((start, digits_end, subject?.name.to_string())),
            SEALED => {
                let sealed = text.get(digits_end..)?.strip_prefix('~')?;
                let length = sealed.bytes().take_while(|byte| is_base64(*byte)).count();
                let opened = subject.and_then(|subject| subject.open(sealed.get(..length)?));
                let end = digits_end + 1 + length;
                Some((start, end, opened.unwrap_or_else(|| ERASED.to_owned())))
            }
            _ => None,
        }
    }
}
