//! What only the memory ledger promises: that its memory is that of what is in use.

use std::time::Duration;

use super::*;
use crate::quota::{Limit, SubjectKey, bound::Measure, window::Period};

const MINUTE: i64 = 60_000_000;

fn lines(subject: i64) -> Vec<Line> {
    let per = Duration::from_secs(60);
    let spend = Bound::Budget { limit: 100, of: Measure::Spend, period: Period::Every(per) };
    [("rpm", Bound::Requests { limit: 1, per }), ("places", Bound::Concurrent { limit: 1 }), ("spend", spend)]
        .into_iter()
        .map(|(name, bound)| Line::new(Limit::new(name, bound), SubjectKey::new(format!("key-{subject}"))))
        .collect()
}

#[test]
fn subjects_that_come_and_go_do_not_stay() {
    let ledger = MemoryLedger::new(Duration::from_secs(600));
    let one = Amounts { input_tokens: 1, output_tokens: 1, spend: 1 };
    // 40,000 subjects, of which 100 are busy in any minute and 12,000 within the memory of a budget.
    let mut most = 0;
    for subject in 0..40_000 {
        let now = subject * MINUTE / 100;
        let hold = ledger.reserve(lines(subject), one, now).unwrap();
        assert!(ledger.reserve(lines(subject), one, now).is_err());
        ledger.settle(&hold, &one, now);
        if subject % 2_000 == 0 {
            most = most.max(ledger.size().0);
        }
    }
    assert!(most < 40_000, "{most} counters, where 80,000 were used");
    let (_, holds) = ledger.size();
    assert_eq!(holds, 0);
    ledger.sweep(600 * MINUTE);
    assert_eq!(ledger.size(), (0, 0));
}

#[test]
fn a_refused_stranger_leaves_no_counter() {
    let ledger = MemoryLedger::new(Duration::from_secs(600));
    let dear = Amounts { spend: 101, ..Amounts::default() };
    for subject in 0..100 {
        assert!(ledger.reserve(lines(subject), dear, 0).is_err());
    }
    let (counters, holds) = ledger.size();
    assert!(counters <= 200, "{counters}: only lines before the refusal may remain until they are reclaimed");
    assert_eq!(holds, 0);
    ledger.sweep(0);
    assert_eq!(ledger.size(), (0, 0));
}

#[test]
fn holds_that_nobody_ends_are_cleared_a_few_at_a_time() {
    let ledger = MemoryLedger::new(Duration::from_secs(60));
    for subject in 0..1_000 {
        ledger.reserve(lines(subject), Amounts::default(), 0).unwrap();
    }
    assert_eq!(ledger.size().1, 1_000);
    ledger.reserve(lines(5_000), Amounts::default(), MINUTE).unwrap();
    assert_eq!(ledger.size().1, 1_001 - SWEEP);
    for subject in 0..100 {
        ledger.standings(&lines(subject), MINUTE);
    }
    assert_eq!(ledger.size().1, 1, "the youngest is not due");
}

#[test]
fn a_hold_of_long_ago_does_not_expire_at_once() {
    let ledger = MemoryLedger::new(Duration::from_secs(60));
    ledger.reserve(lines(1), Amounts::default(), 10 * MINUTE).unwrap();
    let slow = ledger.reserve(lines(2), Amounts::default(), MINUTE).unwrap();
    ledger.sweep(10 * MINUTE);
    assert!(slow.is_live());
    assert!(ledger.reserve(lines(2), Amounts::default(), 10 * MINUTE).is_err(), "its place is taken");
    ledger.sweep(11 * MINUTE);
    assert!(!slow.is_live());
}

#[test]
fn no_lines_are_granted_and_kept_like_any() {
    let ledger = MemoryLedger::new(Duration::from_secs(60));
    let hold = ledger.reserve(Vec::new(), Amounts::default(), 0).unwrap();
    assert!(ledger.extend(&hold, Amounts::default(), 0).is_ok());
    assert_eq!(ledger.settle(&hold, &Amounts::default(), 0), Settlement::Charged);
    assert!(ledger.extend(&hold, Amounts::default(), 0).is_ok());
    assert_eq!(ledger.size(), (0, 0));
}

#[test]
fn huge_amounts_saturate() {
    let ledger = MemoryLedger::new(Duration::MAX);
    let huge = Amounts { input_tokens: u64::MAX, output_tokens: u64::MAX, spend: u128::MAX };
    let per = Duration::MAX;
    let lines = vec![
        Line::new(
            Limit::new("tpm", Bound::Tokens { limit: u64::MAX, per, class: crate::quota::TokenClass::Total }),
            SubjectKey::new(""),
        ),
        Line::new(
            Limit::new(
                "spend",
                Bound::Budget { limit: u128::MAX, of: Measure::Spend, period: Period::Every(per) },
            ),
            SubjectKey::new(""),
        ),
    ];
    let hold = ledger.reserve(lines.clone(), huge, i64::MAX).unwrap();
    assert!(ledger.extend(&hold, huge, i64::MIN).is_ok(), "saturated, it is no more than it was");
    ledger.settle(&hold, &huge, i64::MIN);
    let refusal = ledger.reserve(lines, huge, 0).unwrap_err();
    assert_eq!(refusal.remaining, 0);
}
