//! A message of `chancery.inference.v1` as the body an SDK would have sent.
//!
//! Law: every field has its place in the dialect or is refused by name; nothing is dropped silently, and an extension never
//! stands for a field that the message has. Deliberately absent: checks the pipeline makes for every door.

mod message;

use prost_types::Struct;
use proto::inference::content_part::Part;
use proto::inference::output_format::Format;
use proto::inference::tool::Kind;
use proto::inference::tool_choice::Choice;
use proto::inference::{
    ChatRequest, ContentPart, EmbedRequest, ModerateRequest, OutputFormat, RerankRequest, Tool, ToolChoice,
    ToolMode,
};

use super::form;
use crate::dialect::json::{Json, NotFinite};
use crate::dialect::structure;
use crate::error::Rejection;

/// How the answer is to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// At once.
    Whole,
    /// As it is written, usage last.
    Stream,
}

/// Names of the dialect that the message has fields for, or that the gateway sets.
const CHAT_FIELDS: [&str; 15] = [
    "model",
    "messages",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "response_format",
    "stop",
    "seed",
    "temperature",
    "top_p",
    "max_tokens",
    "max_completion_tokens",
    "n",
    "stream",
    "stream_options",
];
const EMBED_FIELDS: [&str; 4] = ["model", "input", "dimensions", "encoding_format"];
const MODERATE_FIELDS: [&str; 2] = ["model", "input"];
const RERANK_FIELDS: [&str; 5] = ["model", "query", "documents", "top_n", "return_documents"];

/// A conversation.
pub(super) fn chat(request: &ChatRequest, form: Form) -> Result<Vec<u8>, Rejection> {
    let (mut json, mut fault) = (Json::default(), Ok(()));
    json.object(|json| fault = chat_members(request, form, json));
    fault.map(|()| json.done())
}

fn chat_members(request: &ChatRequest, form: Form, json: &mut Json) -> Result<(), Rejection> {
    json.key("model").string(&request.model);
    message::write(&request.messages, json.key("messages"))?;
    if !request.tools.is_empty() {
        tools(&request.tools, json.key("tools"))?;
    }
    if let Some(choice) = &request.tool_choice {
        tool_choice(choice, json.key("tool_choice"));
    }
    if let Some(parallel) = request.parallel_tool_calls {
        json.key("parallel_tool_calls").boolean(parallel);
    }
    if let Some(format) = &request.output_format {
        output_format(format, json.key("response_format"))?;
    }
    if !request.stop.is_empty() {
        json.key("stop").array(|json| request.stop.iter().for_each(|stop| json.string(stop)));
    }
    if let Some(seed) = request.seed {
        json.key("seed").whole(seed);
    }
    for (name, number) in [("temperature", request.temperature), ("top_p", request.top_p)] {
        if let Some(number) = number {
            json.key(name).number(number).map_err(|NotFinite| not_finite(name))?;
        }
    }
    if let Some(most) = request.max_output_tokens {
        json.key("max_completion_tokens").whole(most);
    }
    if let Some(n) = request.n {
        json.key("n").whole(n);
    }
    if form == Form::Stream {
        json.key("stream").boolean(true);
        json.key("stream_options").object(|json| json.key("include_usage").boolean(true));
    }
    extensions(request.extensions.as_ref(), &CHAT_FIELDS, json)
}

/// Texts to be turned into vectors.
pub(super) fn embed(request: &EmbedRequest) -> Result<Vec<u8>, Rejection> {
    let (mut json, mut fault) = (Json::default(), Ok(()));
    json.object(|json| {
        json.key("model").string(&request.model);
        json.key("input").array(|json| request.inputs.iter().for_each(|input| json.string(input)));
        json.key("encoding_format").string("float");
        if let Some(dimensions) = request.dimensions {
            json.key("dimensions").whole(dimensions);
        }
        fault = extensions(request.extensions.as_ref(), &EMBED_FIELDS, json);
    });
    fault.map(|()| json.done())
}

