//! A collector of traces, as an operator would run one: it takes OTLP over gRPC and decodes every span.
//!
//! Law: what a story reads here was encoded by the house and decoded by OpenTelemetry's own definitions.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::{KeyValue, any_value::Value},
};
use tokio::{
    net::TcpListener,
    sync::{Mutex, mpsc},
    task::JoinHandle,
};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, transport::Server};

use crate::wait::within;

/// A running collector.
pub struct Collector {
    address: SocketAddr,
    spans: Mutex<mpsc::UnboundedReceiver<Span>>,
    serving: JoinHandle<()>,
}

/// A span, with the attributes of its resource.
#[derive(Debug, Clone)]
pub struct Span {
    /// Its name.
    pub name: String,
    /// The trace it belongs to, as hexadecimal.
    pub trace: String,
    /// The span it was made under, as hexadecimal; empty where there is none.
    pub parent: String,
    /// Its length in nanoseconds.
    pub nanos: u64,
    attributes: Vec<KeyValue>,
}

impl Collector {
    /// A collector on a free port.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (told, spans) = mpsc::unbounded_channel();
        let served = Server::builder().add_service(TraceServiceServer::new(Desk(told)));
        let serving = tokio::spawn(async move {
            served.serve_with_incoming(TcpListenerStream::new(listener)).await.ok();
        });
        Ok(Self { address, spans: Mutex::new(spans), serving })
    }

    /// What a data plane is configured with.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The next span it got. Errors when none comes in time.
    pub async fn span(&self) -> Result<Span> {
        within("a span", self.spans.lock().await.recv()).await?.context("the collector is gone")
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Span {
    /// An attribute as text; empty where there is none.
    pub fn attribute(&self, name: &str) -> String {
        let found = self.attributes.iter().find(|pair| pair.key == name);
        match found.and_then(|pair| pair.value.as_ref()).and_then(|value| value.value.as_ref()) {
            Some(Value::StringValue(text)) => text.clone(),
            Some(Value::IntValue(number)) => number.to_string(),
            Some(Value::BoolValue(truth)) => truth.to_string(),
            Some(other) => format!("{other:?}"),
            None => String::new(),
        }
    }

    /// Everything of it as text, for looking for what must not be there.
    pub fn everything(&self) -> String {
        format!("{self:?}")
    }
}

struct Desk(mpsc::UnboundedSender<Span>);

#[tonic::async_trait]
impl TraceService for Desk {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        for resource in request.into_inner().resource_spans {
            let shared = resource.resource.map(|resource| resource.attributes).unwrap_or_default();
            for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                let attributes = shared.iter().cloned().chain(span.attributes).collect();
                let nanos = span.end_time_unix_nano.saturating_sub(span.start_time_unix_nano);
                let (trace, parent) = (hex(&span.trace_id), hex(&span.parent_span_id));
                self.0.send(Span { name: span.name, trace, parent, nanos, attributes }).ok();
            }
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
