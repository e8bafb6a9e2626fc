use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use base64::Engine as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};

use super::*;

fn roots(authority: &Authority) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.certificate_pem().as_bytes()).unwrap()).unwrap();
    roots
}

fn pair(issued: &Issued) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let certificate = CertificateDer::from_pem_slice(issued.certificate_pem.as_bytes()).unwrap();
    (vec![certificate], PrivateKeyDer::from_pem_slice(issued.key_pem.as_bytes()).unwrap())
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// A handshake in memory, both sides showing a certificate; the peer that the server saw.
fn handshake(
    trusted: (&Authority, &Authority),
    server: &Issued,
    node: &Issued,
    host: &str,
) -> Result<CertificateDer<'static>, rustls::Error> {
    let (chain, key) = pair(server);
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots(trusted.0)), provider()).build().unwrap();
    let server =
        ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
    let server = server.with_client_cert_verifier(verifier).with_single_cert(chain, key)?;
    let (chain, key) = pair(node);
    let client =
        ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
    let client = client.with_root_certificates(roots(trusted.1)).with_client_auth_cert(chain, key)?;

    let mut server = ServerConnection::new(Arc::new(server))?;
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::new(client), name)?;
    while client.is_handshaking() || server.is_handshaking() {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).unwrap();
        server.read_tls(&mut wire.as_slice()).unwrap();
        server.process_new_packets()?;
        let mut wire = Vec::new();
        server.write_tls(&mut wire).unwrap();
        client.read_tls(&mut wire.as_slice()).unwrap();
        client.process_new_packets()?;
    }
    Ok(server.peer_certificates().unwrap()[0].clone().into_owned())
}

fn hosts() -> Vec<String> {
    vec!["localhost".to_owned(), "127.0.0.1".to_owned()]
}

#[test]
fn a_node_and_the_sync_port_recognise_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::open_or_create(dir.path()).unwrap();
    let server = authority.issue_server(&hosts(), LEAF_VALIDITY).unwrap();
    let node = authority.issue_node(&"eu".parse().unwrap(), &"eu-1".parse().unwrap(), LEAF_VALIDITY).unwrap();
    for host in ["localhost", "127.0.0.1"] {
        let peer = handshake((&authority, &authority), &server, &node, host).unwrap();
        let peer = webpki::EndEntityCert::try_from(&peer).unwrap();
        let uris: Vec<&str> = peer.valid_uri_names().collect();
        assert_eq!(uris, ["spiffe://chancery/geo/eu/node/eu-1"]);
    }
    assert!(handshake((&authority, &authority), &server, &node, "elsewhere.test").is_err());
}

#[test]
fn another_authority_a_certificate_of_the_wrong_use_and_an_old_one_are_refused() {
    let dirs = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let ours = Authority::open_or_create(dirs.0.path()).unwrap();
    let other = Authority::open_or_create(dirs.1.path()).unwrap();
    let (geo, name) = ("eu".parse().unwrap(), "eu-1".parse().unwrap());
    let server = ours.issue_server(&hosts(), LEAF_VALIDITY).unwrap();
    let node = ours.issue_node(&geo, &name, LEAF_VALIDITY).unwrap();
    let stranger = other.issue_node(&geo, &name, LEAF_VALIDITY).unwrap();
    assert!(handshake((&ours, &ours), &server, &stranger, "localhost").is_err());
    assert!(handshake((&ours, &other), &server, &node, "localhost").is_err());
    assert!(handshake((&ours, &ours), &server, &server, "localhost").is_err(), "a server's is not a node's");
    assert!(handshake((&ours, &ours), &node, &node, "localhost").is_err(), "a node's is not a server's");

    let peer = CertificateDer::from_pem_slice(node.certificate_pem.as_bytes()).unwrap();
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots(&ours)), provider()).build().unwrap();
    let at =
        |offset: u64| UnixTime::since_unix_epoch(Duration::from_secs(UnixTime::now().as_secs() + offset));
    assert!(verifier.verify_client_cert(&peer, &[], at(89 * DAY)).is_ok());
    assert!(verifier.verify_client_cert(&peer, &[], at(91 * DAY)).is_err());
}

