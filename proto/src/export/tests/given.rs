//! Logs, their keys, and exports of them.

use std::collections::BTreeMap;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use prost::Message as _;

use crate::admin::{AuditEvent, AuditedChange, AuditedExport, Retention, RetentionSpec};
use crate::checkpoint::{Checkpoint, VerifierKey};
use crate::export::{Asked, Form, Header, Keys, Leaf, Report, Trust, Writer, verify};
use crate::pruned::retention_told;
use crate::tree::{Full, Hash, Range, fold, inclusion, leaf, node};

pub(super) const ORIGIN: &str = "chancery/4b6f";

/// A log.
pub(super) struct Given {
    pub(super) leaves: Vec<Leaf>,
    full: BTreeMap<Full, Hash>,
}

impl Given {
    pub(super) fn log(size: u64) -> Self {
        Self::of(size, "ada")
    }

    pub(super) fn of(size: u64, actor: &str) -> Self {
        Self::of_bodies((1..=size).map(|sequence| event(sequence, actor).encode_to_vec()).collect())
    }

    pub(super) fn of_bodies(bodies: Vec<Vec<u8>>) -> Self {
        let (mut leaves, mut full, mut prev_hash) = (Vec::new(), BTreeMap::new(), Hash::default());
        for (sequence, body) in (1..).zip(bodies) {
            let hash = chained(&prev_hash, &body);
            let (mut place, mut own) = (Full::leaf(sequence - 1), hash);
            full.insert(place, own);
            while let Some((left, above)) = place.completes() {
                (place, own) = (above, node(&full[&left], &own));
                full.insert(place, own);
            }
            leaves.push(Leaf { sequence, body, prev_hash, hash, inclusion: Vec::new(), pruned_by: None });
            prev_hash = hash;
        }
        Self { leaves, full }
    }

    /// The same, of which some events were pruned, as the second event to the last tells; every third is whole, and so are the last three.
    pub(super) fn pruned(size: u64) -> Self {
        let by = size - 1;
        let gone: Vec<u64> = (1..size - 2).filter(|number| number % 3 != 0).collect();
        let sequences: Vec<i64> = gone.iter().map(|number| *number as i64).collect();
        let told = |sequence: u64| match sequence {
            // Whoever prunes says by what, which the event before it set.
            _ if sequence == by => prunes(sequence, &sequences),
            _ if sequence + 1 == by => sets(sequence, "reads", "1s"),
            _ => event(sequence, "ada"),
        };
        let mut given = Self::of_bodies((1..=size).map(|sequence| told(sequence).encode_to_vec()).collect());
        for leaf in given.leaves.iter_mut().filter(|leaf| gone.contains(&leaf.sequence)) {
            (leaf.body, leaf.pruned_by) = (Vec::new(), Some(by));
        }
        given
    }

    pub(super) fn root(&self, range: Range) -> Hash {
        fold(&range.full().map(|full| self.full[&full]).collect::<Vec<_>>())
    }

    /// The export of all of it.
    pub(super) fn whole(&self, form: Form) -> Vec<u8> {
        let mut writer = Writer::begin(Vec::new(), form, &header(self, None)).unwrap();
        self.leaves.iter().for_each(|leaf| writer.event(leaf).unwrap());
        writer.end().unwrap()
    }

    /// An export of some.
    pub(super) fn some(&self, form: Form, wanted: &[u64], asked: Asked) -> Vec<u8> {
        let mut writer = Writer::begin(Vec::new(), form, &header(self, Some(asked))).unwrap();
        for index in wanted.iter().map(|sequence| sequence - 1) {
            let ranges = inclusion(index, self.leaves.len() as u64).unwrap();
            let inclusion = ranges.into_iter().map(|range| self.root(range)).collect();
            writer.event(&Leaf { inclusion, ..self.leaves[index as usize].clone() }).unwrap();
        }
        writer.end().unwrap()
    }
}

/// The event of a call at a place, a second after the one before.
pub(super) fn at(sequence: u64, action: &str) -> AuditEvent {
    AuditEvent {
        changes: Vec::new(),
        elevation: String::new(),
        export: None,
        action: format!("chancery.admin.v1.{action}"),
        ..event(sequence, "ada")
    }
}

