//! Pictures by `InvokeModel`: of Amazon's Titan and Nova Canvas and of Stability's models, from OpenAI's `POST /v1/images/generations`.
//!
//! Law: the body is the model's own, so whose it is shows in its name. What a filter refused is no picture.

use super::super::field::member;
use super::super::json::Json;
use super::super::pictures::{self, Asked, Unmade};
use super::super::{Unfit, Written};
use crate::tape::{Kind, Tape, Value};

/// What Titan and Nova Canvas know beside it: of the picture, and of how it is made.
const TITANS: ([&str; 1], [&str; 2]) = (["negativeText"], ["cfgScale", "seed"]);
/// The same of Stability's models.
const STABILITYS: [&str; 3] = ["negative_prompt", "seed", "style_preset"];
/// The shapes that those make.
const SHAPES: [&str; 9] = ["1:1", "2:3", "3:2", "4:5", "5:4", "9:16", "16:9", "9:21", "21:9"];

/// A request.
pub(crate) fn write(model: &str, body: &[u8]) -> Result<Written, Unfit> {
    let asked = pictures::read(body)?;
    let body = if model.contains("stability.") { stability(&asked)? } else { titan(&asked)? };
    Ok(Written { body, left_out: asked.left_out, headers: Vec::new() })
}

fn titan(asked: &Asked) -> Result<Vec<u8>, Unfit> {
    asked.knows(&[&TITANS.0[..], &TITANS.1[..]].concat())?;
    if asked.media_type()?.is_some_and(|media| media != "image/png") {
        return Err(Unfit::new("output_format", "pictures are `png` there"));
    }
    let quality = match asked.quality.as_deref() {
        None => None,
        Some("standard" | "low" | "medium") => Some("standard"),
        Some("hd" | "high") => Some("premium"),
        Some(_) => return Err(Unfit::new("quality", "there is no word for it there")),
    };
    let mut json = Json::default();
    json.object(|json| {
        json.key("taskType").string("TEXT_IMAGE");
        json.key("textToImageParams").object(|json| {
            json.key("text").string(&asked.prompt);
            asked.write_others(json, &TITANS.0);
        });
        json.key("imageGenerationConfig").object(|json| {
            json.key("numberOfImages").number_of(asked.count);
            if let Some((width, height)) = asked.size {
                json.key("width").number_of(width.into());
                json.key("height").number_of(height.into());
            }
            if let Some(quality) = quality {
                json.key("quality").string(quality);
            }
            asked.write_others(json, &TITANS.1);
        });
    });
    Ok(json.done())
}

fn stability(asked: &Asked) -> Result<Vec<u8>, Unfit> {
    asked.knows(&STABILITYS)?;
    asked.is_of_one()?;
    asked.is_of_usual_quality()?;
    asked.media_type()?;
    let shape = asked.shape(&SHAPES)?;
    let mut json = Json::default();
    json.object(|json| {
        json.key("prompt").string(&asked.prompt);
        if let Some(shape) = shape {
            json.key("aspect_ratio").string(shape);
        }
        if let Some(format) = &asked.format {
            json.key("output_format").string(format);
        }
        asked.write_others(json, &STABILITYS);
    });
    Ok(json.done())
}

