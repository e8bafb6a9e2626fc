//! What can go wrong with a verb, and the exit code it ends with.

use std::path::PathBuf;
use std::process::ExitCode;

use control_plane::ca::CaError;
use thiserror::Error;

use crate::client::ClientError;
use crate::output;

/// Why a verb is not done.
#[derive(Debug, Error)]
pub(super) enum Failure {
    /// The control plane has not done it.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The input has faults, which were told, each by itself.
    #[error("nothing was {done}: {count} {}", if *.count == 1 { "fault" } else { "faults" })]
    Faults {
        /// What was not done.
        done: &'static str,
        /// How many.
        count: usize,
    },
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
    /// It is done, but not every node follows yet.
    #[error("revision {revision} is published, but not known to be enforced by {}", nodes(.due))]
    NotEnforced {
        /// The revision.
        revision: i64,
        /// The connected nodes that do not follow, by name; none: no node is connected.
        due: Vec<String>,
    },
    /// What is switched off was told, but not every node is known to hold it yet.
    #[error("it is done, and enforced by {held} connected; not known to be by {}", nodes(.due))]
    NotHeld {
        /// How many do.
        held: usize,
        /// The connected nodes that do not yet, by name; none: no node is connected.
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
}

impl Failure {
    /// What is told, a line each.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("error: {}", output::chain(self))];
        if let Self::Client(ClientError::Refused(refused)) = self {
            let told = refused.fields.iter().map(|(field, message)| match field.as_str() {
                "" => message.clone(),
                field => format!("{field}: {message}"),
            });
            // The one line of a refusal for one field is that field's.
            lines.extend(told.filter(|line| *line != refused.message).map(|line| format!("  {line}")));
            if refused.status >= 500 {
                lines.extend(refused.request_id.iter().map(|id| format!("  request id: {id}")));
            }
        }
        lines
    }

    /// The exit code; the table is in the documentation of the verbs.
    pub(super) fn code(&self) -> ExitCode {
        ExitCode::from(self.number())
    }

    fn number(&self) -> u8 {
        match self {
            Self::Faults { .. }
            | Self::Nothing(_)
            | Self::Exists(_)
            | Self::File { .. }
            | Self::NotEnforced { .. }
            | Self::NotHeld { .. }
            | Self::NodeRefused { .. }
            | Self::OnItsWay(_)
            | Self::TakenBack { .. }
            | Self::Authority(_) => 1,
            Self::Input(_) => 2,
            Self::Client(ClientError::Refused(refused)) => match refused.status {
                401 | 403 => 4,
                500.. => 3,
                _ => 1,
            },
            Self::Client(_) | Self::Answer(_) => 3,
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

    fn refused(status: u16) -> Failure {
        let fields = vec![("spec.x".to_owned(), "is missing".to_owned())];
        let (code, message) = ("invalid_request".to_owned(), "no".to_owned());
        Failure::Client(Refused { status, code, message, fields, request_id: Some("r-1".to_owned()) }.into())
    }

    fn the_refused(failure: Failure) -> Refused {
        let Failure::Client(ClientError::Refused(refused)) = failure else { panic!("{failure}") };
        refused
    }

    #[test]
    fn the_exit_code_tells_what_to_look_at() {
        let stranger = ClientError::Stranger { url: "http://a/".into(), status: 200 };
        for (failure, code) in [
            (Failure::Faults { done: "applied", count: 2 }, 1),
            (Failure::Nothing(Vec::new()), 1),
            (Failure::NodeRefused { revision: 7, refusals: vec!["eu-1: VALIDATION".into()] }, 1),
            (refused(400), 1),
            (refused(404), 1),
            (refused(409), 1),
            (Failure::Input("no".into()), 2),
            (Failure::Client(ClientError::Environment("X")), 3),
            (Failure::Client(stranger), 3),
            (refused(503), 3),
            (Failure::Answer(serde_json::from_str::<()>("{}").unwrap_err()), 3),
            (refused(401), 4),
            (refused(403), 4),
        ] {
            assert_eq!(failure.number(), code, "{failure}");
        }
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
        assert_eq!(refused(400).lines(), ["error: no (invalid_request)", "  spec.x: is missing"]);
        let one = Refused { message: "spec.x: is missing".to_owned(), ..the_refused(refused(400)) };
        assert_eq!(Failure::Client(one.into()).lines(), ["error: spec.x: is missing (invalid_request)"]);
        assert_eq!(refused(500).lines().last().unwrap(), "  request id: r-1");
    }
}
