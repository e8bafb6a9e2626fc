//! Legal holds: what they cover, and whether something is held.
//!
//! Law: what can't be read is held, for nothing that is held may go. Absent on purpose: what would go (`subjects`, `retention`), and who
//! may place and release one (`api::admin`).

use std::collections::BTreeSet;

use prost::Message as _;
use proto::admin::{AuditEvent, Hold};

use crate::store::{HoldRow, Store, StoreError};

/// What somebody wants to remove.
#[derive(Debug, Clone, Copy, Default)]
pub struct Held<'a> {
    /// Whose it is, by pseudonym; empty: nobody's in particular.
    pub subject: &'a str,
    /// The tenants it is of.
    pub tenants: &'a [String],
}

/// What every hold that stands is over; the default is that none does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// Their ids, in their order.
    pub names: Vec<String>,
    /// One is over everything.
    pub everything: bool,
    /// Tenants, by id.
    pub tenants: BTreeSet<String>,
    /// People, by pseudonym.
    pub subjects: BTreeSet<String>,
}

/// What one hold is over.
enum Over {
    Everything,
    Tenant(String),
    Subject(String),
}

/// The ids of the holds over something, in their order.
pub async fn over(store: &Store, wanted: Held<'_>) -> Result<Vec<String>, StoreError> {
    let standing = store.standing_holds().await?;
    standing
        .iter()
        .filter_map(|row| covers(row, wanted).map(|it| it.then(|| row.name.clone())).transpose())
        .collect()
}

fn covers(row: &HoldRow, wanted: Held<'_>) -> Result<bool, StoreError> {
    Ok(match of(&read(row)?) {
        Over::Everything => true,
        Over::Subject(subject) => subject == wanted.subject,
        Over::Tenant(tenant) => wanted.tenants.contains(&tenant),
    })
}

fn of(hold: &Hold) -> Over {
    let spec = hold.spec.clone().unwrap_or_default();
    let subject = spec.subject.strip_prefix("subjects/").unwrap_or_default();
    let tenant = spec.tenant.strip_prefix("tenants/").unwrap_or_default();
    match (subject.is_empty(), tenant.is_empty()) {
        (true, true) => Over::Everything,
        (false, _) => Over::Subject(subject.to_owned()),
        (true, false) => Over::Tenant(tenant.to_owned()),
    }
}

/// A hold as it was stored.
pub(crate) fn read(row: &HoldRow) -> Result<Hold, StoreError> {
    Hold::decode(row.body.as_slice())
        .map_err(|_| StoreError::Corrupt(format!("the hold `{}`, which can't be read", row.name)))
}

impl Standing {
    /// Those of a store.
    pub async fn read(store: &Store) -> Result<Self, StoreError> {
        let mut standing = Self::default();
        for row in store.standing_holds().await? {
            match read(&row).map_or(Over::Everything, |hold| of(&hold)) {
                Over::Everything => standing.everything = true,
                Over::Tenant(tenant) => drop(standing.tenants.insert(tenant)),
                Over::Subject(subject) => drop(standing.subjects.insert(subject)),
            }
            standing.names.push(row.name);
        }
        Ok(standing)
    }

    /// Whether there is none.
    pub fn is_none(&self) -> bool {
        self.names.is_empty() && !self.everything
    }

    /// Whether one is over an event of the audit log: over everything, over a tenant that it names, or over somebody who is in it.
    pub(crate) fn covers(&self, event: &AuditEvent, body: &[u8]) -> bool {
        let changed = event.changes.iter().map(|change| &change.name);
        let named = [&event.actor, &event.resource].into_iter().chain(changed).chain(&event.approvals);
        let asked = event.export.iter().map(|export| &export.filter);
        let mut texts = named.chain(asked);
        // What is sealed for somebody names it by the digits of its pseudonym alone.
        let digits = |subject: &str| subject.rsplit('~').next().unwrap_or_default().to_owned();
        self.everything
            || self.subjects.iter().any(|it| memchr::memmem::find(body, digits(it).as_bytes()).is_some())
            || (!self.tenants.is_empty() && texts.any(|text| self.names_tenant(text)))
    }

    /// Whether a text names a tenant that is held.
    fn names_tenant(&self, text: &str) -> bool {
        let places = memchr::memmem::find_iter(text.as_bytes(), b"tenants/");
        let mut ids = places.filter_map(|at| text.get(at + "tenants/".len()..));
        let is_end = |c: char| matches!(c, '/' | '&' | ' ' | ':');
        ids.any(|rest| rest.split(is_end).next().is_some_and(|id| self.tenants.contains(id)))
    }
}

#[cfg(test)]
mod tests {
    use proto::admin::{AuditedChange, AuditedExport};

    use super::*;

    #[test]
    fn an_event_is_held_with_whom_and_what_it_names() {
        let of = |tenants: &[&str], subjects: &[&str]| Standing {
            names: vec!["case-7".into()],
            everything: false,
            tenants: tenants.iter().map(|&it| it.into()).collect(),
            subjects: subjects.iter().map(|&it| it.into()).collect(),
        };
        let change = AuditedChange { name: "tenants/acme/teams/a".into(), ..Default::default() };
        let by_filter =
            AuditedExport { filter: "resource=tenants/acme&prove=true".into(), ..Default::default() };
        let person = "p~0123456789abcdef01234567";
        for (event, of_acme, of_person) in [
            (AuditEvent { resource: "tenants/acme".into(), ..Default::default() }, true, false),
            (AuditEvent { resource: "tenants/acme2/teams/a".into(), ..Default::default() }, false, false),
            (AuditEvent { changes: vec![change], ..Default::default() }, true, false),
            (AuditEvent { export: Some(by_filter), ..Default::default() }, true, false),
            (
                AuditEvent { actor: format!("tenants/rival/principals/{person}"), ..Default::default() },
                false,
                true,
            ),
            (
                AuditEvent { address: "s~0123456789abcdef01234567~aGk".into(), ..Default::default() },
                false,
                true,
            ),
            (AuditEvent { reason: "tenants/acme".into(), ..Default::default() }, false, false),
        ] {
            let body = event.encode_to_vec();
            assert_eq!(of(&["acme"], &[]).covers(&event, &body), of_acme, "{event:?}");
            assert_eq!(of(&[], &[person]).covers(&event, &body), of_person, "{event:?}");
            assert!(Standing { everything: true, ..Standing::default() }.covers(&event, &body));
            assert!(!Standing::default().covers(&event, &body));
        }
    }
}
