//! Types and vocabulary: from an expression as written to one that can no longer be wrong.
//!
//! Law: every fault is reported, each with its place and with what would have been right.

use super::ast::{Expression, Relation, Shape, Span};
use super::attribute::{Attribute, Flag, Set, Text};
use super::fault::{ConditionError, ConditionFault, shown};

/// A checked truth.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Typed {
    Constant(bool),
    All(Vec<Typed>),
    Any(Vec<Typed>),
    Not(Box<Typed>),
    /// Two truths are the same.
    Same(Box<(Typed, Typed)>),
    Flag(Flag),
    /// `None` is `null`.
    Equals(Text, Option<String>),
    EqualTexts(Text, Text),
    Holds(Set, String),
    HoldsText(Set, Text),
}

/// Checks that an expression is a truth.
pub(super) fn check(expression: &Expression) -> Result<Typed, Vec<ConditionError>> {
    let mut checker = Checker { faults: Vec::new() };
    let typed = checker.truth(expression);
    if checker.faults.is_empty() { Ok(typed) } else { Err(checker.faults) }
}

/// What an operand turned out to be.
#[derive(Clone)]
enum Operand<'e> {
    Truth(Typed),
    TextOf(Text),
    SetOf(Set),
    Text(&'e str),
    Integer(i64),
    Null,
    List(&'e [Expression]),
    /// Faulty, and already reported.
    Faulty,
}

impl Operand<'_> {
    fn named(&self) -> String {
        match self {
            Operand::Truth(Typed::Flag(flag)) => format!("the flag `{}`", flag.path()),
            Operand::Truth(_) => "a truth".to_owned(),
            Operand::TextOf(text) => format!("the text `{}`", text.path()),
            Operand::SetOf(set) => format!("the set `{}`", set.path()),
            Operand::Text(text) => format!("the text '{}'", shown(text)),
            Operand::Integer(number) => format!("the number {number}"),
            Operand::Null => "null".to_owned(),
            Operand::List(_) => "a list".to_owned(),
            Operand::Faulty => "something faulty".to_owned(),
        }
    }
}

/// The places of two operands and of the whole comparison.
#[derive(Clone, Copy)]
struct At {
    left: Span,
    right: Span,
    whole: Span,
}

/// What stands for a part that is faulty: the faults make sure that nobody sees it.
const FAULTY: Typed = Typed::Constant(false);

struct Checker {
    faults: Vec<ConditionError>,
}

impl Checker {
    fn truth(&mut self, expression: &Expression) -> Typed {
        match self.operand(expression) {
            Operand::Truth(typed) => typed,
            Operand::Faulty => FAULTY,
            Operand::SetOf(set) => {
                let right = format!("ask what is in it: `'...' in {}`", set.path());
                self.mismatch(expression.span, format!("`{}` is a set, not a truth", set.path()), right)
            }
            Operand::TextOf(text) => {
                let right = format!("compare it: `{} == '...'`", text.path());
                self.mismatch(expression.span, format!("`{}` is a text, not a truth", text.path()), right)
            }
            other => {
                let found = format!("{} is not a truth", other.named());
                self.mismatch(expression.span, found, "a condition is true or false".to_owned())
            }
        }
    }

