//! Legal holds: what they cover, and whether something is held.
//!
//! Law: what can't be read is held, for nothing that is held may go. Absent on purpose: what would go (`subjects`), and who may place and
//! release one (`api::admin`).

use prost::Message as _;
use proto::admin::Hold;

use crate::store::{HoldRow, Store, StoreError};

/// What somebody wants to remove.
#[derive(Debug, Clone, Copy, Default)]
pub struct Held<'a> {
    /// Whose it is, by pseudonym; empty: nobody's in particular.
    pub subject: &'a str,
    /// The tenants it is of.
    pub tenants: &'a [String],
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
    let spec = read(row)?.spec.unwrap_or_default();
    let subject = spec.subject.strip_prefix("subjects/").unwrap_or_default();
    let tenant = spec.tenant.strip_prefix("tenants/").unwrap_or_default();
    Ok(match (subject.is_empty(), tenant.is_empty()) {
        (true, true) => true,
        (false, _) => subject == wanted.subject,
        (true, false) => wanted.tenants.iter().any(|known| known == tenant),
    })
}

/// A hold as it was stored.
pub(crate) fn read(row: &HoldRow) -> Result<Hold, StoreError> {
    Hold::decode(row.body.as_slice())
        .map_err(|_| StoreError::Corrupt(format!("the hold `{}`, which can't be read", row.name)))
}
