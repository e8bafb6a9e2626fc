//! The rows of the snapshot's tables.

use std::sync::Arc;

use crate::decision::Actions;
use crate::facts::template::Template;
use crate::facts::{
    Acceptance, Auth, Bound, Credential, Each, LicenceTerm, ModelCard, ModelGlob, Price, Staleness, Terms,
    Timeouts,
};
use crate::request::Caller;
use crate::rules::condition::{Condition, Interner, Symbol};
use crate::rules::geo::{self, RegionSet};
use crate::rules::roles::RoleSetIx;
use crate::vocabulary::{
    Adapter, Currency, Duration, Effect, Id, Instant, Layer, Mode, Name, OnStoreLoss, Operation,
    PrincipalType, RoutePolicy, StickyBy, Transport, UnknownFields,
};

/// An API key as a node knows it.
#[derive(Debug, Clone)]
pub struct KeyRow {
    /// HMAC-SHA-256 under the scope key of the SHA-256 of the secret.
    pub mac: [u8; 32],
    /// Which scope key made `mac`.
    pub scope_key: Arc<str>,
    /// The first instant at which it no longer works.
    pub expires: Option<Instant>,
    /// Taken back.
    pub revoked: bool,
    pub(crate) caller: Caller,
}

impl KeyRow {
    /// Who presents this key, once its secret has been proved.
    pub fn caller(&self) -> Caller {
        self.caller
    }
}

/// A tenant.
#[derive(Debug, Clone)]
pub struct TenantRow {
    /// Its name.
    pub name: Name,
    /// IANA time zone of its calendar budgets.
    pub time_zone: Arc<str>,
    /// The currency of its money limits.
    pub currency: Currency,
    /// Requests are refused when their decisions cannot be recorded.
    pub must_audit: bool,
    /// For how long it may be served by policy that is not confirmed any more.
    pub staleness: Staleness,
    pub(crate) symbol: Symbol,
    pub(crate) domicile: Option<RegionSet>,
}

/// A team.
#[derive(Debug, Clone)]
pub struct TeamRow {
    /// Its name.
    pub name: Name,
    /// Its symbol, as the one-element set of the caller's teams.
    pub(crate) symbol: [Symbol; 1],
    /// The legal areas of its subjects, ascending.
    pub(crate) jurisdictions: Arc<[Symbol]>,
    /// The licences it has accepted, by position, ascending.
    pub(crate) accepted: Box<[u32]>,
}

/// A principal.
#[derive(Debug, Clone)]
pub struct PrincipalRow {
    /// Its name.
    pub name: Name,
    /// A person or a program.
    pub kind: PrincipalType,
    pub(crate) symbol: Symbol,
    pub(crate) kind_symbol: Symbol,
    pub(crate) home: Arc<Home>,
    /// What it may do in each of its teams.
    pub(crate) roles: Memberships,
}

/// Where principals reside, shared by those who reside in the same place.
#[derive(Debug, Default)]
pub(crate) struct Home {
    /// As written; `None` is not said.
    pub(crate) residency: Option<Name>,
    pub(crate) country: Option<Symbol>,
    pub(crate) region: Option<Symbol>,
    /// The legal areas it lies under, ascending.
    pub(crate) jurisdictions: Arc<[Symbol]>,
}

/// Role sets by team; the first lies in the row, since most are in one team.
#[derive(Debug, Clone, Default)]
pub(crate) struct Memberships {
    first: Option<(u32, RoleSetIx)>,
    more: Box<[(u32, RoleSetIx)]>,
}

impl Memberships {
    pub(crate) fn of(all: Vec<(u32, RoleSetIx)>) -> Self {
        let mut all = all.into_iter();
        Self { first: all.next(), more: all.collect() }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, RoleSetIx)> {
        self.first.into_iter().chain(self.more.iter().copied())
    }
}

impl PrincipalRow {
    pub(crate) fn roles_in(&self, team: u32) -> Option<RoleSetIx> {
        self.roles.iter().find(|(t, _)| *t == team).map(|(_, set)| set)
    }
}

