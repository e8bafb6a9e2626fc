//! `chancery.inference.v1` as a stub meets it.

use futures_util::StreamExt as _;
use policy_engine::facts::Bound;
use policy_engine::vocabulary::{Duration, Period};
use proto::inference::chat_stream_event::Event;
use proto::inference::content_part::Part;
use proto::inference::inference_client::InferenceClient;
use proto::inference::stream_delta::Delta;
use proto::inference::{self as wire, FinishReason, Role};
use proto::status::Refusal;
use tonic::Code;
use tonic::transport::Channel;

use super::*;
use crate::house::{limit, world};

pub(super) async fn client(open: &Open) -> InferenceClient<Channel> {
    let channel = Channel::from_shared(format!("http://{}", open.address)).unwrap();
    InferenceClient::new(channel.connect().await.unwrap())
}

pub(super) fn with_key<M>(message: M) -> tonic::Request<M> {
    let mut request = tonic::Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {KEY}").parse().unwrap());
    request
}

pub(super) fn chat(model: &str, text: &str) -> wire::ChatRequest {
    let part = wire::ContentPart { part: Some(Part::Text(text.to_owned())) };
    let message = wire::Message { role: Role::User.into(), content: vec![part], ..Default::default() };
    wire::ChatRequest { model: model.to_owned(), messages: vec![message], ..Default::default() }
}

#[tokio::test]
async fn an_answer_is_typed_and_tells_who_judged_it() {
    let open =
        open(|facts| limit(facts, "rpm", Bound::Requests(60, Period::Sliding(Duration(60_000_000))))).await;
    let response = client(&open).await.chat(with_key(chat("fast-alias", "[[sim:say=hello]]"))).await.unwrap();
    let told = |name: &str| response.metadata().get(name).map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(told("x-chancery-revision").as_deref(), Some("7"));
    assert_eq!(told("x-chancery-endpoint").as_deref(), Some("sim-a"));
    assert_eq!(told("x-ratelimit-remaining-requests").as_deref(), Some("59"));
    let answer = response.into_inner();
    assert_eq!(answer.model, "fast-alias", "the model is the one that was asked for");
    let choice = &answer.choices[0];
    assert_eq!(choice.message.as_ref().unwrap().content[0].part, Some(Part::Text("hello".into())));
    assert_eq!(choice.finish_reason, i32::from(FinishReason::Stop));
    assert!(answer.usage.unwrap().input_tokens > 0 && answer.create_time.is_some());
}

#[tokio::test]
async fn a_stream_is_start_deltas_finish_usage_and_trailers_tell_again() {
    let open = open(|_| ()).await;
    let request = with_key(chat("fast", "[[sim:say=one two three four]]"));
    let response = client(&open).await.chat_stream(request).await.unwrap();
    let told = |name| response.metadata().get(name).unwrap();
    assert_eq!(told("x-chancery-request-id"), told("x-request-id"));
    let mut stream = response.into_inner();
    let (mut text, mut order) = (String::new(), vec![]);
    while let Some(event) = stream.message().await.unwrap() {
        match event.event.unwrap() {
            Event::Start(start) => order.push(format!("start {}", start.model)),
            Event::Delta(delta) => match delta.delta.unwrap() {
                Delta::Text(more) => text += &more,
                other => panic!("{other:?}"),
            },
            Event::Finish(finish) => order.push(format!("finish {}", finish.reason)),
            Event::Usage(usage) => order.push(format!("usage {}", usage.output_tokens > 0)),
        }
    }
    assert_eq!(text, "one two three four");
    assert_eq!(order, ["start fast", "finish 1", "usage true"]);
    let trailers = stream.trailers().await.unwrap().unwrap();
    assert_eq!(trailers.get("x-chancery-revision").unwrap(), "7");
}

#[tokio::test]
async fn tools_are_called_as_typed() {
    let open = open(|_| ()).await;
    let function = wire::Function { name: "find".into(), ..Default::default() };
    let tool = wire::Tool { kind: Some(wire::tool::Kind::Function(function)) };
    let request = wire::ChatRequest { tools: vec![tool], ..chat("fast", "[[sim:args={\"q\":1}]]find") };
    let answer = client(&open).await.chat(with_key(request.clone())).await.unwrap().into_inner();
    let call = &answer.choices[0].message.as_ref().unwrap().tool_calls[0];
    assert_eq!((call.name.as_str(), call.arguments.as_str()), ("find", "{\"q\":1}"));
    assert_eq!(answer.choices[0].finish_reason, i32::from(FinishReason::ToolCalls));
    let stream = client(&open).await.chat_stream(with_key(request)).await.unwrap().into_inner();
    let events: Vec<_> = stream.map(|event| event.unwrap().event.unwrap()).collect().await;
    let deltas = events.iter().filter_map(|event| match event {
        Event::Delta(wire::StreamDelta { delta: Some(Delta::ToolCall(call)), .. }) => Some(call),
        _ => None,
    });
    let joined = deltas.fold((String::new(), String::new()), |(name, args), call| {
        ([name.as_str(), &call.name].concat(), [args.as_str(), &call.arguments].concat())
    });
    assert_eq!(joined, ("find".into(), "{\"q\":1}".into()));
}

