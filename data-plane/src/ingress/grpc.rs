//! `chancery.inference.v1` over gRPC, with health and reflection beside it.
//!
//! Law: a message becomes the same request in the OpenAI dialect that an SDK would have sent, passes the same sentence, and its
//! answer is read back; refusals are statuses with the same code, reasons and revision; what other doors tell in headers is
//! initial metadata here, and trailing. Deliberately absent: a second pipeline.

mod answer;
mod ask;
mod event;
mod form;
mod guardrail;
mod intake;
mod media;
mod models;

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Request, Response};
use hyper::body::Incoming;
use policy_engine::vocabulary::Operation;
use proto::FILE_DESCRIPTOR_SET;
use proto::code::ErrorCode;
use proto::inference as wire;
use proto::inference::inference_server::{Inference, InferenceServer};
use tonic::metadata::MetadataMap;
use tonic::{Code, Status};
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};
use tower::Service as _;

use super::body::DoorBody;
use super::catalogue::Viewing;
use super::standing::counters;
use super::{foreign, headers};
use crate::error::Rejection;
use crate::node::Node;
use crate::pipeline::received::{Arrival, Declared, Received};
use crate::pipeline::{self, Body, Reply, identify, input_tokens};
use crate::record::{Door, Task};
use crate::upstream::call::File;
use event::Events;
use intake::Intake;

/// Where the RPCs of the service are.
const SERVICE: &str = "/chancery.inference.v1.Inference/";

/// A body as an SDK would have sent it, and the files of a form.
type Written = (Vec<u8>, Arc<[File]>);

/// The services of the door.
pub(super) struct Routes {
    node: Arc<Node>,
    inference: InferenceServer<GrpcDoor>,
    others: tonic::service::Routes,
}

/// The services, for a node whose health is told by `health`.
pub(super) fn routes(node: &Arc<Node>, health: &HealthReporter) -> Routes {
    let door = InferenceServer::new(GrpcDoor { node: node.clone() });
    let inference =
        door.max_decoding_message_size(node.bounds.body_bytes).max_encoding_message_size(usize::MAX);
    let mut others = tonic::service::Routes::builder();
    others.add_service(HealthServer::new(HealthService::from_health_reporter(health.clone())));
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .with_service_name("chancery.inference.v1.Inference")
            .with_service_name("grpc.health.v1.Health")
    };
    // The descriptors are ours and were compiled; without them only reflection would be missing.
    if let Ok(service) = reflection().build_v1() {
        others.add_service(service);
    }
    if let Ok(service) = reflection().build_v1alpha() {
        others.add_service(service);
    }
    Routes { node: node.clone(), inference, others: others.routes() }
}

impl Routes {
    /// Answers a call.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Response<DoorBody> {
        let arrival = match arrive(&self.node, &request) {
            Some(Ok(arrival)) => Some(arrival),
            Some(Err(refused)) => return refused,
            None => None,
        };
        let ours = infers(&request);
        let response = if ours {
            let request = request.map(|body| Intake::of(body, &self.node));
            self.inference.clone().call(request).await.map_err(|never| match never {})
        } else {
            self.others.clone().call(request).await.map_err(|never| match never {})
        };
        let Ok(mut response) = response;
        if let Some(refused) = arrival.and_then(|arrival| unread(&self.node, &arrival, response.headers())) {
            return refused;
        }
        headers::complete(&self.node, response.headers_mut());
        let told = response.headers().iter().filter(|(name, _)| headers::is_told(name));
        let told: HeaderMap = told.map(|(name, value)| (name.clone(), value.clone())).collect();
        response.map(|body| DoorBody::grpc(body, told))
    }
}

