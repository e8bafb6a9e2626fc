//! Request and token rates against naive models written from the definition.

use proptest::{collection::vec, prelude::*};

use super::fixtures::*;
use crate::quota::{Amounts, Bound, Hold, Line, TokenClass};

/// GCRA by its textbook: a theoretical arrival time, kept in 1/`limit` µs so that nothing is rounded.
struct Textbook {
    limit: i128,
    per: i128,
    arrival: i128,
}

impl Textbook {
    /// Whether a request at `now` conforms, and otherwise in how many µs it would.
    fn admit(&mut self, now: i64) -> Result<(), i128> {
        let now = i128::from(now) * self.limit;
        let next = self.arrival.max(now) + self.per;
        let early = next - now - self.limit * self.per;
        if early > 0 {
            return Err((early + self.limit - 1) / self.limit);
        }
        self.arrival = next;
        Ok(())
    }
}

pub(super) fn request_rates_are_exact_gcra(make: Make<'_>) {
    proptest!(|(limit in 1_u64..40, per in 1_u64..10_000_000, gaps in vec(0_i64..500_000, 1..200))| {
        let ledger = make();
        let line = line("rpm", requests(limit, micros(per)));
        let mut model = Textbook { limit: limit.into(), per: per.into(), arrival: i128::MIN / 2 };
        let mut now = 0;
        for gap in gaps {
            now += gap;
            let real = reserve(&ledger, std::slice::from_ref(&line), 1, at(now));
            match (model.admit(now), real) {
                (Ok(()), Ok(hold)) => { ledger.settle(&hold, amounts(1), at(now)); }
                (Err(wait), Err(refusal)) => {
                    let told = refusal.retry_after.unwrap().as_micros();
                    prop_assert_eq!(u128::try_from(wait).unwrap(), told);
                    prop_assert_eq!(refusal.remaining, 0);
                }
                (model, real) => prop_assert!(false, "at {now}: {model:?} but {real:?}"),
            }
        }
    });
}

pub(super) fn no_window_admits_more_than_burst_and_refill(make: Make<'_>) {
    proptest!(|(limit in 1_u64..20, per in 1_000_u64..1_000_000, gaps in vec(0_i64..30_000, 50..150))| {
        let ledger = make();
        let line = line("rpm", requests(limit, micros(per)));
        let mut now = 0;
        let mut admitted = Vec::new();
        for gap in gaps {
            now += gap;
            if reserve(&ledger, std::slice::from_ref(&line), 1, at(now)).is_ok() {
                admitted.push(now);
            }
        }
        for (first, from) in admitted.iter().enumerate() {
            for (last, to) in admitted.iter().enumerate().skip(first) {
                let refill = u64::try_from(to - from).unwrap() * limit / per;
                prop_assert!((last - first + 1) as u64 <= limit + refill);
            }
        }
    });
}

/// One step of a token bucket's life.
#[derive(Clone, Debug)]
enum Step {
    Reserve { after: i64, estimate: u64 },
    Settle { after: i64, which: usize, actual: u64 },
    Release { which: usize },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0_i64..100_000, 1_u64..60).prop_map(|(after, estimate)| Step::Reserve { after, estimate }),
        2 => (0_i64..100_000, 0_usize..8, 0_u64..90)
            .prop_map(|(after, which, actual)| Step::Settle { after, which, actual }),
        1 => (0_usize..8).prop_map(|which| Step::Release { which }),
    ]
}

/// A bucket by its textbook: what is available, in 1/`per` tokens.
struct Bucket {
    limit: i128,
    per: i128,
    available: i128,
    as_of: i64,
}

impl Bucket {
    fn refill(&mut self, now: i64) {
        let refilled = self.available + i128::from(now - self.as_of) * self.limit;
        self.available = refilled.min(self.limit * self.per);
        self.as_of = now;
    }

    fn give(&mut self, tokens: i128) {
        self.available = (self.available + tokens * self.per).min(self.limit * self.per);
    }
}

