//! Random well-typed conditions, and how they are written: quotes, escapes, blanks and parentheses vary.

use std::fmt;

use policy_engine::rules::condition::{Attribute, Flag, Set, Text};
use proptest::prelude::*;
use proptest::sample::select;

use crate::world::words;

/// A condition.
#[derive(Debug, Clone)]
pub(crate) enum Tree {
    Constant(bool),
    Flag(Flag),
    /// The attribute, what it is compared with, `!=`, which side it is on, how the text is quoted.
    Compare(Text, Option<&'static str>, bool, bool, Quote),
    CompareTexts(Text, Text, bool),
    OneOf(Text, Vec<&'static str>, Quote),
    Holds(Set, &'static str, Quote),
    HoldsText(Set, Text),
    Literals(&'static str, Vec<&'static str>),
    Not(Box<Tree>),
    All(Vec<Tree>),
    Any(Vec<Tree>),
    Same(Box<(Tree, Tree)>, bool),
}

/// How a text is written.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Quote {
    Single,
    Double,
    Escaped,
    Triple,
}

/// A random condition of at most some thirty questions.
pub(crate) fn tree() -> impl Strategy<Value = Tree> {
    leaf().prop_recursive(4, 32, 4, |inner| {
        let several = || proptest::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            2 => inner.clone().prop_map(|tree| Tree::Not(Box::new(tree))),
            3 => several().prop_map(Tree::All),
            3 => several().prop_map(Tree::Any),
            1 => (inner.clone(), inner.clone(), any::<bool>()).prop_map(|(a, b, not)| Tree::Same(Box::new((a, b)), not)),
        ]
    })
}

fn leaf() -> impl Strategy<Value = Tree> {
    let quote = || select(vec![Quote::Single, Quote::Double, Quote::Escaped, Quote::Triple]);
    let text = || select(Text::ALL.to_vec());
    let set = || select(Set::ALL.to_vec());
    let word = |attribute| select(words(attribute).to_vec());
    let compared = text().prop_flat_map(move |text| {
        let word = prop_oneof![6 => word(Attribute::Text(text)).prop_map(Some), 1 => Just(None)];
        (Just(text), word, any::<bool>(), any::<bool>(), quote())
    });
    let one_of = text().prop_flat_map(move |text| {
        (Just(text), proptest::collection::vec(word(Attribute::Text(text)), 0..4), quote())
    });
    let holds = set().prop_flat_map(move |set| (Just(set), word(Attribute::Set(set)), quote()));
    let literals = (select(vec!["a", "b"]), proptest::collection::vec(select(vec!["a", "b", "c"]), 0..3));
    prop_oneof![
        1 => any::<bool>().prop_map(Tree::Constant),
        4 => select(Flag::ALL.to_vec()).prop_map(Tree::Flag),
        8 => compared.prop_map(|(text, word, not, turned, quote)| Tree::Compare(text, word, not, turned, quote)),
        2 => (text(), text(), any::<bool>()).prop_map(|(a, b, not)| Tree::CompareTexts(a, b, not)),
        4 => one_of.prop_map(|(text, words, quote)| Tree::OneOf(text, words, quote)),
        8 => holds.prop_map(|(set, word, quote)| Tree::Holds(set, word, quote)),
        2 => (set(), text()).prop_map(|(set, text)| Tree::HoldsText(set, text)),
        1 => literals.prop_map(|(word, words)| Tree::Literals(word, words)),
    ]
}

impl Tree {
    /// Whether two attributes meet in it.
    pub(crate) fn compares_attributes(&self) -> bool {
        match self {
            Tree::CompareTexts(..) | Tree::HoldsText(..) => true,
            Tree::Not(inner) => inner.compares_attributes(),
            Tree::All(parts) | Tree::Any(parts) => parts.iter().any(Tree::compares_attributes),
            Tree::Same(pair, _) => pair.0.compares_attributes() || pair.1.compares_attributes(),
            _ => false,
        }
    }

    /// How tightly it binds; parts that bind less are put in parentheses.
    fn level(&self) -> u8 {
        match self {
            Tree::Any(_) => 1,
            Tree::All(_) => 2,
            Tree::Constant(_) | Tree::Flag(_) => 5,
            Tree::Not(_) => 4,
            _ => 3,
        }
    }

    fn above(&self, level: u8) -> String {
        if self.level() > level { self.to_string() } else { format!("({self})") }
    }
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let equals = |not: &bool| if *not { "!=" } else { "==" };
        match self {
            Tree::Constant(truth) => write!(f, "{truth}"),
            Tree::Flag(flag) => f.write_str(flag.path()),
            Tree::Compare(text, word, not, turned, quote) => {
                let word = word.map_or("null".to_owned(), |word| quote.write(word));
                match turned {
                    false => write!(f, "{}{}{word}", text.path(), equals(not)),
                    true => write!(f, "{word} {} {}", equals(not), text.path()),
                }
            }
            Tree::CompareTexts(left, right, not) => {
                write!(f, "{} {} {}", left.path(), equals(not), right.path())
            }
            Tree::OneOf(text, words, quote) => {
                let words: Vec<String> = words.iter().map(|word| quote.write(word)).collect();
                write!(f, "{} in [{}]", text.path(), words.join(", "))
            }
            Tree::Holds(set, word, quote) => write!(f, "{} in {}", quote.write(word), set.path()),
            Tree::HoldsText(set, text) => write!(f, "{} in {}", text.path(), set.path()),
            Tree::Literals(word, words) => write!(f, "'{word}' in {words:?}"),
            Tree::Not(inner) => write!(f, "!{}", inner.above(4)),
            Tree::All(parts) => {
                f.write_str(&parts.iter().map(|p| p.above(2)).collect::<Vec<_>>().join(" && "))
            }
            Tree::Any(parts) => f.write_str(&parts.iter().map(|p| p.above(1)).collect::<Vec<_>>().join("||")),
            // The left side may be a comparison without parentheses: `a == b == c` leans left.
            Tree::Same(pair, not) => write!(f, "{} {} {}", pair.0.above(2), equals(not), pair.1.above(3)),
        }
    }
}

impl Quote {
    fn write(self, word: &str) -> String {
        let plain = |c: char| c != '\\' && c != '\n' && c != '\'' && c != '"';
        let escape = |c: char| match c {
            '\n' => "\\n".to_owned(),
            c if plain(c) => c.to_string(),
            c => format!("\\{c}"),
        };
        let escaped: String = word.chars().map(escape).collect();
        match self {
            Quote::Single => format!("'{escaped}'"),
            Quote::Double => format!("\"{escaped}\""),
            Quote::Triple => format!("'''{escaped}'''"),
            Quote::Escaped => {
                let numbered = |c: char| match u32::from(c) {
                    code @ 0..=0x7f => format!("\\x{code:02x}"),
                    code @ 0x80..=0xffff => format!("\\u{code:04x}"),
                    code => format!("\\U{code:08x}"),
                };
                format!("'{}'", word.chars().map(numbered).collect::<String>())
            }
        }
    }
}
