//! The platform's own admin tokens: those that are configured, or one that is made at the first start.

use std::path::Path;

use anyhow::Context as _;
use zeroize::Zeroizing;

use crate::actor::{TokenDigest, token_digest};
use crate::config::{AdminConfig, AdminToken};
use crate::registry::hex;
use crate::seal::{random, write_private};
use crate::store::Digest;

/// Under which name the audit log knows the holder of the token that was made here.
const MADE_HERE: &str = "root";

/// The tokens that are configured; where none is, the one of this directory, made if it is not there.
pub(super) fn configured(config: &AdminConfig, own: &Path) -> anyhow::Result<Vec<TokenDigest>> {
    if config.tokens.is_empty() {
        return Ok(vec![TokenDigest { name: MADE_HERE.to_owned(), digest: made_here(own)? }]);
    }
    config.tokens.iter().map(read).collect()
}

fn read(token: &AdminToken) -> anyhow::Result<TokenDigest> {
    let digest = unhex(&token.sha256).with_context(|| {
        format!("the digest of the admin token `{}` is not 64 hexadecimal digits", token.name)
    })?;
    Ok(TokenDigest { name: token.name.clone(), digest })
}

/// The digest is what lasts: the operator may take the token's own file away.
fn made_here(own: &Path) -> anyhow::Result<Digest> {
    let kept = own.join("admin.token.sha256");
    match std::fs::read_to_string(&kept) {
        Ok(text) => {
            unhex(text.trim()).with_context(|| format!("`{}` does not hold a digest", kept.display()))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let token = Zeroizing::new(hex(random::<32>()?.as_slice()));
            let digest = token_digest(&token);
            write_private(&own.join("admin.token"), token.as_bytes())
                .context("the admin token can't be written")?;
            write_private(&kept, hex(&digest).as_bytes())
                .context("the admin token's digest can't be written")?;
            Ok(digest)
        }
        Err(error) => Err(error).with_context(|| format!("`{}` can't be read", kept.display())),
    }
}

fn unhex(text: &str) -> Option<Digest> {
    let bytes: Option<Vec<u8>> = (0..text.len())
        .step_by(2)
        .map(|at| text.get(at..at.checked_add(2)?).and_then(|pair| u8::from_str_radix(pair, 16).ok()))
        .collect();
    bytes?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_made_once_and_outlives_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let config = AdminConfig::default();
        let first = configured(&config, dir.path()).unwrap();
        let token = std::fs::read_to_string(dir.path().join("admin.token")).unwrap();
        assert_eq!((token.len(), token_digest(&token)), (64, first[0].digest));
        std::fs::remove_file(dir.path().join("admin.token")).unwrap();
        assert_eq!(configured(&config, dir.path()).unwrap(), first);
        let given = AdminToken { name: "ops".into(), sha256: hex(&token_digest("x")) };
        let config = AdminConfig { tokens: vec![given.clone()], ..config };
        assert_eq!(configured(&config, dir.path()).unwrap()[0].digest, token_digest("x"));
        for bad in ["", "xy", "00", &"z".repeat(64), &"é".repeat(32)] {
            let bad = AdminToken { sha256: bad.to_owned(), ..given.clone() };
            assert!(read(&bad).is_err());
        }
    }
}
