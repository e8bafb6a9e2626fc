//! What was in force, asked about afterwards: which revision is meant, what differs, who set it, and what would have been decided.
//!
//! Law: fields are told as files have them, and nothing is told that a reader of the resource itself could not read: what is stored
//! holds no secret. Absent on purpose: who may ask (`api::admin`), and what makes a revision (`publish`).

mod align;
mod blame;
mod diff;
mod past;
mod point;
mod tree;

pub use blame::{Blamed, blamed};
pub use diff::{Differing, differing};
pub use past::Past;
pub use point::{Point, meant};
pub use tree::tree;

#[cfg(test)]
pub(crate) mod tests;
