//! Providers, endpoints and models, in from the wire and out to it.

use policy_engine::facts::{
    AwsSecret, Credential, Endpoint, Model, ModelCard, Provider, Route, RouteTarget, Terms, Timeouts,
    VaultSecret,
};
use policy_engine::vocabulary::{
    Adapter, Duration, Instant, Name, RoutePolicy, StickyBy, Tokens, UnknownFields,
};

use super::checks::{Checks, Faults, Problem};
use super::{reach, shown, template, text, texts};
use crate::admin;
use crate::admin::credential::Source;

impl TryFrom<&admin::Provider> for Provider {
    type Error = Faults;

    fn try_from(wire: &admin::Provider) -> Result<Self, Faults> {
        let mut c = Checks::spec();
        let absent = Default::default();
        let spec = wire.spec.as_ref().unwrap_or(&absent);
        c.text("displayName", &spec.display_name);
        let adapter: Option<Adapter> = c.required("adapter", &spec.adapter);
        match adapter {
            Some(Adapter::Simulated) if !spec.base_url.is_empty() => {
                c.invalid("baseUrl", "is not for the adapter `simulated`, which calls nobody");
            }
            Some(Adapter::Simulated) | None => {}
            Some(_) if spec.base_url.is_empty() => c.fault("baseUrl", Problem::Missing),
            Some(_) => {}
        }
        let base_url = c.optional_by("baseUrl", &spec.base_url, reach::base_url).unwrap_or_default();
        let credential = spec.credential.as_ref().and_then(|w| c.at("credential", |c| credential(c, w)));
        let auth = reach::auth(&mut c, (adapter, spec));
        let api_version = reach::api_version(&mut c, (adapter, spec));
        let responses_api = reach::responses_api(&mut c, (adapter, spec));
        let transport = template::transport(&mut c, (adapter, spec));
        let template = template::read(&mut c, (adapter, transport), spec);
        let terms = terms(spec.terms.as_ref());
        let geos = c.list("geos", &spec.geos);
        c.finish(adapter.map(|adapter| Self {
            adapter,
            base_url,
            credential,
            auth,
            api_version,
            responses_api,
            transport,
            template,
            terms,
            geos,
        }))
    }
}

fn credential(c: &mut Checks, wire: &admin::Credential) -> Option<Credential> {
    match &wire.source {
        Some(Source::Env(name)) if name.is_empty() => c.fault("env", Problem::Missing),
        Some(Source::File(path)) if path.is_empty() => c.fault("file", Problem::Missing),
        Some(Source::Sealed(bytes)) if bytes.is_empty() => c.fault("sealed", Problem::Missing),
        Some(Source::Env(name)) => return c.optional_by("env", name, variable).map(Credential::Env),
        Some(Source::File(path)) => return c.optional_text("file", path).map(Credential::File),
        Some(Source::Sealed(_)) => return Some(Credential::Sealed),
        Some(Source::Vault(place)) => return c.at("vault", |c| vault(c, place)).map(Credential::Vault),
        Some(Source::AwsSecretsManager(place)) => {
            return c.at("awsSecretsManager", |c| aws(c, place)).map(Credential::Aws);
        }
        Some(Source::Value(_)) => c.invalid("value", "has not been sealed"),
        None => c.fault_here(Problem::Missing),
    }
    None
}

/// Where Vault's KV engine is mounted unless somebody says so.
const MOUNT: &str = "secret";

fn vault(c: &mut Checks, wire: &admin::VaultSecret) -> Option<VaultSecret> {
    let mount = c.optional_by("mount", &wire.mount, vault_path);
    let (path, key): (Option<String>, Option<String>) =
        (c.required("path", &wire.path), c.required("key", &wire.key));
    let path = path.and_then(|path| c.optional_by("path", &path, vault_path));
    let key = key.and_then(|key| c.optional_text("key", &key));
    let mount = if wire.mount.is_empty() { Some(MOUNT.to_owned()) } else { mount };
    Some(VaultSecret { mount: mount?, path: path?, key: key? })
}

/// A path that means one place: nothing in it leads elsewhere or needs to be escaped.
fn vault_path(text: &str) -> Result<String, String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._@+~-/=:".contains(&byte);
    let plain = |segment: &str| !segment.is_empty() && segment != "." && segment != "..";
    let is_one = text.len() <= 512 && text.bytes().all(fits) && text.split('/').all(plain);
    if is_one {
        Ok(text.to_owned())
    } else {
        Err(format!("`{}` is not a path such as `vendors/openai`", shown(text)))
    }
}

