//! The closed vocabularies of the declarative form, each spelled alike in YAML, REST, gRPC and SQL.
//!
//! Law: an unknown word is an error where it is read; there is no `Other`, so nothing unknown is ever silently ignored.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A word outside its closed vocabulary, with the words that would have been right.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{found}` is not one of {expected}")]
pub struct UnknownWord {
    /// What was written, cut to 64 characters.
    pub found: String,
    /// The vocabulary, joined by ` | `.
    pub expected: String,
}

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant),* }

        impl $name {
            /// The whole vocabulary, in its order of definition.
            pub const ALL: &'static [$name] = &[$($name::$variant),*];

            /// The word as written on every surface.
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text),* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;
            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                match text {
                    $($text => Ok($name::$variant),)*
                    _ => Err(UnknownWord {
                        found: text.chars().take(64).flat_map(char::escape_default).collect(),
                        expected: [$($text),*].join(" | "),
                    }),
                }
            }
        }
    )*};
}

words! {
    /// What a principal may do with a model (`infer`, `view`) or with governed resources (the rest).
    Action {
        /// Call the model.
        Infer = "infer",
        /// See that the model exists, and its card.
        View = "view",
        /// Read governed resources by the admin API.
        Read = "read",
        /// Create, change and delete governed resources by the admin API.
        Write = "write",
        /// Read the audit log and the revisions.
        Audit = "audit",
        /// Open content that was captured, by the admin API.
        Open = "open",
    }

    /// The kind of work asked of a model.
    Operation {
        /// A conversation, answered whole or as a stream.
        Chat = "chat",
        /// Vectors for texts.
        Embed = "embed",
        /// A text gone on with, as before there were conversations.
        Complete = "complete",
        /// Texts and pictures judged for what they should not hold.
        Moderate = "moderate",
        /// Documents put in the order of how well they answer a question.
        Rerank = "rerank",
        /// A picture made from a description.
        Image = "image",
        /// A picture changed after a description.
        EditImage = "editImage",
        /// A text spoken.
        Speech = "speech",
        /// Speech written down.
        Transcribe = "transcribe",
        /// Speech written down in English.
        Translate = "translate",
    }

    /// Who a principal is.
    PrincipalType {
        /// A person.
        User = "user",
        /// A program.
        Service = "service",
    }

    /// The vendor protocol an endpoint speaks.
    Adapter {
        /// OpenAI, or any server compatible with it.
        OpenAi = "openai",
        /// Anthropic's Messages API.
        Anthropic = "anthropic",
        /// Google's Gemini API, also on Vertex AI.
        Gemini = "gemini",
        /// OpenAI's API as Azure serves it.
        Azure = "azure",
        /// Amazon Bedrock's Converse API.
        Bedrock = "bedrock",
        /// Cohere's API of version 2.
        Cohere = "cohere",
        /// Amazon SageMaker's endpoints.
        SageMaker = "sagemaker",
        /// A function or an API of the organisation's own.
        Custom = "custom",
        /// Deterministic answers made on the node itself.
        Simulated = "simulated",
    }

    /// How what is the organisation's own is called.
    Transport {
        /// By HTTP.
        Http = "http",
        /// As a function of AWS Lambda.
        Lambda = "lambda",
        /// By gRPC, as `chancery.adapter.v1.Adapter`.
        Grpc = "grpc",
    }

    /// What a template has a place for; what it is filled with is the request's.
    Slot {
        /// The model's name at the provider: a text.
        Model = "model",
        /// All that was said, each by the template of a message: a list.
        Messages = "messages",
        /// The same without what was said by whoever set the model up.
        Turns = "turns",
        /// What was said by whoever set the model up: a text.
        System = "system",
        /// What the user said last: a text.
        Prompt = "prompt",
        /// All that was said as one text, for the model to go on with.
        Transcript = "transcript",
        /// The most tokens of the answer: a number.
        MaxTokens = "maxTokens",
        /// A number.
        Temperature = "temperature",
        /// A number.
        TopP = "topP",
        /// A number.
        TopK = "topK",
        /// A number.
        Seed = "seed",
        /// A number.
        PresencePenalty = "presencePenalty",
        /// A number.
        FrequencyPenalty = "frequencyPenalty",
        /// Where the answer ends: a list of texts.
        Stop = "stop",
        /// Who of the caller's own users asks: a text.
        User = "user",
        /// Whether the answer is to come as a stream.
        Stream = "stream",
        /// Of texts to be embedded: all of them, a list.
        Inputs = "inputs",
        /// Of texts to be embedded: the one that there is, a text.
        Input = "input",
        /// Of texts to be embedded: how many numbers a vector has.
        Dimensions = "dimensions",
        /// Of a message: by whom.
        Role = "role",
        /// Of a message: what.
        Text = "text",
    }

    /// Fields of a request that a template may leave out where it has no place for them, which the caller is told.
    Omission {
        /// What was said before the last text of the user's, and whatever has no place of it.
        Messages = "messages",
        /// The most tokens of the answer.
        MaxTokens = "max_tokens",
        /// How answers are drawn.
        Temperature = "temperature",
        /// How answers are drawn.
        TopP = "top_p",
        /// How answers are drawn.
        TopK = "top_k",
        /// How answers are drawn.
        PresencePenalty = "presence_penalty",
        /// How answers are drawn.
        FrequencyPenalty = "frequency_penalty",
        /// Where the answer ends.
        Stop = "stop",
        /// What the answer looks like.
        ResponseFormat = "response_format",
        /// How long the model thinks first.
        ReasoningEffort = "reasoning_effort",
    }

    /// Where one event of a stream ends and the next begins.
    StreamFraming {
        /// Server-sent events.
        Events = "events",
        /// Lines, each a JSON value.
        Lines = "lines",
    }

    /// Why an answer ended.
    Ending {
        /// The model was done.
        Stop = "stop",
        /// It was as long as it might be.
        Length = "length",
        /// A filter ended it.
        ContentFilter = "content_filter",
    }

    /// What an endpoint makes of fields of a request that are outside the published schema.
    UnknownFields {
        /// They ride along.
        Forward = "forward",
        /// A request that has one does not go there.
        Reject = "reject",
    }

    /// What a rule does when its condition holds.
    Effect {
        /// Deny; wins over everything.
        Forbid = "forbid",
        /// Attach obligations.
        Require = "require",
        /// Satisfy rules that demand an explicit permission; lifts no `forbid`.
        Permit = "permit",
    }

    /// Who stands behind a rule.
    Layer {
        /// Content safety.
        Guardrail = "guardrail",
        /// Law; an unknown attribute counts as a match unless the rule says otherwise.
        Regulation = "regulation",
        /// The organisation's own policy.
        Organisation = "organisation",
        /// One team's policy.
        Team = "team",
    }

    /// Whether a rule acts or only reports that it would have.
    Mode {
        /// It acts.
        Enforce = "enforce",
        /// It is evaluated and recorded, and changes nothing.
        Shadow = "shadow",
    }

    /// Where a licence's terms come from.
    LicenceKind {
        /// A licence of the SPDX list.
        Spdx = "spdx",
        /// A model's own licence.
        ModelLicence = "modelLicence",
        /// A vendor's agreement.
        VendorEula = "vendorEula",
    }

    /// How a route orders the endpoints of a group.
    RoutePolicy {
        /// By weight, at random.
        Weighted = "weighted",
        /// The fastest of late.
        Latency = "latency",
        /// The cheapest.
        Cost = "cost",
        /// The one with the fewest requests in flight.
        LeastBusy = "leastBusy",
        /// The same one for the same session.
        Sticky = "sticky",
    }

    /// What a sticky route keeps together.
    StickyBy {
        /// What the request names as its session, else its key.
        Session = "session",
        /// The requests of a key.
        Key = "key",
        /// What begins alike.
        Prefix = "prefix",
    }

    /// What a limit does while its store can't be reached.
    OnStoreLoss {
        /// Goes on with this node's share.
        LocalShare = "localShare",
        /// Refuses.
        Closed = "closed",
        /// Lets everything pass; audited.
        Open = "open",
    }

    /// What a guardrail does with a finding, from the mildest to the strictest.
    MaskAction {
        /// Reports it.
        Detect = "detect",
        /// Replaces it by a placeholder.
        Mask = "mask",
        /// Refuses the request, or ends the answer.
        Block = "block",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_reads_back_and_others_are_named() {
        for action in Action::ALL {
            assert_eq!(action.as_str().parse(), Ok(*action));
        }
        let error = "Forbid".parse::<Effect>().unwrap_err();
        assert_eq!(error.to_string(), "`Forbid` is not one of forbid | require | permit");
    }
}
