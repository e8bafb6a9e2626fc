//! What comes in by the admin API, with pseudonyms in the place of names.
//!
//! Law: a field that names a principal makes a pseudonym where there is none, so that what names it before it is there means it as well;
//! every other text is given the pseudonyms that there are. What is wrong with a name or a text is left as it is, for whoever judges it to
//! say. Absent on purpose: free text, such as reasons, which is warned of where it seems personal.

use std::sync::Arc;

use policy_engine::rules::condition::{Condition, Interner, compared};
use policy_engine::vocabulary::{Id, Kind, Name};
use prost::Message;
use prost_reflect::{DynamicMessage, ReflectMessage as _, Value};
use proto::name;

use super::subject::Subject;
use super::{CALLER, Covered, Subjects, is_pseudonym, is_sealed, names_people};
use crate::act::Via;
use crate::descriptors::{self, pool};
use crate::seal::SealError;

/// Bytes of a text for people that may be sealed; longer ones are refused by whoever judges the resource.
const MAX_TEXT: usize = 256;

/// Fields that hold the id of a principal.
const IDS: [&str; 5] = [
    "chancery.admin.v1.CreatePrincipalRequest.principal_id",
    "chancery.admin.v1.KeySpec.principal",
    "chancery.admin.v1.GrantSubject.principal",
    "chancery.admin.v1.LimitScope.principal",
    "chancery.admin.v1.LicenceAcceptanceSpec.accepted_by",
];

/// Fields that hold the AIP name of something that need not be there.
const NAMES: [&str; 1] = ["chancery.admin.v1.Principal.name"];

/// The field of requests that asks for acts of somebody, by an AIP name or by its last part.
const ASKED: &str = "Request.actor";

/// The field of conditions.
const CONDITION: &str = "chancery.admin.v1.RuleSpec.when";

/// Messages that are read elsewhere.
const ELSEWHERE: [&str; 1] = ["chancery.admin.v1.SourceFile"];

const PRINCIPAL: &str = "chancery.admin.v1.Principal";
const CREATION: &str = "chancery.admin.v1.CreatePrincipalRequest";
const COLLECTION: &str = "principals/";

impl Subjects {
    /// A request with pseudonyms in it; `message` is its full name. Those that are new are to be [kept](Subjects::keep).
    pub(crate) fn covered<T: Message + Default>(&self, message: &str, asked: T) -> Result<T, SealError> {
        if !self.are_kept() {
            return Ok(asked);
        }
        let dynamic = pool().get_message_by_name(message);
        let dynamic = dynamic
            .and_then(|message| DynamicMessage::decode(message, asked.encode_to_vec().as_slice()).ok());
        let Some(mut dynamic) = dynamic else { return Ok(asked) };
        self.cover(&mut dynamic, None)?;
        Ok(T::decode(dynamic.encode_to_vec().as_slice()).unwrap_or(asked))
    }

    /// A resource that a file declares, likewise; `None`: it stays as it is.
    pub(crate) fn covered_resource(
        &self,
        kind: Kind,
        id: &Id,
        encoded: &[u8],
    ) -> Result<Option<Covered>, SealError> {
        if !self.are_kept() || !names_people(kind) {
            return Ok(None);
        }
        let Some(mut message) = descriptors::dynamic(kind, encoded) else { return Ok(None) };
        let mut id = id.clone();
        let subject = if kind == Kind::Principal { self.subject(id.name.as_str())? } else { None };
        if let Some(subject) = &subject
            && let Ok(pseudonym) = Name::new(&subject.pseudonym)
        {
            id.name = pseudonym;
        }
        self.cover(&mut message, subject.as_ref())?;
        Ok(Some(Covered { id, encoded: message.encode_to_vec() }))
    }

    /// How an act of somebody came here, with what is of the person sealed; a text that can't be sealed is left out.
    pub(crate) fn sealed_via(&self, actor: &str, via: Via) -> Via {
        let pseudonym = actor.rsplit_once(COLLECTION).map(|(_, name)| name).filter(|name| is_pseudonym(name));
        let subject = pseudonym.and_then(|pseudonym| self.subject(pseudonym).ok()?);
        let Some(subject) = subject else { return via };
        let seal =
            |text: &str| if text.is_empty() { String::new() } else { subject.seal(text).unwrap_or_default() };
        Via { address: seal(&via.address), client: seal(&via.client), ..via }
    }

    /// A text, such as an AIP name, with the pseudonyms that there are.
    pub(crate) fn cover_text(&self, text: &str) -> String {
        self.names(text, |name| Ok(self.pseudonym_of(name))).unwrap_or_else(|_| text.to_owned())
    }

