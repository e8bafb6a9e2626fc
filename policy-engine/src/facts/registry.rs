//! What there is to call: providers, their endpoints, and the models made of them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::Geos;
use super::template::Template;
use crate::vocabulary::{
    Adapter, Duration, Instant, Name, Operation, RoutePolicy, StickyBy, Tokens, Transport, UnknownFields,
};

/// Where a vendor credential is found. Never the credential itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Credential {
    /// An environment variable of the node.
    Env(String),
    /// A file on the node.
    File(String),
    /// Sealed in the control plane's store; reaches a node in its own sealed message.
    Sealed,
    /// In the Vault that the node's configuration names.
    Vault(VaultSecret),
    /// In the AWS Secrets Manager of the node's region.
    Aws(AwsSecret),
}

/// A key of a secret of Vault's KV engine, version 2.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VaultSecret {
    /// Where the engine is mounted.
    pub mount: String,
    /// The secret's path below it.
    pub path: String,
    /// The key whose value is the credential.
    pub key: String,
}

/// A secret of AWS Secrets Manager.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AwsSecret {
    /// Its name or ARN.
    pub secret_id: String,
    /// The key whose value is the credential, where the secret is JSON; `None`: the whole secret is.
    pub json_key: Option<String>,
    /// The stage of the version; `None`: the current one.
    pub version_stage: Option<String>,
}

impl fmt::Display for Credential {
    /// Where it is, as operators are told.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{path}"),
            Self::Sealed => f.write_str("sealed"),
            Self::Vault(VaultSecret { mount, path, key }) => write!(f, "vault:{mount}/{path}#{key}"),
            Self::Aws(AwsSecret { secret_id, json_key, .. }) => {
                let key = json_key.as_ref().map(|key| format!("#{key}")).unwrap_or_default();
                write!(f, "awsSecretsManager:{secret_id}{key}")
            }
        }
    }
}

/// How calls are authenticated where the secret itself is not what is sent. The secret comes from the [`Credential`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// A token of Microsoft Entra ID by client credentials (RFC 6749, 4.4); the secret is the client's, or its assertion.
    Entra {
        /// Of the directory.
        tenant: String,
        /// Of the application.
        client: String,
        /// What the token is for.
        scope: String,
        /// Where tokens are given: scheme and host, perhaps a path, without a trailing slash.
        authority: String,
        /// The secret is a token of the machine's own identity, which the application trusts.
        is_federated: bool,
    },
    /// A signature of AWS, version 4; the secret is the access key's, or a JSON document with all there is to a key.
    Aws {
        /// Of the key; empty: the secret is a document.
        access_key_id: String,
        /// The region that is called.
        region: String,
        /// Whose sessions sign instead.
        role: Option<AssumedRole>,
    },
    /// A token of Google by a service account's key (RFC 7523); the secret is the key's JSON document.
    Google {
        /// What the token is for.
        scope: String,
        /// Who gives one for a token of the machine's own identity, which the secret is then.
        federation: Option<Federation>,
    },
}

/// A role of AWS; keys of its sessions sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssumedRole {
    /// Its name: `arn:aws:iam::ACCOUNT:role/NAME`.
    pub arn: String,
    /// What its trust asks to be told; empty: nothing.
    pub external_id: String,
    /// The secret is a token of the machine's own identity, which the role trusts; else it is a key that may assume the role.
    pub is_web_identity: bool,
    /// Where sessions are given: scheme and host, perhaps a path, without a trailing slash.
    pub sts: String,
}

/// How Google exchanges another's token (RFC 8693).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Federation {
    /// The provider of the pool that trusts it: `//iam.googleapis.com/projects/...`.
    pub audience: String,
    /// Where it is exchanged.
    pub token_url: String,
    /// Where a service account's token is given for the exchanged one; `None`: that one is shown.
    pub impersonation_url: Option<String>,
}

/// What a vendor's contract says. A flag that is not given is unknown, and unknown satisfies nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Terms {
    /// The vendor trains on what it is sent.
    pub trains_on_data: Option<bool>,
    /// A data processing agreement is on file.
    pub dpa: Option<bool>,
    /// A HIPAA business associate agreement is on file.
    pub baa: Option<bool>,
    /// The vendor keeps nothing.
    pub zero_retention: Option<bool>,
}

