//! What a data plane is told when it starts: one typed struct, read once, from a TOML file and the environment over it.
//!
//! Law: an unknown key is an error, and so is a value that can't be meant; nothing falls back silently to a default.
//! Every key can be given as `CHANCERY__<SECTION>__<KEY>`. `deploy/config/data-plane.toml` lists every key with its default.

mod check;
mod fetch;
mod form;
mod secrets;

use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use serde::Deserialize;
use thiserror::Error;
use zeroize::Zeroizing;

pub use fetch::Fetch;
pub use form::FormError;
pub use secrets::Secrets;

/// What begins the name of every variable that sets a key.
const PREFIX: &str = "CHANCERY__";

/// Everything a data plane is told.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where it listens.
    #[serde(default)]
    pub listen: Listen,
    /// Where policy comes from.
    pub control: Control,
    /// What it keeps on disk.
    #[serde(default)]
    pub state: State,
    /// How what it decided is kept.
    #[serde(default)]
    pub decisions: Decisions,
    /// For how long policy is good that the control plane does not confirm.
    #[serde(default)]
    pub policy: Policy,
    /// Which upstream addresses it may dial.
    #[serde(default)]
    pub upstream: Upstream,
    /// What it fetches for conversations.
    #[serde(default)]
    pub fetch: Fetch,
    /// Where credentials are kept that policy names and does not hold.
    #[serde(default)]
    pub secrets: Secrets,
    /// How much it takes.
    #[serde(default)]
    pub bounds: Bounds,
    /// How it ends.
    #[serde(default)]
    pub drain: Drain,
    /// What it tells about itself.
    #[serde(default)]
    pub telemetry: Telemetry,
}

/// Where it listens; port 0 picks a free one.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Listen {
    /// REST and gRPC inference; default `127.0.0.1:8080`.
    pub inference: SocketAddr,
    /// `/livez`, `/readyz`, `/metrics`; default `127.0.0.1:8081`.
    pub ops: SocketAddr,
    /// PEM certificate chain of the inference port; without it the port speaks plain text.
    pub tls_certificate: Option<PathBuf>,
    /// PEM private key of `tls_certificate`.
    pub tls_key: Option<PathBuf>,
}

/// Where policy comes from, and by what this node is known there: a token, or a certificate that is brought along. Neither is
/// needed once a token has made it one.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Control {
    /// The control plane's sync port, such as `https://control.internal:7071`.
    pub url: String,
    /// A token of `chancery nodes enrol`, by which this node gets its certificate at its first start; it renews that by itself.
    pub enrolment_token: Option<Token>,
    /// A file that holds the token, instead.
    pub enrolment_token_file: Option<PathBuf>,
    /// PEM certificates of the authorities of the control plane, where the node's certificate is brought along.
    pub ca: Option<PathBuf>,
    /// PEM certificate of this node; its SPIFFE id says geo and name. Read anew for each connection, like its key.
    pub certificate: Option<PathBuf>,
    /// PEM private key of `certificate`.
    pub key: Option<PathBuf>,
}

/// An enrolment token; shown to nobody by accident, and wiped from memory when dropped.
#[derive(Clone, Default, Deserialize)]
#[serde(from = "String")]
pub struct Token(Zeroizing<String>);

impl Token {
    /// The token.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Token {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// What it keeps on disk.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct State {
    /// The directory; default `.chancery/node`.
    pub dir: PathBuf,
    /// Records that may wait to be written; default 16384.
    pub outbox_places: usize,
    /// Bytes at which the outbox begins a new file; default 67108864.
    pub outbox_file_bytes: u64,
}