/// Who asks a model something, and that they may send it: messages are read only of callers who are proved first, so that nobody
/// else can fill the memory.
fn arrive(node: &Arc<Node>, request: &Request<Incoming>) -> Option<Result<Arrival, Response<DoorBody>>> {
    let rpc = request.uri().path().strip_prefix(SERVICE)?;
    let task = match rpc {
        "Chat" | "ChatStream" | "CountTokens" => Operation::Chat.into(),
        "Embed" => Operation::Embed.into(),
        "Moderate" => Operation::Moderate.into(),
        "Rerank" => Operation::Rerank.into(),
        "GenerateImage" => Operation::Image.into(),
        "Speech" => Operation::Speech.into(),
        "Transcribe" => Operation::Transcribe.into(),
        "ApplyGuardrail" => Task::ApplyGuardrail,
        _ => return None,
    };
    // Nobody is asked how many tokens something is, so nothing is recorded of it.
    let counts = rpc == "CountTokens";
    let headers = request.headers();
    let arrival = Arrival::read(node, (Door::Grpc, task), (headers, None), timeout(headers));
    let known = match node.runtime.load_full() {
        Some(runtime) => identify(node, &runtime, (&arrival.credential, arrival.at)).map(drop),
        None => Err(Rejection::unready()),
    };
    Some(match known {
        Ok(()) if counts => return None,
        Ok(()) => Ok(arrival),
        Err(rejection) if counts => Err(refused(&rejection)),
        Err(rejection) => Err(turn_away(node, &arrival, rejection)),
    })
}

/// The refusal of a message that could not be read: the library answers before the pipeline hears of it, with statuses that blame the
/// server (`INTERNAL`) or are another's (`OUT_OF_RANGE`), and without a record.
fn unread(node: &Arc<Node>, arrival: &Arrival, headers: &HeaderMap) -> Option<Response<DoorBody>> {
    let heard = headers.keys().any(headers::is_told);
    let status = Status::from_header_map(headers).filter(|_| !heard)?;
    let most = node.bounds.body_bytes;
    let rejection = match status.code() {
        Code::OutOfRange => {
            Rejection::new(ErrorCode::PayloadTooLarge, format!("the message is larger than {most} bytes"))
        }
        Code::Internal => Rejection::new(ErrorCode::InvalidRequest, "the message is not one of this call"),
        // How messages may be compressed is between the libraries, and told in `grpc-accept-encoding`.
        Code::Unimplemented => return None,
        other => Rejection::new(ErrorCode::of_grpc(other), status.message()),
    };
    Some(turn_away(node, arrival, rejection))
}

fn turn_away(node: &Arc<Node>, arrival: &Arrival, rejection: Rejection) -> Response<DoorBody> {
    let Reply { head, body } = pipeline::turn_away(node, arrival, rejection);
    let status = body.err().map_or_else(odd_answer, |rejection| told(head, &rejection));
    status.into_http::<tonic::body::Body>().map(|body| DoorBody::grpc(body, HeaderMap::new()))
}

/// Whether a request is of the inference service, and not of those beside it.
pub(super) fn infers<B>(request: &Request<B>) -> bool {
    request.uri().path().starts_with(SERVICE)
}

/// A refusal before anything was read.
pub(super) fn refused(rejection: &Rejection) -> Response<DoorBody> {
    let response: Response<tonic::body::Body> = Status::from(&*rejection.refusal).into_http();
    response.map(|body| DoorBody::grpc(body, HeaderMap::new()))
}

/// The door.
pub(super) struct GrpcDoor {
    node: Arc<Node>,
}

#[tonic::async_trait]
impl Inference for GrpcDoor {
    type ChatStreamStream = Events;
    type SpeechStream = media::Sound;

    async fn chat(
        &self,
        request: tonic::Request<wire::ChatRequest>,
    ) -> Result<tonic::Response<wire::ChatResponse>, Status> {
        let (metadata, _, message) = request.into_parts();
        let model = message.model.clone();
        let asked = ask::chat(&message, ask::Form::Whole);
        let (head, body) = self.infer((&metadata, Operation::Chat), asked, message.metadata).await?;
        whole(body, head, |bytes| answer::chat(bytes, model))
    }

