//! Why a request would be allowed or refused: the function that enforces, asked about one that is only imagined.
//!
//! Law: the facts are projected to the geo and compiled as a node of that geo would, so that the answer is that node's.
//! Absent on purpose: content. Data classes are declared, not found.

mod switched;
mod words;

use std::collections::BTreeSet;
use std::sync::Arc;

use policy_engine::decision::{Actions, Decision, Permit, RuleIx};
use policy_engine::facts::Facts;
use policy_engine::reason::{Reason as EngineReason, ReasonCode};
use policy_engine::request::{Caller, Found, Request};
use policy_engine::rules::roles::{Access, Domain, matched_grants};
use policy_engine::snapshot::{CompiledSnapshot, Header};
use policy_engine::vocabulary::{
    Action, Effect, Entity, Geo, Id, Instant, Kind, MaskAction, Mode, Name, Operation,
};
use policy_engine::{Scope, compile, decide, entitle, project};
use proto::admin::{Candidate, ContentAction, ExplainResponse, MatchedRule, Obligation, Reason, RuleSpec};
use proto::name;
use proto::status::Refusal;

use crate::error::ChangeError;
use crate::kills::KillsNow;

/// A request that is only imagined.
#[derive(Debug, Clone)]
pub struct Imagined {
    /// The tenant.
    pub tenant: Name,
    /// The principal.
    pub principal: Name,
    /// The team; `None` is the one team it has.
    pub team: Option<Name>,
    /// Name or alias of the model.
    pub model: String,
    /// The operation.
    pub operation: Operation,
    /// Where the node runs.
    pub geo: Geo,
    /// When it is made.
    pub instant: Instant,
    /// The purpose it declares.
    pub purpose: Option<String>,
    /// Data classes it declares.
    pub classes: Vec<String>,
    /// Where its subjects live, as it declares.
    pub residency: Vec<Name>,
    /// Tools that the vendor would run.
    pub egress_tools: Vec<String>,
    /// Fields of it that are outside the published schema.
    pub unknown_fields: Vec<String>,
}

/// By what a question is answered.
#[derive(Debug, Clone)]
pub struct World {
    /// Everything that is, or was, in force.
    pub facts: Arc<Facts>,
    /// The revision.
    pub revision: u64,
    /// The geos that nodes are known in.
    pub geos: BTreeSet<Geo>,
    /// What is, or was, switched off.
    pub kills: Arc<KillsNow>,
    /// When that is asked, in microseconds since the Unix epoch.
    pub kills_at: i64,
}

/// Says what a node of the geo would decide, and why; refuses a question that has words nobody knows.
pub async fn explain(world: World, asked: Imagined) -> Result<ExplainResponse, Refusal> {
    let task = tokio::task::spawn_blocking(move || {
        let explaining = Explaining::new(&world.facts, world.revision, &asked)?;
        words::check(&asked, &world.facts, &world.geos)?;
        let answer = explaining.answer()?;
        let kills = switched::off((&world.kills, world.kills_at), &asked, &answer, &explaining.facts);
        Ok(switched::refused(answer, kills, &explaining.facts))
    });
    task.await.map_err(|_| ChangeError::Broken)?
}

struct Explaining<'a> {
    asked: &'a Imagined,
    team: Name,
    facts: Facts,
    snapshot: CompiledSnapshot,
}

impl<'a> Explaining<'a> {
    fn new(all: &Facts, revision: u64, asked: &'a Imagined) -> Result<Self, Refusal> {
        let id = Id::of(asked.tenant.clone(), asked.principal.clone());
        let known = all.principals.get(&id).ok_or_else(|| {
            let tenant = all.tenants.contains_key(&Id::platform(asked.tenant.clone()));
            let line = match tenant {
                true => "there is no such principal".to_owned(),
                false => format!("there is no tenant `{}`", asked.tenant),
            };
            Refusal::field("principal", line)
        })?;
        let team = match (&asked.team, known.teams.as_slice()) {
            (Some(team), teams) if teams.contains(team) => team.clone(),
            (Some(_), _) => return Err(Refusal::field("team", "the principal is not in this team")),
            (None, [only]) => only.clone(),
            (None, _) => {
                return Err(Refusal::field("team", "the principal has not exactly one team: name it"));
            }
        };
        let facts = project(all, &Scope { geo: asked.geo.clone() });
        let header = Header { revision, geo: Some(asked.geo.clone()) };
        let snapshot =
            compile(&facts, header).map_err(|faults| Refusal::from(ChangeError::Faults(faults)))?;
        Ok(Self { asked, team, facts, snapshot })
    }

