//! Where a provider is and how its calls are authenticated, in from the wire and out to it.
//!
//! Law: a way is for the vendor that has it, and says all of what it needs or is refused; what is left out has a default, which is the fact's.
//! Absent on purpose: secrets, and whether a place may be called (the control plane's and, again, the node's).

use http::Uri;
use policy_engine::facts::{AssumedRole, Auth, Federation};
use policy_engine::vocabulary::Adapter;

use super::checks::{Checks, Problem};
use super::shown;
use crate::admin;
use crate::admin::auth::Method;

/// What a token of Entra ID is for, where that is not told.
const AZURE_SCOPE: &str = "https://cognitiveservices.azure.com/.default";
/// Who gives tokens of Entra ID, where that is not told.
const AUTHORITY: &str = "https://login.microsoftonline.com";
/// Services of AWS, as hosts are named by them.
const SERVICES: [&str; 6] =
    ["bedrock-runtime", "bedrock-runtime-fips", "execute-api", "lambda", "lambda-fips", "sagemaker"];
/// Where Google exchanges tokens, where that is not told.
const EXCHANGE: &str = "https://sts.googleapis.com/v1/token";
/// What a token of Google is for, where that is not told.
const GOOGLE_SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// Reads the root of an API: scheme, host, perhaps port and path, and nothing that could hide a secret or a redirection.
pub(super) fn base_url(url: &str) -> Result<String, String> {
    let refuse = |why: &str| Err(format!("`{}` {why}", shown(url)));
    let Ok(uri) = url.parse::<Uri>() else { return refuse("is not a URL") };
    let Some(authority) = uri.authority() else { return refuse("has no host") };
    match uri.scheme_str() {
        _ if authority.as_str().contains('@') => Err("carries a user name or a secret".to_owned()),
        _ if uri.query().is_some() || url.contains('#') => Err("carries a query or a fragment".to_owned()),
        Some("https" | "http") => Ok(url.trim_end_matches('/').to_owned()),
        _ => refuse("is neither https nor http"),
    }
}

/// Reads how a provider is authenticated.
pub(super) fn auth(c: &mut Checks, of: (Option<Adapter>, &admin::ProviderSpec)) -> Option<Auth> {
    let (adapter, spec) = of;
    let wire = spec.auth.as_ref()?;
    let Some(method) = &wire.method else {
        c.fault("auth", Problem::Missing);
        return None;
    };
    let (fits, name): (&[Adapter], _) = match method {
        Method::Entra(_) => (&[Adapter::Azure, Adapter::Custom], "entra"),
        Method::Aws(_) => (&[Adapter::Bedrock, Adapter::SageMaker, Adapter::Custom], "aws"),
        Method::Google(_) => (&[Adapter::Gemini, Adapter::Custom], "google"),
    };
    if adapter.is_some_and(|adapter| !fits.contains(&adapter)) {
        let names: Vec<String> = fits.iter().map(|adapter| format!("`{adapter}`")).collect();
        c.at("auth", |c| c.invalid(name, format!("is for the adapters {} alone", names.join(", "))));
    }
    if spec.credential.is_none() {
        c.fault("credential", Problem::Missing);
    }
    let is_custom = adapter == Some(Adapter::Custom);
    c.at("auth", |c| match method {
        Method::Entra(wire) => c.at("entra", |c| {
            needs_scope(c, (is_custom, &wire.scope));
            entra(c, wire)
        }),
        Method::Aws(wire) => c.at("aws", |c| aws(c, wire, &spec.base_url)),
        Method::Google(wire) => c.at("google", |c| {
            needs_scope(c, (is_custom, &wire.scope));
            google(c, wire)
        }),
    })
}

/// Refuses a token for all of a cloud, which the default is, where it would be shown to who is not that cloud.
fn needs_scope(c: &mut Checks, (is_custom, scope): (bool, &str)) {
    if is_custom && scope.is_empty() {
        c.invalid(
            "scope",
            "is missing: by default a token is for the vendor's cloud, and no API of your own",
        );
    }
}

fn entra(c: &mut Checks, wire: &admin::EntraAuth) -> Option<Auth> {
    for (field, id) in [("tenantId", &wire.tenant_id), ("clientId", &wire.client_id)] {
        if id.is_empty() {
            c.fault(field, Problem::Missing);
        }
    }
    let tenant = c.optional_by("tenantId", &wire.tenant_id, id);
    let client = c.optional_by("clientId", &wire.client_id, id);
    let scope = c.optional_by("scope", &wire.scope, plain);
    let authority = c.optional_by("authority", &wire.authority, base_url);
    Some(Auth::Entra {
        tenant: tenant?,
        client: client?,
        scope: scope.unwrap_or_else(|| AZURE_SCOPE.to_owned()),
        authority: authority.unwrap_or_else(|| AUTHORITY.to_owned()),
        is_federated: wire.federated,
    })
}

