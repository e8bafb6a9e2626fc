//! What the documents that convert mean, judged though others do not convert: every fault that is there whatever the others
//! will turn out to be.
//!
//! Law: no fault is told that may only be there because a document is missing. What a document was before stands for one that
//! does not convert. Absent on purpose: faults of what no document declares, and of several resources together.

use std::collections::BTreeSet;

use policy_engine::compile::{Fault, compile};
use policy_engine::snapshot::Header;
use policy_engine::vocabulary::{Id, Kind, Name};

use super::document::Document;
use crate::govern::{self, Gate, Raw};
use crate::publish::Published;

/// Codes of faults that another resource may be the cause of, beside what is not there at all.
const TOGETHER: [&str; 3] = ["currency", "duplicate", "conflict"];

/// What else there is, or will be.
#[derive(Debug, Default)]
struct Declared<'d> {
    /// Documents that convert.
    whole: BTreeSet<(Kind, &'d Id)>,
    /// The names of those that do not; of their tenants nothing is sure.
    broken: BTreeSet<(Kind, &'d Name)>,
    /// There are some whose names are not known.
    nameless: bool,
}

/// The faults of meaning of the documents that convert; none where all do, for then all are judged together.
pub(super) fn faults(
    (published, gate): (&Published, &Gate),
    documents: &[Document],
    nameless: bool,
) -> Vec<Fault> {
    let mut facts = published.facts.as_ref().clone();
    let mut declared = Declared { nameless, ..Declared::default() };
    for document in documents {
        let Document { kind, id, .. } = document;
        if document.is_bound() && govern::learn_encoded(raw(published, document), gate, &mut facts).is_ok() {
            declared.whole.insert((*kind, id));
        } else {
            declared.broken.insert((*kind, &id.name));
        }
    }
    if declared.broken.is_empty() && !nameless {
        return Vec::new();
    }
    let found = compile(&facts, Header { revision: 0, geo: None }).err().unwrap_or_default();
    found.into_iter().filter(|fault| declared.proves(fault, published)).collect()
}

/// A document as its noun reads it.
pub(super) fn raw<'a>(published: &'a Published, document: &'a Document) -> Raw<'a> {
    Raw {
        kind: document.kind,
        id: &document.id,
        encoded: &document.encoded,
        before: document.stored(&published.registry),
    }
}

impl Declared<'_> {
    /// Whether a fault stays, whatever becomes of what does not convert.
    fn proves(&self, fault: &Fault, published: &Published) -> bool {
        if !self.whole.contains(&(fault.kind, &fault.id)) || TOGETHER.contains(&fault.code) {
            return false;
        }
        let Some((kind, name)) = &fault.target else {
            return fault.code != "unknown_reference" || !self.nameless;
        };
        // What is there, and still not found, has itself a fault that is told.
        let there = [fault.id.tenant.clone(), None].into_iter().any(|tenant| {
            let id = Id { tenant, name: name.clone() };
            self.whole.contains(&(*kind, &id)) || published.registry.get(*kind, &id).is_some()
        });
        !there && !self.nameless && !self.broken.contains(&(*kind, name))
    }
}
