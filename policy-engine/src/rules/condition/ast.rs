//! The expression as written, with the place of every part.

/// A range of bytes of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Span {
    pub(super) fn to(self, other: Span) -> Span {
        Span { start: self.start, end: other.end }
    }
}

/// A part of an expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Expression {
    pub(super) span: Span,
    pub(super) shape: Shape,
}

/// What a part is. Chains of `&&` and `||` are flat; chains of comparisons lean left.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape {
    Any(Vec<Expression>),
    All(Vec<Expression>),
    Relation(Relation, Box<(Expression, Expression)>),
    Not(Box<Expression>),
    Path(String),
    List(Vec<Expression>),
    Text(String),
    Integer(i64),
    Bool(bool),
    Null,
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relation {
    Equal,
    NotEqual,
    In,
}
