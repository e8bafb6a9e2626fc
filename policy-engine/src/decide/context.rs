//! A request's attributes as symbols, made once, and what a rule makes of them.
//!
//! Law: what a caller declares can only make an answer stricter. A `forbid` or `require` holds if it does with any part of
//! the declaration believed, or none; a `permit` only if it does whatever is believed.

use std::sync::Arc;

use super::entitle::Entitled;
use crate::request::Request;
use crate::rules::condition::{
    Attribute, Attributes, Caller, EndpointSide, Members, ModelSide, RequestSide, Set, Symbol, Truth, Value,
};
use crate::snapshot::rows::{Gate, Places, SiteRow};
use crate::snapshot::{CompiledSnapshot, Identity, declared_areas_of};
use crate::vocabulary::{Effect, Entity};

/// Texts of a request as symbols.
#[derive(Debug, Default)]
pub(super) struct Texts {
    /// What the team and the principal say of the subjects; each only adds.
    jurisdictions: Vec<Symbol>,
    /// What inspection found.
    classes: Vec<Symbol>,
    egress_tools: Box<[Symbol]>,
    /// The jurisdictions if the caller is believed, where it declared any that are not known anyway.
    declared_jurisdictions: Option<Vec<Symbol>>,
    /// The classes, likewise.
    declared_classes: Option<Vec<Symbol>>,
}

impl Texts {
    /// Of a request in which these entities were found, one bit each.
    pub(super) fn of(
        request: &Request<'_>,
        entitled: &Entitled<'_>,
        found: u32,
        snapshot: &CompiledSnapshot,
    ) -> Self {
        let symbol = |text: &str| snapshot.symbols.symbol(text);
        let Identity { team, principal, .. } = entitled.identity;
        let mut jurisdictions =
            Vec::with_capacity(team.jurisdictions.len() + principal.home.jurisdictions.len());
        jurisdictions.extend_from_slice(&team.jurisdictions);
        jurisdictions.extend_from_slice(&principal.home.jurisdictions);
        sort(&mut jurisdictions);
        let mut classes = Vec::new();
        if found != 0 && snapshot.rules.reads_classes(request.caller.tenant) {
            let found = Entity::ALL.iter().filter(|e| found & e.bit() != 0);
            classes.extend(found.map(|e| symbol(e.as_str())));
            sort(&mut classes);
        }
        let places =
            request.declared_jurisdictions.iter().flat_map(|place| declared_areas_of(place.as_str()));
        let declared_classes = request.declared_classes.iter().map(|class| symbol(class));
        Self {
            declared_jurisdictions: with_more(&jurisdictions, places.map(|area| symbol(area))),
            declared_classes: with_more(&classes, declared_classes),
            jurisdictions,
            classes,
            egress_tools: match request.egress_tools {
                [] => Box::default(),
                tools => snapshot.symbols.members(tools.iter().map(String::as_str)),
            },
        }
    }

    /// The vendor-side tools that were asked for, each once; those that no rule names are one.
    pub(super) fn tools(&self) -> Vec<Symbol> {
        self.egress_tools.to_vec()
    }
}

/// A set with more in it; `None` where that is nothing new.
fn with_more(known: &[Symbol], more: impl Iterator<Item = Symbol>) -> Option<Vec<Symbol>> {
    let new: Vec<Symbol> = more.filter(|symbol| !known.contains(symbol)).collect();
    if new.is_empty() {
        return None;
    }
    let mut all = [known, &new].concat();
    sort(&mut all);
    Some(all)
}

fn sort(symbols: &mut Vec<Symbol>) {
    symbols.sort_unstable();
    symbols.dedup();
}

/// Everything a rule may be asked about, but the candidate.
pub(super) struct Context<'a> {
    caller: Caller<'a>,
    model: ModelSide<'a>,
    /// What is known without the caller's word.
    sure: RequestSide<'a>,
    /// What is said if the caller is believed in this, in that, or in both; empty where it declared nothing new.
    declared: Vec<RequestSide<'a>>,
}

/// Whether a rule's condition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    /// It does.
    Known,
    /// It may, for want of a fact, and the rule says that this is enough.
    Undecided,
    /// It does not.
    No,
}

