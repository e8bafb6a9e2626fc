//! Clients that are not ours: Python programs with the packages that `requirements.txt` pins.
//!
//! Law: without the interpreter a story fails and says what is missing.

use std::{path::Path, process::Stdio};

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

/// Names the interpreter that has the packages.
const INTERPRETER: &str = "CHANCERY_TEST_PYTHON";

/// Runs a program of `tests/python` with these variables and gives what it printed. Errors if it does not end well.
pub async fn run(program: &str, variables: &[(&str, &str)]) -> Result<String> {
    let interpreter = std::env::var_os(INTERPRETER);
    let interpreter = interpreter.with_context(|| {
        format!("{INTERPRETER} names no interpreter; integration-tests/run installs and names it")
    })?;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python").join(program);
    let mut command = Command::new(interpreter);
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
