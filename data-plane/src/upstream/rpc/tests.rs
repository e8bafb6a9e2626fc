//! An adapter of the organisation's own, by a server that answers as a test wants: what it is asked, what comes of its answers, and of its faults.

mod raw;

use std::pin::Pin;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use http::StatusCode;
use proto::adapter::adapter_server::{Adapter, AdapterServer};
use proto::inference::chat_stream_event::Event as Step;
use proto::inference::content_part::Part as Said;
use proto::inference::stream_delta::Delta as More;
use proto::inference::{
    ChatRequest, ChatResponse, ChatStreamEvent, Choice, ContentPart, EmbedRequest, EmbedResponse, Embedding,
    FinishReason, Message, ModerateRequest, ModerateResponse, Moderation, ModerationCategory, RerankRequest,
    RerankResponse, RerankResult, Role, StreamDelta, StreamFinish, StreamStart, Usage,
};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tonic::metadata::MetadataMap;
use tonic::{Code, Request};
use tonic_types::{ErrorDetails, StatusExt as _};

use super::*;
use crate::upstream::config::{self, Timeouts};
use crate::upstream::error::{Delivered, Stage};
use crate::upstream::scripted::{KEY, call, collected, endpoint, said};

const BODY: &str =
    r#"{"model":"m-1","max_tokens":50,"prediction":{"x":1},"messages":[{"role":"user","content":"hi"}]}"#;
const STREAMING: &str = r#"{"model":"m-1","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;

type Events = Vec<Result<ChatStreamEvent, Status>>;

/// What an adapter does.
#[derive(Clone)]
struct House {
    told: mpsc::UnboundedSender<(MetadataMap, ChatRequest)>,
    whole: Result<ChatResponse, Status>,
    events: Result<Events, Status>,
    /// Whether a stream goes on for ever after its events; its end is then told here.
    hangs: Option<mpsc::UnboundedSender<()>>,
}

#[tonic::async_trait]
impl Adapter for House {
    type ChatStreamStream = Pin<Box<dyn Stream<Item = Result<ChatStreamEvent, Status>> + Send>>;

    async fn chat(&self, request: Request<ChatRequest>) -> Result<Response<ChatResponse>, Status> {
        let (metadata, _, message) = request.into_parts();
        self.told.send((metadata, message)).unwrap();
        self.whole.clone().map(Response::new)
    }

    async fn chat_stream(
        &self,
        request: Request<ChatRequest>,
    ) -> Result<Response<Self::ChatStreamStream>, Status> {
        let (metadata, _, message) = request.into_parts();
        self.told.send((metadata, message)).unwrap();
        let events = futures_util::stream::iter(self.events.clone()?);
        let Some(told) = self.hangs.clone() else { return Ok(Response::new(Box::pin(events))) };
        let over = Over(told);
        let rest = futures_util::stream::pending().map(move |never| {
            let _ = &over;
            never
        });
        Ok(Response::new(Box::pin(events.chain(rest))))
    }

    async fn embed(&self, request: Request<EmbedRequest>) -> Result<Response<EmbedResponse>, Status> {
        let inputs = request.into_inner().inputs;
        let vectors =
            (0..).zip(inputs).map(|(index, text)| Embedding { index, values: vec![text.len() as f32] });
        let usage = Some(Usage { input_tokens: 5, ..Usage::default() });
        Ok(Response::new(EmbedResponse { embeddings: vectors.collect(), usage, ..EmbedResponse::default() }))
    }

    async fn moderate(
        &self,
        request: Request<ModerateRequest>,
    ) -> Result<Response<ModerateResponse>, Status> {
        let asked = request.into_inner();
        let category =
            |flagged| ModerationCategory { name: "mice".into(), flagged, score: 0.5, input_types: vec![] };
        let of = |flagged| Moderation { flagged, categories: vec![category(flagged)] };
        let mut results: Vec<Moderation> =
            asked.inputs.iter().map(|text| of(text.contains("mouse"))).collect();
        if !asked.parts.is_empty() {
            results.push(of(true));
        }
        Ok(Response::new(ModerateResponse { id: "m1".into(), results, ..ModerateResponse::default() }))
    }

