//! Rules where a request that they may hold for will look.
//!
//! Law: a rule that holds, or may for want of a fact, is always found; finding one too many costs time alone. What a tenant
//! owns lies in a bucket of its own, so that no request of another tenant comes past it.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use super::Table;
use super::rows::{Duties, Gate, RuleRow};
use crate::facts::Map;
use crate::rules::condition::{Attribute, Symbol};
use crate::vocabulary::{Entity, Id};

/// All rules, and where to look for them.
#[derive(Debug, Clone, Default)]
pub(crate) struct RuleTable {
    /// Each rule's position, and its rank among all by id.
    pub(crate) filed: Map<Id, Filed>,
    pub(crate) rows: Table<RuleRow>,
    /// What each rule is asked by, in the order of the rows.
    pub(crate) gates: Table<Gate>,
    /// What rules oblige to, each once.
    pub(crate) duties: Table<Duties>,
    /// The platform's, which concern everybody.
    pub(crate) platform: Arc<RuleBucket>,
    /// Each tenant's own.
    pub(crate) tenants: HashedBy<u32, Arc<RuleBucket>>,
    /// Positions that rules have left.
    pub(crate) vacant: Vec<u32>,
}

/// A rule where it is looked for: its rank, which orders rules by id, and its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Filed(u64);

impl Filed {
    pub(crate) fn new(rank: u32, position: u32) -> Self {
        Self(u64::from(rank) << 32 | u64::from(position))
    }

    pub(crate) fn rank(self) -> u32 {
        (self.0 >> 32) as u32
    }

    pub(crate) fn position(self) -> u32 {
        self.0 as u32
    }
}

/// The rules of one owner, each under every value of one attribute that it can't hold without.
#[derive(Debug, Clone, Default)]
pub(crate) struct RuleBucket {
    pub(crate) anchored: HashedBy<(Attribute, Symbol), Vec<Filed>>,
    /// Rules that count an unknown attribute as a match, by the attribute they are filed under.
    pub(crate) when_unknown: HashedBy<Attribute, Vec<Filed>>,
    /// The attributes that rules are filed under, each once.
    pub(crate) filed: Vec<Attribute>,
    /// Rules that nothing needs to be true of.
    pub(crate) unanchored: Vec<Filed>,
    /// How many rules depend on classes of data.
    pub(crate) read_classes: u32,
    /// How many rules mask or block each entity, in the order of [`Entity::ALL`].
    pub(crate) act_on: [u32; Entity::ALL.len()],
}

impl RuleTable {
    /// The buckets that concern a tenant.
    pub(crate) fn buckets(&self, tenant: u32) -> impl Iterator<Item = &RuleBucket> {
        let own = self.tenants.get(&tenant).map(|bucket| &**bucket);
        std::iter::once(&*self.platform).chain(own)
    }

    /// What a rule obliges to.
    pub(crate) fn duties(&self, gate: &Gate) -> Option<&Duties> {
        self.duties.get(gate.duties as usize)
    }

    /// Whether the answer to a tenant's request can depend on the classes of data in it.
    pub(crate) fn reads_classes(&self, tenant: u32) -> bool {
        self.buckets(tenant).any(RuleBucket::reads_classes)
    }

    /// Whether content must be read before a tenant's request is decided.
    pub(crate) fn asks_for_content(&self, tenant: u32) -> bool {
        self.buckets(tenant).any(RuleBucket::asks_for_content)
    }
}

impl RuleBucket {
    /// Whether some rule depends on classes of data.
    pub(crate) fn reads_classes(&self) -> bool {
        self.read_classes != 0
    }

    /// Whether some rule depends on what is found in content, or says what happens to it.
    pub(crate) fn asks_for_content(&self) -> bool {
        self.reads_classes() || self.act_on.iter().any(|rules| *rules != 0)
    }

    /// The entities to look for, one bit each; a rule that reads classes of data may ask for any.
    pub(crate) fn entities(&self) -> u32 {
        let asked = |count: &u32| self.reads_classes() || *count != 0;
        let each = Entity::ALL.iter().zip(&self.act_on);
        each.filter(|(_, count)| asked(count)).fold(0, |sum, (entity, _)| sum | entity.bit())
    }

    /// The rules filed under one value.
    pub(crate) fn under(&self, attribute: Attribute, symbol: Symbol) -> &[Filed] {
        match symbol {
            Symbol::UNSEEN => &[],
            known => self.anchored.get(&(attribute, known)).map_or(&[], Vec::as_slice),
        }
    }

    /// The rules filed under an attribute that match when it is unknown.
    pub(crate) fn under_unknown(&self, attribute: Attribute) -> &[Filed] {
        self.when_unknown.get(&attribute).map_or(&[], Vec::as_slice)
    }
}

/// A map over small keys that we made ourselves; for texts of others the standard one stands, which can't be flooded.
pub(crate) type HashedBy<K, V> = HashMap<K, V, BuildHasherDefault<Mixer>>;

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
