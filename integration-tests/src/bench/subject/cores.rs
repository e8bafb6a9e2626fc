//! Which core whom: the measured server alone on one, everybody else on the other.
//!
//! Pinned by `taskset`, because a process cannot pin itself without unsafe code; on a machine with one core nobody is pinned.

use std::process::{Command, Stdio};

use anyhow::Context;

/// The two cores of a run; none where there are not two.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cores {
    pair: Option<(u32, u32)>,
}

/// On which of the two a process belongs.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Side {
    /// Measured.
    Subject,
    /// The client, the mock, and whatever is not measured.
    Rest,
}

impl Cores {
    /// The first two cores this process may use, and itself moved to the side of the rest.
    ///
    /// # Errors
    /// `/proc` cannot be read, or `taskset` is missing.
    pub(crate) fn claim() -> anyhow::Result<Self> {
        let status = std::fs::read_to_string("/proc/self/status").context("`/proc/self/status`")?;
        let list =
            status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap_or_default();
        let mut allowed = allowed(list).into_iter();
        let pair = allowed.next().zip(allowed.next());
        if let Some((rest, _)) = pair {
            let own = std::process::id().to_string();
            let done = Command::new("taskset")
                .args(["-a", "-cp", &rest.to_string(), &own])
                .stdout(Stdio::null())
                .status();
            anyhow::ensure!(done.context("`taskset` (Debian: util-linux)")?.success(), "taskset refused");
        }
        Ok(Cores { pair })
    }

    /// A command that will run on its side.
    pub(crate) fn command(self, side: Side, program: &str) -> Command {
        let Some((rest, subject)) = self.pair else { return Command::new(program) };
        let core = match side {
            Side::Subject => subject,
            Side::Rest => rest,
        };
        let mut command = Command::new("taskset");
        command.args(["-c", &core.to_string(), program]);
        command
    }

    /// Whether the measured server has a core of its own.
    pub(crate) fn apart(self) -> bool {
        self.pair.is_some()
    }
}

/// `0-2,5` means 0, 1, 2 and 5.
fn allowed(list: &str) -> Vec<u32> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.trim().parse().ok()?..=last.trim().parse().ok()?)
    };
    list.split(',').filter_map(range).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cores_are_read() {
        assert_eq!(allowed("\t0-2,5\n"), [0, 1, 2, 5]);
        assert_eq!(allowed("3"), [3]);
        assert!(allowed("").is_empty());
    }
}