    fn operand<'e>(&mut self, expression: &'e Expression) -> Operand<'e> {
        match &expression.shape {
            Shape::All(parts) => Operand::Truth(Typed::All(parts.iter().map(|p| self.truth(p)).collect())),
            Shape::Any(parts) => Operand::Truth(Typed::Any(parts.iter().map(|p| self.truth(p)).collect())),
            Shape::Not(inner) => Operand::Truth(Typed::Not(Box::new(self.truth(inner)))),
            Shape::Relation(relation, sides) => {
                Operand::Truth(self.relation(*relation, sides, expression.span))
            }
            Shape::Path(path) => self.attribute(path, expression.span),
            Shape::Text(text) => Operand::Text(text),
            Shape::Integer(number) => Operand::Integer(*number),
            Shape::Bool(known) => Operand::Truth(Typed::Constant(*known)),
            Shape::Null => Operand::Null,
            Shape::List(parts) => Operand::List(parts),
        }
    }

    fn attribute<'e>(&mut self, path: &str, span: Span) -> Operand<'e> {
        match Attribute::find(path) {
            Some(Attribute::Text(text)) => Operand::TextOf(text),
            Some(Attribute::Set(set)) => Operand::SetOf(set),
            Some(Attribute::Flag(flag)) => Operand::Truth(Typed::Flag(flag)),
            None => {
                self.fault(span, ConditionFault::Attribute { found: shown(path), hint: hint(path) });
                Operand::Faulty
            }
        }
    }

    fn relation(&mut self, relation: Relation, sides: &(Expression, Expression), whole: Span) -> Typed {
        let (left, right) = (self.operand(&sides.0), self.operand(&sides.1));
        let at = At { left: sides.0.span, right: sides.1.span, whole };
        match (relation, right) {
            (Relation::Equal, right) => self.equal(left, right, at),
            (Relation::NotEqual, right) => Typed::Not(Box::new(self.equal(left, right, at))),
            (Relation::In, Operand::List(parts)) => self.in_list(&left, parts, at),
            (Relation::In, right) => self.in_set(left, right, at),
        }
    }

    fn equal(&mut self, left: Operand<'_>, right: Operand<'_>, at: At) -> Typed {
        match (left, right) {
            (Operand::Faulty, _) | (_, Operand::Faulty) => FAULTY,
            (Operand::Truth(left), Operand::Truth(right)) => Typed::Same(Box::new((left, right))),
            (Operand::TextOf(attribute), Operand::Text(text)) => {
                self.word(Attribute::Text(attribute), text, at.right);
                Typed::Equals(attribute, Some(text.to_owned()))
            }
            (Operand::Text(text), Operand::TextOf(attribute)) => {
                self.word(Attribute::Text(attribute), text, at.left);
                Typed::Equals(attribute, Some(text.to_owned()))
            }
            (Operand::TextOf(attribute), Operand::Null) | (Operand::Null, Operand::TextOf(attribute)) => {
                Typed::Equals(attribute, None)
            }
            (Operand::TextOf(left), Operand::TextOf(right)) => Typed::EqualTexts(left, right),
            (Operand::Text(left), Operand::Text(right)) => Typed::Constant(left == right),
            (Operand::Integer(left), Operand::Integer(right)) => Typed::Constant(left == right),
            (Operand::Null, Operand::Null) => Typed::Constant(true),
            (Operand::SetOf(set), _) | (_, Operand::SetOf(set)) => {
                let right = format!("ask what is in it: `'...' in {}`", set.path());
                self.mismatch(at.whole, format!("`{}` is a set and equals nothing", set.path()), right)
            }
            (left, right) => {
                let found = format!("{} is never {}", left.named(), right.named());
                self.mismatch(
                    at.whole,
                    found,
                    "compare a text with a text, or a truth with a truth".to_owned(),
                )
            }
        }
    }

    /// `x in [a, b]` is `x == a || x == b`.
    fn in_list(&mut self, left: &Operand<'_>, parts: &[Expression], at: At) -> Typed {
        // Copying a truth for every part could double it at every level of nesting.
        if let Operand::Truth(_) = left {
            let right = "compare it: `== true`".to_owned();
            return self.mismatch(at.whole, format!("{} is looked for in a list", left.named()), right);
        }
        let mut any = Vec::with_capacity(parts.len());
        for part in parts {
            let other = self.operand(part);
            any.push(self.equal(left.clone(), other, At { right: part.span, ..at }));
        }
        Typed::Any(any)
    }

    fn in_set(&mut self, left: Operand<'_>, right: Operand<'_>, at: At) -> Typed {
        match (left, right) {
            (Operand::Faulty, _) | (_, Operand::Faulty) => FAULTY,
            (Operand::Text(text), Operand::SetOf(set)) => {
                self.word(Attribute::Set(set), text, at.left);
                Typed::Holds(set, text.to_owned())
            }
            (Operand::TextOf(text), Operand::SetOf(set)) => Typed::HoldsText(set, text),
            (left, Operand::SetOf(set)) => {
                let found = format!("{} is never in `{}`", left.named(), set.path());
                self.mismatch(at.whole, found, "it holds texts".to_owned())
            }
            (_, Operand::TextOf(text)) => {
                let right = format!("compare it: `{} == '...'`", text.path());
                self.mismatch(at.whole, format!("`{}` is one text, not a set", text.path()), right)
            }
            (_, right) => {
                let found = format!("nothing is in {}", right.named());
                self.mismatch(at.whole, found, "`in` wants a set or a list `['a', 'b']`".to_owned())
            }
        }
    }

    fn word(&mut self, attribute: Attribute, text: &str, span: Span) {
        if let Err(expected) = attribute.words().admit(text) {
            self.fault(
                span,
                ConditionFault::Word { found: shown(text), attribute: attribute.path(), expected },
            );
        }
    }

    fn mismatch(&mut self, span: Span, found: String, right: String) -> Typed {
        self.fault(span, ConditionFault::Type { found, right });
        FAULTY
    }

    fn fault(&mut self, span: Span, fault: ConditionFault) {
        self.faults.push(ConditionError { start: span.start, end: span.end, fault });
    }
}

/// The attributes someone may have meant: those that differ by little, else those with the same beginning.
fn hint(path: &str) -> String {
    let lower = path.to_lowercase();
    let mut near: Vec<&str> =
        Attribute::all().map(Attribute::path).filter(|p| edits(&lower, &p.to_lowercase()) <= 2).collect();
    if near.is_empty() {
        let root = path.split('.').next().unwrap_or(path);
        let same_root = |p: &&str| p.split('.').next() == Some(root);
        near = Attribute::all().map(Attribute::path).filter(same_root).collect();
    }
    match near.as_slice() {
        [] => "; the attributes are under `caller`, `subject`, `node`, `model`, `endpoint`, `data`, or are `purpose`, `operation`, `stream`, `egressTools`".to_owned(),
        names => format!("; there is `{}`", names.join("`, `")),
    }
}

/// Levenshtein's distance.
fn edits(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.chars().count()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = i;
        let mut before = i + 1;
        for (b, cell) in right.chars().zip(row.iter_mut().skip(1)) {
            let best = (diagonal + usize::from(a != b)).min(before + 1).min(*cell + 1);
            diagonal = std::mem::replace(cell, best);
            before = best;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}
