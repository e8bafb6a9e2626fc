//! Just enough of a reader for Rust: words and signs with their lines, without comments, literals or test modules.
//!
//! It knows no grammar beyond `use` trees and paths. What it cannot read it reads as signs; it never fails.

/// A word or a sign, and the line (from 1) it stands on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) line: usize,
}

/// The code of `text`: identifiers and signs in order. Comments, strings and characters are left out.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let mut reader = Reader { rest: text.chars().collect(), at: 0, line: 1 };
    let mut found = Vec::new();
    while let Some(token) = reader.next() {
        found.push(token);
    }
    found
}

struct Reader {
    rest: Vec<char>,
    at: usize,
    line: usize,
}

impl Reader {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.rest.get(self.at + ahead).copied()
    }

    fn step(&mut self) -> Option<char> {
        let char = self.peek(0)?;
        self.at += 1;
        self.line += usize::from(char == '\n');
        Some(char)
    }

    fn next(&mut self) -> Option<Token> {
        loop {
            let (char, following) = (self.peek(0)?, self.peek(1));
            match (char, following) {
                ('/', Some('/')) => self.skip_until(|char| char == '\n'),
                ('/', Some('*')) => self.skip_block(),
                ('"', _) => self.skip_string(),
                ('r' | 'b' | 'c', Some('"' | '#' | 'r')) if self.skip_raw() => {}
                ('\'', _) => self.skip_quote(),
                (char, _) if char.is_whitespace() => {
                    self.step();
                }
                _ => return Some(self.token(char)),
            }
        }
    }

    fn token(&mut self, first: char) -> Token {
        let line = self.line;
        let mut text = String::from(first);
        self.step();
        if first.is_alphanumeric() || first == '_' {
            while let Some(char) = self.peek(0).filter(|char| char.is_alphanumeric() || *char == '_') {
                text.push(char);
                self.step();
            }
        }
        Token { text, line }
    }

    fn skip_until(&mut self, end: impl Fn(char) -> bool) {
        while self.peek(0).is_some_and(|char| !end(char)) {
            self.step();
        }
    }

    fn skip_block(&mut self) {
        let mut depth = 0_usize;
        while let Some(char) = self.step() {
            match (char, self.peek(0)) {
                ('/', Some('*')) => {
                    depth += 1;
                    self.step();
                }
                ('*', Some('/')) => {
                    self.step();
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return;
                    }
                }
                _ => {}
            }
        }
    }

    fn skip_string(&mut self) {
        self.step();
        while let Some(char) = self.step() {
            match char {
                '\\' => {
                    self.step();
                }
                '"' => return,
                _ => {}
            }
        }
    }

    /// `r"…"`, `r#"…"#`, `br"…"`, `b"…"`, `c"…"`; false where the letters begin a word such as `r#type` or `broken`.
    fn skip_raw(&mut self) -> bool {
        let letters = (0..2).take_while(|&ahead| matches!(self.peek(ahead), Some('r' | 'b' | 'c'))).count();
        let raw = (0..letters).any(|ahead| self.peek(ahead) == Some('r'));
        let hashes = (letters..).take_while(|&ahead| self.peek(ahead) == Some('#')).count();
        if self.peek(letters + hashes) != Some('"') || (hashes > 0 && !raw) {
            return false;
        }
        (0..letters + hashes).for_each(|_| {
            self.step();
        });
        if !raw {
            self.skip_string();
            return true;
        }
        self.step();
        while let Some(char) = self.step() {
            if char == '"' && (0..hashes).all(|ahead| self.peek(ahead) == Some('#')) {
                (0..hashes).for_each(|_| {
                    self.step();
                });
                break;
            }
        }
        true
    }

    /// A character literal, or the tick of a lifetime.
    fn skip_quote(&mut self) {
        self.step();
        if self.peek(0) == Some('\\') {
            self.step();
            self.step();
            self.skip_until(|char| char == '\'');
            self.step();
        } else if self.peek(1) == Some('\'') {
            self.step();
            self.step();
        }
    }
}