/// How what it decided is kept: in segments, each sealed when it is full or old.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Decisions {
    /// Records at which a segment is full, 1 to 1000000; default 10000.
    pub segment_records: u64,
    /// Seconds after which one with records is sealed, 1 to 86400; default 60.
    pub segment_seconds: u64,
    /// Where sealed segments are brought, such as `dir:/srv/segments` or `s3://bucket/prefix`; without it they stay in the state directory.
    pub store: Option<String>,
    /// The S3-compatible service of a bucket, as an http or https URL; default Amazon's in the region.
    pub store_endpoint: Option<String>,
    /// Its region; default that of `AWS_REGION` in the environment, or `us-east-1`.
    pub store_region: Option<String>,
    /// A file of PEM certificates that the service may be vouched for by, beside the public authorities.
    pub store_ca: Option<PathBuf>,
    /// Bytes of sealed segments that stay here though the store has them; default 268435456.
    pub keep_bytes: u64,
}

/// For how long policy is good that the control plane does not confirm, at most: what a tenant says is never made longer by it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Seconds for which keys and roles are good, 5 to 604800; default 604800, as long as any tenant may say.
    pub keys_stale_seconds: u32,
    /// Seconds for which compliance rules are good, 5 to 604800; default 604800.
    pub rules_stale_seconds: u32,
}

/// Which upstream addresses it may dial, beyond public ones.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Upstream {
    /// Networks that are not public and may be dialled; default none.
    pub allowed_networks: Vec<IpNet>,
    /// This machine's own addresses may be dialled: for development only; default false.
    pub allow_loopback: bool,
    /// PEM certificates trusted beside the public roots.
    pub extra_roots: Option<PathBuf>,
}

/// How much it takes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bounds {
    /// The largest request body, in bytes; default 33554432.
    pub body_bytes: usize,
    /// Bytes of request bodies held at the same time; default 268435456.
    pub buffered_bytes: usize,
    /// Seconds a request may take in all; default 600.
    pub request_seconds: u64,
    /// Connections open at the same time; default 10000.
    pub connections: usize,
    /// Seconds a connection may take to send its request's headers; default 15.
    pub header_seconds: u64,
    /// Seconds a caller may take nothing of its answer before its connection, or over HTTP/2 its
    /// stream, is closed; default 60.
    pub stalled_seconds: u64,
    /// Requests in flight over all connections; more are answered 503; default 4096.
    pub requests: usize,
}

/// How it ends.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Drain {
    /// Seconds that requests in flight are given after a signal to end; default 30.
    pub seconds: u64,
    /// Seconds during which it still takes requests but says it is not ready; default 0.
    pub grace_seconds: u64,
}

/// What it tells about itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Telemetry {
    /// OTLP gRPC endpoint of traces, such as `https://collector.internal:4317`; default none.
    pub otlp_endpoint: Option<String>,
    /// PEM certificates of the authority of an `https` collector, trusted beside the public roots; default none.
    pub otlp_ca: Option<PathBuf>,
    /// The share of requests that are traced when the caller did not decide, 0 to 1; default 1.
    pub trace_ratio: f64,
}

impl Default for Listen {
    fn default() -> Self {
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Self { inference: local(8080), ops: local(8081), tls_certificate: None, tls_key: None }
    }
}

impl Default for State {
    fn default() -> Self {
        Self { dir: PathBuf::from(".chancery/node"), outbox_places: 16_384, outbox_file_bytes: 64 << 20 }
    }
}

impl Default for Decisions {
    fn default() -> Self {
        Self {
            segment_records: 10_000,
            segment_seconds: 60,
            store: None,
            store_endpoint: None,
            store_region: None,
            store_ca: None,
            keep_bytes: 256 << 20,
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self { keys_stale_seconds: 604_800, rules_stale_seconds: 604_800 }
    }
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            body_bytes: 32 << 20,
            buffered_bytes: 256 << 20,
            request_seconds: 600,
            connections: 10_000,
            header_seconds: 15,
            stalled_seconds: 60,
            requests: 4096,
        }
    }
}

impl Default for Drain {
    fn default() -> Self {
        Self { seconds: 30, grace_seconds: 0 }
    }
}

impl Default for Telemetry {
    fn default() -> Self {
        Self { otlp_endpoint: None, otlp_ca: None, trace_ratio: 1.0 }
    }
}

