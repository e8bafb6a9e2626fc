//! How long a node waits before it looks for the control plane again: a length drawn evenly below a ceiling, which doubles each time.
//!
//! | the last attempt | the ceiling is at most |
//! |---|---|
//! | met nobody: no connection came about | four seconds: it cost the control plane nothing, and its nodes are back within five of its return |
//! | was a stream that stood for ten seconds | four seconds |
//! | met somebody, and failed | half a minute: it was work for who may have too much of it |
//!
//! Law: a stream that stood for a minute was healthy, and the ceiling begins at the lowest again.

use std::error::Error;
use std::io;
use std::time::Duration;

/// The first ceiling.
const FIRST: Duration = Duration::from_millis(200);

/// The highest while attempts cost nothing.
const NEAR: Duration = Duration::from_secs(4);

/// The highest there is.
pub(super) const FAR: Duration = Duration::from_secs(30);

/// A stream that lived this long was no failure.
const STOOD: Duration = Duration::from_secs(10);

/// A stream that lived this long was healthy.
const HEALTHY: Duration = Duration::from_secs(60);

/// Whom an attempt met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Met {
    /// Nothing listens there, or there is no way there.
    Nobody,
    /// The control plane, or what stands before it.
    Somebody,
}

impl Met {
    /// Whom an attempt met that ended with an error.
    pub(super) fn by(error: &(dyn Error + 'static)) -> Self {
        let causes = std::iter::successors(Some(error), |&error| error.source());
        let mut kinds = causes.filter_map(|error| error.downcast_ref::<io::Error>()).map(io::Error::kind);
        let nobody = |kind| {
            use io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable};
            matches!(kind, ConnectionRefused | HostUnreachable | NetworkUnreachable)
        };
        if kinds.any(nobody) { Self::Nobody } else { Self::Somebody }
    }
}

/// The ceiling of the next pause.
pub(crate) struct BackOff(Duration);

impl Default for BackOff {
    fn default() -> Self {
        Self(FIRST)
    }
}

impl BackOff {
    /// The next pause after an attempt that failed.
    pub(crate) fn pause(&mut self) -> Duration {
        jitter(self.ceiling_after(Met::Somebody, Duration::ZERO))
    }

    /// The longest the next pause may be, after an attempt or a stream of this length.
    pub(super) fn ceiling_after(&mut self, met: Met, lived: Duration) -> Duration {
        if lived >= HEALTHY {
            self.0 = FIRST;
        }
        let most = if met == Met::Nobody || lived >= STOOD { NEAR } else { FAR };
        let ceiling = self.0.min(most);
        self.0 = ceiling.saturating_mul(2).min(most);
        ceiling
    }
}

/// A length drawn evenly between zero and `ceiling`; all of it where there is no randomness.
pub(crate) fn jitter(ceiling: Duration) -> Duration {
    let mut random = [0_u8; 4];
    match aws_lc_rs::rand::fill(&mut random) {
        Ok(()) => ceiling.mul_f64(f64::from(u32::from_be_bytes(random)) / f64::from(u32::MAX)),
        Err(_) => ceiling,
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;
    use tonic::transport::Endpoint;

    use super::*;

    const MOMENT: Duration = Duration::from_secs(1);

    fn ceilings(back_off: &mut BackOff, met: Met, count: usize) -> Vec<u128> {
        (0..count).map(|_| back_off.ceiling_after(met, MOMENT).as_millis()).collect()
    }

    #[test]
    fn pauses_double_to_half_a_minute_and_begin_anew_after_a_healthy_stream() {
        let mut back_off = BackOff::default();
        let millis = ceilings(&mut back_off, Met::Somebody, 10);
        assert_eq!(millis, [200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000]);
        assert_eq!(back_off.ceiling_after(Met::Somebody, STOOD), NEAR, "one that stood was no failure");
        assert_eq!(back_off.ceiling_after(Met::Somebody, HEALTHY), FIRST);
        let drawn: Vec<Duration> = (0..100).map(|_| jitter(FAR)).collect();
        assert!(drawn.iter().all(|pause| *pause <= FAR));
        assert!(drawn.iter().min() < drawn.iter().max(), "not everybody at the same time");
    }

    #[test]
    fn while_nobody_is_there_a_node_looks_again_within_four_seconds_however_long_that_is() {
        let mut back_off = BackOff::default();
        let millis = ceilings(&mut back_off, Met::Nobody, 1_000);
        assert_eq!(millis[..7], [200, 400, 800, 1_600, 3_200, 4_000, 4_000]);
        assert_eq!(millis.iter().max(), Some(&4_000));
        // Who comes back and has too much to do is given time.
        assert_eq!(ceilings(&mut back_off, Met::Somebody, 4), [4_000, 8_000, 16_000, 30_000]);
        assert_eq!(ceilings(&mut back_off, Met::Nobody, 2), [4_000, 4_000]);
    }

    #[tokio::test]
    async fn a_port_where_nothing_listens_is_nobody_and_one_that_ends_the_handshake_is_somebody() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let tls = tonic::transport::ClientTlsConfig::new().with_enabled_roots();
        let endpoint = Endpoint::from_shared(format!("https://127.0.0.1:{port}")).unwrap();
        let endpoint = endpoint.tls_config(tls).unwrap();
        let ended = async { drop(listener.accept().await.unwrap()) };
        let (error, ()) = tokio::join!(endpoint.connect(), ended);
        assert_eq!(Met::by(&error.unwrap_err()), Met::Somebody);
        drop(listener);
        assert_eq!(Met::by(&endpoint.connect().await.unwrap_err()), Met::Nobody);
    }
}