/// Content to be judged.
pub(super) fn moderate(request: &ModerateRequest) -> Result<Vec<u8>, Rejection> {
    let judged_as_one = !request.parts.is_empty();
    if judged_as_one && !request.inputs.is_empty() {
        return Err(Rejection::field("parts", "texts or parts, not both"));
    }
    for (at, part) in request.parts.iter().enumerate() {
        if !matches!(part.part, Some(Part::Text(_) | Part::Image(_))) {
            return Err(Rejection::field(&format!("parts[{at}]"), "a text or a picture"));
        }
    }
    let (mut json, mut fault) = (Json::default(), Ok(()));
    json.object(|json| {
        json.key("model").string(&request.model);
        json.key("input").array(|json| match judged_as_one {
            true => {
                let parts = request.parts.iter().filter_map(|ContentPart { part }| part.as_ref());
                parts.for_each(|part| message::write_part(part, json));
            }
            false => request.inputs.iter().for_each(|input| json.string(input)),
        });
        fault = extensions(request.extensions.as_ref(), &MODERATE_FIELDS, json);
    });
    fault.map(|()| json.done())
}

/// Documents to be put in order.
pub(super) fn rerank(request: &RerankRequest) -> Result<Vec<u8>, Rejection> {
    let (mut json, mut fault) = (Json::default(), Ok(()));
    json.object(|json| {
        json.key("model").string(&request.model);
        json.key("query").string(&request.query);
        json.key("documents").array(|json| request.documents.iter().for_each(|text| json.string(text)));
        if let Some(most) = request.top_n {
            json.key("top_n").whole(most);
        }
        if let Some(shown) = request.return_documents {
            json.key("return_documents").boolean(shown);
        }
        fault = extensions(request.extensions.as_ref(), &RERANK_FIELDS, json);
    });
    fault.map(|()| json.done())
}

fn tools(tools: &[Tool], json: &mut Json) -> Result<(), Rejection> {
    let mut fault = Ok(());
    json.array(|json| {
        for (at, tool) in tools.iter().enumerate() {
            let Some(Kind::Function(function)) = &tool.kind else {
                fault = Err(Rejection::field(&format!("tools[{at}]"), "no kind of tool is given"));
                return;
            };
            json.object(|json| {
                json.key("type").string("function");
                json.key("function").object(|json| {
                    json.key("name").string(&function.name);
                    if !function.description.is_empty() {
                        json.key("description").string(&function.description);
                    }
                    if let Some(parameters) = &function.parameters {
                        let written = structure::write(json.key("parameters"), parameters);
                        fault = written
                            .map_err(|NotFinite| not_finite(&format!("tools[{at}].function.parameters")));
                    }
                    if let Some(strict) = function.strict {
                        json.key("strict").boolean(strict);
                    }
                });
            });
        }
    });
    fault
}

fn tool_choice(choice: &ToolChoice, json: &mut Json) {
    match &choice.choice {
        None => json.string("auto"),
        Some(Choice::Mode(mode)) => {
            json.string(form::tool_mode(ToolMode::try_from(*mode).unwrap_or(ToolMode::Unspecified)));
        }
        Some(Choice::Function(name)) => json.object(|json| {
            json.key("type").string("function");
            json.key("function").object(|json| json.key("name").string(name));
        }),
    }
}

fn output_format(format: &OutputFormat, json: &mut Json) -> Result<(), Rejection> {
    let mut fault = Ok(());
    json.object(|json| match &format.format {
        None | Some(Format::Text(_)) => json.key("type").string("text"),
        Some(Format::JsonObject(_)) => json.key("type").string("json_object"),
        Some(Format::JsonSchema(schema)) => {
            json.key("type").string("json_schema");
            json.key("json_schema").object(|json| {
                json.key("name").string(&schema.name);
                if !schema.description.is_empty() {
                    json.key("description").string(&schema.description);
                }
                if let Some(schema) = &schema.schema {
                    let written = structure::write(json.key("schema"), schema);
                    fault = written.map_err(|NotFinite| not_finite("output_format.json_schema.schema"));
                }
                if let Some(strict) = schema.strict {
                    json.key("strict").boolean(strict);
                }
            });
        }
    });
    fault
}

/// Writes what a vendor adds, but for names that the message has fields for.
pub(super) fn extensions(
    extensions: Option<&Struct>,
    fields: &[&str],
    json: &mut Json,
) -> Result<(), Rejection> {
    for (name, value) in extensions.iter().flat_map(|extensions| &extensions.fields) {
        let path = format!("extensions.{name}");
        if fields.contains(&name.as_str()) {
            return Err(Rejection::field(&path, "the message has a field of that meaning"));
        }
        structure::write_value(json.key(name), value).map_err(|NotFinite| not_finite(&path))?;
    }
    Ok(())
}

/// A number that JSON has not.
pub(super) fn not_finite(field: &str) -> Rejection {
    Rejection::field(field, "must be a finite number")
}

#[cfg(test)]
mod tests;
