//! The stream law.
