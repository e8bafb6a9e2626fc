//! What the simulated vendor says it has: names of models that the examples use, and some that nobody has registered yet.
//!
//! Law: always the same. The vendor answers to every other name as well.

use policy_engine::vocabulary::Instant;
use proto::admin::VendorModel;

use super::card::those;

/// Names, what can be asked of each, how much it reads, and from when on it is discouraged and gone.
#[rustfmt::skip]
const MODELS: [(&str, &str, u32, [&str; 2]); 24] = [
    ("claude-haiku-4-5",             "chat",       200_000, ["", ""]),
    ("claude-sonnet-4-5",            "chat",       200_000, ["", ""]),
    ("gemini-2.5-flash",             "chat",     1_048_576, ["", ""]),
    ("gemini-2.5-pro",               "chat",     1_048_576, ["", ""]),
    ("gpt-3.5-turbo-instruct",       "complete",     4_096, ["", ""]),
    ("gpt-4o",                       "chat",       128_000, ["", ""]),
    ("gpt-4o-mini",                  "chat",       128_000, ["", ""]),
    ("gpt-image-1",                  "image",            0, ["", ""]),
    ("llama-3.2-90b-vision-instruct", "chat",      128_000, ["", ""]),
    ("llama-3.3-70b-instruct",       "chat",       128_000, ["", ""]),
    ("mistral-large-2411",           "chat",       131_072, ["2026-02-27", "2027-02-28"]),
    ("o3-mini",                      "chat",       200_000, ["", ""]),
    ("omni-moderation-latest",       "moderate",         0, ["", ""]),
    ("rerank-v3.5",                  "rerank",       4_096, ["", ""]),
    ("simulated-large-2",            "chat",       256_000, ["", ""]),
    ("simulated-small-1",            "chat",        32_000, ["2026-06-01", "2027-06-01"]),
    ("simulated-small-2",            "chat",       128_000, ["", ""]),
    ("text-embedding-3-large",       "embed",        8_191, ["", ""]),
    ("text-embedding-3-small",       "embed",        8_191, ["", ""]),
    ("tts-1",                        "speech",           0, ["", ""]),
    ("whisper-1",                    "transcribe",       0, ["", ""]),
    ("whisper-2",                    "transcribe",       0, ["", ""]),
    ("echo-large",                   "chat",        32_000, ["", ""]),
    ("echo-small",                   "chat",        32_000, ["", ""]),
];

/// All of them, in the order of their ids.
pub(super) fn models() -> Vec<VendorModel> {
    let at = |text: &str| Instant::parse(text).ok().map(proto::convert::timestamp);
    let of = |(id, operation, window, [deprecated, retired]): &(&str, &str, u32, [&str; 2])| VendorModel {
        id: (*id).to_owned(),
        publisher: "Chancery".to_owned(),
        description: "Simulated: it answers without a network".to_owned(),
        operations: vec![(*operation).to_owned()],
        operations_known: true,
        capabilities: those(&[(*operation == "chat", "tools"), (*operation == "chat", "jsonSchema")]),
        context_window: *window,
        deprecated: !deprecated.is_empty(),
        deprecate_time: at(deprecated),
        retire_time: at(retired),
        ..VendorModel::default()
    };
    let mut all: Vec<VendorModel> = MODELS.iter().map(of).collect();
    all.sort_by(|a, b| a.id.cmp(&b.id));
    all
}