/// Why a configuration is not one.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("the configuration `{path}` can't be read")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// It says something that can't be meant.
    #[error("the configuration `{path}` is wrong")]
    Wrong {
        /// The file.
        path: String,
        /// What.
        source: Wrong,
    },
    /// A variable names a key that is not known, or not with this value.
    #[error("the variable `{name}` is wrong")]
    Variable {
        /// Which.
        name: String,
        /// Why.
        source: FormError,
    },
}

/// What is wrong in a configuration.
#[derive(Debug, Error)]
pub enum Wrong {
    /// It is not TOML, or a key is unknown or of the wrong type.
    #[error(transparent)]
    Form(#[from] FormError),
    /// The same of what a variable brought.
    #[error("`{name}`: {fault}")]
    Variable {
        /// Which.
        name: String,
        /// Why.
        fault: FormError,
    },
    /// Values that can't be meant; all of them.
    #[error("{}", .0.join("; "))]
    Values(Vec<String>),
}

impl Config {
    /// Reads a file and lays `CHANCERY__SECTION__KEY` variables over it.
    pub fn read(
        path: &std::path::Path,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.display().to_string(), source })?;
        Self::parse(&text, variables).map_err(|wrong| match wrong {
            Wrong::Variable { name, fault: source } => ConfigError::Variable { name, source },
            source => ConfigError::Wrong { path: path.display().to_string(), source },
        })
    }

    /// The same from text.
    pub fn parse(text: &str, variables: impl Iterator<Item = (String, String)>) -> Result<Self, Wrong> {
        let written: toml::Table = text.parse().map_err(|error| FormError::of(&error, text))?;
        let variables: Vec<_> = variables.filter(|(name, _)| name.starts_with(PREFIX)).collect();
        let all: Vec<_> = variables.iter().collect();
        let config = laid(&written, &all).try_into::<Self>().map_err(|error| {
            let same = |other: toml::de::Error| other.message() == error.message();
            let is_there =
                |chosen: &[&(String, String)]| laid(&written, chosen).try_into::<Self>().is_err_and(same);
            let fault = FormError::of_table::<Self>(&error, text);
            match form::to_blame(&variables, is_there).map(str::to_owned) {
                Some(name) => Wrong::Variable { name, fault },
                None => Wrong::Form(fault),
            }
        })?;
        let faults = config.faults();
        if faults.is_empty() { Ok(config) } else { Err(Wrong::Values(faults)) }
    }
}

/// A file's table with variables laid over it.
fn laid(written: &toml::Table, variables: &[&(String, String)]) -> toml::Table {
    let mut table = written.clone();
    for (name, value) in variables {
        let Some(path) = name.strip_prefix(PREFIX) else { continue };
        let Some((section, key)) = path.split_once("__") else { continue };
        let section = table.entry(section.to_ascii_lowercase()).or_insert_with(|| toml::Table::new().into());
        if let Some(section) = section.as_table_mut() {
            section.insert(key.to_ascii_lowercase(), value_of(value));
        }
    }
    table
}

