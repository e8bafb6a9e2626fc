//! What can go wrong on the way into the store, and how a caller is told.
//!
//! Law: what policy or validation refuses is the caller's to read, field by field; what broke is the operator's, and the
//! caller learns only that it did.

use policy_engine::compile::Fault;
use policy_engine::vocabulary::{Id, Kind, Name};
use proto::code::ErrorCode;
use proto::name;
use proto::status::{Refusal, WrongField};

use crate::govern::keys::PREFIX;
use crate::seal::SealError;
use crate::store::StoreError;
use crate::subjects::SubjectError;

/// Bytes of the line of a refusal, and of its fields. Over gRPC both are headers, of which common clients take 8 KiB in all,
/// and base64 makes four of three.
const MAX_LINE: usize = 1024;
const MAX_FIELDS: usize = 3072;

/// The code of a fault that says who uses something.
pub(crate) const IN_USE: &str = "in_use";

/// Letters and digits in a row from which on an id is rather a credential than a name.
const CREDENTIAL: usize = 40;

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
    /// Who is who can't be kept.
    #[error(transparent)]
    Subjects(#[from] SubjectError),
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

    /// What the caller is told about a key that was to be made: it got no name, so only its fields are named.
    pub fn told_of_new_key(self, tenant: &Name) -> Refusal {
        match self {
            Self::Faults(faults) if faults.iter().all(|fault| fault.kind == Kind::Key) => {
                let all = || faults.iter().map(|fault| of_new_key(fault, tenant));
                let fields =
                    fitting(all(), MAX_FIELDS, |wrong| wrong.field.len().saturating_add(wrong.message.len()));
                let line = joined(all().map(|wrong| format!("{}: {}", wrong.field, wrong.message)));
                Refusal { fields, ..Refusal::new(ErrorCode::InvalidRequest, line) }
            }
            other => other.into(),
        }
    }
}

/// A fault of a key that got no name, as a fault of the request.
fn of_new_key(fault: &Fault, tenant: &Name) -> WrongField {
    let field = match fault.field.strip_prefix("metadata.") {
        Some(field) => format!("key.{field}"),
        None => format!("key.spec.{}", fault.field.strip_prefix("spec.").unwrap_or(&fault.field)),
    };
    let message = match &fault.target {
        Some((Kind::Tenant, name)) => format!("there is no Tenant `{name}`"),
        Some((kind, name)) => format!("there is no {kind} `{name}` in tenant `{tenant}`"),
        None => fault.message.clone(),
    };
    WrongField { field, message }
}

impl From<ChangeError> for Refusal {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Refused(refusal) => refusal,
            ChangeError::Faults(faults) => {
                let fields = wrong(&faults, |_| true);
                Self { fields, ..Self::new(ErrorCode::InvalidRequest, lines(&faults)) }
            }
            ChangeError::Store(error @ StoreError::Sql(_))
            | ChangeError::Subjects(SubjectError::Store(error @ StoreError::Sql(_))) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the store failed");
                Self::new(
                    ErrorCode::StoreUnavailable,
                    "the store can't be used at present: nothing was changed",
                )
            }
            ChangeError::Store(StoreError::Decided) => {
                Self::new(ErrorCode::FailedPrecondition, "somebody else decided it in the meantime")
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

/// Faults of the resource itself are the request's; faults of others, and uses by others, mean that they stand in the way.
fn told_faults(faults: &[Fault], kind: Kind, id: &Id) -> Refusal {
    let own = |f: &Fault| f.kind == kind && f.id == *id && f.code != IN_USE;
    let code = if faults.iter().any(own) { ErrorCode::InvalidRequest } else { ErrorCode::FailedPrecondition };
    let fields = wrong(faults, |f| !own(f));
    Refusal { fields, ..Refusal::new(code, lines(faults)) }
}

/// As many of the faults as there is room for, the first in any case.
fn wrong(faults: &[Fault], with_name: impl Fn(&Fault) -> bool) -> Vec<WrongField> {
    let field = |fault: &Fault| match (with_name(fault), fault.field.is_empty()) {
        (true, true) => unspoken(&name::format(fault.kind, &fault.id)),
        (true, false) => format!("{}:{}", unspoken(&name::format(fault.kind, &fault.id)), fault.field),
        (false, _) => fault.field.clone(),
    };
    let all = faults.iter().map(|fault| WrongField { field: field(fault), message: fault.message.clone() });
    fitting(all, MAX_FIELDS, |wrong| wrong.field.len().saturating_add(wrong.message.len()))
}

fn fitting<T>(all: impl Iterator<Item = T>, room: usize, size: impl Fn(&T) -> usize) -> Vec<T> {
    let mut taken = 0_usize;
    let fits = |(at, one): &(usize, T)| {
        taken = taken.saturating_add(size(one));
        *at == 0 || taken <= room
    };
    all.enumerate().take_while(fits).map(|(_, one)| one).collect()
}

fn lines(faults: &[Fault]) -> String {
    let line = |f: &Fault| match (unspoken(&name::format(f.kind, &f.id)), f.field.as_str()) {
        (name, "") => format!("{name} {}", f.message),
        (name, field) => format!("{name}: {field} {}", f.message),
    };
    joined(faults.iter().map(line))
}

/// As many of the lines as there is room for, and how many more there are.
fn joined(lines: impl ExactSizeIterator<Item = String>) -> String {
    let all = lines.len();
    let shown = fitting(lines, MAX_LINE, String::len);
    let more = all.saturating_sub(shown.len());
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    format!("{}{more}", shown.join("; "))
}

/// A resource's name as a refusal may repeat it: a credential that was taken for an id is left out, wherever it stands.
pub(crate) fn unspoken(name: &str) -> String {
    let part = |part: &str| {
        let long = part.split(|c: char| !c.is_ascii_alphanumeric()).any(|run| run.len() >= CREDENTIAL);
        if long || part.starts_with(PREFIX) { "...".to_owned() } else { part.to_owned() }
    };
    name.split('/').map(part).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_repeated_unless_it_may_be_a_credential() {
        let person = "principals/somebody.with.a.long.name@department.of.something.example.org";
        for (name, told) in [
            ("tenants/acme/teams/research", "tenants/acme/teams/research"),
            (person, person),
            ("keys/chy_abc_def", "keys/..."),
            ("tenants/chy_abc_def/teams/research", "tenants/.../teams/research"),
            ("keys/sk-0123456789abcdef0123456789abcdef0123456789", "keys/..."),
        ] {
            assert_eq!(unspoken(name), told);
        }
    }

    #[test]
    fn a_refusal_fits_into_the_headers_of_grpc_however_much_is_wrong() {
        let id = Id::of("acme".parse().unwrap(), "x".repeat(128).parse().unwrap());
        let fault = |n: usize| Fault {
            kind: Kind::Team,
            id: id.clone(),
            field: format!("spec.geos[{n}]"),
            code: "invalid",
            message: "`a/b` is not a name".to_owned(),
            target: None,
        };
        let refusal = ChangeError::Faults((0..10_000).map(fault).collect()).told(Kind::Team, &id);
        assert!(refusal.fields.len() > 50 && refusal.message.contains("; and 99"), "{}", refusal.message);
        let mut headers = http::HeaderMap::new();
        tonic::Status::from(refusal).add_header(&mut headers).unwrap();
        let size: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum();
        assert!(size < 8192, "{size}");
        let one = Fault { message: "y".repeat(4000), ..fault(0) };
        let refusal = Refusal::from(ChangeError::Faults(vec![one]));
        assert_eq!((refusal.fields.len(), refusal.message.contains("more")), (1, false));
    }
}