#[tokio::test]
async fn refusals_are_statuses_with_the_same_words() {
    let open = open(|_| ()).await;
    let mut client = client(&open).await;
    let status = client.chat(tonic::Request::new(chat("fast", "hi"))).await.unwrap_err();
    assert_eq!(Refusal::of_status(&status).code.as_str(), "missing_api_key");
    let status = client.chat(with_key(chat("seen", "hi"))).await.unwrap_err();
    let refusal = Refusal::of_status(&status);
    assert_eq!((status.code(), refusal.reasons[0].code.as_str()), (Code::PermissionDenied, "not_entitled"));
    assert_eq!((refusal.revision, refusal.request_id.is_some()), (Some(7), true));
    assert_eq!(status.metadata().get("x-chancery-revision").unwrap(), "7");
    let empty = wire::ChatRequest { model: "fast".into(), ..Default::default() };
    let refusal = Refusal::of_status(&client.chat(with_key(empty)).await.unwrap_err());
    assert_eq!(refusal.fields[0].field, "messages");
    let mut roleless = chat("fast", "hi");
    roleless.messages[0].role = 0;
    let refusal = Refusal::of_status(&client.chat(with_key(roleless)).await.unwrap_err());
    assert_eq!(refusal.fields[0].field, "messages[0].role");
    let status = client.chat_stream(with_key(chat("fast", "[[sim:error=429]]"))).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(status.metadata().contains_key("retry-after"));
    let records: [_; 5] = open.house.records();
    assert!(records.iter().all(|record| record.door == crate::record::Door::Grpc));
}

#[tokio::test]
async fn a_cut_stream_ends_with_a_status() {
    let open = open(|_| ()).await;
    let request = with_key(chat("fast", "[[sim:cut=3]]hi there"));
    let mut stream = client(&open).await.chat_stream(request).await.unwrap().into_inner();
    let status = loop {
        match stream.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("it was to be cut"),
            Err(status) => break status,
        }
    };
    assert_eq!(Refusal::of_status(&status).code.as_str(), "upstream_error");
}

#[tokio::test]
async fn case_60_deadlines_are_kept() {
    let open = open(|_| ()).await;
    // A stub of ours would give up by itself at the same time; this one waits for the answer.
    let message = prost::Message::encode_to_vec(&chat("fast", "[[sim:delay=100s]]"));
    let mut framed = vec![0, 0, 0, 0, u8::try_from(message.len()).unwrap()];
    framed.extend(message);
    let framed = String::from_utf8(framed).unwrap();
    let key = format!("Bearer {KEY}");
    for timeout in ["20m", "0S"] {
        let headers =
            [("content-type", "application/grpc"), ("authorization", &key), ("grpc-timeout", timeout)];
        let path = "/chancery.inference.v1.Inference/Chat";
        let got = open.send((Method::POST, path), &headers, &framed).await;
        assert_eq!(got.headers["grpc-status"], "4", "{timeout}");
    }
    let records: [_; 2] = open.house.records();
    assert!(records.iter().all(|record| record.code == Some("deadline_exceeded")));
}

#[tokio::test]
async fn declarations_in_the_message_and_in_metadata_are_one() {
    let open = open(|_| ()).await;
    let declared = wire::RequestMetadata { purpose: "support".into(), ..Default::default() };
    let request = wire::ChatRequest { metadata: Some(declared), ..chat("fast", "hi") };
    let mut twice = with_key(request.clone());
    twice.metadata_mut().insert("x-chancery-purpose", "sales".parse().unwrap());
    let refusal = Refusal::of_status(&client(&open).await.chat(twice).await.unwrap_err());
    assert_eq!(refusal.fields[0].field, "metadata.purpose");
    client(&open).await.chat(with_key(request)).await.unwrap();
    let [_, record] = open.house.records();
    assert_eq!(record.purpose.as_deref(), Some("support"));
}

