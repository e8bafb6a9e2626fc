//! A refusal in the OpenAI dialect: its error object, and as the last event of a stream.
//!
//! Law: the shape is OpenAI's (`error.message`, `type`, `param`, `code`), ours is beside it in `error.chancery`.

use bytes::Bytes;
use proto::status::Refusal;
use serde::{Serialize, Serializer};

use crate::dialect::ours::Ours;
use crate::error::Rejection;

/// A refusal as the last event of a stream, with the end mark.
pub(crate) fn event(rejection: &Rejection) -> Bytes {
    let mut out = b"data: ".to_vec();
    out.extend_from_slice(&json(&rejection.refusal));
    out.extend_from_slice(b"\n\ndata: [DONE]\n\n");
    out.into()
}

/// A refusal as an error object.
pub(in crate::ingress) fn json(refusal: &Refusal) -> Vec<u8> {
    serde_json::to_vec(&Error { error: Body(refusal) }).unwrap_or_default()
}

#[derive(Serialize)]
struct Error<'r> {
    error: Body<'r>,
}

struct Body<'r>(&'r Refusal);

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let refusal = self.0;
        let param =
            refusal.fields.first().map(|wrong| wrong.field.as_str()).filter(|field| !field.is_empty());
        Shape {
            message: &refusal.message,
            r#type: refusal.code.row().openai,
            param,
            code: refusal.code.as_str(),
            chancery: Ours::of(refusal),
        }
        .serialize(serializer)
    }
}

#[derive(Serialize)]
struct Shape<'r> {
    message: &'r str,
    r#type: &'r str,
    param: Option<&'r str>,
    code: &'r str,
    chancery: Ours<'r>,
}
