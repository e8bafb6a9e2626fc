//! `tools` and `toolConfig`, read.
//!
//! Law: a function is one of the caller's; any other tool is the vendor's, under its own name as its type. What only this dialect says of a
//! function stands in `functionDeclarations` among the others, by the function's name.

use super::super::chat::{Chat, Raw, Tool, ToolChoice};
use super::super::field::{BodyFault, kind};
use super::super::json::Json;
use super::config::together;
use super::members::{members, objects, raw, snake, string, strings};
use super::schema;
use crate::tape::{Kind, Value};

/// Reads `tools`.
pub(super) fn tools(chat: &mut Chat, field: &str, value: Value<'_>) -> Result<(), BodyFault> {
    let mut more = Vec::new();
    for (at, tool) in objects(field, value)?.into_iter().enumerate() {
        let path = format!("{field}[{at}]");
        for (name, value) in members(tool).map_err(|fault| fault.within(&path))? {
            match name.as_str() {
                "functionDeclarations" => functions((chat, &mut more), &format!("{path}.{name}"), value)?,
                _ => chat.tools.push(Tool::Vendor(of_vendor(&name, value))),
            }
        }
    }
    if !more.is_empty() {
        let mut json = Json::default();
        json.array(|json| more.iter().for_each(|function| json.raw(function.as_bytes())));
        let more = String::from_utf8_lossy(&json.done()).into();
        chat.others.push(("functionDeclarations".to_owned(), more));
    }
    Ok(())
}

/// A tool that the vendor runs.
fn of_vendor(name: &str, value: Value<'_>) -> Raw {
    let mut json = Json::default();
    json.object(|json| {
        json.key("type").string(&snake(name));
        json.key(name).raw(value.raw());
    });
    String::from_utf8_lossy(&json.done()).into()
}

/// Reads `functionDeclarations`.
fn functions(
    (chat, more): (&mut Chat, &mut Vec<Raw>),
    path: &str,
    value: Value<'_>,
) -> Result<(), BodyFault> {
    for (at, declared) in objects(path, value)?.into_iter().enumerate() {
        let (function, rest) = function(declared).map_err(|fault| fault.within(&format!("{path}[{at}]")))?;
        chat.tools.push(function);
        more.extend(rest);
    }
    Ok(())
}

fn function(declared: Value<'_>) -> Result<(Tool, Option<Raw>), BodyFault> {
    let (mut name, mut description, mut parameters, mut rest) = (None, None, None, Vec::new());
    for (member, value) in members(declared)? {
        match member.as_str() {
            "name" => name = Some(string(&member, value)?),
            "description" => description = Some(string(&member, value)?),
            "parameters" | "parametersJsonSchema" => {
                kind(&member, value, &[Kind::Object], "an object")?;
                let is_ours = member == "parametersJsonSchema";
                let schema = if is_ours { raw(value) } else { schema::read(value) };
                if parameters.replace(schema).is_some() {
                    return Err(BodyFault::wrong(member, "the only schema"));
                }
            }
            _ => rest.push((member, raw(value))),
        }
    }
    let name = name.ok_or_else(|| BodyFault::Missing("name".to_owned()))?;
    let rest = (!rest.is_empty()).then(|| {
        let mut quoted = Json::default();
        quoted.string(&name);
        let named = ("name".to_owned(), String::from_utf8_lossy(&quoted.done()).into());
        together(&std::iter::once(named).chain(rest).collect::<Vec<_>>())
    });
    Ok((Tool::Function { name, description, parameters, strict: None, cache: None }, rest))
}

/// Reads `toolConfig`.
pub(super) fn choice(chat: &mut Chat, config: Value<'_>) -> Result<(), BodyFault> {
    let mut rest = Vec::new();
    for (name, value) in members(config)? {
        match name.as_str() {
            "functionCallingConfig" => {
                chat.tool_choice = calling(value).map_err(|fault| fault.within(&name))?;
            }
            _ => rest.push((name, raw(value))),
        }
    }
    if !rest.is_empty() {
        // In snake case, as policy knows the field.
        chat.others.push(("tool_config".to_owned(), together(&rest)));
    }
    Ok(())
}

fn calling(config: Value<'_>) -> Result<Option<ToolChoice>, BodyFault> {
    let (mut mode, mut names) = (String::new(), Vec::new());
    for (name, value) in members(config)? {
        match name.as_str() {
            "mode" => mode = string(&name, value)?.to_ascii_uppercase(),
            "allowedFunctionNames" => names = strings(&name, value)?,
            _ => return Err(BodyFault::wrong(name, "absent: it is not known")),
        }
    }
    Ok(match (mode.as_str(), names.as_slice()) {
        ("" | "MODE_UNSPECIFIED", []) => None,
        ("AUTO", []) => Some(ToolChoice::Auto),
        ("NONE", _) => Some(ToolChoice::None),
        ("ANY", []) => Some(ToolChoice::Any),
        ("ANY", [name]) => Some(ToolChoice::Named(name.clone())),
        ("ANY", names) => Some(ToolChoice::Other(allowed("required", names))),
        ("VALIDATED", []) => Some(ToolChoice::Other(r#"{"mode":"VALIDATED"}"#.into())),
        ("VALIDATED", names) => Some(ToolChoice::Other(allowed("auto", names))),
        ("" | "MODE_UNSPECIFIED" | "AUTO", _) => {
            return Err(BodyFault::wrong(
                "allowedFunctionNames",
                "absent unless the mode is ANY or VALIDATED",
            ));
        }
        _ => return Err(BodyFault::wrong("mode", "AUTO, ANY, NONE or VALIDATED")),
    })
}

/// A choice among some functions, as OpenAI's dialect publishes it.
fn allowed(mode: &str, names: &[String]) -> Raw {
    let mut json = Json::default();
    json.object(|json| {
        json.key("type").string("allowed_tools");
        json.key("allowed_tools").object(|json| {
            json.key("mode").string(mode);
            json.key("tools").array(|json| {
                for name in names {
                    json.object(|json| {
                        json.key("type").string("function");
                        json.key("function").object(|json| json.key("name").string(name));
                    });
                }
            });
        });
    });
    String::from_utf8_lossy(&json.done()).into()
}
