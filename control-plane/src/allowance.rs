//! How often somebody may do something: so many times at once, and one more in each span of time.
//!
//! Law: whoever was still for long has all of it again, and never more. Absent on purpose: clocks, and what becomes of who asks too often.

use std::time::{Duration, Instant};

/// What somebody has left.
#[derive(Debug)]
pub(crate) struct Allowance {
    of: Terms,
    left: u32,
    filled: Instant,
}

/// What may be done.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    /// So many times however quickly.
    pub(crate) burst: u32,
    /// The time in which one more may be.
    pub(crate) each: Duration,
}

impl Allowance {
    /// All of it.
    pub(crate) fn new(of: Terms, now: Instant) -> Self {
        Self { of, left: of.burst, filled: now }
    }

    /// Takes one; or tells after which time there is one again.
    pub(crate) fn take(&mut self, now: Instant) -> Result<(), Duration> {
        self.fill(now);
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(self.of.each.saturating_sub(now.saturating_duration_since(self.filled))),
        }
    }

    /// Whether nothing was taken for so long that forgetting it changes nothing.
    pub(crate) fn is_still(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.filled) >= self.of.each.saturating_mul(self.of.burst)
    }

    fn fill(&mut self, now: Instant) {
        let each = self.of.each.as_micros().max(1);
        let whole = now.saturating_duration_since(self.filled).as_micros() / each;
        let more = u32::try_from(whole).unwrap_or(u32::MAX).min(self.of.burst);
        self.filled += self.of.each.saturating_mul(more);
        self.left = self.left.saturating_add(more).min(self.of.burst);
        if more == self.of.burst {
            self.filled = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_one_in_each_span() {
        let (start, each) = (Instant::now(), Duration::from_millis(10));
        let mut allowance = Allowance::new(Terms { burst: 3, each }, start);
        for _ in 0..3 {
            assert_eq!(allowance.take(start), Ok(()));
        }
        assert_eq!(allowance.take(start), Err(each));
        assert_eq!(allowance.take(start + each / 2), Err(each / 2));
        assert_eq!(allowance.take(start + each), Ok(()));
        assert!(allowance.take(start + each).is_err() && !allowance.is_still(start + each * 3));
        let later = start + each * 100;
        assert!(allowance.is_still(later));
        assert_eq!((0..9).filter(|_| allowance.take(later).is_ok()).count(), 3);
    }
}