/// A provider.
#[derive(Debug, Clone)]
pub struct ProviderRow {
    /// Its id.
    pub id: Id,
    /// The protocol it speaks.
    pub adapter: Adapter,
    /// Its base URL.
    pub base_url: String,
    /// Where its credential is found.
    pub credential: Option<Credential>,
    /// How calls are authenticated, where the credential itself is not sent.
    pub auth: Option<Auth>,
    /// The version of its API that a query asks for; empty: none.
    pub api_version: String,
    /// Whether it speaks OpenAI's Responses API, where that is told.
    pub responses_api: Option<bool>,
    /// How what is the organisation's own is called.
    pub transport: Transport,
    /// How requests are written and answers read, where that is not the protocol's to say.
    pub template: Option<Arc<Template>>,
}

/// An endpoint.
#[derive(Debug, Clone)]
pub struct EndpointRow {
    /// Its id.
    pub id: Id,
    /// The model's name at the vendor.
    pub upstream_model: Arc<str>,
    /// Its timeouts, where they are not the defaults.
    pub timeouts: Timeouts,
    /// Every place a request may be processed in, as declared; empty is unknown.
    pub processing_regions: Box<[Name]>,
    pub(crate) provider: u32,
}

/// What is asked of an endpoint for every request, apart from what is told of it, so that a decision reads one line of
/// memory a candidate.
#[derive(Debug, Clone)]
pub(crate) struct SiteRow {
    pub(crate) name: Symbol,
    pub(crate) vendor: Symbol,
    pub(crate) provider: u32,
    pub(crate) terms: Terms,
    pub(crate) unknown_fields: UnknownFields,
    /// `None` is unknown, which satisfies no residency.
    pub(crate) processing: Option<Arc<Places>>,
    /// `None` is not declared: for residency it stores where it processes, and no condition knows where that is.
    pub(crate) storage: Option<Arc<Places>>,
}

impl SiteRow {
    /// Whether every place it may process in is among these.
    pub(crate) fn processes_within(&self, allowed: &RegionSet) -> bool {
        self.processing.as_ref().is_some_and(|places| places.set.subset_of(allowed))
    }

    /// Whether every place it may store in is among these.
    pub(crate) fn stores_within(&self, allowed: &RegionSet) -> bool {
        match &self.storage {
            Some(places) => places.set.subset_of(allowed),
            None => self.processes_within(allowed),
        }
    }
}

impl Places {
    /// The same places with the symbols that their names have.
    pub(crate) fn looked_up(&self, symbols: &Interner) -> Self {
        Self { set: self.set, symbols: symbols.members(geo::names_overlapping(&self.set)) }
    }
}

/// Places, as a set and as the names of everything that shares a place with it, ascending.
#[derive(Debug)]
pub(crate) struct Places {
    pub(crate) set: RegionSet,
    pub(crate) symbols: Box<[Symbol]>,
}

/// A licence.
#[derive(Debug, Clone)]
pub struct LicenceRow {
    /// Its id.
    pub id: Id,
    /// When it is in force.
    pub term: LicenceTerm,
    /// A line that accompanies answers.
    pub attribution: Option<Arc<str>>,
    pub(crate) include: Option<RegionSet>,
    pub(crate) exclude: Option<RegionSet>,
    pub(crate) prohibited: Box<[String]>,
    pub(crate) permitted: Box<[String]>,
    pub(crate) acceptance: Acceptance,
    /// SHA-256 of the text that has to be accepted, in hexadecimal.
    pub(crate) text_digest: Option<Box<str>>,
}

/// A model.
#[derive(Debug, Clone)]
pub struct ModelRow {
    /// Its id.
    pub id: Id,
    /// Its card.
    pub card: Arc<ModelCard>,
    /// Further names.
    pub aliases: Vec<String>,
    /// How endpoints of one group are ordered.
    pub policy: RoutePolicy,
    /// How many of its requests may be asked a second time, in percent; `None` is the node's default.
    pub retry_percent: Option<u32>,
    /// Whether one that takes long is sent to the next candidate as well.
    pub hedge: bool,
    /// What a sticky order keeps together.
    pub sticky_by: StickyBy,
    /// Its licence's name, as a caller sees it.
    pub licence_name: Option<Name>,
    pub(crate) tenant: Option<u32>,
    pub(crate) licence: Option<u32>,
    pub(crate) targets: Box<[TargetRow]>,
    pub(crate) symbols: ModelSymbols,
    pub(crate) operations: u16,
}

// INVARIANT: `ModelRow::operations` has a bit for each.
const _: () = assert!(Operation::ALL.len() <= u16::BITS as usize);

impl ModelRow {
    /// Whether it serves an operation.
    pub fn serves(&self, operation: Operation) -> bool {
        self.operations & (1 << operation as u8) != 0
    }

