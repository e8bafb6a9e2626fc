//! Casbin over the policy lines: the truth about roles, which authorises admin calls and proves the compiled index.
//!
//! Law: the model has one shape, with `g` last in its matcher, since it is by far the dearest part. Never on a node:
//! its cost grows with the policy (1 to 2 ms at 1,000 lines), so it has no place in a request.
//! Absent on purpose: Casbin's own persistence and watchers; facts are stored once, elsewhere, and lines are remade.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use casbin::function_map::{OperatorFunction, dynamic_to_str, key_match};
use casbin::rhai::Dynamic;
use casbin::{CoreApi, DefaultModel, DefaultRoleManager, Enforcer, MemoryAdapter, RoleManager};
use parking_lot::RwLock;
use thiserror::Error;

use super::roles::{Access, Domain, Line, policy_lines, subjects};
use crate::facts::{Facts, ModelGlob, Principal};
use crate::vocabulary::Id;

/// The model in Casbin's own form.
pub const MODEL: &str = r#"
[request_definition]
r = sub, dom, obj, act, op

[policy_definition]
p = sub, dom, obj, act, op

[role_definition]
g = _, _, _

[policy_effect]
e = some(where (p.eft == allow))

[matchers]
m = r.act == p.act && (p.op == "*" || r.op == p.op) && keyMatch(r.dom, p.dom) && objectMatch(r.dom, r.obj, p.obj) && g(r.sub, p.sub, r.dom)
"#;

/// Casbin could not be set up or asked; nothing is allowed then.
#[derive(Debug, Error)]
#[error("the role policy cannot be evaluated")]
pub struct AuthoriserError(#[source] Box<dyn std::error::Error + Send + Sync>);

/// The authoriser of the control plane.
pub struct CasbinAuthoriser {
    enforcer: Enforcer,
}

impl CasbinAuthoriser {
    /// Loads the policy that facts mean.
    pub fn new(facts: &Facts) -> Result<Self, AuthoriserError> {
        Self::from_lines(policy_lines(facts))
    }

    /// Loads a policy.
    pub fn from_lines(lines: impl IntoIterator<Item = Line>) -> Result<Self, AuthoriserError> {
        let model = at_once(DefaultModel::from_str(MODEL))?.map_err(failed)?;
        let mut enforcer = at_once(Enforcer::new_raw(model, MemoryAdapter::default()))?.map_err(failed)?;
        enforcer.add_function("objectMatch", OperatorFunction::Arg3(object_match));
        // Casbin's default stops after ten levels of inheritance; ours ends where the roles do.
        let mut roles = DefaultRoleManager::new(usize::MAX);
        roles.matching_fn(None, Some(key_match));
        enforcer.set_role_manager(Arc::new(RwLock::new(roles))).map_err(failed)?;
        let policy = enforcer.get_mut_model();
        for line in lines {
            match line {
                Line::Permission(fields) => policy.add_policy("p", "p", fields.to_vec()),
                Line::Membership(fields) => policy.add_policy("g", "g", fields.to_vec()),
            };
        }
        enforcer.build_role_links().map_err(failed)?;
        Ok(Self { enforcer })
    }

    /// Whether a principal is allowed access in a domain, as any subject it acts as. Linear in the policy.
    pub fn enforce(
        &self,
        domain: &Domain,
        caller: (&Id, &Principal),
        access: &Access<'_>,
    ) -> Result<bool, AuthoriserError> {
        let (object, action, operation) = match access {
            Access::Model { action, operation, model } => (object(model), action, operation.as_str()),
            Access::Admin { action, kind } => (format!("kind:{kind}"), action, "-"),
        };
        for subject in subjects(caller.0, caller.1) {
            let request =
                (subject.to_string(), domain.to_string(), object.clone(), action.as_str(), operation);
            if self.enforcer.enforce(request).map_err(failed)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// A model as a Casbin object: `model:acme/own-model`, `model:/gpt-4o`.
fn object(model: &Id) -> String {
    format!("model:{}/{}", model.tenant.as_ref().map_or("", |tenant| tenant.as_str()), model.name)
}

/// `objectMatch(r.dom, r.obj, p.obj)`: models fit patterns for models and kinds patterns for kinds; a model has to be
/// the platform's or of the domain's tenant besides.
fn object_match(domain: Dynamic, object: Dynamic, pattern: Dynamic) -> Dynamic {
    let (domain, object, pattern) =
        (dynamic_to_str(&domain), dynamic_to_str(&object), dynamic_to_str(&pattern));
    let tenant = domain.split_once('/').map_or("", |(tenant, _)| tenant);
    let found = match (object.split_once(':'), pattern.split_once(':')) {
        (Some(("model", model)), Some(("model", glob))) => {
            let (owner, name) = model.split_once('/').unwrap_or(("", model));
            (owner.is_empty() || owner == tenant).then_some((name, glob))
        }
        (Some(("kind", kind)), Some(("kind", glob))) => Some((kind, glob)),
        _ => None,
    };
    found.is_some_and(|(name, glob)| ModelGlob::new(glob).is_ok_and(|glob| glob.matches(name))).into()
}

/// Casbin's constructors are async for adapters that read files; with memory alone they are done when first asked.
fn at_once<F: Future>(future: F) -> Result<F::Output, AuthoriserError> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Ok(output),
        Poll::Pending => Err(AuthoriserError("an in-memory constructor had to wait".into())),
    }
}

fn failed(error: casbin::Error) -> AuthoriserError {
    AuthoriserError(error.to_string().into())
}