impl<'a> Context<'a> {
    pub(super) fn new(
        request: &Request<'_>,
        entitled: &Entitled<'a>,
        texts: &'a Texts,
        snapshot: &'a CompiledSnapshot,
    ) -> Self {
        let Identity { tenant, team, principal } = entitled.identity;
        let known = |symbol: Option<Symbol>| symbol.map_or(Value::Unknown, Value::Known);
        let symbols = &entitled.row.symbols;
        // A purpose that was not declared is known to be none; jurisdictions that nobody stated are unknown.
        let purpose = request.purpose.map(|p| snapshot.symbols.symbol(p));
        let sure = RequestSide {
            geo: known(snapshot.geo_symbol),
            purpose: purpose.map_or(Value::Absent, Value::Known),
            operation: known(snapshot.operation_symbol(request.operation)),
            stream: Truth::from(request.stream),
            jurisdictions: unless_empty(&texts.jurisdictions),
            data_classes: Members::Known(&texts.classes),
            egress_tools: Members::Known(&texts.egress_tools),
        };
        Self {
            caller: Caller {
                tenant: Value::Known(tenant.symbol),
                principal: Value::Known(principal.symbol),
                kind: Value::Known(principal.kind_symbol),
                country: known(principal.home.country),
                region: known(principal.home.region),
                teams: Members::Known(&team.symbol),
                roles: snapshot.role_symbols(request.caller),
            },
            model: ModelSide {
                name: Value::Known(symbols.name),
                licence: symbols.licence.map_or(Value::Absent, Value::Known),
                risk_class: known(symbols.risk_class),
                operations: Members::Known(&symbols.operations),
            },
            sure,
            declared: believing(texts, sure),
        }
    }

    /// What is known, without the caller's word.
    pub(super) fn sure<'b>(&'b self, endpoint: Option<&'b EndpointSide<'b>>) -> Attributes<'b> {
        Attributes { caller: &self.caller, model: &self.model, request: &self.sure, endpoint }
    }

    /// What is said if the caller is believed, in every way it can be.
    pub(super) fn declared<'b>(
        &'b self,
        endpoint: Option<&'b EndpointSide<'b>>,
    ) -> impl Iterator<Item = Attributes<'b>> {
        let (caller, model) = (&self.caller, &self.model);
        self.declared.iter().map(move |request| Attributes { caller, model, request, endpoint })
    }

    /// Whether a rule holds, of this candidate if it is about candidates.
    pub(super) fn holds(&self, rule: &Gate, endpoint: Option<&EndpointSide<'_>>) -> Holds {
        let mut holds = rule.condition.evaluate(&self.sure(endpoint));
        if !self.declared.is_empty() && depends_on_word(rule) {
            let believing = self.declared(endpoint).map(|attributes| rule.condition.evaluate(&attributes));
            holds = match rule.effect {
                Effect::Permit => believing.fold(holds, Truth::min),
                Effect::Forbid | Effect::Require => believing.fold(holds, Truth::max),
            };
        }
        match holds {
            Truth::True => Holds::Known,
            Truth::Unknown if rule.or_unknown && rule.effect != Effect::Permit => Holds::Undecided,
            _ => Holds::No,
        }
    }

    /// Whether a rule would hold for certain, whatever is believed, if this were the only vendor-side tool.
    pub(super) fn holds_with_one_tool(
        &self,
        rule: &Gate,
        endpoint: Option<&EndpointSide<'_>>,
        tool: Symbol,
    ) -> bool {
        let one = [tool];
        std::iter::once(&self.sure).chain(&self.declared).all(|side| {
            let request = &RequestSide { egress_tools: Members::Known(&one), ..*side };
            let attributes = Attributes { caller: &self.caller, model: &self.model, request, endpoint };
            rule.condition.evaluate(&attributes) == Truth::True
        })
    }
}

/// The request as it is if the caller is believed in one kind of its declarations, the other, or both. All are asked: a
/// declared place must not take back what a declared class brought up.
fn believing<'a>(texts: &'a Texts, sure: RequestSide<'a>) -> Vec<RequestSide<'a>> {
    let in_places = texts.declared_jurisdictions.as_deref();
    let in_places = in_places.map(|all| RequestSide { jurisdictions: Members::Known(all), ..sure });
    let in_classes = |side| {
        let declared = texts.declared_classes.as_deref();
        declared.map(|all| RequestSide { data_classes: Members::Known(all), ..side })
    };
    let both = in_places.and_then(in_classes);
    in_places.into_iter().chain(in_classes(sure)).chain(both).collect()
}

/// Whether a rule looks at anything a caller may declare.
fn depends_on_word(rule: &Gate) -> bool {
    rule.condition.mentions_data_classes()
        || rule.condition.mentions(Attribute::Set(Set::SubjectJurisdictions))
}

fn unless_empty(symbols: &[Symbol]) -> Members<'_> {
    if symbols.is_empty() { Members::Unknown } else { Members::Known(symbols) }
}

/// A candidate's attributes.
pub(super) fn side_of(site: &SiteRow) -> EndpointSide<'_> {
    fn names(places: &Option<Arc<Places>>) -> Members<'_> {
        places.as_ref().map_or(Members::Unknown, |places| Members::Known(&places.symbols))
    }
    EndpointSide {
        name: Value::Known(site.name),
        provider: Value::Known(site.vendor),
        processing_regions: names(&site.processing),
        storage_regions: names(&site.storage),
        trains_on_data: Truth::of(site.terms.trains_on_data),
        dpa: Truth::of(site.terms.dpa),
        baa: Truth::of(site.terms.baa),
        zero_retention: Truth::of(site.terms.zero_retention),
    }
}
