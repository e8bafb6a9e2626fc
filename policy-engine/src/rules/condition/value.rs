//! What a condition is asked about: the attributes of one request and one candidate, and the three truths it answers.
//!
//! Law: not knowing is a value. Every attribute can say that it is unknown, and an attribute that is left out is.

use super::attribute::{Flag, Set, Text};
use super::symbol::Symbol;

/// Kleene's three truths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Truth {
    /// It does not hold.
    False,
    /// What it depends on is not known.
    #[default]
    Unknown,
    /// It holds.
    True,
}

impl Truth {
    /// The truth of something known; `None` is unknown.
    pub const fn of(known: Option<bool>) -> Truth {
        match known {
            Some(true) => Truth::True,
            Some(false) => Truth::False,
            None => Truth::Unknown,
        }
    }

    /// The opposite; of unknown, unknown.
    #[must_use]
    pub const fn negated(self) -> Truth {
        match self {
            Truth::False => Truth::True,
            Truth::Unknown => Truth::Unknown,
            Truth::True => Truth::False,
        }
    }
}

impl From<bool> for Truth {
    fn from(known: bool) -> Self {
        Self::of(Some(known))
    }
}

/// One text, none, or nobody knows. CEL sees none as `null`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Value {
    /// It is this.
    Known(Symbol),
    /// It could be anything, or nothing.
    #[default]
    Unknown,
    /// It is known that there is none.
    Absent,
}

/// A set of texts, or nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Members<'a> {
    /// Exactly these; sorted, each once (see [`super::Interner::members`]).
    Known(&'a [Symbol]),
    /// They could be any.
    #[default]
    Unknown,
}

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "each field is the attribute of its name; see `Text` and `Set`")]
pub struct Caller<'a> {
    pub tenant: Value,
    pub principal: Value,
    pub kind: Value,
    pub country: Value,
    pub region: Value,
    pub teams: Members<'a>,
    pub roles: Members<'a>,
}

/// Which model is asked for; the same for every request that names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "each field is the attribute of its name; see `Text` and `Set`")]
pub struct ModelSide<'a> {
    pub name: Value,
    pub licence: Value,
    pub risk_class: Value,
    pub operations: Members<'a>,
}

/// What is asked, where, and about whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "each field is the attribute of its name; see `Text`, `Set` and `Flag`")]
pub struct RequestSide<'a> {
    pub geo: Value,
    pub purpose: Value,
    pub operation: Value,
    pub stream: Truth,
    pub jurisdictions: Members<'a>,
    pub data_classes: Members<'a>,
    pub egress_tools: Members<'a>,
}

/// The candidate that would answer. Regions are every name that shares a place with it
/// (see [`crate::rules::geo::names_overlapping`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "each field is the attribute of its name; see `Text`, `Set` and `Flag`")]
pub struct EndpointSide<'a> {
    pub name: Value,
    pub provider: Value,
    pub processing_regions: Members<'a>,
    pub storage_regions: Members<'a>,
    pub trains_on_data: Truth,
    pub dpa: Truth,
    pub baa: Truth,
    pub zero_retention: Truth,
}

/// Everything a condition may look at, in parts that can each be made once and shared.
#[derive(Debug, Clone, Copy)]
pub struct Attributes<'a> {
    /// Who calls.
    pub caller: &'a Caller<'a>,
    /// Which model.
    pub model: &'a ModelSide<'a>,
    /// What is asked.
    pub request: &'a RequestSide<'a>,
    /// Which candidate; without one, all of its attributes are unknown.
    pub endpoint: Option<&'a EndpointSide<'a>>,
}

impl<'a> Attributes<'a> {
    /// The value of a text attribute.
    pub fn text(&self, attribute: Text) -> Value {
        match attribute {
            Text::CallerTenant => self.caller.tenant,
            Text::CallerPrincipal => self.caller.principal,
            Text::CallerKind => self.caller.kind,
            Text::CallerCountry => self.caller.country,
            Text::CallerRegion => self.caller.region,
            Text::NodeGeo => self.request.geo,
            Text::ModelName => self.model.name,
            Text::ModelLicence => self.model.licence,
            Text::ModelRiskClass => self.model.risk_class,
            Text::EndpointName => self.endpoint.map_or(Value::Unknown, |e| e.name),
            Text::EndpointProvider => self.endpoint.map_or(Value::Unknown, |e| e.provider),
            Text::Purpose => self.request.purpose,
            Text::Operation => self.request.operation,
        }
    }

    /// The members of a set attribute.
    pub fn set(&self, attribute: Set) -> Members<'a> {
        match attribute {
            Set::CallerTeams => self.caller.teams,
            Set::CallerRoles => self.caller.roles,
            Set::SubjectJurisdictions => self.request.jurisdictions,
            Set::ModelOperations => self.model.operations,
            Set::EndpointProcessingRegions => {
                self.endpoint.map_or(Members::Unknown, |e| e.processing_regions)
            }
            Set::EndpointStorageRegions => self.endpoint.map_or(Members::Unknown, |e| e.storage_regions),
            Set::DataClasses => self.request.data_classes,
            Set::EgressTools => self.request.egress_tools,
        }
    }

    /// The truth of a flag attribute.
    pub fn flag(&self, attribute: Flag) -> Truth {
        match (attribute, self.endpoint) {
            (Flag::Stream, _) => self.request.stream,
            (_, None) => Truth::Unknown,
            (Flag::TrainsOnData, Some(endpoint)) => endpoint.trains_on_data,
            (Flag::Dpa, Some(endpoint)) => endpoint.dpa,
            (Flag::Baa, Some(endpoint)) => endpoint.baa,
            (Flag::ZeroRetention, Some(endpoint)) => endpoint.zero_retention,
        }
    }
}
