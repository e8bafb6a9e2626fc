//! A child process, its processor time and its memory, as the kernel counts them.
//!
//! Linux only. A child dies with its handle, so that a failed run leaves nothing behind.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, bail};

use crate::servers::LISTENING;

/// A running child.
pub(crate) struct Process {
    child: Child,
}

/// Resident memory in bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Memory {
    pub(crate) now: u64,
    pub(crate) peak: u64,
}

impl Process {
    /// Starts a child whose standard input stays open as long as it shall live.
    ///
    /// # Errors
    /// The program cannot be started.
    pub(crate) fn start(mut command: Command) -> anyhow::Result<Self> {
        command.stdin(Stdio::piped());
        let child = command.spawn().with_context(|| format!("starting {:?}", command.get_program()))?;
        Ok(Process { child })
    }

    /// Starts one of the bench's own servers and waits until it tells where it listens, as `host:port`.
    ///
    /// # Errors
    /// As for `start`; or it ends without a word.
    pub(crate) fn listening(mut command: Command) -> anyhow::Result<(Self, String)> {
        command.stdout(Stdio::piped());
        let mut process = Process::start(command)?;
        let out = process.child.stdout.take().context("standard output is piped")?;
        for line in BufReader::new(out).lines() {
            if let Some(address) = line?.strip_prefix(LISTENING) {
                return Ok((process, address.trim().to_owned()));
            }
        }
        bail!("the server ended before it listened")
    }

    /// The status of a child that has ended.
    ///
    /// # Errors
    /// The kernel will not say.
    pub(crate) fn ended(&mut self) -> anyhow::Result<Option<std::process::ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Processor time so far.
    ///
    /// # Errors
    /// The child is gone.
    pub(crate) fn processor_time(&self) -> anyhow::Result<CpuTime> {
        self.threads(|_| true)
    }

    /// Nanoseconds on a processor so far, of the threads of a name.
    ///
    /// # Errors
    /// The child is gone.
    pub(crate) fn processor_time_of(&self, name: &str) -> anyhow::Result<u64> {
        let of_name = self.threads(|thread| {
            fs::read_to_string(thread.join("comm")).is_ok_and(|known| known.trim_end() == name)
        });
        Ok(of_name?.threads.values().sum())
    }

    fn threads(&self, wanted: impl Fn(&Path) -> bool) -> anyhow::Result<CpuTime> {
        let directory = format!("/proc/{}/task", self.child.id());
        let mut threads = HashMap::new();
        for entry in fs::read_dir(&directory).with_context(|| directory.clone())? {
            let entry = entry?;
            // A thread may end between being listed and being read.
            if let Ok(text) = fs::read_to_string(entry.path().join("schedstat"))
                && wanted(&entry.path())
            {
                let name = entry.file_name().to_string_lossy().into_owned();
                threads.insert(name, first_number(&text).unwrap_or_default());
            }
        }
        Ok(CpuTime { threads })
    }

    /// Resident memory now and at most so far.
    ///
    /// # Errors
    /// The child is gone.
    pub(crate) fn memory(&self) -> anyhow::Result<Memory> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let kilobytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(first_number).unwrap_or_default() * 1024
        };
        Ok(Memory { now: kilobytes("VmRSS:"), peak: kilobytes("VmHWM:") })
    }
}

fn first_number(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only where the child has already ended.
        let _dead = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Nanoseconds on a processor, by thread: finer than the kernel's clock ticks.
pub(crate) struct CpuTime {
    threads: HashMap<String, u64>,
}

impl CpuTime {
    /// Nanoseconds since `earlier`. What a thread did that ended in between is lost, so servers keep theirs.
    pub(crate) fn since(&self, earlier: &CpuTime) -> u64 {
        let before = |name: &String| earlier.threads.get(name).copied().unwrap_or_default();
        self.threads.iter().map(|(name, time)| time.saturating_sub(before(name))).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_child_uses_time_and_memory() {
        let mut command = Command::new("sh");
        command
            .args(["-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo listening here:1; read x"]);
        let (process, address) = Process::listening(command).unwrap();
        assert_eq!(address, "here:1");
        let used = process.processor_time().unwrap().since(&CpuTime { threads: HashMap::new() });
        let memory = process.memory().unwrap();
        assert!(used > 1_000_000, "{used}");
        assert!(process.processor_time_of("sh").unwrap() >= used);
        assert_eq!(process.processor_time_of("outbox").unwrap(), 0);
        assert!(memory.now > 100_000 && memory.peak >= memory.now, "{memory:?}");
    }

    #[test]
    fn a_child_that_dies_early_is_a_failure() {
        assert!(Process::listening(Command::new("true")).is_err());
        assert!(Process::listening(Command::new("/nowhere/at/all")).is_err());
    }
}
