//! The words of a condition, one at a time, with their places.

use super::ast::Span;
use super::fault::{ConditionError, ConditionFault, shown};
use super::literal;

/// One word.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token<'t> {
    Identifier(&'t str),
    Text(String),
    Integer(i64),
    Open,
    Close,
    OpenList,
    CloseList,
    Comma,
    Dot,
    Any,
    All,
    Not,
    Equal,
    NotEqual,
    End,
}

impl Token<'_> {
    /// How a message names it.
    pub(super) fn named(&self) -> String {
        let symbol = match self {
            Token::Identifier(name) => return format!("`{}`", shown(name)),
            Token::Text(text) => return format!("the text `{}`", shown(text)),
            Token::Integer(number) => return format!("the number `{number}`"),
            Token::Open => "(",
            Token::Close => ")",
            Token::OpenList => "[",
            Token::CloseList => "]",
            Token::Comma => ",",
            Token::Dot => ".",
            Token::Any => "||",
            Token::All => "&&",
            Token::Not => "!",
            Token::Equal => "==",
            Token::NotEqual => "!=",
            Token::End => return "the end".to_owned(),
        };
        format!("`{symbol}`")
    }
}

/// Symbols, longest first.
const SYMBOLS: [(&str, Token<'static>); 11] = [
    ("||", Token::Any),
    ("&&", Token::All),
    ("==", Token::Equal),
    ("!=", Token::NotEqual),
    ("!", Token::Not),
    ("(", Token::Open),
    (")", Token::Close),
    ("[", Token::OpenList),
    ("]", Token::CloseList),
    (",", Token::Comma),
    (".", Token::Dot),
];

/// Symbols of CEL that conditions do not have.
const ELSEWHERE: [&str; 13] = ["<=", ">=", "<", ">", "?", ":", "+", "*", "/", "%", "{", "}", "-"];

/// Reads words from a text.
pub(super) struct Tokens<'t> {
    source: &'t str,
    at: usize,
}

impl<'t> Tokens<'t> {
    pub(super) fn new(source: &'t str) -> Self {
        Self { source, at: 0 }
    }

    /// The next word; after the last, [`Token::End`] again and again.
    pub(super) fn next(&mut self) -> Result<(Token<'t>, Span), ConditionError> {
        self.skip_blanks();
        let rest = self.rest();
        let Some(first) = rest.chars().next() else {
            return Ok((Token::End, Span { start: self.at, end: self.at }));
        };
        if first == '\'' || first == '"' {
            return self.quoted(0, false);
        }
        if first.is_ascii_alphabetic() || first == '_' {
            return self.word(rest);
        }
        let negative = first == '-' && rest.chars().nth(1).is_some_and(|c| c.is_ascii_digit());
        if first.is_ascii_digit() || negative {
            return self.number(rest);
        }
        if let Some((symbol, token)) = SYMBOLS.iter().find(|(symbol, _)| rest.starts_with(symbol)) {
            return Ok((token.clone(), self.take(symbol.len())));
        }
        if let Some(symbol) = ELSEWHERE.iter().find(|symbol| rest.starts_with(**symbol)) {
            return Err(self.fault(symbol.len(), ConditionFault::Unsupported(format!("`{symbol}`"))));
        }
        let shown = first.escape_default().to_string();
        Err(self.fault(first.len_utf8(), ConditionFault::Character(shown)))
    }

    fn word(&mut self, rest: &'t str) -> Result<(Token<'t>, Span), ConditionError> {
        let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (word, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        if after.starts_with(['\'', '"']) {
            match word {
                "r" | "R" => return self.quoted(1, true),
                "b" | "B" | "br" | "bR" | "Br" | "BR" | "rb" | "rB" | "Rb" | "RB" => {
                    return Err(self.fault(length, ConditionFault::Unsupported("a byte string".to_owned())));
                }
                _ => {}
            }
        }
        Ok((Token::Identifier(word), self.take(length)))
    }

    fn quoted(&mut self, prefix: usize, raw: bool) -> Result<(Token<'t>, Span), ConditionError> {
        let body = self.rest().get(prefix..).unwrap_or("");
        match literal::quoted(body, raw) {
            Ok((text, length)) => Ok((Token::Text(text), self.take(prefix + length))),
            Err((fault, offset)) => {
                self.at += offset;
                Err(self.fault(1, fault))
            }
        }
    }

    fn number(&mut self, rest: &'t str) -> Result<(Token<'t>, Span), ConditionError> {
        let part = |c: char| c.is_ascii_alphanumeric() || c == '.';
        let sign = usize::from(rest.starts_with('-'));
        let length = rest.get(sign..).and_then(|r| r.find(|c| !part(c))).map_or(rest.len(), |at| at + sign);
        let text = rest.get(..length).unwrap_or(rest);
        let (minus, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
        let hexadecimal = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
        let parsed = match hexadecimal {
            Some(digits) => i64::from_str_radix(&format!("{minus}{digits}"), 16),
            None => text.parse(),
        };
        let number = parsed.map_err(|_| self.fault(length, ConditionFault::Number(shown(text))))?;
        Ok((Token::Integer(number), self.take(length)))
    }

    /// Blanks and comments, which run from `//` to the end of the line.
    fn skip_blanks(&mut self) {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start_matches([' ', '\t', '\n', '\r', '\u{c}']);
            self.at += rest.len() - trimmed.len();
            if !trimmed.starts_with("//") {
                return;
            }
            self.at += trimmed.find('\n').unwrap_or(trimmed.len());
        }
    }

    fn rest(&self) -> &'t str {
        self.source.get(self.at..).unwrap_or("")
    }

    fn take(&mut self, length: usize) -> Span {
        let span = Span { start: self.at, end: self.at + length };
        self.at += length;
        span
    }

    fn fault(&self, length: usize, fault: ConditionFault) -> ConditionError {
        ConditionError { start: self.at, end: self.at + length, fault }
    }
}