fn aws(c: &mut Checks, wire: &admin::AwsSecret) -> Option<AwsSecret> {
    let secret_id: Option<String> = c.required("secretId", &wire.secret_id);
    let secret_id = secret_id.and_then(|id| c.optional_by("secretId", &id, secret_id_of));
    let json_key = c.optional_text("jsonKey", &wire.json_key);
    let version_stage = c.optional_text("versionStage", &wire.version_stage);
    Some(AwsSecret { secret_id: secret_id?, json_key, version_stage })
}

/// A name or an ARN, of the characters that the service allows.
fn secret_id_of(text: &str) -> Result<String, String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"/_+=.@-:!".contains(&byte);
    let is_one = text.len() <= 2048 && text.bytes().all(fits);
    if is_one {
        Ok(text.to_owned())
    } else {
        Err(format!("`{}` is not the name or ARN of a secret", shown(text)))
    }
}

fn variable(text: &str) -> Result<String, String> {
    let fits = text.len() <= 256 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if fits { Ok(text.to_owned()) } else { Err(format!("`{}` is not the name of a variable", shown(text))) }
}

fn terms(wire: Option<&admin::Terms>) -> Terms {
    let wire = wire.cloned().unwrap_or_default();
    Terms {
        trains_on_data: wire.trains_on_data,
        dpa: wire.dpa,
        baa: wire.baa,
        zero_retention: wire.zero_retention,
    }
}

fn terms_out(fact: &Terms) -> Option<admin::Terms> {
    (*fact != Terms::default()).then_some(admin::Terms {
        trains_on_data: fact.trains_on_data,
        dpa: fact.dpa,
        baa: fact.baa,
        zero_retention: fact.zero_retention,
    })
}

impl From<&Provider> for admin::ProviderSpec {
    /// Which sealed secret is meant is for the store to know: the reference goes out as [`SEALED_ELSEWHERE`].
    fn from(fact: &Provider) -> Self {
        let source = fact.credential.as_ref().map(|credential| match credential {
            Credential::Env(name) => Source::Env(name.clone()),
            Credential::File(path) => Source::File(path.clone()),
            Credential::Sealed => Source::Sealed(SEALED_ELSEWHERE.to_owned()),
            Credential::Vault(place) => Source::Vault(admin::VaultSecret {
                mount: place.mount.clone(),
                path: place.path.clone(),
                key: place.key.clone(),
            }),
            Credential::Aws(place) => Source::AwsSecretsManager(admin::AwsSecret {
                secret_id: place.secret_id.clone(),
                json_key: place.json_key.clone().unwrap_or_default(),
                version_stage: place.version_stage.clone().unwrap_or_default(),
            }),
        });
        Self {
            adapter: fact.adapter.to_string(),
            base_url: fact.base_url.clone(),
            credential: source.map(|source| admin::Credential { source: Some(source) }),
            terms: terms_out(&fact.terms),
            geos: texts(&fact.geos),
            display_name: String::new(),
            auth: fact.auth.as_ref().map(reach::auth_out),
            api_version: fact.api_version.clone(),
            template: fact.template.as_deref().map(template::write),
            transport: template::transport_out(fact.transport),
            responses_api: fact.responses_api,
        }
    }
}

/// What stands for a reference to a sealed secret where only its existence matters.
pub const SEALED_ELSEWHERE: &str = "-";

impl TryFrom<&admin::Endpoint> for Endpoint {
    type Error = Faults;

    fn try_from(wire: &admin::Endpoint) -> Result<Self, Faults> {
        let mut c = Checks::spec();
        let absent = Default::default();
        let spec = wire.spec.as_ref().unwrap_or(&absent);
        let provider: Option<Name> = c.required("provider", &spec.provider);
        let upstream_model: Option<String> = c.required("upstreamModel", &spec.upstream_model);
        c.text("upstreamModel", &spec.upstream_model);
        let processing_regions = c.list("processingRegions", &spec.processing_regions);
        let storage_regions = c.list("storageRegions", &spec.storage_regions);
        let timeouts = c.at("timeouts", |c| timeouts(c, spec.timeouts.as_ref()));
        let unknown_fields = c.optional("unknownFields", &spec.unknown_fields);
        let geos = c.list("geos", &spec.geos);
        let terms = terms(spec.terms.as_ref());
        c.finish(provider.zip(upstream_model).map(|(provider, upstream_model)| Self {
            provider,
            upstream_model,
            processing_regions,
            storage_regions,
            terms,
            timeouts,
            unknown_fields: unknown_fields.unwrap_or(UnknownFields::Forward),
            geos,
        }))
    }
}

