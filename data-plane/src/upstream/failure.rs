//! What went wrong below HTTP, told by the errors of the HTTP library.
//!
//! Law: one table for the whole house; a failure nobody foresaw counts as a broken connection, never as an answer.
//! Deliberately absent: failures of our own side, which the callers of this file name themselves.

use std::{error::Error, io};

use hyper_util::client::legacy;

use super::{
    connect::Unconnected,
    error::{Kind, Stage, UpstreamError},
};

/// The failure of a call that gave no response head.
///
/// | source | kind |
/// |---|---|
/// | our connector | as it says |
/// | connecting otherwise (HTTP/2 preface) | connect |
/// | unreadable head or framing | protocol |
/// | all else | reset |
pub(crate) fn of_call(error: legacy::Error) -> UpstreamError {
    let unconnected = error.source().and_then(|source| source.downcast_ref::<Unconnected>());
    let kind = match unconnected {
        Some(Unconnected::Resolve(_) | Unconnected::Dial(_)) => Kind::Connect,
        Some(Unconnected::Refused(_)) => Kind::AddressRefused,
        Some(Unconnected::Tls(_)) => Kind::Tls,
        Some(Unconnected::Timeout) => Kind::Timeout(Stage::Connect),
        None if error.is_connect() => Kind::Connect,
        None => broken(&error),
    };
    UpstreamError::caused(kind, error)
}

/// The failure of a body that broke off.
pub(crate) fn of_body(error: hyper::Error) -> UpstreamError {
    UpstreamError::caused(broken(&error), error)
}

fn broken(error: &(dyn Error + 'static)) -> Kind {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse) {
            return Kind::Protocol;
        }
        let io = error.downcast_ref::<io::Error>().map(io::Error::kind);
        if matches!(io, Some(io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput)) {
            return Kind::Protocol;
        }
        cause = error.source();
    }
    Kind::Reset
}
