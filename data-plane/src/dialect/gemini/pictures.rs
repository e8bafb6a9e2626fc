//! Pictures of Google's: of Imagen by `predict`, of Gemini's own models by `generateContent`; from OpenAI's `POST /v1/images/generations`.
//!
//! Law: which of the two it is shows in the model's name. What a filter refused is no picture.

use super::super::field::member;
use super::super::json::Json;
use super::super::pictures::{self, Asked, Unmade};
use super::super::{Unfit, Written};
use crate::tape::{Kind, Tape, Value};

/// What Imagen knows beside it.
const IMAGENS: [&str; 8] = [
    "addWatermark",
    "enhancePrompt",
    "language",
    "negativePrompt",
    "personGeneration",
    "safetySetting",
    "sampleImageSize",
    "seed",
];
/// The shapes that it makes.
const IMAGEN_SHAPES: [&str; 5] = ["1:1", "3:4", "4:3", "9:16", "16:9"];
/// The shapes that Gemini's own models make.
const SHAPES: [&str; 10] = ["1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9"];
/// How an answer of theirs ends whose content a filter refused.
const FILTERED: [&str; 6] =
    ["SAFETY", "PROHIBITED_CONTENT", "BLOCKLIST", "SPII", "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT"];

/// Whether a model is asked by `predict`.
pub(crate) fn is_imagen(model: &str) -> bool {
    model.rsplit('/').next().is_some_and(|name| name.starts_with("imagen"))
}

/// A request.
pub(crate) fn write(model: &str, body: &[u8]) -> Result<Written, Unfit> {
    let asked = pictures::read(body)?;
    asked.is_of_usual_quality()?;
    let body = if is_imagen(model) { imagen(&asked)? } else { gemini(&asked)? };
    Ok(Written { body, left_out: asked.left_out, headers: Vec::new() })
}

fn imagen(asked: &Asked) -> Result<Vec<u8>, Unfit> {
    asked.knows(&IMAGENS)?;
    let (shape, media) = (asked.shape(&IMAGEN_SHAPES)?, asked.media_type()?);
    if media == Some("image/webp") {
        return Err(Unfit::new("output_format", "pictures are `png` or `jpeg` there"));
    }
    let mut json = Json::default();
    json.object(|json| {
        json.key("instances").array(|json| json.object(|json| json.key("prompt").string(&asked.prompt)));
        json.key("parameters").object(|json| {
            json.key("sampleCount").number_of(asked.count);
            if let Some(shape) = shape {
                json.key("aspectRatio").string(shape);
            }
            if let Some(media) = media {
                json.key("outputOptions").object(|json| json.key("mimeType").string(media));
            }
            asked.write_others(json, &IMAGENS);
        });
    });
    Ok(json.done())
}

fn gemini(asked: &Asked) -> Result<Vec<u8>, Unfit> {
    asked.knows(&[])?;
    asked.is_of_one()?;
    if asked.media_type()?.is_some_and(|media| media != "image/png") {
        return Err(Unfit::new("output_format", "pictures are `png` there"));
    }
    let shape = asked.shape(&SHAPES)?;
    let mut json = Json::default();
    json.object(|json| {
        json.key("contents").array(|json| {
            json.object(|json| {
                json.key("role").string("user");
                let part = |json: &mut Json| json.key("text").string(&asked.prompt);
                json.key("parts").array(|json| json.object(part));
            });
        });
        json.key("generationConfig").object(|json| {
            json.key("responseModalities").array(|json| json.string("IMAGE"));
            if let Some(shape) = shape {
                json.key("imageConfig").object(|json| json.key("aspectRatio").string(shape));
            }
        });
    });
    Ok(json.done())
}

/// An answer, of either.
pub(crate) fn read_answer(created: u64, body: &[u8]) -> Result<Vec<u8>, Unmade> {
    let mut tape = Tape::for_text(body.len());
    let root = tape.read(body).ok().and_then(|()| tape.root(body)).ok_or(Unmade::Unread)?;
    let mut made = Vec::new();
    let mut is_filtered =
        member(root, "promptFeedback").is_some_and(|told| member(told, "blockReason").is_some());
    for prediction in elements(root, "predictions") {
        made.extend(member(prediction, "bytesBase64Encoded"));
        is_filtered |= member(prediction, "raiFilteredReason").is_some();
    }
    for candidate in elements(root, "candidates") {
        let ended = member(candidate, "finishReason");
        is_filtered |= ended.is_some_and(|ended| FILTERED.iter().any(|word| ended.is(word)));
        let Some(content) = member(candidate, "content") else { continue };
        for part in elements(content, "parts") {
            made.extend(member(part, "inlineData").and_then(|data| member(data, "data")));
        }
    }
    match made.is_empty() && is_filtered {
        true => Err(Unmade::Filtered),
        false => pictures::write(&made, created, member(root, "usageMetadata").map(tokens)),
    }
}

