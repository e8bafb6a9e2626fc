//! `generationConfig`, read.
//!
//! Law: what has no place in the form between stays together, in `generationConfig` among the others.

use super::super::chat::{Chat, Format, Raw, Thinking};
use super::super::field::{BodyFault, boolean, kind};
use super::super::json::Json;
use super::members::{members, number, raw, string, strings, whole};
use super::schema;
use crate::tape::{Kind, Value};

/// What an answer in JSON is called where other dialects want a name.
pub(super) const NAME: &str = "response";

/// The media type of answers in JSON.
pub(super) const JSON: &str = "application/json";

/// What answers look like, as it was told.
#[derive(Default)]
struct Look<'t> {
    media_type: Option<Value<'t>>,
    /// Under which name, and whether it is OpenAPI's.
    schema: Option<(&'static str, Value<'t>)>,
}

/// Reads it into a conversation.
pub(super) fn read(chat: &mut Chat, config: Value<'_>) -> Result<(), BodyFault> {
    let (mut look, mut rest) = (Look::default(), Vec::new());
    for (name, value) in members(config)? {
        let at_least_one = || whole(&name, value, 1, "a whole number, at least 1");
        let field = name.as_str();
        match field {
            "temperature" => chat.sampling.temperature = Some(number(field, value)?),
            "topP" => chat.sampling.top_p = Some(number(field, value)?),
            "topK" => {
                let top_k = whole(field, value, 0, "a whole number")?;
                chat.sampling.top_k = Some(top_k.unsigned_abs());
            }
            "seed" => chat.sampling.seed = Some(seed(field, value)?),
            "presencePenalty" => chat.sampling.presence_penalty = Some(number(field, value)?),
            "frequencyPenalty" => chat.sampling.frequency_penalty = Some(number(field, value)?),
            "candidateCount" => chat.choices = Some(at_least_one()?.unsigned_abs()),
            "maxOutputTokens" => chat.max_tokens = Some(at_least_one()?.unsigned_abs()),
            "stopSequences" => chat.stop = strings(field, value)?,
            "responseMimeType" => {
                kind(field, value, &[Kind::String], "a string")?;
                look.media_type = Some(value);
            }
            "responseSchema" | "responseJsonSchema" if look.schema.is_some() => {
                return Err(BodyFault::wrong(field, "the only schema"));
            }
            "responseSchema" => look.schema = Some(("responseSchema", object(field, value)?)),
            "responseJsonSchema" => look.schema = Some(("responseJsonSchema", object(field, value)?)),
            "thinkingConfig" => {
                thinking(chat, value, &mut rest).map_err(|fault| fault.within(field))?;
            }
            _ => rest.push((name, raw(value))),
        }
    }
    chat.format = format(look, &mut rest);
    if !rest.is_empty() {
        chat.others.push(("generationConfig".to_owned(), together(&rest)));
    }
    Ok(())
}

fn object<'t>(field: &str, value: Value<'t>) -> Result<Value<'t>, BodyFault> {
    kind(field, value, &[Kind::Object], "an object").map(|()| value)
}

fn seed(field: &str, value: Value<'_>) -> Result<Raw, BodyFault> {
    let seed = number(field, value)?;
    match seed.parse::<i32>() {
        Ok(_) => Ok(seed),
        Err(_) => Err(BodyFault::wrong(field, "a whole number of 32 bits")),
    }
}

/// What answers look like; what only this dialect can ask for is put to the rest.
fn format(look: Look<'_>, rest: &mut Vec<(String, Raw)>) -> Option<Format> {
    let is = |wanted: &str| look.media_type.is_some_and(|media_type| media_type.is(wanted));
    match look.schema {
        Some((name, schema)) if look.media_type.is_none() || is(JSON) => Some(Format::Schema {
            name: NAME.to_owned(),
            description: None,
            schema: if name == "responseSchema" { schema::read(schema) } else { raw(schema) },
            strict: None,
        }),
        None if is(JSON) => Some(Format::Json),
        None if is("text/plain") => Some(Format::Text),
        schema => {
            let media_type = look.media_type.map(|media_type| ("responseMimeType", media_type));
            rest.extend(
                media_type.into_iter().chain(schema).map(|(name, value)| (name.to_owned(), raw(value))),
            );
            None
        }
    }
}

fn thinking(chat: &mut Chat, config: Value<'_>, rest: &mut Vec<(String, Raw)>) -> Result<(), BodyFault> {
    let (mut shown, mut unknown) = (None, Vec::new());
    let (mut budget, mut level) = (None, None);
    for (name, value) in members(config)? {
        match name.as_str() {
            "includeThoughts" => shown = boolean(&name, value)?,
            "thinkingBudget" => {
                budget = Some(whole(&name, value, -1, "a whole number of tokens, or -1")?);
            }
            "thinkingLevel" => level = Some(string(&name, value)?.to_ascii_lowercase()),
            _ => unknown.push((name, raw(value))),
        }
    }
    chat.thinking = match (budget, level) {
        (Some(_), Some(_)) => {
            return Err(BodyFault::wrong("thinkingLevel", "absent where `thinkingBudget` is given"));
        }
        (Some(0), None) => Some(Thinking::Off),
        (Some(tokens), None) => Some(Thinking::Budget(u64::try_from(tokens).ok())),
        (None, Some(level)) if level != "thinking_level_unspecified" => Some(Thinking::Effort(level)),
        (None, _) => None,
    };
    // Here thoughts are kept back unless they are asked for; who names a budget elsewhere is shown them.
    let is_budget = matches!(chat.thinking, Some(Thinking::Budget(_)));
    chat.show_thinking = shown.or(is_budget.then_some(false));
    if !unknown.is_empty() {
        rest.push(("thinkingConfig".to_owned(), together(&unknown)));
    }
    Ok(())
}

/// Members as an object.
pub(super) fn together(members: &[(String, Raw)]) -> Raw {
    let mut json = Json::default();
    json.object(|json| members.iter().for_each(|(name, value)| json.key(name).raw(value.as_bytes())));
    String::from_utf8_lossy(&json.done()).into()
}
