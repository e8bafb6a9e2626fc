//! Where the calls of what is the organisation's own go.
//!
//! Law: the model's name is one segment of the path, whatever it is. Absent on purpose: hosts, which are checked when the endpoint is built and
//! when they are dialled.

use http::Uri;
use percent_encoding::utf8_percent_encode;
use policy_engine::facts::template::{Path, Piece, Template};

use crate::upstream::error::{Kind, UpstreamError};
use crate::upstream::target::{SEGMENT, Target};

/// Where a template says that chats go.
pub(super) fn api(target: &Target, template: &Template, of: (&str, bool)) -> Result<Uri, UpstreamError> {
    let (model, stream) = of;
    let stream = template.stream.as_ref().filter(|_| stream).and_then(|stream| stream.path.as_ref());
    below(target, stream.unwrap_or(&template.ask.path), model)
}

/// Where a path of a template leads.
pub(super) fn below(target: &Target, path: &Path, model: &str) -> Result<Uri, UpstreamError> {
    let mut below = String::new();
    for piece in &path.pieces {
        match piece {
            Piece::Words(words) => below.push_str(words),
            Piece::Gap(_) => below.push_str(&segment(model)?),
        }
    }
    target.join(&below).map_err(|_| no_path())
}

/// An endpoint of SageMaker's.
pub(super) fn endpoint(target: &Target, name: &str, stream: bool) -> Result<Uri, UpstreamError> {
    let action = if stream { "invocations-response-stream" } else { "invocations" };
    target.join(&format!("/endpoints/{}/{action}", segment(name)?)).map_err(|_| no_path())
}

/// A function of Lambda's, by its name or ARN, with a version or alias where it has one.
pub(super) fn function(target: &Target, name: &str, stream: bool) -> Result<Uri, UpstreamError> {
    let (version, action) =
        if stream { ("2021-11-15", "response-streaming-invocations") } else { ("2015-03-31", "invocations") };
    target.join(&format!("/{version}/functions/{}/{action}", segment(name)?)).map_err(|_| no_path())
}

fn segment(name: &str) -> Result<String, UpstreamError> {
    match name.bytes().all(|byte| byte == b'.') {
        true => Err(no_path()),
        false => Ok(utf8_percent_encode(name, SEGMENT).to_string()),
    }
}

/// The name leads nowhere.
pub(super) fn no_path() -> UpstreamError {
    UpstreamError::caused(Kind::Connect, "the model's name there makes no path")
}
