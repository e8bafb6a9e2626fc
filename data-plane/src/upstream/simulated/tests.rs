use futures_util::StreamExt;
use serde_json::{Value, json};

use super::{
    super::{
        call::Api,
        error::{Delivered, Stage},
        sse::Splitter,
    },
    *,
};

fn vendor() -> Simulated {
    Simulated::new(Pace::default(), Timeouts::default())
}

fn call(operation: Operation, body: &Value) -> Call {
    let stream = body["stream"] == true;
    let body = Bytes::from(body.to_string());
    let request_id = HeaderValue::from_static("req-1");
    Call {
        operation,
        body,
        files: [].into(),
        stream,
        foreign: false,
        api: Api::Chat,
        request_id,
        traceparent: None,
        noted: Default::default(),
        deadline: None,
    }
}

fn prompt(text: &str) -> Value {
    json!({"model": "sim-1", "messages": [{"role": "user", "content": text}]})
}

fn with(mut body: Value, more: Value) -> Value {
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

async fn ask(body: Value) -> Result<Value, UpstreamError> {
    match vendor().call(call(Operation::Chat, &body)).await?.body {
        AnswerBody::Whole(body) => Ok(serde_json::from_slice(&body).unwrap()),
        _ => panic!("a stream nobody asked for"),
    }
}

async fn embed(body: Value) -> Result<Value, UpstreamError> {
    match vendor().call(call(Operation::Embed, &body)).await?.body {
        AnswerBody::Whole(body) => Ok(serde_json::from_slice(&body).unwrap()),
        _ => panic!("a stream of vectors"),
    }
}

/// The chunks of a stream in order, and how it ended: well only after `[DONE]`.
async fn stream(vendor: Simulated, body: Value) -> (Vec<Value>, Result<(), UpstreamError>) {
    let body = with(body, json!({"stream": true}));
    let AnswerBody::Events(mut events) = vendor.call(call(Operation::Chat, &body)).await.unwrap().body else {
        panic!("not a stream")
    };
    let (mut splitter, mut chunks, mut done) = (Splitter::new(4096), Vec::new(), false);
    while let Some(piece) = events.next().await {
        match piece {
            Ok(piece) => splitter.push(piece),
            Err(error) => return (chunks, Err(error)),
        }
        while let Some(event) = splitter.next_event().unwrap() {
            assert!(!done, "an event after the end");
            match event.is_done() {
                true => done = true,
                false => chunks.push(serde_json::from_slice(&event.data.unwrap()).unwrap()),
            }
        }
    }
    assert!(done);
    (chunks, Ok(()))
}

fn joined(chunks: &[Value], choice: u64) -> String {
    let of_choice = chunks.iter().flat_map(|chunk| chunk["choices"].as_array().unwrap());
    of_choice.filter(|c| c["index"] == choice).filter_map(|c| c["delta"]["content"].as_str()).collect()
}

#[tokio::test]
async fn an_answer_is_a_function_of_the_request() {
    let first = ask(prompt("Hello there")).await.unwrap();
    assert_eq!(first, ask(prompt("Hello there")).await.unwrap());
    assert_eq!(first["object"], "chat.completion");
    assert_eq!(first["model"], "sim-1");
    let choice = &first["choices"][0];
    assert_eq!(choice["message"]["content"], "sim-1 here: you said Hello there");
    assert_eq!((&choice["finish_reason"], &choice["message"]["role"]), (&json!("stop"), &json!("assistant")));
    assert_eq!(first["usage"], json!({"prompt_tokens": 2, "completion_tokens": 9, "total_tokens": 11}));
    assert_ne!(first["id"], ask(prompt("Hello")).await.unwrap()["id"]);
}

#[tokio::test]
async fn limits_choices_and_forms_are_obeyed() {
    let short = ask(with(prompt("Hello there"), json!({"max_tokens": 4}))).await.unwrap();
    assert_eq!(short["choices"][0]["message"]["content"], "sim-1 here");
    assert_eq!(
        (&short["choices"][0]["finish_reason"], &short["usage"]["completion_tokens"]),
        (&json!("length"), &json!(4))
    );

    let three = ask(with(prompt("Hi"), json!({"n": 3}))).await.unwrap();
    let texts: Vec<&str> = three["choices"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["message"]["content"].as_str().unwrap())
        .collect();
    assert_eq!(
        texts,
        ["sim-1 here: you said Hi", "sim-1 here, choice 2: you said Hi", "sim-1 here, choice 3: you said Hi"]
    );

    let object = ask(with(prompt("Hi"), json!({"response_format": {"type": "json_object"}}))).await.unwrap();
    let object: Value =
        serde_json::from_str(object["choices"][0]["message"]["content"].as_str().unwrap()).unwrap();
    assert_eq!(object, json!({"answer": "Hi"}));
    let schema =
        json!({"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}});
    let format =
        json!({"response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": schema}}});
    let shaped = ask(with(prompt("Oslo"), format)).await.unwrap();
    assert_eq!(shaped["choices"][0]["message"]["content"], r#"{"city":"Oslo","days":1}"#);
}

#[tokio::test]
async fn tools_are_called_when_named_and_answered_in_words() {
    let tools = json!({"tools": [
        {"type": "function", "function": {"name": "weather", "parameters": {"properties": {"city": {"type": "string"}}}}},
        {"type": "function", "function": {"name": "clock"}},
    ]});
    let called = ask(with(prompt("use weather and clock"), tools.clone())).await.unwrap();
    let choice = &called["choices"][0];
    assert_eq!(
        (&choice["finish_reason"], &choice["message"]["content"]),
        (&json!("tool_calls"), &Value::Null)
    );
    let calls = choice["message"]["tool_calls"].as_array().unwrap();
    assert_eq!(
        calls[0]["function"],
        json!({"name": "weather", "arguments": "{\"city\":\"use weather and clock\"}"})
    );
    assert_eq!((calls.len(), &calls[1]["function"]["arguments"]), (2, &json!("{}")));
    assert_ne!(calls[0]["id"], calls[1]["id"]);

    for (more, expected) in [
        (json!({"tool_choice": "none"}), None),
        (json!({"tool_choice": "required"}), Some("weather")),
        (json!({"tool_choice": {"type": "function", "function": {"name": "clock"}}}), Some("clock")),
        (json!({}), None),
    ] {
        let answer = ask(with(with(prompt("hello"), tools.clone()), more)).await.unwrap();
        assert_eq!(answer["choices"][0]["message"]["tool_calls"][0]["function"]["name"].as_str(), expected);
    }
    let turn = json!({"messages": [
        {"role": "user", "content": "use weather"}, {"role": "assistant", "content": null},
        {"role": "tool", "tool_call_id": "c", "content": "sunny"},
    ]});
    let words = ask(with(with(prompt(""), tools), turn)).await.unwrap();
    assert_eq!(words["choices"][0]["message"]["content"], "sim-1 here: the tool said sunny");
}

#[tokio::test]
async fn a_stream_says_what_the_whole_answer_says() {
    let body = with(prompt("Hello, world"), json!({"n": 2}));
    let whole = ask(body.clone()).await.unwrap();
    let (chunks, end) = stream(vendor(), body).await;
    end.unwrap();
    assert_eq!(chunks[0]["choices"][0]["delta"], json!({"role": "assistant", "content": ""}));
    assert!(
        chunks.iter().all(|chunk| chunk["object"] == "chat.completion.chunk" && chunk.get("usage").is_none())
    );
    for choice in [0, 1] {
        let said = &whole["choices"][usize::try_from(choice).unwrap()]["message"]["content"];
        assert_eq!(said.as_str().unwrap(), joined(&chunks, choice));
        let finishes: Vec<&Value> = chunks
            .iter()
            .map(|chunk| &chunk["choices"][0])
            .filter(|c| c["index"] == choice && !c["finish_reason"].is_null())
            .map(|c| &c["finish_reason"])
            .collect();
        assert_eq!(finishes, ["stop"]);
    }
}

#[tokio::test]
async fn usage_comes_last_when_it_is_asked_for() {
    let asks = json!({"stream_options": {"include_usage": true}});
    let (chunks, end) = stream(vendor(), with(prompt("Hi"), asks.clone())).await;
    end.unwrap();
    let (last, others) = chunks.split_last().unwrap();
    assert_eq!(last["choices"], json!([]));
    assert_eq!(last["usage"], json!({"prompt_tokens": 1, "completion_tokens": 8, "total_tokens": 9}));
    assert!(others.iter().all(|chunk| chunk["usage"].is_null() && chunk.get("usage").is_some()));

    let (chunks, end) = stream(vendor(), with(prompt("[[sim:usage=none]]Hi"), asks)).await;
    end.unwrap();
    assert!(chunks.iter().all(|chunk| chunk["usage"].is_null()), "case 34: some vendors omit it");
}

#[tokio::test]
async fn tool_calls_are_streamed_in_pieces() {
    let tools = json!({"tools": [{"type": "function", "function": {"name": "find"}}]});
    let (chunks, end) =
        stream(vendor(), with(prompt("find [[sim:args={\"q\":\"a b\"}]][[sim:chunk=4]]"), tools)).await;
    end.unwrap();
    assert_eq!(chunks[0]["choices"][0]["delta"], json!({"role": "assistant", "content": null}));
    let pieces: Vec<&Value> = chunks
        .iter()
        .map(|chunk| &chunk["choices"][0]["delta"]["tool_calls"][0])
        .filter(|piece| !piece.is_null())
        .collect();
    assert_eq!((&pieces[0]["function"]["name"], &pieces[0]["index"]), (&json!("find"), &json!(0)));
    let arguments: String =
        pieces.iter().map(|piece| piece["function"]["arguments"].as_str().unwrap()).collect();
    assert_eq!((arguments.as_str(), pieces.len()), ("{\"q\":\"a b\"}", 4));
    assert_eq!(chunks.last().unwrap()["choices"][0]["finish_reason"], "tool_calls");
}

#[tokio::test]
async fn the_prompt_can_ask_for_words_and_faults() {
    let said = ask(prompt("x [[sim:say=call +1 555 0100]]")).await.unwrap();
    assert_eq!(said["choices"][0]["message"]["content"], "call +1 555 0100");
    let claimed = ask(prompt("[[sim:usage=1000000000]]")).await.unwrap();
    assert_eq!(claimed["usage"]["completion_tokens"], 1_000_000_000);

    let error = ask(prompt("[[sim:error=503]]")).await.unwrap_err();
    assert!(
        error.retryable() && matches!(&error.kind, Kind::Status(refusal) if refusal.status.as_u16() == 503)
    );
    assert!(ask(prompt("[[sim:cut=0]]")).await.is_err_and(|error| error.kind == Kind::Reset));

    let (chunks, end) = stream(vendor(), prompt("a b c d e f [[sim:cut=3]]")).await;
    let error = end.unwrap_err();
    assert_eq!((chunks.len(), error.kind, error.delivered), (3, Kind::Reset, Delivered::Something));
    let (chunks, end) = stream(vendor(), prompt("[[sim:cut=0]]")).await;
    assert_eq!((chunks.len(), end.unwrap_err().delivered), (0, Delivered::Nothing));
    let (chunks, end) = stream(vendor(), prompt("[[sim:say=é-ü]][[sim:chunk=1]][[sim:times=2]]")).await;
    end.unwrap();
    assert_eq!((joined(&chunks, 0).as_str(), chunks.len()), ("é-üé-ü", 8));
}

#[tokio::test]
async fn silence_and_slowness_meet_the_same_clocks() {
    let ms = Duration::from_millis;
    let timeouts = Timeouts { first_byte: ms(30), idle: ms(30), ..Timeouts::default() };
    let hasty = Simulated::new(Pace::default(), timeouts);
    let (chunks, end) = stream(hasty, prompt("[[sim:hang=2]]a b c")).await;
    assert_eq!((chunks.len(), end.unwrap_err().kind), (2, Kind::Timeout(Stage::Idle)));
    let body = call(Operation::Chat, &prompt("[[sim:delay=9s]]"));
    assert_eq!(hasty.call(body).await.unwrap_err().kind, Kind::Timeout(Stage::FirstByte));

    let pace = Pace { latency: ms(10), first_token: ms(10), tokens_per_second: 300 };
    let start = tokio::time::Instant::now();
    let (chunks, end) = stream(Simulated::new(pace, Timeouts::default()), prompt("Hi")).await;
    end.unwrap();
    assert!(start.elapsed() >= ms(20) + ms(10) * u32::try_from(chunks.len() - 1).unwrap());
}

#[tokio::test]
async fn embeddings_are_unit_vectors_in_which_like_texts_lie_near() {
    let body = json!({"model": "e", "input": ["a red fox runs", "the red fox runs", "tax law of 1920"], "dimensions": 64});
    let answer = embed(body).await.unwrap();
    let vectors: Vec<Vec<f64>> = answer["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| {
            item["embedding"].as_array().unwrap().iter().map(|float| float.as_f64().unwrap()).collect()
        })
        .collect();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    for vector in &vectors {
        assert!(vector.len() == 64 && (dot(vector, vector) - 1.0).abs() < 1e-5);
    }
    assert!(dot(&vectors[0], &vectors[1]) > dot(&vectors[0], &vectors[2]) + 0.3);
    assert_eq!(answer["usage"], json!({"prompt_tokens": 12, "total_tokens": 12}));

    let floats = embed(json!({"model": "e", "input": "fox"})).await.unwrap();
    let packed = embed(json!({"model": "e", "input": "fox", "encoding_format": "base64"})).await.unwrap();
    use base64::Engine;
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(packed["data"][0]["embedding"].as_str().unwrap())
        .unwrap();
    let unpacked: Vec<f32> =
        bytes.chunks(4).map(|chunk| f32::from_le_bytes(chunk.try_into().unwrap())).collect();
    let plain: Vec<f32> = serde_json::from_value(floats["data"][0]["embedding"].clone()).unwrap();
    assert_eq!((unpacked.len(), unpacked), (256, plain));
}

#[tokio::test]
async fn wrong_requests_are_400_in_the_vendors_own_form() {
    let bad = [
        (Operation::Chat, json!({"model": "m"})),
        (Operation::Chat, json!({"model": "m", "messages": []})),
        (Operation::Chat, with(prompt("x"), json!({"n": 0}))),
        (Operation::Chat, with(prompt("x"), json!({"n": 129}))),
        (Operation::Chat, with(prompt("x"), json!({"max_tokens": -1}))),
        (Operation::Chat, prompt("[[sim:what=1]]")),
        (Operation::Embed, json!({"model": "m", "input": []})),
        (Operation::Embed, json!({"model": "m", "input": "x", "dimensions": 0})),
        (Operation::Embed, json!({"model": "m", "input": "x", "encoding_format": "hex"})),
    ];
    for (operation, body) in bad {
        let error = vendor().call(call(operation, &body)).await.unwrap_err();
        let Kind::Status(refusal) = &error.kind else { panic!("{body}: {error:?}") };
        assert_eq!(refusal.status, StatusCode::BAD_REQUEST, "{body}");
        let told: Value = serde_json::from_slice(&refusal.body).unwrap();
        assert_eq!(told["error"]["type"], "invalid_request_error");
        assert!(!error.retryable());
    }
}
