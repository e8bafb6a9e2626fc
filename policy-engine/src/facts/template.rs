//! Templates: how requests are written for an API of the organisation's own, and where its answers have what.
//!
//! Law: a template is read once, where it is written, and with it every fault that it can have; who writes by it only fills it in. Absent on
//! purpose: JSON (whoever reads it from the wire), conversations, and the filling in (the data plane's).
//!
//! | in a body | becomes |
//! |---|---|
//! | `"${maxTokens}"` | the value, of its own type; a member whose value the request does not have is left out |
//! | `"${maxTokens:-256}"` | the same, and 256 where the request has none |
//! | `"Answer briefly: ${prompt}"` | a text with the values in it |
//! | `"$${price}"` | the text `${price}` |

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::vocabulary::{Ending, Omission, Slot, StreamFraming};

/// How an API is spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// How it is asked.
    pub ask: Ask,
    /// Where an answer has what.
    pub told: Told,
    /// Where its events have what; `None`: it has no streams.
    pub stream: Option<Streamed>,
    /// How it is asked for vectors; `None`: it has none.
    pub embed: Option<Embed>,
}

/// How an API is asked, by `POST`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ask {
    /// Below the base URL; empty: the base URL itself.
    pub path: Path,
    /// Headers beside those that every request has, by their names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The header in which the credential is shown as it is; empty: as a bearer's token.
    pub credential_header: String,
    /// The body; `None`: it has no chats.
    pub body: Option<Draft>,
    /// One message of [`Slot::Messages`] and [`Slot::Turns`]; `None`: an object of `role` and `content`.
    pub message: Option<Draft>,
    /// Who speaks, as the API has it.
    pub roles: Roles,
    /// What may be left out where there is no place for it.
    pub leave_out: Vec<Omission>,
}

/// How an API is asked for vectors, and where its answers have them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Embed {
    /// Below the base URL; empty: the base URL itself.
    pub path: Path,
    /// The body; it has a place for one text, or for all.
    pub body: Draft,
    /// Where the list of vectors is; of an API that is asked for one text at a time, nowhere.
    pub vectors: Pointer,
    /// Where the numbers are: in each of the list, or in the answer.
    pub vector: Pointer,
    /// Tokens of input.
    pub tokens: Option<Pointer>,
    /// What the API says went wrong.
    pub error: Option<Pointer>,
}

/// What those who speak are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roles {
    /// Whoever set the model up.
    pub system: String,
    /// Whoever talks to it.
    pub user: String,
    /// The model.
    pub assistant: String,
}

/// Where an answer has what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// What the model said.
    pub text: Pointer,
    /// Why it ended; a word, or `true`.
    pub finish: Option<Pointer>,
    /// What the words of `finish` mean, where they are not the usual ones.
    pub endings: BTreeMap<String, Ending>,
    /// Tokens of input and of output.
    pub tokens: Option<(Pointer, Pointer)>,
    /// What the API calls the answer.
    pub id: Option<Pointer>,
    /// What the API says went wrong.
    pub error: Option<Pointer>,
}

/// Where the events of an answer have what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Streamed {
    /// Where streams are asked for; `None`: where answers are.
    pub path: Option<Path>,
    /// How events are told apart.
    pub framing: StreamFraming,
    /// Where one event has what; `text` is more of it.
    pub told: Told,
    /// What comes in place of an event when all has been said; empty: nothing.
    pub done: String,
}

impl Default for Roles {
    fn default() -> Self {
        let [system, user, assistant] = ["system", "user", "assistant"].map(str::to_owned);
        Self { system, user, assistant }
    }
}

/// A path below a base URL, with places for the model's name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Path {
    /// As it was written.
    pub text: String,
    /// What it is made of.
    pub pieces: Vec<Piece>,
}

/// JSON with places, as it was written and as it is filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// As it was written.
    pub text: String,
    /// What it is made of.
    pub shape: Shape,
}

/// JSON with places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// `null`
    Null,
    /// `true` or `false`.
    Flag(bool),
    /// A number as it is written.
    Number(String),
    /// A text with the values in it; what there is no value for is empty there.
    Text(Vec<Piece>),
    /// A value, of its own type.
    Gap(Gap),
    /// An array.
    List(Vec<Shape>),
    /// An object, its members in their order.
    Object(Vec<(String, Shape)>),
}

/// A piece of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// As it is.
    Words(String),
    /// What is filled in.
    Gap(Gap),
}

/// A place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// What for.
    pub slot: Slot,
    /// What stands there where the request has no value; a number and a flag as JSON has them.
    pub otherwise: Option<String>,
}

/// What a slot is filled with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filling {
    /// A text.
    Text,
    /// A number.
    Number,
    /// `true` or `false`.
    Flag,
    /// A list.
    List,
}

