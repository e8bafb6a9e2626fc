//! Providers. A secret given in the open is sealed on the way in and only named from then on.
//!
//! Law: a tenant's provider brings its own secret. It may name neither what lies on a node, which is the platform's, nor a
//! sealed credential that is not its own already: else who governs a tenant could send others' secrets where it likes.
//! The gateway's own variables are nobody's to send. Its base URL is where a data plane may call.

use prost::Message as _;
use proto::admin::auth::Method;
use proto::admin::credential::Source;
use proto::admin::{Credential, ProviderSpec};
use proto::convert::{Faults, FieldFault, FieldPath, Problem, Step};
use subtle::ConstantTimeEq as _;

use super::{Preparing, governed};
use crate::upstream::Upstream;

/// How the names of the gateway's own variables begin, in any case.
const GATEWAYS: &str = "CHANCERY";

governed!(Provider in providers {
    fn prepare(&mut self, preparing: &mut Preparing<'_>) -> Result<(), Faults> {
        let before = preparing.before.and_then(|stored| Self::decode(stored.bytes.clone()).ok());
        let before = before.and_then(|provider| provider.spec?.credential);
        let Some(spec) = &mut self.spec else { return Ok(()) };
        let upstream = &preparing.gate.upstream;
        let asked = authorities(spec).into_iter().map(|(field, url)| {
            reachable(&["spec", "auth", field[0], field[1]], url, upstream)
        });
        let mut found = vec![reachable(&["spec", "baseUrl"], &spec.base_url, upstream)];
        found.extend(asked);
        found.push(spec.credential.as_mut().map_or(Ok(()), |c| seal(c, before.as_ref(), preparing)));
        let faults: Vec<FieldFault> = found.into_iter().filter_map(Result::err).flat_map(|f| f.0).collect();
        if faults.is_empty() { Ok(()) } else { Err(Faults(faults)) }
    }
});

