//! The four forms of an embeddings request's `input`.
//!
//! Law: the forms are not mixed. Deliberately absent: limits on their number, which the answer checks.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{self, SeqAccess, Visitor},
};

/// A string, strings, one text as token numbers, or several.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::upstream::simulated) struct Inputs<'a>(pub(in crate::upstream::simulated) Vec<Input<'a>>);

/// One text to embed.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::upstream::simulated) enum Input<'a> {
    /// As text.
    Text(Cow<'a, str>),
    /// As token numbers.
    Tokens(Vec<u32>),
}

impl<'de: 'a, 'a> Deserialize<'de> for Inputs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize(deserializer)
    }
}

/// Reads all four forms.
fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Inputs<'de>, D::Error> {
    deserializer.deserialize_any(Outer)
}

struct Outer;

/// One element of the outer array.
enum Element<'a> {
    Whole(Input<'a>),
    Token(u32),
}

impl<'de> Visitor<'de> for Outer {
    type Value = Inputs<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, strings, tokens, or arrays of tokens")
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Inputs(vec![Input::Text(Cow::Borrowed(text))]))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Inputs(vec![Input::Text(Cow::Owned(text.to_owned()))]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let mut whole: Vec<Input<'de>> = Vec::new();
        let mut tokens = Vec::new();
        while let Some(element) = elements.next_element::<Element<'de>>()? {
            match element {
                Element::Whole(input) => {
                    let alike = whole
                        .first()
                        .is_none_or(|first| std::mem::discriminant(first) == std::mem::discriminant(&input));
                    if !alike {
                        return Err(de::Error::custom("`input` mixes texts and tokens"));
                    }
                    whole.push(input);
                }
                Element::Token(token) => tokens.push(token),
            }
        }
        match (whole.is_empty(), tokens.is_empty()) {
            (_, true) => Ok(Inputs(whole)),
            (true, false) => Ok(Inputs(vec![Input::Tokens(tokens)])),
            (false, false) => Err(de::Error::custom("`input` mixes texts and tokens")),
        }
    }
}

impl<'de> Deserialize<'de> for Element<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Inner;

        impl<'de> Visitor<'de> for Inner {
            type Value = Element<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, a token or tokens")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Element::Whole(Input::Text(Cow::Borrowed(text))))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Element::Whole(Input::Text(Cow::Owned(text.to_owned()))))
            }

            fn visit_u64<E: de::Error>(self, token: u64) -> Result<Self::Value, E> {
                u32::try_from(token).map(Element::Token).map_err(E::custom)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut tokens: A) -> Result<Self::Value, A::Error> {
                let mut all = Vec::new();
                while let Some(token) = tokens.next_element::<u32>()? {
                    all.push(token);
                }
                Ok(Element::Whole(Input::Tokens(all)))
            }
        }

        deserializer.deserialize_any(Inner)
    }
}
