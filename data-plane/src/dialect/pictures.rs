//! OpenAI's `POST /v1/images/generations`, for vendors that say it otherwise: what is asked, read, and what came of it, written.
//!
//! Law: what a vendor has no word for is refused by its name, or left out and told. Pictures are given within the answer, as they came: nothing
//! is kept here that an address could name. Absent on purpose: changing pictures, which no other vendor is asked for.

use std::borrow::Cow;

use super::Unfit;
use super::chat::Raw;
use super::field::raw;
use super::json::Json;
use crate::tape::{Kind, Tape, Value};

/// What is asked.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Asked {
    /// What is to be seen.
    pub(super) prompt: String,
    /// How many pictures.
    pub(super) count: u64,
    /// Width and height, in pixels.
    pub(super) size: Option<(u32, u32)>,
    /// How well, in OpenAI's words.
    pub(super) quality: Option<String>,
    /// `png`, `jpeg` or `webp`.
    pub(super) format: Option<String>,
    /// Members that the published schema has not, by their names.
    pub(super) others: Vec<(String, Raw)>,
    /// What is not told.
    pub(super) left_out: Vec<Cow<'static, str>>,
}

/// Why an answer has no pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unmade {
    /// It is none.
    Unread,
    /// The vendor's filter refused them.
    Filtered,
}

/// Reads a body.
pub(super) fn read(body: &[u8]) -> Result<Asked, Unfit> {
    let mut tape = Tape::for_text(body.len());
    let root = tape.read(body).ok().and_then(|()| tape.root(body));
    let root = root.ok_or_else(|| Unfit::new("prompt", "the body is no JSON"))?;
    let mut asked = Asked { count: 1, ..Asked::default() };
    for (key, value) in root.members().filter(|(_, value)| value.kind() != Kind::Null) {
        let name = key.text();
        match name.as_ref() {
            "model" | "stream" | "partial_images" => {}
            "prompt" => asked.prompt = value.text().into_owned(),
            "n" => asked.count = value.whole().unwrap_or(1),
            "size" if value.is("auto") => {}
            "size" => asked.size = Some(pixels(&value.text())?),
            "quality" if value.is("auto") => {}
            "quality" => asked.quality = Some(value.text().into_owned()),
            "output_format" => asked.format = Some(value.text().into_owned()),
            "response_format" if value.is("b64_json") => {}
            "response_format" => {
                return Err(Unfit::new(
                    "response_format",
                    "pictures are given in the answer, not at an address",
                ));
            }
            "background" | "moderation" if value.is("auto") => {}
            "user" => asked.left_out.push("user".into()),
            field @ ("background" | "moderation" | "style" | "output_compression" | "input_fidelity") => {
                return Err(Unfit::new(field.to_owned(), "there is no word for it there"));
            }
            name => asked.others.push((name.to_owned(), raw(value))),
        }
    }
    Ok(asked)
}

/// A size such as `1024x1536`, spelt in the one way that prices are: digits, without leading zeros.
fn pixels(text: &str) -> Result<(u32, u32), Unfit> {
    let sides = text.split_once('x').and_then(|(width, height)| Some((side(width)?, side(height)?)));
    sides.ok_or_else(|| Unfit::new("size", "it is no width and height such as `1024x1024`"))
}

/// A side of a picture, in pixels.
fn side(text: &str) -> Option<u32> {
    let plain = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    let side = text.parse().ok().filter(|_| plain)?;
    (1..=16_384).contains(&side).then_some(side)
}

impl Asked {
    /// Its shape as one of those that a vendor makes, such as `3:2`.
    pub(super) fn shape(&self, shapes: &[&'static str]) -> Result<Option<&'static str>, Unfit> {
        let Some((width, height)) = self.size else { return Ok(None) };
        let fits = |shape: &&&str| {
            let sides = shape.split_once(':').and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
            sides.is_some_and(|(w, h): (u32, u32)| w.checked_mul(height) == h.checked_mul(width))
        };
        let no_shape = || Unfit::new("size", "pictures have no such shape there");
        shapes.iter().find(fits).copied().map(Some).ok_or_else(no_shape)
    }

    /// Refuses more than one picture.
    pub(super) fn is_of_one(&self) -> Result<(), Unfit> {
        match self.count {
            1 => Ok(()),
            _ => Err(Unfit::new("n", "one picture at a time is made there")),
        }
    }

    /// Refuses members that none of these names is of.
    pub(super) fn knows(&self, names: &[&str]) -> Result<(), Unfit> {
        match self.others.iter().find(|(name, _)| !names.contains(&name.as_str())) {
            Some((name, _)) => Err(Unfit::new(name.clone(), "there is no word for it there")),
            None => Ok(()),
        }
    }

    /// Members of these names as they came.
    pub(super) fn write_others(&self, json: &mut Json, names: &[&str]) {
        let told = self.others.iter().filter(|(name, _)| names.contains(&name.as_str()));
        told.for_each(|(name, value)| json.key(name).raw(value.as_bytes()));
    }

    /// Refuses what is no usual quality.
    pub(super) fn is_of_usual_quality(&self) -> Result<(), Unfit> {
        match self.quality.as_deref() {
            None | Some("standard" | "medium") => Ok(()),
            Some(_) => Err(Unfit::new("quality", "there is no word for it there")),
        }
    }

    /// The media type of the format that is asked for.
    pub(super) fn media_type(&self) -> Result<Option<&'static str>, Unfit> {
        Ok(Some(match self.format.as_deref() {
            None => return Ok(None),
            Some("png") => "image/png",
            Some("jpeg") => "image/jpeg",
            Some("webp") => "image/webp",
            Some(_) => return Err(Unfit::new("output_format", "there are no such pictures")),
        }))
    }
}

/// An answer of these pictures, each a text of base64; and how many tokens went in and came out, where that is told.
pub(super) fn write(
    pictures: &[Value<'_>],
    created: u64,
    tokens: Option<(u64, u64)>,
) -> Result<Vec<u8>, Unmade> {
    if pictures.is_empty() || pictures.iter().any(|picture| picture.kind() != Kind::String) {
        return Err(Unmade::Unread);
    }
    let mut json = Json::default();
    json.object(|json| {
        json.key("created").number_of(created);
        json.key("data").array(|json| {
            for picture in pictures {
                json.object(|json| json.key("b64_json").raw(picture.raw()));
            }
        });
        if let Some((input, output)) = tokens {
            json.key("usage").object(|json| {
                json.key("input_tokens").number_of(input);
                json.key("output_tokens").number_of(output);
                json.key("total_tokens").number_of(input.saturating_add(output));
            });
        }
    });
    Ok(json.done())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_spelt_in_one_way() {
        for (text, size) in [
            ("1792x1024", Some((1792, 1024))),
            ("1x16384", Some((1, 16_384))),
            ("+1792x1024", None),
            ("01792x1024", None),
            ("1792x+1024", None),
            ("1792X1024", None),
            (" 1792x1024", None),
            ("0x1024", None),
            ("x1024", None),
            ("16385x1", None),
        ] {
            assert_eq!(pixels(text).ok(), size, "{text}");
        }
    }
}