/// Tokens that went in and came out, thoughts among them.
fn tokens(told: Value<'_>) -> (u64, u64) {
    let count = |name: &str| member(told, name).and_then(|count| count.whole()).unwrap_or(0);
    (count("promptTokenCount"), count("candidatesTokenCount").saturating_add(count("thoughtsTokenCount")))
}

/// What a list has, if it is one.
fn elements<'t>(of: Value<'t>, name: &str) -> impl Iterator<Item = Value<'t>> {
    let list = member(of, name).filter(|list| list.kind() == Kind::Array);
    list.into_iter().flat_map(|list| list.elements())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(model: &str, more: &str) -> Result<String, String> {
        let body = format!(r#"{{"model":"m","prompt":"A blue backpack"{more}}}"#);
        let written = write(model, body.as_bytes()).map_err(|unfit| unfit.field.to_string())?;
        Ok(String::from_utf8(written.body).unwrap())
    }

    /// After the references of Imagen on the Gemini API and Vertex AI (`predict`) and of `generateContent`.
    #[test]
    fn a_picture_is_asked_for_in_the_models_own_words() {
        let imagen = concat!(
            r#"{"instances":[{"prompt":"A blue backpack"}],"parameters":{"sampleCount":3,"aspectRatio":"16:9","#,
            r#""outputOptions":{"mimeType":"image/jpeg"},"personGeneration":"dont_allow"}}"#,
        );
        let more = r#","n":3,"size":"1280x720","output_format":"jpeg","personGeneration":"dont_allow""#;
        assert_eq!(told("imagen-4.0-generate-001", more).unwrap(), imagen);
        let gemini = concat!(
            r#"{"contents":[{"role":"user","parts":[{"text":"A blue backpack"}]}],"#,
            r#""generationConfig":{"responseModalities":["IMAGE"],"imageConfig":{"aspectRatio":"2:3"}}}"#,
        );
        let more = r#","size":"1024x1536","quality":"medium""#;
        assert_eq!(told("gemini-2.5-flash-image", more).unwrap(), gemini);
        for (model, more, field) in [
            ("imagen-4.0-generate-001", r#","size":"1024x1536""#, "size"),
            (
                "publishers/google/models/imagen-4.0-generate-001",
                r#","output_format":"webp""#,
                "output_format",
            ),
            ("imagen-4.0-generate-001", r#","quality":"hd""#, "quality"),
            ("imagen-4.0-generate-001", r#","storageUri":"gs://b""#, "storageUri"),
            ("gemini-2.5-flash-image", r#","n":2"#, "n"),
            ("gemini-2.5-flash-image", r#","seed":2"#, "seed"),
            ("gemini-2.5-flash-image", r#","output_format":"jpeg""#, "output_format"),
        ] {
            assert_eq!(told(model, more).unwrap_err(), field, "{model} {more}");
        }
    }

    #[test]
    fn pictures_are_openais_and_what_a_filter_refused_is_none() {
        let read = |body: &str| read_answer(5, body.as_bytes());
        let one = r#"{"created":5,"data":[{"b64_json":"aGk="}]}"#.as_bytes();
        for body in [
            r#"{"predictions":[{"mimeType":"image/png","bytesBase64Encoded":"aGk="},{"raiFilteredReason":"Filtered out"}]}"#,
            r#"{"candidates":[{"content":{"parts":[{"text":"Here"},{"inlineData":{"mimeType":"image/png","data":"aGk="}}]},"finishReason":"STOP"}]}"#,
        ] {
            assert_eq!(read(body).unwrap(), one, "{body}");
        }
        let counted = r#"{"candidates":[{"content":{"parts":[{"inlineData":{"data":"aGk="}}]}}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":1290,"thoughtsTokenCount":1}}"#;
        let told = r#"{"created":5,"data":[{"b64_json":"aGk="}],"usage":{"input_tokens":9,"output_tokens":1291,"total_tokens":1300}}"#;
        assert_eq!(read(counted).unwrap(), told.as_bytes());
        for filtered in [
            r#"{"predictions":[{"raiFilteredReason":"Unable to show"}]}"#,
            r#"{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"}}"#,
            r#"{"candidates":[{"finishReason":"IMAGE_SAFETY"}]}"#,
        ] {
            assert_eq!(read(filtered), Err(Unmade::Filtered), "{filtered}");
        }
        for none in ["", "{}", r#"{"predictions":[]}"#, r#"{"predictions":[{"bytesBase64Encoded":1}]}"#] {
            assert_eq!(read(none), Err(Unmade::Unread), "{none}");
        }
    }
}
