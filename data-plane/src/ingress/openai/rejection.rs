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

/// A refusal as the last events of a stream of the Responses API: an error of this number, and after it the response that failed, as it
/// began; only the former where it had not begun.
pub(crate) fn events(rejection: &Rejection, (number, opening): (u64, &[u8])) -> Vec<u8> {
    let refusal = &rejection.refusal;
    let begin = format!(
        "event: error\ndata: {{\"type\":\"error\",\"sequence_number\":{number},\"code\":\"{}\",\"message\":{},\"param\":null,",
        refusal.code.as_str(),
        serde_json::Value::from(refusal.message.as_str()),
    );
    // The error object goes on with the same members, so that clients of either kind find it.
    let error = json(refusal);
    let mut out = [begin.as_bytes(), error.get(1..).unwrap_or_default(), b"\n\n"].concat();
    if let Ok(serde_json::Value::Object(mut response)) = serde_json::from_slice(opening) {
        let error = serde_json::json!({ "code": refusal.code.as_str(), "message": refusal.message });
        response.insert("status".to_owned(), "failed".into());
        response.insert("error".to_owned(), error);
        let number = number.saturating_add(1);
        let event =
            serde_json::json!({ "type": "response.failed", "sequence_number": number, "response": response });
        out.extend_from_slice(format!("event: response.failed\ndata: {event}\n\n").as_bytes());
    }
    out
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
