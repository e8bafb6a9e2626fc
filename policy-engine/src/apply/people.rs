//! Tenants, teams, principals, and what they may do.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Applying;
use crate::compile::grants::check_grant;
use crate::facts::{Change, Grant, GrantSubject, Principal, owned_by, users, users_but_keys};
use crate::rules::roles::Subject;
use crate::vocabulary::{Id, Kind, Name};

impl Applying<'_> {
    /// A tenant that goes takes everything of it along, and one that keeps another currency has every price and limit checked:
    /// that is for `compile`.
    pub(super) fn tenants(&mut self) -> Option<()> {
        for id in self.changed(Kind::Tenant) {
            let new = self.build.facts.tenants.get(&id)?;
            let old = self.before.tenants.get(&id);
            if old.is_some_and(|old| old.currency != new.currency) {
                return None;
            }
            self.came |= old.is_none();
            self.next.people.put_tenant(&mut self.build, &id, new);
        }
        Some(())
    }

    pub(super) fn teams(&mut self) -> Option<()> {
        for id in self.changed(Kind::Team) {
            match self.build.facts.teams.get(&id) {
                Some(team) => {
                    self.came |= !self.before.teams.contains_key(&id);
                    self.next.people.put_team(&mut self.build, &id, team);
                }
                None => {
                    let gone = Change { kind: Kind::Team, id };
                    users(self.build.facts, &gone).is_empty().then_some(())?;
                    self.next.people.remove_team(&gone.id);
                }
            }
        }
        Some(())
    }

    /// Gives the keys of everybody who changed.
    pub(super) fn principals(&mut self) -> Option<BTreeSet<Name>> {
        let changed = self.changed(Kind::Principal);
        let people = &self.next.people;
        let at = |id: &Id| people.principal(people.tenant(id.tenant.as_ref()?), &id.name);
        let teams = |id: &Id| self.before.principals.get(id).map(|fact| &fact.teams);
        let moved = |id: &&Id| teams(id) != self.build.facts.principals.get(*id).map(|fact| &fact.teams);
        let positions: BTreeSet<u32> = changed.iter().filter(moved).filter_map(at).collect();
        let keyed = match positions.is_empty() {
            true => BTreeSet::new(),
            false => {
                let keys = self.next.keys.iter().filter(|(_, row)| positions.contains(&row.caller.principal));
                keys.filter_map(|(public_id, _)| Name::new(public_id).ok()).collect()
            }
        };
        for id in changed {
            match self.build.facts.principals.get(&id) {
                Some(principal) => {
                    self.came = true;
                    self.next.people.put_principal(&mut self.build, &id, principal);
                }
                None => {
                    let gone = Change { kind: Kind::Principal, id };
                    users_but_keys(self.build.facts, &gone).is_empty().then_some(())?;
                    self.next.people.remove_principal(&gone.id);
                }
            }
        }
        Some(keyed)
    }

    /// What principals may do, where they or grants to them changed, or what a role permits. Who inherits what is for `compile`.
    pub(super) fn roles(&mut self) -> Option<()> {
        let facts = self.build.facts;
        for id in self.changed(Kind::Role) {
            let (old, new) = self.before.roles.get(&id).zip(facts.roles.get(&id))?;
            (old.inherits == new.inherits).then_some(())?;
            if old.permissions != new.permissions {
                Arc::make_mut(&mut self.next.roles).repermit(&id, &new.permissions);
            }
        }
        let mut given: BTreeSet<Id> = self.changed(Kind::Principal).into_iter().collect();
        let mut subjects: BTreeSet<Subject> = BTreeSet::new();
        for id in self.changed(Kind::Grant) {
            if let Some(grant) = facts.grants.get(&id) {
                check_grant(&mut self.build, &self.next.people, (&id, grant));
            }
            let of = |grant: &Arc<Grant>| Subject { tenant: id.tenant.clone(), who: grant.to.clone() };
            subjects.extend([self.before, facts].iter().filter_map(|facts| facts.grants.get(&id)).map(of));
        }
        if given.is_empty() && subjects.is_empty() {
            return Some(());
        }
        let roles = Arc::make_mut(&mut self.next.roles);
        for subject in &subjects {
            roles.regrant(facts, subject);
            let acting = owned_by(&facts.principals, subject.tenant.as_ref());
            match &subject.who {
                GrantSubject::Principal(name) => {
                    given.insert(Id { tenant: subject.tenant.clone(), name: name.clone() });
                }
                who => given.extend(acting.filter(|(_, p)| acts_as(p, who)).map(|(id, _)| id.clone())),
            }
        }
        for id in given {
            if let Some(principal) = facts.principals.get(&id) {
                self.next.people.give_roles(roles, &id, principal);
            }
        }
        // Sets that nobody has any more are never taken out; when they are the most, everything is made anew.
        (roles.len() <= 2 * facts.principals.len() + 1_000).then_some(())
    }
}

fn acts_as(principal: &Principal, who: &GrantSubject) -> bool {
    match who {
        GrantSubject::Team(team) => principal.teams.contains(team),
        GrantSubject::Group(group) => principal.groups.contains(group),
        GrantSubject::Principal(_) => false,
    }
}
