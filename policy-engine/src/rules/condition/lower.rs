//! From a checked condition to the form that is evaluated: texts become symbols, negations move to the leaves,
//! constants fold away, and `a == 'x' || a == 'y'` becomes one question.
//!
//! Law: every step keeps the answer under Kleene's logic, unknown included.

use std::collections::BTreeMap;

use super::attribute::Text;
use super::check::Typed;
use super::program::{Atom, Node};
use super::symbol::{Interner, Symbol};

/// Lowers a condition.
pub(super) fn lower(typed: &Typed, interner: &mut Interner) -> Node {
    Lowering { interner }.node(typed, false)
}

struct Lowering<'i> {
    interner: &'i mut Interner,
}

impl Lowering<'_> {
    fn node(&mut self, typed: &Typed, negated: bool) -> Node {
        let atom = match typed {
            Typed::Constant(known) => return Node::Constant(*known != negated),
            Typed::Not(inner) => return self.node(inner, !negated),
            Typed::All(parts) | Typed::Any(parts) => {
                let nodes: Vec<Node> = parts.iter().map(|part| self.node(part, negated)).collect();
                // De Morgan: a negated disjunction is the conjunction of the negated parts.
                return match matches!(typed, Typed::All(_)) != negated {
                    true => all(nodes),
                    false => any(nodes),
                };
            }
            Typed::Same(pair) => return self.same(&pair.0, &pair.1, negated),
            Typed::Flag(flag) => Atom::Flag(*flag),
            Typed::Equals(text, None) => Atom::Equals(*text, None),
            Typed::Equals(text, Some(word)) => Atom::Equals(*text, Some(self.interner.intern(word))),
            Typed::EqualTexts(left, right) => Atom::EqualTexts(*left, *right),
            Typed::Holds(set, word) => Atom::Holds(*set, self.interner.intern(word)),
            Typed::HoldsText(set, text) => Atom::HoldsText(*set, *text),
        };
        if negated { Node::IsNot(atom) } else { Node::Is(atom) }
    }

    fn same(&mut self, left: &Typed, right: &Typed, negated: bool) -> Node {
        match (self.node(left, false), self.node(right, false)) {
            (Node::Constant(known), _) => self.node(right, known == negated),
            (_, Node::Constant(known)) => self.node(left, known == negated),
            (one, other) => match negated {
                false => Node::Same(Box::new((one, other))),
                true => Node::Same(Box::new((self.node(left, true), other))),
            },
        }
    }
}

fn all(nodes: Vec<Node>) -> Node {
    let mut parts = Vec::with_capacity(nodes.len());
    for node in nodes {
        match node {
            Node::Constant(true) => {}
            Node::Constant(false) => return Node::Constant(false),
            Node::All(inner) => parts.extend(inner),
            other => parts.push(other),
        }
    }
    single(parts, true, Node::All)
}

fn any(nodes: Vec<Node>) -> Node {
    let mut parts = Vec::with_capacity(nodes.len());
    for node in nodes {
        match node {
            Node::Constant(false) => {}
            Node::Constant(true) => return Node::Constant(true),
            Node::Any(inner) => parts.extend(inner),
            other => parts.push(other),
        }
    }
    single(merge(parts), false, Node::Any)
}

fn single(mut parts: Vec<Node>, empty: bool, several: fn(Box<[Node]>) -> Node) -> Node {
    match parts.len() {
        0 => Node::Constant(empty),
        1 => parts.pop().unwrap_or(Node::Constant(empty)),
        _ => several(parts.into_boxed_slice()),
    }
}

/// Joins the alternatives that ask one attribute for one text each.
fn merge(parts: Vec<Node>) -> Vec<Node> {
    let mut words: BTreeMap<Text, Vec<Symbol>> = BTreeMap::new();
    let mut rest = Vec::new();
    for part in parts {
        match part {
            Node::Is(Atom::Equals(text, Some(symbol))) => words.entry(text).or_default().push(symbol),
            Node::Is(Atom::OneOf(text, symbols)) => words.entry(text).or_default().extend(symbols),
            other => rest.push(other),
        }
    }
    let joined = words.into_iter().map(|(text, mut symbols)| {
        symbols.sort_unstable();
        symbols.dedup();
        match symbols.as_slice() {
            [one] => Node::Is(Atom::Equals(text, Some(*one))),
            _ => Node::Is(Atom::OneOf(text, symbols.into_boxed_slice())),
        }
    });
    joined.chain(rest).collect()
}
