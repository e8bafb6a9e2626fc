//! Captured content: what rules asked to be kept of requests and answers, gathered, sealed to its tenant, and kept in files.
//!
//! | step | where |
//! |---|---|
//! | what goes to the endpoint and to the caller is gathered, as far as there is room | `gather`, by the request |
//! | it is sealed by a key of its own, which is sealed to the tenant's public half | `seal`, by the outbox's writer |
//! | it is a line of a file of its tenant and retention | `volumes`, by the same |
//! | files that are closed are brought to the store, and deleted when their time is over | `files`, `retention`, `ship` |
//!
//! Law: nothing of it is on a disk unsealed, and this node can't open what it sealed. A request waits for none of it, but where its tenant
//! demands records. Absent on purpose: what asks for it (the policy's), and where it goes (`ship`).

mod files;
mod gather;
mod key;
mod retention;
mod seal;
mod volumes;

pub(crate) use files::Files;
pub(crate) use gather::{Gathered, Gathering, Room, Whose};
pub(crate) use key::ContentKey;
pub(crate) use retention::{Holds, Named, day};
pub(crate) use volumes::{Kept, Place, Volumes};

#[cfg(test)]
pub(crate) mod tests;