impl Slot {
    /// What it is filled with.
    pub const fn filling(self) -> Filling {
        match self {
            Self::Messages | Self::Turns | Self::Stop | Self::Inputs => Filling::List,
            Self::Stream => Filling::Flag,
            Self::MaxTokens
            | Self::Temperature
            | Self::TopP
            | Self::TopK
            | Self::Seed
            | Self::PresencePenalty
            | Self::FrequencyPenalty
            | Self::Dimensions => Filling::Number,
            Self::Model
            | Self::System
            | Self::Prompt
            | Self::Transcript
            | Self::User
            | Self::Input
            | Self::Role
            | Self::Text => Filling::Text,
        }
    }

    /// Whether it is of texts to be embedded alone.
    pub const fn is_of_vectors(self) -> bool {
        matches!(self, Self::Inputs | Self::Input | Self::Dimensions)
    }

    /// Whether it is a message's and no request's.
    pub const fn is_of_message(self) -> bool {
        matches!(self, Self::Role | Self::Text)
    }
}

impl Shape {
    /// Reads a text: one place alone is a value of its own type.
    ///
    /// # Errors
    /// A place that is none, and why.
    pub fn of_text(text: &str) -> Result<Self, String> {
        let mut pieces = pieces(text)?;
        if let [Piece::Gap(_)] = pieces.as_slice()
            && let Some(Piece::Gap(gap)) = pieces.pop()
        {
            return Ok(Self::Gap(gap));
        }
        let lists = gaps_of(&pieces).find(|gap| gap.slot.filling() == Filling::List);
        match lists {
            Some(gap) => Err(format!("`${{{}}}` is a list, and no part of a text", gap.slot)),
            None => Ok(Self::Text(pieces)),
        }
    }

    /// Every place in it.
    pub fn gaps(&self) -> Vec<&Gap> {
        match self {
            Self::Null | Self::Flag(_) | Self::Number(_) => Vec::new(),
            Self::Text(pieces) => gaps_of(pieces).collect(),
            Self::Gap(gap) => vec![gap],
            Self::List(all) => all.iter().flat_map(Self::gaps).collect(),
            Self::Object(members) => members.iter().flat_map(|(_, value)| value.gaps()).collect(),
        }
    }

    /// Whether it has a place for something.
    pub fn has(&self, slot: Slot) -> bool {
        self.gaps().iter().any(|gap| gap.slot == slot)
    }
}

fn gaps_of(pieces: &[Piece]) -> impl Iterator<Item = &Gap> {
    pieces.iter().filter_map(|piece| match piece {
        Piece::Gap(gap) => Some(gap),
        Piece::Words(_) => None,
    })
}

/// Cuts a text into words and places.
fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut words = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(before) = before.strip_suffix('$') {
            words.push_str(before);
            words.push_str("${");
            rest = after;
            continue;
        }
        words.push_str(before);
        let (inner, after) = after.split_once('}').ok_or_else(|| "`${` has no `}` after it".to_owned())?;
        if !words.is_empty() {
            pieces.push(Piece::Words(std::mem::take(&mut words)));
        }
        pieces.push(Piece::Gap(inner.parse()?));
        rest = after;
    }
    words.push_str(rest);
    if !words.is_empty() {
        pieces.push(Piece::Words(words));
    }
    Ok(pieces)
}

impl FromStr for Gap {
    type Err = String;

    /// Reads what stands between `${` and `}`.
    fn from_str(inner: &str) -> Result<Self, String> {
        let (name, otherwise) = match inner.split_once(":-") {
            Some((name, otherwise)) => (name, Some(otherwise)),
            None => (inner, None),
        };
        let slot: Slot = name.parse().map_err(|error| format!("in `${{…}}`, {error}"))?;
        let fits = match (slot.filling(), otherwise) {
            (_, None) | (Filling::Text, Some(_)) => true,
            (Filling::Number, Some(number)) => is_number(number),
            (Filling::Flag, Some(flag)) => matches!(flag, "true" | "false"),
            (Filling::List, Some(_)) => false,
        };
        match fits {
            true => Ok(Self { slot, otherwise: otherwise.map(str::to_owned) }),
            false => Err(format!("what `${{{slot}}}` is otherwise is not of its type")),
        }
    }
}

/// A number as JSON has it, without an exponent.
fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let whole = whole.strip_prefix('-').unwrap_or(whole);
    digits(whole) && (whole == "0" || !whole.starts_with('0')) && fraction.is_none_or(digits)
}

impl FromStr for Path {
    type Err = String;

