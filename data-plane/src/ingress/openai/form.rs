//! A form with files (RFC 7578), as an object of its fields and the files beside it.
//!
//! Law: what was read is what goes on, so that whoever reads it next reads the same: a field that is there twice is refused, unless its
//! name says that there may be several. Deliberately absent: what a field means, and what is in a file.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, header};
use multer::{Field, Multipart};
use proto::code::ErrorCode;

use crate::dialect::json::Json;
use crate::error::Rejection;
use crate::upstream::call::File;

/// More fields than this are an attack.
const FIELDS: usize = 64;

/// Fields that are files, whether or not they say so.
const FILES: [&str; 4] = ["file", "image", "image[]", "mask"];

/// A form, read.
#[derive(Debug, PartialEq)]
pub(super) struct Form {
    /// Its fields as an object: a text is a string, a file is `filename`, `type` and `bytes`, several of one name are an array.
    pub(super) fields: Vec<u8>,
    /// Its files, in their order.
    pub(super) files: Vec<File>,
    /// The form in which an answer is asked for.
    pub(super) format: Option<String>,
}

/// What a field holds.
enum Held {
    Text(String),
    File { filename: String, media_type: String, bytes: usize },
}

/// Reads a form.
pub(super) async fn read(headers: &HeaderMap, body: Bytes) -> Result<Form, Rejection> {
    let of_headers = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let boundary = of_headers.and_then(|kind| multer::parse_boundary(kind).ok());
    let boundary = boundary.ok_or_else(|| {
        Rejection::new(
            ErrorCode::UnsupportedMediaType,
            "the body must be `multipart/form-data` with a boundary",
        )
    })?;
    let mut parts = Multipart::new(stream::once(async move { Ok::<_, Infallible>(body) }), boundary);
    let (mut fields, mut files): (Vec<(String, Vec<Held>)>, _) = (Vec::new(), Vec::new());
    while let Some(field) = parts.next_field().await.map_err(|_| malformed())? {
        let (name, held) = hold(field, &mut files).await?;
        let count = fields.len();
        match fields.iter_mut().find(|(known, _)| *known == name) {
            Some((_, several)) if name.ends_with("[]") && several.len() < FIELDS => several.push(held),
            Some(_) => return Err(Rejection::field(&name, format!("the field `{name}` is there twice"))),
            None if count < FIELDS => fields.push((name, vec![held])),
            None => return Err(Rejection::field("", "the form has more than 64 fields")),
        }
    }
    let format = fields.iter().find(|(name, _)| name == "response_format");
    let format = format.and_then(|(_, held)| match held.as_slice() {
        [Held::Text(text)] => Some(text.clone()),
        _ => None,
    });
    // The files of one name stand together in the object, and in that order beside it.
    let files = in_order(&fields, files);
    Ok(Form { fields: written(&fields), files, format })
}

async fn hold(field: Field<'_>, files: &mut Vec<(String, File)>) -> Result<(String, Held), Rejection> {
    let name = field.name().filter(|name| !name.is_empty() && name.len() <= 64).map(str::to_owned);
    let name =
        name.ok_or_else(|| Rejection::field("", "a field of the form has no name of at most 64 bytes"))?;
    let filename = field.file_name().map(str::to_owned);
    let media_type = field.content_type().map(ToString::to_string).unwrap_or_default();
    let bytes = field.bytes().await.map_err(|_| malformed())?;
    if filename.is_none() && !FILES.contains(&name.as_str()) {
        let text = String::from_utf8(bytes.into());
        let text = text.map_err(|_| Rejection::field(&name, format!("the field `{name}` is not UTF-8")))?;
        return Ok((name, Held::Text(text)));
    }
    let held = Held::File { filename: filename.unwrap_or_default(), media_type, bytes: bytes.len() };
    files.push((name.clone(), File { bytes }));
    Ok((name, held))
}

fn in_order(fields: &[(String, Vec<Held>)], files: Vec<(String, File)>) -> Vec<File> {
    let place = |name: &str| fields.iter().position(|(field, _)| field == name);
    let mut files = files;
    files.sort_by_key(|(name, _)| place(name));
    files.into_iter().map(|(_, file)| file).collect()
}

fn written(fields: &[(String, Vec<Held>)]) -> Vec<u8> {
    let mut json = Json::default();
    json.object(|json| {
        for (name, held) in fields {
            match held.as_slice() {
                [one] => write(json.key(name), one),
                several => json.key(name).array(|json| several.iter().for_each(|held| write(json, held))),
            }
        }
    });
    json.done()
}

fn write(json: &mut Json, held: &Held) {
    match held {
        Held::Text(text) => json.string(text),
        Held::File { filename, media_type, bytes } => json.object(|json| {
            json.key("filename").string(filename);
            json.key("type").string(media_type);
            json.key("bytes").number_of(*bytes as u64);
        }),
    }
}

fn malformed() -> Rejection {
    Rejection::new(ErrorCode::InvalidRequest, "the body is not a form as `multipart/form-data` has it")
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read_of(parts: &str) -> Result<Form, Rejection> {
        let kind = "multipart/form-data; boundary=B".parse().unwrap();
        let headers: HeaderMap = [(header::CONTENT_TYPE, kind)].into_iter().collect();
        let body = format!("{}--B--\r\n", parts.replace('\n', "\r\n"));
        read(&headers, body.into()).await
    }

    fn text(name: &str, text: &str) -> String {
        format!("--B\ncontent-disposition: form-data; name=\"{name}\"\n\n{text}\n")
    }

    fn file(name: &str, text: &str) -> String {
        format!(
            "--B\ncontent-disposition: form-data; name=\"{name}\"; filename=\"{text}.png\"\ncontent-type: image/png\n\n{text}\n"
        )
    }

    #[tokio::test]
    async fn fields_are_an_object_and_files_stand_beside_it() {
        let parts =
            [file("image[]", "a"), text("model", "m\"x"), file("mask", "c"), file("image[]", "b")].concat();
        let read = read_of(&parts).await.unwrap();
        let shown = |name: &str| format!(r#"{{"filename":"{name}.png","type":"image/png","bytes":1}}"#);
        let expected =
            format!(r#"{{"image[]":[{},{}],"model":"m\"x","mask":{}}}"#, shown("a"), shown("b"), shown("c"));
        assert_eq!(String::from_utf8(read.fields).unwrap(), expected);
        let bytes: Vec<_> = read.files.iter().map(|file| file.bytes.as_ref()).collect();
        assert_eq!(bytes, [b"a", b"b", b"c"], "in the order in which the object has them");
        assert_eq!(read_of(&text("response_format", "srt")).await.unwrap().format.as_deref(), Some("srt"));
    }

    #[tokio::test]
    async fn what_could_be_read_in_two_ways_is_refused() {
        for wrong in [
            [text("model", "a"), text("model", "b")].concat(),
            [file("file", "a"), file("file", "b")].concat(),
            text("", "a"),
            text(&"x".repeat(65), "a"),
            (0..65).map(|at| text(&format!("f{at}"), "x")).collect(),
            "--B\n\nno name\n".to_owned(),
            "--B\ncontent-disposition: form-data; name=\"x\"\n".to_owned(),
        ] {
            assert_eq!(read_of(&wrong).await.unwrap_err().code(), ErrorCode::InvalidRequest, "{wrong}");
        }
        let bare = read(&HeaderMap::new(), Bytes::new()).await.unwrap_err();
        assert_eq!(bare.code(), ErrorCode::UnsupportedMediaType);
    }
}
