//! What can go wrong on the way into the store, and how a caller is told.
//!
//! Law: what policy or validation refuses is the caller's to read, field by field; what broke is the operator's, and the
//! caller learns only that it did.

use policy_engine::compile::Fault;
use policy_engine::vocabulary::{Id, Kind};
use proto::code::ErrorCode;
use proto::name;
use proto::status::{Refusal, WrongField};

use crate::seal::SealError;
use crate::store::StoreError;

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// What was asked for is not right in itself or does not fit what is there.
    #[error("{}", lines(.0))]
    Faults(Vec<Fault>),
    /// It may not be done, or not like this.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Sealing failed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// A task of ours ended before its time.
    #[error("the publication was broken off")]
    Broken,
}

impl ChangeError {
    /// What the caller is told about a change of this resource.
    pub fn told(self, kind: Kind, id: &Id) -> Refusal {
        match self {
            Self::Faults(faults) => told_faults(&faults, kind, id),
            other => other.into(),
        }
    }
}

impl From<ChangeError> for Refusal {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Refused(refusal) => refusal,
            ChangeError::Faults(faults) => {
                let fields = faults.iter().map(|f| wrong(f, true)).collect();
                Self { fields, ..Self::new(ErrorCode::InvalidRequest, lines(&faults)) }
            }
            ChangeError::Store(error @ StoreError::Sql(_)) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the store failed");
                Self::new(
                    ErrorCode::StoreUnavailable,
                    "the store can't be used at present: nothing was changed",
                )
            }
            other => {
                tracing::error!(error = &other as &dyn std::error::Error, "a change failed");
                Self::new(ErrorCode::Internal, "the change could not be made")
            }
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        ChangeError::from(error).into()
    }
}

/// Faults of the resource itself are the request's; faults of others mean that they stand in the way.
fn told_faults(faults: &[Fault], kind: Kind, id: &Id) -> Refusal {
    let own = |f: &Fault| f.kind == kind && f.id == *id;
    let code = if faults.iter().any(own) { ErrorCode::InvalidRequest } else { ErrorCode::FailedPrecondition };
    let fields = faults.iter().map(|f| wrong(f, !own(f))).collect();
    Refusal { fields, ..Refusal::new(code, lines(faults)) }
}

fn wrong(fault: &Fault, with_name: bool) -> WrongField {
    let field = match (with_name, fault.field.is_empty()) {
        (true, true) => name::format(fault.kind, &fault.id),
        (true, false) => format!("{}:{}", name::format(fault.kind, &fault.id), fault.field),
        (false, _) => fault.field.clone(),
    };
    WrongField { field, message: fault.message.clone() }
}

fn lines(faults: &[Fault]) -> String {
    let line = |f: &Fault| format!("{}: {} {}", name::format(f.kind, &f.id), f.field, f.message);
    let shown: Vec<String> = faults.iter().take(20).map(line).collect();
    let more = faults.len().saturating_sub(shown.len());
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    format!("{}{more}", shown.join("; "))
}
