//! Every operation at its place, in the form that is published for it.

use super::*;
use crate::upstream::Upstream;
use crate::upstream::call::{Api, Call, File};
use crate::upstream::config::EndpointConfig;

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
async fn responses_are_asked_for_as_such_where_the_vendor_speaks_their_api_and_as_chats_elsewhere() {
    const ASKED: &str =
        r#"{"model":"m" , "input":"hi","store":false,"include":["reasoning.encrypted_content"],"top_k":1}"#;
    for (speaks, path) in
        [(Some(true), "/v1/responses"), (Some(false), "/v1/chat/completions"), (None, "/v1/chat/completions")]
    {
        let (told, mut heard) = mpsc::unbounded_channel();
        let port = serve(move |mut stream| {
            let told = told.clone();
            async move {
                told.send(request(&mut stream).await).unwrap();
                let whole =
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
                stream.write_all(whole.as_bytes()).await.unwrap();
            }
        })
        .await;
        let config = EndpointConfig { responses_api: speaks, ..endpoint(port) };
        let upstream = Upstream::build(&config).unwrap();
        let spoken = if speaks == Some(true) { Api::Responses } else { Api::Chat };
        assert_eq!((upstream.api(Api::Responses), upstream.api(Api::Chat)), (spoken, Api::Chat));
        let asked = if spoken == Api::Chat { ASKED.replace(r#","top_k":1"#, "") } else { ASKED.to_owned() };
        let call = Call { api: Api::Responses, ..call(&asked, false) };
        let answer = upstream.call(call).await.unwrap();
        let (head, body) = heard.recv().await.unwrap();
        assert!(head.starts_with(&format!("POST {path} HTTP/1.1\r\n")), "{head}");
        let body = String::from_utf8(body).unwrap();
        match spoken {
            Api::Responses => assert_eq!((body.as_str(), answer.left_out.len()), (ASKED, 0)),
            Api::Chat => {
                assert_eq!(body, r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#);
                assert_eq!(answer.left_out, ["include"]);
            }
        }
    }
    let openai = |responses_api| {
        let base_url = "https://api.openai.com/v1".to_owned();
        let config = EndpointConfig { base_url, responses_api, ..endpoint(8000) };
        OpenAi::build(&config).unwrap().speaks_responses()
    };
    assert!(openai(None) && openai(Some(true)) && !openai(Some(false)));
}

#[tokio::test]
async fn what_no_chat_has_a_place_for_is_refused_by_its_name_and_nothing_is_sent() {
    for (asked, field) in [
        (r#"{"model":"m","input":"hi","tools":[{"type":"web_search"}]}"#, "tools"),
        (r#"{"model":"m","input":"hi","max_tool_calls":3}"#, "max_tool_calls"),
        (r#"{"model":"m","input":"hi","context_management":[]}"#, "context_management"),
    ] {
        let upstream = Upstream::build(&endpoint(8000)).unwrap();
        let call = Call { api: Api::Responses, ..call(asked, false) };
        let Kind::Unfit(unfit) = upstream.call(call).await.unwrap_err().kind else { panic!("{asked}") };
        assert_eq!(unfit.field, field);
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
