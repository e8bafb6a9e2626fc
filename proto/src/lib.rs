#![doc = include_str!("../README.md")]

pub mod code;
pub mod convert;
pub mod manifest;
pub mod name;
pub mod status;

#[expect(
    clippy::allow_attributes,
    reason = "the code generator writes `allow` around names it makes; it is not ours to change"
)]
mod generated;

pub use generated::{FILE_DESCRIPTOR_SET, admin, inference, sync};
