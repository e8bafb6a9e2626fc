//! The connection pool of one endpoint, or of several that are reached alike, and its replacement when their name moves.
//!
//! Law: a name is asked again while its endpoint is in use; once an address in use was missing from two answers running,
//! new calls get a new pool, and connections of the old one end with the calls on them. Deliberately absent: a task of its
//! own (an idle endpoint asks nobody; its connections end with the pool's idle time).

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::Uri;
use http_body_util::Full;
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioTimer},
};
use tokio::time::Instant;

use super::connect::Connector;

/// Idle connections are closed before vendors' own 60 s limits do it under our hands.
const POOL_IDLE: Duration = Duration::from_secs(55);
/// Idle connections kept; as many as a busy node may have calls to one server, or the surplus would be dialled again and again.
const POOL_SIZE: usize = 1024;
/// HTTP/2 receive windows: what one stream, and one connection, may send ahead of its reader.
const H2_STREAM_WINDOW: u32 = 256 * 1024;
const H2_CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;
/// HTTP/2: what one stream may hold of a request that the vendor does not take.
const H2_SEND_BUFFER: usize = 64 * 1024;
/// HTTP/2: the most a response head may weigh, in bytes.
const H2_HEAD: u32 = 16 * 1024;
/// HTTP/2: a connection on which a ping stays unanswered this long is dead.
const H2_PING_EVERY: Duration = Duration::from_secs(20);
const H2_PING_TIMEOUT: Duration = Duration::from_secs(10);
/// HTTP/1.1: the read buffer, and so the most a response head may weigh, in bytes.
const H1_BUFFER: usize = 64 * 1024;
/// How often the name of an endpoint in use is asked again, in seconds.
const ASK_EVERY: u64 = 30;

/// A pool of connections.
pub(crate) type Pool = Client<Connector, Full<Bytes>>;

/// Which HTTP is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spoken {
    /// What the server chooses under TLS, and HTTP/1.1 without.
    Any,
    /// HTTP/2, without TLS too.
    Http2,
}

/// One endpoint's pool of the day.
pub(crate) struct Way(Arc<Kept>);

struct Kept {
    pool: ArcSwap<Pool>,
    connector: Connector,
    spoken: Spoken,
    /// Whose address is asked for; `None` where the endpoint is an address already.
    name: Option<Uri>,
    born: Instant,
    /// When the name was last asked, in seconds since `born`.
    asked: AtomicU64,
}

impl Way {
    /// A pool whose connections `connector` opens, to the host of `base`.
    pub(crate) fn new(connector: Connector, base: &Uri, spoken: Spoken) -> Self {
        let name = Some(base.clone()).filter(Connector::needs_resolving);
        let pool = ArcSwap::from_pointee(pool(&connector, spoken));
        let (born, asked) = (Instant::now(), AtomicU64::new(0));
        Self(Arc::new(Kept { pool, connector, spoken, name, born, asked }))
    }

    /// The pool for a call that starts now.
    pub(crate) fn pool(&self, now: Instant) -> Arc<Pool> {
        if self.0.name.is_some() && self.0.is_due(now) {
            let kept = Arc::clone(&self.0);
            tokio::spawn(async move { kept.follow().await });
        }
        self.0.pool.load_full()
    }

    /// Asks for the name at once.
    #[cfg(test)]
    pub(super) async fn follow(&self) {
        self.0.follow().await;
    }
}

impl Kept {
    /// Whether it is this call's turn to have the name asked for.
    fn is_due(&self, now: Instant) -> bool {
        let now = now.saturating_duration_since(self.born).as_secs();
        let asked = self.asked.load(Ordering::Relaxed);
        now.saturating_sub(asked) >= ASK_EVERY
            && self.asked.compare_exchange(asked, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    async fn follow(&self) {
        let Some(name) = &self.name else { return };
        if self.connector.has_moved(name).await {
            self.pool.store(Arc::new(pool(&self.connector, self.spoken)));
        }
    }
}

fn pool(connector: &Connector, spoken: Spoken) -> Pool {
    Client::builder(TokioExecutor::new())
        .http2_only(spoken == Spoken::Http2)
        .pool_timer(TokioTimer::new())
        .timer(TokioTimer::new())
        .pool_idle_timeout(POOL_IDLE)
        .pool_max_idle_per_host(POOL_SIZE)
        .http1_max_buf_size(H1_BUFFER)
        .http2_initial_stream_window_size(H2_STREAM_WINDOW)
        .http2_initial_connection_window_size(H2_CONNECTION_WINDOW)
        .http2_max_send_buf_size(H2_SEND_BUFFER)
        .http2_max_header_list_size(H2_HEAD)
        .http2_keep_alive_interval(H2_PING_EVERY)
        .http2_keep_alive_timeout(H2_PING_TIMEOUT)
        .build(connector.clone())
}

#[cfg(test)]
mod tests {
    use std::{collections::VecDeque, net::SocketAddr, sync::Mutex};

    use http::Request;
    use tokio::io::AsyncWriteExt;

    use super::{
        super::{connect::Names, scripted, tls},
        *,
    };

    async fn saying(word: &'static str) -> SocketAddr {
        let port = scripted::serve(move |mut stream| async move {
            loop {
                scripted::request(&mut stream).await;
                let answer = format!("HTTP/1.1 200 OK\r\nx-says: {word}\r\ncontent-length: 0\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        })
        .await;
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    async fn hear(way: &Way) -> String {
        let request = Request::get("http://moving.example/").body(Full::default()).unwrap();
        let response = way.pool(Instant::now()).request(request).await.unwrap();
        response.headers()["x-says"].to_str().unwrap().to_owned()
    }

    #[tokio::test]
    async fn an_address_that_left_its_name_is_left() {
        let (old, new) = (saying("old").await, saying("new").await);
        // dialled, still there, gone once, back, gone once, gone twice, dialled anew
        let answers = [vec![old], vec![new, old], vec![new], vec![old], vec![new], vec![new], vec![new]];
        let names = Names::Table(Mutex::new(VecDeque::from(answers)));
        let policy = scripted::endpoint(8000).addresses;
        let within = Duration::from_secs(5);
        let connector = Connector::with_names(policy, tls::client(None).unwrap(), within, names);
        let way = Way::new(connector, &Uri::from_static("http://moving.example/"), Spoken::Any);
        assert_eq!(hear(&way).await, "old");
        for _ in 0..4 {
            way.follow().await;
            assert_eq!(hear(&way).await, "old");
        }
        way.follow().await;
        assert_eq!(hear(&way).await, "new");
    }

    #[tokio::test]
    async fn names_are_asked_at_intervals_and_addresses_never() {
        let config = scripted::endpoint(8000);
        let connector = || {
            let tls = tls::client(None).unwrap();
            Connector::new(config.addresses.clone(), tls, Duration::from_secs(5))
        };
        let way = Way::new(connector(), &Uri::from_static("http://moving.example/"), Spoken::Any);
        let after = |seconds| way.0.born + Duration::from_secs(seconds);
        let due: Vec<bool> = [0, 29, 30, 31, 59, 60, 600].map(|at| way.0.is_due(after(at))).into();
        assert_eq!(due, [false, false, true, false, false, true, true]);
        for address in ["http://127.0.0.1:8000/v1", "http://[::1]/"] {
            assert!(Way::new(connector(), &address.parse().unwrap(), Spoken::Any).0.name.is_none());
        }
    }
}
