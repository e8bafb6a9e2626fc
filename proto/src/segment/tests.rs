//! Laws of segments: whatever is changed is found, and where; whatever is missing is a gap.

use policy_engine::vocabulary::Instant;
use proptest::prelude::*;
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType,
    SigningKey as _,
};

use super::*;

const BOOT: &str = "0199f0c2-0000-7000-8000-000000000001";

/// Lines of a segment that follows nothing, with their numbers, and its manifest.
fn written(previous: Digest, seqs: impl IntoIterator<Item = u64>) -> (Manifest, Vec<u8>) {
    let (mut chain, mut file, mut numbers) = (Chain::after(previous), Vec::new(), Vec::new());
    for seq in seqs {
        let start = file.len();
        let line = format!("{{\"seq\":{seq},\"bootId\":\"{BOOT}\",\"requestId\":\"r{seq}\",\"status\":200");
        file.extend_from_slice(line.as_bytes());
        chain.end(start, &mut file);
        numbers.push(seq);
    }
    let manifest = Manifest {
        format: DOMAIN.to_owned(),
        node: "eu-1".to_owned(),
        geo: "eu".to_owned(),
        boot_id: BOOT.to_owned(),
        first_seq: numbers[0],
        last_seq: *numbers.last().unwrap(),
        count: numbers.len() as u64,
        sha256: Signed::hash_of(&file),
        chain: chain.digest(),
        previous,
        first_revision: 7,
        last_revision: 9,
        from: Instant(1_767_225_600_000_000),
        until: Instant(1_767_225_600_000_001),
        sealed: Instant(1_767_225_660_000_000),
        ended: Ended::Time,
        torn: 0,
    };
    (manifest, file)
}

/// The line, from 1, that a byte of a file is in.
fn line_of(file: &[u8], at: usize) -> u64 {
    1 + file[..at].iter().filter(|byte| **byte == b'\n').count() as u64
}

