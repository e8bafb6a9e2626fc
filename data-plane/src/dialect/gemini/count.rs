//! `countTokens`: what is to be counted, and how much it is.
//!
//! Law: what is counted is a whole request where the caller gives one, and its contents otherwise.

use super::super::chat::Chat;
use super::super::field::BodyFault;
use super::super::json::Json;
use super::members::{at, members};
use super::read;
use crate::tape::Tape;

/// Reads what is to be counted.
pub(crate) fn read(model: &str, body: &[u8]) -> Result<Chat, BodyFault> {
    const WHOLE: &str = "generateContentRequest";
    let mut tape = Tape::for_text(body.len());
    tape.read(body)?;
    let Some(root) = tape.root(body) else { return Err(BodyFault::wrong("", "an object")) };
    let mut chat = Chat { model: model.to_owned(), ..Chat::default() };
    match at(root, WHOLE) {
        None => read::request(&mut chat, root)?,
        Some(_) if members(root)?.iter().any(|(name, _)| name == "contents") => {
            return Err(BodyFault::wrong("contents", "absent where `generateContentRequest` is given"));
        }
        Some(whole) => read::request(&mut chat, whole).map_err(|fault| fault.within(WHOLE))?,
    }
    Ok(chat)
}

/// A model's name as a resource.
pub(super) fn named(model: &str) -> String {
    if model.contains('/') { model.to_owned() } else { format!("models/{model}") }
}

/// Tells a caller how many tokens there are.
pub(crate) fn write_answer(tokens: u64) -> Vec<u8> {
    let mut json = Json::default();
    json.object(|json| json.key("totalTokens").number_of(tokens));
    json.done()
}
