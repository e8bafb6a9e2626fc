//! One process of the binary under test.
//!
//! Law: it dies with its handle, and what it wrote to standard error is kept for the story to read.

use std::{
    fs::{File, OpenOptions},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

use anyhow::{Context, Result, ensure};

use crate::wait::until;

/// Names the binary under test.
const BINARY: &str = "CHANCERY_TEST_BINARY";

/// A running role.
pub struct Process {
    child: Child,
    role: &'static str,
    config: PathBuf,
    level: &'static str,
}

/// The binary under test. Errors where there is none: a story of processes can't be told without it.
pub fn binary() -> Result<PathBuf> {
    let path = std::env::var_os(BINARY).map(PathBuf::from);
    let path =
        path.with_context(|| format!("{BINARY} names no binary; integration-tests/run builds and names it"))?;
    ensure!(path.exists(), "{BINARY} names `{}`, which is not there", path.display());
    Ok(path)
}

impl Process {
    /// Starts a role with a configuration file; its log, from this level on, is beside the file.
    pub fn start(role: &'static str, config: &Path, level: &'static str) -> Result<Self> {
        Ok(Self { child: spawn((role, level), config)?, role, config: config.to_owned(), level })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills it at once, as a power cut would, and waits until it is gone.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to end, as an operator would.
    pub fn terminate(&self) -> Result<()> {
        self.signal("TERM")
    }

    /// Sends it a signal, by its name without `SIG`.
    pub fn signal(&self, name: &str) -> Result<()> {
        let told = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status()?;
        ensure!(told.success(), "{} can't be sent SIG{name}", self.role);
        Ok(())
    }

    /// Waits until it has ended by itself.
    pub async fn ended(&mut self) -> Result<ExitStatus> {
        until("the end of a process", async || self.child.try_wait().ok().flatten()).await
    }

    /// Starts it again, after it has ended, with what it kept.
    pub fn start_again(&mut self) -> Result<()> {
        ensure!(self.child.try_wait()?.is_some(), "{} is still running", self.role);
        self.child = spawn((self.role, self.level), &self.config)?;
        Ok(())
    }

    /// Everything it wrote to standard error so far, over all its lives.
    pub fn log(&self) -> Result<String> {
        Ok(std::fs::read_to_string(log_of(&self.config))?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill().ok();
    }
}

fn log_of(config: &Path) -> PathBuf {
    config.with_extension("log")
}

/// What a segment store of a story takes for credentials.
const OF_A_STORE: [(&str, &str); 2] =
    [("AWS_ACCESS_KEY_ID", "AKIASTORY"), ("AWS_SECRET_ACCESS_KEY", "a-secret-of-stories")];

fn spawn((role, level): (&str, &str), config: &Path) -> Result<Child> {
    let log: File = OpenOptions::new().create(true).append(true).open(log_of(config))?;
    let mut command = Command::new(binary()?);
    command.arg(role).arg("--config").arg(config).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    for name in std::env::vars_os().map(|(name, _)| name) {
        // A machine's own settings are no part of a story.
        if name.to_string_lossy().starts_with("CHANCERY_") {
            command.env_remove(name);
        }
    }
    command
        .envs(OF_A_STORE)
        .env("CHANCERY_LOG", level)
        .spawn()
        .with_context(|| format!("the role `{role}` can't be started"))
}
