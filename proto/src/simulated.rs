//! Simulations between control plane and nodes: the policy that is sent, and what came of it.
//!
//! Law: what a node says of a simulation is taken in within the bounds that `sync.proto` gives; what is beyond them is not said in the first
//! place. Absent on purpose: digests and signatures of the policy. Nothing of it is ever enforced, and the stream says who sent it.

use std::fmt::Display;

use policy_engine::compile;
use policy_engine::facts::Facts;
use policy_engine::simulate::{Counts, EXAMPLES, Flips, Tally, Turn, Who};
use policy_engine::snapshot::{CompiledSnapshot, Header};
use policy_engine::vocabulary::{Geo, Kind};
use prost::Message as _;
use thiserror::Error;

use crate::convert;
use crate::manifest::Holding;
use crate::name;
use crate::sync::{Resource, Scope, SimulatedDone, SimulatedFlip, SimulatedPart, SnapshotContents};

/// Reasons, and rules, of one flip at most.
const WORDS: usize = 32;

/// Flips, and hashes of manifests, of one part at most; and its bytes, about.
const FLIPS: usize = 64;
const HASHES: usize = 1_024;
const BYTES: usize = 48 << 10;

/// Why policy can't be judged by.
#[derive(Debug, Error)]
pub enum Unjudgeable {
    /// It does not decode.
    #[error("the policy does not decode")]
    Undecodable(#[from] prost::DecodeError),
    /// A resource of it can't be read, or does not fit the others: which, and why.
    #[error("{0}")]
    Resource(String),
}

/// Resources of a scope, compiled.
///
/// # Errors
/// One can't be read, or they do not fit together; the first is told.
pub fn compiled(
    resources: impl IntoIterator<Item = Resource>,
    header: Header,
) -> Result<CompiledSnapshot, Unjudgeable> {
    let mut facts = Facts::default();
    for resource in resources {
        let Resource { kind, name, body, .. } = &resource;
        convert::insert(&mut facts, kind, name, body)
            .map_err(|_| Unjudgeable::Resource(format!("`{kind} {name}`")))?;
    }
    compile(&facts, header).map_err(|faults| {
        let first = faults.first().map(|fault| format!("{} {}: {}", fault.kind, fault.id, fault.message));
        Unjudgeable::Resource(first.unwrap_or_default())
    })
}

/// What is in force and what would be, from what a node is sent: the draft whole, and what makes of it what is in force.
///
/// # Errors
/// Either can't be judged by.
pub fn worlds(
    (draft, head): (&[u8], &[u8]),
    geo: &Geo,
) -> Result<(CompiledSnapshot, CompiledSnapshot), Unjudgeable> {
    let scope = Scope { geo: geo.to_string(), node_class: String::new() };
    let (draft, changes) = (SnapshotContents::decode(draft)?, SnapshotContents::decode(head)?);
    let twice = |twice: crate::manifest::Twice| Unjudgeable::Resource(twice.to_string());
    let mut holding = Holding::whole(scope, draft.resources).map_err(twice)?;
    let header = Header { revision: 0, geo: Some(geo.clone()) };
    let draft = compiled(holding.contents().resources, header.clone())?;
    for gone in changes.removed {
        holding.take(&gone.kind, &gone.name);
    }
    for resource in changes.resources {
        holding.put(resource);
    }
    Ok((compiled(holding.contents().resources, header)?, draft))
}

/// What came of records, in parts and then in numbers; `hashes` are those of the manifests of segments that were read.
pub fn said(tally: Tally, hashes: Vec<Vec<u8>>) -> (Vec<SimulatedPart>, SimulatedDone) {
    let Tally { counts, flips, more, .. } = tally;
    let of_hashes = hashes.chunks(HASHES);
    let of_hashes = of_hashes
        .map(|hashes| SimulatedPart { manifest_hashes: hashes.to_vec(), ..SimulatedPart::default() });
    let mut parts: Vec<SimulatedPart> = of_hashes.collect();
    let mut part = SimulatedPart::default();
    let mut bytes = 0;
    for (who, flips) in flips {
        let flip = wire(who, flips);
        let length = flip.encoded_len();
        if part.flips.len() == FLIPS || (bytes + length > BYTES && !part.flips.is_empty()) {
            parts.push(std::mem::take(&mut part));
            bytes = 0;
        }
        bytes += length;
        part.flips.push(flip);
    }
    if !part.flips.is_empty() {
        parts.push(part);
    }
    let Counts { same, elsewhere, allow_to_deny, deny_to_allow, already, undecided, skipped } = counts;
    let done =
        SimulatedDone { same, elsewhere, allow_to_deny, deny_to_allow, already, undecided, skipped, more };
    (parts, done)
}

/// How many of each a node said.
pub fn counts(done: &SimulatedDone) -> Counts {
    let SimulatedDone { same, elsewhere, allow_to_deny, deny_to_allow, already, undecided, skipped, .. } =
        *done;
    Counts { same, elsewhere, allow_to_deny, deny_to_allow, already, undecided, skipped }
}

/// Who turns on what, as a node said it; what is no name of a rule is left out.
pub fn flip(said: SimulatedFlip) -> (Who, Flips) {
    let turn = if said.deny_to_allow { Turn::DenyToAllow } else { Turn::AllowToDeny };
    let who = Who { turn, tenant: said.tenant, principal: said.principal, model: said.model };
    let rules = said.rules.iter().take(WORDS).filter_map(|rule| name::parse_as(Kind::Rule, rule).ok());
    let flips = Flips {
        count: said.count,
        already: said.already,
        reasons: said.reasons.into_iter().take(WORDS).collect(),
        rules: rules.collect(),
        examples: said.examples.into_iter().take(EXAMPLES).collect(),
    };
    (who, flips)
}

fn wire(who: Who, flips: Flips) -> SimulatedFlip {
    fn words<T: Display>(all: impl IntoIterator<Item = T>) -> Vec<String> {
        all.into_iter().take(WORDS).map(|word| word.to_string()).collect()
    }
    SimulatedFlip {
        deny_to_allow: who.turn == Turn::DenyToAllow,
        tenant: who.tenant,
        principal: who.principal,
        // What a caller asked for may be as long as it likes.
        model: who.model.chars().take(100).collect(),
        count: flips.count,
        already: flips.already,
        reasons: words(flips.reasons),
        rules: words(flips.rules.iter().map(|rule| name::format(Kind::Rule, rule))),
        examples: flips.examples,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_in_parts_is_what_was_counted() {
        let mut tally = Tally::naming(1_000);
        tally.counts = Counts { same: 4, allow_to_deny: 400, already: 3, ..Counts::default() };
        for at in 0..400_u64 {
            let turn = if at % 2 == 0 { Turn::AllowToDeny } else { Turn::DenyToAllow };
            let who =
                Who { turn, tenant: "acme".into(), principal: format!("p~{at}"), model: "models/m".into() };
            let flips = Flips {
                count: at + 1,
                already: at,
                reasons: ["rule_forbids".to_owned()].into(),
                rules: [name::parse_as(Kind::Rule, "tenants/acme/rules/r").unwrap()].into(),
                examples: vec!["r-1".to_owned()],
            };
            tally.add(who, flips);
        }
        let (parts, done) = said(tally.clone(), vec![vec![7; 32]; HASHES + 1]);
        assert!(parts.iter().all(|part| part.encoded_len() < 64 << 10 && part.flips.len() <= FLIPS));
        assert_eq!(parts.iter().map(|part| part.manifest_hashes.len()).sum::<usize>(), HASHES + 1);
        let mut heard = Tally::naming(1_000);
        heard.counts = counts(&done);
        parts.into_iter().flat_map(|part| part.flips).for_each(|said| {
            let (who, flips) = flip(said);
            heard.add(who, flips);
        });
        assert_eq!(heard, tally);
    }
}
