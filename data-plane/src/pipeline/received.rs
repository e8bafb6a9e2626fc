//! A request as every door hands it in: the same whichever the door.
//!
//! Law: what a caller says in headers is kept apart from what is proved; a key in a query string is refused and kept nowhere.
//! Declarations may make a decision stricter and never looser. Deliberately absent: the forms of the doors.

use std::sync::Arc;
use std::time::Instant as Moment;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use policy_engine::decision::EndpointIx;
use policy_engine::rules::geo;
use policy_engine::vocabulary::{Instant, Name};
use proto::code::ErrorCode;
use tokio::time::Instant as Timepoint;

use crate::error::Rejection;
use crate::node::{Buffered, Node};
use crate::record::{Door, RequestId, Task};
use crate::upstream::call::File;

/// The longest purpose, in bytes.
const PURPOSE: usize = 128;
/// The most names in one declaration.
const NAMES: usize = 32;

/// A request whose body is not read yet.
pub(crate) struct Arrival {
    /// Where it came in.
    pub(crate) door: Door,
    /// What is asked for, as the path or the method says.
    pub(crate) task: Task,
    /// In whose words its body is.
    pub(crate) form: Form,
    /// Its name.
    pub(crate) id: RequestId,
    /// Its name as a header.
    pub(crate) id_header: HeaderValue,
    /// When it came.
    pub(crate) at: Instant,
    /// The same on the clock that never steps.
    pub(crate) moment: Moment,
    /// When it must have ended.
    pub(crate) deadline: Timepoint,
    /// Whether `deadline` is the caller's own.
    pub(crate) own_deadline: bool,
    /// W3C trace context.
    pub(crate) traceparent: Option<HeaderValue>,
    /// What the caller calls its session.
    pub(crate) session: Option<HeaderValue>,
    /// Who it says it is.
    pub(crate) credential: Result<HeaderValue, ErrorCode>,
    /// What it declares.
    pub(crate) declared: Result<Declared, Rejection>,
    /// What it is a copy of, if it is one.
    pub(crate) mirrors: Option<Mirrored>,
}

/// A request, received.
pub(crate) struct Received {
    /// Its head.
    pub(crate) arrival: Arrival,
    /// Its body in the OpenAI dialect; of a form, the object of its fields.
    pub(crate) body: Bytes,
    /// The files of a form.
    pub(crate) files: Arc<[File]>,
    /// The part of the byte budget its body takes.
    pub(crate) buffered: Option<Buffered>,
}

/// In whose words a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// In the caller's own, which are those of OpenAI's dialect for the operation.
    Own,
    /// In ours: it was written from another dialect, and may say more than OpenAI's has words for.
    Translated,
    /// In the caller's own, which are those of the Responses API.
    Responses,
}

/// What a copy of a request is of, and for whom.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mirrored {
    /// The request.
    pub(crate) of: RequestId,
    /// The mirror.
    pub(crate) endpoint: EndpointIx,
}

/// What a caller declares about its request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Declared {
    /// What it is for.
    pub(crate) purpose: Option<Box<str>>,
    /// Data classes in it, beside those that are found.
    pub(crate) classes: Vec<String>,
    /// Where its subjects live, beside what is known; names of the table of places.
    pub(crate) jurisdictions: Vec<Name>,
}

impl Arrival {
    /// Reads a request's head. `wait` is how long the caller will wait, where it says so.
    pub(crate) fn read(
        node: &Node,
        (door, task): (Door, impl Into<Task>),
        (headers, query): (&HeaderMap, Option<&str>),
        wait: Option<std::time::Duration>,
    ) -> Self {
        let at = node.clock.now();
        let id = node.name_request(at);
        let total = wait.map_or(node.bounds.total, |wait| wait.min(node.bounds.total));
        Self {
            door,
            task: task.into(),
            form: Form::Own,
            id,
            id_header: id.to_header(),
            at,
            moment: Moment::now(),
            deadline: Timepoint::now() + total,
            own_deadline: wait.is_some_and(|wait| wait <= node.bounds.total),
            session: headers.get(SESSION).filter(|value| value.len() <= 256).cloned(),
            traceparent: headers.get(TRACEPARENT).filter(|value| value.len() <= 64).cloned(),
            credential: credential(headers, query),
            declared: Declared::read(headers),
            mirrors: None,
        }
    }

    /// The request with its body.
    pub(crate) fn with(self, body: Bytes, buffered: Option<Buffered>) -> Received {
        self.with_form((body, [].into()), buffered)
    }

    /// The request with the fields of its form, and the files.
    pub(crate) fn with_form(
        self,
        (body, files): (Bytes, Arc<[File]>),
        buffered: Option<Buffered>,
    ) -> Received {
        Received { arrival: self, body, files, buffered }
    }
}

/// What is declared, by our names and by those that others use. Names are made once: a name that is a text is read anew each time.
static PURPOSE_NAMES: [HeaderName; 2] =
    [HeaderName::from_static("x-chancery-purpose"), HeaderName::from_static("x-purpose")];
static CLASS_NAMES: [HeaderName; 2] =
    [HeaderName::from_static("x-chancery-data-class"), HeaderName::from_static("x-data-class")];
static SUBJECT_NAMES: [HeaderName; 2] = [
    HeaderName::from_static("x-chancery-subject-jurisdiction"),
    HeaderName::from_static("x-subject-residency"),
];
const SESSION: HeaderName = HeaderName::from_static("x-chancery-session");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const API_KEY: HeaderName = HeaderName::from_static("api-key");
const X_GOOG_API_KEY: HeaderName = HeaderName::from_static("x-goog-api-key");

