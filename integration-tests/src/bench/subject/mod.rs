//! What is measured: a server in a process of its own on a core of its own, and what the kernel says about it.

pub(crate) mod cores;
pub(crate) mod gateway;
pub(crate) mod policy;
pub(crate) mod process;

use crate::load::{Cast, Door};
use crate::servers::mock::EVENTS;
use process::Process;

/// A running server with the doors it has and the callers it knows.
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    pub(crate) process: Process,
    /// `host:port` of each door; a proxy has one.
    pub(crate) rest: Option<String>,
    pub(crate) grpc: Option<String>,
    pub(crate) cast: Cast,
    /// Whether it speaks dialects that the mock does not.
    pub(crate) translates: bool,
}

impl Subject {
    /// Where a door is, if the subject has it.
    pub(crate) fn door(&self, door: Door) -> Option<&str> {
        match door {
            Door::Rest | Door::Messages => self.rest.as_deref(),
            Door::Grpc => self.grpc.as_deref(),
        }
    }
    /// How many events the mock's stream has as it comes out of a door: Anthropic's dialect says when a block and a message begin and end.
    pub(crate) fn events(&self, door: Door) -> u64 {
        if door == Door::Messages && self.translates { EVENTS + 1 } else { EVENTS }
    }
}
