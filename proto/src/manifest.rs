//! The canonical manifest of a snapshot: the bytes whose SHA-256 is the snapshot's digest.
//!
//! Law: equal contents for an equal scope give equal bytes whatever the order they come in; revision and time are not in
//! them, so a publication that changes nothing for a scope leaves its digest alone. Absent on purpose: hashing itself.

use crate::sync::{Resource, Scope};

/// What the bytes begin with; another form would begin otherwise.
const FORM: &[u8] = b"chancery/manifest/v1\n";

/// The manifest of a scope's resources, each with its digest filled in.
///
/// After the form come the scope's geo and node class, then kind, name and digest of each resource in the order of kind and
/// name; every part is preceded by its length in bytes as a big-endian `u64`, so that no two manifests read alike.
pub fn canonical(scope: &Scope, resources: &[Resource]) -> Vec<u8> {
    let mut sorted: Vec<&Resource> = resources.iter().collect();
    sorted.sort_by(|a, b| (&a.kind, &a.name).cmp(&(&b.kind, &b.name)));

    let mut bytes = FORM.to_vec();
    let mut part = |part: &[u8]| {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part);
    };
    part(scope.geo.as_bytes());
    part(scope.node_class.as_bytes());
    for resource in sorted {
        part(resource.kind.as_bytes());
        part(resource.name.as_bytes());
        part(&resource.digest);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(kind: &str, name: &str, digest: u8) -> Resource {
        Resource { kind: kind.into(), name: name.into(), body: Default::default(), digest: vec![digest; 32] }
    }

    #[test]
    fn order_does_not_matter_and_everything_else_does() {
        let scope = Scope { geo: "eu".into(), node_class: "default".into() };
        let (a, b) = (resource("Model", "models/a", 1), resource("Team", "tenants/t/teams/b", 2));
        let whole = canonical(&scope, &[a.clone(), b.clone()]);
        assert_eq!(canonical(&scope, &[b.clone(), a.clone()]), whole);

        let elsewhere = Scope { geo: "us".into(), ..scope.clone() };
        let shifted = resource("ModelM", "odels/a", 1);
        for other in [
            canonical(&elsewhere, &[a.clone(), b.clone()]),
            canonical(&scope, std::slice::from_ref(&a)),
            canonical(&scope, &[resource("Model", "models/a", 3), b.clone()]),
            canonical(&scope, &[shifted, b.clone()]),
        ] {
            assert_ne!(other, whole);
        }
    }
}
