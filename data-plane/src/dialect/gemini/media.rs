//! Media types: what a blob is to other dialects.
//!
//! Law: a place is read as one that other dialects know only if writing it gives the same again; what else there is stays this dialect's.

use super::super::chat::{Kind, Source};

/// Media types of pictures by how their names end.
const PICTURES: [(&str, &str); 8] = [
    (".png", "image/png"),
    (".jpg", "image/jpeg"),
    (".jpeg", "image/jpeg"),
    (".webp", "image/webp"),
    (".gif", "image/gif"),
    (".heic", "image/heic"),
    (".heif", "image/heif"),
    (".pdf", "application/pdf"),
];

/// Formats of sound whose media types go by another word.
const SOUNDS: [(&str, &str); 3] = [("audio/mpeg", "mp3"), ("audio/x-wav", "wav"), ("audio/wave", "wav")];

/// What a blob is.
pub(super) fn of_data(media_type: String, data: String, name: Option<String>) -> Kind {
    let known = SOUNDS.iter().find(|(of, _)| *of == media_type).map(|(_, format)| *format);
    if let Some(format) = known.or(media_type.strip_prefix("audio/")) {
        return Kind::Audio { data, format: format.to_owned() };
    }
    let is_picture = media_type.starts_with("image/");
    let source = Source::Data { media_type, data };
    if is_picture { Kind::Image(source, None) } else { Kind::File { source, name } }
}

/// What stands at a place, where other dialects know that.
pub(super) fn of_url(url: &str, media_type: &str, name: Option<&str>) -> Option<Kind> {
    let is_public = url.starts_with("https://") && !url.contains("googleapis.com");
    let of_name = of_name(url).filter(|known| is_public && *known == media_type)?;
    let source = Source::Url(url.to_owned());
    match (of_name.starts_with("image/"), name) {
        (true, Some(_)) => None,
        (true, None) => Some(Kind::Image(source, None)),
        (false, name) => Some(Kind::File { source, name: name.map(str::to_owned) }),
    }
}

/// The media type of what has such a name.
pub(super) fn of_name(url: &str) -> Option<&'static str> {
    let path = url.split(['?', '#']).next().unwrap_or_default().to_ascii_lowercase();
    PICTURES.iter().find(|(end, _)| path.ends_with(end)).map(|(_, media_type)| *media_type)
}
