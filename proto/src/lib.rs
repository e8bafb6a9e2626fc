#![doc = include_str!("../README.md")]

pub mod captured;
pub mod checkpoint;
pub mod code;
pub mod codec;
pub mod convert;
pub mod export;
mod instants;
pub mod manifest;
pub mod name;
pub mod pruned;
pub mod segment;
pub mod simulated;
pub mod status;
pub mod tree;

#[expect(
    clippy::allow_attributes,
    reason = "the code generator writes `allow` around names it makes; it is not ours to change"
)]
mod generated;

pub use generated::{FILE_DESCRIPTOR_SET, adapter, admin, inference, sync};
