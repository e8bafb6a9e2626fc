//! Why: the stable codes of every denial, and the lines that explain one.
//!
//! Law: a code never changes its meaning and is never reused; texts may be reworded freely.

use std::fmt;

use crate::vocabulary::Id;

macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident = $text:literal, $message:literal;)*) => {
        /// A stable reason code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ReasonCode { $($(#[$doc])* $code),* }

        impl ReasonCode {
            /// Every code.
            pub const ALL: &'static [ReasonCode] = &[$(ReasonCode::$code),*];

            /// The code on every surface.
            pub const fn as_str(self) -> &'static str {
                match self { $(ReasonCode::$code => $text),* }
            }

            /// What it tells the caller, without names.
            pub const fn message(self) -> &'static str {
                match self { $(ReasonCode::$code => $message),* }
            }
        }
    };
}

codes! {
    /// No such model, or its existence is not this caller's to know.
    ModelNotFound = "model_not_found", "the model does not exist or you may not know of it";
    /// The caller may see the model but not use it.
    NotEntitled = "not_entitled", "no grant allows this operation on this model";
    /// The key is narrowed to other models.
    KeyScope = "key_scope", "this key is limited to other models";
    /// The tenant, team, principal or key is not served in this geo.
    GeoNotAllowed = "geo_not_allowed", "you are not served in this geo";
    /// The model does not serve the operation.
    OperationUnsupported = "operation_unsupported", "the model does not support this operation";
    /// The licence has not begun.
    LicenceNotStarted = "licence_not_started", "the model's licence is not in force yet";
    /// The licence has ended.
    LicenceExpired = "licence_expired", "the model's licence has ended";
    /// The licensee's domicile is outside the licence's territory, or unknown where it matters.
    LicenceTerritory = "licence_territory", "the model's licence does not cover your organisation's domicile";
    /// The licence does not cover the purpose.
    LicencePurpose = "licence_purpose", "the model's licence does not cover this purpose";
    /// The team has not accepted the licence.
    LicenceNotAccepted = "licence_not_accepted", "your team has not accepted the model's licence";
    /// A rule forbids it.
    RuleForbids = "rule_forbids", "a rule forbids this request";
    /// A rule that might forbid it cannot be decided because something is unknown.
    RuleUndecided = "rule_undecided", "a rule applies because a fact it asks for is unknown";
    /// An explicit permission is demanded, by a rule or for a vendor-side tool, that no rule gives.
    PermitMissing = "permit_missing", "a rule demands an explicit permission";
    /// No endpoint keeps processing and storage within the regions demanded.
    ResidencyUnsatisfied = "residency_unsatisfied", "no endpoint of the model keeps processing and storage within the required regions";
    /// Two requirements contradict each other.
    ObligationConflict = "obligation_conflict", "the requirements on this request contradict each other";
    /// Content that policy blocks was found.
    ContentBlocked = "content_blocked", "the content holds something that policy blocks";
    /// The model has no endpoint here.
    NoEndpoint = "no_endpoint", "the model has no endpoint in this geo";
    /// A field outside the published schema, and no endpoint that takes such fields.
    UnknownField = "unknown_field", "a field is outside the published schema, and the endpoint rejects such fields";
    /// The model is under a money limit and has no price.
    Unpriced = "unpriced_model", "the model has no price and is under a spend limit";
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One line of why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// The code.
    pub code: ReasonCode,
    /// A rule's own code, where the author gave one; it is shown instead of `code`'s text.
    pub custom_code: Option<String>,
    /// The rule, licence or guardrail that stands behind it.
    pub source: Option<Id>,
    /// The law or policy it rests on.
    pub legal_ref: Option<String>,
    /// The endpoint it is about, where it is about one.
    pub endpoint: Option<Id>,
    /// The field of the request it is about, where it is about one.
    pub field: Option<String>,
    /// What is to be done about it, where that says more than the code's own message.
    pub line: Option<String>,
}

impl Reason {
    /// A reason with nothing behind it but its code.
    pub fn plain(code: ReasonCode) -> Self {
        Self {
            code,
            custom_code: None,
            source: None,
            legal_ref: None,
            endpoint: None,
            field: None,
            line: None,
        }
    }

    /// A reason that a governed thing stands behind.
    pub fn from(code: ReasonCode, source: &Id) -> Self {
        Self { source: Some(source.clone()), ..Self::plain(code) }
    }

    /// The code shown to the caller.
    pub fn code_text(&self) -> &str {
        self.custom_code.as_deref().unwrap_or(self.code.as_str())
    }

    /// The codes of several reasons, in their order and each once: endpoints often fall for the same one.
    pub fn codes(reasons: &[Reason]) -> Vec<String> {
        let mut codes: Vec<String> = Vec::with_capacity(reasons.len());
        for reason in reasons {
            if !codes.iter().any(|known| known == reason.code_text()) {
                codes.push(reason.code_text().to_owned());
            }
        }
        codes
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.line.as_deref().unwrap_or(self.code.message()))?;
        if let Some(source) = &self.source {
            write!(f, " (`{}`", source.name)?;
            if let Some(law) = &self.legal_ref {
                write!(f, ", {law}")?;
            }
            f.write_str(")")?;
        }
        Ok(())
    }
}
