//! The simulated vendor's tokeniser.
//!
//! Law: the tokens of a text joined are the text; a word with the blank before it is one token, so is every other
//! character. Deliberately absent: any likeness to a real vocabulary.

/// The tokens of `text`, in order.
pub(super) fn tokens(text: &str) -> Tokens<'_> {
    Tokens(text)
}

/// How many tokens `text` has.
pub(super) fn count(text: &str) -> u64 {
    tokens(text).fold(0, |count, _| count.saturating_add(1))
}

/// Iterator over tokens.
pub(super) struct Tokens<'a>(&'a str);

impl<'a> Iterator for Tokens<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let first = self.0.chars().next()?;
        let blank = usize::from(first == ' ');
        let word = self.0.get(blank..)?;
        let letters = word.find(|letter: char| !letter.is_alphanumeric()).unwrap_or(word.len());
        let length = if letters > 0 { blank + letters } else { first.len_utf8() };
        let (token, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(token)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_take_the_blank_before_them() {
        let all: Vec<&str> = tokens("Hello, big  world-é\n2").collect();
        assert_eq!(all, ["Hello", ",", " big", " ", " world", "-", "é", "\n", "2"]);
        assert_eq!(count(""), 0);
    }

    proptest! {
        #[test]
        fn tokens_joined_are_the_text(text in "\\PC*") {
            prop_assert_eq!(tokens(&text).collect::<String>(), text);
        }
    }
}
