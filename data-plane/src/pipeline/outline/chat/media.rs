//! Media in the parts of a message: where it stands, where it is only referred to, and what of it is text.
//!
//! Law: only what stands where the dialect has media is taken for media, a text that looks like it is a text; what base64 holds is
//! for the inspection to say, never for its label. Absent on purpose: decoding.

use super::super::{Embedded, Outline};
use crate::tape::{Kind, Value};

/// Members that hold media, or say where it is.
const MEDIA: [&str; 7] = ["url", "data", "file_data", "file_url", "image_url", "audio_url", "video_url"];

/// Those of them that hold base64 without a word about it.
const BARE: [&str; 2] = ["data", "file_data"];

/// Keys and words of the dialect's own parts.
const PARTS: [&str; 12] = [
    "url",
    "detail",
    "auto",
    "low",
    "high",
    "data",
    "format",
    "wav",
    "mp3",
    "file_data",
    "file_id",
    "filename",
];

/// Base64 of this length is no word of anybody's.
const LONG: usize = 1024;

/// What a part holds, by its type: a label.
pub(super) fn medium_of(part: Value<'_>) -> &'static str {
    const MEDIUMS: [(&str, &str); 4] =
        [("image_url", "image"), ("input_audio", "audio"), ("file", "file"), ("video_url", "video")];
    let named = |of: Value<'_>| MEDIUMS.iter().find(|(name, _)| of.is(name)).map(|(_, medium)| *medium);
    part.get("type").and_then(named).unwrap_or("other")
}

/// Takes in a value of a part that holds this medium: what is embedded apart, all else as text.
pub(in crate::pipeline::outline) fn note<'t>(
    outline: &mut Outline,
    medium: &'static str,
    (mut name, value): (Value<'t>, Value<'t>),
) {
    let is_one_of = |word: Value<'_>, words: &[&str]| words.iter().any(|known| word.is(known));
    for leaf in value.leaves() {
        let media = leaf.kind() == Kind::String && is_one_of(name, &MEDIA);
        if media && let Some(weight) = embedded(is_one_of(name, &BARE), &leaf.text()) {
            let size = leaf.range().len();
            let media = if weight == Weight::Media { size } else { 0 };
            outline.media_bytes = outline.media_bytes.saturating_add(media);
            let textual = weight == Weight::Text;
            outline.embedded.push(Embedded { at: leaf.range(), medium, textual });
        } else if !is_one_of(leaf, &PARTS) {
            let elsewhere = media && leaf.text().contains("://") || name.is("file_id");
            if elsewhere && leaf.kind() == Kind::String {
                outline.elsewhere.push(medium);
            }
            outline.texts.push(leaf.range());
        }
        if leaf.kind() == Kind::Key {
            name = leaf;
        }
    }
}

/// As what embedded base64 is counted and, beside what it holds, read.
#[derive(PartialEq)]
enum Weight {
    /// As text: it says that it is, or may be one as it stands.
    Text,
    /// As media.
    Media,
}

/// Whether a text is base64 of something; `bare` where the dialect has nothing else there.
fn embedded(bare: bool, text: &str) -> Option<Weight> {
    let is_base64 = |coded: &str| {
        coded.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=' | b'-' | b'_'))
    };
    let Some((label, coded)) = data_url(text) else {
        return match text.len() {
            LONG.. if is_base64(text) => Some(Weight::Media),
            1.. if bare && is_base64(text) => Some(Weight::Text),
            _ => None,
        };
    };
    let textual = label.starts_with("text/") || label.starts_with("application/json");
    let is_media = !textual && is_media_type(label) && is_base64(coded);
    Some(if is_media { Weight::Media } else { Weight::Text })
}

/// What a `data:` URL (RFC 2397) in base64 says of itself, and its base64.
pub(crate) fn data_url(text: &str) -> Option<(&str, &str)> {
    const SCHEME: &str = "data:";
    const MARK: &[u8] = b";base64,";
    let (scheme, rest) = text.split_at_checked(SCHEME.len())?;
    if !scheme.eq_ignore_ascii_case(SCHEME) {
        return None;
    }
    let comma = memchr::memchr_iter(b',', rest.as_bytes())
        .find(|at| rest.as_bytes().get(..=*at).is_some_and(|label| ends_with(label, MARK)))?;
    Some((rest.get(..comma + 1 - MARK.len())?, rest.get(comma + 1..)?))
}

fn ends_with(text: &[u8], end: &[u8]) -> bool {
    text.len() >= end.len() && text.iter().rev().zip(end.iter().rev()).all(|(a, b)| a.eq_ignore_ascii_case(b))
}

/// A media type without parameters, as `image/png`.
fn is_media_type(of: &str) -> bool {
    of.len() <= 64 && of.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'+' | b'-' | b'.'))
}