    async fn chat_stream(
        &self,
        request: tonic::Request<wire::ChatRequest>,
    ) -> Result<tonic::Response<Events>, Status> {
        let (metadata, _, message) = request.into_parts();
        let model = message.model.clone();
        let asked = ask::chat(&message, ask::Form::Stream);
        let (head, body) = self.infer((&metadata, Operation::Chat), asked, message.metadata).await?;
        let Body::Stream(stream) = body else { return Err(odd_answer()) };
        Ok(with_head(Events::of(stream, model), head))
    }

    async fn embed(
        &self,
        request: tonic::Request<wire::EmbedRequest>,
    ) -> Result<tonic::Response<wire::EmbedResponse>, Status> {
        let (metadata, _, message) = request.into_parts();
        let model = message.model.clone();
        let asked = ask::embed(&message);
        let (head, body) = self.infer((&metadata, Operation::Embed), asked, message.metadata).await?;
        whole(body, head, |bytes| answer::embed(bytes, model))
    }

    async fn moderate(
        &self,
        request: tonic::Request<wire::ModerateRequest>,
    ) -> Result<tonic::Response<wire::ModerateResponse>, Status> {
        let (metadata, _, message) = request.into_parts();
        let model = message.model.clone();
        let asked = ask::moderate(&message);
        let (head, body) = self.infer((&metadata, Operation::Moderate), asked, message.metadata).await?;
        whole(body, head, |bytes| answer::moderate(bytes, model))
    }

    async fn rerank(
        &self,
        request: tonic::Request<wire::RerankRequest>,
    ) -> Result<tonic::Response<wire::RerankResponse>, Status> {
        let (metadata, _, message) = request.into_parts();
        let model = message.model.clone();
        let asked = ask::rerank(&message);
        let (head, body) = self.infer((&metadata, Operation::Rerank), asked, message.metadata).await?;
        whole(body, head, |bytes| answer::rerank(bytes, model))
    }

    async fn generate_image(
        &self,
        request: tonic::Request<wire::GenerateImageRequest>,
    ) -> Result<tonic::Response<wire::GenerateImageResponse>, Status> {
        let (metadata, _, message) = request.into_parts();
        let model = message.model.clone();
        let asked = media::image(&message);
        let (head, body) = self.infer((&metadata, Operation::Image), asked, message.metadata).await?;
        whole(body, head, |bytes| media::images(bytes, model))
    }

    async fn speech(
        &self,
        request: tonic::Request<wire::SpeechRequest>,
    ) -> Result<tonic::Response<media::Sound>, Status> {
        let (metadata, _, message) = request.into_parts();
        let asked = media::speech(&message);
        let (head, body) = self.infer((&metadata, Operation::Speech), asked, message.metadata).await?;
        let Body::Media(stream) = body else { return Err(odd_answer()) };
        Ok(with_head(media::Sound::of(stream), head))
    }

    async fn transcribe(
        &self,
        request: tonic::Request<wire::TranscribeRequest>,
    ) -> Result<tonic::Response<wire::TranscribeResponse>, Status> {
        let (metadata, _, mut message) = request.into_parts();
        let model = message.model.clone();
        let operation = if message.translate { Operation::Translate } else { Operation::Transcribe };
        let asked = media::transcribe(&mut message);
        let (head, body) = self.infer_form((&metadata, operation), asked, message.metadata).await?;
        whole(body, head, |bytes| media::said(bytes, model))
    }

