//! Templates, in from the wire and out to it.
//!
//! Law: whatever could go wrong with a template once a request is there is a fault here, by its field. Absent on purpose: what it is filled with.

mod draft;

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use policy_engine::facts::template::{Ask, Draft, Embed, Path, Pointer, Roles, Streamed, Template, Told};
use policy_engine::vocabulary::{Adapter, Ending, Slot, StreamFraming, Transport};

use super::checks::{Checks, Problem};
use super::{shown, texts};
use crate::admin;
use crate::admin::auth::Method;
use draft::{Whose, draft, embeds_something, says_something};

/// The most bytes of a word for who speaks, which is there as often as somebody spoke.
const ROLE: usize = 64;
/// Headers, roles and words for endings that there may be.
const ENTRIES: usize = 32;

/// Headers that say what the gateway alone knows, what HTTP keeps between neighbours, or what is a secret and the credential's to say.
const KEPT: [&str; 23] = [
    "accept",
    "accept-encoding",
    "api-key",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "traceparent",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "x-api-key",
    "x-client-request-id",
    "x-goog-api-key",
];

/// Reads how a provider is called.
pub(super) fn transport(c: &mut Checks, of: (Option<Adapter>, &admin::ProviderSpec)) -> Transport {
    let (adapter, spec) = of;
    if !spec.transport.is_empty() && adapter.is_some_and(|adapter| adapter != Adapter::Custom) {
        c.invalid("transport", "is for the adapter `custom` alone");
    }
    let told = c.optional("transport", &spec.transport).unwrap_or(Transport::Http);
    let is_signed = matches!(spec.auth.as_ref().and_then(|auth| auth.method.as_ref()), Some(Method::Aws(_)));
    let of_aws = adapter == Some(Adapter::SageMaker) || told == Transport::Lambda;
    if of_aws && spec.auth.is_none() {
        c.invalid("auth", "is missing: calls are signed, by `aws`");
    } else if of_aws && !is_signed {
        c.invalid("auth", "is not `aws`, by which calls are signed");
    } else if told == Transport::Grpc && is_signed {
        c.invalid("auth", "is not `aws`: calls by gRPC are not signed");
    }
    told
}

/// The same on the wire.
pub(super) fn transport_out(fact: Transport) -> String {
    if fact == Transport::Http { String::new() } else { fact.to_string() }
}

/// Reads a provider's template.
pub(super) fn read(
    c: &mut Checks,
    (adapter, transport): (Option<Adapter>, Transport),
    spec: &admin::ProviderSpec,
) -> Option<Arc<Template>> {
    let by_http = adapter == Some(Adapter::Custom) && transport == Transport::Http;
    let Some(wire) = &spec.template else {
        if by_http {
            c.fault("template", Problem::Missing);
        }
        return None;
    };
    if adapter.is_some_and(|adapter| !matches!(adapter, Adapter::Custom | Adapter::SageMaker)) {
        c.invalid("template", "is for the adapters `custom` and `sagemaker` alone");
    } else if transport == Transport::Grpc {
        c.invalid("template", "is not for calls by gRPC, whose messages are those of `chancery.adapter.v1`");
    } else if adapter.is_some() && !by_http {
        c.at("template", |c| placeless(c, wire));
    }
    if by_http && spec.auth.is_some() && shows_credential(wire) {
        let why = "is not for calls that `auth` authenticates";
        c.at("template", |c| c.at("request", |c| c.invalid("credentialHeader", why)));
    }
    c.at("template", |c| {
        let embed = wire.embeddings.as_ref().map(|wire| c.at("embeddings", |c| embed(c, wire)));
        if embed.is_some() && !chats(wire) {
            let ask = match &wire.request {
                Some(wire) => c.at("request", |c| ask(c, wire, Body::None)),
                None => Some(Ask::default()),
            };
            let (told, stream) = (Told::default(), None);
            return Some(Arc::new(Template { ask: ask?, told, stream, embed: embed.flatten() }));
        }
        let [no_request, no_response] = [wire.request.is_none(), wire.response.is_none()];
        for (field, missing) in [("request", no_request), ("response", no_response)] {
            if missing {
                c.fault(field, Problem::Missing);
            }
        }
        let ask = wire.request.as_ref().and_then(|wire| c.at("request", |c| ask(c, wire, Body::Chat)));
        let told = wire.response.as_ref().and_then(|wire| c.at("response", |c| told(c, wire)));
        let stream = wire.stream.as_ref().map(|wire| c.at("stream", |c| streamed(c, wire)));
        let words_of = |told: &Told| told.finish.is_some();
        if let Some(told) = told.as_ref().filter(|told| !told.endings.is_empty() && !words_of(told))
            && !stream.iter().flatten().any(|stream| words_of(&stream.told))
        {
            let words = told.endings.len();
            let why = format!("{words} words for an end, which no `finishReason` points to");
            c.at("response", |c| c.invalid("finishReasons", why));
        }
        let stream = match stream {
            Some(read) => Some(read?),
            None => None,
        };
        let embed = match embed {
            Some(read) => Some(read?),
            None => None,
        };
        Some(Arc::new(Template { ask: ask?, told: told?, stream, embed }))
    })
}

