//! The doors of the control plane: parse, call, answer.

pub mod admin;
pub mod enrolment;
pub mod rest;
pub mod sync;
