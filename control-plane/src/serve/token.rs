//! The platform's own admin tokens: those that are configured, or one that is made at the first start.

use std::path::Path;

use anyhow::{Context as _, bail};
use policy_engine::vocabulary::Name;
use zeroize::Zeroizing;

use crate::actor::{Role, Scope, TokenDigest, token_digest};
use crate::config::{AdminConfig, AdminRole, AdminToken, MADE_HERE};
use crate::private;
use crate::registry::hex;
use crate::seal::{random, write_private};
use crate::store::Digest;

/// The file of the token that is made here.
const TOKEN: &str = "admin.token";

/// The tokens that are configured, and, where none of them is an administrator's, the one of this directory, made if it is not there.
pub(super) fn configured(config: &AdminConfig, own: &Path) -> anyhow::Result<Vec<TokenDigest>> {
    let path = own.join(TOKEN);
    let mut tokens = config.tokens.iter().map(read).collect::<anyhow::Result<Vec<_>>>()?;
    if tokens.iter().all(|token| token.role != Role::Admin) {
        let digest = made_here(own)?;
        if !opens(&path, &digest) {
            tracing::warn!(path = %path.display(), "the file does not hold the admin token that counts, by its digest beside it: put the \
                token back, or move both files away and start again, and a new one is made");
        }
        tokens.push(TokenDigest::of_admin(MADE_HERE, digest));
        return Ok(tokens);
    }
    if is_idle(&path, &tokens) {
        tracing::warn!(path = %path.display(), "the admin token in this file opens nothing: the tokens of `admin.tokens` count in its place");
    }
    Ok(tokens)
}