/// Whether a template says anything of chats.
fn chats(wire: &admin::Template) -> bool {
    let asks = wire.request.as_ref().is_some_and(|request| !request.body.is_empty());
    asks || wire.response.is_some() || wire.stream.is_some()
}

/// What a request's body is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Body {
    /// Conversations.
    Chat,
    /// Nothing: there is none.
    None,
}

fn embed(c: &mut Checks, wire: &admin::EmbeddingsTemplate) -> Option<Embed> {
    let path = c.optional("path", &wire.path).or_else(|| wire.path.is_empty().then(Path::default));
    if wire.body.is_empty() {
        c.fault("body", Problem::Missing);
    }
    let body = c.optional_by("body", &wire.body, |text| draft(text, Whose::Vectors));
    if let Some(body) = &body {
        c.fits("body", embeds_something(body));
        if body.shape.has(Slot::Input) && !wire.vectors.is_empty() {
            c.invalid("vectors", "is for `${inputs}`: of one text there is one vector");
        }
    }
    Some(Embed {
        path: path?,
        vectors: c.optional("vectors", &wire.vectors).unwrap_or_default(),
        vector: c.optional("vector", &wire.vector).unwrap_or_default(),
        tokens: c.optional("inputTokens", &wire.input_tokens),
        error: c.optional("error", &wire.error),
        body: body?,
    })
}

/// Whether a template says in which header a credential is shown.
fn shows_credential(wire: &admin::Template) -> bool {
    wire.request.as_ref().is_some_and(|request| !request.credential_header.is_empty())
}

/// Refuses what is not a template's to say of calls whose places are AWS's.
fn placeless(c: &mut Checks, wire: &admin::Template) {
    let why = "is AWS's to say: the place of a call is made of the endpoint's `upstreamModel`";
    let [of_request, of_stream, of_vectors] = [
        wire.request.as_ref().is_some_and(|request| !request.path.is_empty()),
        wire.stream.as_ref().is_some_and(|stream| !stream.path.is_empty()),
        wire.embeddings.as_ref().is_some_and(|embeddings| !embeddings.path.is_empty()),
    ];
    for (part, told) in [("request", of_request), ("stream", of_stream), ("embeddings", of_vectors)] {
        if told {
            c.at(part, |c| c.invalid("path", why));
        }
    }
    if shows_credential(wire) {
        c.at("request", |c| c.invalid("credentialHeader", "is not for calls that are signed"));
    }
}

