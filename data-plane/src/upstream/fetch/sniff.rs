//! What something is by its first bytes.
//!
//! Law: only what has a mark of its own at its beginning is known; the marks are those of the WHATWG MIME Sniffing standard
//! (<https://mimesniff.spec.whatwg.org/>, 6.1 and 7.1). Deliberately absent: anything that may be read as a text.

/// The media type; `None`: nobody knows.
pub(super) fn media_type(bytes: &[u8]) -> Option<&'static str> {
    const MARKS: [(&[u8], &str); 5] = [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"GIF87a", "image/gif"),
        (b"GIF89a", "image/gif"),
        (b"%PDF-", "application/pdf"),
    ];
    let marked = MARKS.iter().find(|(mark, _)| bytes.starts_with(mark)).map(|(_, kind)| *kind);
    let riff = || bytes.starts_with(b"RIFF") && bytes.get(8..14) == Some(b"WEBPVP");
    marked.or_else(|| riff().then_some("image/webp"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_marked_is_known() {
        for (bytes, kind) in [
            (&b"\x89PNG\r\n\x1a\nrest"[..], Some("image/png")),
            (b"\xff\xd8\xff\xe0", Some("image/jpeg")),
            (b"GIF89a", Some("image/gif")),
            (b"RIFF\x01\x02\x03\x04WEBPVP8 ", Some("image/webp")),
            (b"RIFF\x01\x02\x03\x04WAVEfmt ", None),
            (b"%PDF-1.7", Some("application/pdf")),
            (b" %PDF-1.7", None),
            (b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>", None),
            (b"hello", None),
            (b"\x1f\x8b\x08", None),
            (b"", None),
        ] {
            assert_eq!(media_type(bytes), kind, "{bytes:?}");
        }
    }
}
