//! Pictures and sound: the whole sentence, though what is in them is not looked into.

use std::sync::Arc;

use policy_engine::facts::{Check, Facts, Guardrail, Subject};
use policy_engine::vocabulary::{Entity, MaskAction};
use proto::inference as wire;
use proto::inference::generated_image::Source;
use proto::status::Refusal;

use super::grpc::{client, with_key};
use super::parity::essence;
use super::*;
use crate::house::world;
use crate::overlay::tests::{kill, kills};
use crate::record::{Outcome, Provenance};

const FORM: &str = "multipart/form-data; boundary=B";

fn guarded(facts: &mut Facts, action: MaskAction) {
    world::serve_all(facts, "fast");
    let check = || vec![Check { detect: vec![Entity::Email], words: vec![], action }];
    let guardrail = Guardrail { applies: Subject::default(), input: check(), output: check(), geos: vec![] };
    facts.guardrails.insert(world::id("guard"), Arc::new(guardrail));
}

pub(super) fn text(name: &str, text: &str) -> String {
    format!("--B\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n")
}

pub(super) fn file(name: &str, filename: &str, bytes: &str) -> String {
    format!(
        "--B\r\ncontent-disposition: form-data; name=\"{name}\"; filename=\"{filename}\"\r\ncontent-type: audio/wav\r\n\r\n{bytes}\r\n"
    )
}

fn form(parts: &[String]) -> String {
    format!("{}--B--\r\n", parts.concat())
}

impl Open {
    pub(super) async fn post_form(&self, path: &str, parts: &[String]) -> Got {
        let key = format!("Bearer {KEY}");
        self.send((Method::POST, path), &[("authorization", &key), ("content-type", FORM)], &form(parts))
            .await
    }

    /// The status of a text that is spoken, of which everything is read.
    pub(super) async fn send_speech(&self, text: &str) -> u16 {
        self.post_for_media(SPEAK, &speaking(text)).await.0.as_u16()
    }

    /// An answer that is no text: its head, and what came of it before it ended or broke off.
    async fn post_for_media(&self, path: &str, body: &str) -> (StatusCode, HeaderMap, Vec<u8>, bool) {
        let mut request = Request::new(Full::new(Bytes::copy_from_slice(body.as_bytes())));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = format!("http://{}{path}", self.address).parse().unwrap();
        request.headers_mut().insert("authorization", format!("Bearer {KEY}").parse().unwrap());
        let (parts, mut body) = self.client.request(request).await.unwrap().into_parts();
        let mut all = Vec::new();
        loop {
            match body.frame().await {
                Some(Ok(frame)) => all.extend_from_slice(frame.data_ref().unwrap()),
                ended => return (parts.status, parts.headers, all, ended.is_none()),
            }
        }
    }
}

const SPEAK: &str = "/v1/audio/speech";

