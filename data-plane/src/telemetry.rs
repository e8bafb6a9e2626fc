//! What the node tells about itself: JSON logs on standard error, and traces where a collector is configured.
//!
//! Law: a telemetry sink that is down or slow costs a request nothing; spans are made from records, off the request's way.
//! Absent on purpose: metrics (`metrics`), and any content of prompts or answers.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use opentelemetry::trace::{
    SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceFlags, TraceId,
    TraceState, Tracer, TracerProvider,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider};

use tonic::transport::{Certificate, ClientTlsConfig};

use crate::config::Telemetry;
use crate::record::{Observer, Outcome, Record};

/// Traces on their way to a collector.
pub(crate) struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

impl Traces {
    /// Traces for the configured collector; `None` without one.
    pub(crate) fn start(config: &Telemetry, geo: &str) -> anyhow::Result<Option<Arc<Self>>> {
        let Some(endpoint) = config.otlp_endpoint.as_deref().filter(|e| !e.is_empty()) else {
            return Ok(None);
        };
        let mut exporter =
            SpanExporter::builder().with_tonic().with_endpoint(endpoint).with_timeout(Duration::from_secs(5));
        if endpoint.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:")) {
            exporter = exporter.with_tls_config(tls(config)?);
        }
        let exporter = exporter.build().with_context(|| format!("traces can't be sent to `{endpoint}`"))?;
        let resource = Resource::builder()
            .with_service_name("chancery-data-plane")
            .with_attribute(KeyValue::new("chancery.geo", geo.to_owned()))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(config.trace_ratio))))
            .with_resource(resource)
            .build();
        let tracer = provider.tracer("chancery");
        Ok(Some(Arc::new(Self { provider, tracer })))
    }

    /// Sends what is still here. May block for as long as the collector's timeout.
    pub(crate) fn flush(&self) {
        if let Err(error) = self.provider.shutdown() {
            tracing::warn!(%error, "the last traces did not reach the collector");
        }
    }
}

impl Observer for Traces {
    fn ended(&self, record: &Record, _recorded: bool) {
        let end = SystemTime::now();
        let start = end.checked_sub(Duration::from_micros(record.latency_us)).unwrap_or(end);
        let model = record.model.as_ref().map(|id| id.name.to_string()).unwrap_or_default();
        let operation = record.operation.as_str();
        let mut attributes = vec![
            KeyValue::new(
                "gen_ai.operation.name",
                if operation == "embed" { "embeddings" } else { operation },
            ),
            KeyValue::new("gen_ai.request.model", model.clone()),
            KeyValue::new("gen_ai.provider.name", "chancery"),
            KeyValue::new("gen_ai.usage.input_tokens", saturating(record.usage.amounts.input)),
            KeyValue::new("gen_ai.usage.output_tokens", saturating(record.usage.amounts.output)),
            KeyValue::new("chancery.request_id", record.id.to_string()),
            KeyValue::new("chancery.revision", record.version.revision),
            KeyValue::new("chancery.outcome", record.outcome.as_str()),
            KeyValue::new("chancery.door", record.door.as_str()),
            KeyValue::new("http.response.status_code", i64::from(record.status)),
        ];
        if let Some(endpoint) = &record.endpoint {
            attributes.push(KeyValue::new("chancery.endpoint", endpoint.name.to_string()));
        }
        if let Some(code) = record.code {
            attributes.push(KeyValue::new("error.type", code));
        }
        let builder = SpanBuilder::from_name(format!("{operation} {model}"))
            .with_kind(SpanKind::Server)
            .with_start_time(start)
            .with_attributes(attributes);
        let mut span = self.tracer.build_with_context(builder, &parent(record.trace.as_deref()));
        if !matches!(record.outcome, Outcome::Answered | Outcome::Refused) {
            opentelemetry::trace::Span::set_status(&mut span, Status::error(record.outcome.as_str()));
        }
        opentelemetry::trace::Span::end_with_timestamp(&mut span, end);
    }
}

