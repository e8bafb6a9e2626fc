//! Rules where a request that they may hold for will look.
//!
//! Law: a rule that holds, or may for want of a fact, is always found; finding one too many costs time alone. What a tenant
//! owns lies in a bucket of its own, so that no request of another tenant comes past it.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::rows::{Duties, Gate, RuleRow};
use crate::rules::condition::{Attribute, Symbol};

/// All rules, and where to look for them.
#[derive(Debug, Default)]
pub(crate) struct RuleTable {
    pub(crate) rows: Vec<RuleRow>,
    /// What each rule is asked by, in the order of the rows.
    pub(crate) gates: Vec<Gate>,
    /// What rules oblige to, each once.
    pub(crate) duties: Vec<Duties>,
    /// The platform's, which concern everybody.
    pub(crate) platform: RuleBucket,
    /// Each tenant's own.
    pub(crate) tenants: Map<u32, RuleBucket>,
}

/// The rules of one owner, each under every value of one attribute that it can't hold without.
#[derive(Debug, Default)]
pub(crate) struct RuleBucket {
    pub(crate) anchored: Map<(Attribute, Symbol), Vec<u32>>,
    /// Rules that count an unknown attribute as a match, by the attribute they are filed under.
    pub(crate) when_unknown: Map<Attribute, Vec<u32>>,
    /// The attributes that rules are filed under, each once.
    pub(crate) filed: Vec<Attribute>,
    /// Rules that nothing needs to be true of.
    pub(crate) unanchored: Vec<u32>,
    /// Some rule depends on classes of data.
    pub(crate) reads_classes: bool,
    /// The entities that some rule masks or blocks, one bit each.
    pub(crate) acts_on: u32,
}

impl RuleTable {
    /// The buckets that concern a tenant.
    pub(crate) fn buckets(&self, tenant: u32) -> impl Iterator<Item = &RuleBucket> {
        std::iter::once(&self.platform).chain(self.tenants.get(&tenant))
    }

    /// What a rule obliges to.
    pub(crate) fn duties(&self, gate: &Gate) -> Option<&Duties> {
        self.duties.get(gate.duties as usize)
    }

    /// Whether the answer to a tenant's request can depend on the classes of data in it.
    pub(crate) fn reads_classes(&self, tenant: u32) -> bool {
        self.buckets(tenant).any(|bucket| bucket.reads_classes)
    }

    /// Whether content must be read before a tenant's request is decided.
    pub(crate) fn asks_for_content(&self, tenant: u32) -> bool {
        self.buckets(tenant).any(|bucket| bucket.reads_classes || bucket.acts_on != 0)
    }
}

impl RuleBucket {
    /// The rules filed under one value.
    pub(crate) fn under(&self, attribute: Attribute, symbol: Symbol) -> &[u32] {
        match symbol {
            Symbol::UNSEEN => &[],
            known => self.anchored.get(&(attribute, known)).map_or(&[], Vec::as_slice),
        }
    }

    /// The rules filed under an attribute that match when it is unknown.
    pub(crate) fn under_unknown(&self, attribute: Attribute) -> &[u32] {
        self.when_unknown.get(&attribute).map_or(&[], Vec::as_slice)
    }
}

/// A map over small keys that we made ourselves; for texts of others the standard one stands, which can't be flooded.
pub(crate) type Map<K, V> = HashMap<K, V, BuildHasherDefault<Mixer>>;

/// Multiplies and folds, a word at a time.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Mixer(u64);

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u8(&mut self, value: u8) {
        self.write_u64(u64::from(value));
    }

    fn write_u32(&mut self, value: u32) {
        self.write_u64(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn write_isize(&mut self, value: isize) {
        self.write_u64(value as u64);
    }
}