/// A variable's text as the TOML value it reads as, else as a string.
fn value_of(text: &str) -> toml::Value {
    let parsed: Result<toml::Table, _> = format!("value = {text}").parse();
    let value = parsed.ok().and_then(|mut table| table.remove("value"));
    value.unwrap_or_else(|| toml::Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = "[control]\nurl = 'https://c:7071'\nca = 'ca'\ncertificate = 'c'\nkey = 'k'\n";

    #[test]
    fn variables_win_and_unknown_keys_are_refused() {
        let variables = [
            ("CHANCERY__LISTEN__INFERENCE", "127.0.0.1:0"),
            ("CHANCERY__BOUNDS__BODY_BYTES", "1024"),
            ("CHANCERY__TELEMETRY__TRACE_RATIO", "0.5"),
            ("CHANCERY_ADMIN_TOKEN", "not a key of ours"),
        ];
        let variables = || variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        let config = Config::parse(LEAST, variables()).unwrap();
        assert_eq!(config.listen.inference.port(), 0);
        assert_eq!(config.bounds.body_bytes, 1024);
        assert_eq!(config.telemetry.trace_ratio, 0.5);
        let unknown = format!("{LEAST}\n[listen]\ninferense = '127.0.0.1:1'\n");
        assert!(Config::parse(&unknown, std::iter::empty()).unwrap_err().to_string().contains("inferense"));
        assert!(Config::parse("[listen]\n", std::iter::empty()).is_err(), "a node without a control plane");
    }

    #[test]
    fn a_token_of_the_environment_is_read_and_shown_to_nobody() {
        let variable = ("CHANCERY__CONTROL__ENROLMENT_TOKEN".to_owned(), "chyn_1_canary_2".to_owned());
        let config = Config::parse("[control]\nurl = 'https://c:7071'\n", std::iter::once(variable)).unwrap();
        assert_eq!(config.control.enrolment_token.as_ref().unwrap().reveal(), "chyn_1_canary_2");
        assert!(!format!("{config:?}").contains("canary"), "{config:?}");
    }

    #[test]
    fn what_is_wrong_is_told_once_with_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.toml");
        let told = |text: &str| {
            std::fs::write(&path, text).unwrap();
            let error = Config::read(&path, std::iter::empty()).unwrap_err();
            format!("{:#}", anyhow::Error::from(error))
        };
        let named = format!("the configuration `{}` is wrong: ", path.display());
        let form = told(&format!("{LEAST}[listen]\ninferense = '127.0.0.1:1'\n"));
        assert!(form.starts_with(&named), "{form}");
        assert_eq!(form.matches("unknown field `inferense`").count(), 1, "{form}");
        let line = LEAST.lines().count() + 2;
        assert!(form.starts_with(&format!("{named}line {line}: ")) && !form.contains('\n'), "{form}");
        // What a variable brought is said of the variable, whatever else is set.
        std::fs::write(&path, LEAST).unwrap();
        let variables = [("CHANCERY__LISTEN__INFERENCE", "127.0.0.1:0"), ("CHANCERY__ROLLOUT__BAKE", "4s")];
        let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        let error = format!("{:#}", anyhow::Error::from(Config::read(&path, variables).unwrap_err()));
        let blamed = "the variable `CHANCERY__ROLLOUT__BAKE` is wrong: unknown field `rollout`";
        assert!(error.starts_with(blamed), "{error}");
        let values = told(&format!("{LEAST}[bounds]\nrequests = 0\n"));
        assert_eq!(values, format!("{named}`bounds.requests` is 0: it must be at least 1"));
    }

    #[test]
    fn every_key_of_the_commented_file_is_read_and_is_the_default() {
        let file = include_str!("../../deploy/config/data-plane.toml");
        let commented = Config::parse(file, std::iter::empty()).unwrap();
        let least = Config::parse(LEAST, std::iter::empty()).unwrap();
        assert_eq!(commented.listen.inference, least.listen.inference);
        assert_eq!(commented.policy.keys_stale_seconds, least.policy.keys_stale_seconds);
        assert_eq!(commented.policy.rules_stale_seconds, least.policy.rules_stale_seconds);
        assert_eq!(commented.bounds.body_bytes, least.bounds.body_bytes);
        assert_eq!(commented.drain.seconds, least.drain.seconds);
        assert_eq!(commented.decisions.segment_records, least.decisions.segment_records);
        assert_eq!(commented.decisions.segment_seconds, least.decisions.segment_seconds);
        assert_eq!(commented.decisions.keep_bytes, least.decisions.keep_bytes);
        assert_eq!(commented.fetch, least.fetch);
        assert_eq!(commented.secrets.refresh_seconds, least.secrets.refresh_seconds);
        assert_eq!(commented.secrets.keep_seconds, least.secrets.keep_seconds);
    }
}