fn speaking(text: &str) -> String {
    format!(r#"{{"model":"fast","voice":"alloy","input":"{text}"}}"#)
}

#[tokio::test]
async fn a_text_is_spoken_and_what_is_not_told_in_tokens_is_unpriced() {
    let open = open(|facts| world::serve_all(facts, "fast")).await;
    let (status, headers, sound, whole) = open.post_for_media(SPEAK, &speaking("one two three")).await;
    assert_eq!((status.as_u16(), headers["content-type"].to_str().unwrap(), whole), (200, "audio/wav", true));
    assert!(sound.starts_with(b"RIFF") && sound.len() == 44 + 3 * 400, "{}", sound.len());
    assert!(headers.contains_key("x-chancery-request-id") && headers["x-chancery-endpoint"] == "sim-a");
    let [record] = open.house.records();
    assert_eq!((record.operation.as_str(), record.outcome), ("speech", Outcome::Answered));
    assert_eq!((record.cost, record.usage.provenance), (None, Provenance::None));
}

#[tokio::test]
async fn what_is_masked_is_not_spoken_and_it_is_told_what_was_not_looked_into() {
    let open = open(|facts| guarded(facts, MaskAction::Mask)).await;
    let (_, headers, masked, _) = open.post_for_media(SPEAK, &speaking("bob@example.org")).await;
    assert!(headers["x-chancery-notice"].to_str().unwrap().contains("audio"));
    let (.., written, _) = open.post_for_media(SPEAK, &speaking("[EMAIL]")).await;
    // The placeholder that the caller wrote has no number: the sounds differ in one tone.
    assert_ne!(masked, written);
    let (.., again, _) = open.post_for_media(SPEAK, &speaking("ann@example.org")).await;
    assert_eq!(masked, again, "no sound of the address itself");
    let [record, ..]: [_; 3] = open.house.records();
    assert_eq!((record.found_input, record.uninspected), (vec![("EMAIL", 1)], vec![("audio", 1)]));
}

#[tokio::test]
async fn sound_that_breaks_off_is_no_whole_answer() {
    for (text, outcome) in [("[[sim:cut=2]]a b c d", Outcome::Cut), ("[[sim:hang=2]]a b c d", Outcome::Cut)] {
        let open = open(|facts| world::serve_all(facts, "fast")).await;
        let (status, _, sound, whole) = open.post_for_media(SPEAK, &speaking(text)).await;
        assert_eq!((status.as_u16(), sound.len(), whole), (200, 444, false), "{text}");
        let [record] = open.house.records();
        assert_eq!(record.outcome, outcome, "{text}");
    }
    let open = open(|facts| world::serve_all(facts, "fast")).await;
    for (text, status) in [("[[sim:cut=0]]a", 502), ("[[sim:error=503]]a", 502)] {
        let (got, ..) = open.post_for_media(SPEAK, &speaking(text)).await;
        assert_eq!(got.as_u16(), status, "{text}: nothing was delivered");
    }
}

#[tokio::test]
async fn sound_is_cut_when_something_is_switched_off() {
    let open = open(|facts| world::serve_all(facts, "fast")).await;
    let body = speaking("[[sim:hang=1]]a b c");
    let asked = open.post_for_media(SPEAK, &body);
    let node = open.house.node.clone();
    let switch = async {
        let runtime = node.runtime.load_full().unwrap();
        let vitals =
            runtime.endpoints().iter().find(|e| e.id.name.as_str() == "sim-a").unwrap().vitals.clone();
        while vitals.busy() == 0 {
            tokio::task::yield_now().await;
        }
        node.overlay.kill(&kills((1, 1), vec![kill("tenant", "tenants/acme", "deny")]));
    };
    let ((_, _, _, whole), ()) = tokio::join!(asked, switch);
    assert!(!whole);
    let [record] = open.house.records();
    assert_eq!(record.code, Some("switched_off"));
}

#[tokio::test]
async fn a_tenant_that_demands_a_record_hears_the_end_after_it() {
    let open = open(|facts| {
        world::serve_all(facts, "fast");
        Arc::make_mut(facts.tenants.get_mut(&world::platform("acme")).unwrap()).must_audit = true;
    })
    .await;
    let (_, _, sound, whole) = open.post_for_media(SPEAK, &speaking("one two three")).await;
    assert_eq!((sound.len(), whole), (44 + 3 * 400, true));
    assert_eq!(open.house.written.lock().len(), 1, "it was on the disk before the last of it left");
}

#[tokio::test]
async fn pictures_come_whole_and_are_paid_by_the_token_where_it_is_told() {
    let open = open(|facts| guarded(facts, MaskAction::Mask)).await;
    let path = "/v1/images/generations";
    let got = open.post(path, r#"{"model":"fast","prompt":"a cat of bob@example.org","n":2}"#).await;
    let pictures = got.json();
    assert_eq!(pictures["data"].as_array().unwrap().len(), 2, "{}", got.body);
    assert_eq!(pictures["data"][0]["revised_prompt"], "a cat of [EMAIL_1]");
    assert!(
        pictures["data"][0]["b64_json"].as_str().unwrap().starts_with("iVBOR"),
        "no vector of bytes is text"
    );
    assert!(got.headers["x-chancery-notice"].to_str().unwrap().contains("image"));
    let [record] = open.house.records();
    assert_eq!((record.usage.provenance, record.usage.amounts.output), (Provenance::Vendor, 544));
    assert!(record.cost.is_some() && record.uninspected == [("image", 1)]);
    let said = r#"{"model":"fast","prompt":"[[sim:say=for ann@example.org]]x","response_format":"url"}"#;
    let got = open.post(path, said).await;
    assert!(!got.body.contains("ann@") && got.body.contains("https://pictures.invalid/"), "{}", got.body);
    for (body, field) in [
        (r#"{"model":"fast"}"#, "prompt"),
        (r#"{"model":"fast","prompt":"x","stream":true}"#, "stream"),
        (r#"{"model":"fast","prompt":"x","n":129}"#, "n"),
    ] {
        assert_eq!(open.post(path, body).await.json()["error"]["param"], field);
    }
}

#[tokio::test]
async fn a_picture_is_changed_after_a_form_that_is_masked_like_a_body() {
    let open = open(|facts| guarded(facts, MaskAction::Mask)).await;
    let (path, model) = ("/v1/images/edits", text("model", "fast"));
    let picture = || file("image[]", "of bob@example.org.png", "dots");
    let parts = [model.clone(), text("prompt", "for bob@example.org"), text("n", "2"), picture(), picture()];
    let got = open.post_form(path, &parts).await;
    assert_eq!(got.status, 200, "{}", got.body);
    assert_eq!(got.json()["data"][1]["revised_prompt"], "for [EMAIL_1]");
    let [record] = open.house.records();
    assert_eq!(record.found_input, [("EMAIL", 3)], "names of files are read too");
    assert_eq!((record.uninspected, record.operation.as_str()), (vec![("image", 3)], "editImage"));
    let unheard_of = file("sketch", "x.png", "lines");
    let parts = [model.clone(), text("prompt", "a cat"), picture(), unheard_of];
    assert_eq!(open.post_form(path, &parts).await.status, 200);
    let [_, record]: [_; 2] = open.house.records();
    assert_eq!(record.uninspected, [("image", 2), ("other", 1)], "a file is told of under any name");
    for (parts, field) in [
        (vec![model.clone(), text("prompt", "x")], "image"),
        (vec![model.clone(), picture()], "prompt"),
        (vec![text("prompt", "x"), picture()], "model"),
        (vec![model.clone(), model.clone(), text("prompt", "x"), picture()], "model"),
        (vec![model.clone(), text("prompt", "x"), text("stream", "true"), picture()], "stream"),
        (vec![model, text("prompt", "x"), text("image", "x"), text("Prompt", "y")], "Prompt"),
    ] {
        let got = open.post_form(path, &parts).await;
        assert_eq!(
            (got.status.as_u16(), &got.json()["error"]["param"]),
            (400, &field.into()),
            "{}",
            got.body
        );
    }
    let got = open.post(path, "{}").await;
    assert_eq!((got.status.as_u16(), got.code().as_str()), (415, "unsupported_media_type"));
}

#[tokio::test]
async fn speech_is_written_down_in_every_form_and_masked_in_each() {
    for path in ["/v1/audio/transcriptions", "/v1/audio/translations"] {
        for (format, kind, said) in [
            ("json", "application/json", r#""text":"call [EMAIL_1] now""#),
            ("verbose_json", "application/json", r#""text":"call [EMAIL_1] now""#),
            ("text", "text/plain; charset=utf-8", "call [EMAIL_1] now\n"),
            (
                "srt",
                "application/x-subrip; charset=utf-8",
                "1\n00:00:00,000 --> 00:00:01,000\ncall [EMAIL_1] now\n",
            ),
            (
                "vtt",
                "text/vtt; charset=utf-8",
                "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\ncall [EMAIL_1] now\n",
            ),
        ] {
            let open = open(|facts| guarded(facts, MaskAction::Mask)).await;
            let sound = file("file", "a.wav", "call bob@example.org now");
            let parts = [text("model", "fast"), text("response_format", format), sound];
            let got = open.post_form(path, &parts).await;
            assert_eq!(
                (got.status.as_u16(), got.headers["content-type"].to_str().unwrap()),
                (200, kind),
                "{}",
                got.body
            );
            assert!(got.body.contains(said) && !got.body.contains("bob@"), "{path} {format}: {}", got.body);
            let [record] = open.house.records();
            assert_eq!(record.uninspected, [("audio", 1)]);
            assert!(record.found_output.iter().any(|(what, _)| *what == "EMAIL"), "{path} {format}");
        }
    }
}

#[tokio::test]
async fn a_transcript_is_refused_where_it_is_blocked_or_asked_for_in_a_way_that_is_none() {
    let open = open(|facts| guarded(facts, MaskAction::Block)).await;
    let path = "/v1/audio/transcriptions";
    let sound = |said: &str| file("file", "a.wav", said);
    let got = open.post_form(path, &[text("model", "fast"), sound("call bob@example.org")]).await;
    assert_eq!((got.status.as_u16(), got.code().as_str()), (403, "content_blocked"), "{}", got.body);
    let got =
        open.post_form(path, &[text("model", "fast"), text("prompt", "bob@example.org"), sound("x")]).await;
    assert_eq!((got.status.as_u16(), got.code().as_str()), (403, "content_blocked"), "{}", got.body);
    for (parts, code) in [
        (vec![text("model", "fast")], "invalid_request"),
        (vec![text("model", "fast"), text("stream", "true"), sound("x")], "invalid_request"),
        (vec![text("model", "fast"), text("response_format", "xml"), sound("x")], "invalid_request"),
        (vec![text("model", "fast"), sound("[[sim:error=429]]")], "upstream_rate_limited"),
        (vec![text("model", "embed"), sound("x")], "operation_unsupported"),
        (vec![text("model", "hidden"), sound("x")], "model_not_found"),
    ] {
        assert_eq!(open.post_form(path, &parts).await.code(), code, "{parts:?}");
    }
    let anybody = open.send((Method::POST, path), &[("content-type", FORM)], &form(&[sound("x")])).await;
    assert_eq!(anybody.code(), "missing_api_key");
}

/// The sound of a stream, what its first piece says that it is, and how it ended.
async fn heard(stream: tonic::Streaming<wire::SpeechChunk>) -> (Vec<u8>, String, Option<tonic::Status>) {
    let (mut stream, mut sound, mut kind) = (stream, Vec::new(), String::new());
    loop {
        match stream.message().await {
            Ok(Some(piece)) => {
                assert!(sound.is_empty() || piece.media_type.is_empty(), "said once");
                kind.push_str(&piece.media_type);
                sound.extend(piece.data);
            }
            Ok(None) => return (sound, kind, None),
            Err(status) => return (sound, kind, Some(status)),
        }
    }
}

#[tokio::test]
async fn case_61_the_door_makes_no_difference_to_pictures_and_sound() {
    for (model, said) in [
        ("fast", "a nice day"),
        ("fast", "ask bob@example.org"),
        ("fast", "[[sim:error=429]]"),
        ("fast", "[[sim:cut=2]]a b c d"),
        ("embed", "x"),
        ("hidden", "x"),
        ("fast", ""),
    ] {
        for surface in ["image", "speech", "transcribe", "translate"] {
            let open = open(|facts| guarded(facts, MaskAction::Mask)).await;
            let (model_of, said_of) = (model.to_owned(), said.to_owned());
            let parts = [text("model", model), file("file", "a.wav", said), text("response_format", "json")];
            let mut client = client(&open).await;
            let (rest, status) = match surface {
                "image" => {
                    let body = format!(r#"{{"model":"{model}","prompt":"{said}"}}"#);
                    let rest = open.post("/v1/images/generations", &body).await.status;
                    let message =
                        wire::GenerateImageRequest { model: model_of, prompt: said_of, ..Default::default() };
                    (rest, client.generate_image(with_key(message)).await.err())
                }
                "speech" => {
                    let body = format!(r#"{{"model":"{model}","voice":"alloy","input":"{said}"}}"#);
                    let (rest, _, sound, _) = open.post_for_media(SPEAK, &body).await;
                    let (input, voice) = (said_of, "alloy".to_owned());
                    let message = wire::SpeechRequest { model: model_of, input, voice, ..Default::default() };
                    let status = match client.speech(with_key(message)).await {
                        Err(status) => Some(status),
                        Ok(stream) => {
                            let (typed, kind, ended) = heard(stream.into_inner()).await;
                            assert_eq!((typed, kind.as_str()), (sound, "audio/wav"), "{said}");
                            ended
                        }
                    };
                    (rest, status)
                }
                path => {
                    let path = if path == "translate" { "translations" } else { "transcriptions" };
                    let rest = open.post_form(&format!("/v1/audio/{path}"), &parts).await.status;
                    let message = wire::TranscribeRequest {
                        model: model_of,
                        data: said.into(),
                        filename: "a.wav".into(),
                        media_type: "audio/wav".into(),
                        translate: surface == "translate",
                        ..Default::default()
                    };
                    (rest, client.transcribe(with_key(message)).await.err())
                }
            };
            let [one, two] = open.house.records();
            assert_eq!(
                status.is_some(),
                one.outcome != Outcome::Answered,
                "{surface} {model} {said}: {status:?}"
            );
            if let Some(status) = status.filter(|_| !rest.is_success()) {
                let code = Refusal::of_status(&status).code;
                assert_eq!(code.row().http, rest, "{surface} {model} {said}");
            }
            assert_eq!(essence(one), essence(two), "{surface} {model} {said}");
        }
    }
}

#[tokio::test]
async fn pictures_and_what_was_said_are_typed() {
    let open = open(|facts| world::serve_all(facts, "fast")).await;
    let mut client = client(&open).await;
    let asked = wire::GenerateImageRequest {
        model: "fast-alias".into(),
        prompt: "a cat".into(),
        n: Some(2),
        size: "1024x1024".into(),
        ..Default::default()
    };
    let made = client.generate_image(with_key(asked)).await.unwrap().into_inner();
    assert_eq!(
        (made.model.as_str(), made.images.len(), made.usage.unwrap().output_tokens),
        ("fast-alias", 2, 544)
    );
    let Some(Source::Data(data)) = &made.images[0].source else { panic!("{made:?}") };
    assert!(data.starts_with(b"\x89PNG") && made.images[0].revised_prompt == "a cat");
    let asked = wire::TranscribeRequest {
        model: "fast".into(),
        data: b"one two".to_vec(),
        segments: true,
        temperature: Some(0.5),
        ..Default::default()
    };
    let said = client.transcribe(with_key(asked.clone())).await.unwrap().into_inner();
    assert_eq!((said.text.as_str(), said.segments[0].text.as_str()), ("one two", "one two"));
    assert!(said.segments[0].end_seconds > 0.0 && said.language == "english" && said.usage.is_some());
    let wrong = wire::TranscribeRequest { temperature: Some(f64::NAN), ..asked.clone() };
    let status = client.transcribe(with_key(wrong)).await.unwrap_err();
    assert_eq!(Refusal::of_status(&status).code.as_str(), "invalid_request");
    let status = client.transcribe(tonic::Request::new(asked)).await.unwrap_err();
    assert_eq!(Refusal::of_status(&status).code.as_str(), "missing_api_key");
}
