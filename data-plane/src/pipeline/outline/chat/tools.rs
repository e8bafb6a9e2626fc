//! The tools a request offers its model, and which of them the vendor runs.
//!
//! Law: what is not a function of the caller's, by a type that we know, is run by the vendor and may carry what it was told
//! elsewhere: it is egress, which the policy sees by its kind and refuses unless a rule permits it. Tools count wherever they
//! stand: in the body, in a message, in another tool, in a choice. Schemas and descriptions are texts. Absent on purpose: fields
//! that are not in the table, which an endpoint may reject altogether (`unknownFields`), and what an endpoint's own name for the
//! model implies, which whoever registered the endpoint has decided.

use std::borrow::Cow;

use super::super::Outline;
use super::kinds::{Place, kind_of};
use super::schema;
use crate::dialect::field::{BodyFault, given};
use crate::tape::{Kind, Value};

/// Kinds of vendor-side tools in one request, so that telling them apart stays cheap.
const MOST_KINDS: usize = 64;

/// Parts of the names of models that search the web whatever they are asked.
const SEARCHING: [&str; 4] = ["search-preview", "search-api", "deep-research", ":online"];

/// Members that list tools, in whatever tool or option they stand.
const LISTS: [&str; 2] = ["tools", "enabled_tools"];

/// The tools of `tools`, each of which says what it is.
pub(super) fn read(outline: &mut Outline, tools: Value<'_>) -> Result<(), BodyFault> {
    each("tools", tools, |tool| {
        let of = type_of(tool)?;
        if of == "function" {
            let named = tool.get("function").and_then(|function| function.get("name"));
            if !named.is_some_and(is_string) {
                return Err(BodyFault::wrong("function.name", "a string"));
            }
        }
        one(outline, &of, tool)
    })
}

/// The same as the Responses API has them, where a function is named in the tool itself.
pub(in crate::pipeline::outline) fn read_named(
    outline: &mut Outline,
    tools: Value<'_>,
) -> Result<(), BodyFault> {
    each("tools", tools, |tool| {
        let of = type_of(tool)?;
        if of == "function" && !tool.get("name").is_some_and(is_string) {
            return Err(BodyFault::wrong("name", "a string"));
        }
        one(outline, &of, tool)
    })
}

