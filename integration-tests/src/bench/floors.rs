//! The floors of the day, beside what was measured.
//!
//! From the column "floor at issue 1" of the performance targets; a later issue tightens the numbers here.

use crate::figures::{Compared, Figures};
use crate::rows;

/// One target and how it came out.
#[derive(Debug, Clone)]
pub(crate) struct Floor {
    pub(crate) what: &'static str,
    pub(crate) measured: f64,
    pub(crate) bound: Bound,
}

/// On which side of the number the good is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

impl Floor {
    /// Whether the measured number is on the good side.
    pub(crate) fn holds(&self) -> bool {
        match self.bound {
            Bound::AtMost(bound) => self.measured <= bound,
            Bound::AtLeast(bound) => self.measured >= bound,
        }
    }
}

/// The floors that the rows of `results` can speak of; a row without a gateway or without a pass-through says nothing.
pub(crate) fn floors(results: &[Compared]) -> Vec<Floor> {
    use Bound::{AtLeast, AtMost};
    let pair = |name: &str| {
        let result = results.iter().find(|result| result.row.name == name)?;
        Some((result.limit.clone(), result.gateway.clone()?))
    };
    let mut floors = Vec::new();
    let mut add = |row: &str, what, bound, measure: fn(&Figures, &Figures) -> f64| {
        if let Some((limit, gateway)) = pair(row) {
            floors.push(Floor { what, measured: measure(&limit, &gateway), bound });
        }
    };
    let processor: fn(&Figures, &Figures) -> f64 = |limit, gateway| gateway.processor_us / limit.processor_us;
    add(rows::UNARY_16, "CPU a request, x pass-through, REST", AtMost(3.0), processor);
    add(rows::GRPC_16, "CPU a request, x pass-through, gRPC", AtMost(3.0), processor);
    add(rows::UNARY_64, "requests/s at 64, x pass-through", AtLeast(0.25), |limit, gateway| {
        gateway.rate / limit.rate
    });
    add(rows::UNARY_1, "added p50 at 1, us", AtMost(120.0), |limit, gateway| gateway.p50_us - limit.p50_us);
    add(rows::UNARY_1, "added p99 at 1, us", AtMost(800.0), |limit, gateway| gateway.p99_us - limit.p99_us);
    add(rows::UNARY_OPEN, "p99 at 1000/s, x pass-through", AtMost(2.8), |limit, gateway| {
        gateway.p99_us / limit.p99_us
    });
    add(rows::STREAM_PACED, "CPU an event, paced, us", AtMost(13.0), |_, gateway| {
        gateway.processor_us_per_event
    });
    add(rows::STREAM_SPLIT, "CPU an event, split, us", AtMost(13.0), |_, gateway| {
        gateway.processor_us_per_event
    });
    add(rows::STREAM_1, "first byte added, us", AtMost(150.0), |limit, gateway| {
        gateway.first_byte_us - limit.first_byte_us
    });
    floors
}

/// The floors of memory, in megabytes, with the demo policy.
pub(crate) fn memory(idle: f64, peak: f64) -> [Floor; 2] {
    [
        Floor { what: "RSS idle, MB", measured: idle, bound: Bound::AtMost(60.0) },
        Floor { what: "RSS peak, MB", measured: peak, bound: Bound::AtMost(80.0) },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(gateway: f64) -> Vec<Compared> {
        let figures = |scale: f64| Figures {
            rate: 1_000.0 / scale,
            processor_us: 10.0 * scale,
            p50_us: 100.0 * scale,
            p99_us: 200.0 * scale,
            first_byte_us: 50.0 * scale,
            processor_us_per_event: 5.0 * scale,
        };
        let result = |row| Compared { row, limit: figures(1.0), gateway: Some(figures(gateway)) };
        rows::quickstart().into_iter().map(result).collect()
    }

    #[test]
    fn every_floor_can_hold_and_can_be_missed() {
        assert!(floors(&results(1.5)).iter().all(Floor::holds));
        let missed = floors(&results(10.0));
        assert_eq!((missed.len(), missed.iter().filter(|floor| floor.holds()).count()), (9, 0));
        assert!(memory(61.0, 81.0).iter().all(|floor| !floor.holds()));
        let mut alone = results(1.0);
        alone.iter_mut().for_each(|result| result.gateway = None);
        assert!(floors(&alone).is_empty());
    }
}
