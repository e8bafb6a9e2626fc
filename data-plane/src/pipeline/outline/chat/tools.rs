//! The tools a request offers its model.
//!
//! Law: a tool that is not a function of the caller's is run by the vendor and may carry what it was told elsewhere: it is
//! egress, which rules see by its type. Schemas and descriptions are texts.

use super::super::super::tape::{Kind, Value};
use super::super::Outline;
use super::super::field::{BodyFault, given};

/// Tools that only give the caller something to run.
const CALLERS_OWN: [&str; 2] = ["function", "custom"];

/// Top-level fields that switch a vendor's own tool on, and what it is called.
const OPTIONS: [(&str, &str); 4] = [
    ("web_search_options", "web_search"),
    ("plugins", "plugins"),
    ("mcp_servers", "mcp"),
    ("search_parameters", "web_search"),
];

pub(super) fn read(outline: &mut Outline, tools: Value<'_>) -> Result<(), BodyFault> {
    if !given(tools) {
        return Ok(());
    }
    if tools.kind() != Kind::Array || tools.elements().count() != tools.len() {
        return Err(BodyFault::wrong("tools", "an array of objects"));
    }
    for (at, tool) in tools.elements().enumerate() {
        one(outline, tool).map_err(|fault| fault.within(&format!("tools[{at}]")))?;
    }
    Ok(())
}

fn one(outline: &mut Outline, tool: Value<'_>) -> Result<(), BodyFault> {
    if tool.kind() != Kind::Object {
        return Err(BodyFault::wrong("", "an object"));
    }
    let of = match tool.get("type") {
        Some(of) if of.kind() == Kind::String => of.text(),
        Some(_) => return Err(BodyFault::wrong("type", "a string")),
        None => return Err(BodyFault::Missing("type".to_owned())),
    };
    if of == "function" {
        let named = tool.get("function").and_then(|function| function.get("name"));
        if !named.is_some_and(|name| name.kind() == Kind::String) {
            return Err(BodyFault::wrong("function.name", "a string"));
        }
    }
    if !CALLERS_OWN.contains(&of.as_ref()) {
        note(outline, &of);
    }
    let texts = tool.leaves().filter(|leaf| !WORDS.iter().any(|word| leaf.is(word)));
    outline.texts.extend(texts.map(|leaf| leaf.range()));
    Ok(())
}

pub(super) fn note_egress_option(outline: &mut Outline, name: &str, value: Value<'_>) {
    let tool = OPTIONS.iter().find(|(option, _)| *option == name).map(|(_, tool)| *tool);
    if let Some(tool) = tool.filter(|_| given(value)) {
        note(outline, tool);
    }
}

fn note(outline: &mut Outline, tool: &str) {
    let tool: String = tool.chars().take(64).collect();
    if !outline.egress_tools.contains(&tool) {
        outline.egress_tools.push(tool);
    }
}

/// Words of the dialect and of JSON Schema: structure, nobody's text.
const WORDS: [&str; 14] = [
    "type",
    "function",
    "name",
    "description",
    "parameters",
    "strict",
    "object",
    "string",
    "number",
    "integer",
    "boolean",
    "array",
    "properties",
    "required",
];
