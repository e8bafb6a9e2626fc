//! The content of one request, gathered while it passes.
//!
//! Law: of either direction the beginning is kept, [`MOST`] bytes of it, and what was cut is told. All of it together has [`ROOM`] bytes until
//! it is written; where there is no room more of an answer is cut, and a request whose prompt has none is not captured, which is told too.
//! Deliberately absent: disks, and what a request is.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use policy_engine::vocabulary::{Duration, Geo, Instant, Name};
use proto::captured::Part;

use super::key::ContentKey;

/// Bytes of one direction that are kept at most.
pub(super) const MOST: usize = 1 << 20;

/// Bytes of content that wait to be written at most, all requests together.
const ROOM: usize = 64 << 20;

/// The room that content has until it is written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Room(Arc<AtomicUsize>);

/// A part of the room; given back when dropped.
#[derive(Debug)]
struct Held {
    room: Room,
    bytes: usize,
}

/// Why content that a rule asked for is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    /// This node has no key of the tenant to seal it to.
    Key,
    /// Too much waited to be written.
    Room,
    /// It could not be sealed.
    Seal,
    /// The disk does not take it.
    Disk,
}

/// What is gathered of a request that has not ended.
#[derive(Debug)]
pub(crate) struct Gathering {
    retention: Duration,
    key: Result<ContentKey, Lost>,
    held: Held,
    prompt: Option<Bytes>,
    answer: Vec<u8>,
    cut: Vec<Part>,
}

/// Whose content it is, and where and when the request was received.
#[derive(Debug, Clone)]
pub(crate) struct Whose {
    /// The request's id.
    pub(crate) request_id: String,
    /// The tenant.
    pub(crate) tenant: Name,
    /// Where this node runs.
    pub(crate) geo: Geo,
    /// When the request was received.
    pub(crate) received: Instant,
    /// The tenant demands that it is kept: what can't be is tried again.
    pub(crate) demanded: bool,
}

/// What was gathered, or why it was not.
#[derive(Clone)]
pub(crate) struct Gathered(Arc<Inner>);

struct Inner {
    whose: Whose,
    retention: Duration,
    content: Result<Content, Lost>,
    _held: Held,
}

/// The content.
pub(super) struct Content {
    pub(super) key: ContentKey,
    pub(super) prompt: Bytes,
    pub(super) answer: Vec<u8>,
    pub(super) cut: Vec<Part>,
}

impl Held {
    fn grow(&mut self, by: usize) -> bool {
        let before = self.room.0.fetch_add(by, Ordering::Relaxed);
        let fits = before.saturating_add(by) <= ROOM;
        match fits {
            true => self.bytes += by,
            false => drop(self.room.0.fetch_sub(by, Ordering::Relaxed)),
        }
        fits
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.room.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Lost {
    /// The word for it in records.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Key => "no_key",
            Self::Room => "no_room",
            Self::Seal => "not_sealed",
            Self::Disk => "disk",
        }
    }
}

impl Gathering {
    /// Begins to gather what is kept for so long, with room for a prompt of about so many bytes.
    pub(crate) fn begin(
        (retention, key): (Duration, Option<ContentKey>),
        room: &Room,
        prompt: usize,
    ) -> Self {
        let mut held = Held { room: room.clone(), bytes: 0 };
        let key = key.ok_or(Lost::Key);
        let key = key.and_then(|key| held.grow(prompt.min(MOST)).then_some(key).ok_or(Lost::Room));
        Self { retention, key, held, prompt: None, answer: Vec::new(), cut: Vec::new() }
    }

    /// Whether it will be kept, as far as is known by now.
    pub(crate) fn is_well(&self) -> bool {
        self.key.is_ok()
    }

    /// This goes to an endpoint; what went to one before had no answer.
    pub(crate) fn sent(&mut self, body: &Bytes) {
        self.cut.clear();
        self.answer.clear();
        self.prompt = Some(match body.get(..MOST) {
            // A slice would hold all of it.
            Some(beginning) if body.len() > MOST => {
                self.cut.push(Part::Prompt);
                Bytes::copy_from_slice(beginning)
            }
            _ => body.clone(),
        });
    }

