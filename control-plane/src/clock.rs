//! The wall clock, read in this one place, and instants as the wire writes them.

use prost_types::Timestamp;

/// Now, in microseconds since the Unix epoch.
pub fn now() -> i64 {
    jiff::Timestamp::now().as_microsecond()
}

/// Microseconds since the Unix epoch as the wire writes them.
pub fn timestamp(micros: i64) -> Timestamp {
    let nanos = i32::try_from(micros.rem_euclid(1_000_000)).unwrap_or_default() * 1_000;
    Timestamp { seconds: micros.div_euclid(1_000_000), nanos }
}

/// What the wire writes as microseconds since the Unix epoch; saturates.
pub fn micros(stamp: &Timestamp) -> i64 {
    stamp.seconds.saturating_mul(1_000_000).saturating_add(i64::from(stamp.nanos) / 1_000)
}
