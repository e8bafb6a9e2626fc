//! A request of a conversation, whatever its dialect.
//!
//! Law: whatever more than one dialect can say has one place here; what only one can say keeps its name and its JSON in `others`, and goes
//! to a vendor of that dialect as it came. Who speaks in a row speaks once: messages of one role that follow each other mean what one does.
//! Absent on purpose: judging any of it.

/// JSON as it was written.
pub(crate) type Raw = Box<str>;

/// A conversation, and how it is to go on.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Chat {
    /// The model as it is named.
    pub(crate) model: String,
    /// What was said so far.
    pub(crate) messages: Vec<Message>,
    /// Whether the answer is to come as events.
    pub(crate) stream: bool,
    /// The most tokens of an answer.
    pub(crate) max_tokens: Option<u64>,
    /// How answers are drawn.
    pub(crate) sampling: Sampling,
    /// Answers that are wanted; `None`: one.
    pub(crate) choices: Option<u64>,
    /// Where an answer ends.
    pub(crate) stop: Vec<String>,
    /// What the model may call.
    pub(crate) tools: Vec<Tool>,
    /// Whether it must, and what.
    pub(crate) tool_choice: Option<ToolChoice>,
    /// Whether it may call several at once; `None`: as the vendor has it.
    pub(crate) parallel_tool_calls: Option<bool>,
    /// What an answer looks like.
    pub(crate) format: Option<Format>,
    /// Whether the model thinks first, and how long.
    pub(crate) thinking: Option<Thinking>,
    /// Whether what it thinks is shown; `None`: as the vendor has it.
    pub(crate) show_thinking: Option<bool>,
    /// Who of the caller's own users asks.
    pub(crate) user: Option<String>,
    /// Members that have no place here, by their names in the dialect.
    pub(crate) others: Vec<(String, Raw)>,
}

/// How answers are drawn; numbers as they were written.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Sampling {
    /// From 0 on.
    pub(crate) temperature: Option<Raw>,
    /// From 0 to 1.
    pub(crate) top_p: Option<Raw>,
    /// A whole number.
    pub(crate) top_k: Option<u64>,
    /// A whole number.
    pub(crate) seed: Option<Raw>,
    /// From -2 to 2.
    pub(crate) presence_penalty: Option<Raw>,
    /// From -2 to 2.
    pub(crate) frequency_penalty: Option<Raw>,
}

/// Who says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Whoever set the model up.
    System,
    /// Whoever talks to it, and the tools that it called.
    User,
    /// The model.
    Assistant,
}

/// Something that was said.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Message {
    /// By whom.
    pub(crate) role: Role,
    /// Under which name; only some dialects tell several users apart.
    pub(crate) name: Option<String>,
    /// What.
    pub(crate) content: Vec<Part>,
}

/// A piece of what was said, and where a vendor may keep it from one request to the next.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Part {
    /// What it is.
    pub(crate) kind: Kind,
    /// `cache_control` as Anthropic has it: everything up to here may be kept.
    pub(crate) cache: Option<Raw>,
}

/// What a piece is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    /// A text.
    Text(String),
    /// A picture, and how closely it is looked at, in words of OpenAI's dialect.
    Image(Source, Option<String>),
    /// A sound.
    Audio {
        /// In base64.
        data: String,
        /// Such as `wav`.
        format: String,
    },
    /// A document.
    File {
        /// Where it is.
        source: Source,
        /// What it is called.
        name: Option<String>,
    },
    /// What the model thought, and the vendor's proof that it did.
    Thinking {
        /// In words; empty where the vendor tells none.
        text: String,
        /// Opaque; needed by a vendor that gave one.
        signature: Option<String>,
    },
    /// What the model thought, readable for its vendor alone.
    Redacted(String),
    /// The model will not say it.
    Refusal(String),
    /// The model calls a tool.
    Call(Call),
    /// What a tool gave back.
    Output {
        /// Which call.
        id: String,
        /// What it gave.
        content: Vec<Part>,
        /// Whether it failed.
        failed: bool,
    },
    /// Something that only one dialect has: its JSON there.
    Other(Raw),
}

/// Where something is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// Here, in base64.
    Data {
        /// Such as `image/png`; empty: not told.
        media_type: String,
        /// In base64.
        data: String,
    },
    /// Where it can be fetched.
    Url(String),
    /// With the vendor, under an id.
    Id(String),
}

/// A call of a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    /// Its id; empty in dialects that have none.
    pub(crate) id: String,
    /// The tool.
    pub(crate) name: String,
    /// A JSON object, as the model wrote it; what a model wrote may be none.
    pub(crate) arguments: String,
}

/// Something that the model may call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Tool {
    /// A function of the caller's.
    Function {
        /// Its name.
        name: String,
        /// What it does.
        description: Option<String>,
        /// JSON Schema of its arguments; `None`: it has none.
        parameters: Option<Raw>,
        /// Whether arguments must fit the schema.
        strict: Option<bool>,
        /// Everything up to here may be kept.
        cache: Option<Raw>,
    },
    /// What a vendor runs by itself: the JSON of the dialect.
    Vendor(Raw),
}

/// Whether the model must call a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ToolChoice {
    /// It decides.
    Auto,
    /// It must not.
    None,
    /// It must call one.
    Any,
    /// It must call this one.
    Named(String),
    /// What only one dialect has: its JSON there.
    Other(Raw),
}

/// What an answer looks like.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Format {
    /// Any text.
    Text,
    /// Any JSON object.
    Json,
    /// JSON that fits a schema.
    Schema {
        /// What it is called.
        name: String,
        /// What it is for.
        description: Option<String>,
        /// JSON Schema.
        schema: Raw,
        /// Whether it must fit.
        strict: Option<bool>,
    },
}

/// Whether the model thinks first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Thinking {
    /// As much as this word of OpenAI's dialect says: `none`, `minimal`, `low`, `medium`, `high` ...
    Effort(String),
    /// At most so many tokens; `None`: as the vendor has it.
    Budget(Option<u64>),
    /// Not at all.
    Off,
}

impl Source {
    /// What a URL refers to: a `data:` URL holds it (RFC 2397).
    pub(crate) fn of_url(url: String) -> Self {
        match url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,")) {
            Some((media_type, data)) => {
                Self::Data { media_type: media_type.to_owned(), data: data.to_owned() }
            }
            None => Self::Url(url),
        }
    }
}

impl Part {
    /// A piece without a mark.
    pub(crate) fn of(kind: Kind) -> Self {
        Self { kind, cache: None }
    }
}