pub(super) fn token_buckets_agree_with_a_naive_one(make: Make<'_>) {
    proptest!(|(limit in 1_u64..80, per in 1_u64..2_000_000, steps in vec(step(), 1..120))| {
        let ledger = make();
        let line = line("tpm", tokens(limit, micros(per)));
        let (limit, per) = (i128::from(limit), i128::from(per));
        let mut bucket = Bucket { limit, per, available: limit * per, as_of: 0 };
        let mut now = 0;
        let mut holds: Vec<(Hold, i128)> = Vec::new();
        for step in steps {
            match step {
                Step::Reserve { after, estimate } => {
                    now += after;
                    bucket.refill(now);
                    let need = i128::from(estimate) * per;
                    let real = reserve(&ledger, std::slice::from_ref(&line), estimate, at(now));
                    prop_assert_eq!(real.is_ok(), bucket.available >= need, "at {}", now);
                    if let Ok(hold) = real {
                        bucket.available -= need;
                        holds.push((hold, estimate.into()));
                    }
                }
                Step::Settle { after, which, actual } if which < holds.len() => {
                    now += after;
                    bucket.refill(now);
                    let (hold, estimate) = holds.remove(which);
                    ledger.settle(&hold, amounts(actual), at(now));
                    bucket.give(estimate - i128::from(actual));
                }
                Step::Release { which } if which < holds.len() => {
                    let (hold, estimate) = holds.remove(which);
                    ledger.release(&hold);
                    bucket.give(estimate);
                }
                Step::Settle { .. } | Step::Release { .. } => {}
            }
            let left = u128::try_from(bucket.available.max(0) / per).unwrap();
            prop_assert_eq!(remaining(&ledger, &line, at(now)), left);
        }
    });
}

pub(super) fn a_request_over_the_whole_limit_is_told_not_to_wait(make: Make<'_>) {
    let ledger = make();
    let bounds = [tokens(100, micros(1)), spend(100), requests(0, micros(1)), Bound::Concurrent { limit: 0 }];
    for bound in bounds {
        let refusal = reserve(&ledger, &[line("small", bound.clone())], 101, at(0)).unwrap_err();
        assert_eq!(refusal.retry_after, None, "{bound:?}");
        assert_eq!(refusal.remaining, bound.limit());
    }
}

pub(super) fn an_amount_of_nothing_passes_a_bucket_in_debt(make: Make<'_>) {
    let ledger = make();
    let bound = Bound::Tokens { limit: 10, per: micros(60_000_000), class: TokenClass::Output };
    let line = [line("output", bound)];
    let written = |output_tokens| Amounts { output_tokens, ..Amounts::default() };
    let ask = |output| wait(ledger.reserve(line.to_vec(), written(output), at(0)));
    let hold = ask(10).unwrap();
    ledger.settle(&hold, written(25), at(0));
    assert!(ask(0).is_ok(), "an embedding writes nothing");
    // 15 over and 1 more: 16 of 10 a minute.
    assert_eq!(ask(1).unwrap_err().retry_after, Some(micros(96_000_000)));
}

pub(super) fn a_changed_limit_keeps_what_was_used(make: Make<'_>) {
    let ledger = make();
    let minute = micros(60_000_000);
    let old: Line = line("rpm", requests(10, minute));
    for _ in 0..8 {
        reserve(&ledger, std::slice::from_ref(&old), 1, at(0)).unwrap();
    }
    let left = |bound| remaining(&ledger, &rebound(&old, bound), at(0));
    assert_eq!(left(requests(20, minute)), 12);
    assert_eq!(left(requests(20, 60 * minute)), 12);
    assert_eq!(left(requests(5, minute)), 0);
    // Lowered, it is full: it is not in debt by what the higher limit had allowed.
    let lowered = rebound(&old, requests(5, minute));
    let refusal = reserve(&ledger, &[lowered], 1, at(0)).unwrap_err();
    assert_eq!(refusal.retry_after, Some(micros(12_000_000)));
}
