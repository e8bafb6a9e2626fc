//! The same answers by the plainest way: every fact is walked, nothing is indexed, nothing is remembered.
//!
//! Written from the documents, not from the engine: what is slow here is meant to be obvious.

mod money;

use std::collections::BTreeMap;
use std::sync::Arc;

use policy_engine::facts::{Acceptance, Endpoint, Facts, Licence, Map, Model, Obligation, Rule, Team};
use policy_engine::rules::condition::{
    Attribute, Attributes, Caller, Condition, EndpointSide, Interner, Members, ModelSide, RequestSide, Set,
    Symbol, Truth, Value,
};
use policy_engine::rules::geo::PlaceKind;
use policy_engine::rules::geo::{RegionSet, jurisdictions_of, jurisdictions_touched, kind};
use policy_engine::rules::geo::{names_overlapping, place_named, resolve};
use policy_engine::rules::roles::{Access, Domain, matched_grants};
use policy_engine::vocabulary::{
    Action, Effect, Entity, Id, Layer, MaskAction, Mode, Name, Operation, UnknownFields,
};

use super::ask::{Answer, PARTS, Question, Terms};
use super::duties::{note, oblige, tighten};
use super::world::{model_named, name};

/// The answer to a question by these facts.
pub(crate) fn answer(facts: &Facts, question: &Question) -> Answer {
    match Asking::of(facts, question).and_then(|asking| asking.answer()) {
        Ok(terms) => Answer::Allow(terms),
        Err(code) => Answer::Deny(code.to_owned()),
    }
}

struct Asking<'a> {
    facts: &'a Facts,
    question: &'a Question,
    tenant: Name,
    team_name: Name,
    team: &'a Team,
    principal: (Id, &'a policy_engine::facts::Principal),
    model_id: Id,
    model: &'a Model,
    narrowed: bool,
}

/// What of a request's own word is taken for true, and which of the vendor's tools it is said to ask for: one, or all.
#[derive(Clone, Copy)]
struct Belief<'b> {
    areas: bool,
    classes: bool,
    tool: Option<&'b str>,
}

impl<'b> Belief<'b> {
    fn every(tool: Option<&'b str>) -> [Self; 4] {
        let ways = [(false, false), (true, false), (false, true), (true, true)];
        ways.map(|(areas, classes)| Self { areas, classes, tool })
    }
}

/// A rule that holds: whether for certain.
pub(crate) type Holding<'a> = (&'a Id, &'a Rule, bool);