fn google(c: &mut Checks, wire: &admin::GoogleAuth) -> Option<Auth> {
    let scope = c.optional_by("scope", &wire.scope, plain).unwrap_or_else(|| GOOGLE_SCOPE.to_owned());
    if wire.audience.is_empty() {
        for (field, told) in [("tokenUrl", &wire.token_url), ("impersonationUrl", &wire.impersonation_url)] {
            if !told.is_empty() {
                c.invalid(field, "is for a token that is exchanged: `audience` is missing");
            }
        }
        return Some(Auth::Google { scope, federation: None });
    }
    let audience = c.optional_by("audience", &wire.audience, audience);
    let token_url = c.optional_by("tokenUrl", &wire.token_url, base_url);
    let impersonation_url = c.optional_by("impersonationUrl", &wire.impersonation_url, base_url);
    let token_url = token_url.unwrap_or_else(|| EXCHANGE.to_owned());
    let federation = Some(Federation { audience: audience?, token_url, impersonation_url });
    Some(Auth::Google { scope, federation })
}

fn aws(c: &mut Checks, wire: &admin::AwsAuth, base_url: &str) -> Option<Auth> {
    let access_key_id = c.optional_by("accessKeyId", &wire.access_key_id, key_id).unwrap_or_default();
    let told = match wire.region.is_empty() {
        false => c.optional_by("region", &wire.region, region)?,
        true => match of_host(base_url) {
            Some(region) => region.to_owned(),
            None => {
                c.invalid("region", "is missing, and the host of `baseUrl` names none");
                return None;
            }
        },
    };
    let role = role(c, wire, &told);
    Some(Auth::Aws { access_key_id, region: told, role })
}

/// Reads whose sessions sign.
fn role(c: &mut Checks, wire: &admin::AwsAuth, region: &str) -> Option<AssumedRole> {
    if wire.role_arn.is_empty() {
        let told = [
            ("externalId", !wire.external_id.is_empty()),
            ("webIdentity", wire.web_identity),
            ("sts", !wire.sts.is_empty()),
        ];
        for (field, _) in told.into_iter().filter(|(_, told)| *told) {
            c.invalid(field, "is for a role: `roleArn` is missing");
        }
        return None;
    }
    if wire.web_identity && !wire.access_key_id.is_empty() {
        c.invalid("accessKeyId", "is of a key, and with `webIdentity` the credential is none");
    }
    if wire.web_identity && !wire.external_id.is_empty() {
        c.invalid("externalId", "is told with a key alone, and with `webIdentity` the credential is none");
    }
    let arn = c.optional_by("roleArn", &wire.role_arn, role_arn);
    let external_id = c.optional_by("externalId", &wire.external_id, external_id).unwrap_or_default();
    let sts = c.optional_by("sts", &wire.sts, base_url).unwrap_or_else(|| {
        let china = if wire.role_arn.starts_with("arn:aws-cn:") { ".cn" } else { "" };
        format!("https://sts.{region}.amazonaws.com{china}")
    });
    Some(AssumedRole { arn: arn?, external_id, is_web_identity: wire.web_identity, sts })
}

/// The region in the name of a host of AWS, after its service's: `bedrock-runtime.REGION.amazonaws.com`, its FIPS twin, VPC endpoints, and
/// `ID.execute-api.REGION.amazonaws.com` of API Gateway, `runtime.sagemaker.REGION.amazonaws.com`, `lambda.REGION.amazonaws.com`.
fn of_host(url: &str) -> Option<&str> {
    let host = url.split_once("://")?.1.split(['/', ':']).next()?;
    let mut labels = host.split('.');
    labels.find(|label| SERVICES.contains(label))?;
    let named = labels.next()?;
    let ours =
        host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn") || host.ends_with(".api.aws");
    (ours && region(named).is_ok()).then_some(named)
}

/// The version of an API that a query asks for.
pub(super) fn api_version(c: &mut Checks, of: (Option<Adapter>, &admin::ProviderSpec)) -> String {
    let (adapter, spec) = of;
    if !spec.api_version.is_empty() && adapter.is_some_and(|adapter| adapter != Adapter::Azure) {
        c.invalid("apiVersion", "is for the adapter `azure` alone");
    }
    c.optional_by("apiVersion", &spec.api_version, version).unwrap_or_default()
}

