use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// The leaves that the reference implementation of RFC 6962 is tested with.
const LEAVES: [&str; 8] =
    ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];

/// The roots of the first one, two, … of them, from the same source.
const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

/// A log that keeps a hash for each full subtree.
#[derive(Default)]
struct Log {
    size: u64,
    full: BTreeMap<Full, Hash>,
}

impl Log {
    fn of(leaves: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let mut log = Self::default();
        leaves.into_iter().for_each(|leaf| log.append(&leaf));
        log
    }

    fn append(&mut self, bytes: &[u8]) {
        let (mut full, mut hash) = (Full::leaf(self.size), leaf(bytes));
        self.full.insert(full, hash);
        while let Some((left, above)) = full.completes() {
            (full, hash) = (above, node(&self.full[&left], &hash));
            self.full.insert(full, hash);
        }
        self.size += 1;
    }

    fn root(&self, range: Range) -> Hash {
        fold(&range.full().map(|full| self.full[&full]).collect::<Vec<_>>())
    }

    fn proof(&self, ranges: Option<Vec<Range>>) -> Vec<Hash> {
        ranges.unwrap().into_iter().map(|range| self.root(range)).collect()
    }
}

/// The root by the definition of RFC 9162 section 2.1.1, word for word.
fn defined(leaves: &[Vec<u8>]) -> Hash {
    match leaves {
        [] => empty(),
        [one] => leaf(one),
        many => {
            let mut k = 1;
            while k * 2 < many.len() {
                k *= 2;
            }
            node(&defined(&many[..k]), &defined(&many[k..]))
        }
    }
}

fn numbered(size: u64) -> Vec<Vec<u8>> {
    (0..size).map(|number| number.to_be_bytes().to_vec()).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect()
}

#[test]
fn the_vectors_of_rfc_6962_hold() {
    assert_eq!(empty().to_vec(), bytes("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
    let log = Log::of(LEAVES.map(bytes));
    for (size, root) in (1..).zip(ROOTS) {
        assert_eq!(log.root(Range::all(size)).to_vec(), bytes(root), "{size}");
    }
    // Paths of the reference implementation's tests: leaf 0 of 8, leaf 5 of 8, leaf 2 of 3, leaf 1 of 5; then 1 to 8, 6 to 8, 2 to 5.
    let path = |ranges: Option<Vec<Range>>| -> Vec<String> {
        log.proof(ranges).iter().map(|hash| hash[..4].iter().map(|b| format!("{b:02x}")).collect()).collect()
    };
    assert_eq!(path(inclusion(0, 8)), ["96a296d2", "5f083f0a", "6b47aaf2"]);
    assert_eq!(path(inclusion(5, 8)), ["bc1a0643", "ca854ea1", "d37ee418"]);
    assert_eq!(path(inclusion(2, 3)), ["fac54203"]);
    assert_eq!(path(inclusion(1, 5)), ["6e340b9c", "5f083f0a", "bc1a0643"]);
    assert_eq!(path(consistency(1, 8)), ["96a296d2", "5f083f0a", "6b47aaf2"]);
    assert_eq!(path(consistency(6, 8)), ["0ebc5d34", "ca854ea1", "d37ee418"]);
    assert_eq!(path(consistency(2, 5)), ["5f083f0a", "bc1a0643"]);
}

#[test]
fn every_proof_of_every_size_up_to_300_holds_and_no_other_does() {
    let leaves = numbered(300);
    let log = Log::of(leaves.clone());
    let roots: Vec<Hash> = (0..=300).map(|size| log.root(Range::all(size))).collect();
    let (mut proofs, mut growing) = (0, Growing::default());
    for size in 0..=300_u64 {
        let root = &roots[size as usize];
        assert_eq!((growing.size(), growing.root()), (size, *root));
        assert_eq!(*root, defined(&leaves[..size as usize]), "{size}");
        for index in 0..size {
            let (mut proof, hash) = (log.proof(inclusion(index, size)), leaf(&leaves[index as usize]));
            assert!(includes((size, root), (index, hash), &proof), "{index} of {size}");
            assert!(!includes((size, root), (index + 1, hash), &proof), "{index} of {size}, elsewhere");
            assert!(!includes((size, &roots[size as usize - 1]), (index, hash), &proof));
            proof.push(hash);
            assert!(!includes((size, root), (index, hash), &proof), "{index} of {size}, longer");
            proofs += 1;
        }
        for before in 0..=size {
            let (mut proof, first) = (log.proof(consistency(before, size)), &roots[before as usize]);
            assert!(extends((before, first), (size, root), &proof), "{before} to {size}");
            let other = leaf(b"other");
            assert!(!extends((before, &other), (size, root), &proof), "{before} to {size}, another before");
            assert!(before == 0 || !extends((before, first), (size, &other), &proof), "{before} to {size}");
            assert!(before == size || !extends((size, root), (before, first), &proof), "backwards");
            proof.push(other);
            assert!(!extends((before, first), (size, root), &proof), "{before} to {size}, longer");
            proofs += 1;
        }
        assert!(inclusion(size, size).is_none() && consistency(size + 1, size).is_none());
        if let Some(next) = leaves.get(size as usize) {
            growing.push(leaf(next));
        }
    }
    println!("{proofs} proofs of trees of 0 to 300 leaves");
}

proptest! {
    #[test]
    fn a_proof_with_anything_changed_is_none(
        size in 2_u64..200, at in any::<u64>(), bit in any::<usize>(), drop in any::<bool>()
    ) {
        let log = Log::of(numbered(size));
        let (root, index, before) = (log.root(Range::all(size)), at % size, 1 + at % (size - 1));
        let (first, own) = (log.root(Range::all(before)), log.full[&Full::leaf(index)]);
        let spoilt = |mut proof: Vec<Hash>| {
            let place = bit % proof.len();
            if drop { proof.remove(place); } else { proof[place][bit % 32] ^= 1 << (bit % 8); }
            proof
        };
        let proof = spoilt(log.proof(inclusion(index, size)));
        prop_assert!(!includes((size, &root), (index, own), &proof));
        let proof = spoilt(log.proof(consistency(before, size)));
        prop_assert!(!extends((before, &first), (size, &root), &proof));
    }

    #[test]
    fn a_log_that_differs_anywhere_before_is_not_extended(size in 2_u64..200, at in any::<u64>(), other in any::<u64>()) {
        let log = Log::of(numbered(size));
        let (before, place) = (1 + at % (size - 1), other % (1 + at % (size - 1)));
        let mut leaves = numbered(size);
        leaves[place as usize].push(1);
        let forged = Log::of(leaves);
        let first = log.root(Range::all(before));
        let proof = forged.proof(consistency(before, size));
        prop_assert!(!extends((before, &first), (size, &forged.root(Range::all(size))), &proof));
    }

    #[test]
    fn hostile_sizes_and_places_are_no_proof(before in any::<u64>(), size in any::<u64>(), proof in prop::collection::vec(any::<[u8; 32]>(), 0..70)) {
        let root = empty();
        prop_assert!(!includes((size, &root), (before, root), &proof));
        prop_assert!(!extends((before, &leaf(b"a")), (size, &root), &proof));
        let _ = (inclusion(before, size), consistency(before, size), Range { begin: before, end: size }.full().count());
    }
}