/// The public roots, and the authority of a collector that has one of its own.
fn tls(config: &Telemetry) -> anyhow::Result<ClientTlsConfig> {
    let tls = ClientTlsConfig::new().with_enabled_roots();
    let Some(path) = &config.otlp_ca else { return Ok(tls) };
    let pem = std::fs::read(path).with_context(|| format!("`{}` can't be read", path.display()))?;
    Ok(tls.ca_certificate(Certificate::from_pem(pem)))
}

fn saturating(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The caller's own span, where it names one; it then decides whether ours is kept.
fn parent(traceparent: Option<&str>) -> Context {
    match traceparent.and_then(remote) {
        Some(span) => Context::new().with_remote_span_context(span),
        None => Context::new(),
    }
}

/// Reads a `traceparent` (W3C Trace Context, level 1); a later version may have more fields behind these.
fn remote(text: &str) -> Option<SpanContext> {
    let mut fields = text.split('-');
    let mut hex = |digits: usize| {
        fields.next().filter(|f| f.len() == digits && f.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    let (version, trace, span, flags) = (hex(2)?, hex(32)?, hex(16)?, hex(2)?);
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?);
    let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
    let context = SpanContext::new(trace, span, flags, true, TraceState::default());
    (version != "ff" && context.is_valid()).then_some(context)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::scripted::soon;

    #[tokio::test]
    async fn a_collector_behind_tls_is_reached_by_its_own_authority() {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let ca = dir.path().join("ca.pem");
        std::fs::write(&ca, own.cert.pem()).unwrap();
        let key = rustls_pki_types::PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
        let mut server = rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], key)
            .unwrap();
        server.alpn_protocols = vec![b"h2".to_vec()];
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = Telemetry {
            otlp_endpoint: Some(format!("https://{}", listener.local_addr().unwrap())),
            otlp_ca: Some(ca),
            ..Telemetry::default()
        };
        let traces = Traces::start(&config, "eu").unwrap().unwrap();
        traces.ended(&crate::record::outbox::tests::record(1), true);
        let flushing = tokio::task::spawn_blocking(move || traces.flush());
        let (stream, _) = soon(listener.accept()).await.unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(server));
        let mut stream = soon(acceptor.accept(stream)).await.unwrap();
        let mut preface = [0; 14];
        soon(tokio::io::AsyncReadExt::read_exact(&mut stream, &mut preface)).await.unwrap();
        assert_eq!(&preface, b"PRI * HTTP/2.0");
        drop((stream, listener));
        soon(flushing).await.unwrap();
    }

    #[test]
    fn an_authority_that_is_not_there_is_told_by_its_path() {
        let config = Telemetry {
            otlp_endpoint: Some("https://localhost:1".to_owned()),
            otlp_ca: Some("/no/such/ca.pem".into()),
            ..Telemetry::default()
        };
        let Err(error) = Traces::start(&config, "eu") else { panic!("an exporter without its authority") };
        assert_eq!(error.to_string(), "`/no/such/ca.pem` can't be read");
    }

    #[test]
    fn a_callers_span_is_read_or_there_is_none() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let context = remote(good).unwrap();
        assert!(context.is_remote() && context.is_sampled());
        assert_eq!(context.span_id().to_string(), "b7ad6b7169203331");
        assert!(!remote(&good.replace("-01", "-00")).unwrap().is_sampled());
        assert!(remote(&good.replacen("00", "cc", 1).replace("-01", "-01-more")).is_some());
        for bad in ["", "00", &good.replacen("00", "ff", 1), &good.replace('a', "g"), &good[..50], "00-0-0-0"]
        {
            assert!(remote(bad).is_none(), "{bad}");
        }
        assert!(remote("00-00000000000000000000000000000000-b7ad6b7169203331-01").is_none());
    }
}