fn ask(c: &mut Checks, wire: &admin::RequestTemplate, of: Body) -> Option<Ask> {
    let path = c.optional("path", &wire.path).or_else(|| wire.path.is_empty().then(Path::default));
    let headers = entries(c, "headers", &wire.headers, header);
    let credential_header = c.optional_by("credentialHeader", &wire.credential_header, credential_header);
    if let Some(name) = wire.headers.keys().find(|name| name.eq_ignore_ascii_case(&wire.credential_header)) {
        c.invalid("headers", format_args!("`{}` is the credential's, by `credentialHeader`", shown(name)));
    }
    if wire.body.is_empty() && of == Body::Chat {
        c.fault("body", Problem::Missing);
    }
    let body = c.optional_by("body", &wire.body, |text| draft(text, Whose::Request));
    let message = c.optional_by("message", &wire.message, |text| draft(text, Whose::Message));
    if of == Body::None {
        let [shaped, called, left] =
            [!wire.message.is_empty(), !wire.roles.is_empty(), !wire.leave_out.is_empty()];
        for (field, told) in [("message", shaped), ("roles", called), ("leaveOut", left)] {
            if told {
                c.invalid(field, "is for chats, and there is no `body` of one");
            }
        }
        if !wire.path.is_empty() {
            c.invalid("path", "is for chats, and there is no `body` of one; `embeddings` has its own");
        }
    }
    if let Some(body) = &body {
        c.fits("body", says_something(body));
        let in_turn = body.shape.has(Slot::Messages) || body.shape.has(Slot::Turns);
        if message.is_some() && !in_turn {
            c.invalid("message", "is for `${messages}` and `${turns}`, and `body` has neither");
        }
    }
    let roles = roles(c, &wire.roles);
    let leave_out = c.list("leaveOut", &wire.leave_out);
    let credential_header = credential_header.unwrap_or_default();
    Some(Ask { path: path?, headers: headers?, credential_header, body, message, roles: roles?, leave_out })
}

fn told(c: &mut Checks, wire: &admin::ResponseTemplate) -> Option<Told> {
    if wire.text.is_empty() {
        c.fault("text", Problem::Missing);
    }
    let ending = |_: &str, word: &str| word.parse::<Ending>().map_err(|error| error.to_string());
    let endings = entries(c, "finishReasons", &wire.finish_reasons, ending);
    let tokens = tokens(c, (&wire.input_tokens, &wire.output_tokens));
    Some(Told {
        text: c.optional("text", &wire.text)?,
        finish: c.optional("finishReason", &wire.finish_reason),
        endings: endings?,
        tokens,
        id: c.optional("id", &wire.id),
        error: c.optional("error", &wire.error),
    })
}

fn streamed(c: &mut Checks, wire: &admin::StreamTemplate) -> Option<Streamed> {
    if wire.text.is_empty() {
        c.fault("text", Problem::Missing);
    }
    let tokens = tokens(c, (&wire.input_tokens, &wire.output_tokens));
    let told = Told {
        text: c.optional("text", &wire.text)?,
        finish: c.optional("finishReason", &wire.finish_reason),
        endings: BTreeMap::new(),
        tokens,
        id: None,
        error: c.optional("error", &wire.error),
    };
    let framing = c.optional("framing", &wire.framing).unwrap_or(StreamFraming::Events);
    let mark = wire.done.trim_ascii();
    if mark.is_empty() && !wire.done.is_empty() {
        c.invalid("done", "is blank");
    }
    Some(Streamed { path: c.optional("path", &wire.path), framing, told, done: c.text("done", mark) })
}

fn tokens(c: &mut Checks, (input, output): (&str, &str)) -> Option<(Pointer, Pointer)> {
    match (input.is_empty(), output.is_empty()) {
        (false, true) => c.invalid("outputTokens", "is missing, though `inputTokens` is given"),
        (true, false) => c.invalid("inputTokens", "is missing, though `outputTokens` is given"),
        _ => {}
    }
    let (input, output) = (c.optional("inputTokens", input), c.optional("outputTokens", output));
    input.zip(output)
}

fn roles(c: &mut Checks, wire: &BTreeMap<String, String>) -> Option<Roles> {
    let fits = |name: &str, word: &str| match (name, word) {
        ("system" | "user" | "assistant", "") => Err("is empty".to_owned()),
        ("system" | "user" | "assistant", word) if word.len() <= ROLE => Ok(word.to_owned()),
        ("system" | "user" | "assistant", _) => Err(format!("is longer than {ROLE} bytes")),
        _ => Err("is not one of system | user | assistant".to_owned()),
    };
    let mut told = entries(c, "roles", wire, fits)?;
    let usual = Roles::default();
    let mut of = |name: &str, usual: String| told.remove(name).unwrap_or(usual);
    Some(Roles {
        system: of("system", usual.system),
        user: of("user", usual.user),
        assistant: of("assistant", usual.assistant),
    })
}