/// Who gives a provider's tokens and sessions, where that is told; and the fields that tell.
fn authorities(spec: &ProviderSpec) -> Vec<([&'static str; 2], &str)> {
    match spec.auth.as_ref().and_then(|auth| auth.method.as_ref()) {
        Some(Method::Entra(entra)) => vec![(["entra", "authority"], &entra.authority)],
        Some(Method::Aws(aws)) => vec![(["aws", "sts"], &aws.sts)],
        Some(Method::Google(google)) => vec![
            (["google", "tokenUrl"], &google.token_url),
            (["google", "impersonationUrl"], &google.impersonation_url),
        ],
        None => Vec::new(),
    }
}

/// Refuses a URL where no data plane would call; that one is missing is for the adapter to say.
fn reachable(field: &[&'static str], url: &str, upstream: &Upstream) -> Result<(), Faults> {
    if url.is_empty() {
        return Ok(());
    }
    upstream.check(url).map_err(|refused| {
        let path = field.iter().copied().map(Step::Field).collect();
        Faults(vec![FieldFault { field: FieldPath(path), problem: Problem::Invalid(refused.to_string()) }])
    })
}

/// Replaces a secret by the name of its sealed copy; the copy there is stays where it is of the same secret.
pub(super) fn seal(
    credential: &mut Credential,
    before: Option<&Credential>,
    preparing: &mut Preparing<'_>,
) -> Result<(), Faults> {
    let named = match before.and_then(|c| c.source.as_ref()) {
        Some(Source::Sealed(id)) => Some(id.clone()),
        _ => None,
    };
    let id = match &credential.source {
        Some(Source::Value(secret)) if secret.trim().is_empty() => return Err(at("value", Problem::Missing)),
        Some(Source::Value(secret)) => match named.filter(|id| holds(preparing, id, secret.as_bytes())) {
            Some(same) => same,
            None => {
                let refused = |_| at("value", Problem::Invalid("can't be sealed".to_owned()));
                let (id, sealed) = preparing.gate.vault.seal(secret.as_bytes()).map_err(refused)?;
                preparing.sealed.push((id.clone(), sealed));
                id
            }
        },
        Some(Source::Env(_) | Source::File(_) | Source::Vault(_) | Source::AwsSecretsManager(_))
            if preparing.id.tenant.is_some() =>
        {
            return Err(of_the_nodes());
        }
        Some(Source::Env(name)) if is_the_gateways(name) => {
            let why = "names of the gateway's own: no provider's secret is in a variable that begins with `CHANCERY`";
            return Err(at("env", Problem::Invalid(why.to_owned())));
        }
        Some(Source::Sealed(id)) if preparing.id.tenant.is_some() && named.as_ref() != Some(id) => {
            return Err(at("sealed", Problem::Invalid("is not this provider's own".to_owned())));
        }
        Some(Source::Sealed(id)) if !preparing.gate.vault.has(id) => {
            let why = "names no credential that was given to this control plane";
            return Err(at("sealed", Problem::Invalid(why.to_owned())));
        }
        _ => return Ok(()),
    };
    credential.source = Some(Source::Sealed(id));
    Ok(())
}

fn of_the_nodes() -> Faults {
    let path = ["spec", "credential"].map(Step::Field).to_vec();
    let why = "a tenant's provider can't name the nodes' environment, files, Vault or Secrets Manager; give the value, which is kept sealed";
    Faults(vec![FieldFault { field: FieldPath(path), problem: Problem::Invalid(why.to_owned()) }])
}

/// Whether a variable is one the gateway configures itself by, its master key among them.
fn is_the_gateways(variable: &str) -> bool {
    variable.get(..GATEWAYS.len()).is_some_and(|start| start.eq_ignore_ascii_case(GATEWAYS))
}

fn holds(preparing: &Preparing<'_>, id: &str, secret: &[u8]) -> bool {
    let held = preparing.gate.vault.open(id).ok().flatten();
    held.is_some_and(|held| held.as_slice().ct_eq(secret).into())
}

fn at(field: &'static str, problem: Problem) -> Faults {
    let path = ["spec", "credential", field].map(Step::Field).to_vec();
    Faults(vec![FieldFault { field: FieldPath(path), problem }])
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;

    use policy_engine::vocabulary::Id;

    use super::*;
    use crate::govern::Gate;
    use crate::seal::Sealer;
    use crate::subjects::Subjects;
    use crate::vault::Vault;

    fn sealed(id: &Id, gate: &Gate, source: Source, before: Option<&str>) -> Result<Source, Faults> {
        let mut preparing = Preparing { id, before: None, gate, sealed: Vec::new() };
        let mut credential = Credential { source: Some(source) };
        let before = before.map(|id| Credential { source: Some(Source::Sealed(id.to_owned())) });
        seal(&mut credential, before.as_ref(), &mut preparing)?;
        gate.vault.keep(&preparing.sealed);
        Ok(credential.source.unwrap())
    }

    #[test]
    fn a_tenants_provider_reaches_no_secret_but_its_own() {
        let vault = Vault::new(Arc::new(Sealer::new(&[7; 32]).unwrap()), HashMap::new());
        let gate = Gate { vault, upstream: Upstream::default(), subjects: Subjects::default() };
        let platform = Id::platform("p".parse().unwrap());
        let tenants = Id::of("acme".parse().unwrap(), "p".parse().unwrap());
        let Source::Sealed(own) = sealed(&tenants, &gate, Source::Value("sk-1".into()), None).unwrap() else {
            panic!()
        };
        for source in [Source::Env("OPENAI_API_KEY".into()), Source::File("/etc/key".into())] {
            assert!(sealed(&platform, &gate, source.clone(), None).is_ok());
            let told = sealed(&tenants, &gate, source, None).unwrap_err();
            let [fault] = told.0.as_slice() else { panic!("{told:?}") };
            assert_eq!(fault.field.to_string(), "spec.credential");
            assert!(fault.problem.to_string().contains("can't name the nodes' environment, files, Vault"));
        }
        for name in ["CHANCERY_MASTER_KEY", "chancery__listen__admin", "Chancery"] {
            let told = sealed(&platform, &gate, Source::Env(name.into()), None).unwrap_err();
            assert_eq!(told.0[0].field.to_string(), "spec.credential.env", "{name}");
            assert!(told.0[0].problem.to_string().contains("names of the gateway's own"), "{name}");
            assert!(sealed(&tenants, &gate, Source::Env(name.into()), None).is_err(), "{name}");
        }
        for name in ["CHANCER", "MY_CHANCERY", "ÉÉÉÉÉ"] {
            assert!(sealed(&platform, &gate, Source::Env(name.into()), None).is_ok(), "{name}");
        }
        let named = Source::Sealed(own.clone());
        assert!(sealed(&platform, &gate, named.clone(), None).is_ok());
        assert!(sealed(&platform, &gate, Source::Sealed("cred-0".into()), None).is_err());
        assert!(sealed(&tenants, &gate, named.clone(), None).is_err());
        assert_eq!(sealed(&tenants, &gate, named, Some(&own)), Ok(Source::Sealed(own)));
        assert!(sealed(&tenants, &gate, Source::Value(" ".into()), None).is_err());
    }
}
