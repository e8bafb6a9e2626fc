#![doc = include_str!("../README.md")]

pub mod actor;
pub mod api;
pub mod authoriser;
pub mod ca;
pub mod clock;
pub mod config;
pub mod descriptors;
pub mod error;
pub mod explain;
pub mod govern;
pub mod issue;
pub mod keyring;
mod lock;
pub mod manifest;
mod nearest;
pub mod nodes;
mod private;
pub mod publish;
pub mod registry;
pub mod seal;
pub mod serve;
pub mod store;
pub mod telemetry;
pub mod upstream;
mod uses;
mod validity;
pub mod vault;