/// The event that sets the retention of a class; it is in effect at once.
pub(super) fn sets(sequence: u64, class: &str, keep: &str) -> AuditEvent {
    let event = at(sequence, "RetentionsService/SetRetention");
    let spec = RetentionSpec { class: class.to_owned(), keep: keep.to_owned(), ..RetentionSpec::default() };
    let set = Retention { spec: Some(spec), effective_time: event.create_time, ..Retention::default() };
    let name = format!("retentions/{class}");
    let change = AuditedChange { name, diff: retention_told(&set), ..AuditedChange::default() };
    AuditEvent { changes: vec![change], ..event }
}

/// The event that tells that others were pruned, by the retention of what is read.
pub(super) fn prunes(sequence: u64, pruned: &[i64]) -> AuditEvent {
    let AuditEvent { name, sequence, create_time, .. } = at(sequence, "");
    AuditEvent {
        name,
        sequence,
        create_time,
        actor: "system".to_owned(),
        action: crate::pruned::PRUNE_EVENTS.to_owned(),
        resource: "auditEvents".to_owned(),
        outcome: "ok".to_owned(),
        changes: crate::pruned::changes(pruned),
        approvals: vec!["retentions/reads".to_owned()],
        ..AuditEvent::default()
    }
}

fn event(sequence: u64, actor: &str) -> AuditEvent {
    let diff = format!(r#"[{{"op":"replace","path":"/spec/layer","value":"=layer {sequence}"}}]"#);
    let change = AuditedChange {
        name: format!("rules/r-{sequence}"),
        change: "created".to_owned(),
        before_digest: String::new(),
        after_digest: hex(&leaf(&sequence.to_be_bytes())),
        diff: if sequence.is_multiple_of(2) { String::new() } else { diff },
        diff_left_out: if sequence.is_multiple_of(2) { "it is too long".to_owned() } else { String::new() },
    };
    AuditEvent {
        name: format!("auditEvents/{sequence}"),
        sequence: sequence as i64,
        create_time: Some(prost_types::Timestamp {
            seconds: 1_790_000_000 + sequence as i64,
            nanos: 120_000_000,
        }),
        actor: format!("platform/{actor}"),
        key_id: "k1".to_owned(),
        action: "chancery.admin.v1.RulesService/CreateRule".to_owned(),
        resource: format!("rules/r-{sequence}"),
        outcome: "ok".to_owned(),
        revision: sequence as i64 + 1,
        changes: if sequence.is_multiple_of(3) { Vec::new() } else { vec![change] },
        request_id: format!("0198-{sequence}"),
        reason: if sequence.is_multiple_of(2) {
            String::new()
        } else {
            "=HYPERLINK(\"http://a\"; \"é\")".to_owned()
        },
        ticket: "CHG-1".to_owned(),
        unlogged: 0,
        address: "192.0.2.1".to_owned(),
        method: "api_key".to_owned(),
        source: "rest".to_owned(),
        client: "-curl/8".to_owned(),
        approvals: if sequence == 3 {
            vec!["platform/bob".to_owned(), "platform/eve".to_owned()]
        } else {
            Vec::new()
        },
        elevation: if sequence == 3 { "elevations/7".to_owned() } else { String::new() },
        export: (sequence == 3).then(|| AuditedExport {
            log: "auditLeaves".to_owned(),
            filter: "actor=platform/eve".to_owned(),
            first: 1,
            last: 2,
            count: 2,
        }),
        pruned: None,
    }
}

pub(super) fn asked() -> Asked {
    Asked { action: Some("CreateRule".to_owned()), ..Asked::default() }
}

pub(super) fn header(given: &Given, asked: Option<Asked>) -> Header {
    let size = given.leaves.len() as u64;
    Header::new(ORIGIN, size, &note(given, size), asked)
}

/// The log's checkpoint of a size, signed by two generations of keys.
pub(super) fn note(given: &Given, size: u64) -> String {
    let root = given.root(Range::all(size));
    Checkpoint { origin: ORIGIN.to_owned(), size, root }.signed(&[pair(1), pair(2)])
}

pub(super) fn pair(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

pub(super) fn public(pair: &Ed25519KeyPair) -> Vec<u8> {
    pair.public_key().as_ref().to_vec()
}

/// The key of the log.
pub(super) fn keys() -> Keys {
    Keys::read(&VerifierKey::of(ORIGIN, &public(&pair(1))).unwrap().to_string()).unwrap()
}

/// What is told of a file to who has the key.
pub(super) fn report(file: &[u8]) -> Report {
    verify(file, &Trust { keys: &keys(), earlier: None, known: None }).unwrap()
}

pub(super) fn chained(prev: &Hash, body: &[u8]) -> Hash {
    leaf(&[prev.as_slice(), body].concat())
}

pub(super) fn base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
