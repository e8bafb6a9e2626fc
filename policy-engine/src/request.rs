//! One request as the policy sees it: who asks, for what, when, and what was found in it.
//!
//! Law: everything a decision depends on is in here or in the snapshot, the instant included, so that a record of it replays.

use crate::facts::{Picture, Units};
use crate::vocabulary::{Entity, Instant, Name, Operation};

/// Who asks: positions in the snapshot it was made from, meaningless in any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    pub(crate) tenant: u32,
    pub(crate) team: u32,
    pub(crate) principal: u32,
    /// The models a key narrows its principal to.
    pub(crate) narrowed: Option<u32>,
}

/// What a caller asks for.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Who asks.
    pub caller: Caller,
    /// The model's name or an alias, as written.
    pub model: &'a str,
    /// The operation.
    pub operation: Operation,
    /// Whether the answer is asked for as a stream.
    pub stream: bool,
    /// The purpose the caller declared.
    pub purpose: Option<&'a str>,
    /// Where the subjects live, as the caller declared it: any place of [`crate::rules::geo`], in either case, under every law
    /// that may hold there. They add to what is known and never take away; one that the table does not know may be anywhere.
    pub declared_jurisdictions: &'a [Name],
    /// Data classes the caller declared; they add to what is found.
    pub declared_classes: &'a [String],
    /// Tools that the vendor runs by itself and that reach outside (web search, code, MCP).
    pub egress_tools: &'a [String],
    /// Fields outside the published schema of the operation ([`crate::vocabulary::is_published`]), by name; as many as a
    /// reason is to name.
    pub unknown_fields: &'a [String],
    /// How a picture is asked for, where one is; `None`: it does not matter how.
    pub picture: Option<Picture>,
    /// The instant of the decision.
    pub instant: Instant,
    /// The public id of the key that was presented, for limits that count keys apart.
    pub key: Option<&'a str>,
}

/// What inspection found in the content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The entities, one bit each ([`Entity::bit`]).
    pub entities: u32,
    /// The word lists of the snapshot's detectors of which a word was found, ascending.
    pub word_lists: Vec<u32>,
}

/// What inspection found on both ways.
#[derive(Debug, Clone, Copy)]
pub struct Findings<'a> {
    /// In what the caller sent.
    pub sent: &'a Found,
    /// In what was answered so far.
    pub answered: &'a Found,
}

impl Request<'_> {
    /// What it may be billed for beside tokens, one of each kind: whether it is priced does not hang on how many.
    pub(crate) fn units(&self) -> Units {
        use Operation::{EditImage, Image, Speech, Transcribe, Translate};
        let picture = self.picture.filter(|_| matches!(self.operation, Image | EditImage));
        Units {
            requests: 1,
            pictures: u64::from(picture.is_some()),
            picture: picture.unwrap_or_default(),
            audio_millis: u64::from(matches!(self.operation, Transcribe | Translate)),
            characters: u64::from(self.operation == Speech),
        }
    }
}

impl Found {
    /// Whether an entity was found.
    pub fn has(&self, entity: Entity) -> bool {
        self.entities & entity.bit() != 0
    }

    /// Notes a finding; true if it was new.
    pub fn note_entity(&mut self, entity: Entity) -> bool {
        let new = !self.has(entity);
        self.entities |= entity.bit();
        new
    }

    /// Notes a word of a list; true if the list was new.
    pub fn note_words(&mut self, list: u32) -> bool {
        match self.word_lists.binary_search(&list) {
            Ok(_) => false,
            Err(at) => {
                self.word_lists.insert(at, list);
                true
            }
        }
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.entities == 0 && self.word_lists.is_empty()
    }
}
