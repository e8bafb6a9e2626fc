//! The wire: definitions, generated code, validating conversions, one error-code table.

mod generated;

pub use generated::{FILE_DESCRIPTOR_SET, admin, inference, sync};