fn lines(file: &[u8]) -> Vec<Vec<u8>> {
    file.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

#[test]
fn any_byte_of_a_thousand_records_that_is_changed_is_found_and_located() {
    let (manifest, mut file) = written(NOTHING, 1..=1000);
    assert_eq!(check(&manifest, &file[..]).unwrap(), Checked { count: 1000, missing: vec![] });
    // Every byte of the first lines, and of the others as many as there is time for.
    let (first, last) = (lines(&file)[..2].concat().len(), file.len() - lines(&file)[999].len());
    for at in (0..first).chain((first..last).step_by(997)).chain((last..file.len()).step_by(3)) {
        let bit = if at % 2 == 0 { 0x01 } else { 0x80 };
        file[at] ^= bit;
        let fault = check(&manifest, &file[..]).unwrap_err();
        file[at] ^= bit;
        assert_eq!(fault.line, Some(line_of(&file, at)), "byte {at}: {fault}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn lines_that_are_taken_out_put_in_or_swapped_are_found_and_located(at in 0_usize..1000, to in 0_usize..1000) {
        let (manifest, file) = written(NOTHING, 1..=1000);
        let all = lines(&file);
        let mut taken = all.clone();
        taken.remove(at);
        let fault = check(&manifest, &taken.concat()[..]).unwrap_err();
        prop_assert_eq!(fault.line, Some(at as u64 + 1));
        prop_assert_eq!(fault.kind, if at == 999 { Kind::Truncated } else { Kind::Invalid });
        let mut put = all.clone();
        put.insert(to, all[at].clone());
        let fault = check(&manifest, &put.concat()[..]).unwrap_err();
        // The same line twice in a row: the second of them is the one too many.
        prop_assert_eq!(fault.line, Some(if at == to { to as u64 + 2 } else { to as u64 + 1 }));
        if at != to {
            let mut swapped = all.clone();
            swapped.swap(at, to);
            let fault = check(&manifest, &swapped.concat()[..]).unwrap_err();
            prop_assert_eq!(fault.line, Some(at.min(to) as u64 + 1));
        }
    }

    #[test]
    fn a_tail_that_is_cut_anywhere_is_found(cut in 1_usize..100_000) {
        let (manifest, file) = written(NOTHING, 1..=100);
        let kept = file.len().saturating_sub(cut);
        let fault = check(&manifest, &file[..kept]).unwrap_err();
        prop_assert_eq!(fault.kind, Kind::Truncated, "{}", &fault);
        prop_assert_eq!(fault.line, Some(line_of(&file[..kept], kept)));
    }
}

#[test]
fn who_writes_every_line_anew_is_found_by_the_manifest() {
    let (manifest, _) = written(NOTHING, 1..=10);
    let (other, forged) = written(NOTHING, (1..=9).chain([11]));
    let claimed = Manifest { last_seq: 11, ..manifest.clone() };
    assert_eq!(check(&claimed, &forged[..]).unwrap_err().kind, Kind::Invalid);
    assert!(check(&other, &forged[..]).is_ok());
    // What follows another segment than the manifest says does not begin right.
    let (_, elsewhere) = written([7; 32], 1..=10);
    assert_eq!(check(&manifest, &elsewhere[..]).unwrap_err().line, Some(1));
}

#[test]
fn numbers_that_were_never_written_are_told_and_are_no_change() {
    let (manifest, file) = written(NOTHING, (3..=5).chain(9..=9));
    let manifest = Manifest { first_seq: 2, last_seq: 12, ..manifest };
    assert_eq!(check(&manifest, &file[..]).unwrap().missing, [(2, 2), (6, 8), (10, 12)]);
    let low = Manifest { last_seq: 8, ..manifest };
    assert_eq!(check(&low, &file[..]).unwrap_err().kind, Kind::Invalid);
}

/// An authority, and a node's key with its certificate.
struct House {
    authority: String,
    key: KeyPair,
    leaf: rcgen::Certificate,
}

fn house(id: &str) -> House {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::URI(Ia5String::try_from(id).unwrap())];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    (params.not_before, params.not_after) =
        (rcgen::date_time_ymd(2025, 12, 1), rcgen::date_time_ymd(2026, 2, 1));
    let leaf = params.signed_by(&key, &issuer).unwrap();
    House { authority, key, leaf }
}

fn signed(manifest: &Manifest, house: &House) -> Vec<u8> {
    let line = manifest.line();
    let signature = house.key.sign(&Signed::message(&line)).unwrap();
    let signature = Signature::new("ECDSA_NISTP256_SHA256", &signature, &[house.leaf.der().clone()]);
    Signed::text(&line, &signature)
}

#[test]
fn a_manifest_is_believed_of_the_node_it_names_as_an_authority_vouches_at_its_time() {
    let (manifest, _) = written(NOTHING, 1..=2);
    let house = house("spiffe://chancery/geo/eu/node/eu-1");
    let authorities = Authorities::of_pem(house.authority.as_bytes()).unwrap();
    let verified = |text: &[u8], authorities: &Authorities| Signed::read(text)?.verify(authorities);
    let text = signed(&manifest, &house);
    verified(&text, &authorities).unwrap();
    assert_eq!(Signed::read(&text).unwrap().manifest, manifest);
    let kind = |manifest: &Manifest, house: &House| {
        verified(&signed(manifest, house), &authorities).unwrap_err().kind
    };
    let late = Manifest { sealed: Instant::parse("2026-03-01").unwrap(), ..manifest.clone() };
    assert_eq!(kind(&late, &house), Kind::Unknown, "its certificate was over");
    let other = Manifest { node: "eu-2".to_owned(), ..manifest.clone() };
    assert_eq!(kind(&other, &house), Kind::Signature, "its certificate is another node's");
    let stranger = self::house("spiffe://chancery/geo/eu/node/eu-1");
    assert_eq!(kind(&manifest, &stranger), Kind::Unknown);
    assert!(Authorities::of_pem(b"").is_err());
    for at in 0..text.len() {
        let mut flipped = text.clone();
        flipped[at] ^= 1;
        // Certificate and signature have no spare bits in base64 but in their last digits.
        let fault = verified(&flipped, &authorities);
        assert!(
            fault.is_err() || Signed::read(&flipped).unwrap().hash() == Signed::hash_of(&manifest.line()),
            "{at}"
        );
    }
}

/// A segment that follows another one, or nothing.
fn segment(before: Option<&Found>, boot: &str, (first, last): (u64, u64), ended: Ended) -> Found {
    let previous = before.map_or(NOTHING, |found| found.hash);
    let (manifest, _) = written(previous, first..=last);
    let sealed = Instant(before.map_or(0, |found| found.manifest.sealed.0) + 1_000_000);
    let manifest = Manifest { boot_id: boot.to_owned(), ended, sealed, ..manifest };
    Found { hash: Signed::hash_of(&manifest.line()), manifest, missing: vec![] }
}

fn walked<'f>(found: impl IntoIterator<Item = &'f Found>) -> Walked {
    let mut trail = Trail::default();
    found.into_iter().for_each(|found| trail.add(found.clone()));
    trail.walk()
}

