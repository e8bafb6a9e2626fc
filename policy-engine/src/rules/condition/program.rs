//! The lowered form: a small tree with negations at its leaves, evaluated by Kleene's logic without allocating.
//!
//! Law: `False` decides a conjunction and `True` a disjunction whatever else is unknown, as errors do in CEL.

use super::attribute::{Attribute, Flag, Set, Text};
use super::symbol::Symbol;
use super::value::{Attributes, Members, Truth, Value};

/// A node of the tree.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Constant(bool),
    All(Box<[Node]>),
    Any(Box<[Node]>),
    /// Two truths are the same.
    Same(Box<(Node, Node)>),
    Is(Atom),
    IsNot(Atom),
}

/// A question about one or two attributes.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Atom {
    /// The attribute is this; `None` is absent.
    Equals(Text, Option<Symbol>),
    /// The attribute is one of these; sorted.
    OneOf(Text, Box<[Symbol]>),
    /// Two attributes are the same.
    EqualTexts(Text, Text),
    /// The set has this.
    Holds(Set, Symbol),
    /// The set has what the attribute is.
    HoldsText(Set, Text),
    /// The flag is set.
    Flag(Flag),
}

impl Node {
    pub(super) fn evaluate(&self, attributes: &Attributes<'_>) -> Truth {
        match self {
            Node::Constant(known) => Truth::from(*known),
            Node::Is(atom) => atom.evaluate(attributes),
            Node::IsNot(atom) => atom.evaluate(attributes).negated(),
            Node::All(parts) => fold(parts, Truth::False, attributes),
            Node::Any(parts) => fold(parts, Truth::True, attributes),
            Node::Same(pair) => match (pair.0.evaluate(attributes), pair.1.evaluate(attributes)) {
                (Truth::Unknown, _) | (_, Truth::Unknown) => Truth::Unknown,
                (left, right) => Truth::from(left == right),
            },
        }
    }

    /// Shows every attribute below this node to `see`.
    pub(super) fn visit(&self, see: &mut impl FnMut(Attribute)) {
        match self {
            Node::Constant(_) => {}
            Node::All(parts) | Node::Any(parts) => parts.iter().for_each(|part| part.visit(see)),
            Node::Same(pair) => {
                pair.0.visit(see);
                pair.1.visit(see);
            }
            Node::Is(atom) | Node::IsNot(atom) => match atom {
                Atom::Equals(text, _) | Atom::OneOf(text, _) => see(Attribute::Text(*text)),
                Atom::EqualTexts(left, right) => {
                    see(Attribute::Text(*left));
                    see(Attribute::Text(*right));
                }
                Atom::Holds(set, _) => see(Attribute::Set(*set)),
                Atom::HoldsText(set, text) => {
                    see(Attribute::Set(*set));
                    see(Attribute::Text(*text));
                }
                Atom::Flag(flag) => see(Attribute::Flag(*flag)),
            },
        }
    }
}

/// Stops at the first `decisive` part; else it is unknown if any part is, else the opposite of `decisive`.
fn fold(parts: &[Node], decisive: Truth, attributes: &Attributes<'_>) -> Truth {
    let mut sum = decisive.negated();
    for part in parts {
        match part.evaluate(attributes) {
            truth if truth == decisive => return decisive,
            Truth::Unknown => sum = Truth::Unknown,
            _ => {}
        }
    }
    sum
}

impl Atom {
    fn evaluate(&self, attributes: &Attributes<'_>) -> Truth {
        match self {
            Atom::Equals(text, wanted) => match attributes.text(*text) {
                Value::Known(symbol) => Truth::from(*wanted == Some(symbol)),
                Value::Absent => Truth::from(wanted.is_none()),
                Value::Unknown => Truth::Unknown,
            },
            Atom::OneOf(text, wanted) => match attributes.text(*text) {
                Value::Known(symbol) => Truth::from(contains(wanted, symbol)),
                Value::Absent => Truth::False,
                Value::Unknown => Truth::Unknown,
            },
            Atom::EqualTexts(left, right) => equal(attributes.text(*left), attributes.text(*right)),
            Atom::Holds(set, wanted) => match attributes.set(*set) {
                Members::Known(members) => Truth::from(contains(members, *wanted)),
                Members::Unknown => Truth::Unknown,
            },
            Atom::HoldsText(set, text) => holds(attributes.set(*set), attributes.text(*text)),
            Atom::Flag(flag) => attributes.flag(*flag),
        }
    }
}

fn equal(left: Value, right: Value) -> Truth {
    match (left, right) {
        (Value::Unknown, _) | (_, Value::Unknown) => Truth::Unknown,
        (Value::Known(Symbol::UNSEEN), Value::Known(Symbol::UNSEEN)) => Truth::Unknown,
        (left, right) => Truth::from(left == right),
    }
}

fn holds(set: Members<'_>, text: Value) -> Truth {
    match (set, text) {
        (Members::Known([]), _) | (_, Value::Absent) => Truth::False,
        (Members::Unknown, _) | (_, Value::Unknown) => Truth::Unknown,
        (Members::Known(members), Value::Known(symbol)) => match contains(members, symbol) {
            true if symbol == Symbol::UNSEEN => Truth::Unknown,
            found => Truth::from(found),
        },
    }
}

/// Short sets are searched from the front, which is faster than halving them.
fn contains(sorted: &[Symbol], wanted: Symbol) -> bool {
    if sorted.len() <= 8 { sorted.contains(&wanted) } else { sorted.binary_search(&wanted).is_ok() }
}