/// An answer.
pub(crate) fn read_answer(created: u64, body: &[u8]) -> Result<Vec<u8>, Unmade> {
    let mut tape = Tape::for_text(body.len());
    let root = tape.read(body).ok().and_then(|()| tape.root(body)).ok_or(Unmade::Unread)?;
    let reasons = member(root, "finish_reasons");
    let is_filter = |reason: Value<'_>| reason.text().starts_with("Filter reason");
    let is_filtered =
        reasons.is_some_and(|reasons| reasons.elements().any(is_filter)) || member(root, "error").is_some();
    let made: Vec<Value<'_>> = match member(root, "images") {
        Some(images) if images.kind() == Kind::Array => images.elements().collect(),
        _ => Vec::new(),
    };
    match made.is_empty() && is_filtered {
        true => Err(Unmade::Filtered),
        false => pictures::write(&made, created, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(model: &str, more: &str) -> Result<String, String> {
        let body = format!(r#"{{"model":"m","prompt":"A blue backpack"{more}}}"#);
        let written = write(model, body.as_bytes()).map_err(|unfit| unfit.field.to_string())?;
        Ok(String::from_utf8(written.body).unwrap())
    }

    /// After the user guide's pages on Titan Image Generator, Nova Canvas and Stability's models (`model-parameters-*`).
    #[test]
    fn a_picture_is_asked_for_in_the_models_own_words() {
        let all = r#","n":2,"size":"1280x720","quality":"hd","seed":7,"negativeText":"a cat","cfgScale":6.5,"user":"u""#;
        let canvas = concat!(
            r#"{"taskType":"TEXT_IMAGE","textToImageParams":{"text":"A blue backpack","negativeText":"a cat"},"#,
            r#""imageGenerationConfig":{"numberOfImages":2,"width":1280,"height":720,"quality":"premium","seed":7,"cfgScale":6.5}}"#,
        );
        assert_eq!(told("amazon.nova-canvas-v1:0", all).unwrap(), canvas);
        let bare = concat!(
            r#"{"taskType":"TEXT_IMAGE","textToImageParams":{"text":"A blue backpack"},"#,
            r#""imageGenerationConfig":{"numberOfImages":1}}"#,
        );
        let usual = r#","size":"auto","quality":"auto","response_format":"b64_json","output_format":"png""#;
        assert_eq!(told("amazon.titan-image-generator-v2:0", usual).unwrap(), bare);
        let ultra = r#"{"prompt":"A blue backpack","aspect_ratio":"3:2","output_format":"jpeg","seed":7,"negative_prompt":"a cat"}"#;
        let more = r#","size":"1536x1024","output_format":"jpeg","seed":7,"negative_prompt":"a cat""#;
        assert_eq!(told("stability.stable-image-ultra-v1:1", more).unwrap(), ultra);
        for (model, more, field) in [
            ("stability.sd3-5-large-v1:0", r#","n":2"#, "n"),
            ("stability.sd3-5-large-v1:0", r#","quality":"high""#, "quality"),
            ("stability.sd3-5-large-v1:0", r#","size":"1792x1024""#, "size"),
            ("stability.sd3-5-large-v1:0", r#","size":"large""#, "size"),
            ("stability.sd3-5-large-v1:0", r#","size":"0x1""#, "size"),
            ("stability.sd3-5-large-v1:0", r#","cfgScale":1"#, "cfgScale"),
            ("amazon.nova-canvas-v1:0", r#","output_format":"webp""#, "output_format"),
            ("amazon.nova-canvas-v1:0", r#","output_format":"gif""#, "output_format"),
            ("amazon.nova-canvas-v1:0", r#","response_format":"url""#, "response_format"),
            ("amazon.nova-canvas-v1:0", r#","background":"transparent""#, "background"),
            ("amazon.nova-canvas-v1:0", r#","style":"vivid""#, "style"),
            ("amazon.nova-canvas-v1:0", r#","quality":"best""#, "quality"),
        ] {
            assert_eq!(told(model, more).unwrap_err(), field, "{model} {more}");
        }
        let written = write("amazon.nova-canvas-v1:0", br#"{"prompt":"p","user":"u"}"#).unwrap();
        assert_eq!(written.left_out, ["user"]);
    }

    #[test]
    fn pictures_are_openais_and_what_a_filter_refused_is_none() {
        let read = |body: &str| read_answer(5, body.as_bytes());
        let two = r#"{"created":5,"data":[{"b64_json":"aGk="},{"b64_json":"aG8="}]}"#;
        assert_eq!(read(r#"{"images":["aGk=","aG8="]}"#).unwrap(), two.as_bytes());
        let one = r#"{"created":5,"data":[{"b64_json":"aGk="}]}"#;
        let ultra = r#"{"seeds":[2130420379],"finish_reasons":[null],"images":["aGk="]}"#;
        assert_eq!(read(ultra).unwrap(), one.as_bytes());
        let some = r#"{"images":["aGk="],"error":"some were blocked by our content filters"}"#;
        assert_eq!(read(some).unwrap(), one.as_bytes());
        for filtered in [
            r#"{"finish_reasons":["Filter reason: prompt"]}"#,
            r#"{"images":[],"error":"all were blocked by our content filters"}"#,
        ] {
            assert_eq!(read(filtered), Err(Unmade::Filtered), "{filtered}");
        }
        for none in ["", "[]", "{}", r#"{"images":[]}"#, r#"{"images":[1]}"#, r#"{"images":"aGk="}"#] {
            assert_eq!(read(none), Err(Unmade::Unread), "{none}");
        }
    }
}
