//! The node's identity on disk, in a directory of its own for its owner alone.
//!
//! | file | what |
//! |---|---|
//! | `node.pem` | the certificate and its private key: one file, so that both change at once |
//! | `ca.pem` | the authorities of the control plane |
//! | `token` | the public id of the token that made it |
//! | `pending.key` | the key that a token is being used for |
//!
//! Law: `node.pem` is written last; where it is there, the identity is whole. What is no file, or larger than any of these is, is not read.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rcgen::KeyPair;
use rustls::crypto::aws_lc_rs;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use super::call::Granted;
use super::token::Token;
use crate::policy::disk;
use crate::private;
use crate::tls::Files;

/// The most of a file that is read, in bytes: far above what is written.
const MOST: u64 = 1 << 20;

/// Characters of a line of PEM (RFC 7468).
const LINE: usize = 64;

/// The directory.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    dir: PathBuf,
}

impl Kept {
    pub(super) fn at(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// Whether there is an identity.
    pub(super) fn is_there(&self) -> bool {
        self.node().exists()
    }

    /// Whether the identity was made by a token.
    pub(super) fn is_of(&self, token: &Token) -> bool {
        let made_by = disk::read_text(&self.dir.join("token"), MOST).ok().flatten();
        self.is_there() && made_by.is_some_and(|id| id.trim() == token.id)
    }

    pub(super) fn files(&self) -> Files {
        Files { ca: self.dir.join("ca.pem"), certificate: self.node(), key: self.node() }
    }

    /// The certificate, DER.
    pub(super) fn certificate(&self) -> Option<CertificateDer<'static>> {
        let pem = disk::read(&self.node(), MOST).ok().flatten().map(Zeroizing::new)?;
        CertificateDer::from_pem_slice(&pem).ok()
    }

    /// The key that a token is used for: the same at each try, so that a lost answer can be asked for again.
    pub(super) fn pending_key(&self) -> anyhow::Result<KeyPair> {
        private::own_dir(&self.dir)?;
        let path = self.dir.join("pending.key");
        if let Ok(Some(text)) = disk::read_text(&path, MOST)
            && let Ok(key) = KeyPair::from_pem(&Zeroizing::new(text))
        {
            return Ok(key);
        }
        let key = KeyPair::generate()?;
        disk::replace(&path, &[Zeroizing::new(key.serialize_pem()).as_bytes()])?;
        Ok(key)
    }

    /// Keeps a certificate that was given for a key, by a token or by the certificate before it.
    pub(super) fn take(&self, granted: &Granted, key: &KeyPair, token: Option<&Token>) -> anyhow::Result<()> {
        let der = PrivateKeyDer::try_from(key.serialize_der()).map_err(anyhow::Error::msg)?;
        let chain = vec![granted.certificate.clone()];
        CertifiedKey::from_der(chain, der, &aws_lc_rs::default_provider())?;
        crate::tls::identity(&granted.certificate)?;

        let path = self.dir.join("ca.pem");
        let mut authorities = granted.authorities.clone();
        if token.is_none() {
            let before = disk::read(&path, MOST).ok().flatten().unwrap_or_default();
            let before: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&before).collect();
            authorities.splice(0..0, before.unwrap_or_default());
        }
        authorities.dedup();
        replace_if_other(&path, &authorities.iter().map(|der| pem(der)).collect::<String>())?;
        if let Some(token) = token {
            disk::replace(&self.dir.join("token"), &[token.id.as_bytes(), b"\n"])?;
        }
        let whole = Zeroizing::new(format!("{}{}", pem(&granted.certificate), key.serialize_pem()));
        disk::replace(&self.node(), &[whole.as_bytes()])?;
        match fs::remove_file(self.dir.join("pending.key")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn node(&self) -> PathBuf {
        self.dir.join("node.pem")
    }
}

fn replace_if_other(path: &Path, text: &str) -> io::Result<()> {
    match disk::read_text(path, MOST) {
        Ok(Some(before)) if before == text => Ok(()),
        _ => disk::replace(path, &[text.as_bytes()]),
    }
}

/// A certificate as text (RFC 7468).
fn pem(der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::prelude::BASE64_STANDARD.encode(der);
    let mut out = "-----BEGIN CERTIFICATE-----\n".to_owned();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at_checked(LINE).unwrap_or((rest, ""));
        out.push_str(line);
        out.push('\n');
        rest = more;
    }
    out.push_str("-----END CERTIFICATE-----\n");
    out
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::Arc;

    use rcgen::string::Ia5String;
    use rcgen::{CertificateParams, SanType};

    use super::*;
    use crate::tls::Way;

