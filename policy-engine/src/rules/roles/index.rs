//! The compiled index: the same answers as Casbin over [`super::policy_lines`], by two lookups and a bit.
//!
//! Law: equal to Casbin for every question; `tests/roles_oracle.rs` proves it on many small random policies.
//!
//! Everybody with the same effective roles and the same view of models shares one role set, so a hundred thousand
//! principals make a few hundred rows.

use std::collections::HashMap;
use std::sync::Arc;

use super::bits::Bits;
use super::domain::{Domain, HeldIn, Subject, is_on_models, is_visible, role_named, subjects};
use crate::facts::{Facts, ModelGlob, Permission, Principal, owned_by};
use crate::shards::Shards;
use crate::vocabulary::{Action, Id, Name, Operation};

/// An interned set of effective roles, as seen from one tenant or from the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoleSetIx(u32);

impl RoleSetIx {
    /// Of somebody who has not been given any yet; permits nothing.
    pub(crate) const NONE: RoleSetIx = RoleSetIx(u32::MAX);

    /// Its place in the order of interning.
    pub(crate) fn position(self) -> usize {
        self.0 as usize
    }
}

/// Operations there are, and so the columns of a [`Reach`] per action.
const OPERATIONS: usize = Operation::ALL.len();

/// Models by action (`infer`, `view`) and operation.
#[derive(Debug, Clone, PartialEq)]
struct Reach {
    infer: [Bits; OPERATIONS],
    view: [Bits; OPERATIONS],
}

/// One role and all that it inherits.
#[derive(Debug, Clone, PartialEq)]
struct Entry {
    id: Id,
    permissions: Vec<Permission>,
    /// This role and every role reachable by inheritance, sorted.
    closure: Box<[u32]>,
    /// What its own permissions reach, before anything is hidden; made when the role is first held.
    reach: Option<Box<Reach>>,
}

/// An interned role set.
#[derive(Debug, Clone, PartialEq)]
struct RoleSet {
    roles: Box<[u32]>,
    reach: Reach,
    admin: Vec<(Action, ModelGlob)>,
    admin_all: Vec<Action>,
}

/// Effective roles and what they permit. Build once, intern the role sets while compiling, then only ask.
#[derive(Debug, Clone)]
pub struct RoleIndex {
    roles: Vec<Entry>,
    held: Shards<Subject, Vec<(HeldIn, u32)>>,
    models: Arc<[Id]>,
    models_by_name: Arc<HashMap<Name, Vec<usize>>>,
    /// What each tenant with models of its own sees; the others see what the platform (`None`) sees.
    views: Arc<HashMap<Option<Name>, Bits>>,
    sets: Vec<RoleSet>,
    interned: HashMap<(Option<Name>, Box<[u32]>), RoleSetIx>,
}

impl RoleIndex {
    /// Indexes roles and grants; `models` in the order of the indices that questions will use.
    pub fn build(facts: &Facts, models: &[Id]) -> Self {
        let numbers: HashMap<&Id, u32> = facts.roles.keys().zip(0..).collect();
        let roles = facts.roles.iter().map(|(id, role)| Entry {
            id: id.clone(),
            permissions: role.permissions.clone(),
            closure: closure(facts, id, &numbers),
            reach: None,
        });
        let mut held: Shards<Subject, Vec<(HeldIn, u32)>> = Shards::default();
        for (id, grant) in &facts.grants {
            let role = role_named(facts, id.tenant.as_ref(), &grant.role);
            let number = role.and_then(|role| numbers.get(&role).copied());
            if let (Some(number), Some(held_in)) = (number, HeldIn::of(id, grant)) {
                let subject = Subject { tenant: id.tenant.clone(), who: grant.to.clone() };
                held.entry(subject).into_iter().for_each(|held| held.push((held_in.clone(), number)));
            }
        }
        Self {
            roles: roles.collect(),
            held,
            models: models.into(),
            models_by_name: Arc::new(by_name(models)),
            views: Arc::new(views(models)),
            sets: Vec::new(),
            interned: HashMap::new(),
        }
    }

    /// Takes up what a subject is granted now, where only grants to it have changed.
    pub(crate) fn regrant(&mut self, facts: &Facts, subject: &Subject) {
        let granted = owned_by(&facts.grants, subject.tenant.as_ref()).filter(|(_, g)| g.to == subject.who);
        let granted = granted.filter_map(|(id, grant)| {
            let role = role_named(facts, id.tenant.as_ref(), &grant.role)?;
            let number = self.roles.binary_search_by(|entry| entry.id.cmp(&role)).ok()?;
            Some((HeldIn::of(id, grant)?, number as u32))
        });
        let granted: Vec<(HeldIn, u32)> = granted.collect();
        match granted.is_empty() {
            true => drop(self.held.remove(subject)),
            false => drop(self.held.insert(subject.clone(), granted)),
        }
    }

