//! A node with hard-wired facts and the simulated vendor, for tests of the sentence and of the doors.
//!
//! Law: everything but the facts is what a real node has; records are seen as they are made, so tests wait for nothing.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use aws_lc_rs::{digest, hmac};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use parking_lot::Mutex;
use policy_engine::facts::{self, Facts};
use policy_engine::snapshot::Header;
use policy_engine::vocabulary::{Instant, Operation};

use crate::captured::ContentKey;
use crate::freshness::Reading;
use crate::node::{Bounds, Clock, Node};
use crate::overlay::Statements;
use crate::pipeline::received::{Arrival, Received};
use crate::pipeline::{self, Body, Reply};
use crate::policy::Version;
use crate::quota::Ledger;
use crate::record::outbox::{Outbox, Settings, Writer};
use crate::record::{Door, Observer, Record};
use crate::runtime::{Parts, Runtime};
use crate::upstream::Upstream;
use crate::upstream::address::AddressPolicy;
use crate::upstream::config::{Adapter, Caps, EndpointConfig, Fault, Timeouts};
use crate::upstream::simulated::pace::Pace;

pub(crate) mod log;
pub(crate) mod world;

/// When it is in a house.
pub(crate) const NOW: i64 = 1_767_225_600_000_000;

/// The key of the demo principal.
pub(crate) const KEY: &str = "chy_demo_secret";

/// A node, and what was recorded on it.
pub(crate) struct House {
    pub(crate) node: Arc<Node>,
    pub(crate) clock: Arc<AtomicI64>,
    pub(crate) written: Arc<Mutex<Vec<Record>>>,
    /// To whom the demo tenant's content is sealed.
    pub(crate) content_key: Option<ContentKey>,
    seen: Arc<Seen>,
    writer: Mutex<Option<Writer>>,
}

#[derive(Default)]
struct Seen(Mutex<Vec<Record>>);

impl Observer for Seen {
    fn ended(&self, record: &Record, _: bool) {
        self.0.lock().push(record.clone());
    }
}

impl House {
    /// A house of the usual world, edited.
    pub(crate) fn new(edit: impl FnOnce(&mut Facts)) -> Self {
        Self::with(Settings { gather: Duration::ZERO, ..Settings::default() }, edit)
    }

    /// The usual world, with statements kept somewhere.
    pub(crate) fn keeping(statements: Statements) -> Self {
        let settings = Settings { gather: Duration::ZERO, ..Settings::default() };
        Self::build(settings, statements, |_| ())
    }

    /// The same, with an outbox of one's own.
    pub(crate) fn with(settings: Settings, edit: impl FnOnce(&mut Facts)) -> Self {
        Self::build(settings, Statements::nowhere(), edit)
    }

