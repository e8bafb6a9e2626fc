//! How policy reaches this node: received, verified, compiled, kept on disk, swapped in; whatever fails, the old one serves on.
//!
//! Law: a snapshot is enforced whole or not at all, within an epoch the revision never goes back, and nothing received is
//! trusted before it was verified: a file on disk is treated like a message from the wire.
//! Absent on purpose: what a request does with the policy (`pipeline`).

mod assemble;
mod back_off;
pub(crate) mod disk;
mod enforced;
mod hearing;
mod holder;
mod identity;
mod install;
mod last_known_good;
mod log;
mod outage;
mod secrets;
mod state;
mod trust;
mod verify;
mod watch;
mod witness;

#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
pub(crate) mod scripted;

pub(crate) use back_off::{BackOff, jitter};
pub(crate) use enforced::Enforced;
pub(crate) use holder::Place;
pub(crate) use identity::NodeKey;
pub(crate) use install::Install;
pub(crate) use last_known_good::LastKnownGood;
pub(crate) use log::Log;
pub(crate) use secrets::Secrets;
pub(crate) use state::{PolicyState, Version};
pub(crate) use trust::Trust;
pub(crate) use watch::{Control, restore};
