//! What can go wrong with a verb, how it is told to people and to programs, and how the verb ends by it.

use std::path::PathBuf;

use control_plane::ca::CaError;
use proto::export::{Kind, WriteError};
use serde_json::json;
use thiserror::Error;

use super::ending::Ending;
use crate::client::ClientError;
use crate::output;

/// Why a verb is not done.
#[derive(Debug, Error)]
pub(super) enum Failure {
    /// The control plane has not done it.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The input has faults.
    #[error("nothing was {done}: {} {}", .faults.len(), if .faults.len() == 1 { "fault" } else { "faults" })]
    Faults {
        /// What was not done.
        done: &'static str,
        /// Each: where it is, and what it is.
        faults: Vec<(String, String)>,
    },
    /// What is asked for would take something from under what is there: each thing in the way.
    #[error("{}", .0.join("; "))]
    InTheWay(Vec<String>),
    /// There is no such thing where it was looked for.
    #[error("{0}")]
    NotThere(String),
    /// The input is empty.
    #[error("nothing declared in {}", shown(.0))]
    Nothing(Vec<PathBuf>),
    /// What was answered is no resource.
    #[error("the answer is not a resource")]
    Answer(#[source] serde_json::Error),
    /// What was asked for makes no sense.
    #[error("{0}")]
    Input(String),
    /// A file would be overwritten.
    #[error("`{}` is there already; --force overwrites it", .0.display())]
    Exists(PathBuf),
    /// A file can't be read.
    #[error("`{}` can't be read", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file can't be written.
    #[error("`{}` can't be written", .path.display())]
    Unwritten {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The log can't be exported.
    #[error(transparent)]
    Export(#[from] WriteError),
    /// What was verified is not what it should be.
    #[error("`{}`: {told}", .path.display())]
    Unverified {
        /// Which file.
        path: PathBuf,
        /// What was found first.
        kind: Kind,
        /// The same, for people.
        told: String,
    },
    /// It is done, but not every node follows yet.
    #[error("revision {revision} is published, but not known to be enforced by {}", nodes(.due))]
    NotEnforced {
        /// The revision.
        revision: i64,
        /// The nodes that are there, or were a moment ago, and do not follow, by name; none: no node is connected.
        due: Vec<String>,
    },
    /// What is switched off was told, but not every node is known to hold it yet.
    #[error("it is done, and enforced by {held} connected; not known to be by {}", nodes(.due))]
    NotHeld {
        /// How many do.
        held: usize,
        /// The nodes that are there, or were a moment ago, and do not yet, by name; none: no node is connected.
        due: Vec<String>,
    },
    /// It is done, and a node will not follow.
    #[error("revision {revision} is published, but refused by {}", .refusals.join("; "))]
    NodeRefused {
        /// The revision.
        revision: i64,
        /// Each node that refused, and what it said.
        refusals: Vec<String>,
    },
    /// It is on its way to the nodes still.
    #[error("`{0}` is not over yet: chancery rollouts show {0}")]
    OnItsWay(String),
    /// It was on its way to the nodes, and was taken back.
    #[error("`{name}` was taken back: {reason}")]
    TakenBack {
        /// The rollout.
        name: String,
        /// Why.
        reason: String,
    },
    /// A certificate can't be issued.
    #[error(transparent)]
    Authority(#[from] CaError),
    /// What was replayed is decided differently.
    #[error("{different} of {of} decisions are not decided again as they were")]
    Differs {
        /// How many.
        different: u64,
        /// Of how many.
        of: u64,
    },
    /// Not all records of these geos were read; what was read is told.
    #[error("not everything was read: {}", .0.iter().map(|(geo, why)| format!("geo {geo}: {why}")).collect::<Vec<_>>().join("; "))]
    Unread(Vec<(String, String)>),
    /// What was verified is not whole.
    #[error("{}: {faults} faults, {gaps} gaps", .kind.as_str())]
    Unproved {
        /// The worst of it.
        kind: Kind,
        /// What was changed, or is not vouched for.
        faults: usize,
        /// What is missing.
        gaps: usize,
    },
}

impl Failure {
    /// What is told, a line each.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Self::Faults { faults, .. } = self {
            lines.extend(faults.iter().map(|(at, message)| format!("{at}: {message}")));
        }
        lines.push(format!("error: {}", output::chain(self)));
        if let Self::Client(ClientError::Refused(refused)) = self {
            // The one line of a refusal for one field is that field's, and that for another resource begins with its name.
            let fields = refused.fields.iter().filter(|(field, message)| {
                let said = [message.clone(), format!("{field}: {message}"), format!("{field} {message}")];
                !said.contains(&refused.message)
            });
            lines.extend(fields.map(|(field, message)| match field.as_str() {
                "" => format!("  {message}"),
                field => format!("  {field}: {message}"),
            }));
            if refused.status >= 500 {
                lines.extend(refused.request_id.iter().map(|id| format!("  request id: {id}")));
            }
        }
        lines
    }

    /// What is told to a program, on one line: the body that the control plane answered, or one of the same shape.
    pub(super) fn body(&self) -> String {
        if let Self::Client(ClientError::Refused(refused)) = self {
            return refused.body.clone();
        }
        let (code, status) = match self {
            // Nobody was asked, so nobody is unavailable.
            Self::Client(unasked) if unasked.is_of_environment() => (400, "FAILED_PRECONDITION"),
            _ => self.ending().told(),
        };
        let mut details = Vec::new();
        if let Self::Faults { faults, .. } = self {
            let violation = |(at, message): &(String, String)| json!({ "field": at, "description": message });
            let violations: Vec<_> = faults.iter().map(violation).collect();
            details.push(json!({ "@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": violations }));
        }
        let error =
            json!({ "code": code, "status": status, "message": output::chain(self), "details": details });
        json!({ "error": error }).to_string()
    }

    /// How the verb ends.
    pub(super) fn ending(&self) -> Ending {
        match self {
            Self::Faults { .. } | Self::Nothing(_) | Self::File { .. } => Ending::Invalid,
            Self::Exists(_) | Self::InTheWay(_) => Ending::Conflict,
            Self::NotThere(_) => Ending::NotFound,
            Self::Unverified { kind, .. } => Ending::found(*kind),
            Self::Unproved { kind, .. } => Ending::found(*kind),
            Self::Differs { .. } => Ending::Differs,
            Self::Unread(_) => Ending::Gap,
            Self::NotEnforced { .. } | Self::NotHeld { .. } | Self::OnItsWay(_) => Ending::NotYet,
            Self::TakenBack { .. } => Ending::TakenBack,
            Self::NodeRefused { .. } | Self::Unwritten { .. } | Self::Export(_) | Self::Authority(_) => {
                Ending::Other
            }
            Self::Input(_) | Self::Client(ClientError::Header(_)) => Ending::Usage,
            Self::Client(ClientError::Refused(refused)) => Ending::of(&refused.grpc, refused.status),
            Self::Client(_) | Self::Answer(_) => Ending::Unavailable,
        }
    }
}

fn shown(paths: &[PathBuf]) -> String {
    let shown = |path: &PathBuf| match path.as_os_str() == "-" {
        true => "standard input".to_owned(),
        false => format!("`{}`", path.display()),
    };
    paths.iter().map(shown).collect::<Vec<_>>().join(", ")
}

fn nodes(due: &[String]) -> String {
    if due.is_empty() { "any node: none is connected".to_owned() } else { due.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Refused;

    fn refused(status: u16, grpc: &str) -> Failure {
        let fields = vec![("spec.x".to_owned(), "is missing".to_owned())];
        let (code, message, body) = ("invalid_request".to_owned(), "no".to_owned(), "{}".to_owned());
        let (grpc, request_id) = (grpc.to_owned(), Some("r-1".to_owned()));
        Failure::Client(Refused { status, grpc, code, message, fields, request_id, body }.into())
    }

    fn the_refused(failure: Failure) -> Refused {
        let Failure::Client(ClientError::Refused(refused)) = failure else { panic!("{failure}") };
        refused
    }

    #[test]
    fn the_exit_code_tells_what_to_look_at() {
        let stranger = ClientError::Stranger { url: "http://a/".into(), status: 200 };
        let faults = vec![("a.yaml:2".to_owned(), "no".to_owned())];
        for (failure, code) in [
            (Failure::NodeRefused { revision: 7, refusals: vec!["eu-1: VALIDATION".into()] }, 1),
            (Failure::NotEnforced { revision: 7, due: Vec::new() }, 9),
            (Failure::NotHeld { held: 1, due: Vec::new() }, 9),
            (Failure::OnItsWay("rollouts/7".into()), 9),
            (Failure::TakenBack { name: "rollouts/7".into(), reason: "it refuses".into() }, 8),
            (Failure::Input("no".into()), 2),
            (Failure::Client(ClientError::Environment("X")), 3),
            (Failure::Client(stranger), 3),
            (refused(503, "UNAVAILABLE"), 3),
            (Failure::Answer(serde_json::from_str::<()>("{}").unwrap_err()), 3),
            (refused(403, "PERMISSION_DENIED"), 4),
            (refused(404, "NOT_FOUND"), 5),
            (refused(409, "ABORTED"), 6),
            (Failure::Exists("a".into()), 6),
            (Failure::InTheWay(vec!["`models/m` is still used by `roles/r`".into()]), 6),
            (Failure::NotThere("no".into()), 5),
            (refused(400, "INVALID_ARGUMENT"), 7),
            (Failure::Faults { done: "applied", faults }, 7),
            (Failure::Nothing(Vec::new()), 7),
            (Failure::Unwritten { path: "a".into(), source: std::io::Error::other("full") }, 1),
            (Failure::Unverified { path: "a".into(), kind: Kind::Gap, told: "gap".into() }, 11),
        ] {
            assert_eq!(failure.ending().number(), code, "{failure}");
        }
    }

    #[test]
    fn a_program_is_told_what_rest_said_or_the_same_shape() {
        assert_eq!(refused(404, "NOT_FOUND").body(), "{}");
        let faults = vec![("a.yaml:2".to_owned(), "spec.x: no".to_owned())];
        let told = Failure::Faults { done: "applied", faults };
        assert_eq!(told.lines(), ["a.yaml:2: spec.x: no", "error: nothing was applied: 1 fault"]);
        let body: serde_json::Value = serde_json::from_str(&told.body()).unwrap();
        assert_eq!(
            (&body["error"]["code"], &body["error"]["status"]),
            (&json!(400), &json!("INVALID_ARGUMENT"))
        );
        assert_eq!(body["error"]["message"], "nothing was applied: 1 fault");
        let violations = &body["error"]["details"][0]["fieldViolations"];
        assert_eq!(violations, &json!([{"field": "a.yaml:2", "description": "spec.x: no"}]));
        assert!(!Failure::Input("a\nb".into()).body().contains('\n'));
    }

    #[test]
    fn an_environment_that_says_too_little_is_told_as_that() {
        let body = |error: ClientError| -> serde_json::Value {
            serde_json::from_str(&Failure::Client(error).body()).unwrap()
        };
        let unset = body(ClientError::Environment("CHANCERY_ADMIN_TOKEN"));
        let told = (&unset["error"]["code"], &unset["error"]["status"]);
        assert_eq!(told, (&json!(400), &json!("FAILED_PRECONDITION")));
        let nobody = body(ClientError::Unreachable { url: "http://a/".into(), why: "refused".into() });
        assert_eq!(nobody["error"]["code"], json!(503));
    }

    #[test]
    fn a_failure_is_one_line_down_to_its_cause() {
        let source = std::io::Error::other("the disk\nis gone");
        let file = Failure::File { path: "a.yaml".into(), source };
        assert_eq!(file.lines(), ["error: `a.yaml` can't be read: the disk\\nis gone"]);
        let nothing = Failure::Nothing(vec!["-".into(), "dir".into()]);
        assert_eq!(nothing.lines(), ["error: nothing declared in standard input, `dir`"]);
        let nobody = Failure::NotEnforced { revision: 7, due: Vec::new() };
        assert!(nobody.to_string().ends_with("not known to be enforced by any node: none is connected"));
    }

    #[test]
    fn wrong_fields_are_told_each_on_its_line() {
        assert_eq!(
            refused(400, "INVALID_ARGUMENT").lines(),
            ["error: no (invalid_request)", "  spec.x: is missing"]
        );
        let one = Refused {
            message: "spec.x: is missing".to_owned(),
            ..the_refused(refused(400, "INVALID_ARGUMENT"))
        };
        assert_eq!(Failure::Client(one.into()).lines(), ["error: spec.x: is missing (invalid_request)"]);
        let used = Refused {
            message: "roles/r is still used by `tenants/a/grants/g`".to_owned(),
            fields: vec![("roles/r".to_owned(), "is still used by `tenants/a/grants/g`".to_owned())],
            ..the_refused(refused(400, "FAILED_PRECONDITION"))
        };
        assert_eq!(Failure::Client(used.into()).lines().len(), 1);
        assert_eq!(refused(500, "INTERNAL").lines().last().unwrap(), "  request id: r-1");
    }
}