    async fn count_tokens(
        &self,
        request: tonic::Request<wire::CountTokensRequest>,
    ) -> Result<tonic::Response<wire::CountTokensResponse>, Status> {
        let viewing = self.viewing(request.metadata())?;
        let wire::CountTokensRequest { model, messages, tools, output_format } = request.into_inner();
        let asked = wire::ChatRequest { model, messages, tools, output_format, ..Default::default() };
        let body = ask::chat(&asked, ask::Form::Whole).map_err(|rejection| status(&rejection))?;
        let known = viewing.viewer().find(&asked.model);
        known.ok_or_else(|| status(&Rejection::unknown_model()))?;
        let input_tokens = input_tokens(&body).map_err(|fault| status(&foreign::wrong(&fault)))?;
        Ok(tonic::Response::new(wire::CountTokensResponse { input_tokens }))
    }

    async fn apply_guardrail(
        &self,
        request: tonic::Request<wire::ApplyGuardrailRequest>,
    ) -> Result<tonic::Response<wire::ApplyGuardrailResponse>, Status> {
        let (metadata, _, message) = request.into_parts();
        let asked = guardrail::asked(&message).map(|body| (body, [].into()));
        let task = Task::ApplyGuardrail;
        let serve = async |received| pipeline::check(&self.node, received, &message.guardrail).await;
        let (head, body) = self.ask((&metadata, task), (asked, message.metadata.as_ref()), serve).await?;
        whole(body, head, guardrail::answer)
    }

    async fn list_models(
        &self,
        request: tonic::Request<wire::ListModelsRequest>,
    ) -> Result<tonic::Response<wire::ListModelsResponse>, Status> {
        let viewing = self.viewing(request.metadata())?;
        models::list(viewing.viewer(), self.node.geo.as_str(), request.get_ref()).map(tonic::Response::new)
    }

    async fn get_model(
        &self,
        request: tonic::Request<wire::GetModelRequest>,
    ) -> Result<tonic::Response<wire::Model>, Status> {
        let viewing = self.viewing(request.metadata())?;
        let viewer = viewing.viewer();
        let row = viewer.find(&request.get_ref().name).ok_or_else(|| status(&Rejection::unknown_model()))?;
        Ok(tonic::Response::new(models::model(viewer.look(row), self.node.geo.as_str())))
    }

    async fn get_quota(
        &self,
        request: tonic::Request<wire::GetQuotaRequest>,
    ) -> Result<tonic::Response<wire::GetQuotaResponse>, Status> {
        let viewing = self.viewing(request.metadata())?;
        let model = Some(request.get_ref().model.as_str()).filter(|name| !name.is_empty());
        let counters = counters(&self.node, viewing.viewer(), model).await;
        let counters = counters.ok_or_else(|| status(&Rejection::unknown_model()))?;
        Ok(tonic::Response::new(models::quota(counters, self.node.geo.as_str(), self.node.clock.now())))
    }
}

impl GrpcDoor {
    /// The same sentence as every door's.
    async fn infer(
        &self,
        to: (&MetadataMap, Operation),
        asked: Result<Vec<u8>, Rejection>,
        declared: Option<wire::RequestMetadata>,
    ) -> Result<(pipeline::Head, Body), Status> {
        self.infer_form(to, asked.map(|body| (body, [].into())), declared).await
    }

    /// The same of the fields of a form, and its files.
    async fn infer_form(
        &self,
        (metadata, operation): (&MetadataMap, Operation),
        asked: Result<Written, Rejection>,
        declared: Option<wire::RequestMetadata>,
    ) -> Result<(pipeline::Head, Body), Status> {
        let serve = async |received| pipeline::serve(&self.node, received).await;
        self.ask((metadata, operation), (asked, declared.as_ref()), serve).await
    }