/// Entries of a map; a fault names the key.
fn entries<T>(
    c: &mut Checks,
    field: &'static str,
    wire: &BTreeMap<String, String>,
    read: impl Fn(&str, &str) -> Result<T, String>,
) -> Option<BTreeMap<String, T>> {
    if wire.len() > ENTRIES {
        c.invalid(field, format_args!("has more than {ENTRIES} entries"));
        return None;
    }
    let mut all = BTreeMap::new();
    for (key, value) in wire {
        match read(key, value) {
            Ok(value) => drop(all.insert(key.clone(), value)),
            Err(why) => c.invalid(field, format_args!("`{}` {why}", shown(key))),
        }
    }
    (all.len() == wire.len()).then_some(all)
}

fn header(name: &str, value: &str) -> Result<String, String> {
    if name.parse::<HeaderName>().map_or(true, |parsed| parsed.as_str() != name) {
        return Err("is not the name of a header in lower case".to_owned());
    }
    if KEPT.contains(&name) {
        return Err("is the gateway's own to say, or the credential's".to_owned());
    }
    if name.starts_with("x-amz-") {
        return Err("is a signature's to say, or AWS's".to_owned());
    }
    match HeaderValue::from_str(value) {
        Ok(_) if value.len() <= 1024 => Ok(value.to_owned()),
        _ => Err("has a value that no header can have".to_owned()),
    }
}

/// A header for a credential: none that HTTP or the gateway itself needs.
fn credential_header(name: &str) -> Result<String, String> {
    const SHOWN: [&str; 4] = ["api-key", "authorization", "x-api-key", "x-goog-api-key"];
    let is_name = name.parse::<HeaderName>().is_ok_and(|parsed| parsed.as_str() == name);
    match is_name && (SHOWN.contains(&name) || !KEPT.contains(&name)) {
        true => Ok(name.to_owned()),
        false => Err(format!("`{}` is not a header in lower case that shows a credential", shown(name))),
    }
}

/// A template on the wire.
pub(super) fn write(fact: &Template) -> admin::Template {
    let Template { ask, told, stream, embed } = fact;
    let text = |of: Option<&Draft>| of.map(|draft| draft.text.clone()).unwrap_or_default();
    let whole = |of: &Pointer| of.to_string();
    let pointer = |of: Option<&Pointer>| of.map(ToString::to_string).unwrap_or_default();
    let tokens = |of: &Told| {
        let of = of.tokens.as_ref();
        [pointer(of.map(|(input, _)| input)), pointer(of.map(|(_, output)| output))]
    };
    let [input_tokens, output_tokens] = tokens(told);
    let Roles { system, user, assistant } = &ask.roles;
    let roles = [("system", system), ("user", user), ("assistant", assistant)];
    let others = roles.into_iter().filter(|(usual, told)| usual != told);
    admin::Template {
        request: Some(admin::RequestTemplate {
            path: ask.path.text.clone(),
            headers: ask.headers.clone(),
            credential_header: ask.credential_header.clone(),
            body: text(ask.body.as_ref()),
            message: text(ask.message.as_ref()),
            roles: others.map(|(usual, told)| (usual.to_owned(), told.clone())).collect(),
            leave_out: texts(&ask.leave_out),
        }),
        response: ask.body.as_ref().map(|_| admin::ResponseTemplate {
            text: told.text.to_string(),
            finish_reason: pointer(told.finish.as_ref()),
            finish_reasons: told
                .endings
                .iter()
                .map(|(word, ending)| (word.clone(), ending.to_string()))
                .collect(),
            input_tokens,
            output_tokens,
            id: pointer(told.id.as_ref()),
            error: pointer(told.error.as_ref()),
        }),
        stream: stream.as_ref().map(|stream| {
            let [input_tokens, output_tokens] = tokens(&stream.told);
            admin::StreamTemplate {
                path: stream.path.as_ref().map(|path| path.text.clone()).unwrap_or_default(),
                framing: stream.framing.to_string(),
                text: stream.told.text.to_string(),
                finish_reason: pointer(stream.told.finish.as_ref()),
                input_tokens,
                output_tokens,
                error: pointer(stream.told.error.as_ref()),
                done: stream.done.clone(),
            }
        }),
        embeddings: embed.as_ref().map(|embed| admin::EmbeddingsTemplate {
            path: embed.path.text.clone(),
            body: embed.body.text.clone(),
            vectors: whole(&embed.vectors),
            vector: whole(&embed.vector),
            input_tokens: pointer(embed.tokens.as_ref()),
            error: pointer(embed.error.as_ref()),
        }),
    }
}

#[cfg(test)]
mod tests;
