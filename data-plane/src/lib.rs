#![doc = include_str!("../README.md")]

mod accept;
mod captured;
pub mod config;
mod dialect;
mod drain;
mod enrol;
mod error;
mod freshness;
#[cfg(test)]
mod house;
mod ingress;
mod install;
mod lock;
mod metrics;
#[cfg(feature = "simulation")]
mod network;
mod node;
mod ops;
mod overlay;
mod pipeline;
mod policy;
mod private;
pub mod quota;
mod record;
mod retained;
mod runtime;
mod secrets;
pub mod serve;
mod ship;
mod simulate;
#[cfg(feature = "simulation")]
pub mod simulation;
mod survey;
mod tape;
mod telemetry;
mod tls;
mod upstream;
mod validity;
