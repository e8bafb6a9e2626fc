//! How a verb ends: the one table of exit codes, and which of them each refusal of the control plane is.
//!
//! Law: a gRPC status is an exit code here and nowhere else, whether the control plane said it or the verb found it by itself.

use std::fmt;

use proto::export::Kind;

/// The kinds of endings a script can tell apart; the number is the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Whatever is none of the others.
    Other = 1,
    /// The command line is wrong.
    Usage = 2,
    /// Nobody there to ask.
    Unavailable = 3,
    /// The caller may not.
    NotPermitted = 4,
    /// There is no such thing.
    NotFound = 5,
    /// It does not go with what is there.
    Conflict = 6,
    /// What was declared or sent is wrong.
    Invalid = 7,
    /// It was done, and undone by itself.
    TakenBack = 8,
    /// It is done, and not known to be so at every node by now.
    NotYet = 9,
    /// What was verified was changed.
    Altered = 10,
    /// Something is missing of it.
    Gap = 11,
    /// Its end is missing.
    Truncated = 12,
    /// It is not signed by whom it names.
    Signature = 13,
    /// Who signed it is not known.
    UnknownKey = 14,
    /// It is of another instance.
    Foreign = 15,
    /// It does not go on from what was kept before.
    Rewritten = 16,
    /// It is nothing that can be verified.
    Unverifiable = 17,
    /// There is nothing in it.
    Empty = 18,
    /// What was decided is decided differently.
    Differs = 19,
    /// It is older than what was kept.
    Older = 20,
}

/// The table: each ending and what it means.
const TABLE: [(Ending, &str); 20] = [
    (Ending::Other, "anything else, such as what is published and refused by a node"),
    (Ending::Usage, "the command line is wrong"),
    (Ending::Unavailable, "the environment is incomplete, or no control plane answers, or it failed"),
    (Ending::NotPermitted, "the control plane does not know the caller, or the caller may not"),
    (Ending::NotFound, "there is no such resource"),
    (
        Ending::Conflict,
        "it does not go with what is there: exists, still used, changed meanwhile, wrong state",
    ),
    (Ending::Invalid, "the input has faults: a file, or a value the control plane does not take"),
    (Ending::TakenBack, "a rollout was taken back: what was before is in force again"),
    (
        Ending::NotYet,
        "it is done, and was not known to be enforced by every node when `--wait` ended: it may be by now",
    ),
    (Ending::Altered, "what was verified was changed, or contradicts itself"),
    (Ending::Gap, "something is missing of what was verified or simulated"),
    (Ending::Truncated, "the end of what was verified is missing"),
    (Ending::Signature, "what was verified is not signed by whom it names"),
    (Ending::UnknownKey, "whoever signed what was verified is vouched for by nobody that is trusted"),
    (Ending::Foreign, "what was verified is of another instance than the keys"),
    (Ending::Rewritten, "what was verified does not go on from the checkpoint that was kept before"),
    (Ending::Unverifiable, "what was to be verified is nothing that this build can verify"),
    (Ending::Empty, "what was to be verified is empty"),
    (Ending::Differs, "what was replayed was decided differently"),
    (
        Ending::Older,
        "what was verified has fewer events than the checkpoint that was kept: it is older, or the log was cut",
    ),
];

/// The table as `--help` shows it.
pub(crate) struct Explained;

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Exit codes of the admin verbs:\n  0  done")?;
        TABLE.iter().try_for_each(|(ending, meaning)| write!(f, "\n {:>2}  {meaning}", ending.number()))
    }
}

impl Ending {
    /// The ending of a refusal with this gRPC status, by its name in JSON; of one that is not known, by its HTTP status.
    pub(crate) fn of(status: &str, http: u16) -> Self {
        match (status, http) {
            ("INVALID_ARGUMENT" | "OUT_OF_RANGE", _) => Self::Invalid,
            ("NOT_FOUND", _) => Self::NotFound,
            ("UNAUTHENTICATED" | "PERMISSION_DENIED", _) => Self::NotPermitted,
            ("ALREADY_EXISTS" | "FAILED_PRECONDITION" | "ABORTED", _) => Self::Conflict,
            ("RESOURCE_EXHAUSTED" | "CANCELLED", _) => Self::Other,
            (_, 500..) => Self::Unavailable,
            _ => Self::Other,
        }
    }

    /// The ending of a verification that found this first.
    pub(crate) const fn found(kind: Kind) -> Self {
        match kind {
            Kind::Invalid => Self::Altered,
            Kind::Gap => Self::Gap,
            Kind::Truncated => Self::Truncated,
            Kind::Signature => Self::Signature,
            Kind::UnknownKey => Self::UnknownKey,
            Kind::Foreign => Self::Foreign,
            Kind::Rewritten => Self::Rewritten,
            Kind::Older => Self::Older,
            Kind::NotAnExport => Self::Unverifiable,
            Kind::Empty => Self::Empty,
        }
    }

    /// The exit code.
    pub(crate) const fn number(self) -> u8 {
        self as u8
    }

    /// What an error body says of it: the HTTP status and the gRPC status.
    pub(crate) const fn told(self) -> (u16, &'static str) {
        match self {
            Self::Other => (500, "UNKNOWN"),
            Self::TakenBack => (409, "ABORTED"),
            Self::NotYet => (504, "DEADLINE_EXCEEDED"),
            Self::Usage | Self::Invalid | Self::Unverifiable | Self::Empty => (400, "INVALID_ARGUMENT"),
            Self::Altered
            | Self::Gap
            | Self::Truncated
            | Self::Signature
            | Self::Rewritten
            | Self::Differs => (500, "DATA_LOSS"),
            Self::Unavailable => (503, "UNAVAILABLE"),
            Self::NotPermitted => (403, "PERMISSION_DENIED"),
            Self::NotFound => (404, "NOT_FOUND"),
            Self::Conflict | Self::UnknownKey | Self::Foreign | Self::Older => (409, "FAILED_PRECONDITION"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grpc_status_is_one_exit_code() {
        for (status, http, number) in [
            ("INVALID_ARGUMENT", 400, 7),
            ("NOT_FOUND", 404, 5),
            ("UNAUTHENTICATED", 401, 4),
            ("PERMISSION_DENIED", 403, 4),
            ("ALREADY_EXISTS", 409, 6),
            ("FAILED_PRECONDITION", 400, 6),
            ("ABORTED", 409, 6),
            ("RESOURCE_EXHAUSTED", 429, 1),
            ("UNAVAILABLE", 503, 3),
            ("DEADLINE_EXCEEDED", 504, 3),
            ("INTERNAL", 500, 3),
            ("", 418, 1),
        ] {
            assert_eq!(Ending::of(status, http).number(), number, "{status}");
        }
    }

    #[test]
    fn what_a_verification_finds_is_an_exit_code_each() {
        let mut codes = Kind::ALL.map(|(kind, _)| Ending::found(kind).number()).to_vec();
        codes.sort_unstable();
        assert_eq!(codes, (10..=18).chain([20]).collect::<Vec<u8>>());
    }

    #[test]
    fn the_page_and_the_help_have_the_same_table() {
        let page = include_str!("../../README.md");
        let help = Explained.to_string();
        for (ending, meaning) in TABLE {
            let row = format!("| {} | {meaning} |", ending.number());
            assert!(page.contains(&row), "{row}");
            assert!(help.contains(meaning), "{meaning}");
        }
    }
}