/// A vendor or an internal platform that hosts models.
#[derive(Debug, Clone, PartialEq)]
pub struct Provider {
    /// The protocol it speaks.
    pub adapter: Adapter,
    /// The base URL without a trailing slash, such as `https://api.openai.com/v1`; empty for the simulated provider.
    pub base_url: String,
    /// Where its credential is found.
    pub credential: Option<Credential>,
    /// How calls are authenticated, where the credential itself is not sent.
    pub auth: Option<Auth>,
    /// The version of its API that a query asks for; empty: none.
    pub api_version: String,
    /// Whether it speaks OpenAI's Responses API, where that is told.
    pub responses_api: Option<bool>,
    /// How what is the organisation's own is called.
    pub transport: Transport,
    /// How requests are written and answers read, where that is not the protocol's to say.
    pub template: Option<Arc<Template>>,
    /// What its contract says.
    pub terms: Terms,
    /// The geos that may use it; empty is all.
    pub geos: Geos,
}

/// How long each part of an upstream call may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timeouts {
    /// To connect, TLS included; default 2 s.
    pub connect: Option<Duration>,
    /// From the request sent to the first byte of the answer; default 30 s.
    pub first_byte: Option<Duration>,
    /// Between two bytes of the answer; default 30 s.
    pub idle: Option<Duration>,
    /// For the whole call; default 10 min.
    pub total: Option<Duration>,
}

/// One callable deployment.
#[derive(Debug, Clone, PartialEq)]
pub struct Endpoint {
    /// The provider that runs it: of the same owner, because its credential and terms go with it.
    pub provider: Name,
    /// The model's name there; not bound to the rules of [`Name`].
    pub upstream_model: String,
    /// Every place a request may be processed in; empty is unknown, which satisfies no residency.
    pub processing_regions: Vec<Name>,
    /// Every place anything of it may be stored in. Empty is not declared: residency takes it to be stored where it is processed,
    /// conditions know nothing of it.
    pub storage_regions: Vec<Name>,
    /// Overrides the provider's terms, flag by flag.
    pub terms: Terms,
    /// Overrides of the default timeouts.
    pub timeouts: Timeouts,
    /// What becomes of a request with fields outside the published schema; default `forward`.
    pub unknown_fields: UnknownFields,
    /// The geos that may use it; empty is all.
    pub geos: Geos,
}

/// What people are told about a model, and what a request is checked against.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ModelCard {
    /// One or two sentences.
    pub description: String,
    /// Input modalities, such as `text`, `image`.
    pub input: Vec<String>,
    /// Output modalities.
    pub output: Vec<String>,
    /// The operations it serves; never empty.
    pub operations: Vec<Operation>,
    /// Tokens of input and output together.
    pub context_window: Option<Tokens>,
    /// Tokens of output at most.
    pub max_output_tokens: Option<Tokens>,
    /// What it is good for.
    pub use_cases: Vec<String>,
    /// The risk class, such as `limited`; an attribute of rules.
    pub risk_class: Option<String>,
    /// The name people read; no decision reads this or what follows.
    pub display_name: String,
    /// Who made the model.
    pub publisher: String,
    /// Further abilities, such as `tools`.
    pub capabilities: Vec<String>,
    /// Published measurements by name.
    pub metrics: BTreeMap<String, String>,
    /// From when on its use is discouraged.
    pub deprecated_from: Option<Instant>,
    /// From when on it may not be served any more.
    pub retired_from: Option<Instant>,
}

/// An endpoint in a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteTarget {
    /// The endpoint: of the same owner, because a platform endpoint is only offered under the platform's licence.
    pub endpoint: Name,
    /// Its share within the group, 1 to 1,000,000; default 1.
    pub weight: u32,
    /// Exactly this share of the route's requests, in percent, 1 to 99; `None`: its share is by weight.
    pub canary_percent: Option<u32>,
    /// This share of the route's requests, in percent, 1 to 100, is sent there as well, and nobody is answered from there; `None`: it
    /// answers.
    pub mirror_percent: Option<u32>,
}

/// How a model's name becomes an ordered choice of endpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The order within a group.
    pub policy: RoutePolicy,
    /// Groups in order; a later one is a fallback.
    pub groups: Vec<Vec<RouteTarget>>,
    /// How many of its requests may be asked a second time, in percent; `None` is the default.
    pub retry_percent: Option<u32>,
    /// Whether one that takes long is sent to the next candidate as well.
    pub hedge: bool,
    /// What the sticky policy keeps together.
    pub sticky_by: StickyBy,
}

impl Default for Route {
    /// By weight, to nobody.
    fn default() -> Self {
        Self {
            policy: RoutePolicy::Weighted,
            groups: Vec::new(),
            retry_percent: None,
            hedge: false,
            sticky_by: StickyBy::Session,
        }
    }
}

/// What callers ask for.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// Its card.
    pub card: ModelCard,
    /// Its licence: the tenant's own of that name, else the platform's.
    pub licence: Option<Name>,
    /// Further names callers may use; visible ASCII without blanks, at most 128 characters.
    pub aliases: Vec<String>,
    /// Its route.
    pub route: Route,
    /// The geos it is offered in; empty is all.
    pub geos: Geos,
}
