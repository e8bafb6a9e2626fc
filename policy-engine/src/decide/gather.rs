//! Rules: which may hold for a request, and what those say that do.
//!
//! Law: a rule is left aside only if the value it is filed under is known and another. Evaluating too many costs time;
//! missing one would cost the policy.

use crate::decision::RuleIx;
use crate::request::{Found, Request};
use crate::rules::condition::{
    Attribute, Attributes, Caller, EndpointSide, Members, ModelSide, RequestSide, Set, Symbol, Text, Truth,
    Value,
};
use crate::rules::geo;
use crate::snapshot::rows::TargetRow;
use crate::snapshot::{CompiledSnapshot, EndpointRow, Identity, RuleRow};
use crate::vocabulary::{Entity, Instant};

use super::{Entitled, Verdict};

/// A request's attributes as symbols, made once, and the rules that have to be asked for each endpoint.
pub(super) struct Context<'a> {
    request: &'a Request<'a>,
    entitled: &'a Entitled<'a>,
    snapshot: &'a CompiledSnapshot,
    identity: Option<Identity<'a>>,
    jurisdictions: Vec<Symbol>,
    classes: Vec<Symbol>,
    egress_tools: Box<[Symbol]>,
    about_endpoints: Vec<u32>,
}

impl<'a> Context<'a> {
    pub(super) fn new(
        request: &'a Request<'a>,
        entitled: &'a Entitled<'a>,
        found: &Found,
        snapshot: &'a CompiledSnapshot,
    ) -> Self {
        let identity = snapshot.identity(request.caller);
        let mut context = Self {
            request,
            entitled,
            snapshot,
            identity,
            jurisdictions: Vec::new(),
            classes: Vec::new(),
            egress_tools: snapshot.symbols.members(request.egress_tools.iter().map(String::as_str)),
            about_endpoints: Vec::new(),
        };
        context.jurisdictions = context.subject_jurisdictions();
        context.classes = context.data_classes(found);
        context
    }

    /// What the team, the principal and the caller say together; each only adds.
    fn subject_jurisdictions(&self) -> Vec<Symbol> {
        let mut symbols = Vec::new();
        if let Some(identity) = &self.identity {
            symbols.extend_from_slice(&identity.team.jurisdictions);
            symbols.extend_from_slice(&identity.principal.jurisdictions);
        }
        for declared in self.request.declared_jurisdictions {
            let areas = geo::jurisdictions_of(declared.as_str());
            symbols.extend(areas.iter().map(|area| self.snapshot.symbols.symbol(area)));
        }
        symbols.sort_unstable();
        symbols.dedup();
        symbols
    }

    fn data_classes(&self, found: &Found) -> Vec<Symbol> {
        if !self.snapshot.rules.asks_for_content {
            return Vec::new();
        }
        let found = Entity::ALL.iter().filter(|e| found.has(**e)).map(|e| e.as_str());
        let all = found.chain(self.request.declared_classes.iter().map(String::as_str));
        let mut symbols: Vec<Symbol> = all.map(|class| self.snapshot.symbols.symbol(class)).collect();
        symbols.sort_unstable();
        symbols.dedup();
        symbols
    }

    pub(super) fn targets(&self) -> &'a [TargetRow] {
        &self.entitled.row.targets
    }

    pub(super) fn endpoint(&self, target: &TargetRow) -> Option<&'a EndpointRow> {
        self.snapshot.endpoints.get(target.endpoint as usize)
    }

    pub(super) fn instant(&self) -> Instant {
        self.request.instant
    }

    fn caller(&self) -> Caller<'_> {
        let Some(identity) = &self.identity else { return Caller::default() };
        let known = |symbol: Option<Symbol>| symbol.map_or(Value::Unknown, Value::Known);
        Caller {
            tenant: Value::Known(identity.tenant.symbol),
            principal: Value::Known(identity.principal.symbol),
            kind: Value::Known(identity.principal.kind_symbol),
            country: known(identity.principal.country),
            region: known(identity.principal.region),
            teams: Members::Known(&identity.team.symbol),
            roles: self.snapshot.role_symbols(self.request.caller.role_set),
        }
    }

    fn model(&self) -> ModelSide<'_> {
        let symbols = &self.entitled.row.symbols;
        ModelSide {
            name: Value::Known(symbols.name),
            licence: symbols.licence.map_or(Value::Absent, Value::Known),
            risk_class: symbols.risk_class.map_or(Value::Unknown, Value::Known),
            operations: Members::Known(&symbols.operations),
        }
    }

    /// A purpose that was not declared is known to be none; jurisdictions that nobody stated are unknown.
    fn request_side(&self) -> RequestSide<'_> {
        let snapshot = self.snapshot;
        let purpose = self.request.purpose.map(|p| snapshot.symbols.symbol(p));
        RequestSide {
            geo: snapshot.geo_symbol.map_or(Value::Unknown, Value::Known),
            purpose: purpose.map_or(Value::Absent, Value::Known),
            operation: snapshot.operation_symbol(self.request.operation).map_or(Value::Unknown, Value::Known),
            stream: Truth::from(self.request.stream),
            jurisdictions: match self.jurisdictions.as_slice() {
                [] => Members::Unknown,
                known => Members::Known(known),
            },
            data_classes: Members::Known(&self.classes),
            egress_tools: Members::Known(&self.egress_tools),
        }
    }

    /// The rules about endpoints that hold for this one, or may for want of a fact (`false`).
    pub(super) fn rules_about(&self, endpoint: &EndpointRow) -> Vec<(RuleIx, &'a RuleRow, bool)> {
        if self.about_endpoints.is_empty() {
            return Vec::new();
        }
        let (caller, model, request, side) =
            (self.caller(), self.model(), self.request_side(), side_of(endpoint));
        let attributes =
            Attributes { caller: &caller, model: &model, request: &request, endpoint: Some(&side) };
        let rules = self.about_endpoints.iter();
        rules.filter_map(|at| self.holding(*at, &attributes)).collect()
    }

    fn holding(&self, at: u32, attributes: &Attributes<'_>) -> Option<(RuleIx, &'a RuleRow, bool)> {
        let rule = self.snapshot.rules.rows.get(at as usize)?;
        match rule.condition.evaluate(attributes) {
            Truth::True => Some((RuleIx(at), rule, true)),
            Truth::Unknown if rule.or_unknown => Some((RuleIx(at), rule, false)),
            _ => None,
        }
    }
}

