//! From text to an expression: recursive descent, one function a level of precedence.
//!
//! Law: the depth is counted before every step down, so that no text can exhaust the stack.

use super::ast::{Expression, Relation, Shape, Span};
use super::fault::{ConditionError, ConditionFault, MAX_BYTES, MAX_DEPTH};
use super::token::{Token, Tokens};

/// Words that CEL keeps for itself.
const RESERVED: [&str; 19] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
    "in",
    "null",
];

type Parsed = Result<Expression, ConditionError>;

/// Parses the whole of `text`.
pub(super) fn parse(text: &str) -> Parsed {
    if text.len() > MAX_BYTES {
        return Err(ConditionError { start: MAX_BYTES, end: text.len(), fault: ConditionFault::TooLong });
    }
    let mut tokens = Tokens::new(text);
    let (token, span) = tokens.next()?;
    let mut parser = Parser { tokens, token, span, depth: 0 };
    let expression = parser.any()?;
    match parser.token {
        Token::End => Ok(expression),
        _ => Err(parser.unexpected("an operator or the end")),
    }
}

struct Parser<'t> {
    tokens: Tokens<'t>,
    token: Token<'t>,
    span: Span,
    depth: usize,
}

impl<'t> Parser<'t> {
    /// Level 1.
    fn any(&mut self) -> Parsed {
        self.chain(Token::Any, Self::all, Shape::Any)
    }

    /// Level 2.
    fn all(&mut self) -> Parsed {
        self.chain(Token::All, Self::relation, Shape::All)
    }

    fn chain(
        &mut self,
        by: Token<'static>,
        next: fn(&mut Self) -> Parsed,
        shape: fn(Vec<Expression>) -> Shape,
    ) -> Parsed {
        let first = next(self)?;
        if self.token != by {
            return Ok(first);
        }
        let mut span = first.span;
        let mut parts = vec![first];
        while self.token == by {
            self.advance()?;
            let part = next(self)?;
            span = span.to(part.span);
            parts.push(part);
        }
        Ok(Expression { span, shape: shape(parts) })
    }

    /// Level 3; `a == b == c` is `(a == b) == c`.
    fn relation(&mut self) -> Parsed {
        let mut left = self.unary()?;
        let before = self.depth;
        loop {
            let relation = match self.token {
                Token::Equal => Relation::Equal,
                Token::NotEqual => Relation::NotEqual,
                Token::Identifier("in") => Relation::In,
                _ => break,
            };
            self.descend()?;
            self.advance()?;
            let right = self.unary()?;
            let span = left.span.to(right.span);
            left = Expression { span, shape: Shape::Relation(relation, Box::new((left, right))) };
        }
        self.depth = before;
        Ok(left)
    }

    /// Level 4.
    fn unary(&mut self) -> Parsed {
        if self.token != Token::Not {
            return self.primary();
        }
        let start = self.span;
        self.descend()?;
        self.advance()?;
        let inner = self.unary()?;
        self.depth -= 1;
        Ok(Expression { span: start.to(inner.span), shape: Shape::Not(Box::new(inner)) })
    }

    /// Level 5.
    fn primary(&mut self) -> Parsed {
        let span = self.span;
        let shape = match &mut self.token {
            Token::Text(text) => Shape::Text(std::mem::take(text)),
            Token::Integer(number) => Shape::Integer(*number),
            Token::Identifier("true") => Shape::Bool(true),
            Token::Identifier("false") => Shape::Bool(false),
            Token::Identifier("null") => Shape::Null,
            Token::Identifier(name) if !RESERVED.contains(name) => return self.path(),
            Token::Open => return self.parenthesised(),
            Token::OpenList => return self.list(),
            _ => return Err(self.unexpected("an attribute, a text, a list, `!` or `(`")),
        };
        self.advance()?;
        self.no_member()?;
        Ok(Expression { span, shape })
    }

    fn path(&mut self) -> Parsed {
        let mut span = self.span;
        let mut path = String::new();
        while let Token::Identifier(name) = self.token {
            path.push_str(name);
            span = span.to(self.span);
            self.advance()?;
            if self.token != Token::Dot {
                self.no_member()?;
                return Ok(Expression { span, shape: Shape::Path(path) });
            }
            path.push('.');
            self.advance()?;
        }
        Err(self.unexpected("the name of an attribute"))
    }

    fn parenthesised(&mut self) -> Parsed {
        let start = self.span;
        self.descend()?;
        self.advance()?;
        let inner = self.any()?;
        self.depth -= 1;
        let span = start.to(self.span);
        self.expect(Token::Close, "`)`")?;
        self.no_member()?;
        Ok(Expression { span, shape: inner.shape })
    }

    fn list(&mut self) -> Parsed {
        let start = self.span;
        self.descend()?;
        self.advance()?;
        let mut parts = Vec::new();
        while self.token != Token::CloseList {
            parts.push(self.any()?);
            match self.token {
                Token::Comma => self.advance()?,
                Token::CloseList => {}
                _ => return Err(self.unexpected("`,` or `]`")),
            }
        }
        self.depth -= 1;
        let span = start.to(self.span);
        self.advance()?;
        self.no_member()?;
        Ok(Expression { span, shape: Shape::List(parts) })
    }

    /// Calls, indexes and members of anything but an attribute are CEL, but not here.
    fn no_member(&mut self) -> Result<(), ConditionError> {
        let what = match self.token {
            Token::Open => "a call",
            Token::OpenList => "an index",
            Token::Dot => "a member of a value",
            _ => return Ok(()),
        };
        Err(self.fault(ConditionFault::Unsupported(what.to_owned())))
    }

    fn expect(&mut self, token: Token<'static>, named: &'static str) -> Result<(), ConditionError> {
        if self.token == token { self.advance() } else { Err(self.unexpected(named)) }
    }

    fn advance(&mut self) -> Result<(), ConditionError> {
        (self.token, self.span) = self.tokens.next()?;
        Ok(())
    }

    fn descend(&mut self) -> Result<(), ConditionError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(self.fault(ConditionFault::TooDeep)) } else { Ok(()) }
    }

    fn unexpected(&self, expected: &'static str) -> ConditionError {
        self.fault(ConditionFault::Unexpected { found: self.token.named(), expected })
    }

    fn fault(&self, fault: ConditionFault) -> ConditionError {
        ConditionError { start: self.span.start, end: self.span.end, fault }
    }
}