    fn answer(&self) -> Result<ExplainResponse, Refusal> {
        let asked = self.asked;
        let mut answer = ExplainResponse {
            effect: "deny".to_owned(),
            geo: asked.geo.to_string(),
            revision: i64::try_from(self.snapshot.header().revision).unwrap_or(i64::MAX),
            instant: Some(proto::convert::timestamp(asked.instant)),
            evaluator: policy_engine::VERSION.to_owned(),
            ..ExplainResponse::default()
        };
        let Some(caller) = self.snapshot.find_caller(&asked.tenant, &self.team, &asked.principal) else {
            answer.reasons.push(reason(&EngineReason::plain(ReasonCode::GeoNotAllowed)));
            return Ok(answer);
        };
        let request = self.request(caller);
        let model = self.snapshot.find_model(caller, &asked.model).and_then(|ix| self.snapshot.model(ix));
        if let Some(model) = model {
            answer.model = name::format(Kind::Model, &model.id);
            answer.matched_grants = self.grants(&model.id);
        }
        let entitled = match entitle(&request, &self.snapshot) {
            Ok(entitled) => entitled,
            Err(denial) => {
                answer.reasons = denial.reasons.iter().map(reason).collect();
                return Ok(answer);
            }
        };
        match decide(&request, &entitled, &self.found(), &self.snapshot) {
            Decision::Allow(permit) => self.allowed(&mut answer, &entitled.row.id, &permit),
            Decision::Deny(denial) => {
                answer.reasons = denial.reasons.iter().filter(|r| r.endpoint.is_none()).map(reason).collect();
                answer.matched_rules = self.rules(&denial.matched, &[], &denial.reasons);
                answer.obligations = self.obligations(&denial.matched);
                answer.candidates = self.candidates(&entitled.row.id, &[], &denial.reasons);
            }
        }
        Ok(answer)
    }

    fn allowed(&self, answer: &mut ExplainResponse, model: &Id, permit: &Permit) {
        answer.effect = "allow".to_owned();
        answer.matched_rules = self.rules(&permit.matched, &permit.shadow_denials, &[]);
        answer.obligations = self.obligations(&permit.matched);
        answer.content_actions = content_actions("input", &permit.input);
        answer.content_actions.extend(content_actions("output", &permit.output));
        let places = permit.candidates.iter().filter_map(|c| self.snapshot.endpoint(c.endpoint));
        let open: Vec<Id> = places.map(|row| row.id.clone()).collect();
        answer.candidates = self.candidates(model, &open, &permit.dropped);
        let all = permit.limits.iter().chain(permit.candidates.iter().flat_map(|c| &c.limits));
        let rows = all.filter_map(|ix| self.snapshot.limit(*ix));
        answer.limits = rows.map(|row| name::format(Kind::Limit, &row.id)).collect();
        answer.limits.sort();
        answer.limits.dedup();
    }