fn side_of(endpoint: &EndpointRow) -> EndpointSide<'_> {
    let symbols = &endpoint.symbols;
    EndpointSide {
        name: Value::Known(symbols.name),
        provider: Value::Known(symbols.provider),
        processing_regions: symbols.processing.as_deref().map_or(Members::Unknown, Members::Known),
        storage_regions: symbols.storage.as_deref().map_or(Members::Unknown, Members::Known),
        trains_on_data: Truth::of(symbols.terms.trains_on_data),
        dpa: Truth::of(symbols.terms.dpa),
        baa: Truth::of(symbols.terms.baa),
        zero_retention: Truth::of(symbols.terms.zero_retention),
    }
}

/// Asks every rule that may hold; those about endpoints are kept for [`Context::rules_about`].
pub(super) fn apply_rules(context: &mut Context<'_>, verdict: &mut Verdict) {
    let mut about_endpoints = Vec::new();
    {
        let (caller, model, request) = (context.caller(), context.model(), context.request_side());
        let attributes = Attributes { caller: &caller, model: &model, request: &request, endpoint: None };
        for at in gather(context, &attributes) {
            let Some(rule) = context.snapshot.rules.rows.get(at as usize) else { continue };
            let mine = rule.tenant.is_none_or(|t| t == context.request.caller.tenant);
            if !mine || context.instant() < rule.valid_from || context.instant() >= rule.valid_to {
                continue;
            }
            if rule.condition.mentions_endpoint() {
                about_endpoints.push(at);
            } else if let Some((ix, rule, known)) = context.holding(at, &attributes) {
                verdict.take(ix, rule, known);
            }
        }
    }
    context.about_endpoints = about_endpoints;
    verdict.settle_permits();
}

/// The rules filed under any value the request has, or under an attribute it does not know; ascending, each once.
fn gather(context: &Context<'_>, attributes: &Attributes<'_>) -> Vec<u32> {
    let table = &context.snapshot.rules;
    let mut rules = table.unanchored.clone();
    let mut add = |attribute: Attribute, symbol: Symbol| {
        rules.extend(table.anchored.get(&(attribute, symbol)).into_iter().flatten());
    };
    let mut unknown: Vec<Attribute> = Vec::new();
    for text in Text::ALL.iter().filter(|t| table.files(Attribute::Text(**t))) {
        match attributes.text(*text) {
            Value::Known(symbol) => add(Attribute::Text(*text), symbol),
            Value::Unknown => unknown.push(Attribute::Text(*text)),
            Value::Absent => {}
        }
    }
    for set in Set::ALL.iter().filter(|s| table.files(Attribute::Set(**s))) {
        match attributes.set(*set) {
            Members::Known(symbols) => symbols.iter().for_each(|symbol| add(Attribute::Set(*set), *symbol)),
            Members::Unknown => unknown.push(Attribute::Set(*set)),
        }
    }
    // The endpoint's attributes are unknown here, so every rule filed under one of them is asked of each endpoint.
    for attribute in unknown {
        rules.extend(table.when_unknown.get(&attribute).into_iter().flatten());
    }
    rules.sort_unstable();
    rules.dedup();
    rules
}
