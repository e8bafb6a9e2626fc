//! skeleton
pub mod quota;