/// Whether it speaks the Responses API, where that is told.
pub(super) fn responses_api(c: &mut Checks, of: (Option<Adapter>, &admin::ProviderSpec)) -> Option<bool> {
    let (adapter, spec) = of;
    let speaks_openai = |adapter| matches!(adapter, Adapter::OpenAi | Adapter::Azure);
    if spec.responses_api.is_some() && adapter.is_some_and(|adapter| !speaks_openai(adapter)) {
        c.invalid("responsesApi", "is for the adapters `openai`, `azure` alone");
    }
    spec.responses_api
}

/// The same on the wire.
pub(super) fn auth_out(fact: &Auth) -> admin::Auth {
    let method = match fact.clone() {
        Auth::Entra { tenant, client, scope, authority, is_federated } => Method::Entra(admin::EntraAuth {
            tenant_id: tenant,
            client_id: client,
            scope,
            authority,
            federated: is_federated,
        }),
        Auth::Aws { access_key_id, region, role } => {
            let key = admin::AwsAuth { access_key_id, region, ..Default::default() };
            Method::Aws(match role {
                None => key,
                Some(AssumedRole { arn: role_arn, external_id, is_web_identity: web_identity, sts }) => {
                    admin::AwsAuth { role_arn, external_id, web_identity, sts, ..key }
                }
            })
        }
        Auth::Google { scope, federation } => Method::Google(match federation {
            None => admin::GoogleAuth { scope, ..Default::default() },
            Some(Federation { audience, token_url, impersonation_url }) => admin::GoogleAuth {
                scope,
                audience,
                token_url,
                impersonation_url: impersonation_url.unwrap_or_default(),
            },
        }),
    };
    admin::Auth { method: Some(method) }
}

/// Text of certain bytes, of a certain length.
fn made_of(text: &str, most: usize, fits: fn(u8) -> bool, what: &str) -> Result<String, String> {
    let good = text.len() <= most && text.bytes().all(fits);
    if good { Ok(text.to_owned()) } else { Err(format!("`{}` is not {what}", shown(text))) }
}

fn id(text: &str) -> Result<String, String> {
    made_of(text, 128, |b| b.is_ascii_alphanumeric() || b"-.".contains(&b), "an id of Entra ID")
}

fn key_id(text: &str) -> Result<String, String> {
    made_of(text, 128, |b| b.is_ascii_alphanumeric() || b == b'_', "the id of an access key")
}

/// The ARN of a role, in whichever of AWS's partitions.
fn role_arn(text: &str) -> Result<String, String> {
    let mut parts = text.splitn(6, ':');
    let [scheme, partition, service, place, account, name] =
        [(); 6].map(|()| parts.next().unwrap_or_default());
    let is_role = scheme == "arn"
        && partition.starts_with("aws")
        && service == "iam"
        && place.is_empty()
        && account.len() == 12
        && account.bytes().all(|b| b.is_ascii_digit())
        && name.strip_prefix("role/").is_some_and(|name| !name.is_empty());
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"+=,.@_/:-".contains(&b);
    match is_role {
        true => made_of(text, 2048, fits, ROLE),
        false => Err(format!("`{}` is not {ROLE}", shown(text))),
    }
}

/// What a role is told by.
const ROLE: &str = "the ARN of a role, such as `arn:aws:iam::123456789012:role/models`";

fn external_id(text: &str) -> Result<String, String> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@:/-".contains(&b);
    made_of(text, 1224, fits, "an external id")
}

fn audience(text: &str) -> Result<String, String> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"-._:/".contains(&b);
    match text.starts_with("//iam.googleapis.com/") {
        true => made_of(text, 512, fits, "the name of a pool's provider"),
        false => Err(format!("`{}` does not begin with `//iam.googleapis.com/`", shown(text))),
    }
}

fn region(text: &str) -> Result<String, String> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    made_of(text, 64, fits, "a region such as `eu-central-1`")
}

fn version(text: &str) -> Result<String, String> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    made_of(text, 32, fits, "a version such as `2024-10-21`")
}

/// A scope: a URI, or several with a space between.
fn plain(text: &str) -> Result<String, String> {
    let is_uri = |part: &str| part.parse::<Uri>().is_ok();
    match text.len() <= 512 && text.split(' ').all(is_uri) {
        true => Ok(text.to_owned()),
        false => Err(format!("`{}` is not a scope", shown(text))),
    }
}

#[cfg(test)]
mod tests;