    /// This goes to the caller.
    pub(crate) fn answered(&mut self, more: &[u8]) {
        if self.key.is_err() || self.prompt.is_none() || self.cut.contains(&Part::Answer) {
            return;
        }
        let fits = more.len().min(MOST.saturating_sub(self.answer.len()));
        let taken = if self.held.grow(fits) { fits } else { 0 };
        self.answer.extend_from_slice(more.get(..taken).unwrap_or_default());
        if taken < more.len() {
            self.cut.push(Part::Answer);
        }
    }

    /// What was gathered; `None` where nothing has left.
    pub(crate) fn end(self, whose: Whose) -> Option<Gathered> {
        let Self { retention, key, held, prompt, answer, cut } = self;
        let prompt = prompt?;
        let content = key.map(|key| Content { key, prompt, answer, cut });
        Some(Gathered(Arc::new(Inner { whose, retention, content, _held: held })))
    }
}

impl Gathered {
    pub(super) fn whose(&self) -> &Whose {
        &self.0.whose
    }

    /// For how long it is kept.
    pub(super) fn retention(&self) -> Duration {
        self.0.retention
    }

    pub(super) fn content(&self) -> Result<&Content, Lost> {
        self.0.content.as_ref().map_err(|lost| *lost)
    }
}

#[cfg(test)]
impl Gathered {
    /// Prompt and answer.
    pub(crate) fn parts(&self) -> Result<(String, String), Lost> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        self.content().map(|content| (text(&content.prompt), text(&content.answer)))
    }
}

impl PartialEq for Gathered {
    /// Whether it is the same, of the same request.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for Gathered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gathered({})", self.0.whose.request_id)
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Content(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::key;
    use super::*;

    fn whose() -> Whose {
        Whose {
            request_id: "r".to_owned(),
            tenant: "acme".parse().unwrap(),
            geo: "eu".parse().unwrap(),
            received: Instant(0),
            demanded: false,
        }
    }

    fn begun(room: &Room, prompt: usize) -> Gathering {
        Gathering::begin((Duration(1), Some(key().0)), room, prompt)
    }

    #[test]
    fn the_beginning_of_either_is_kept_and_what_was_cut_is_told() {
        let room = Room::default();
        let mut gathering = begun(&room, 3);
        gathering.sent(&Bytes::from(vec![b'x'; MOST + 1]));
        gathering.answered(&[b'y'; 10]);
        // Another endpoint is asked.
        gathering.sent(&Bytes::from_static(b"ask"));
        gathering.answered(&vec![b'a'; MOST - 1]);
        gathering.answered(b"bc");
        gathering.answered(b"d");
        let gathered = gathering.end(whose()).unwrap();
        let content = gathered.content().unwrap();
        assert_eq!((&content.prompt[..], content.answer.len()), (&b"ask"[..], MOST));
        assert_eq!((content.answer.last(), &content.cut), (Some(&b'b'), &vec![Part::Answer]));
        assert!(room.0.load(Ordering::Relaxed) >= MOST);
        drop(gathered);
        assert_eq!(room.0.load(Ordering::Relaxed), 0, "what was written gives its room back");
        let mut gathering = begun(&room, 0);
        gathering.sent(&Bytes::from(vec![b'x'; MOST + 1]));
        let gathered = gathering.end(whose()).unwrap();
        let content = gathered.content().unwrap();
        assert_eq!((content.prompt.len(), &content.cut), (MOST, &vec![Part::Prompt]));
        assert!(begun(&room, 9).end(whose()).is_none(), "nothing has left");
    }

    #[test]
    fn where_there_is_no_room_or_no_key_nothing_is_kept_and_it_is_told() {
        let room = Room::default();
        let many: Vec<_> = (0..ROOM / MOST).map(|_| begun(&room, MOST)).collect();
        assert!(many.iter().all(Gathering::is_well));
        let mut late = begun(&room, 1);
        assert!(!late.is_well());
        late.sent(&Bytes::from_static(b"ask"));
        late.answered(b"told");
        assert_eq!(late.end(whose()).unwrap().content().unwrap_err(), Lost::Room);
        let mut nobodys = Gathering::begin((Duration(1), None), &room, 0);
        nobodys.sent(&Bytes::from_static(b"ask"));
        assert_eq!(nobodys.end(whose()).unwrap().content().unwrap_err(), Lost::Key);
        let mut one = many.into_iter().next().unwrap();
        one.sent(&Bytes::from_static(b"ask"));
        one.answered(&vec![b'a'; MOST]);
        let one = one.end(whose()).unwrap();
        assert_eq!(one.content().unwrap().cut, [], "the others have given theirs back");
    }
}