#[test]
fn a_segment_that_is_missing_is_a_gap_and_one_that_is_there_twice_is_none() {
    let a = segment(None, "a", (1, 10), Ended::Full);
    let b = segment(Some(&a), "a", (11, 20), Ended::Time);
    let c = segment(Some(&b), "a", (21, 25), Ended::Shutdown);
    let d = segment(Some(&c), "b", (1, 5), Ended::Time);
    let whole = walked([&d, &a, &c, &b, &b]);
    assert_eq!((whole.segments, whole.records, whole.again, whole.nodes), (4, 30, 1, 1));
    assert_eq!((whole.gaps, whole.faults), (vec![], vec![]));
    let gaps = walked([&a, &c, &d]).gaps;
    assert_eq!(
        (gaps.len(), gaps[0].seqs, gaps[0].why),
        (1, (None, Some(20)), "the segment before it is missing")
    );
    assert_eq!(walked([&a, &b, &d]).gaps.len(), 1);
    // The first that is here says itself that there was one before it.
    let gaps = walked([&b, &c]).gaps;
    assert_eq!((gaps.len(), gaps[0].seqs), (1, (None, Some(10))));
    let mut trail = Trail::default();
    [&b, &c].into_iter().for_each(|found| trail.add(found.clone()));
    for found in [&a, &b, &d] {
        let Manifest { geo, node, boot_id, first_seq, last_seq, .. } = found.manifest.clone();
        let (node, seqs) = ((geo, node), (first_seq, last_seq));
        trail.expect(Anchor { node, boot_id, seqs, hash: found.hash });
    }
    let gaps = trail.walk().gaps;
    let shown: Vec<_> = gaps.iter().map(|gap| (gap.boot_id.as_str(), gap.seqs)).collect();
    let of_a = [("a", (None, Some(10))), ("a", (Some(1), Some(10)))];
    assert_eq!(shown, [&of_a[..], &[("b", (Some(1), Some(5)))]].concat());
}

#[test]
fn a_process_that_was_ended_leaves_a_gap_of_unknown_length_and_one_that_shut_down_none() {
    let a = segment(None, "a", (1, 10), Ended::Recovered);
    let b = segment(Some(&a), "b", (1, 3), Ended::Time);
    let c = segment(Some(&b), "b", (6, 9), Ended::Shutdown);
    let gaps = walked([&a, &b, &c]).gaps;
    let shown: Vec<_> = gaps.iter().map(|gap| (gap.boot_id.as_str(), gap.seqs)).collect();
    assert_eq!(shown, [("a", (Some(11), None)), ("b", (Some(4), Some(5)))]);
    // A segment that was sealed just before the end of its process is an open end too.
    let sealed = segment(None, "a", (1, 10), Ended::Full);
    let next = segment(Some(&sealed), "b", (1, 3), Ended::Time);
    assert_eq!(walked([&sealed, &next]).gaps.len(), 1);
}

#[test]
fn two_histories_of_a_node_contradict_each_other() {
    let a = segment(None, "a", (1, 10), Ended::Full);
    let b = segment(Some(&a), "a", (11, 20), Ended::Time);
    let other = segment(Some(&a), "x", (1, 2), Ended::Shutdown);
    assert_eq!(walked([&a, &b, &other]).faults.len(), 1);
    let anew = segment(None, "z", (1, 1), Ended::Shutdown);
    let anew = Found { manifest: Manifest { sealed: Instant(9_000_000), ..anew.manifest }, ..anew };
    let walked = walked([&a, &b, &anew]);
    assert_eq!(
        (walked.faults, walked.gaps.len()),
        (vec![], 1),
        "a node whose state was taken from it begins anew"
    );
}

#[test]
fn what_is_no_line_reads_as_none() {
    let (_, file) = written(NOTHING, 1..=1);
    assert_eq!(numbered(&file).unwrap().boot_id, BOOT);
    for bad in ["", "\n", "{}\n", "{\"seq\":1}\n", "{\"seq\":,\"bootId\":\"\",\"chain\":\"\"}\n"] {
        assert_eq!(numbered(bad.as_bytes()), None, "{bad}");
    }
    let text = String::from_utf8(file).unwrap();
    for (from, to) in [("\"seq\":1", "\"seq\":-1"), ("seq", "Seq"), ("\"bootId\"", "\"boot\"")] {
        assert_eq!(numbered(text.replacen(from, to, 1).as_bytes()), None);
    }
    assert_eq!(unhex(hex(&[0xab; 32]).as_bytes()), Some([0xab; 32]));
    assert_eq!(unhex(&[b'A'; 64]), None);
}
