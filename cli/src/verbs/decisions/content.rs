//! `decisions content`: what was asked and answered, where a rule had it kept.
//!
//! Law: content is read where it is and opened here; the control plane is asked for the key of this one piece, with a reason, and logs that
//! before it gives it. Nothing is written down.

use std::path::PathBuf;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use clap::Args;
use proto::captured::{Content as Opened, Header, Part, Sealed, Unopened};
use proto::export::Kind;
use serde_json::{Value, json};

use super::super::Shown;
use super::super::failure::Failure;
use super::kept::{Found, of_request};
use crate::client::{Client, Reply};
use crate::output;

/// Whose content, and where it is.
#[derive(Debug, Args)]
pub(crate) struct Content {
    /// The request, as its record and `x-chancery-request-id` say it.
    request_id: String,
    /// Where content is kept: a geo's store, a node's outbox, or a file of either.
    #[arg(long = "store", required = true, value_name = "PATH")]
    stores: Vec<PathBuf>,
    /// Why, for the log of acts. It is kept for good: no personal data.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    shown: Shown,
}

impl Content {
    pub(super) async fn run(&self, client: &Client) -> Result<(), Failure> {
        let found = of_request(&self.stores, &self.request_id)?;
        let Some(Found { path, line }) = found.into_iter().next() else {
            let of = &self.request_id;
            return Err(Failure::NotThere(format!(
                "there is no content of request `{of}` there: nothing asked for it to be kept, its file is elsewhere, or it is over"
            )));
        };
        let broken = |why: Unopened| {
            let told = format!("the content of request {}: {why}", self.request_id);
            Failure::Unverified { path: path.clone(), kind: Kind::Invalid, told }
        };
        let sealed = Sealed::read(&line).map_err(broken)?;
        let header = &sealed.header;
        let asked = json!({
            "tenant": header.tenant,
            "requestId": header.request_id,
            "geo": header.geo,
            "keyId": header.key,
            "encapsulatedKey": BASE64_STANDARD.encode(&header.encapsulated),
            "wrappedKey": BASE64_STANDARD.encode(&header.wrapped),
            "reason": self.reason,
        });
        let reply = client.post("capturedContent:open", &asked).await?;
        let key = reply.json.get("contentKey").and_then(Value::as_str).unwrap_or_default();
        let key = BASE64_STANDARD.decode(key).unwrap_or_default();
        let opened = sealed.open(&key).map_err(broken)?;
        let json = told(header, &opened);
        let reply = Reply { text: json.to_string(), json, revision: reply.revision };
        self.shown.print(&reply, || shown(header, &opened));
        Ok(())
    }
}

/// For programs: what is JSON as JSON, the events of a stream as a list of them.
fn told(header: &Header, opened: &Opened) -> Value {
    json!({
        "requestId": header.request_id,
        "tenant": header.tenant,
        "geo": header.geo,
        "time": header.time.to_string(),
        "until": header.until.to_string(),
        "truncated": header.truncated,
        "prompt": read(&opened.prompt),
        "answer": events(&opened.answer).unwrap_or_else(|| read(&opened.answer)),
    })
}

fn read(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|_| String::from_utf8_lossy(bytes).into())
}

/// The payloads of a stream; `None` where it is none.
fn events(bytes: &[u8]) -> Option<Value> {
    let text = String::from_utf8_lossy(bytes);
    let is_stream = text.starts_with("data:") || text.starts_with(':');
    let payloads = text.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim_start);
    is_stream.then(|| payloads.map(|payload| read(payload.as_bytes())).collect())
}

/// For people: both as they were, fit for a terminal.
fn shown(header: &Header, opened: &Opened) -> String {
    let Header { request_id, tenant, geo, time, until, .. } = header;
    let of = format!("request {request_id} of {tenant} in {geo}, received {time}, kept until {until}");
    let mut text = format!("{}\n", output::plain(&of));
    for (part, name, bytes) in
        [(Part::Prompt, "prompt", &opened.prompt), (Part::Answer, "answer", &opened.answer)]
    {
        let cut =
            if header.truncated.contains(&part) { ", its beginning: the rest was not kept" } else { "" };
        text += &format!("--- {name}{cut}\n");
        for line in String::from_utf8_lossy(bytes).lines().filter(|line| !line.is_empty()) {
            text += &format!("{}\n", output::plain(line));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use policy_engine::vocabulary::Instant;

    use super::*;

    fn header(truncated: Vec<Part>) -> Header {
        Header {
            format: String::new(),
            request_id: "r-1".to_owned(),
            tenant: "acme".to_owned(),
            geo: "eu".to_owned(),
            time: Instant(1_767_225_600_000_000),
            until: Instant(1_767_312_000_000_000),
            key: String::new(),
            truncated,
            encapsulated: vec![],
            wrapped: vec![],
        }
    }

    #[test]
    fn content_is_told_to_people_and_to_programs() {
        let opened = Opened {
            prompt: br#"{"messages":[{"role":"user","content":"a\u001b"}]}"#.to_vec(),
            answer: b"data: {\"a\":1}\n\ndata: [DONE]\n\n".to_vec(),
        };
        let text = shown(&header(vec![Part::Answer]), &opened);
        assert_eq!(
            text,
            "request r-1 of acme in eu, received 2026-01-01, kept until 2026-01-02\n--- prompt\n\
             {\"messages\":[{\"role\":\"user\",\"content\":\"a\\u001b\"}]}\n--- answer, its beginning: the rest was not kept\n\
             data: {\"a\":1}\ndata: [DONE]\n"
        );
        let json = told(&header(vec![]), &opened);
        assert_eq!(json["answer"], json!([{"a": 1}, "[DONE]"]));
        assert_eq!(json["prompt"]["messages"][0]["role"], "user");
        let whole = Opened { prompt: vec![0xff], answer: br#"{"id":"x"}"#.to_vec() };
        let json = told(&header(vec![]), &whole);
        assert_eq!((&json["answer"], &json["prompt"]), (&json!({"id": "x"}), &json!("\u{fffd}")));
    }
}