    fn request(&self, caller: Caller) -> Request<'_> {
        let asked = self.asked;
        Request {
            caller,
            model: &asked.model,
            operation: asked.operation,
            stream: false,
            purpose: asked.purpose.as_deref(),
            declared_jurisdictions: &asked.residency,
            declared_classes: &asked.classes,
            egress_tools: &asked.egress_tools,
            unknown_fields: &asked.unknown_fields,
            picture: None,
            instant: asked.instant,
            key: None,
        }
    }

    fn found(&self) -> Found {
        let mut found = Found::default();
        for entity in self.asked.classes.iter().filter_map(|class| class.parse::<Entity>().ok()) {
            found.note_entity(entity);
        }
        found
    }

    fn grants(&self, model: &Id) -> Vec<String> {
        let id = Id::of(self.asked.tenant.clone(), self.asked.principal.clone());
        let Some(principal) = self.facts.principals.get(&id) else { return Vec::new() };
        let domain = Domain::Team(self.asked.tenant.clone(), self.team.clone());
        let access = Access::Model { action: Action::Infer, operation: self.asked.operation, model };
        let matched = matched_grants(&self.facts, &domain, (&id, principal), &access);
        matched.iter().map(|found| name::format(Kind::Grant, &found.grant)).collect()
    }

    fn rules(&self, matched: &[RuleIx], shadow: &[RuleIx], reasons: &[EngineReason]) -> Vec<MatchedRule> {
        let undecided = |id: &Id| {
            reasons.iter().any(|r| r.code == ReasonCode::RuleUndecided && r.source.as_ref() == Some(id))
        };
        let rows = matched.iter().chain(shadow).filter_map(|ix| self.snapshot.rule(*ix));
        rows.map(|row| MatchedRule {
            name: name::format(Kind::Rule, &row.id),
            effect: row.effect.to_string(),
            mode: row.mode.to_string(),
            unknown: undecided(&row.id),
        })
        .collect()
    }

    /// What the `require` rules that held demand, as their authors wrote it.
    fn obligations(&self, matched: &[RuleIx]) -> Vec<Obligation> {
        let mut all: Vec<Obligation> = Vec::new();
        for row in matched.iter().filter_map(|ix| self.snapshot.rule(*ix)) {
            let rule = self.facts.rules.get(&row.id);
            let acts = row.effect == Effect::Require && row.mode == Mode::Enforce;
            for obligation in rule
                .filter(|_| acts)
                .map(|rule| RuleSpec::from(rule.as_ref()).obligations)
                .unwrap_or_default()
            {
                if !all.contains(&obligation) {
                    all.push(obligation);
                }
            }
        }
        all
    }

    /// Every endpoint of the model's route, in the route's order.
    fn candidates(&self, model: &Id, open: &[Id], reasons: &[EngineReason]) -> Vec<Candidate> {
        let Some(model) = self.facts.models.get(model).map(|m| (m, &model.tenant)) else { return Vec::new() };
        let (model, tenant) = model;
        let groups = model.route.groups.iter().enumerate();
        groups
            .flat_map(|(group, targets)| targets.iter().map(move |target| (group, target)))
            .map(|(group, target)| {
                let own = Id { tenant: tenant.clone(), name: target.endpoint.clone() };
                let id = if self.facts.endpoints.contains_key(&own) {
                    own
                } else {
                    Id::platform(target.endpoint.clone())
                };
                let about = reasons.iter().filter(|r| r.endpoint.as_ref() == Some(&id));
                Candidate {
                    endpoint: name::format(Kind::Endpoint, &id),
                    permitted: open.contains(&id),
                    reasons: about.map(reason).collect(),
                    group: u32::try_from(group).unwrap_or(u32::MAX),
                }
            })
            .collect()
    }
}

/// What is done to findings of one direction, in the words of records.
fn content_actions(direction: &str, actions: &Actions) -> Vec<ContentAction> {
    let act = |finding: String, action: MaskAction| ContentAction {
        direction: direction.to_owned(),
        finding,
        action: action.to_string(),
    };
    let entities =
        Entity::ALL.iter().filter_map(|entity| Some(act(entity.to_string(), actions.on(*entity)?)));
    let lists = actions.word_lists.iter().map(|(list, action)| act(format!("words[{list}]"), *action));
    entities.chain(lists).collect()
}

fn reason(found: &EngineReason) -> Reason {
    let kind = match found.code {
        ReasonCode::RuleForbids
        | ReasonCode::RuleUndecided
        | ReasonCode::PermitMissing
        | ReasonCode::ResidencyUnsatisfied
        | ReasonCode::ObligationConflict => Some(Kind::Rule),
        ReasonCode::LicenceNotStarted
        | ReasonCode::LicenceExpired
        | ReasonCode::LicenceTerritory
        | ReasonCode::LicencePurpose
        | ReasonCode::LicenceNotAccepted => Some(Kind::Licence),
        _ => None,
    };
    let resource = match (&found.source, kind) {
        (Some(id), Some(kind)) => name::format(kind, id),
        (Some(id), None) => id.to_string(),
        (None, _) => String::new(),
    };
    Reason {
        code: found.code_text().to_owned(),
        message: found.to_string(),
        resource,
        legal_ref: found.legal_ref.clone().unwrap_or_default(),
    }
}