    /// Reads a path that means one place, whatever the model is called; it may have a query.
    fn from_str(text: &str) -> Result<Self, String> {
        let pieces = pieces(text)?;
        if let Some(gap) = gaps_of(&pieces).find(|gap| gap.slot != Slot::Model) {
            return Err(format!("`${{{}}}` has no place in a path, only `${{model}}` has", gap.slot));
        }
        let plain = pieces.iter().all(|piece| match piece {
            Piece::Words(words) => {
                words.bytes().all(|byte| byte.is_ascii_graphic() && !br##"#\"<>{}`^|"##.contains(&byte))
            }
            Piece::Gap(gap) => gap.otherwise.is_none(),
        });
        let (place, _query) = text.split_once('?').unwrap_or((text, ""));
        let leads_on =
            place.split('/').all(|segment| segment != "." && segment != "..") && !place.contains("//");
        match plain && text.starts_with('/') && leads_on && text.len() <= 512 {
            true => Ok(Self { text: text.to_owned(), pieces }),
            false => Err("is not a path such as `/v1/generate`".to_owned()),
        }
    }
}

/// Where in a JSON value something is (RFC 6901); that of the whole value is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pointer(pub Vec<String>);

impl FromStr for Pointer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || "is not a JSON pointer such as `/choices/0/text`".to_owned();
        let rest = text.strip_prefix('/').ok_or_else(refuse)?;
        if text.len() > 512 || rest.split('/').count() > 32 {
            return Err(refuse());
        }
        let steps = rest.split('/').map(|step| {
            let plain = step.replace("~0", "").replace("~1", "");
            (!plain.contains('~')).then(|| step.replace("~1", "/").replace("~0", "~")).ok_or_else(refuse)
        });
        steps.collect::<Result<_, _>>().map(Self)
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|step| write!(f, "/{}", step.replace('~', "~0").replace('/', "~1")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_a_value_or_has_values_in_it() {
        let gap = |slot, otherwise: Option<&str>| Gap { slot, otherwise: otherwise.map(str::to_owned) };
        let words = |text: &str| Piece::Words(text.to_owned());
        for (text, expected) in [
            ("", Shape::Text(vec![])),
            ("$5 and }", Shape::Text(vec![words("$5 and }")])),
            ("${model}", Shape::Gap(gap(Slot::Model, None))),
            ("${maxTokens:-256}", Shape::Gap(gap(Slot::MaxTokens, Some("256")))),
            ("${temperature:--0.5}", Shape::Gap(gap(Slot::Temperature, Some("-0.5")))),
            ("${stream:-false}", Shape::Gap(gap(Slot::Stream, Some("false")))),
            ("${system:-Be kind: now}", Shape::Gap(gap(Slot::System, Some("Be kind: now")))),
            ("$${model}", Shape::Text(vec![words("${model}")])),
            (
                "a ${prompt} b",
                Shape::Text(vec![words("a "), Piece::Gap(gap(Slot::Prompt, None)), words(" b")]),
            ),
        ] {
            assert_eq!(Shape::of_text(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn a_place_that_is_none_is_told() {
        for (text, why) in [
            ("${temprature}", "`temprature` is not one of model | messages"),
            ("${}", "`` is not one of"),
            ("${model", "has no `}`"),
            ("a ${messages}", "`${messages}` is a list"),
            ("${stop:-x}", "`${stop}` is otherwise is not of its type"),
            ("${maxTokens:-many}", "`${maxTokens}` is otherwise"),
            ("${maxTokens:-01}", "`${maxTokens}` is otherwise"),
            ("${maxTokens:-1.}", "`${maxTokens}` is otherwise"),
            ("${topP:-}", "`${topP}` is otherwise"),
            ("${stream:-yes}", "`${stream}` is otherwise"),
        ] {
            let told = Shape::of_text(text).unwrap_err();
            assert!(told.contains(why), "{text}: {told}");
        }
    }

    #[test]
    fn a_path_means_one_place() {
        for text in ["/v1/generate", "/models/${model}:predict", "/p?stream=true&x=/../", "/"] {
            assert_eq!(text.parse::<Path>().unwrap().text, text);
        }
        for text in [
            "v1",
            "",
            "//evil.example/v1",
            "/a/../b",
            "/a/./b",
            "/a#b",
            "/a b",
            "/ä",
            "/${prompt}",
            "/${model:-x}",
            "/a{b}",
        ] {
            assert!(text.parse::<Path>().is_err(), "{text}");
        }
    }

    #[test]
    fn pointers_are_those_of_the_standard() {
        for (text, steps) in
            [("/a/0/b", vec!["a", "0", "b"]), ("/", vec![""]), ("/a~1b/m~0n/~01", vec!["a/b", "m~n", "~1"])]
        {
            let pointer: Pointer = text.parse().unwrap();
            assert_eq!(
                (&pointer.0, pointer.to_string().as_str()),
                (&steps.iter().map(|s| s.to_string()).collect(), text)
            );
        }
        for text in ["", "a/b", "/~", "/a~2", "$.a"] {
            assert!(text.parse::<Pointer>().is_err(), "{text}");
        }
    }
}
