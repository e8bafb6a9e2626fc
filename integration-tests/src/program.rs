//! Clients that are not ours: programs in Python and Node, with the packages that `requirements.txt` and `package.json` pin.
//!
//! Law: without the interpreter a story fails and says what is missing.

use std::{ffi::OsString, path::Path, process::Stdio, time::Duration};

use anyhow::{Context, Result, ensure};
use tokio::process::{Child, Command};

/// Of an official SDK's own variables, and of what would lead it elsewhere.
const FORGOTTEN: [&str; 6] =
    ["OPENAI_API_KEY", "OPENAI_BASE_URL", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"];

/// What runs a program.
#[derive(Debug, Clone, Copy)]
pub enum Language {
    /// Python, with the packages of `requirements.txt`.
    Python,
    /// Python, with those of `requirements-litellm.txt`.
    LiteLlm,
    /// Node, with those of `tests/node/package.json`.
    Node,
}

impl Language {
    /// The language of a program, by the end of its name.
    fn of(program: &str) -> Self {
        if program.ends_with(".py") { Self::Python } else { Self::Node }
    }

    /// The variable that names the interpreter, and the folder of the programs.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Python => ("CHANCERY_TEST_PYTHON", "tests/python"),
            Self::LiteLlm => ("CHANCERY_TEST_LITELLM", "tests/python"),
            Self::Node => ("CHANCERY_TEST_NODE", "tests/node"),
        }
    }

    fn interpreter(self) -> Result<OsString> {
        let (name, _) = self.words();
        let lack = || format!("{name} names no interpreter; integration-tests/run installs and names it");
        std::env::var_os(name).with_context(lack)
    }
}

/// Starts a server that is a module of Python's, with these arguments; it ends when what is given is dropped.
pub fn serve(language: Language, module: &str, arguments: &[&str]) -> Result<Child> {
    serve_with(language, (module, arguments), &[])
}

/// The same with these variables.
pub fn serve_with(
    language: Language,
    (module, arguments): (&str, &[&str]),
    variables: &[(&str, &str)],
) -> Result<Child> {
    let mut command = Command::new(language.interpreter()?);
    command.args(["-m", module]).args(arguments).env("LITELLM_LOCAL_MODEL_COST_MAP", "True"); // or it asks the network
    command.envs(variables.iter().copied());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    command.spawn().with_context(|| module.to_owned())
}

/// Starts a server of `deploy/examples` with these arguments and variables; it ends when what is given is dropped.
pub fn example(program: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Result<Child> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/examples").join(program);
    let mut command = Command::new(Language::of(program).interpreter()?);
    command.arg(&path).args(arguments).envs(variables.iter().copied());
    command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
    command.spawn().with_context(|| path.display().to_string())
}

/// Runs a program of `tests/python` or `tests/node` with these variables and gives what it printed. Errors if it does not end well.
pub async fn run(program: &str, variables: &[(&str, &str)]) -> Result<String> {
    let language = Language::of(program);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(language.words().1).join(program);
    let mut command = Command::new(language.interpreter()?);
    command.arg(&path).stdin(Stdio::null()).kill_on_drop(true);
    for name in FORGOTTEN {
        command.env_remove(name);
    }
    let ended = command.envs(variables.iter().copied()).output();
    let output =
        tokio::time::timeout(Duration::from_secs(120), ended).await.context(path.display().to_string())??;
    let (said, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{program} ended with {}\n{said}\n{complained}", output.status);
    Ok(said.into_owned())
}
