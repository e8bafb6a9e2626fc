//! Simulated sound: a tone for every token that is spoken, and what is heard in a file.
//!
//! Law: a sound is a function of its text and comes in pieces, a tone each; a file that is text is heard as that text, any other as its
//! length. Deliberately absent: encoders (all sound is WAV), voices and hearing.

use std::borrow::Cow;
use std::collections::VecDeque;

use bytes::{BufMut as _, Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{hash::fnv, tokens, wire};
use crate::dialect::transcript;

/// Samples a second.
const RATE: u32 = 8000;

/// Samples of one tone: a twentieth of a second.
const TONE: u32 = RATE / 20;

/// The most tokens that are spoken.
const MOST: usize = 4096;

/// `POST /audio/speech`.
#[derive(Debug, Deserialize)]
pub(super) struct Speech<'a> {
    #[serde(borrow)]
    pub(super) input: Cow<'a, str>,
}

/// The pieces of a sound: the head of a WAV file, then a tone for each token.
pub(super) fn pieces(text: &str) -> VecDeque<Bytes> {
    let tones = tokens::tokens(text).take(MOST).map(tone);
    let mut pieces: VecDeque<Bytes> = tones.collect();
    let length = u32::try_from(pieces.len()).unwrap_or(u32::MAX).saturating_mul(TONE);
    pieces.push_front(head(length));
    pieces
}

/// The head of a file of so many samples of eight bits (RIFF WAVE).
fn head(samples: u32) -> Bytes {
    let mut head = BytesMut::with_capacity(44);
    head.put_slice(b"RIFF");
    head.put_u32_le(samples.saturating_add(36));
    head.put_slice(b"WAVEfmt ");
    head.put_u32_le(16);
    head.put_u16_le(1);
    head.put_u16_le(1);
    head.put_u32_le(RATE);
    head.put_u32_le(RATE);
    head.put_u16_le(1);
    head.put_u16_le(8);
    head.put_slice(b"data");
    head.put_u32_le(samples);
    head.freeze()
}

/// A square tone between 100 and 355 Hz.
fn tone(token: &str) -> Bytes {
    let pitch = 100 + u32::try_from(fnv(token.as_bytes()) % 256).unwrap_or(0);
    (0..TONE).map(|at| if (at * pitch * 2 / RATE).is_multiple_of(2) { 96_u8 } else { 160 }).collect()
}

/// The fields of the forms of `POST /audio/transcriptions` and `POST /audio/translations`.
#[derive(Debug, Deserialize)]
pub(super) struct Transcription<'a> {
    #[serde(borrow)]
    model: Cow<'a, str>,
    #[serde(borrow, default)]
    response_format: Option<Cow<'a, str>>,
}

#[derive(Serialize)]
struct Segment<'a> {
    id: u32,
    start: f32,
    end: f32,
    text: &'a str,
}

/// What a file holds, as it is heard.
pub(super) fn heard(file: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(file) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(format!("{} bytes of sound", file.len())),
    }
}

/// The answer: what was `said` in so many bytes. Models named after `whisper` are paid by the second, as their original.
pub(super) fn transcript(request: &Transcription<'_>, said: &str, task: &str, bytes: usize) -> Bytes {
    let seconds = u64::try_from(bytes / 1000).unwrap_or(u64::MAX) + 1;
    let output = tokens::count(said);
    let usage = match request.model.starts_with("whisper") {
        true => json!({"type": "duration", "seconds": seconds}),
        false => json!({"type": "tokens", "input_tokens": seconds * 10, "output_tokens": output,
            "total_tokens": seconds * 10 + output}),
    };
    let plain = |text: String| transcript::wrap(text.as_bytes()).unwrap_or_default().into();
    match request.response_format.as_deref() {
        Some("text") => plain(format!("{said}\n")),
        Some("srt") => plain(format!("1\n00:00:00,000 --> 00:00:01,000\n{said}\n")),
        Some("vtt") => plain(format!("WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n{said}\n")),
        Some("verbose_json") => {
            let words: Vec<_> =
                said.split_whitespace().map(|word| json!({"word": word, "start": 0.0, "end": 1.0})).collect();
            let segment = Segment { id: 0, start: 0.0, end: 1.0, text: said };
            wire::json(&json!({"task": task, "language": "english", "duration": seconds, "text": said,
                "segments": [segment], "words": words, "usage": usage}))
        }
        _ => wire::json(&json!({"text": said, "usage": usage})),
    }
}
