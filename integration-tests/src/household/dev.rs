//! `chancery dev` on free ports, and the admin verbs beside it, as somebody at a terminal has them.
//!
//! Law: nothing of the machine's own environment reaches it but the path. Deliberately absent: what the house is made of.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
};

use anyhow::{Context, Result, ensure};

use super::process::binary;
use crate::wait::until;

/// A running `chancery dev`.
pub struct Dev {
    child: Child,
    state: PathBuf,
    log: PathBuf,
    environment: BTreeMap<String, String>,
}

impl Dev {
    /// Starts it in a directory, with further arguments and variables, and waits until it says it is ready.
    pub async fn start(home: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Result<Self> {
        let state = home.join(".chancery");
        let log = home.join("dev.log");
        let mut command = clean(&binary()?, home);
        command.arg("dev").args(arguments).envs(variables.iter().copied()).stdin(Stdio::null());
        for port in ["control", "sync", "eu", "us", "ops-control", "ops-eu", "ops-us"] {
            command.args([format!("--listen-{port}"), "127.0.0.1:0".to_owned()]);
        }
        let out = File::create(&log)?;
        let child = command.stdout(out.try_clone()?).stderr(out).spawn()?;
        let mut dev = Self { child, state, log, environment: BTreeMap::new() };
        let file = dev.state.join("dev.env");
        let told = until("dev.env", async || {
            // A process that ended will never write it.
            let ended = dev.child.try_wait().ok().flatten().is_some();
            (ended || file.exists()).then_some(())
        });
        told.await.with_context(|| dev.log())?;
        ensure!(file.exists(), "it ended: {}", dev.log());
        dev.environment = variables_of(&std::fs::read_to_string(&file)?);
        Ok(dev)
    }

    /// A variable of `dev.env`.
    pub fn variable(&self, name: &str) -> Result<&str> {
        self.environment
            .get(name)
            .map(String::as_str)
            .with_context(|| format!("dev.env does not name {name}"))
    }

    /// Runs the binary with these arguments and the variables of `dev.env`, as after `. .chancery/dev.env`.
    pub fn run(&self, arguments: &[&str]) -> Result<Output> {
        let home = self.state.parent().context("the state is kept somewhere")?;
        let mut command = clean(&binary()?, home);
        Ok(command.args(arguments).envs(&self.environment).stdin(Stdio::null()).output()?)
    }

    /// Where it keeps everything.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// Everything it printed so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Asks it to end, and waits until it has.
    pub async fn end(&mut self) -> Result<ExitStatus> {
        let told = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status()?;
        ensure!(told.success(), "it can't be told to end");
        until("its end", async || self.child.try_wait().ok().flatten()).await
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A command in a directory, with no variable but the path and what the system itself needs.
fn clean(binary: &Path, home: &Path) -> Command {
    let kept = ["PATH", "HOME", "LANG", "TMPDIR"];
    let kept = kept.iter().filter_map(|name| Some((OsString::from(name), std::env::var_os(name)?)));
    let mut command = Command::new(binary);
    command.current_dir(home).env_clear().envs(kept);
    command
}

fn variables_of(text: &str) -> BTreeMap<String, String> {
    let pairs =
        text.lines().filter(|line| !line.starts_with("export ")).filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.trim_matches(['\'', '"']).to_owned())).collect()
}
