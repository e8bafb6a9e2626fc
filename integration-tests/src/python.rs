//! Clients that are not ours: Python programs with the packages that `requirements.txt` pins.
//!
//! Law: without the interpreter a story fails and says what is missing.

use std::{ffi::OsString, path::Path, process::Stdio};

use anyhow::{Context, Result, ensure};
use tokio::process::{Child, Command};

/// Names the interpreter that has the packages.
const INTERPRETER: &str = "CHANCERY_TEST_PYTHON";

/// Starts a server that is a module of Python's, with these arguments; it ends when what is given is dropped.
pub fn serve(module: &str, arguments: &[&str]) -> Result<Child> {
    let mut command = Command::new(interpreter()?);
    command.args(["-m", module]).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    command.spawn().with_context(|| module.to_owned())
}

fn interpreter() -> Result<OsString> {
    std::env::var_os(INTERPRETER).with_context(|| {
        format!("{INTERPRETER} names no interpreter; integration-tests/run installs and names it")
    })
}

/// Runs a program of `tests/python` with these variables and gives what it printed. Errors if it does not end well.
pub async fn run(program: &str, variables: &[(&str, &str)]) -> Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python").join(program);
    let mut command = Command::new(interpreter()?);
    command.arg(&path).stdin(Stdio::null()).kill_on_drop(true);
    for name in
        ["OPENAI_API_KEY", "OPENAI_BASE_URL", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"]
    {
        command.env_remove(name);
    }
    let ended = command.envs(variables.iter().copied()).output();
    let output = tokio::time::timeout(std::time::Duration::from_secs(120), ended)
        .await
        .context(path.display().to_string())??;
    let (said, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{program} ended with {}\n{said}\n{complained}", output.status);
    Ok(said.into_owned())
}
