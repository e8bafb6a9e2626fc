//! skeleton
pub mod quota;
mod pipeline;
mod upstream;
