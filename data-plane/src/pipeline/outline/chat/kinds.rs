//! Which names mean a tool of the vendor's, by where they stand.
//!
//! Law: a type of tool, a member of one and a choice are the vendor's unless they are listed as the caller's own; a field is nobody's
//! tool unless it is listed, because fields are endless. Absent on purpose: reading a body, which is `tools`'.

/// Where a name stands that may mean a tool of the vendor's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::pipeline::outline) enum Place {
    /// A field of the body.
    Body,
    /// A member of a message.
    Message,
    /// The type of a tool.
    Type,
    /// A member of a tool of the caller's own.
    Member,
    /// The name of a function.
    Function,
    /// A choice among the tools: a word, or its type.
    Choice,
}

use Place::{Body, Choice, Member, Message, Type};

/// What a name means where it stands: a kind of tool that the vendor runs, or none. See [`kind_of`] for names that are not here.
const KINDS: [(Place, &str, Option<&str>); 63] = [
    (Body, "web_search_options", Some("web_search")),
    (Body, "web_search", Some("web_search")),
    (Body, "enable_web_search", Some("web_search")),
    (Body, "enable_search", Some("web_search")),
    (Body, "google_search", Some("web_search")),
    (Body, "search_parameters", Some("web_search")),
    (Body, "search_settings", Some("web_search")),
    (Body, "search_options", Some("web_search")),
    (Body, "search_mode", Some("web_search")),
    (Body, "search_recency_filter", Some("web_search")),
    (Body, "search_domain_filter", Some("web_search")),
    (Body, "search_after_date_filter", Some("web_search")),
    (Body, "search_before_date_filter", Some("web_search")),
    (Body, "return_citations", Some("web_search")),
    (Body, "return_images", Some("web_search")),
    (Body, "return_related_questions", Some("web_search")),
    (Body, "file_search", Some("file_search")),
    (Body, "tool_resources", Some("file_search")),
    (Body, "attachments", Some("attachments")),
    (Body, "data_sources", Some("data_sources")),
    (Body, "connectors", Some("connectors")),
    (Body, "code_interpreter", Some("code_interpreter")),
    (Body, "code_execution", Some("code_interpreter")),
    (Body, "computer_use", Some("computer_use")),
    (Body, "compound_custom", Some("compound_custom")),
    (Body, "plugins", Some("plugins")),
    (Body, "mcp_servers", Some("mcp")),
    (Body, "extra_body", Some("extra_body")),
    (Body, "tool_config", Some("tool_config")),
    // Fields by which a broker of models sends the request to another than was asked for.
    (Body, "models", Some("routing")),
    (Body, "route", Some("routing")),
    (Body, "provider", Some("routing")),
    (Body, "fallbacks", Some("routing")),
    (Message, "web_search_options", Some("web_search")),
    (Message, "web_search", Some("web_search")),
    (Message, "search_parameters", Some("web_search")),
    (Message, "tool_resources", Some("file_search")),
    (Message, "attachments", Some("attachments")),
    (Message, "data_sources", Some("data_sources")),
    (Message, "connectors", Some("connectors")),
    (Message, "plugins", Some("plugins")),
    (Message, "mcp_servers", Some("mcp")),
    (Message, "extra_body", Some("extra_body")),
    (Type, "function", None),
    (Type, "custom", None),
    (Member, "type", None),
    (Member, "function", None),
    (Member, "custom", None),
    (Member, "name", None),
    (Member, "description", None),
    (Member, "parameters", None),
    (Member, "strict", None),
    (Member, "format", None),
    (Member, "cache_control", None),
    (Member, "defer_loading", None),
    (Choice, "none", None),
    (Choice, "auto", None),
    (Choice, "required", None),
    (Choice, "any", None),
    (Choice, "function", None),
    (Choice, "custom", None),
    (Choice, "allowed_tools", None),
    (Choice, "", None),
];

/// The kind of tool of the vendor's that a name means. Fields are tools only if they are listed, types, members and choices unless
/// they are; a function is one if its name says so, as those that a vendor has built in do.
pub(super) fn kind_of(place: Place, name: &str) -> Option<&str> {
    let listed = KINDS.iter().find(|(at, known, _)| *at == place && *known == name);
    match (listed, place) {
        (Some((_, _, kind)), _) => *kind,
        (None, Place::Body | Place::Message) => None,
        (None, Place::Function) => name.strip_prefix('$'),
        (None, Place::Type | Place::Member | Place::Choice) => Some(name),
    }
}

/// Whether a field that is none of the dialect's would be one to a reader who takes no notice of case or of what stands between
/// words, as many of vendors' do: it is what such a reader acts on that was not judged.
pub(super) fn is_lookalike(name: &str, known: &[&str]) -> bool {
    let fields = KINDS.iter().filter(|(place, ..)| *place == Place::Body).map(|(_, field, _)| *field);
    known.iter().copied().chain(fields).any(|own| own != name && folded(own).eq(folded(name)))
}

fn folded(name: &str) -> impl Iterator<Item = char> {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase())
}
