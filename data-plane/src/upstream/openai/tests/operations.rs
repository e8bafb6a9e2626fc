//! Every operation at its place, in the form that is published for it.

use super::*;
use crate::upstream::call::{Call, File};

/// A call for something, its answer of a media type, what was sent for it and what came of it.
async fn asked(
    (operation, body): (Operation, &str),
    files: &[&'static str],
    answer: (&'static str, &'static str),
) -> (String, String, Result<Answer, UpstreamError>) {
    let (told, mut heard) = mpsc::unbounded_channel();
    let port = serve(move |mut stream| {
        let told = told.clone();
        async move {
            told.send(request(&mut stream).await).unwrap();
            let (kind, said) = answer;
            let length = said.len();
            let whole =
                format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n{said}");
            stream.write_all(whole.as_bytes()).await.unwrap();
        }
    })
    .await;
    let files = files.iter().map(|text| File { bytes: Bytes::from_static(text.as_bytes()) }).collect();
    let call = Call { operation, files, ..call(body, false) };
    let answered = OpenAi::build(&endpoint(port)).unwrap().call(call).await;
    let (head, body) = heard.recv().await.unwrap();
    (head, String::from_utf8(body).unwrap(), answered)
}

#[tokio::test]
async fn every_operation_has_its_place() {
    for (operation, path) in [
        (Operation::Chat, "/v1/chat/completions"),
        (Operation::Embed, "/v1/embeddings"),
        (Operation::Complete, "/v1/completions"),
        (Operation::Moderate, "/v1/moderations"),
        (Operation::Rerank, "/v1/rerank"),
        (Operation::Image, "/v1/images/generations"),
        (Operation::EditImage, "/v1/images/edits"),
        (Operation::Speech, "/v1/audio/speech"),
        (Operation::Transcribe, "/v1/audio/transcriptions"),
        (Operation::Translate, "/v1/audio/translations"),
    ] {
        let (head, ..) = asked((operation, r#"{"model":"m"}"#), &[], ("application/json", "{}")).await;
        assert!(head.starts_with(&format!("POST {path} HTTP/1.1\r\n")), "{head}");
    }
}

#[tokio::test]
async fn a_form_is_sent_as_one_and_bare_text_comes_back_as_an_object() {
    let fields =
        r#"{"model":"m","response_format":"srt","file":{"filename":"a.wav","type":"audio/wav","bytes":4}}"#;
    for (format, said, read) in
        [("srt", "1\nsaid", r#"{"text":"1\nsaid"}"#), ("json", r#"{"text":"said"}"#, r#"{"text":"said"}"#)]
    {
        let fields = fields.replace("srt", format);
        let asked = asked((Operation::Transcribe, &fields), &["beep"], ("text/plain", said)).await;
        let (head, body, answer) = asked;
        let (_, rest) = head.split_once("content-type: multipart/form-data; boundary=").unwrap();
        let boundary = rest.lines().next().unwrap();
        // Drawn, and so nothing that a file could hold beforehand.
        assert!(boundary.len() == 41 && !boundary.contains("req-1"), "{head}");
        assert_eq!(head.matches("content-type").count(), 1, "{head}");
        let file = format!(
            "--{boundary}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\
             content-type: audio/wav\r\n\r\nbeep\r\n--{boundary}--\r\n"
        );
        assert!(body.ends_with(&file) && body.contains(&format!("\r\n\r\n{format}\r\n")), "{body}");
        assert_eq!(collect(answer.unwrap()).await.unwrap(), read);
    }
}

#[tokio::test]
async fn sound_comes_as_it_is_and_not_as_a_document() {
    let speak = (Operation::Speech, r#"{"model":"m","input":"hi"}"#);
    let (head, _, answer) = asked(speak, &[], ("audio/mpeg", "beep beep")).await;
    assert!(head.contains("accept: */*"), "{head}");
    let answer = answer.unwrap();
    assert!(matches!(answer.body, AnswerBody::Media(_)) && answer.headers["content-type"] == "audio/mpeg");
    assert_eq!(collect(answer).await.unwrap(), "beep beep");
    let (.., events) = asked(speak, &[], ("text/event-stream", "data: {}\n\n")).await;
    assert_eq!(events.unwrap_err().kind, Kind::Protocol);
}
