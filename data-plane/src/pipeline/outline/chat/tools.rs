//! The tools a request offers its model.
//!
//! Law: a tool that is not a function of the caller's, by a type that we know, is run by the vendor and may carry what it was
//! told elsewhere: it is egress, which the policy sees by its type and refuses unless a rule permits it. So is what a field or
//! the name of a model that searches implies. Schemas and descriptions are texts. Absent on purpose: what an endpoint's own
//! name for the model implies, which whoever registered the endpoint has decided.

use super::super::super::tape::{Kind, Value};
use super::super::Outline;
use super::super::field::{BodyFault, given};

/// Tools that only give the caller something to run.
const CALLERS_OWN: [&str; 2] = ["function", "custom"];

/// Top-level fields that switch a vendor's own tool on, and what it is called.
const OPTIONS: [(&str, &str); 26] = [
    ("web_search_options", "web_search"),
    ("web_search", "web_search"),
    ("search_parameters", "web_search"),
    ("search_settings", "web_search"),
    ("search_options", "web_search"),
    ("enable_search", "web_search"),
    ("google_search", "web_search"),
    ("file_search", "file_search"),
    ("tool_resources", "file_search"),
    ("data_sources", "data_sources"),
    ("connectors", "connectors"),
    ("code_interpreter", "code_interpreter"),
    ("code_execution", "code_interpreter"),
    ("computer_use", "computer_use"),
    ("plugins", "plugins"),
    ("mcp_servers", "mcp"),
    ("extra_body", "extra_body"),
    ("enable_web_search", "web_search"),
    ("search_mode", "web_search"),
    ("search_recency_filter", "web_search"),
    ("search_domain_filter", "web_search"),
    ("tool_config", "tool_config"),
    // Fields by which a broker of models sends the request to another than was asked for.
    ("models", "routing"),
    ("route", "routing"),
    ("provider", "routing"),
    ("fallbacks", "routing"),
];

/// What a tool of the caller's own consists of; anything else in it is the vendor's to act on.
const MEMBERS: [&str; 4] = ["type", "function", "custom", "cache_control"];

/// Kinds of vendor-side tools in one request, so that telling them apart stays cheap.
const MOST_KINDS: usize = 64;

/// Parts of the names of models that search the web whatever they are asked.
const SEARCHING: [&str; 4] = ["search-preview", "search-api", "deep-research", ":online"];

/// Choices that choose among what is offered, beside the caller's own tools.
const CHOICES: [&str; 1] = ["allowed_tools"];

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
    if CALLERS_OWN.contains(&of.as_ref()) {
        for (member, _) in tool.members().filter(|(member, _)| !MEMBERS.iter().any(|known| member.is(known)))
        {
            note(outline, &member.text())?;
        }
    } else {
        note(outline, &of)?;
    }
    let texts = tool.leaves().filter(|leaf| !WORDS.iter().any(|word| leaf.is(word)));
    outline.texts.extend(texts.map(|leaf| leaf.range()));
    outline.take_numbers(None, tool);
    Ok(())
}

/// Notes what a field of the body switches on by being there. Off is said by leaving it out, `null` or `false`.
pub(super) fn note_option(outline: &mut Outline, name: &str, value: Value<'_>) -> Result<(), BodyFault> {
    let tool = OPTIONS.iter().find(|(option, _)| *option == name).map(|(_, tool)| *tool);
    match tool.filter(|_| given(value) && value.kind() != Kind::False) {
        Some(tool) => note(outline, tool),
        None => Ok(()),
    }
}

/// Notes a tool that is chosen by a type that is not the caller's own, whether or not it was offered.
pub(super) fn note_choice(outline: &mut Outline, choice: Value<'_>) -> Result<(), BodyFault> {
    let of = choice.get("type").filter(|of| of.kind() == Kind::String);
    match of.map(|of| of.text()) {
        Some(of) if !CALLERS_OWN.iter().chain(&CHOICES).any(|own| *own == of) => note(outline, &of),
        _ => Ok(()),
    }
}

/// Notes the search that a model does by itself, as its name says.
pub(super) fn note_model(outline: &mut Outline) -> Result<(), BodyFault> {
    let searches = SEARCHING.iter().any(|part| outline.model.contains(part));
    if searches { note(outline, "web_search") } else { Ok(()) }
}

fn note(outline: &mut Outline, tool: &str) -> Result<(), BodyFault> {
    let tool: String = tool.chars().take(64).collect();
    if !outline.egress_tools.contains(&tool) {
        if outline.egress_tools.len() >= MOST_KINDS {
            return Err(BodyFault::wrong("", "at most 64 kinds of tools that the vendor runs"));
        }
        outline.egress_tools.push(tool);
    }
    Ok(())
}

/// Whether a field that is none of the dialect's would be one to a reader who takes no notice of case or of what stands between
/// words, as many of vendors' do: it is what such a reader acts on that was not judged.
pub(super) fn is_lookalike(name: &str, known: &[&str]) -> bool {
    let options = OPTIONS.iter().map(|(option, _)| *option);
    known.iter().copied().chain(options).any(|own| own != name && folded(own).eq(folded(name)))
}

fn folded(name: &str) -> impl Iterator<Item = char> {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase())
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