fn timeouts(c: &mut Checks, wire: Option<&admin::Timeouts>) -> Timeouts {
    let wire = wire.cloned().unwrap_or_default();
    let mut read = |field, text: &str| c.optional_by(field, text, timeout);
    Timeouts {
        connect: read("connect", &wire.connect),
        first_byte: read("firstByte", &wire.first_byte),
        idle: read("idle", &wire.idle),
        total: read("total", &wire.total),
    }
}

fn timeout(text: &str) -> Result<Duration, String> {
    match text.parse::<Duration>() {
        Ok(Duration(0)) => Err("is no time at all".to_owned()),
        Ok(length) => Ok(length),
        Err(error) => Err(error.to_string()),
    }
}

impl From<&Endpoint> for admin::EndpointSpec {
    fn from(fact: &Endpoint) -> Self {
        let timeouts = admin::Timeouts {
            connect: text(&fact.timeouts.connect),
            first_byte: text(&fact.timeouts.first_byte),
            idle: text(&fact.timeouts.idle),
            total: text(&fact.timeouts.total),
        };
        Self {
            provider: fact.provider.to_string(),
            upstream_model: fact.upstream_model.clone(),
            processing_regions: texts(&fact.processing_regions),
            storage_regions: texts(&fact.storage_regions),
            terms: terms_out(&fact.terms),
            timeouts: (fact.timeouts != Timeouts::default()).then_some(timeouts),
            // The default goes out as nothing, so that facts of older revisions keep their bytes.
            unknown_fields: match fact.unknown_fields {
                UnknownFields::Forward => String::new(),
                reject => reject.to_string(),
            },
            geos: texts(&fact.geos),
        }
    }
}

impl TryFrom<&admin::Model> for Model {
    type Error = Faults;

    fn try_from(wire: &admin::Model) -> Result<Self, Faults> {
        let mut c = Checks::spec();
        let absent = Default::default();
        let spec = wire.spec.as_ref().unwrap_or(&absent);
        let card = c.at("card", |c| card(c, &spec.card.clone().unwrap_or_default()));
        let licence = c.optional("licence", &spec.licence);
        let aliases = c.list_by("aliases", &spec.aliases, alias);
        let route = c.at("route", |c| route(c, &spec.route.clone().unwrap_or_default()));
        let geos = c.list("geos", &spec.geos);
        c.finish(Some(Self { card, licence, aliases, route, geos }))
    }
}

