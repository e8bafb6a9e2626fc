//! The newest revocations, whatever came before. What calls make of them is among the tests of the admin API.

use super::*;

fn one(revision: i64, key: u8) -> One {
    One { revision, key: [key; 16], geos: Geos::new() }
}

#[test]
fn the_newest_stay_and_what_is_left_out_is_told() {
    let many = (1..=5_000_i64).map(|revision| One {
        revision,
        key: i128::from(revision).to_be_bytes(),
        geos: Geos::new(),
    });
    let settled = Revoked { newest: many.collect(), left_out: 0 }.settled();
    assert_eq!((settled.newest.len(), settled.left_out), (MOST, 5_000 - 4_096));
    assert_eq!(settled.newest[0].revision, 5_000);
    let twice = Revoked { newest: vec![one(9, 1), one(7, 1), one(8, 2)], left_out: 3 }.settled();
    let kept: Vec<i64> = twice.newest.iter().map(|one| one.revision).collect();
    assert_eq!((kept, twice.left_out), (vec![9, 8], 3));
}