    /// Takes up what a role permits now, where nothing else of it has changed: who has it stays as it was.
    pub(crate) fn repermit(&mut self, role: &Id, permissions: &[Permission]) {
        let Ok(at) = self.roles.binary_search_by(|entry| entry.id.cmp(role)) else { return };
        if let Some(entry) = self.roles.get_mut(at) {
            entry.permissions = permissions.to_vec();
            entry.reach = None;
        }
        for ((view, roles), ix) in self.interned.clone() {
            if roles.contains(&(at as u32)) {
                let set = self.make_set(&view, &roles);
                if let Some(held) = self.sets.get_mut(ix.position()) {
                    *held = set;
                }
            }
        }
    }

    /// Takes up which models there are now, where nothing else has changed. `None` where a tenant has models of its own now and had
    /// none, or the other way round: that is another view, and so another role set, for everybody in it.
    pub(crate) fn remodel(&mut self, models: &[Id]) -> Option<()> {
        let views = views(models);
        let same =
            views.len() == self.views.len() && views.keys().all(|owner| self.views.contains_key(owner));
        same.then_some(())?;
        (self.models, self.models_by_name) = (models.into(), Arc::new(by_name(models)));
        self.views = Arc::new(views);
        self.roles.iter_mut().for_each(|entry| entry.reach = None);
        for ((view, roles), ix) in self.interned.clone() {
            let set = self.make_set(&view, &roles);
            if let Some(held) = self.sets.get_mut(ix.position()) {
                *held = set;
            }
        }
        Some(())
    }

    /// The role set of a principal in a domain; made if nobody had the same before.
    pub fn role_set(&mut self, domain: &Domain, id: &Id, principal: &Principal) -> RoleSetIx {
        let mut roles: Vec<u32> = Vec::new();
        for subject in subjects(id, principal) {
            let held = self.held.get(&subject).into_iter().flatten();
            for (_, role) in held.filter(|(held_in, _)| held_in.covers(domain)) {
                let entry = self.roles.get(*role as usize);
                roles.extend(entry.into_iter().flat_map(|entry| entry.closure.iter()));
            }
        }
        roles.sort_unstable();
        roles.dedup();
        let view = domain.tenant().filter(|tenant| self.views.contains_key(&Some((*tenant).clone())));
        let key = (view.cloned(), roles.into_boxed_slice());
        if let Some(known) = self.interned.get(&key) {
            return *known;
        }
        let set = self.make_set(&key.0, &key.1);
        let ix = RoleSetIx(u32::try_from(self.sets.len()).unwrap_or(u32::MAX));
        self.sets.push(set);
        self.interned.insert(key, ix);
        ix
    }

    /// Whether the model at `model` may be inferred with or viewed, for an operation. Never true of other actions.
    pub fn permits(&self, set: RoleSetIx, action: Action, operation: Operation, model: usize) -> bool {
        self.reach(set, action, operation).is_some_and(|bits| bits.contains(model))
    }

    /// Whether the model at `model` may be viewed for any operation at all.
    pub fn sees(&self, set: RoleSetIx, model: usize) -> bool {
        Operation::ALL.iter().any(|operation| self.permits(set, Action::View, *operation, model))
    }

