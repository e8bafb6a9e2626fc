//! What stands in base64 that is known to be base64: the inside of a data URL, of a file, of a recording.
//!
//! Law: it is judged by its bytes, whatever it is said to be, and however short it is. What reads as text is text, unless it is a PDF
//! or begins as a known format does and goes on as none of text; nothing else can be read here.
//! Sources: RFC 4648 sections 4 and 5; the formats' own signatures. Absent on purpose: reading those formats, and other encodings of
//! text than UTF-8.

use super::code::{Code, Decoded, is_base64};

/// Characters that are looked at before all of them are: whole bytes.
const PROBE: usize = 4096;

/// How a document begins that may be of letters alone and is no text to be changed all the same.
const PDF: &[u8] = b"%PDF-";

/// How files begin that are not text, though most of one may be. Letters alone make none of them.
const SIGNATURES: [&[u8]; 15] = [
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"GIF8",
    b"RIFF",
    b"II*\0",
    b"MM\0*",
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"\x1f\x8b",
    b"\xd0\xcf\x11\xe0",
    b"OggS",
    b"fLaC",
    b"ID3",
    b"\x1a\x45\xdf\xa3",
    b"\0asm",
];

/// What base64 holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// Text; what of it is no UTF-8 stands as U+FFFD.
    Text(String),
    /// Something that cannot be read: an image, a recording, a document.
    Opaque,
}

impl Held {
    /// Reads base64 of either alphabet, padded or not; characters of neither are passed over, as lenient readers do.
    pub fn read(base64: &str) -> Self {
        let (probe, rest) = base64.split_at(base64.floor_char_boundary(PROBE));
        let begins = bytes_of(probe);
        if has_format(&begins) || !is_text(&begins) {
            return Self::Opaque;
        }
        let bytes = if rest.is_empty() { begins } else { bytes_of(base64) };
        if !is_text(&bytes) {
            return Self::Opaque;
        }
        Self::Text(String::from_utf8_lossy(&bytes).into_owned())
    }
}

fn has_format(bytes: &[u8]) -> bool {
    let signed = || SIGNATURES.iter().any(|signature| bytes.starts_with(signature));
    let is_wrong = |fault: std::str::Utf8Error| fault.error_len().is_some();
    let is_clean = || !bytes.contains(&0) && !std::str::from_utf8(bytes).is_err_and(is_wrong);
    bytes.starts_with(PDF) || signed() && !is_clean()
}

fn is_text(bytes: &[u8]) -> bool {
    Decoded::read(bytes).is_text()
}

/// What the characters stand for; padding ends a run of them.
fn bytes_of(base64: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(base64.len() / 4 * 3);
    for run in base64.split('=') {
        if run.bytes().all(is_base64) {
            Code::Base64.decode(run.as_bytes(), &mut bytes);
        } else {
            let own: Vec<u8> = run.bytes().filter(|byte| is_base64(*byte)).collect();
            Code::Base64.decode(&own, &mut bytes);
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_told_by_its_bytes() {
        let text = |text: &str| Held::Text(text.to_owned());
        for (base64, held) in [
            ("", text("")),
            ("YUBiLmRl", text("a@b.de")),
            ("YWRhQGV4YW1wbGUub3Jn", text("ada@example.org")),
            ("YQ==YUBiLmRl", text("aa@b.de")),
            ("YUBi*Lm\nRl", text("a@b.de")),
            ("8J-YgA", text("😀")),
            ("bfxsbGVyQGV4YW1wbGUub3Jn", text("m\u{fffd}ller@example.org")),
            ("SUQzIGFkYUBleGFtcGxlLm9yZw==", text("ID3 ada@example.org")),
            ("SUQzBAAAAAAAA2FkYUBleGFtcGxlLm9yZw==", Held::Opaque),
            ("iVBORw0KGgo=", Held::Opaque),
            ("JVBERi0xLjcgYWRhQGV4YW1wbGUub3Jn", Held::Opaque),
            ("AAEC/f7/", Held::Opaque),
        ] {
            assert_eq!(Held::read(base64), held, "{base64}");
        }
    }

    #[test]
    fn what_begins_as_text_is_read_to_its_end() {
        let text = "YWFh".repeat(PROBE);
        assert_eq!(Held::read(&format!("{text}YUBiLmRl")), Held::Text("aaa".repeat(PROBE) + "a@b.de"));
        assert_eq!(Held::read(&format!("{text}{}", "AAAA".repeat(2 * PROBE))), Held::Opaque);
    }
}
