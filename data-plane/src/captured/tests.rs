//! Content on its way to the disk: sealed, in a file of its tenant and retention, and told by its record.

use std::path::PathBuf;
use std::time::Duration as Length;

use bytes::Bytes;
use policy_engine::vocabulary::{Duration, Instant};
use proto::captured::{Content, INFO, Sealed, bound, hash};
use rustls::crypto::aws_lc_rs::hpke::DH_KEM_X25519_HKDF_SHA256_AES_256 as SUITE;
use rustls::crypto::hpke::{EncapsulatedSecret, Hpke as _, HpkePrivateKey};

use super::*;

/// A tenant's pair.
pub(crate) fn key() -> (ContentKey, HpkePrivateKey) {
    let (public, private) = SUITE.generate_key_pair().unwrap();
    (ContentKey { id: "ck-1".to_owned(), public: public.0 }, private)
}

/// What is in a line, by the private half.
pub(crate) fn opened(line: &[u8], private: &HpkePrivateKey) -> Content {
    let sealed = Sealed::read(line).unwrap();
    let header = &sealed.header;
    let bound = bound(&header.request_id, &header.tenant, &header.geo);
    let encapsulated = EncapsulatedSecret(header.encapsulated.clone());
    sealed.open(&SUITE.open(&encapsulated, INFO, &bound, &header.wrapped, private).unwrap()).unwrap()
}

/// Something gathered of a request.
pub(crate) fn gathered(request_id: &str, (tenant, kept): (&str, &str), to: Option<&ContentKey>) -> Gathered {
    let whose = Whose {
        request_id: request_id.to_owned(),
        tenant: tenant.parse().unwrap(),
        geo: "eu".parse().unwrap(),
        received: Instant(1_767_225_600_500_000),
        demanded: tenant == "strict",
    };
    let retention: Duration = kept.parse().unwrap();
    let mut gathering = Gathering::begin((retention, to.cloned()), &Room::default(), 0);
    gathering.sent(&Bytes::from(format!("{request_id} asks")));
    gathering.answered(b"and is told");
    gathering.end(whose).unwrap()
}

fn files(dir: &std::path::Path) -> Vec<PathBuf> {
    let below = |dir: PathBuf| std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<_> = below(dir.to_owned()).flat_map(below).flat_map(below).collect();
    all.sort();
    all
}

#[test]
fn content_lies_sealed_in_a_file_of_its_tenant_and_retention() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("captured");
    let (to, private) = key();
    let (mut volumes, told) = Volumes::open(dir.clone(), Length::from_secs(3600)).unwrap();
    let mut keep =
        |request_id: &str, of: (&str, &str)| match volumes.keep(&gathered(request_id, of, Some(&to))) {
            Ok(Kept::In(place)) => place,
            other => panic!("{other:?}"),
        };
    let (one, two) = (keep("r-1", ("acme", "30d")), keep("r-2", ("acme", "30d")));
    let (other, longer) = (keep("r-3", ("rival", "30d")), keep("r-4", ("acme", "60d")));
    assert_eq!(one.file, two.file);
    assert!(one.file != other.file && one.file != longer.file);
    // Kept for 30 days from when it was received, to the next second.
    assert_eq!(one.until, Instant(1_767_225_601_000_000 + 30 * 86_400_000_000));
    volumes.sync().unwrap();
    assert!(files(&dir).iter().all(|file| file.extension().unwrap() == "open"), "{:?}", files(&dir));
    let follow = told.follow();
    volumes.close_all();
    assert!(follow.has_changed().unwrap());
    assert_eq!((told.counts().kept, told.counts().lost), (4, 0));

    let closed = files(&dir);
    assert_eq!(closed.len(), 3);
    let file = closed.iter().find(|file| file.to_str().unwrap().contains(&*one.file)).unwrap();
    let name = file.strip_prefix(&dir).unwrap().to_str().unwrap();
    let named = Named::read(name).unwrap();
    assert!(named.tenant.as_str() == "acme" && named.until >= two.until, "{name}");
    let text = std::fs::read_to_string(file).unwrap();
    assert!(!text.contains("asks") && !text.contains("told"), "{text}");
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    for (line, place) in lines.iter().zip([&one, &two]) {
        assert_eq!((hash(line.as_bytes()), line.len()), (place.sha256, place.bytes));
    }
    let content = opened(lines[1].as_bytes(), &private);
    assert_eq!((&content.prompt[..], &content.answer[..]), (&b"r-2 asks"[..], &b"and is told"[..]));
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn what_a_process_left_open_is_closed_by_the_next_and_what_is_old_by_itself() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("captured");
    let (to, _) = key();
    let (mut volumes, _) = Volumes::open(dir.clone(), Length::from_secs(3600)).unwrap();
    volumes.keep(&gathered("r-1", ("acme", "1h"), Some(&to))).unwrap();
    drop(volumes);
    let (mut volumes, _) = Volumes::open(dir.clone(), Length::ZERO).unwrap();
    let ends = |ending: &str| {
        let is_it = |file: &&PathBuf| file.extension().is_some_and(|found| found == ending);
        files(&dir).iter().filter(is_it).count()
    };
    assert_eq!((ends("open"), ends("captured")), (0, 1));
    volumes.keep(&gathered("r-2", ("acme", "1h"), Some(&to))).unwrap();
    assert!(volumes.due().is_some_and(|due| due <= std::time::Instant::now()));
    volumes.turn();
    assert_eq!((ends("open"), ends("captured"), volumes.due()), (0, 2, None));
}

#[test]
fn what_the_disk_does_not_take_is_told_and_what_is_demanded_is_tried_again() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("captured");
    let (to, _) = key();
    let (mut volumes, told) = Volumes::open(dir.clone(), Length::from_secs(3600)).unwrap();
    // There is no place for a file.
    std::fs::remove_dir(&dir).unwrap();
    std::fs::write(&dir, "").unwrap();
    let lost = |volumes: &mut Volumes, tenant: &str, to: Option<&ContentKey>| {
        volumes.keep(&gathered("r", (tenant, "1h"), to))
    };
    assert_eq!(lost(&mut volumes, "acme", Some(&to)).unwrap(), Kept::Lost("disk"));
    assert_eq!(lost(&mut volumes, "acme", None).unwrap(), Kept::Lost("no_key"));
    let nobodys = ContentKey { id: "ck-2".to_owned(), public: vec![1; 5] };
    assert_eq!(lost(&mut volumes, "acme", Some(&nobodys)).unwrap(), Kept::Lost("not_sealed"));
    lost(&mut volumes, "strict", Some(&to)).unwrap_err();
    assert_eq!((told.counts().kept, told.counts().lost), (0, 3));
    std::fs::remove_file(&dir).unwrap();
    assert!(matches!(lost(&mut volumes, "strict", Some(&to)).unwrap(), Kept::In(_)));
}