    fn build(settings: Settings, statements: Statements, edit: impl FnOnce(&mut Facts)) -> Self {
        let (written, seen) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Seen::default()));
        let sink = written.clone();
        let (outbox, writer) = Outbox::to(settings, move |records| {
            sink.lock().extend(records.iter().cloned());
            Ok(())
        })
        .unwrap();
        let geo = "eu".parse().unwrap();
        let bounds = Bounds { keep_alive: Duration::from_millis(20), ..Bounds::default() };
        let mut node = Node::new(geo, bounds, (Ledger::memory(), outbox, statements), seen.clone());
        let clock = Arc::new(AtomicI64::new(NOW));
        node.clock = Clock::Fixed(clock.clone());
        // Heard when it began, and not minded by any wall clock.
        node.freshness.heard(Reading { since: 0, wall: i64::MIN }, None, true);
        let content_key = Some(crate::captured::tests::key().0);
        let (node, writer) = (Arc::new(node), Mutex::new(Some(writer)));
        let house = Self { node, clock, written, content_key, seen, writer };
        let mut facts = world::facts();
        edit(&mut facts);
        house.enforce(7, &facts);
        house
    }

    /// Puts facts in force.
    pub(crate) fn enforce(&self, revision: u64, facts: &Facts) {
        self.enforce_line(revision, 1, facts);
    }

    /// Puts facts in force as one of the contents that a revision may be.
    pub(crate) fn enforce_line(&self, revision: u64, line: u8, facts: &Facts) {
        let version = Version { epoch: 1, revision: i64::try_from(revision).unwrap(), digest: [line; 32] };
        let header = Header { revision, geo: Some(self.node.geo.clone()) };
        let snapshot = Arc::new(policy_engine::compile(facts, header).unwrap());
        let upstreams = snapshot.endpoints().map(|(_, row)| {
            match row.id.name.as_str() {
                name if name.starts_with("down") => return Err(Fault::BaseUrl("it is down")),
                name if name.starts_with("keyless") => return Err(Fault::CredentialMissing),
                _ => {}
            }
            let config = EndpointConfig {
                // Another upstream model stands for another place.
                class: format!("{} {}", row.id.name, row.upstream_model),
                adapter: Adapter::Simulated(Pace::default()),
                base_url: String::new(),
                credential: None,
                refused: None,
                auth: None,
                api_version: String::new(),
                responses_api: None,
                template: None,
                timeouts: Timeouts { idle: Duration::from_millis(200), ..Timeouts::default() },
                caps: Caps::default(),
                addresses: AddressPolicy::default(),
                fetch: None,
                extra_roots: None,
            };
            Ok(Arc::new(Upstream::build(&config).unwrap()))
        });
        let upstreams = upstreams.collect();
        let scope_keys = vec![(Arc::from("k1"), [7; 32])];
        let content_keys = self.content_key.iter().map(|key| (world::name("acme"), key.clone())).collect();
        let geo = self.node.geo.clone();
        let parts = Parts { version, snapshot, geo, upstreams, scope_keys, content_keys };
        let before = self.node.runtime.load_full();
        self.node.enforce(Arc::new(Runtime::new(parts, before.as_deref())));
    }

    /// A request as a door would make it.
    pub(crate) fn request(
        &self,
        (door, operation): (Door, Operation),
        headers: &HeaderMap,
        body: &str,
    ) -> Received {
        let arrival = Arrival::read(&self.node, (door, operation), (headers, None), None);
        arrival.with(Bytes::copy_from_slice(body.as_bytes()), None)
    }

    /// A chat with the demo key.
    pub(crate) async fn chat(&self, body: &str) -> Reply {
        let received = self.request((Door::OpenAi, Operation::Chat), &bearer(KEY), body);
        pipeline::serve(&self.node, received).await
    }

    /// The record of the request that ended last.
    pub(crate) fn seen_last(&self) -> Record {
        self.seen.0.lock().last().unwrap().clone()
    }

    /// The records of all requests that ended, as they were made.
    pub(crate) fn all_records(&self) -> Vec<Record> {
        self.seen.0.lock().clone()
    }

    /// The same; `COUNT` of them must have been.
    pub(crate) fn records<const COUNT: usize>(&self) -> [Record; COUNT] {
        let records = self.all_records();
        let count = records.len();
        records.try_into().unwrap_or_else(|_| panic!("{count} records where {COUNT} are expected"))
    }

    /// Ends the house: what was written must be what was seen.
    pub(crate) fn close(self) {
        let seen = std::mem::take(&mut *self.seen.0.lock());
        let (_, holds) = self.node.ledger.size();
        assert_eq!(holds, 0, "nothing is held any more");
        let writer = self.writer.lock().take().unwrap();
        assert_eq!(Arc::strong_count(&self.node), 1, "nobody has the node any more");
        drop(self.node);
        writer.join();
        assert_eq!(*self.written.lock(), seen, "what was written is what was seen");
    }
}

/// The credential as a header.
pub(crate) fn bearer(key: &str) -> HeaderMap {
    let value = HeaderValue::from_str(&format!("Bearer {key}")).unwrap();
    [(http::header::AUTHORIZATION, value)].into_iter().collect()
}

/// What a key's MAC is.
pub(crate) fn mac(secret: &str) -> [u8; 32] {
    let digest = digest::digest(&digest::SHA256, secret.as_bytes());
    let key = hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]);
    hmac::sign(&key, digest.as_ref()).as_ref().try_into().unwrap()
}

/// A body of one user message.
pub(crate) fn asking(model: &str, text: &str, more: &str) -> String {
    let text = serde_json::to_string(text).unwrap();
    format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":{text}}}]{more}}}"#)
}

/// A whole answer's JSON.
pub(crate) fn whole(reply: Reply) -> serde_json::Value {
    match reply.body {
        Ok(Body::Whole(bytes) | Body::Response(bytes)) => serde_json::from_slice(&bytes).unwrap(),
        Ok(Body::Stream(_) | Body::Media(_)) => panic!("a stream where a whole answer is expected"),
        Err(rejection) => panic!("{:?}", rejection.refusal),
    }
}

/// A refusal's code, status and message.
pub(crate) fn refused(reply: Reply) -> (&'static str, u16, String) {
    match reply.body {
        Ok(_) => panic!("an answer where a refusal is expected"),
        Err(rejection) => {
            let row = rejection.code().row();
            (row.text, row.http.as_u16(), rejection.refusal.message.clone())
        }
    }
}

/// The facts' instant type, for worlds.
pub(crate) fn instant(text: &str) -> Instant {
    Instant::parse(text).unwrap()
}

/// Adds a limit of the demo tenant.
pub(crate) fn limit(facts: &mut Facts, name: &str, bound: facts::Bound) {
    let limit = facts::Limit {
        scope: facts::LimitScope::default(),
        bound,
        on_store_loss: policy_engine::vocabulary::OnStoreLoss::Closed,
        geos: vec![],
    };
    facts.limits.insert(world::id(name), Arc::new(limit));
}
