//! A decision that was written down, decided again: by names, since positions mean nothing in another snapshot.
//!
//! Law: by the same facts and the same engine the same is decided, for what a request depends on is in what was written down.
//! Absent on purpose: content. What was found in it is taken for given, and a detector that was not asked then finds nothing now.

use crate::decide::{decide, entitle};
use crate::decision::{Decision, Denial, Permit, RuleIx};
use crate::facts::Picture;
use crate::reason::Reason;
use crate::request::{Caller, Found, Request};
use crate::snapshot::CompiledSnapshot;
use crate::vocabulary::{Entity, Id, Instant, Name, Operation};

/// What a decision depended on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The tenant.
    pub tenant: Name,
    /// The team the key acts in.
    pub team: Name,
    /// The principal.
    pub principal: Name,
    /// The key's public id.
    pub key: String,
    /// The model's name or an alias, as written.
    pub model: String,
    /// The operation.
    pub operation: Operation,
    /// Whether the answer was asked for as a stream.
    pub stream: bool,
    /// The purpose the caller declared.
    pub purpose: Option<String>,
    /// Where the subjects live, as the caller declared it.
    pub declared_jurisdictions: Vec<Name>,
    /// Data classes the caller declared.
    pub declared_classes: Vec<String>,
    /// Tools that the vendor runs by itself and that reach outside.
    pub egress_tools: Vec<String>,
    /// How many fields were outside the published schema; their names are the caller's, and are not kept.
    pub unknown_fields: usize,
    /// How a picture was asked for, where one was.
    pub picture: Option<Picture>,
    /// The instant of the decision.
    pub instant: Instant,
    /// The entities that were found.
    pub entities: Vec<Entity>,
    /// The word lists of which a word was found, as [`WordList`](crate::snapshot::WordList) spells itself.
    pub word_lists: Vec<String>,
}

/// What is decided, by names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Judged {
    /// Whether it may go ahead.
    pub allowed: bool,
    /// Codes of the reasons of a denial, most telling first, each once.
    pub reasons: Vec<String>,
    /// Rules that matched and acted.
    pub matched: Vec<Id>,
    /// Rules in shadow mode that would have denied.
    pub shadow_denials: Vec<Id>,
    /// Where it may go, in the order of the route's groups.
    pub candidates: Vec<Id>,
}

/// Decides again what was decided then; `None` where the snapshot does not know the caller, or knows the key as another's. A key that it
/// does not know narrows nothing.
pub fn replay(recorded: &Recorded, snapshot: &CompiledSnapshot) -> Option<Judged> {
    let caller = caller(recorded, snapshot)?;
    let unknown_fields = vec!["?".to_owned(); recorded.unknown_fields];
    let request = Request {
        caller,
        model: &recorded.model,
        operation: recorded.operation,
        stream: recorded.stream,
        purpose: recorded.purpose.as_deref(),
        declared_jurisdictions: &recorded.declared_jurisdictions,
        declared_classes: &recorded.declared_classes,
        egress_tools: &recorded.egress_tools,
        unknown_fields: &unknown_fields,
        picture: recorded.picture,
        instant: recorded.instant,
        key: Some(&recorded.key),
    };
    let found = found(recorded, caller, snapshot);
    let decision = match entitle(&request, snapshot) {
        Ok(entitled) => decide(&request, &entitled, &found, snapshot),
        Err(denial) => Decision::Deny(denial),
    };
    Some(Judged::of(&decision, snapshot))
}

fn caller(recorded: &Recorded, snapshot: &CompiledSnapshot) -> Option<Caller> {
    let Recorded { tenant, team, principal, .. } = recorded;
    let Some(key) = snapshot.key(&recorded.key) else { return snapshot.find_caller(tenant, team, principal) };
    let caller = key.caller();
    let identity = snapshot.identity(caller)?;
    let names = (&identity.tenant.name, &identity.team.name, &identity.principal.name);
    (names == (tenant, team, principal)).then_some(caller)
}

fn found(recorded: &Recorded, caller: Caller, snapshot: &CompiledSnapshot) -> Found {
    let mut found = Found::default();
    for entity in &recorded.entities {
        found.note_entity(*entity);
    }
    let lists = snapshot.content(caller).map_or(&[][..], |view| &view.word_lists);
    for (list, at) in lists.iter().zip(0..) {
        if recorded.word_lists.contains(&list.to_string()) {
            found.note_words(at);
        }
    }
    found
}

impl Judged {
    /// A decision by the names that its snapshot has for what it speaks of.
    pub fn of(decision: &Decision, snapshot: &CompiledSnapshot) -> Self {
        match decision {
            Decision::Allow(permit) => Self::allowed(permit, snapshot),
            Decision::Deny(denial) => Self::denied(denial, snapshot),
        }
    }

    /// The same of a permit.
    pub fn allowed(permit: &Permit, snapshot: &CompiledSnapshot) -> Self {
        let places = permit.candidates.iter().filter_map(|candidate| snapshot.endpoint(candidate.endpoint));
        Self {
            allowed: true,
            reasons: Vec::new(),
            matched: rules(&permit.matched, snapshot),
            shadow_denials: rules(&permit.shadow_denials, snapshot),
            candidates: places.map(|row| row.id.clone()).collect(),
        }
    }

    /// The same of a denial.
    pub fn denied(denial: &Denial, snapshot: &CompiledSnapshot) -> Self {
        let reasons = Reason::codes(&denial.reasons);
        Self { reasons, matched: rules(&denial.matched, snapshot), ..Self::default() }
    }
}

fn rules(rules: &[RuleIx], snapshot: &CompiledSnapshot) -> Vec<Id> {
    rules.iter().filter_map(|ix| snapshot.rule(*ix)).map(|row| row.id.clone()).collect()
}
