//! What `model_info` says of a model, as its card.
//!
//! Law: a model that can be asked for nothing here is not carried; what it can do beside is left out of the card, not guessed.

use std::collections::BTreeMap;

use super::at::At;
use crate::verbs::written::Card;

/// What can be asked of a mode of LiteLLM's, and what is answered.
const MODES: [(&str, &str, &str); 3] =
    [("chat", "chat", "text"), ("responses", "chat", "text"), ("embedding", "embed", "embedding")];

/// What a flag says a model reads.
const READS: [(&str, &str); 3] =
    [("supports_vision", "image"), ("supports_audio_input", "audio"), ("supports_pdf_input", "file")];

/// What a flag says a model can do.
const ABLE: [(&str, &str); 3] = [
    ("supports_function_calling", "tools"),
    ("supports_response_schema", "jsonSchema"),
    ("supports_reasoning", "reasoning"),
];

/// Takes a card out of `model_info`. Errors with the place and why where its mode is none that can be asked for.
pub(super) fn read<'n>(
    info: &mut BTreeMap<&'n str, At<'n>>,
    model: &str,
) -> Result<Card, (At<'n>, &'static str)> {
    let usual = if model.contains("embed") { "embedding" } else { "chat" };
    let mode = info.remove("mode");
    let said = mode.as_ref().and_then(At::text).unwrap_or(usual);
    let (operation, output) = match (MODES.iter().find(|(mode, ..)| *mode == said), mode) {
        (Some((_, operation, output)), _) => (*operation, *output),
        (None, Some(at)) => return Err((at, "is no mode that can be asked for: chat and embedding are")),
        (None, None) => ("chat", "text"),
    };
    let mut flagged = |flags: &[(&str, &'static str)]| -> Vec<&'static str> {
        let set = flags.iter().filter(|(flag, _)| info.remove(*flag).is_some_and(|at| at.is_true()));
        set.map(|(_, word)| *word).collect()
    };
    let (read, capabilities) = (flagged(&READS), flagged(&ABLE));
    let mut tokens = |field: &str| {
        let count = info.remove(field)?.count()?;
        u32::try_from(count).ok()
    };
    let (context, most, old) =
        (tokens("max_input_tokens"), tokens("max_output_tokens"), tokens("max_tokens"));
    let description = info.remove("description").and_then(|at| at.text()).unwrap_or_default();
    Ok(Card {
        description: description.to_owned(),
        input: [&["text"], &read[..]].concat(),
        output: vec![output],
        operations: vec![operation],
        capabilities,
        context_window: context,
        max_output_tokens: most.or(old).filter(|_| operation == "chat"),
    })
}