    /// Asks for a task by what `serve` does.
    async fn ask(
        &self,
        (metadata, task): (&MetadataMap, impl Into<Task>),
        (asked, declared): (Result<Written, Rejection>, Option<&wire::RequestMetadata>),
        serve: impl AsyncFnOnce(Received) -> Reply,
    ) -> Result<(pipeline::Head, Body), Status> {
        let headers: &HeaderMap = metadata.as_ref();
        let mut arrival = Arrival::read(&self.node, (Door::Grpc, task), (headers, None), timeout(headers));
        if let Some(declared) = declared {
            arrival.declared = arrival.declared.and_then(|known| join(known, declared));
        }
        let reply = match asked {
            Ok((body, files)) => {
                // A form is written again for its vendor.
                let held: usize = files.iter().map(|file| 2 * file.bytes.len()).sum();
                let full =
                    || Rejection::new(ErrorCode::Overloaded, "this node holds as many bodies as it may");
                match self.node.buffer(body.len() + held) {
                    Some(buffered) => serve(arrival.with_form((body.into(), files), Some(buffered))).await,
                    None => pipeline::turn_away(&self.node, &arrival, full()),
                }
            }
            Err(rejection) => pipeline::turn_away(&self.node, &arrival, rejection),
        };
        let Reply { head, body } = reply;
        match body {
            Ok(body) => Ok((head, body)),
            Err(rejection) => Err(told(head, &rejection)),
        }
    }

    fn viewing(&self, metadata: &MetadataMap) -> Result<Viewing, Status> {
        Viewing::of(&self.node, metadata.as_ref(), None).map_err(|rejection| status(&rejection))
    }
}

fn join(mut known: Declared, declared: &wire::RequestMetadata) -> Result<Declared, Rejection> {
    let purpose = Some(declared.purpose.as_str()).filter(|purpose| !purpose.is_empty());
    let classes = declared.data_classes.iter().map(String::as_str).collect();
    let subjects = declared.subject_residency.iter().map(String::as_str).collect();
    known.join(Declared::of(purpose, classes, subjects)?)?;
    Ok(known)
}

/// A whole answer, read back.
fn whole<M>(
    body: Body,
    head: pipeline::Head,
    read: impl FnOnce(&[u8]) -> Option<M>,
) -> Result<tonic::Response<M>, Status> {
    let Body::Whole(bytes) = body else { return Err(odd_answer()) };
    let message = read(&bytes).ok_or_else(odd_answer)?;
    Ok(with_head(message, head))
}

fn with_head<M>(message: M, head: pipeline::Head) -> tonic::Response<M> {
    let mut told = HeaderMap::with_capacity(12);
    headers::write(head, &mut told);
    tonic::Response::from_parts(MetadataMap::from_headers(told), message, Default::default())
}

fn odd_answer() -> Status {
    status(&Rejection::new(ErrorCode::UpstreamError, "the upstream answered out of protocol"))
}

/// A refusal as a status, with its code, reasons and revision in the details.
fn status(rejection: &Rejection) -> Status {
    let mut status = Status::from(&*rejection.refusal);
    let mut told = HeaderMap::new();
    headers::write_wait(rejection, &mut told);
    if !told.is_empty() {
        *status.metadata_mut() = merged(status.metadata(), told);
    }
    status
}

/// The same, with what every answer tells.
fn told(head: pipeline::Head, rejection: &Rejection) -> Status {
    let mut status = status(rejection);
    let mut told = HeaderMap::new();
    headers::write(head, &mut told);
    *status.metadata_mut() = merged(status.metadata(), told);
    status
}

fn merged(metadata: &MetadataMap, told: HeaderMap) -> MetadataMap {
    let mut headers = metadata.clone().into_headers();
    headers.extend(told);
    MetadataMap::from_headers(headers)
}

/// How long the caller waits (gRPC over HTTP/2: at most eight digits and a unit).
fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let fits = (1..=8).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    let amount: u64 = digits.parse().ok().filter(|_| fits)?;
    Some(match unit {
        "H" => Duration::from_secs(amount.saturating_mul(3600)),
        "M" => Duration::from_secs(amount.saturating_mul(60)),
        "S" => Duration::from_secs(amount),
        "m" => Duration::from_millis(amount),
        "u" => Duration::from_micros(amount),
        "n" => Duration::from_nanos(amount),
        _ => return None,
    })
}
