//! A request's attributes as symbols, made once, and what a rule makes of them.
//!
//! Law: what a caller declares can only make an answer stricter. A `forbid` or `require` holds if it does with the
//! declaration or without it, a `permit` only if it does with and without.

use std::sync::Arc;

use super::entitle::Entitled;
use crate::request::Request;
use crate::rules::condition::{
    Attribute, Attributes, Caller, EndpointSide, Members, ModelSide, RequestSide, Set, Symbol, Truth, Value,
};
use crate::snapshot::rows::{Gate, Places, SiteRow};
use crate::snapshot::{CompiledSnapshot, Identity, areas_of};
use crate::vocabulary::{Effect, Entity};

/// Texts of a request as symbols.
#[derive(Debug, Default)]
pub(super) struct Texts {
    /// What the team and the principal say of the subjects; each only adds.
    jurisdictions: Vec<Symbol>,
    /// What inspection found.
    classes: Vec<Symbol>,
    egress_tools: Box<[Symbol]>,
    /// The same with what the caller declared, where it declared anything that is not known anyway.
    declared: Option<Declared>,
}

#[derive(Debug)]
struct Declared {
    jurisdictions: Vec<Symbol>,
    classes: Vec<Symbol>,
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
        let mut jurisdictions = Vec::with_capacity(team.jurisdictions.len() + principal.jurisdictions.len());
        jurisdictions.extend_from_slice(&team.jurisdictions);
        jurisdictions.extend_from_slice(&principal.jurisdictions);
        sort(&mut jurisdictions);
        let mut classes = Vec::new();
        if found != 0 && snapshot.rules.reads_classes(request.caller.tenant) {
            let found = Entity::ALL.iter().filter(|e| found & e.bit() != 0);
            classes.extend(found.map(|e| symbol(e.as_str())));
            sort(&mut classes);
        }
        let mut texts = Self {
            jurisdictions,
            classes,
            egress_tools: match request.egress_tools {
                [] => Box::default(),
                tools => snapshot.symbols.members(tools.iter().map(String::as_str)),
            },
            declared: None,
        };
        if !request.declared_jurisdictions.is_empty() || !request.declared_classes.is_empty() {
            let places = request.declared_jurisdictions.iter().flat_map(|place| areas_of(place.as_str()));
            let mut jurisdictions = texts.jurisdictions.clone();
            jurisdictions.extend(places.map(|area| symbol(area)));
            sort(&mut jurisdictions);
            let mut classes = texts.classes.clone();
            classes.extend(request.declared_classes.iter().map(|class| symbol(class)));
            sort(&mut classes);
            if jurisdictions != texts.jurisdictions || classes != texts.classes {
                texts.declared = Some(Declared { jurisdictions, classes });
            }
        }
        texts
    }
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
    /// What is said if the caller is believed.
    declared: Option<RequestSide<'a>>,
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
                country: known(principal.country),
                region: known(principal.region),
                teams: Members::Known(&team.symbol),
                roles: snapshot.role_symbols(request.caller.role_set),
            },
            model: ModelSide {
                name: Value::Known(symbols.name),
                licence: symbols.licence.map_or(Value::Absent, Value::Known),
                risk_class: known(symbols.risk_class),
                operations: Members::Known(&symbols.operations),
            },
            sure,
            declared: texts.declared.as_ref().map(|declared| RequestSide {
                jurisdictions: unless_empty(&declared.jurisdictions),
                data_classes: Members::Known(&declared.classes),
                ..sure
            }),
        }
    }

    /// What is known, without the caller's word.
    pub(super) fn sure<'b>(&'b self, endpoint: Option<&'b EndpointSide<'b>>) -> Attributes<'b> {
        Attributes { caller: &self.caller, model: &self.model, request: &self.sure, endpoint }
    }

    /// What is said if the caller is believed, where that makes a difference.
    pub(super) fn declared<'b>(&'b self, endpoint: Option<&'b EndpointSide<'b>>) -> Option<Attributes<'b>> {
        let request = self.declared.as_ref()?;
        Some(Attributes { caller: &self.caller, model: &self.model, request, endpoint })
    }

    /// Whether a rule holds, of this candidate if it is about candidates.
    pub(super) fn holds(&self, rule: &Gate, endpoint: Option<&EndpointSide<'_>>) -> Holds {
        let sure = rule.condition.evaluate(&self.sure(endpoint));
        let declared = match self.declared(endpoint) {
            Some(attributes) if depends_on_word(rule) => rule.condition.evaluate(&attributes),
            _ => sure,
        };
        let holds = match rule.effect {
            Effect::Permit => sure.min(declared),
            Effect::Forbid | Effect::Require => sure.max(declared),
        };
        match holds {
            Truth::True => Holds::Known,
            Truth::Unknown if rule.or_unknown && rule.effect != Effect::Permit => Holds::Undecided,
            _ => Holds::No,
        }
    }
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
