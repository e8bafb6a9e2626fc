//! Declarative files: read with the line of everything, applied whole or not at all, and written back.

mod apply;
mod bind;
mod delete;
mod document;
mod export;
mod meaning;
mod render;
mod yaml;

pub use apply::apply;
pub use delete::delete;
pub use export::{Selection, export};

#[cfg(test)]
mod tests;
