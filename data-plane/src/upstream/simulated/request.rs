//! The parts of OpenAI's requests that the simulated vendor reads.
//!
//! Law: unknown fields are ignored as OpenAI's compatible servers do; a field of the wrong type is the caller's error.
//! Texts are borrowed from the body where JSON escapes permit. Deliberately absent: fields that change nothing here.

mod inputs;

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{self, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

pub(super) use inputs::{Input, Inputs};

/// `POST /chat/completions`.
#[derive(Debug, Deserialize)]
pub(super) struct Chat<'a> {
    #[serde(borrow)]
    pub(super) model: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) messages: Vec<Message<'a>>,
    #[serde(borrow, default)]
    pub(super) tools: Option<Vec<Tool<'a>>>,
    #[serde(borrow, default)]
    pub(super) tool_choice: ToolChoice<'a>,
    #[serde(default)]
    pub(super) parallel_tool_calls: Option<bool>,
    #[serde(default)]
    pub(super) n: Option<u32>,
    #[serde(default)]
    pub(super) max_tokens: Option<u64>,
    #[serde(default)]
    pub(super) max_completion_tokens: Option<u64>,
    #[serde(borrow, default)]
    pub(super) response_format: Option<Format<'a>>,
    #[serde(default)]
    pub(super) stream: Option<bool>,
    #[serde(default)]
    pub(super) stream_options: Option<StreamOptions>,
}

/// One message of a conversation.
#[derive(Debug, Deserialize)]
pub(super) struct Message<'a> {
    #[serde(borrow)]
    pub(super) role: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) content: Text<'a>,
}

/// A function the model may call.
#[derive(Debug, Deserialize)]
pub(super) struct Tool<'a> {
    #[serde(borrow)]
    pub(super) function: Function<'a>,
}

/// The function of a tool.
#[derive(Debug, Deserialize)]
pub(super) struct Function<'a> {
    #[serde(borrow)]
    pub(super) name: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) parameters: Option<&'a RawValue>,
}

/// `response_format`.
#[derive(Debug, Deserialize)]
pub(super) struct Format<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) json_schema: Option<NamedSchema<'a>>,
}

/// `response_format.json_schema`.
#[derive(Debug, Deserialize)]
pub(super) struct NamedSchema<'a> {
    #[serde(borrow, default)]
    pub(super) schema: Option<&'a RawValue>,
}

/// `stream_options`.
#[derive(Debug, Default, Clone, Copy, Deserialize)]
pub(super) struct StreamOptions {
    #[serde(default)]
    pub(super) include_usage: Option<bool>,
}

/// Message content: a string, `null`, or parts whose texts are joined by line feeds; media parts count as nothing.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

/// `tool_choice`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum ToolChoice<'a> {
    /// Whatever the text asks for.
    #[default]
    Auto,
    /// No call.
    None,
    /// Some call.
    Required,
    /// A call of this function.
    Named(Cow<'a, str>),
}

/// A whole number, written as such or as text, as forms have it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Whole(pub(super) Option<u64>);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(u64),
            Text(String),
            Null(()),
        }

        match Written::deserialize(deserializer)? {
            Written::Number(number) => Ok(Self(Some(number))),
            Written::Text(text) => text.parse().map(|number| Self(Some(number))).map_err(de::Error::custom),
            Written::Null(()) => Ok(Self(None)),
        }
    }
}

/// `POST /embeddings`.
#[derive(Debug, Deserialize)]
pub(super) struct Embed<'a> {
    #[serde(borrow)]
    pub(super) model: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) input: Inputs<'a>,
    #[serde(borrow, default)]
    pub(super) encoding_format: Option<Cow<'a, str>>,
    #[serde(default)]
    pub(super) dimensions: Option<usize>,
}

#[derive(Deserialize)]
struct Part<'a> {
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Content;

        impl<'de> Visitor<'de> for Content {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or an array of content parts")
            }

            fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
                Ok(Text::default())
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Self::Value, A::Error> {
                let mut joined = String::new();
                while let Some(part) = parts.next_element::<Part<'de>>()? {
                    let Some(text) = part.text else { continue };
                    if !joined.is_empty() {
                        joined.push('\n');
                    }
                    joined.push_str(&text);
                }
                Ok(Text(Cow::Owned(joined)))
            }
        }

        deserializer.deserialize_any(Content)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for ToolChoice<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Choice;

        impl<'de> Visitor<'de> for Choice {
            type Value = ToolChoice<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`auto`, `none`, `required` or a function")
            }

            fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
                Ok(ToolChoice::Auto)
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<Self::Value, E> {
                match word {
                    "auto" => Ok(ToolChoice::Auto),
                    "none" => Ok(ToolChoice::None),
                    "required" => Ok(ToolChoice::Required),
                    _ => Err(E::invalid_value(de::Unexpected::Str(word), &self)),
                }
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                let tool = Tool::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(ToolChoice::Named(tool.function.name))
            }
        }

        deserializer.deserialize_any(Choice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chat(body: &str) -> Chat<'_> {
        serde_json::from_str(body).unwrap()
    }

    #[test]
    fn content_is_a_string_parts_or_null() {
        let body = r#"{"model":"m","unknown":{"x":[1]},"messages":[
            {"role":"system","content":"plain"},
            {"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"u"}},{"type":"text","text":"b\n"}]},
            {"role":"assistant","content":null,"tool_calls":[]},
            {"role":"tool"}]}"#;
        let texts: Vec<String> =
            chat(body).messages.into_iter().map(|message| message.content.0.into()).collect();
        assert_eq!(texts, ["plain", "a\nb\n", "", ""]);
        assert!(matches!(chat(body).messages[0].content.0, Cow::Borrowed("plain")));
    }

    #[test]
    fn tool_choice_has_four_forms() {
        for (choice, read) in [
            ("null", ToolChoice::Auto),
            (r#""none""#, ToolChoice::None),
            (r#""required""#, ToolChoice::Required),
            (r#"{"type":"function","function":{"name":"f"}}"#, ToolChoice::Named("f".into())),
        ] {
            let body = format!(r#"{{"model":"m","messages":[],"tool_choice":{choice}}}"#);
            assert_eq!(chat(&body).tool_choice, read);
        }
        assert!(
            serde_json::from_str::<Chat<'_>>(r#"{"model":"m","messages":[],"tool_choice":"x"}"#).is_err()
        );
    }

    #[test]
    fn embedding_inputs_have_four_forms() {
        let read = |input: &'static str| serde_json::from_str::<Inputs<'_>>(input).map(|inputs| inputs.0);
        assert_eq!(read(r#""a""#).unwrap(), [Input::Text("a".into())]);
        assert_eq!(read(r#"["a","b"]"#).unwrap(), [Input::Text("a".into()), Input::Text("b".into())]);
        assert_eq!(read("[1,2]").unwrap(), [Input::Tokens(vec![1, 2])]);
        assert_eq!(read("[[1],[2,3]]").unwrap(), [Input::Tokens(vec![1]), Input::Tokens(vec![2, 3])]);
        for wrong in ["1", "{}", r#"["a",1]"#, "[1,[2]]", "[-1]", "[null]"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