    /// The indices of the models that [`RoleIndex::permits`] is true of, ascending.
    pub fn models(
        &self,
        set: RoleSetIx,
        action: Action,
        operation: Operation,
    ) -> impl Iterator<Item = usize> + '_ {
        self.reach(set, action, operation).into_iter().flat_map(Bits::iter)
    }

    /// Whether a kind of governed resource, by its plural, may be read, written or audited. Never true of others.
    pub fn admin(&self, set: RoleSetIx, action: Action, kind: &str) -> bool {
        let Some(set) = self.sets.get(set.0 as usize) else { return false };
        set.admin_all.contains(&action)
            || set.admin.iter().any(|(a, glob)| *a == action && glob.matches(kind))
    }

    /// The effective roles, inherited ones included; what `caller.roles` means in a condition.
    pub fn roles(&self, set: RoleSetIx) -> impl Iterator<Item = &Id> + '_ {
        let roles = self.sets.get(set.0 as usize).into_iter().flat_map(|set| set.roles.iter());
        roles.filter_map(|role| self.roles.get(*role as usize)).map(|entry| &entry.id)
    }

    /// Every role set there is, in the order of interning.
    pub fn sets(&self) -> impl Iterator<Item = RoleSetIx> + use<> {
        (0..u32::try_from(self.sets.len()).unwrap_or(u32::MAX)).map(RoleSetIx)
    }

    /// How many different role sets there are.
    pub fn len(&self) -> usize {
        self.sets.len()
    }

    /// Whether no role set has been asked for yet.
    pub fn is_empty(&self) -> bool {
        self.sets.is_empty()
    }

    fn reach(&self, set: RoleSetIx, action: Action, operation: Operation) -> Option<&Bits> {
        let reach = &self.sets.get(set.0 as usize)?.reach;
        match action {
            Action::Infer => reach.infer.get(operation as usize),
            Action::View => reach.view.get(operation as usize),
            _ => None,
        }
    }

    fn make_set(&mut self, view: &Option<Name>, roles: &[u32]) -> RoleSet {
        let mut sum = self.nothing();
        let (mut admin, mut admin_all) = (Vec::new(), Vec::new());
        for role in roles {
            let Some(reach) = self.reach_of(*role) else { continue };
            sum.infer.iter_mut().zip(&reach.infer).for_each(|(all, one)| all.add(one));
            sum.view.iter_mut().zip(&reach.view).for_each(|(all, one)| all.add(one));
            let entry = self.roles.get(*role as usize);
            let permissions = entry.into_iter().flat_map(|entry| &entry.permissions);
            for permission in permissions.filter(|permission| !is_on_models(permission.action)) {
                match permission.resources.as_slice() {
                    [] => admin_all.push(permission.action),
                    globs => admin.extend(globs.iter().map(|glob| (permission.action, glob.clone()))),
                }
            }
        }
        if let Some(visible) = self.views.get(view) {
            sum.infer.iter_mut().chain(&mut sum.view).for_each(|bits| bits.keep(visible));
        }
        RoleSet { roles: roles.into(), reach: sum, admin, admin_all }
    }

    /// What a role's own permissions reach, made at the first time.
    fn reach_of(&mut self, role: u32) -> Option<&Reach> {
        let at = role as usize;
        if self.roles.get(at)?.reach.is_none() {
            let permissions = std::mem::take(&mut self.roles.get_mut(at)?.permissions);
            let mut reach = self.nothing();
            for permission in &permissions {
                self.permission_reach(permission, &mut reach);
            }
            let entry = self.roles.get_mut(at)?;
            entry.permissions = permissions;
            entry.reach = Some(Box::new(reach));
        }
        self.roles.get(at)?.reach.as_deref()
    }

    fn permission_reach(&self, permission: &Permission, reach: &mut Reach) {
        let columns = match permission.action {
            Action::Infer => &mut reach.infer,
            Action::View => &mut reach.view,
            _ => return,
        };
        let mut models = Bits::none(self.models.len());
        for glob in &permission.models {
            match glob.as_str().contains('*') {
                false => self
                    .models_by_name
                    .get(glob.as_str())
                    .into_iter()
                    .flatten()
                    .for_each(|at| models.insert(*at)),
                true => {
                    let fitting =
                        self.models.iter().enumerate().filter(|(_, m)| glob.matches(m.name.as_str()));
                    fitting.for_each(|(at, _)| models.insert(at));
                }
            }
        }
        for (operation, column) in Operation::ALL.iter().zip(columns) {
            if permission.operations.is_empty() || permission.operations.contains(operation) {
                column.add(&models);
            }
        }
    }

    fn nothing(&self) -> Reach {
        let none = || std::array::from_fn(|_| Bits::none(self.models.len()));
        Reach { infer: none(), view: none() }
    }
}

/// A role and every role reachable from it by inheritance, circles included.
fn closure(facts: &Facts, from: &Id, numbers: &HashMap<&Id, u32>) -> Box<[u32]> {
    let mut found: Vec<u32> = numbers.get(from).copied().into_iter().collect();
    let mut open = vec![from.clone()];
    while let Some(id) = open.pop() {
        let inherits = facts.roles.get(&id).into_iter().flat_map(|role| &role.inherits);
        for next in inherits.filter_map(|name| role_named(facts, id.tenant.as_ref(), name)) {
            if let Some(number) = numbers.get(&next).filter(|number| !found.contains(number)) {
                found.push(*number);
                open.push(next);
            }
        }
    }
    found.sort_unstable();
    found.into_boxed_slice()
}

/// Where the models of each name are.
fn by_name(models: &[Id]) -> HashMap<Name, Vec<usize>> {
    let mut by_name: HashMap<Name, Vec<usize>> = HashMap::new();
    for (index, model) in models.iter().enumerate() {
        by_name.entry(model.name.clone()).or_default().push(index);
    }
    by_name
}

/// The visible models of the platform and of every tenant that has models of its own.
fn views(models: &[Id]) -> HashMap<Option<Name>, Bits> {
    let owners = models.iter().map(|model| model.tenant.clone()).chain([None]);
    let mut views: HashMap<Option<Name>, Bits> =
        owners.map(|owner| (owner, Bits::none(models.len()))).collect();
    for (owner, bits) in &mut views {
        let visible = models.iter().enumerate().filter(|(_, model)| is_visible(model, owner.as_ref()));
        visible.for_each(|(at, _)| bits.insert(at));
    }
    views
}
