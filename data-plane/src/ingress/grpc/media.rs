//! Pictures and sound between `chancery.inference.v1` and the dialect.
//!
//! Law: see the parent; what stands as base64 in the dialect is bytes here, and sound is passed on piece by piece. Deliberately absent:
//! looking into any of it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures_util::Stream;
use proto::inference::generated_image::Source;
use proto::inference::{
    GenerateImageRequest, GenerateImageResponse, GeneratedImage, SpeechChunk, SpeechRequest,
    TranscribeRequest, TranscribeResponse, TranscribedSegment,
};
use tonic::Status;

use super::answer::{number, text};
use super::ask::{extensions, not_finite};
use super::{form, status};
use crate::dialect::json::{Json, NotFinite};
use crate::error::Rejection;
use crate::pipeline::media::MediaStream;
use crate::tape::{Kind, Tape, Value};
use crate::upstream::call::File;

const IMAGE_FIELDS: [&str; 6] = ["model", "prompt", "n", "size", "quality", "stream"];
const SPEECH_FIELDS: [&str; 7] =
    ["model", "input", "voice", "instructions", "response_format", "speed", "stream_format"];

/// A picture to be made.
pub(super) fn image(request: &GenerateImageRequest) -> Result<Vec<u8>, Rejection> {
    let (mut json, mut fault) = (Json::default(), Ok(()));
    json.object(|json| {
        json.key("model").string(&request.model);
        json.key("prompt").string(&request.prompt);
        if let Some(n) = request.n {
            json.key("n").whole(n);
        }
        given(json, [("size", &request.size), ("quality", &request.quality)]);
        fault = extensions(request.extensions.as_ref(), &IMAGE_FIELDS, json);
    });
    fault.map(|()| json.done())
}

/// A text to be spoken.
pub(super) fn speech(request: &SpeechRequest) -> Result<Vec<u8>, Rejection> {
    let (mut json, mut fault) = (Json::default(), Ok(()));
    json.object(|json| {
        json.key("model").string(&request.model);
        json.key("input").string(&request.input);
        let named = [
            ("voice", &request.voice),
            ("instructions", &request.instructions),
            ("response_format", &request.format),
        ];
        given(json, named);
        if let Some(speed) = request.speed {
            fault = json.key("speed").number(speed).map_err(|NotFinite| not_finite("speed"));
        }
        if fault.is_ok() {
            fault = extensions(request.extensions.as_ref(), &SPEECH_FIELDS, json);
        }
    });
    fault.map(|()| json.done())
}

/// Speech to be written down: the fields of a form, and its file.
pub(super) fn transcribe(request: &mut TranscribeRequest) -> Result<(Vec<u8>, Arc<[File]>), Rejection> {
    let file = File { bytes: Bytes::from(std::mem::take(&mut request.data)) };
    let mut json = Json::default();
    if request.temperature.is_some_and(|number| !number.is_finite()) {
        return Err(not_finite("temperature"));
    }
    json.object(|json| {
        json.key("model").string(&request.model);
        json.key("file").object(|json| {
            json.key("filename").string(&request.filename);
            json.key("type").string(&request.media_type);
            json.key("bytes").number_of(file.bytes.len() as u64);
        });
        given(json, [("language", &request.language), ("prompt", &request.prompt)]);
        if let Some(temperature) = request.temperature {
            json.key("temperature").string(&temperature.to_string());
        }
        json.key("response_format").string(if request.segments { "verbose_json" } else { "json" });
    });
    Ok((json.done(), [file].into()))
}

fn given<const COUNT: usize>(json: &mut Json, texts: [(&str, &String); COUNT]) {
    for (name, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
        json.key(name).string(text);
    }
}

/// The pictures; `None` where there are none.
pub(super) fn images(bytes: &[u8], model: String) -> Option<GenerateImageResponse> {
    let mut tape = Tape::for_text(bytes.len());
    tape.read(bytes).ok()?;
    let root = tape.root(bytes)?;
    let images = root.get("data")?.elements().map(|picture| {
        let data = picture.get("b64_json").filter(|data| data.kind() == Kind::String);
        let source = match data {
            Some(data) => Source::Data(BASE64_STANDARD.decode(data.text().as_bytes()).ok()?),
            None => Source::Url(picture.get("url")?.text().into_owned()),
        };
        Some(GeneratedImage { source: Some(source), revised_prompt: text(picture.get("revised_prompt")) })
    });
    Some(GenerateImageResponse { model, images: images.collect::<Option<_>>()?, usage: form::tokens(root) })
}

/// What was said; `None` where that is not told.
pub(super) fn said(bytes: &[u8], model: String) -> Option<TranscribeResponse> {
    let mut tape = Tape::for_text(bytes.len());
    tape.read(bytes).ok()?;
    let root = tape.root(bytes)?;
    let seconds = |segment: Value<'_>, name: &str| segment.get(name).map(number).unwrap_or_default();
    let segments = root.get("segments").into_iter().flat_map(|segments| segments.elements());
    let segments = segments.map(|segment| TranscribedSegment {
        start_seconds: seconds(segment, "start"),
        end_seconds: seconds(segment, "end"),
        text: text(segment.get("text")),
    });
    Some(TranscribeResponse {
        model,
        text: root.get("text")?.text().into_owned(),
        language: text(root.get("language")),
        segments: segments.collect(),
        usage: form::tokens(root),
    })
}

/// The pieces of a sound.
pub(in crate::ingress) struct Sound {
    stream: Option<Box<MediaStream>>,
    media_type: String,
}

impl Sound {
    /// Of what the pipeline gives.
    pub(super) fn of(stream: Box<MediaStream>) -> Self {
        let media_type = stream.media_type.to_str().unwrap_or_default().to_owned();
        Self { stream: Some(stream), media_type }
    }
}

impl Stream for Sound {
    type Item = Result<SpeechChunk, Status>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let sound = self.get_mut();
        let Some(stream) = sound.stream.as_mut() else { return Poll::Ready(None) };
        let next = ready!(Pin::new(stream).poll_next(cx));
        if !matches!(next, Some(Ok(_))) {
            sound.stream = None;
        }
        Poll::Ready(next.map(|piece| match piece {
            Ok(data) => {
                Ok(SpeechChunk { media_type: std::mem::take(&mut sound.media_type), data: data.into() })
            }
            Err(rejection) => Err(status(&rejection)),
        }))
    }
}
