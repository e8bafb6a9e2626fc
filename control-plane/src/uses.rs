//! Who still uses what an act would remove.
//!
//! Law: what is removed is judged by `compile` like every change, so nothing in use can go; here its faults are told from the
//! side of what should go, with those who use it by name. Who may not read a user learns that there is one, not which.

use std::collections::BTreeMap;

use policy_engine::compile::Fault;
use policy_engine::vocabulary::{Action, Id, Kind};
use proto::name;

use crate::actor::{Actor, owner};
use crate::error::IN_USE;
use crate::publish::Published;

/// Users that one fault names.
const NAMED: usize = 20;

/// Who asks, and what is in force.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asking<'a> {
    pub(crate) actor: &'a Actor,
    pub(crate) published: &'a Published,
}

/// The faults of an act that removes resources: one for each that is in use, then those that are no reference to any.
pub(crate) fn in_the_way(removed: &[(Kind, Id)], faults: Vec<Fault>, asking: Asking<'_>) -> Vec<Fault> {
    let mut used: BTreeMap<&(Kind, Id), Vec<(Kind, Id)>> = BTreeMap::new();
    let mut others = Vec::new();
    for fault in faults {
        match removed.iter().find(|gone| refers(&fault, gone)) {
            Some(gone) => used.entry(gone).or_default().push((fault.kind, fault.id)),
            None => others.push(fault),
        }
    }
    let each = used.into_iter().map(|((kind, id), users)| Fault {
        kind: *kind,
        id: id.clone(),
        field: String::new(),
        code: IN_USE,
        message: message(users, asking),
        target: None,
    });
    each.chain(others).collect()
}

fn refers(fault: &Fault, (kind, id): &(Kind, Id)) -> bool {
    let target = fault.target.as_ref();
    let here = id.tenant.is_none() || id.tenant == fault.id.tenant;
    here && target.is_some_and(|(meant, name)| meant == kind && *name == id.name)
}

fn message(mut users: Vec<(Kind, Id)>, asking: Asking<'_>) -> String {
    users.sort();
    users.dedup();
    let all = users.len();
    users.retain(|(kind, id)| asking.published.permits(asking.actor, Action::Read, *kind, owner(*kind, id)));
    let hidden = all.saturating_sub(users.len());
    let further = users.len().saturating_sub(NAMED);
    let mut named: Vec<String> =
        users.iter().take(NAMED).map(|(kind, id)| format!("`{}`", name::format(*kind, id))).collect();
    if further > 0 {
        named.push(format!("{further} more"));
    }
    if hidden > 0 {
        named.push(format!("{hidden} that you may not see"));
    }
    format!("is still used by {}: change or delete what uses it first", named.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::tests::fixture;

    #[tokio::test]
    async fn each_that_is_in_use_is_one_fault_with_its_users_and_the_rest_stays() {
        let fixture = fixture().await;
        let published = fixture.publisher.current();
        let actor = Actor::Platform("root".to_owned());
        let asking = Asking { actor: &actor, published: &published };
        let role = (Kind::Role, Id::platform("r".parse().unwrap()));
        let fault = |kind, id: Id, target: Option<(Kind, &str)>| Fault {
            kind,
            id,
            field: "spec.role".to_owned(),
            code: "unknown_reference",
            message: "there is no Role `r` here".to_owned(),
            target: target.map(|(kind, name)| (kind, name.parse().unwrap())),
        };
        let (acme, rival) = ("acme".parse().unwrap(), "rival".parse().unwrap());
        let faults = vec![
            fault(Kind::Grant, Id::of(acme, "g".parse().unwrap()), Some((Kind::Role, "r"))),
            fault(Kind::Role, Id::platform("child".parse().unwrap()), Some((Kind::Role, "r"))),
            fault(Kind::Role, Id::platform("child".parse().unwrap()), Some((Kind::Role, "r"))),
            fault(Kind::Grant, Id::of(rival, "g".parse().unwrap()), Some((Kind::Team, "r"))),
        ];
        let found = in_the_way(std::slice::from_ref(&role), faults.clone(), asking);
        assert_eq!(
            found[0].message,
            "is still used by `roles/child`, `tenants/acme/grants/g`: change or delete what uses it first"
        );
        assert_eq!((found.len(), &found[1]), (2, &faults[3]));

        let nobody = Actor::Principal {
            tenant: "acme".parse().unwrap(),
            principal: "ada".parse().unwrap(),
            team: "x".parse().unwrap(),
            key_id: "k".parse().unwrap(),
        };
        let hidden = in_the_way(&[role], faults, Asking { actor: &nobody, published: &published });
        assert!(hidden[0].message.starts_with("is still used by 2 that you may not see: "), "{hidden:?}");
    }
}