#[test]
fn an_authority_is_made_once() {
    let dir = tempfile::tempdir().unwrap();
    let inner = dir.path().join("state/ca");
    let all: Vec<_> = std::thread::scope(|scope| {
        let opening: Vec<_> =
            (0..8).map(|_| scope.spawn(|| Authority::open_or_create(&inner).unwrap())).collect();
        opening.into_iter().map(|thread| thread.join().unwrap().certificate_pem().to_owned()).collect()
    });
    assert!(all.windows(2).all(|two| two[0] == two[1]));
    let mut left: Vec<_> = std::fs::read_dir(&inner)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["authority.pem", "ca.pem"]);
}

#[test]
fn keys_are_for_their_owner_alone() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::open_or_create(&dir.path().join("ca")).unwrap();
    let node = authority.issue_node(&"eu".parse().unwrap(), &"eu-1".parse().unwrap(), LEAF_VALIDITY).unwrap();
    let paths = node.write(&dir.path().join("node"), "eu-1").unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for private in [&paths.key, &paths.certificate, &dir.path().join("ca/authority.pem")] {
        assert_eq!(mode(private), 0o600, "{}", private.display());
    }
    assert_eq!(mode(&authority.certificate_path()), 0o644);
    assert_eq!(std::fs::read_to_string(&paths.key).unwrap(), *node.key_pem);
    assert!(!std::fs::read_to_string(authority.certificate_path()).unwrap().contains("PRIVATE"));
    let shown = format!("{authority:?} {node:?}");
    assert!(!shown.contains("PRIVATE"), "{shown}");
}

#[test]
fn what_is_not_an_authority_is_not_replaced() {
    let dir = tempfile::tempdir().unwrap();
    for damaged in ["", "-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\nrest"] {
        std::fs::write(dir.path().join("authority.pem"), damaged).unwrap();
        assert!(matches!(Authority::open_or_create(dir.path()), Err(CaError::Damaged(_))));
        assert_eq!(std::fs::read_to_string(dir.path().join("authority.pem")).unwrap(), damaged);
    }
    let authority = Authority::open_or_create(&dir.path().join("good")).unwrap();
    for bad in ["", "a b", "exa\nmple", "ünï.test"] {
        let issued = authority.issue_server(&[bad.to_owned()], LEAF_VALIDITY);
        assert!(matches!(issued, Err(CaError::Host(_))), "{bad:?}");
    }
}

/// A request of a key over P-384, signed with SHA-256; made once, by `openssl req -new -newkey ec -pkeyopt
/// ec_paramgen_curve:P-384 -sha256`.
const OVER_P384: &str = concat!(
    "MIIBBDCBiwIBADAMMQowCAYDVQQDDAFuMHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEmZz4MW6LjYlY0lNwoHIiQlJ6UwHbPOg9bK2D",
    "j9hDZQdIKRSGftRVz0fiEIgxIWDhr0IgRZdZG4FoYv4DIR8n+FEaLmONQFdcdGr6CISrjNkbOHIwzDKNh1aJLgfVdWeeoAAwCgYI",
    "KoZIzj0EAwIDaAAwZQIwOiOd+mieSwQQQdBksMMI/D7544rNFy8Qw++xqdrZFRqx22vXWQYTgC5ssh2SDqRuAjEA2Ksc0Ru6NiM3",
    "FfXJQrpD+2rfmIj0qSEPDljNx23NoTbCWlWPQMDOprFb0rvDlyiS",
);

#[test]
fn a_request_is_of_a_key_over_p_256_however_it_is_signed() {
    let der = base64::prelude::BASE64_STANDARD.decode(OVER_P384).unwrap();
    assert_eq!(Requested::read(&der).unwrap_err(), RequestError::Key);
    let pair = rcgen::KeyPair::generate().unwrap();
    let request = rcgen::CertificateParams::default().serialize_request(&pair).unwrap();
    assert!(Requested::read(request.der()).is_ok());
}
