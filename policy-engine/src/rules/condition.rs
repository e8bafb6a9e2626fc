//! The condition of a rule: a subset of CEL, checked against a closed vocabulary and lowered to a form that decides in
//! nanoseconds.
//!
//! Law: what compiles means exactly what CEL means (the `cel` crate is the oracle of `tests/condition_oracle.rs`), and
//! what is not known is [`Truth::Unknown`], never false: a rule must not be escaped by leaving something unsaid.
//! Absent on purpose: arithmetic, order, functions, macros and `now`; they come with the whole language.
//!
//! | level, loosest first | operators | operands |
//! |---|---|---|
//! | 1 | `a \|\| b` | truths |
//! | 2 | `a && b` | truths |
//! | 3 | `a == b`, `a != b` | two texts, a text and `null`, two truths |
//! | 3 | `a in b` | a text and a set, or anything and a list `[x, y]` |
//! | 4 | `!a` | a truth |
//! | 5 | `(a)`, `attribute.path`, `'text'`, `true`, `12`, `null` | |
//!
//! The stages are text → `parse` → `check` (types and vocabulary) → `lower` (interned, negations at the leaves) →
//! [`Condition::evaluate`].

mod anchor;
mod ast;
mod attribute;
mod check;
mod compared;
mod fault;
mod literal;
mod lower;
mod parse;
mod program;
mod symbol;
mod token;
mod value;

pub use anchor::Anchor;
pub use attribute::{Attribute, Flag, Set, Text};
pub use compared::compared;
pub use fault::{ConditionError, ConditionFault, MAX_BYTES, MAX_DEPTH};
pub use symbol::{Interner, Symbol};
pub use value::{Attributes, Caller, EndpointSide, Members, ModelSide, RequestSide, Truth, Value};

use program::Node;

/// A condition that has been checked; it can no longer fail.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    root: Node,
    mentions: u32,
}

impl Condition {
    /// Compiles a text; blank always holds. Symbols for the texts it names are made in `interner`. Every fault of
    /// type or vocabulary is returned, but only the first of syntax.
    pub fn compile(text: &str, interner: &mut Interner) -> Result<Self, Vec<ConditionError>> {
        if text.trim().is_empty() {
            return Ok(Self { root: Node::Constant(true), mentions: 0 });
        }
        let expression = parse::parse(text).map_err(|fault| vec![fault])?;
        let typed = check::check(&expression)?;
        let root = lower::lower(&typed, interner);
        let mut mentions = 0;
        root.visit(&mut |attribute| mentions |= attribute.bit());
        Ok(Self { root, mentions })
    }

    /// Whether it holds, by Kleene's three-valued logic. Allocates nothing.
    pub fn evaluate(&self, attributes: &Attributes<'_>) -> Truth {
        self.root.evaluate(attributes)
    }

    /// What it needs in order to hold, each of these alone; those with the fewest values first.
    pub fn anchors(&self) -> Vec<Anchor> {
        anchor::anchors(&self.root)
    }

    /// Whether the answer can depend on this attribute.
    pub fn mentions(&self, attribute: Attribute) -> bool {
        self.mentions & attribute.bit() != 0
    }

    /// Whether the answer can depend on the candidate endpoint, so that it has to be asked for each.
    pub fn mentions_endpoint(&self) -> bool {
        self.mentions & Attribute::ENDPOINT != 0
    }

    /// Whether the answer can depend on what inspection finds.
    pub fn mentions_data_classes(&self) -> bool {
        self.mentions(Attribute::Set(Set::DataClasses))
    }
}

#[cfg(test)]
mod tests;