    async fn rerank(&self, request: Request<RerankRequest>) -> Result<Response<RerankResponse>, Status> {
        let last = request.into_inner().documents.len() as u32;
        let results =
            (0..last).rev().map(|index| RerankResult { index, relevance_score: 0.5, document: None });
        Ok(Response::new(RerankResponse { results: results.collect(), ..RerankResponse::default() }))
    }
}

/// Tells when it is dropped.
struct Over(mpsc::UnboundedSender<()>);

impl Drop for Over {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

type Heard = mpsc::UnboundedReceiver<(MetadataMap, ChatRequest)>;

/// An adapter, changed, and the way to it.
async fn house(change: impl FnOnce(&mut House), config: impl FnOnce(&mut EndpointConfig)) -> (Rpc, Heard) {
    let (told, heard) = mpsc::unbounded_channel();
    let mut house = House { told, whole: Ok(answer()), events: Ok(events()), hangs: None };
    change(&mut house);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    let server = tonic::transport::Server::builder().add_service(AdapterServer::new(house));
    tokio::spawn(server.serve_with_incoming(incoming));
    (way(port, config), heard)
}

fn way(port: u16, change: impl FnOnce(&mut EndpointConfig)) -> Rpc {
    let mut config = EndpointConfig {
        adapter: config::Adapter::Rpc,
        base_url: format!("http://127.0.0.1:{port}"),
        ..endpoint(port)
    };
    change(&mut config);
    Rpc::build(&config).unwrap()
}

fn answer() -> ChatResponse {
    let content = vec![ContentPart { part: Some(Said::Text("hello".into())) }];
    let message = Message { role: Role::Assistant.into(), content, ..Message::default() };
    let usage = Usage { input_tokens: 7, output_tokens: 2, cached_input_tokens: 3, reasoning_tokens: 1 };
    ChatResponse {
        choices: vec![Choice {
            index: 0,
            message: Some(message),
            finish_reason: FinishReason::Length.into(),
        }],
        usage: Some(usage),
        ..ChatResponse::default()
    }
}

fn step(step: Step) -> Result<ChatStreamEvent, Status> {
    Ok(ChatStreamEvent { event: Some(step) })
}

fn more(text: &str) -> Result<ChatStreamEvent, Status> {
    step(Step::Delta(StreamDelta { index: 0, delta: Some(More::Text(text.into())) }))
}

fn events() -> Events {
    let usage = Usage { input_tokens: 7, output_tokens: 2, ..Usage::default() };
    vec![
        step(Step::Start(StreamStart { id: "a1".into(), ..StreamStart::default() })),
        more("hel"),
        more("lo"),
        step(Step::Finish(StreamFinish { index: 0, reason: FinishReason::Stop.into() })),
        step(Step::Usage(usage)),
    ]
}

fn status(error: &UpstreamError) -> (StatusCode, Option<Duration>, String) {
    let Kind::Status(refusal) = &error.kind else { panic!("{error:?}") };
    (refusal.status, refusal.retry_after, String::from_utf8(refusal.body.to_vec()).unwrap())
}

#[tokio::test]
async fn it_is_asked_by_messages_and_its_answer_is_read() {
    let (vendor, mut heard) = house(|_| {}, |_| {}).await;
    let mut asked = call(BODY, false);
    asked.traceparent =
        Some(HeaderValue::from_static("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
    asked.deadline = Some(Instant::now() + Duration::from_secs(30));
    let told = vendor.call(asked).await.unwrap();
    let read: Value = serde_json::from_slice(&collected(told).await.unwrap()).unwrap();
    assert_eq!((&read["id"], &read["model"]), (&json!("chatcmpl-req-1"), &json!("m-1")));
    assert_eq!(read["choices"][0]["message"]["content"], "hello");
    assert_eq!(read["choices"][0]["finish_reason"], "length");
    assert_eq!(read["usage"]["prompt_tokens_details"]["cached_tokens"], 3);
    assert_eq!(read["usage"]["completion_tokens_details"]["reasoning_tokens"], 1);
    let (metadata, message) = heard.recv().await.unwrap();
    assert_eq!((message.model.as_str(), message.max_output_tokens), ("m-1", Some(50)));
    assert!(message.extensions.unwrap().fields.contains_key("prediction"));
    let shown = |name: &str| metadata.get(name).map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(shown("authorization"), Some(format!("Bearer {KEY}")));
    assert_eq!(shown("x-client-request-id").as_deref(), Some("req-1"));
    assert!(shown("traceparent").is_some() && shown("grpc-timeout").is_some(), "{metadata:?}");
    assert!(shown("user-agent").unwrap().starts_with("chancery/"), "{metadata:?}");
}

#[tokio::test]
async fn its_stream_is_told_as_it_comes_and_ends_with_what_was_used() {
    let (vendor, _heard) = house(|_| {}, |_| {}).await;
    let told = collected(vendor.call(call(STREAMING, true)).await.unwrap()).await.unwrap();
    let (text, usage, is_over) = said(&told);
    assert_eq!((text.as_str(), is_over, &usage["total_tokens"]), ("hello", true, &json!(9)));
    assert!(String::from_utf8(told).unwrap().contains(r#""id":"a1""#));
}

#[tokio::test]
async fn a_stream_that_does_not_come_to_its_end_broke_off() {
    let unended = events()[..3].to_vec();
    let failed = [unended.clone(), vec![Err(Status::internal("out of memory"))]].concat();
    let refused = [unended.clone(), vec![Err(Status::invalid_argument("no"))]].concat();
    let twice = [unended.clone(), vec![step(Step::Start(StreamStart::default()))]].concat();
    for (events, kind) in
        [(unended, Kind::Reset), (failed, Kind::Reset), (refused, Kind::Reset), (twice, Kind::Protocol)]
    {
        let (vendor, _heard) = house(|house| house.events = Ok(events), |_| {}).await;
        let answer = vendor.call(call(STREAMING, true)).await.unwrap();
        let (told, error) = collected(answer).await.unwrap_err();
        let (text, _, is_over) = said(&told);
        assert_eq!((text.as_str(), is_over, error.delivered), ("hello", false, Delivered::Something));
        assert_eq!(error.kind, kind);
    }
    // Before anything was said another may be asked, and a refusal is the request's.
    let (vendor, _heard) =
        house(|house| house.events = Ok(vec![Err(Status::unavailable("x"))]), |_| {}).await;
    let (_, error) = collected(vendor.call(call(STREAMING, true)).await.unwrap()).await.unwrap_err();
    assert!(error.retryable() && status(&error).0 == StatusCode::SERVICE_UNAVAILABLE, "{error:?}");
    let (vendor, _heard) = house(|house| house.events = Ok(vec![]), |_| {}).await;
    let (_, error) = collected(vendor.call(call(STREAMING, true)).await.unwrap()).await.unwrap_err();
    assert!(error.retryable() && error.kind == Kind::Reset, "{error:?}");
}

#[tokio::test]
async fn a_status_is_the_error_that_other_vendors_have() {
    for (code, told, retryable) in [
        (Code::InvalidArgument, 400, false),
        (Code::FailedPrecondition, 400, false),
        (Code::OutOfRange, 400, false),
        (Code::Unauthenticated, 401, true),
        (Code::PermissionDenied, 403, false),
        (Code::NotFound, 404, false),
        (Code::AlreadyExists, 409, false),
        (Code::Aborted, 409, false),
        (Code::ResourceExhausted, 429, true),
        (Code::Internal, 500, true),
        (Code::Unknown, 500, true),
        (Code::DataLoss, 500, true),
        (Code::Unavailable, 503, true),
        (Code::DeadlineExceeded, 504, true),
    ] {
        let said = Status::new(code, format!("no cats, {KEY}"));
        for streams in [false, true] {
            let refuse = |house: &mut House| {
                (house.whole, house.events) = (Err(said.clone()), Err(said.clone()));
            };
            let (vendor, _heard) = house(refuse, |_| {}).await;
            let error = vendor.call(call(if streams { STREAMING } else { BODY }, streams)).await.unwrap_err();
            let (status, after, body) = status(&error);
            assert_eq!((status.as_u16(), after, error.retryable()), (told, None, retryable), "{code:?}");
            assert!(body.contains("no cats, ***") && !format!("{error:?}").contains(KEY), "{body}");
            assert!(!format!("{:?}", std::error::Error::source(&error)).contains("cats"), "{error:?}");
        }
    }
    let (vendor, _heard) = house(|house| house.whole = Err(Status::cancelled("x")), |_| {}).await;
    assert_eq!(vendor.call(call(BODY, false)).await.unwrap_err().kind, Kind::Reset);
}

#[tokio::test]
async fn when_to_ask_again_and_that_a_filter_refused_stand_in_the_details() {
    let mut details = ErrorDetails::with_retry_info(Some(Duration::from_secs(7)));
    let later = Status::with_error_details(Code::ResourceExhausted, "slow down", details.clone());
    let (vendor, _heard) = house(|house| house.whole = Err(later), |_| {}).await;
    let (_, after, _) = status(&vendor.call(call(BODY, false)).await.unwrap_err());
    assert_eq!(after, Some(Duration::from_secs(7)));
    details.set_error_info("CONTENT_FILTER", "models.example", std::collections::HashMap::new());
    let filtered = Status::with_error_details(Code::PermissionDenied, "not that", details);
    let (vendor, _heard) = house(|house| house.whole = Err(filtered), |_| {}).await;
    let error = vendor.call(call(BODY, false)).await.unwrap_err();
    let Kind::Status(refusal) = &error.kind else { panic!("{error:?}") };
    assert!(refusal.status == StatusCode::BAD_REQUEST && refusal.is_filtered(), "{refusal:?}");
}

#[tokio::test]
async fn what_it_does_not_implement_it_does_not_have() {
    let unstreamed = |house: &mut House| house.events = Err(Status::unimplemented("no streams"));
    let (vendor, _heard) = house(unstreamed, |_| {}).await;
    let told = collected(vendor.call(call(STREAMING, true)).await.unwrap()).await.unwrap();
    let (text, usage, is_over) = said(&told);
    assert_eq!((text.as_str(), is_over, &usage["total_tokens"]), ("hello", true, &json!(9)));
    let nothing = |house: &mut House| {
        let status = || Status::unimplemented("nothing");
        (house.whole, house.events) = (Err(status()), Err(status()));
    };
    let (vendor, _heard) = house(nothing, |_| {}).await;
    for streams in [false, true] {
        let error = vendor.call(call(if streams { STREAMING } else { BODY }, streams)).await.unwrap_err();
        assert!(matches!(&error.kind, Kind::Unfit(unfit) if unfit.field == "model"), "{error:?}");
    }
    let has = [Operation::Chat, Operation::Embed, Operation::Moderate, Operation::Rerank];
    for operation in Operation::ALL.iter().filter(|operation| !has.contains(operation)) {
        let mut other = call(r#"{"model":"m-1","input":"hi"}"#, false);
        other.operation = *operation;
        let error = vendor.call(other).await.unwrap_err();
        assert!(
            matches!(&error.kind, Kind::Unfit(unfit) if unfit.why.contains(operation.as_str())),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn texts_become_vectors_and_documents_get_their_order() {
    let (vendor, _heard) = house(|_| {}, |_| {}).await;
    let mut asked = call(r#"{"model":"m-1","input":["a","bcd"],"encoding_format":"float"}"#, false);
    asked.operation = Operation::Embed;
    let told: Value =
        serde_json::from_slice(&collected(vendor.call(asked).await.unwrap()).await.unwrap()).unwrap();
    assert_eq!((&told["data"][1]["embedding"], &told["usage"]["prompt_tokens"]), (&json!([3.0]), &json!(5)));
    let mut asked =
        call(r#"{"model":"m-1","query":"q","documents":["a","b"],"return_documents":true}"#, false);
    asked.operation = Operation::Rerank;
    let told: Value =
        serde_json::from_slice(&collected(vendor.call(asked).await.unwrap()).await.unwrap()).unwrap();
    let expected = json!({"model": "m-1", "results": [
        {"index": 1, "relevance_score": 0.5, "document": {"text": "b"}},
        {"index": 0, "relevance_score": 0.5, "document": {"text": "a"}},
    ]});
    assert_eq!(told, expected);
}

#[tokio::test]
async fn content_is_judged_each_text_by_itself_and_parts_as_one() {
    let (vendor, _heard) = house(|_| {}, |_| {}).await;
    for (input, flagged) in [
        (r#""a mouse""#, vec![true]),
        (r#"["a cat","a mouse"]"#, vec![false, true]),
        (
            r#"[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"https://x.example/a.png"}}]"#,
            vec![true],
        ),
    ] {
        let mut asked = call(&format!(r#"{{"model":"m-1","input":{input}}}"#), false);
        asked.operation = Operation::Moderate;
        let told = collected(vendor.call(asked).await.unwrap()).await.unwrap();
        let told: Value = serde_json::from_slice(&told).unwrap();
        let results = told["results"].as_array().unwrap();
        let of: Vec<bool> = results.iter().map(|result| result["flagged"] == true).collect();
        assert_eq!(of, flagged, "{told}");
        assert_eq!((&results[0]["category_scores"]["mice"], &told["id"]), (&json!(0.5), &json!("m1")));
    }
}

#[tokio::test]
async fn who_goes_away_cancels_the_call() {
    let (told, mut over) = mpsc::unbounded_channel();
    let hangs = |house: &mut House| {
        (house.hangs, house.events) = (Some(told), Ok(vec![more("hel")]));
    };
    let (vendor, _heard) = house(hangs, |_| {}).await;
    let AnswerBody::Events(mut events) = vendor.call(call(STREAMING, true)).await.unwrap().body else {
        panic!()
    };
    assert!(events.next().await.unwrap().is_ok());
    assert!(over.try_recv().is_err());
    drop(events);
    over.recv().await.unwrap();
}

#[tokio::test]
async fn who_hangs_or_says_too_much_is_given_up() {
    let (told, _over) = mpsc::unbounded_channel();
    let hangs = |house: &mut House| {
        (house.hangs, house.events) = (Some(told), Ok(vec![more("hel")]));
    };
    let brief = Timeouts { idle: Duration::from_millis(50), ..Timeouts::default() };
    let (vendor, _heard) = house(hangs, |config| config.timeouts = brief).await;
    let (told, error) = collected(vendor.call(call(STREAMING, true)).await.unwrap()).await.unwrap_err();
    assert_eq!((said(&told).0.as_str(), error.kind), ("hel", Kind::Timeout(Stage::Idle)));
    let caps = Caps { max_answer_bytes: 64, max_event_bytes: 16 };
    let long = "x".repeat(65);
    let says = |house: &mut House| {
        let mut told = answer();
        told.choices[0].message.as_mut().unwrap().content[0].part = Some(Said::Text(long.clone()));
        (house.whole, house.events) = (Ok(told), Ok(vec![more(&long)]));
    };
    let (vendor, _heard) = house(says, |config| config.caps = caps).await;
    assert_eq!(vendor.call(call(BODY, false)).await.unwrap_err().kind, Kind::TooLarge);
    let (_, error) = collected(vendor.call(call(STREAMING, true)).await.unwrap()).await.unwrap_err();
    assert_eq!(error.kind, Kind::TooLarge);
}

#[tokio::test]
async fn who_tells_our_credential_is_out_of_protocol() {
    let says = |house: &mut House| house.events = Ok(vec![more("hel"), more(KEY)]);
    let (vendor, _heard) = house(says, |_| {}).await;
    let (told, error) = collected(vendor.call(call(STREAMING, true)).await.unwrap()).await.unwrap_err();
    assert_eq!((error.kind.clone(), String::from_utf8(told).unwrap().contains(KEY)), (Kind::Protocol, false));
    assert!(!format!("{error:?}").contains(KEY));
}

#[test]
fn what_can_not_be_called_is_not_built() {
    let mut config = EndpointConfig { adapter: config::Adapter::Rpc, ..endpoint(8000) };
    config.auth =
        Some(Auth::Aws { access_key_id: "AKIDEXAMPLE".into(), region: "eu-west-1".into(), role: None });
    assert!(Rpc::build(&config).err().unwrap().is_of_credential());
    config.auth = None;
    config.base_url = "http://169.254.169.254/".into();
    assert!(matches!(Rpc::build(&config).err().unwrap(), Fault::BaseUrl(_)));
}