/// The key as presented. Two different ones are nobody's; where several agree the first counts.
pub(crate) fn credential(headers: &HeaderMap, query: Option<&str>) -> Result<HeaderValue, ErrorCode> {
    if query.is_some_and(holds_key) {
        return Err(ErrorCode::InvalidApiKey);
    }
    let mut found: Option<&[u8]> = None;
    let bearers = headers.get_all(header::AUTHORIZATION).iter().map(|value| bearer(value.as_bytes()));
    let keys = [X_API_KEY, API_KEY, X_GOOG_API_KEY].into_iter().flat_map(|name| headers.get_all(name));
    for key in bearers.chain(keys.map(|value| Some(value.as_bytes().trim_ascii()))) {
        match (key, found) {
            (Some(key), None) => found = Some(key),
            (Some(key), Some(before)) if key == before => {}
            _ => return Err(ErrorCode::InvalidApiKey),
        }
    }
    let key = found.ok_or(ErrorCode::MissingApiKey)?;
    let mut value = HeaderValue::from_bytes(key).map_err(|_| ErrorCode::InvalidApiKey)?;
    value.set_sensitive(true);
    Ok(value)
}

fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, key) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| key.trim_ascii())
}

/// Whether a query holds a key: by the name of a parameter, or by what our keys begin with.
fn holds_key(query: &str) -> bool {
    const NAMES: [&str; 6] = ["key", "api_key", "api-key", "apikey", "access_token", "token"];
    query.split('&').any(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        NAMES.iter().any(|known| name.eq_ignore_ascii_case(known)) || value.contains("chy_")
    })
}

impl Declared {
    /// Reads declarations from headers; each has a short name too.
    fn read(headers: &HeaderMap) -> Result<Self, Rejection> {
        let purpose = one(headers, &PURPOSE_NAMES)?;
        let classes = several(headers, &CLASS_NAMES)?;
        let subjects = several(headers, &SUBJECT_NAMES)?;
        Self::of(purpose, classes, subjects)
    }

    /// Checks declarations, wherever they came from.
    pub(crate) fn of(
        purpose: Option<&str>,
        classes: Vec<&str>,
        subjects: Vec<&str>,
    ) -> Result<Self, Rejection> {
        let jurisdictions = subjects.into_iter().map(place);
        let classes = classes.iter().map(|class| match Name::new(class) {
            Ok(_) => Ok((*class).to_owned()),
            Err(error) => Err(Rejection::field("x-chancery-data-class", error.to_string())),
        });
        let purpose = match purpose {
            Some(text) if text.len() > PURPOSE || !text.bytes().all(|b| b.is_ascii_graphic()) => {
                return Err(Rejection::field("x-chancery-purpose", "at most 128 visible ASCII characters"));
            }
            purpose => purpose.map(Into::into),
        };
        Ok(Self {
            purpose,
            classes: classes.collect::<Result<_, _>>()?,
            jurisdictions: jurisdictions.collect::<Result<_, _>>()?,
        })
    }

    /// Takes in what was declared elsewhere too. Two purposes that differ contradict each other.
    pub(crate) fn join(&mut self, other: Self) -> Result<(), Rejection> {
        match (&self.purpose, other.purpose) {
            (Some(one), Some(two)) if *one != two => {
                return Err(Rejection::field(
                    "metadata.purpose",
                    "differs from the header of the same meaning",
                ));
            }
            (None, purpose) => self.purpose = purpose,
            _ => {}
        }
        self.classes.extend(other.classes);
        self.jurisdictions.extend(other.jurisdictions);
        Ok(())
    }
}

/// The place of the table that is meant. One that is not known is refused: no rule could hold for it, and it was declared so that
/// one does.
fn place(text: &str) -> Result<Name, Rejection> {
    let refuse = |message| Rejection::field("x-chancery-subject-jurisdiction", message);
    Name::new(text).map_err(|error| refuse(error.to_string()))?;
    let known = geo::place_named(text).ok_or_else(|| {
        refuse(format!("`{text}` is no known place: an ISO 3166 code, `EU`, `EEA`, `UK` or a cloud region"))
    })?;
    Name::new(known).map_err(|error| refuse(error.to_string()))
}

fn text<'h>(name: &'static str, value: &'h HeaderValue) -> Result<&'h str, Rejection> {
    value.to_str().map_err(|_| Rejection::field(name, "visible ASCII characters only"))
}

fn one<'h>(headers: &'h HeaderMap, names: &'static [HeaderName; 2]) -> Result<Option<&'h str>, Rejection> {
    let mut found = None;
    for name in names {
        for value in headers.get_all(name) {
            let value = text(name.as_str(), value)?;
            if found.replace(value).is_some_and(|before| before != value) {
                return Err(Rejection::field(name.as_str(), "is declared twice"));
            }
        }
    }
    Ok(found)
}

fn several<'h>(headers: &'h HeaderMap, names: &'static [HeaderName; 2]) -> Result<Vec<&'h str>, Rejection> {
    let mut found = Vec::new();
    for name in names {
        for value in headers.get_all(name) {
            let listed = text(name.as_str(), value)?.split(',').map(str::trim);
            found.extend(listed.filter(|item| !item.is_empty()));
        }
        if found.len() > NAMES {
            return Err(Rejection::field(name.as_str(), "at most 32 names"));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