    /// Whether it has an endpoint in this geo.
    pub fn has_endpoint(&self) -> bool {
        !self.targets.is_empty()
    }

    /// Whether a caller of the tenant can name it at all.
    pub(crate) fn reaches(&self, tenant: u32) -> bool {
        self.tenant.is_none_or(|t| t == tenant)
    }
}

/// A model's attributes, as conditions see them.
#[derive(Debug, Clone, Default)]
pub(crate) struct ModelSymbols {
    pub(crate) name: Symbol,
    pub(crate) licence: Option<Symbol>,
    pub(crate) risk_class: Option<Symbol>,
    pub(crate) operations: Box<[Symbol]>,
}

/// An endpoint in a model's route.
#[derive(Debug, Clone)]
pub(crate) struct TargetRow {
    pub(crate) endpoint: u32,
    pub(crate) group: u32,
    pub(crate) weight: u32,
    pub(crate) canary_percent: Option<u32>,
    pub(crate) mirror_percent: Option<u32>,
    /// Prices here: the tenants' own first, then the endpoint's own, then the latest beginning.
    pub(crate) prices: Arc<[PriceRow]>,
}

/// A price on a target.
#[derive(Debug, Clone)]
pub(crate) struct PriceRow {
    /// The tenant whose requests it prices; `None` is all.
    pub(crate) owner: Option<u32>,
    pub(crate) price: Arc<Price>,
}

/// A rule.
#[derive(Debug, Clone)]
pub struct RuleRow {
    /// Its id.
    pub id: Id,
    /// Who stands behind it.
    pub layer: Layer,
    /// What it does.
    pub effect: Effect,
    /// Whether it acts.
    pub mode: Mode,
    /// The law or policy it rests on.
    pub legal_ref: Option<String>,
    pub(crate) reason_code: Option<String>,
}

/// What a rule is asked by for every request, apart from what is told of it; one line of memory.
#[derive(Debug, Clone)]
#[repr(align(64))]
pub(crate) struct Gate {
    pub(crate) condition: Condition,
    pub(crate) valid_from: Instant,
    pub(crate) valid_to: Instant,
    /// Position of what it obliges to.
    pub(crate) duties: u32,
    pub(crate) effect: Effect,
    pub(crate) mode: Mode,
    pub(crate) or_unknown: bool,
    /// Of a `permit` whose permit it gives, of a `require` whose permit it needs at the least; `None` is none.
    pub(crate) permit: Option<Owner>,
}

const _: () = assert!(size_of::<Gate>() == 64, "a gate is one line of memory");

/// Whose rule it is, the narrower first: a permit satisfies the rules of its owner and of those before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Owner {
    /// The tenant's of the request, since nobody else's is asked.
    Tenant,
    /// The platform's.
    Platform,
}

/// A rule's obligations, ready to be united with others. Rules that oblige to the same share them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Duties {
    pub(crate) residency: Option<RegionSet>,
    pub(crate) actions: Actions,
    pub(crate) notices: Box<[Arc<str>]>,
    pub(crate) no_cache: bool,
    /// For how long content is kept; `None`: it is not.
    pub(crate) capture: Option<Duration>,
}

/// A limit.
#[derive(Debug, Clone)]
pub struct LimitRow {
    /// Its id.
    pub id: Id,
    /// How much.
    pub bound: Bound,
    /// What it counts apart.
    pub each: Option<Each>,
    /// The models it counts, as its author wrote them; `None` is all. For showing: `filter` is what counts.
    pub models: Option<ModelGlob>,
    /// What it does while its store can't be reached.
    pub on_store_loss: OnStoreLoss,
    pub(crate) filter: LimitFilter,
}

/// The part of a limit's scope that its place in the index does not settle.
#[derive(Debug, Clone, Default)]
pub(crate) struct LimitFilter {
    pub(crate) tenant: Option<u32>,
    pub(crate) team: Option<u32>,
    pub(crate) principal: Option<u32>,
    pub(crate) key: Option<Box<str>>,
    /// The models it counts, as bits; `None` is all.
    pub(crate) models: Option<Box<[u64]>>,
    pub(crate) endpoint: Option<u32>,
    pub(crate) provider: Option<u32>,
}

impl LimitRow {
    /// Whether it counts requests to single endpoints or providers only.
    pub(crate) fn is_per_candidate(&self) -> bool {
        self.filter.endpoint.is_some() || self.filter.provider.is_some()
    }
}
