//! Stateless: one compiled snapshot, two doors.

pub mod config;
mod accept;
mod error;
mod install;
mod metrics;
mod node;
mod ops;
mod pipeline;
mod policy;
pub mod quota;
mod record;
mod runtime;
mod telemetry;
mod tls;
mod upstream;