fn alias(text: &str) -> Result<String, String> {
    let fits = (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    if fits {
        Ok(text.to_owned())
    } else {
        Err(format!("`{}` is not 1 to 128 visible characters", shown(text)))
    }
}

fn card(c: &mut Checks, wire: &admin::ModelCard) -> ModelCard {
    if wire.operations.is_empty() {
        c.fault("operations", Problem::Missing);
    }
    let tokens = |n: u32| (n > 0).then_some(Tokens(n.into()));
    ModelCard {
        description: c.text("description", &wire.description),
        input: c.list_by("input", &wire.input, one_of(&["text", "image", "audio", "file"])),
        output: c.list_by("output", &wire.output, one_of(&["text", "image", "audio", "embedding"])),
        operations: c.list("operations", &wire.operations),
        context_window: tokens(wire.context_window),
        max_output_tokens: tokens(wire.max_output_tokens),
        use_cases: c.texts("useCases", &wire.use_cases),
        risk_class: c.optional_by("riskClass", &wire.risk_class, one_of(&["minimal", "limited", "high"])),
        display_name: c.text("displayName", &wire.display_name),
        publisher: c.text("publisher", &wire.publisher),
        capabilities: c.texts("capabilities", &wire.capabilities),
        metrics: wire.metrics.clone(),
        deprecated_from: c.optional_by("deprecatedFrom", &wire.deprecated_from, Instant::parse),
        retired_from: c.optional_by("retiredFrom", &wire.retired_from, Instant::parse),
    }
}

/// A reader of a closed vocabulary that only people and cards know.
fn one_of<'a>(words: &'a [&'a str]) -> impl Fn(&str) -> Result<String, String> + 'a {
    move |text| match words.contains(&text) {
        true => Ok(text.to_owned()),
        false => Err(format!("`{}` is not one of {}", shown(text), words.join(" | "))),
    }
}

/// A route, also one without targets: narrowed to a geo that has none of its endpoints, a model keeps its place and answers
/// `no_endpoint`. Who writes a model is told elsewhere that it needs some.
fn route(c: &mut Checks, wire: &admin::Route) -> Route {
    let policy = c.optional("policy", &wire.policy).unwrap_or(RoutePolicy::Weighted);
    let groups = c.each("groups", &wire.groups, |c, group| {
        if group.targets.is_empty() {
            c.fault_here(Problem::Invalid("is an empty group".to_owned()));
        }
        Some(c.each("targets", &group.targets, target))
    });
    let of = |group: &Vec<RouteTarget>| group.iter().filter_map(|target| target.canary_percent).sum::<u32>();
    if let Some(at) = groups.iter().position(|group| of(group) > 99) {
        c.invalid("groups", format_args!("the canaries of group {at} leave nothing to the others"));
    }
    let retry_percent = wire.retry_percent;
    if retry_percent.is_some_and(|percent| percent > 100) {
        c.invalid("retryPercent", format_args!("`{}` is not 0 to 100", retry_percent.unwrap_or_default()));
    }
    let sticky_by = c.optional("stickyBy", &wire.sticky_by).unwrap_or(StickyBy::Session);
    Route { policy, groups, retry_percent, sticky_by, hedge: wire.hedge }
}

fn target(c: &mut Checks, wire: &admin::RouteTarget) -> Option<RouteTarget> {
    let weight = wire.weight.unwrap_or(1);
    if !(1..=1_000_000).contains(&weight) {
        c.invalid("weight", format_args!("`{weight}` is not 1 to 1000000"));
    }
    let canary_percent = wire.canary_percent;
    if let Some(percent) = canary_percent.filter(|percent| !(1..=99).contains(percent)) {
        c.invalid("canaryPercent", format_args!("`{percent}` is not 1 to 99"));
    }
    let mirror_percent = wire.mirror_percent;
    if let Some(percent) = mirror_percent.filter(|percent| !(1..=100).contains(percent)) {
        c.invalid("mirrorPercent", format_args!("`{percent}` is not 1 to 100"));
    }
    if mirror_percent.is_some() && canary_percent.is_some() {
        c.invalid("mirrorPercent", format_args!("a mirror answers nobody, and a canary does"));
    }
    let endpoint = c.required("endpoint", &wire.endpoint)?;
    Some(RouteTarget { endpoint, weight, canary_percent, mirror_percent })
}

impl From<&Model> for admin::ModelSpec {
    fn from(fact: &Model) -> Self {
        let target = |t: &RouteTarget| admin::RouteTarget {
            endpoint: t.endpoint.to_string(),
            weight: Some(t.weight),
            canary_percent: t.canary_percent,
            mirror_percent: t.mirror_percent,
        };
        // What is left out means this, so that what was written before it could be said reads the same.
        let sticky_by = Some(fact.route.sticky_by).filter(|by| *by != StickyBy::Session);
        let group = |g: &Vec<RouteTarget>| admin::RouteGroup { targets: g.iter().map(target).collect() };
        Self {
            card: Some(admin::ModelCard::from(&fact.card)),
            licence: text(&fact.licence),
            aliases: fact.aliases.clone(),
            route: Some(admin::Route {
                policy: fact.route.policy.to_string(),
                groups: fact.route.groups.iter().map(group).collect(),
                retry_percent: fact.route.retry_percent,
                hedge: fact.route.hedge,
                sticky_by: text(&sticky_by),
            }),
            geos: texts(&fact.geos),
        }
    }
}

impl From<&ModelCard> for admin::ModelCard {
    fn from(fact: &ModelCard) -> Self {
        let count = |tokens: Option<Tokens>| tokens.map_or(0, |t| u32::try_from(t.0).unwrap_or(u32::MAX));
        Self {
            display_name: fact.display_name.clone(),
            publisher: fact.publisher.clone(),
            description: fact.description.clone(),
            input: fact.input.clone(),
            output: fact.output.clone(),
            operations: texts(&fact.operations),
            capabilities: fact.capabilities.clone(),
            context_window: count(fact.context_window),
            max_output_tokens: count(fact.max_output_tokens),
            use_cases: fact.use_cases.clone(),
            risk_class: text(&fact.risk_class),
            metrics: fact.metrics.clone(),
            deprecated_from: text(&fact.deprecated_from),
            retired_from: text(&fact.retired_from),
        }
    }
}
