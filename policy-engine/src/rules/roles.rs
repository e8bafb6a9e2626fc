//! Roles. (being written)
