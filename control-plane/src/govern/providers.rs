//! Providers. A secret given in the open is sealed on the way in and only named from then on.

use prost::Message as _;
use proto::admin::Credential;
use proto::admin::credential::Source;
use proto::convert::{Faults, FieldFault, FieldPath, Problem, Step};
use subtle::ConstantTimeEq as _;

use super::{Preparing, governed};

governed!(Provider in providers {
    fn prepare(&mut self, preparing: &mut Preparing<'_>) -> Result<(), Faults> {
        let before = preparing.before.and_then(|stored| Self::decode(stored.bytes.clone()).ok());
        let before = before.and_then(|provider| provider.spec?.credential);
        match self.spec.as_mut().and_then(|spec| spec.credential.as_mut()) {
            Some(credential) => seal(credential, before.as_ref(), preparing),
            None => Ok(()),
        }
    }
});

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
    match credential.source.take() {
        Some(Source::Value(secret)) if secret.trim().is_empty() => Err(at("value", Problem::Missing)),
        Some(Source::Value(secret)) => {
            let same = named.filter(|id| holds(preparing, id, secret.as_bytes()));
            let id = match same {
                Some(id) => id,
                None => {
                    let refused = |_| at("value", Problem::Invalid("can't be sealed".to_owned()));
                    let (id, sealed) = preparing.vault.seal(secret.as_bytes()).map_err(refused)?;
                    preparing.sealed.push((id.clone(), sealed));
                    id
                }
            };
            credential.source = Some(Source::Sealed(id));
            Ok(())
        }
        Some(Source::Sealed(id)) if !preparing.vault.has(&id) => Err(at(
            "sealed",
            Problem::Invalid("names no credential that was given to this control plane".to_owned()),
        )),
        other => {
            credential.source = other;
            Ok(())
        }
    }
}

fn holds(preparing: &Preparing<'_>, id: &str, secret: &[u8]) -> bool {
    let held = preparing.vault.open(id).ok().flatten();
    held.is_some_and(|held| held.as_slice().ct_eq(secret).into())
}

fn at(field: &'static str, problem: Problem) -> Faults {
    let path = ["spec", "credential", field].map(Step::Field).to_vec();
    Faults(vec![FieldFault { field: FieldPath(path), problem }])
}
