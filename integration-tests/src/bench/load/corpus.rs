//! What is sent: prepared requests, one in ten of which names a person.
//!
//! Keys and models are drawn uniformly, so that no memo stays warm by accident. Texts hold escapes, as real ones do.

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderValue, Method, Request, Uri, header};
use http_body_util::Full;
use prost::Message as _;
use proto::inference::{ChatRequest, ContentPart, Message, Role, content_part::Part};

use super::draw::Draw;

/// Which door the requests take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// `/v1/chat/completions` over HTTP/1.1.
    Rest,
    /// `/v1/messages` over HTTP/1.1: a question in Anthropic's dialect for a model that speaks OpenAI's.
    Messages,
    /// `chancery.inference.v1.Inference/Chat` over HTTP/2.
    Grpc,
}

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Length of the JSON body in bytes; over gRPC the same text in a message.
    pub(crate) bytes: usize,
    pub(crate) stream: bool,
}

/// Who asks, and for which models.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cast {
    pub(crate) keys: Vec<String>,
    pub(crate) models: Vec<String>,
}

/// Prepared requests of one door and shape.
pub(crate) struct Corpus {
    uri: Uri,
    door: Door,
    host: HeaderValue,
    keys: Vec<HeaderValue>,
    /// A plain body and one with personal data for each model.
    bodies: Vec<[Bytes; 2]>,
}

/// A drawn request, and what was drawn.
pub(crate) struct Drawn {
    pub(crate) request: Request<Full<Bytes>>,
    pub(crate) key: usize,
    pub(crate) personal: bool,
}

const ONE_IN: u64 = 10;
const PERSONAL: &str =
    "Reach Ada at ada.lovelace@example.org or +44 20 7946 0958; card 4111 1111 1111 1111. ";
const PROSE: &str = "Summarise the attached \"minutes\" for the board:\nthe caf\u{e9} moved, rents rose by 4 % and the \
                     lease \\ option ends in spring. ";

impl Corpus {
    /// Prepares every body once.
    ///
    /// # Errors
    /// The cast is empty, or a key is no header value.
    pub(crate) fn new(door: Door, shape: Shape, cast: &Cast, authority: &str) -> anyhow::Result<Self> {
        anyhow::ensure!(
            !cast.keys.is_empty() && !cast.models.is_empty(),
            "nobody to ask, or nothing to ask for"
        );
        let uri = match door {
            Door::Rest => "/v1/chat/completions".parse()?,
            Door::Messages => "/v1/messages".parse()?,
            Door::Grpc => format!("http://{authority}/chancery.inference.v1.Inference/Chat").parse()?,
        };
        let bearer = |key: &String| Ok(HeaderValue::from_str(&format!("Bearer {key}"))?);
        Ok(Corpus {
            uri,
            door,
            host: HeaderValue::from_str(authority)?,
            keys: cast.keys.iter().map(bearer).collect::<anyhow::Result<_>>()?,
            bodies: cast
                .models
                .iter()
                .map(|model| ["", PERSONAL].map(|lead| body(door, shape, model, lead)))
                .collect(),
        })
    }

    /// Draws the request number `turn` of a worker.
    pub(crate) fn draw(&self, draw: &mut Draw, turn: u64) -> Drawn {
        let key = draw.below(self.keys.len());
        let personal = turn.is_multiple_of(ONE_IN);
        let bodies = self.bodies.get(draw.below(self.bodies.len()));
        let body = bodies.and_then(|bodies| bodies.get(usize::from(personal))).cloned().unwrap_or_default();
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        if let Some(bearer) = self.keys.get(key) {
            headers.insert(header::AUTHORIZATION, bearer.clone());
        }
        match self.door {
            Door::Rest | Door::Messages => {
                headers.insert(header::HOST, self.host.clone());
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            }
            Door::Grpc => {
                headers.insert(header::TE, HeaderValue::from_static("trailers"));
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
            }
        }
        Drawn { request, key, personal }
    }
}

fn body(door: Door, shape: Shape, model: &str, lead: &str) -> Bytes {
    let json = if door == Door::Messages { messages } else { json };
    let mut length = json(shape, model, lead).len();
    let mut text = lead.to_owned();
    for char in PROSE.chars().cycle() {
        length += escaped(char.encode_utf8(&mut [0; 4])).len();
        if length > shape.bytes {
            break;
        }
        text.push(char);
    }
    match door {
        Door::Rest | Door::Messages => Bytes::from(json(shape, model, &text)),
        Door::Grpc => framed(&message(model, &text)),
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\u{e9}', "\\u00e9")
}

const SYSTEM: &str = "You are a careful assistant.";

fn json(shape: Shape, model: &str, text: &str) -> String {
    let stream = if shape.stream { r#""stream":true,"stream_options":{"include_usage":true},"# } else { "" };
    format!(
        r#"{{"model":"{model}",{stream}"temperature":0.2,"max_tokens":256,"messages":[{{"role":"system","content":"{SYSTEM}"}},{{"role":"user","content":"{}"}}]}}"#,
        escaped(text)
    )
}

fn messages(shape: Shape, model: &str, text: &str) -> String {
    let stream = if shape.stream { r#""stream":true,"# } else { "" };
    format!(
        r#"{{"model":"{model}",{stream}"temperature":0.2,"max_tokens":256,"system":"{SYSTEM}","messages":[{{"role":"user","content":"{}"}}]}}"#,
        escaped(text)
    )
}

fn message(model: &str, text: &str) -> ChatRequest {
    let said = |role: Role, text: &str| Message {
        role: role.into(),
        content: vec![ContentPart { part: Some(Part::Text(text.to_owned())) }],
        ..Message::default()
    };
    ChatRequest {
        model: model.to_owned(),
        messages: vec![said(Role::System, SYSTEM), said(Role::User, text)],
        temperature: Some(0.2),
        max_output_tokens: Some(256),
        ..ChatRequest::default()
    }
}

/// A length-prefixed message, not compressed (gRPC over HTTP/2, "Length-Prefixed-Message").
fn framed(message: &ChatRequest) -> Bytes {
    let length = message.encoded_len();
    let mut frame = BytesMut::with_capacity(length + 5);
    frame.put_u8(0);
    frame.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    frame.put_slice(&message.encode_to_vec());
    frame.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_have_the_length_and_hold_the_text() {
        for (bytes, stream) in [(622, false), (622, true), (8_192, false)] {
            for lead in ["", PERSONAL] {
                let body = body(Door::Rest, Shape { bytes, stream }, "bench", lead);
                assert!(body.len() <= bytes && body.len() + 8 > bytes, "{} for {bytes}", body.len());
                let json: serde_json::Value = serde_json::from_slice(&body).unwrap();
                assert!(json["messages"][1]["content"].as_str().unwrap().starts_with(lead));
                assert_eq!(json["stream"].as_bool().unwrap_or(false), stream);
            }
        }
    }

    #[test]
    fn one_request_in_ten_names_a_person() {
        let cast = Cast { keys: vec!["a".into(), "b".into()], models: vec!["bench".into()] };
        for door in [Door::Rest, Door::Grpc] {
            let corpus =
                Corpus::new(door, Shape { bytes: 622, stream: false }, &cast, "127.0.0.1:1").unwrap();
            let mut draw = Draw::new(1);
            assert_eq!((0..100).filter(|turn| corpus.draw(&mut draw, *turn).personal).count(), 10);
        }
        assert!(Corpus::new(Door::Rest, Shape { bytes: 622, stream: false }, &Cast::default(), "x").is_err());
    }
}