    fn granted(key: &KeyPair, id: &str) -> Granted {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::URI(Ia5String::try_from(id).unwrap())];
        let certificate = params.self_signed(key).unwrap().der().clone();
        Granted { authorities: vec![certificate.clone()], certificate }
    }

    fn token(id: &str) -> Token {
        Token::read(&format!("chyn_{id}_s_{}", "0".repeat(32))).unwrap()
    }

    #[test]
    fn an_identity_is_whole_for_its_owner_alone_and_of_its_token() {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let home = tempfile::tempdir().unwrap();
        let kept = Kept::at(&home.path().join("identity"));
        assert!(!kept.is_there() && kept.certificate().is_none());
        let key = kept.pending_key().unwrap();
        assert_eq!(kept.pending_key().unwrap().serialize_der(), key.serialize_der(), "the same at each try");
        let given = granted(&key, "spiffe://chancery/geo/eu/node/a");
        kept.take(&given, &key, Some(&token("0a"))).unwrap();
        assert!(kept.is_there() && kept.is_of(&token("0a")) && !kept.is_of(&token("0b")));
        assert_eq!(kept.certificate().unwrap(), given.certificate);
        let way = Way::open("https://127.0.0.1:1", kept.files(), Arc::default()).unwrap();
        assert_eq!(way.identity().geo.as_str(), "eu");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&kept.dir), 0o700);
        let mut names: Vec<String> = Vec::new();
        for entry in fs::read_dir(&kept.dir).unwrap() {
            let path = entry.unwrap().path();
            assert_eq!(mode(&path), 0o600, "{}", path.display());
            names.push(path.file_name().unwrap().to_string_lossy().into_owned());
        }
        names.sort();
        assert_eq!(names, ["ca.pem", "node.pem", "token"]);

        // The next certificate, for the next key: the way shows it without a restart.
        let next = KeyPair::generate().unwrap();
        let renewed = Granted { authorities: vec![], ..granted(&next, "spiffe://chancery/geo/eu/node/a") };
        kept.take(&renewed, &next, None).unwrap();
        assert_eq!(kept.certificate().unwrap(), renewed.certificate);
        let authorities = way.authorities().unwrap();
        assert_eq!(CertificateDer::from_pem_slice(&authorities).unwrap(), given.certificate);
    }

    #[test]
    fn case_03_what_is_no_file_of_an_identity_is_told_and_never_waited_for() {
        let home = tempfile::tempdir().unwrap();
        let kept = Kept::at(home.path());
        let put: [fn(&Path); 3] = [
            |path| assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success()),
            |path| fs::create_dir(path).unwrap(),
            // Ten gigabytes, of which the disk has none.
            |path| fs::File::create(path).unwrap().set_len(10 << 30).unwrap(),
        ];
        for (at, put) in put.into_iter().enumerate() {
            for name in ["node.pem", "ca.pem", "token"] {
                put(&home.path().join(name));
            }
            assert!(kept.certificate().is_none() && !kept.is_of(&token("0a")), "{at}");
            let error =
                format!("{:#}", Way::open("https://127.0.0.1:1", kept.files(), Arc::default()).unwrap_err());
            let what = ["pipe", "directory", "larger than"][at];
            assert!(error.contains(what) && error.contains("ca.pem"), "{error}");
            for name in ["node.pem", "ca.pem", "token"] {
                let path = home.path().join(name);
                if path.is_dir() { fs::remove_dir(path) } else { fs::remove_file(path) }.unwrap();
            }
        }
        // A key that can't be read is made anew, in its place where that may be had.
        put[0](&home.path().join("pending.key"));
        let key = kept.pending_key().unwrap();
        assert_eq!(kept.pending_key().unwrap().serialize_der(), key.serialize_der());
        fs::remove_file(home.path().join("pending.key")).unwrap();
        put[1](&home.path().join("pending.key"));
        assert!(kept.pending_key().is_err());
    }

    #[test]
    fn what_is_no_certificate_of_the_key_changes_nothing() {
        let home = tempfile::tempdir().unwrap();
        let kept = Kept::at(&home.path().join("identity"));
        let key = kept.pending_key().unwrap();
        let other = granted(&KeyPair::generate().unwrap(), "spiffe://chancery/geo/eu/node/a");
        let nobody = granted(&key, "spiffe://chancery/somebody");
        let garbage = Granted { certificate: vec![1, 2, 3].into(), ..other.clone() };
        for bad in [other, nobody, garbage] {
            assert!(kept.take(&bad, &key, Some(&token("0a"))).is_err());
            assert!(!kept.is_there());
        }
    }
}