impl<'a> Asking<'a> {
    fn of(facts: &'a Facts, question: &'a Question) -> Result<Self, &'static str> {
        let (mut tenant, mut team_name) = (name(question.tenant), name(question.team));
        let mut person = name(question.principal);
        let mut patterns = &Vec::new();
        if let Some(key) = question.key {
            let key = facts.keys.get(key).ok_or("nobody")?;
            (tenant, team_name, person) = (key.tenant.clone(), key.team.clone(), key.principal.clone());
            patterns = &key.models;
        }
        let id = Id::of(tenant.clone(), person);
        let principal = facts.principals.get(&id).ok_or("nobody")?;
        let team = facts.teams.get(&Id::of(tenant.clone(), team_name.clone())).ok_or("nobody")?;
        let wanted = model_named(&facts.models, &Some(tenant.clone()), &name(question.model));
        let model_id = wanted.ok_or("model_not_found")?;
        let narrowed = !patterns.is_empty() && !patterns.iter().any(|p| p.matches(model_id.name.as_str()));
        let model = &facts.models[&model_id];
        Ok(Self {
            facts,
            question,
            tenant,
            team_name,
            team,
            principal: (id, principal),
            model_id,
            model,
            narrowed,
        })
    }

    fn answer(&self) -> Result<Terms, &'static str> {
        self.entitle()?;
        let holding = self.holding(None);
        let enforced = |effect: Effect| {
            let acts = move |(_, rule, _): &&Holding<'a>| rule.effect == effect && rule.mode == Mode::Enforce;
            holding.iter().filter(acts).copied().collect::<Vec<_>>()
        };
        if let Some((_, _, certain)) = enforced(Effect::Forbid).first() {
            return Err(if *certain { "rule_forbids" } else { "rule_undecided" });
        }
        let required = enforced(Effect::Require);
        let permits = enforced(Effect::Permit);
        let mut hoped = permits.clone();
        for (id, endpoint) in self.endpoints() {
            hoped.extend(self.holding(Some((&id, endpoint))).into_iter().filter(is_permit));
        }
        if !satisfied(&required, &hoped) {
            return Err("permit_missing");
        }
        let could_permit_tools = self.endpoints().iter().any(|(id, endpoint)| {
            self.holding(Some((id, endpoint))).iter().any(|(_, rule, _)| self.is_about_tools(rule))
        });
        if !could_permit_tools && self.lacks_a_tool(None) {
            return Err("permit_missing");
        }
        let mut terms = Terms::default();
        required.iter().for_each(|(_, rule, _)| oblige(&mut terms, rule));
        self.guard(&mut terms);
        if self.holds_blocked(&terms.input) {
            return Err("content_blocked");
        }
        if intersection(&required).is_some_and(|allowed| allowed.is_empty()) {
            return Err("obligation_conflict");
        }
        note(&mut terms, &holding);
        let owed = self.candidates(&required, &permits, &mut terms)?;
        self.limit(&mut terms)?;
        let left: Vec<_> = owed.into_iter().filter(|(id, _)| terms.candidates.contains_key(id)).collect();
        left.iter().for_each(|(_, rule)| oblige(&mut terms, rule));
        let licence = self.licence().and_then(|(_, licence)| licence.attribution.clone());
        terms.notices.extend(licence);
        Ok(terms)
    }

    fn entitle(&self) -> Result<(), &'static str> {
        let domain = Domain::Team(self.tenant.clone(), self.team_name.clone());
        let may = |action| {
            let access = Access::Model { action, operation: Operation::Chat, model: &self.model_id };
            !matched_grants(self.facts, &domain, (&self.principal.0, self.principal.1), &access).is_empty()
        };
        match (may(Action::Infer), may(Action::View)) {
            (false, false) => return Err("model_not_found"),
            _ if self.narrowed => return Err("key_scope"),
            (false, true) => return Err("not_entitled"),
            (true, _) => {}
        }
        let Some((id, licence)) = self.licence() else { return Ok(()) };
        let now = self.question.instant;
        if licence.term.from.is_some_and(|from| now < from) {
            return Err("licence_not_started");
        }
        if licence.term.until.is_some_and(|until| now >= until) {
            return Err("licence_expired");
        }
        let (include, exclude) = (sum(&licence.territory.include), sum(&licence.territory.exclude));
        let home = self.facts.tenants[&Id::platform(self.tenant.clone())].domicile.as_ref();
        let home = home.and_then(|home| resolve(home.as_str()));
        let covered = match home {
            None => include.is_none() && exclude.is_none(),
            Some(home) => {
                include.is_none_or(|i| home.subset_of(&i)) && exclude.is_none_or(|e| !home.overlaps(&e))
            }
        };
        if !covered {
            return Err("licence_territory");
        }
        if self.question.purpose.is_some_and(|p| licence.prohibited.iter().any(|x| x == p)) {
            return Err("licence_purpose");
        }
        let accepts = |(owner, a): (&Id, &Arc<policy_engine::facts::LicenceAcceptance>)| {
            let own = Id { tenant: owner.tenant.clone(), name: a.licence.clone() };
            let meant =
                if self.facts.licences.contains_key(&own) { own } else { Id::platform(a.licence.clone()) };
            let same_text = licence.text_digest.is_none() || licence.text_digest == a.text_digest;
            owner.tenant.as_ref() == Some(&self.tenant)
                && a.team == self.team_name
                && meant == id
                && same_text
        };
        if licence.acceptance == Acceptance::Required && !self.facts.acceptances.iter().any(accepts) {
            return Err("licence_not_accepted");
        }
        Ok(())
    }

    fn licence(&self) -> Option<(Id, &'a Licence)> {
        let wanted = self.model.licence.as_ref()?;
        let own = Id { tenant: self.model_id.tenant.clone(), name: wanted.clone() };
        let id = [own, Id::platform(wanted.clone())]
            .into_iter()
            .find(|id| self.facts.licences.contains_key(id))?;
        let licence = self.facts.licences.get(&id)?;
        Some((id, licence))
    }

    fn in_force(&self, id: &Id, rule: &Rule) -> bool {
        let now = self.question.instant;
        id.tenant.as_ref().is_none_or(|owner| *owner == self.tenant)
            && rule.valid_from.is_none_or(|from| from <= now)
            && rule.valid_to.is_none_or(|to| now < to)
    }

    /// The endpoints of the route.
    fn endpoints(&self) -> Vec<(Id, &'a Endpoint)> {
        let named = self.model.route.groups.iter().flatten();
        let ids = named.map(|t| Id { tenant: self.model_id.tenant.clone(), name: t.endpoint.clone() });
        ids.filter_map(|id| self.facts.endpoints.get(&id).map(|endpoint| (id, &**endpoint))).collect()
    }

    /// Every rule in force that holds: those about endpoints for this one, or the others if there is none.
    fn holding(&self, endpoint: Option<(&Id, &Endpoint)>) -> Vec<Holding<'a>> {
        let mut interner = Interner::default();
        let rules: Vec<_> = self.facts.rules.iter().map(|(id, rule)| (id, &**rule)).collect();
        let conditions: Vec<Condition> =
            rules.iter().map(|(_, rule)| Condition::compile(&rule.when, &mut interner).unwrap()).collect();
        let mut holding = Vec::new();
        for ((id, rule), condition) in rules.into_iter().zip(conditions) {
            if !self.in_force(id, rule) || condition.mentions_endpoint() != endpoint.is_some() {
                continue;
            }
            let truths =
                Belief::every(None).map(|belief| self.evaluate(&condition, &interner, endpoint, belief));
            let matches_unknown = rule.or_unknown.unwrap_or(rule.layer == Layer::Regulation);
            let any_true = truths.contains(&Truth::True);
            let all_true = truths.iter().all(|truth| *truth == Truth::True);
            let unknown = truths.contains(&Truth::Unknown);
            match rule.effect {
                Effect::Permit if all_true => holding.push((id, rule, true)),
                Effect::Forbid | Effect::Require if any_true => holding.push((id, rule, true)),
                Effect::Forbid | Effect::Require if unknown && matches_unknown => {
                    holding.push((id, rule, false))
                }
                _ => {}
            }
        }
        holding
    }

    fn is_about_tools(&self, rule: &Rule) -> bool {
        let condition = Condition::compile(&rule.when, &mut Interner::default()).unwrap();
        rule.effect == Effect::Permit
            && rule.mode == Mode::Enforce
            && condition.mentions(Attribute::Set(Set::EgressTools))
    }

    /// Whether a tool of the vendor's was asked for that no rule permits, this endpoint's rules included. A rule that holds
    /// permits a tool if it would hold too were nothing else asked for.
    fn lacks_a_tool(&self, endpoint: Option<(&Id, &Endpoint)>) -> bool {
        let mut permits: Vec<_> = self.holding(None).into_iter().map(|(_, rule, _)| (rule, None)).collect();
        if endpoint.is_some() {
            permits.extend(self.holding(endpoint).into_iter().map(|(_, rule, _)| (rule, endpoint)));
        }
        permits.retain(|(rule, _)| self.is_about_tools(rule));
        let covers = |rule: &Rule, endpoint, tool| {
            let mut interner = Interner::default();
            let condition = Condition::compile(&rule.when, &mut interner).unwrap();
            Belief::every(Some(tool))
                .into_iter()
                .all(|belief| self.evaluate(&condition, &interner, endpoint, belief) == Truth::True)
        };
        let mut tools = self.question.tools.iter();
        tools.any(|tool| !permits.iter().any(|(rule, endpoint)| covers(rule, *endpoint, tool)))
    }

    fn evaluate(
        &self,
        condition: &Condition,
        interner: &Interner,
        endpoint: Option<(&Id, &Endpoint)>,
        belief: Belief<'_>,
    ) -> Truth {
        let q = self.question;
        let symbol = |text: &str| Value::Known(interner.symbol(text));
        fn members(interner: &Interner, texts: Vec<&str>) -> Box<[Symbol]> {
            interner.members(texts)
        }
        let residency = self.principal.1.residency.as_ref().map(Name::as_str);
        let declared = q.areas.iter().filter(|_| belief.areas);
        let places = self.team.jurisdictions.iter().map(Name::as_str).chain(residency);
        let declared = declared.map(|place| place_named(place.as_str()).unwrap_or("global"));
        let areas = places.flat_map(jurisdictions_of).chain(declared.flat_map(jurisdictions_touched));
        let jurisdictions = members(interner, areas.collect());
        let found = q.content.iter().filter_map(|part| PARTS[*part].1).map(Entity::as_str);
        let mut classes: Vec<&str> = found.collect();
        classes.extend(q.classes.iter().filter(|_| belief.classes).map(String::as_str));
        let classes = members(interner, classes);
        let domain = Domain::Team(self.tenant.clone(), self.team_name.clone());
        let roles = roles_of(self.facts, &domain, &self.principal.0);
        let (roles, teams) = (
            members(interner, roles.iter().map(String::as_str).collect()),
            members(interner, vec![self.team_name.as_str()]),
        );
        let tools: Vec<&str> = q.tools.iter().map(String::as_str).collect();
        let tools = members(interner, belief.tool.map_or(tools, |tool| vec![tool]));
        let operations = members(interner, self.model.card.operations.iter().map(|o| o.as_str()).collect());
        let country = residency.filter(|r| kind(r) == Some(PlaceKind::Country));
        let caller = Caller {
            tenant: symbol(self.tenant.as_str()),
            principal: symbol(self.principal.0.name.as_str()),
            kind: symbol(self.principal.1.kind.as_str()),
            country: country.map_or(Value::Unknown, symbol),
            region: Value::Unknown,
            teams: Members::Known(&teams),
            roles: Members::Known(&roles),
        };
        let model = ModelSide {
            name: symbol(self.model_id.name.as_str()),
            licence: self.model.licence.as_ref().map_or(Value::Absent, |l| symbol(l.as_str())),
            risk_class: self.model.card.risk_class.as_deref().map_or(Value::Unknown, symbol),
            operations: Members::Known(&operations),
        };
        let request = RequestSide {
            geo: symbol("eu"),
            purpose: q.purpose.map_or(Value::Absent, symbol),
            operation: symbol("chat"),
            stream: Truth::from(q.stream),
            jurisdictions: if jurisdictions.is_empty() {
                Members::Unknown
            } else {
                Members::Known(&jurisdictions)
            },
            data_classes: Members::Known(&classes),
            egress_tools: Members::Known(&tools),
        };
        let regions = endpoint.and_then(|(_, e)| sum(&e.processing_regions));
        let regions = regions.map(|regions| members(interner, names_overlapping(&regions)));
        let side = endpoint.map(|(id, e)| self.side(id, e, regions.as_deref(), interner));
        condition.evaluate(&Attributes {
            caller: &caller,
            model: &model,
            request: &request,
            endpoint: side.as_ref(),
        })
    }

    fn side<'s>(
        &self,
        id: &Id,
        endpoint: &Endpoint,
        regions: Option<&'s [Symbol]>,
        interner: &Interner,
    ) -> EndpointSide<'s> {
        let vendor = Id { tenant: id.tenant.clone(), name: endpoint.provider.clone() };
        let (own, vendor) = (endpoint.terms, self.facts.providers[&vendor].terms);
        EndpointSide {
            name: Value::Known(interner.symbol(id.name.as_str())),
            provider: Value::Known(interner.symbol(endpoint.provider.as_str())),
            processing_regions: regions.map_or(Members::Unknown, Members::Known),
            trains_on_data: Truth::of(own.trains_on_data.or(vendor.trains_on_data)),
            dpa: Truth::of(own.dpa.or(vendor.dpa)),
            ..EndpointSide::default()
        }
    }

    fn guard(&self, terms: &mut Terms) {
        for (id, guardrail) in &self.facts.guardrails {
            let (models, teams) = (&guardrail.applies.models, &guardrail.applies.teams);
            let mine = id.tenant.as_ref().is_none_or(|owner| *owner == self.tenant)
                && (models.is_empty() || models.iter().any(|m| m.matches(self.model_id.name.as_str())))
                && (teams.is_empty() || teams.contains(&self.team_name));
            if mine {
                guardrail.input.iter().for_each(|check| tighten(&mut terms.input, check));
                guardrail.output.iter().for_each(|check| tighten(&mut terms.output, check));
            }
        }
    }

    fn holds_blocked(&self, actions: &BTreeMap<String, MaskAction>) -> bool {
        let blocked = |what: &str| actions.get(what) == Some(&MaskAction::Block);
        self.question.content.iter().any(|part| match PARTS[*part] {
            (_, Some(entity)) => blocked(entity.as_str()),
            (word, None) => blocked(word),
        })
    }

    /// Fills in the candidates; gives what each of them owes for its own sake.
    fn candidates(
        &self,
        required: &[Holding<'a>],
        permits: &[Holding<'a>],
        terms: &mut Terms,
    ) -> Result<Vec<(Id, &'a Rule)>, &'static str> {
        let (mut first, mut kept) = (None, Vec::new());
        for (id, endpoint) in self.endpoints() {
            let holding = self.holding(Some((&id, endpoint)));
            note(terms, &holding);
            let acting: Vec<_> =
                holding.iter().filter(|(_, r, _)| r.mode == Mode::Enforce).copied().collect();
            let forbid = acting.iter().find(|(_, rule, _)| rule.effect == Effect::Forbid);
            let permits: Vec<_> =
                permits.iter().chain(acting.iter().filter(|held| is_permit(held))).copied().collect();
            let mine: Vec<_> =
                acting.iter().filter(|(_, r, _)| r.effect == Effect::Require).copied().collect();
            let all: Vec<_> = required.iter().chain(&mine).copied().collect();
            let processing = sum(&endpoint.processing_regions);
            let storage = sum(&endpoint.storage_regions).or(processing);
            let mut own = Terms::default();
            mine.iter().for_each(|(_, rule, _)| oblige(&mut own, rule));
            let fault = match intersection(&all) {
                _ if forbid.is_some() => {
                    forbid.map(|(_, _, certain)| if *certain { "rule_forbids" } else { "rule_undecided" })
                }
                _ if !satisfied(&all, &permits) => Some("permit_missing"),
                _ if self.lacks_a_tool(Some((&id, endpoint))) => Some("permit_missing"),
                Some(allowed) if allowed.is_empty() => Some("obligation_conflict"),
                Some(allowed)
                    if ![processing, storage].iter().all(|p| p.is_some_and(|p| p.subset_of(&allowed))) =>
                {
                    Some("residency_unsatisfied")
                }
                _ if self.holds_blocked(&own.input) => Some("content_blocked"),
                _ if endpoint.unknown_fields == UnknownFields::Reject && !self.question.fields.is_empty() => {
                    Some("unknown_field")
                }
                _ => None,
            };
            match fault {
                // What the caller can mend is told before what it cannot.
                Some("unknown_field") => first = Some("unknown_field"),
                Some(fault) => drop(first.get_or_insert(fault)),
                None => {
                    kept.extend(mine.iter().map(|(_, rule, _)| (id.clone(), *rule)));
                    terms.candidates.insert(id.clone(), (self.price(&id), Default::default()));
                }
            }
        }
        if terms.candidates.is_empty() { Err(first.unwrap_or("no_endpoint")) } else { Ok(kept) }
    }
}

fn is_permit((_, rule, _): &Holding<'_>) -> bool {
    rule.effect == Effect::Permit && rule.mode == Mode::Enforce
}

/// Whether every rule that needs a permit has one: the platform's, or for a tenant's rule that tenant's.
fn satisfied(required: &[Holding<'_>], permits: &[Holding<'_>]) -> bool {
    let has_one =
        |owner: &Id| permits.iter().any(|(by, ..)| by.tenant.is_none() || by.tenant == owner.tenant);
    required.iter().all(|(id, rule, _)| !rule.needs_permit || has_one(id))
}

/// What a name means in a resource: its owner's own thing, else the platform's.
fn meant<T>(all: &Map<Id, T>, owner: &Id, text: &Name) -> Id {
    let own = Id { tenant: owner.tenant.clone(), name: text.clone() };
    if all.contains_key(&own) { own } else { Id::platform(text.clone()) }
}

/// The names of the roles somebody holds in a domain.
fn roles_of(facts: &Facts, domain: &Domain, principal: &Id) -> Vec<String> {
    use policy_engine::facts::GrantSubject;
    let Domain::Team(tenant, team) = domain else { return Vec::new() };
    let teams = &facts.principals[principal].teams;
    let grants = facts.grants.iter().filter(|(id, grant)| {
        id.tenant.as_ref() == Some(tenant)
            && grant.team.as_ref().is_none_or(|held| held == team)
            && match &grant.to {
                GrantSubject::Team(of) => teams.contains(of),
                GrantSubject::Principal(who) => *who == principal.name,
                GrantSubject::Group(_) => false,
            }
    });
    grants.map(|(_, grant)| grant.role.to_string()).collect()
}

fn sum(places: &[Name]) -> Option<RegionSet> {
    places.iter().filter_map(|place| resolve(place.as_str())).reduce(|a, b| a.union(&b))
}

/// The places within all that rules demand.
fn intersection(rules: &[Holding<'_>]) -> Option<RegionSet> {
    let demands = rules.iter().flat_map(|(_, rule, _)| &rule.obligations).filter_map(|o| match o {
        Obligation::Residency(places) => sum(places),
        _ => None,
    });
    demands.reduce(|a, b| a.intersect(&b))
}
