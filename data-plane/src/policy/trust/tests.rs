//! Whose word counts, for what, and for how long.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::ExtendedKeyUsagePurpose;

use super::super::sample::{AUTHORITY, TestAuthority, TestSigner};
use super::*;
use crate::freshness::tests::written;

fn trust(home: &Path) -> Trust {
    Trust::open(home, AUTHORITY.pem.as_bytes(), Arc::default()).unwrap()
}

fn says(trust: &Trust, signer: &TestSigner) -> Result<u64, Untrusted> {
    let signature = signer.sign(Subject::Snapshot, b"body");
    trust.verify(Subject::Snapshot, b"body", (&signature, &signer.certificate))
}

#[test]
fn case_05_what_nobody_we_know_signed_is_not_believed() {
    let home = tempfile::tempdir().unwrap();
    let trust = trust(home.path());
    let signer = AUTHORITY.signer(1);
    assert_eq!(says(&trust, &signer).unwrap(), 1);
    let signature = signer.sign(Subject::Snapshot, b"body");
    let certificate: &[u8] = &signer.certificate;
    let verify = |subject, body: &[u8], (signature, certificate): (&[u8], &[u8])| {
        trust.verify(subject, body, (signature, certificate)).unwrap_err()
    };
    let good: (&[u8], &[u8]) = (&signature, certificate);
    assert!(matches!(verify(Subject::Snapshot, b"bodx", good), Untrusted::Signature));
    assert!(
        matches!(verify(Subject::Kills, b"body", good), Untrusted::Signature),
        "each is signed for itself"
    );
    assert!(matches!(verify(Subject::Snapshot, b"body", (&[], certificate)), Untrusted::Unsigned));
    assert!(matches!(verify(Subject::Snapshot, b"body", (&signature, &[])), Untrusted::Unsigned));
    for at in (0..certificate.len()).step_by(7) {
        let mut changed = certificate.to_vec();
        changed[at] ^= 1;
        verify(Subject::Snapshot, b"body", (&signature, &changed));
    }
    // Another authority, another use, another name.
    let other = TestAuthority::new().signer(1);
    assert!(matches!(says(&trust, &other), Err(Untrusted::Signer(_))));
    for (name, usages) in [
        ("spiffe://chancery/signer/1", vec![ExtendedKeyUsagePurpose::ClientAuth]),
        ("spiffe://chancery/signer/1", vec![]),
        ("spiffe://chancery/geo/eu/node/1", vec![ExtendedKeyUsagePurpose::CodeSigning]),
        ("spiffe://chancery/signer/-1", vec![ExtendedKeyUsagePurpose::CodeSigning]),
    ] {
        let signer = AUTHORITY.signer_named(name, usages);
        assert!(matches!(says(&trust, &signer), Err(Untrusted::Signer(_))), "{name}");
    }
}

#[test]
fn case_05_two_generations_are_trusted_and_a_retired_one_never_again() {
    let home = tempfile::tempdir().unwrap();
    let [one, two, three] = [1, 2, 3].map(|generation| AUTHORITY.signer(generation));
    let first = trust(home.path());
    says(&first, &one).unwrap();
    says(&first, &two).unwrap();
    says(&first, &one).unwrap();
    says(&first, &three).unwrap();
    assert!(matches!(says(&first, &one), Err(Untrusted::Retired { signer: 1, newest: 3 })));
    says(&first, &two).unwrap();
    let restarted = trust(home.path());
    assert!(matches!(says(&restarted, &one), Err(Untrusted::Retired { .. })));
    // A forged signature of a generation to come retires nothing.
    let ten = AUTHORITY.signer(10);
    let forged = restarted.verify(Subject::Snapshot, b"body", (&[0; 64], &ten.certificate));
    assert!(matches!(forged, Err(Untrusted::Signature)));
    says(&restarted, &two).unwrap();
}

#[test]
fn case_100_a_clock_that_was_set_back_makes_nobody_s_word_void_and_no_ended_one_good() {
    const DAY: Duration = Duration::from_secs(86_400);
    let home = tempfile::tempdir().unwrap();
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let believes = |latest, (from, until)| {
        let freshness = Arc::new(written(home.path(), latest));
        let trust = Trust::open(home.path(), AUTHORITY.pem.as_bytes(), freshness).unwrap();
        says(&trust, &AUTHORITY.signer_between(1, from, until)).is_ok()
    };
    let (set_back, young) = (wall + 7 * DAY, (wall + 6 * DAY, wall + 9 * DAY));
    assert!(!believes(wall, young), "it is not good yet");
    assert!(believes(set_back, young), "the time is known to have come");
    assert!(!believes(set_back, (wall - DAY, wall + 6 * DAY)), "it has ended since");
}

#[test]
fn a_memory_that_can_not_be_read_begins_anew() {
    let home = tempfile::tempdir().unwrap();
    for damaged in [&b"many"[..], b"\xFF", b""] {
        std::fs::write(home.path().join("signer"), damaged).unwrap();
        let trust = trust(home.path());
        assert_eq!(says(&trust, &AUTHORITY.signer(4)).unwrap(), 4);
        assert!(matches!(says(&trust, &AUTHORITY.signer(2)), Err(Untrusted::Retired { .. })));
    }
    assert_eq!(std::fs::read_to_string(home.path().join("signer")).unwrap(), "4");
}