#[tokio::test]
async fn models_and_quota_are_shown() {
    let open = open(|facts| {
        limit(facts, "day", Bound::Requests(10, Period::Day));
        limit(facts, "money", Bound::Spend("2.5 USD".parse().unwrap(), Period::Day));
        let money = std::sync::Arc::make_mut(facts.limits.get_mut(&world::id("money")).unwrap());
        money.scope.model = Some(policy_engine::facts::ModelGlob::new("fast").unwrap());
    })
    .await;
    let mut client = client(&open).await;
    let page =
        |size, token: &str| with_key(wire::ListModelsRequest { page_size: size, page_token: token.into() });
    let (mut names, mut token) = (vec![], String::new());
    loop {
        let got = client.list_models(page(2, &token)).await.unwrap().into_inner();
        assert!(got.models.len() <= 2);
        names.extend(got.models.into_iter().map(|model| model.name));
        token = got.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(names, ["down", "embed", "fast", "pair", "seen"]);
    assert_eq!(client.list_models(page(-1, "")).await.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(client.list_models(page(1, "!")).await.unwrap_err().code(), Code::InvalidArgument);
    let get = |name: &str| with_key(wire::GetModelRequest { name: name.into() });
    let model = client.get_model(get("seen")).await.unwrap().into_inner();
    assert_eq!(model.availability.unwrap().reasons, ["not_entitled"]);
    assert_eq!(client.get_model(get("hidden")).await.unwrap_err().code(), Code::NotFound);
    client.chat(with_key(chat("fast", "hi"))).await.unwrap();
    let quota = client
        .get_quota(with_key(wire::GetQuotaRequest { model: "fast".into() }))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((quota.quotas[0].allowed, quota.quotas[0].remaining, quota.quotas[0].consumed), (10, 9, 1));
    assert_eq!(
        (quota.quotas[0].allowed_amount.as_str(), quota.quotas[1].allowed_amount.as_str()),
        ("", "2.50")
    );
    let embed = wire::EmbedRequest {
        model: "embed".into(),
        inputs: vec!["a".into(), "b".into()],
        ..Default::default()
    };
    let vectors = client.embed(with_key(embed)).await.unwrap().into_inner();
    assert_eq!(vectors.embeddings.iter().map(|e| e.index).collect::<Vec<_>>(), [0, 1]);
    assert!(!vectors.embeddings[0].values.is_empty());
}

#[tokio::test]
async fn what_is_unknown_is_unimplemented_and_health_is_known() {
    let open = open(|_| ()).await;
    let channel = Channel::from_shared(format!("http://{}", open.address)).unwrap().connect().await.unwrap();
    let mut health = tonic_health::pb::health_client::HealthClient::new(channel.clone());
    let got = health.check(tonic_health::pb::HealthCheckRequest { service: String::new() }).await.unwrap();
    assert_eq!(got.into_inner().status, 1);
    let headers = [("content-type", "application/grpc"), ("te", "trailers")];
    for path in
        ["/chancery.inference.v1.Inference/Nothing", "/chancery.inference.v9.Inference/Chat", "/nothing"]
    {
        let got = open.send((Method::POST, path), &headers, "").await;
        assert_eq!(got.headers["grpc-status"], "12", "{path}");
    }
}

#[tokio::test]
async fn case_60_no_message_is_read_of_a_caller_who_is_not_proved() {
    let open = open(|_| ()).await;
    let huge = chat("fast", &"x".repeat(open.house.node.bounds.body_bytes + 1));
    let refused = client(&open).await.chat(tonic::Request::new(huge.clone())).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated, "{refused:?}");
    let told = |name| refused.metadata().get(name).unwrap();
    assert_eq!(told("x-chancery-request-id"), told("x-request-id"));
    let refused = client(&open).await.chat(with_key(huge)).await.unwrap_err();
    assert_eq!(Refusal::of_status(&refused).code.as_str(), "payload_too_large", "{refused:?}");
    let records: [_; 2] = open.house.records();
    assert!(records.iter().all(|record| record.code.is_some() && record.owner.is_none()));
}

#[tokio::test]
async fn case_60_a_message_that_is_none_is_the_callers_mistake_and_recorded() {
    let open = open(|_| ()).await;
    let key = format!("Bearer {KEY}");
    let headers = [("content-type", "application/grpc"), ("te", "trailers"), ("authorization", &key)];
    let path = "/chancery.inference.v1.Inference/Chat";
    // A length that is not there, a field that is none, a flag that says it is compressed, and one that says nothing.
    for framed in ["\0\0\0\0\u{9}\u{a}", "\0\0\0\0\u{1}\u{7}", "\u{1}\0\0\0\u{1}x", "\u{7}\0\0\0\u{1}x"] {
        let got = open.send((Method::POST, path), &headers, framed).await;
        assert_eq!(got.headers["grpc-status"], "3", "{framed:?}: {:?}", got.headers);
        assert!(got.headers.contains_key("x-chancery-request-id"), "{framed:?}");
    }
    let records: [_; 4] = open.house.records();
    assert!(records.iter().all(|record| record.code == Some("invalid_request")));
    let gzip = [headers.as_slice(), &[("grpc-encoding", "gzip")]].concat();
    let got = open.send((Method::POST, path), &gzip, "\u{1}\0\0\0\u{1}x").await;
    assert_eq!(got.headers["grpc-status"], "12", "{:?}", got.headers);
}

#[tokio::test]
async fn messages_share_the_budget_of_all_bodies() {
    let open = open(|_| ()).await;
    let node = &open.house.node;
    let long = chat("fast", &"x".repeat(100_000));
    let held = node.buffer(node.bounds.buffered_bytes - 50_000).unwrap();
    let refused = client(&open).await.chat(with_key(long.clone())).await.unwrap_err();
    assert_eq!(Refusal::of_status(&refused).code.as_str(), "overloaded", "{refused:?}");
    drop(held);
    client(&open).await.chat(with_key(long)).await.unwrap();
    assert!(node.buffer(node.bounds.buffered_bytes).is_some(), "all of it was given back");
}