    fn cover(&self, message: &mut DynamicMessage, known: Option<&Arc<Subject>>) -> Result<(), SealError> {
        let descriptor = message.descriptor();
        let full = descriptor.full_name();
        if ELSEWHERE.contains(&full) {
            return Ok(());
        }
        let about = self.about(message)?;
        let known = about.as_ref().or(known);
        if full == PRINCIPAL
            && let Some(subject) = known
        {
            sealed(message, subject)?;
        }
        for (field, value) in message.fields_mut() {
            self.value(field.full_name(), value, known.filter(|_| full == CREATION))?;
        }
        Ok(())
    }

    /// Whom a message is about, where it is one that is about a principal.
    fn about(&self, message: &DynamicMessage) -> Result<Option<Arc<Subject>>, SealError> {
        let text = |field: &str| {
            let value = message.get_field_by_name(field)?;
            value.as_str().map(str::to_owned)
        };
        let id = match message.descriptor().full_name() {
            CREATION => text("principal_id"),
            PRINCIPAL => {
                text("name").and_then(|text| Some(name::parse(&text).ok()?.id.name.as_str().to_owned()))
            }
            _ => None,
        };
        id.map_or(Ok(None), |id| self.subject(&id))
    }

    fn value(&self, field: &str, value: &mut Value, known: Option<&Arc<Subject>>) -> Result<(), SealError> {
        match value {
            Value::String(text) => *text = self.text(field, text)?,
            Value::Message(message) => self.cover(message, known)?,
            Value::List(all) => all.iter_mut().try_for_each(|each| self.value(field, each, known))?,
            Value::Map(all) => all.values_mut().try_for_each(|each| self.value(field, each, known))?,
            _ => {}
        }
        Ok(())
    }

    fn text(&self, field: &str, text: &str) -> Result<String, SealError> {
        if IDS.contains(&field) {
            let subject = self.subject(text)?;
            return Ok(subject.map_or_else(|| text.to_owned(), |subject| subject.pseudonym.to_string()));
        }
        if field == CONDITION {
            return self.condition(text);
        }
        if field.ends_with(ASKED) && !text.contains('/') {
            return Ok(self.pseudonym_of(text).unwrap_or_else(|| text.to_owned()));
        }
        let made = |name: &str| Ok(self.subject(name)?.map(|subject| subject.pseudonym.to_string()));
        match NAMES.contains(&field) {
            true => self.names(text, made),
            false => self.names(text, |name| Ok(self.pseudonym_of(name))),
        }
    }

    /// A condition whose author means people by their ids. One that does not compile is left as it is, so that its faults are where they are.
    fn condition(&self, text: &str) -> Result<String, SealError> {
        if !text.contains(CALLER) || Condition::compile(text, &mut Interner::default()).is_err() {
            return Ok(text.to_owned());
        }
        let mut covered = text.to_owned();
        // From behind, so that the places before stay what they are.
        for (place, id) in compared(text, CALLER).unwrap_or_default().into_iter().rev() {
            if let Some(subject) = self.subject(&id)? {
                covered.replace_range(place, &format!("'{}'", subject.pseudonym));
            }
        }
        Ok(covered)
    }

    /// A text whose names of principals are given other ids.
    fn names(
        &self,
        text: &str,
        other: impl Fn(&str) -> Result<Option<String>, SealError>,
    ) -> Result<String, SealError> {
        let mut covered = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find(COLLECTION) {
            let (before, found) = rest.split_at(at + COLLECTION.len());
            let length = found.bytes().take_while(|byte| in_name(*byte)).count();
            let (name, after) = found.split_at(length);
            covered.push_str(before);
            covered.push_str(&other(name)?.unwrap_or_else(|| name.to_owned()));
            rest = after;
        }
        covered.push_str(rest);
        Ok(covered)
    }
}

fn in_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._@+~-".contains(&byte)
}

/// Seals what is only for people to read of a principal.
fn sealed(message: &mut DynamicMessage, subject: &Subject) -> Result<(), SealError> {
    let seal = |value: &mut Value| -> Result<(), SealError> {
        if let Value::String(text) = value
            && !text.is_empty()
            && text.len() <= MAX_TEXT
            && !text.chars().any(char::is_control)
            && !is_sealed(text)
        {
            *text = subject.seal(text)?;
        }
        Ok(())
    };
    for (field, value) in message.fields_mut() {
        match (field.name(), value) {
            ("labels", Value::Map(labels)) => labels.values_mut().try_for_each(seal)?,
            ("spec", Value::Message(spec)) => {
                let mut fields = spec.fields_mut();
                let shown = fields.find(|(field, _)| field.name() == "display_name");
                shown.map_or(Ok(()), |(_, value)| seal(value))?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether a text names somebody by a pseudonym.
pub(crate) fn says_pseudonym(text: &[u8]) -> bool {
    let mut places = memchr::memmem::find_iter(text, super::subject::PSEUDONYM.as_bytes());
    let length = super::subject::PSEUDONYM.len() + super::subject::DIGITS;
    places.any(|at| {
        let word = text.get(at..at.saturating_add(length)).and_then(|word| std::str::from_utf8(word).ok());
        word.is_some_and(is_pseudonym)
    })
}