/// Whether a file, if it is there, holds the token of a digest.
fn opens(path: &Path, digest: &Digest) -> bool {
    match std::fs::read_to_string(path).map(Zeroizing::new) {
        Ok(token) => token_digest(token.trim()) == *digest,
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

/// Whether there is a token in the file that is none of those that count.
fn is_idle(path: &Path, tokens: &[TokenDigest]) -> bool {
    path.exists() && !tokens.iter().any(|token| opens(path, &token.digest))
}

fn read(token: &AdminToken) -> anyhow::Result<TokenDigest> {
    let digest = unhex(&token.sha256).with_context(|| {
        format!("the digest of the admin token `{}` is not 64 hexadecimal digits", token.name)
    })?;
    let names = |all: &[String]| all.iter().map(|name| Ok(Name::new(name)?)).collect::<anyhow::Result<_>>();
    let role = match token.role {
        AdminRole::Admin => Role::Admin,
        AdminRole::Auditor => {
            Role::Auditor(Scope { tenants: names(&token.tenants)?, geos: names(&token.geos)? })
        }
    };
    Ok(TokenDigest { name: token.name.clone(), digest, role })
}

/// The digest is what lasts: the operator may take the token's own file away.
fn made_here(own: &Path) -> anyhow::Result<Digest> {
    let kept = own.join("admin.token.sha256");
    match std::fs::read_to_string(&kept) {
        Ok(text) => {
            unhex(text.trim()).with_context(|| {
                let kept = kept.display();
                format!("`{kept}` does not hold a digest: move it away, and it is made of `{TOKEN}` beside it, or with a new token")
            })
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let token = match kept_token(own)? {
                Some(token) => token,
                None => made_token(own)?,
            };
            let digest = token_digest(&token);
            write_private(&kept, hex(&digest).as_bytes())
                .with_context(|| format!("the admin token's digest `{}` can't be written", kept.display()))?;
            Ok(digest)
        }
        Err(error) => Err(error).with_context(|| format!("`{}` can't be read", kept.display())),
    }
}

fn made_token(own: &Path) -> anyhow::Result<Zeroizing<String>> {
    let (path, token) = (own.join(TOKEN), Zeroizing::new(hex(random::<32>()?.as_slice())));
    write_private(&path, token.as_bytes())
        .with_context(|| format!("the admin token `{}` can't be written", path.display()))?;
    Ok(token)
}

/// The token in the directory whose digest is gone; `None`: there is no token either.
fn kept_token(own: &Path) -> anyhow::Result<Option<Zeroizing<String>>> {
    let path = own.join(TOKEN);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("`{}` can't be read", path.display())),
    };
    private::close_file(&path);
    let token = Zeroizing::new(text.trim().to_owned());
    if unhex(&token).is_none() {
        bail!(
            "`{}` does not hold the whole of an admin token, and its digest beside it is gone: put the token back, or move the file away \
             and start again, and a new one is made",
            path.display()
        );
    }
    tracing::warn!(path = %path.display(), "the digest of the admin token was gone, and is made of this file again");
    Ok(Some(token))
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
        let given =
            AdminToken { name: "ops".into(), sha256: hex(&token_digest("x")), ..AdminToken::default() };
        let config = AdminConfig { tokens: vec![given.clone()], ..config };
        assert_eq!(configured(&config, dir.path()).unwrap()[0].digest, token_digest("x"));
        for bad in ["", "xy", "00", &"z".repeat(64), &"é".repeat(32)] {
            let bad = AdminToken { sha256: bad.to_owned(), ..given.clone() };
            assert!(read(&bad).is_err());
        }
    }

    #[test]
    fn auditors_alone_leave_the_token_that_is_made_here() {
        let dir = tempfile::tempdir().unwrap();
        let sha256 = hex(&token_digest("x"));
        let role = AdminRole::Auditor;
        let eve = AdminToken {
            name: "eve".into(),
            sha256,
            role,
            tenants: vec!["acme".into()],
            ..AdminToken::default()
        };
        let config = AdminConfig { tokens: vec![eve.clone()], ..AdminConfig::default() };
        let known = configured(&config, dir.path()).unwrap();
        assert_eq!(known.iter().map(|token| token.name.as_str()).collect::<Vec<_>>(), ["eve", MADE_HERE]);
        assert!(matches!(&known[0].role, Role::Auditor(scope) if scope.tenants.len() == 1));
        assert!(dir.path().join(TOKEN).exists());
        let ops = AdminToken { name: "ops".into(), sha256: hex(&token_digest("y")), ..AdminToken::default() };
        let config = AdminConfig { tokens: vec![eve, ops], ..config };
        assert_eq!(configured(&config, dir.path()).unwrap().len(), 2);
    }

    #[test]
    fn a_digest_that_is_gone_is_made_of_the_token_and_of_nothing_less() {
        let dir = tempfile::tempdir().unwrap();
        let (config, own) = (AdminConfig::default(), dir.path());
        let (path, kept) = (own.join(TOKEN), own.join("admin.token.sha256"));
        let first = configured(&config, own).unwrap();
        let token = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&kept).unwrap();
        assert_eq!(configured(&config, own).unwrap(), first);
        assert_eq!(std::fs::read_to_string(&kept).unwrap(), hex(&first[0].digest));
        for half in ["", &token[..32], "no token"] {
            std::fs::remove_file(&kept).unwrap();
            std::fs::write(&path, half).unwrap();
            let refused = configured(&config, own).unwrap_err().to_string();
            assert!(
                refused.starts_with(&format!("`{}` does not hold the whole", path.display())),
                "{refused}"
            );
            assert!(refused.contains("move the file away") && !kept.exists());
            std::fs::write(&kept, hex(&first[0].digest)).unwrap();
        }
        std::fs::write(&kept, "half").unwrap();
        let refused = configured(&config, own).unwrap_err().to_string();
        assert!(refused.contains("admin.token.sha256` does not hold a digest: move it away"), "{refused}");
    }

    #[test]
    fn a_token_that_opens_nothing_is_told_of() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(TOKEN);
        let digest = configured(&AdminConfig::default(), dir.path()).unwrap()[0].digest;
        let of = |digest| [TokenDigest::of_admin("ops", digest)];
        assert!(opens(&path, &digest) && !is_idle(&path, &of(digest)) && is_idle(&path, &of([0; 32])));
        let token = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{token}\n")).unwrap();
        assert!(opens(&path, &digest));
        for half in ["", &token[..32]] {
            std::fs::write(&path, half).unwrap();
            assert!(!opens(&path, &digest), "{half}");
        }
        std::fs::remove_file(&path).unwrap();
        assert!(opens(&path, &digest) && !is_idle(&path, &of([0; 32])), "who took it away knows");
    }
}
