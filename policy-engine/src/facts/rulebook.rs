//! What must be kept: rules, licences, and guardrails.

use super::{Geos, ModelGlob};
use crate::vocabulary::{
    Duration, Effect, Entity, Instant, Layer, LicenceKind, MaskAction, Mode, Name, Period,
};

/// Something that must happen for the request to be allowed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Obligation {
    /// Every region a candidate may process in lies within these.
    Residency(Vec<Name>),
    /// Findings of these types are replaced by placeholders, in both directions.
    Mask(Vec<Entity>),
    /// Findings of these types refuse the request or end the answer.
    Block(Vec<Entity>),
    /// The caller is told this text in `x-chancery-notice`.
    Notice(String),
    /// Neither the answer nor the request is cached.
    NoCache,
    /// What is sent to the endpoint and what the caller is answered are kept, sealed, for at least so long.
    Capture(Duration),
}

/// A compliance rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Who stands behind it.
    pub layer: Layer,
    /// What it does when it holds.
    pub effect: Effect,
    /// Its condition in the CEL subset; empty always holds.
    pub when: String,
    /// What it requires.
    pub obligations: Vec<Obligation>,
    /// The reason code a denial carries; default `rule_forbids`.
    pub reason_code: Option<String>,
    /// The law or policy it rests on.
    pub legal_ref: Option<String>,
    /// The first instant it holds at.
    pub valid_from: Option<Instant>,
    /// The first instant it no longer holds at.
    pub valid_to: Option<Instant>,
    /// Whether it acts.
    pub mode: Mode,
    /// Whether an unknown attribute counts as a match; default true for the regulation layer, false elsewhere.
    pub or_unknown: Option<bool>,
    /// For a `require`: it denies unless a `permit` of its owner's or the platform's holds too.
    pub needs_permit: bool,
    /// The geos it holds in; empty is all.
    pub geos: Geos,
}

/// From when to when a licence is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LicenceTerm {
    /// The first instant.
    pub from: Option<Instant>,
    /// The first instant after it: a `to` date names its last day, so this is the midnight that ends it.
    pub until: Option<Instant>,
}

/// Where a licence holds, by the licensee's domicile.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Territory {
    /// Only here; empty is everywhere.
    pub include: Vec<Name>,
    /// But not here.
    pub exclude: Vec<Name>,
}

/// How many distinct subjects may use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seats {
    /// At most this many.
    pub limit: u64,
    /// In this window.
    pub per: Period,
}

/// Whether a team must have accepted the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Acceptance {
    /// It need not.
    #[default]
    NotRequired,
    /// It must.
    Required,
}

/// An enforced licence.
#[derive(Debug, Clone, PartialEq)]
pub struct Licence {
    /// Where its terms come from.
    pub kind: LicenceKind,
    /// The SPDX id, or `LicenseRef-...`.
    pub spdx: Option<String>,
    /// When it is in force.
    pub term: LicenceTerm,
    /// Where it holds.
    pub territory: Territory,
    /// Purposes it forbids, such as `training-on-outputs`.
    pub prohibited: Vec<String>,
    /// Purposes it is limited to; empty is all.
    pub permitted: Vec<String>,
    /// Seats.
    pub seats: Option<Seats>,
    /// Whether teams must accept it.
    pub acceptance: Acceptance,
    /// SHA-256 of the text, in hexadecimal; an acceptance names the same.
    pub text_digest: Option<String>,
    /// A line that must accompany answers.
    pub attribution: Option<String>,
    /// The geos it is known in; empty is all.
    pub geos: Geos,
}

/// A team's acceptance of a licence.
#[derive(Debug, Clone, PartialEq)]
pub struct LicenceAcceptance {
    /// The licence.
    pub licence: Name,
    /// The team of the same tenant.
    pub team: Name,
    /// The digest of the text that was accepted.
    pub text_digest: Option<String>,
    /// Who accepted it.
    pub accepted_by: String,
    /// The geos it is known in; empty is all.
    pub geos: Geos,
}

/// Which requests a guardrail is for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Subject {
    /// Models; empty is all.
    pub models: Vec<ModelGlob>,
    /// Teams of the guardrail's tenant; empty is all.
    pub teams: Vec<Name>,
}

/// One content check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Types to find; a check has these or words.
    pub detect: Vec<Entity>,
    /// Words to find, whole and in any case.
    pub words: Vec<String>,
    /// What to do with a finding.
    pub action: MaskAction,
}

/// A named set of content checks.
#[derive(Debug, Clone, PartialEq)]
pub struct Guardrail {
    /// Which requests it is for.
    pub applies: Subject,
    /// On what callers send.
    pub input: Vec<Check>,
    /// On what models answer.
    pub output: Vec<Check>,
    /// The geos it holds in; empty is all.
    pub geos: Geos,
}
