//! What a condition needs in order to hold, so that thousands of rules can be found by what a request is.
//!
//! Law: a known attribute without any of its anchor's values makes the condition *false*, not unknown. So a rule may
//! be passed over by its anchor, and only an unknown attribute obliges to ask every rule anchored on it.

use std::collections::BTreeMap;

use super::attribute::Attribute;
use super::program::{Atom, Node};
use super::symbol::Symbol;

/// An attribute that has to have one of these values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// The attribute: a text or a set.
    pub attribute: Attribute,
    /// The values, sorted; none of them is [`Symbol::UNSEEN`]. Empty if the condition can never hold.
    pub values: Vec<Symbol>,
}

/// Every anchor there is, those with the fewest values first; on the endpoint only if there is no other, since candidates are
/// not known yet when rules are looked for.
pub(super) fn anchors(root: &Node) -> Vec<Anchor> {
    let late = |anchor: &Anchor| anchor.attribute.bit() & Attribute::ENDPOINT != 0;
    let all = needs(root).into_iter().map(|(attribute, values)| Anchor { attribute, values });
    let (late, mut anchors): (Vec<_>, Vec<_>) = all.partition(late);
    if anchors.is_empty() {
        anchors = late;
    }
    anchors.sort_by_key(|anchor| anchor.values.len());
    anchors
}

type Needs = BTreeMap<Attribute, Vec<Symbol>>;

fn needs(node: &Node) -> Needs {
    let one = |attribute, values: &[Symbol]| Needs::from([(attribute, values.to_vec())]);
    match node {
        Node::Is(Atom::Equals(text, Some(symbol))) => one(Attribute::Text(*text), &[*symbol]),
        Node::Is(Atom::OneOf(text, symbols)) => one(Attribute::Text(*text), symbols),
        Node::Is(Atom::Holds(set, symbol)) => one(Attribute::Set(*set), &[*symbol]),
        Node::All(parts) => parts.iter().map(needs).fold(Needs::new(), both),
        Node::Any(parts) => parts.iter().map(needs).reduce(either).unwrap_or_default(),
        _ => Needs::new(),
    }
}

/// Both must hold: every need of either side is a need; of two for the same attribute the smaller serves.
fn both(mut left: Needs, right: Needs) -> Needs {
    for (attribute, values) in right {
        match left.get_mut(&attribute) {
            Some(known) if known.len() <= values.len() => {}
            _ => drop(left.insert(attribute, values)),
        }
    }
    left
}

/// One must hold: only attributes that both sides need, with the values of both.
fn either(left: Needs, mut right: Needs) -> Needs {
    let mut sum = Needs::new();
    for (attribute, mut values) in left {
        if let Some(more) = right.remove(&attribute) {
            values.extend(more);
            values.sort_unstable();
            values.dedup();
            sum.insert(attribute, values);
        }
    }
    sum
}
