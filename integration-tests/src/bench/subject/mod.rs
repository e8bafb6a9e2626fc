//! What is measured: a server in a process of its own on a core of its own, and what the kernel says about it.

pub(crate) mod cores;
pub(crate) mod gateway;
pub(crate) mod policy;
pub(crate) mod process;

use crate::load::{Cast, Door};
use process::Process;

/// A running server with the doors it has and the callers it knows.
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    pub(crate) process: Process,
    /// `host:port` of each door; a proxy has one.
    pub(crate) rest: Option<String>,
    pub(crate) grpc: Option<String>,
    pub(crate) cast: Cast,
}

impl Subject {
    /// Where a door is, if the subject has it.
    pub(crate) fn door(&self, door: Door) -> Option<&str> {
        match door {
            Door::Rest => self.rest.as_deref(),
            Door::Grpc => self.grpc.as_deref(),
        }
    }
}