/// `tokens` without the items under `#[cfg(test)]`, and how many lines those took.
pub(crate) fn without_tests(tokens: &[Token]) -> (Vec<Token>, usize) {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let (mut kept, mut lines, mut at) = (Vec::new(), 0, 0);
    while let Some(token) = tokens.get(at) {
        let here = tokens.get(at..).unwrap_or_default();
        if here.iter().take(MARK.len()).map(|token| token.text.as_str()).eq(MARK) {
            let length = item(here);
            let last = here.get(length.saturating_sub(1)).map_or(token.line, |token| token.line);
            lines += last - token.line + 1;
            at += length;
        } else {
            kept.push(token.clone());
            at += 1;
        }
    }
    (kept, lines)
}

/// How many tokens an item takes: to its first `;` outside braces, or to the brace that closes its first one.
fn item(tokens: &[Token]) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        match token.text.as_str() {
            "{" => depth += 1,
            "}" if depth == 1 => return at + 1,
            "}" => depth = depth.saturating_sub(1),
            ";" if depth == 0 => return at + 1,
            _ => {}
        }
    }
    tokens.len()
}

/// Every path the code names, `use` groups expanded: `use a::{b, c::d as e};` gives `a::b` and `a::c::d`.
pub(crate) fn paths(tokens: &[Token]) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        if is_word(&token.text) {
            at = path(tokens, at, "", &mut found);
        } else {
            at += 1;
        }
    }
    found
}

fn is_word(text: &str) -> bool {
    text.starts_with(|char: char| char.is_alphabetic() || char == '_')
}

fn path(tokens: &[Token], mut at: usize, prefix: &str, found: &mut Vec<(String, usize)>) -> usize {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    let line = tokens.get(at).map_or(0, |token| token.line);
    let mut name = format!("{prefix}{}", text(at));
    at += 1;
    while text(at) == ":" && text(at + 1) == ":" {
        at += 2;
        if text(at) == "{" {
            return group(tokens, at + 1, &format!("{name}::"), found);
        }
        if !is_word(text(at)) && text(at) != "*" {
            break;
        }
        name = format!("{name}::{}", text(at));
        at += 1;
    }
    found.push((name, line));
    at
}

fn group(tokens: &[Token], mut at: usize, prefix: &str, found: &mut Vec<(String, usize)>) -> usize {
    while let Some(token) = tokens.get(at) {
        match token.text.as_str() {
            "}" => return at + 1,
            "as" => at += 2,
            text if is_word(text) || text == "*" => at = path(tokens, at, prefix, found),
            _ => at += 1,
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        paths(&tokens(text)).into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn comments_and_literals_are_not_code() {
        let text = r####"
            // tokio::a
            /* tokio::b /* nested */ tokio::c */
            let a = "tokio::d \" tokio::e"; let b = r#"tokio::f " tokio"#; let c = b"tokio"; let d = '"'; let e = '\'';
            fn f<'tokio_lifetime>() {} real::path
        "####;
        assert!(
            names(text).iter().all(|name| !name.starts_with("tokio::") && name != "tokio"),
            "{:?}",
            names(text)
        );
        assert!(names(text).contains(&"real::path".to_owned()));
    }

    #[test]
    fn use_groups_are_expanded() {
        let text = "use std::{env, time::{Duration, Instant as I}, fs::*}; std::net::Ipv4Addr::LOCALHOST";
        let expected = [
            "use",
            "std::env",
            "std::time::Duration",
            "std::time::Instant",
            "std::fs::*",
            "std::net::Ipv4Addr::LOCALHOST",
        ];
        assert_eq!(names(text), expected);
    }

    #[test]
    fn test_items_are_left_out_and_counted() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n  fn b() { if x { y } }\n}\n#[cfg(test)]\nuse c;\nfn d() {}\n";
        let (kept, lines) = without_tests(&tokens(text));
        let words: Vec<_> =
            kept.iter().map(|token| token.text.as_str()).filter(|text| is_word(text)).collect();
        assert_eq!((words, lines), (vec!["fn", "a", "fn", "d"], 6));
    }
}