fn type_of(tool: Value<'_>) -> Result<Cow<'_, str>, BodyFault> {
    match tool.get("type") {
        Some(of) if of.kind() == Kind::String => Ok(of.text()),
        Some(_) => Err(BodyFault::wrong("type", "a string")),
        None => Err(BodyFault::Missing("type".to_owned())),
    }
}

/// The functions of `functions`, which need no type and are the caller's own without one.
pub(in crate::pipeline::outline) fn read_functions(
    outline: &mut Outline,
    functions: Value<'_>,
) -> Result<(), BodyFault> {
    each("functions", functions, |function| {
        let of = function.get("type").filter(|of| is_string(*of));
        one(outline, &of.map_or("function".into(), |of| of.text()), function)
    })
}

fn each<'t>(
    field: &str,
    list: Value<'t>,
    mut read: impl FnMut(Value<'t>) -> Result<(), BodyFault>,
) -> Result<(), BodyFault> {
    if !given(list) {
        return Ok(());
    }
    if list.kind() != Kind::Array || list.elements().count() != list.len() {
        return Err(BodyFault::wrong(field, "an array of objects"));
    }
    for (at, element) in list.elements().enumerate() {
        let read = match element.kind() {
            Kind::Object => read(element),
            _ => Err(BodyFault::wrong("", "an object")),
        };
        read.map_err(|fault| fault.within(&format!("{field}[{at}]")))?;
    }
    Ok(())
}

/// A tool of a type.
fn one(outline: &mut Outline, of: &str, tool: Value<'_>) -> Result<(), BodyFault> {
    judge(outline, of, tool)?;
    take_texts(outline, tool);
    Ok(())
}

/// Takes in the texts of tools that are listed in an item of an input: not each says what it is there, as those of a server do not.
pub(in crate::pipeline::outline) fn take_listed(outline: &mut Outline, (key, tools): (Value<'_>, Value<'_>)) {
    let objects = tools.elements().filter(|tool| tool.kind() == Kind::Object).count();
    if tools.kind() == Kind::Array && objects == tools.len() {
        tools.elements().for_each(|tool| take_texts(outline, tool));
    } else {
        outline.take_all(Some(key), tools);
    }
}

fn take_texts(outline: &mut Outline, tool: Value<'_>) {
    let texts = tool.leaves().filter(|leaf| !WORDS.iter().any(|word| leaf.is(word)));
    outline.texts.extend(texts.map(|leaf| leaf.range()));
    schema::take_described(outline, tool);
}

/// Notes what of a tool the vendor runs: the tool itself, what a tool of the caller's own holds beside its description, what is
/// built in by name, and the tools within it.
fn judge(outline: &mut Outline, of: &str, tool: Value<'_>) -> Result<(), BodyFault> {
    let own = kind_of(Place::Type, of).is_none();
    note(outline, Place::Type, of)?;
    for (member, value) in tool.members() {
        let name = member.text();
        if own && kind_of(Place::Member, &name).is_none() {
            continue;
        }
        if own {
            note(outline, Place::Member, &name)?;
        }
        note_within(outline, member, value)?;
    }
    note_names(outline, tool)
}

/// Notes the tools that are listed within a value, at whatever depth: objects by their type, and words. Elements go by
/// themselves, for they have no key.
pub(in crate::pipeline::outline) fn note_within(
    outline: &mut Outline,
    key: Value<'_>,
    value: Value<'_>,
) -> Result<(), BodyFault> {
    let listed = LISTS.iter().any(|list| key.is(list)) && value.kind() == Kind::Array;
    for element in value.elements() {
        match element.get("type").filter(|of| listed && is_string(*of)) {
            Some(of) => judge(outline, &of.text(), element)?,
            None if key.is("enabled_tools") && is_string(element) => {
                note(outline, Place::Type, &element.text())?;
            }
            None => note_within(outline, element, element)?,
        }
    }
    value.members().try_for_each(|(key, member)| note_within(outline, key, member))
}

/// Notes functions that are a vendor's by their name.
fn note_names(outline: &mut Outline, tool: Value<'_>) -> Result<(), BodyFault> {
    let described = [Some(tool), tool.get("function"), tool.get("custom")];
    let mut names = described.into_iter().flatten().filter_map(|described| described.get("name"));
    names.try_for_each(|name| note(outline, Place::Function, &name.text()))
}

/// Notes what a field switches on by being there. Off is said by leaving it out, `null` or `false`.
pub(in crate::pipeline::outline) fn note_field(
    outline: &mut Outline,
    place: Place,
    (key, value): (Value<'_>, Value<'_>),
) -> Result<(), BodyFault> {
    let name = key.text();
    if kind_of(place, &name).is_none() || !given(value) || value.kind() == Kind::False {
        return Ok(());
    }
    note(outline, place, &name)?;
    note_within(outline, key, value)
}

/// Notes a tool that is chosen and is not the caller's own, whether or not it was offered.
pub(in crate::pipeline::outline) fn note_choice(
    outline: &mut Outline,
    choice: Value<'_>,
) -> Result<(), BodyFault> {
    let of = if is_string(choice) { Some(choice) } else { choice.get("type") };
    note(outline, Place::Choice, &of.map_or("".into(), |of| of.text()))?;
    note_names(outline, choice)?;
    choice.members().try_for_each(|(key, member)| note_within(outline, key, member))
}

/// Notes the search that a model does by itself, as its name says.
pub(in crate::pipeline::outline) fn note_model(outline: &mut Outline) -> Result<(), BodyFault> {
    let searches = SEARCHING.iter().any(|part| outline.model.contains(part));
    if searches { note(outline, Place::Type, "web_search") } else { Ok(()) }
}

/// Notes the kind of tool that a name means, if it means one.
fn note(outline: &mut Outline, place: Place, name: &str) -> Result<(), BodyFault> {
    let Some(kind) = kind_of(place, name) else { return Ok(()) };
    let kind: String = kind.chars().take(64).collect();
    if !outline.egress_tools.contains(&kind) {
        if outline.egress_tools.len() >= MOST_KINDS {
            return Err(BodyFault::wrong("", "at most 64 kinds of tools that the vendor runs"));
        }
        outline.egress_tools.push(kind);
    }
    Ok(())
}

fn is_string(value: Value<'_>) -> bool {
    value.kind() == Kind::String
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
