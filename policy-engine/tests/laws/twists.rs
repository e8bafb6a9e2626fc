//! Edits of one field, of the kinds that random worlds do not differ in.

use std::sync::Arc;

use policy_engine::facts::{Bound, Facts, Grant, GrantSubject, Map};
use policy_engine::vocabulary::{Id, Period, PrincipalType};
use proptest::sample::Index;

use super::world::{glob, id, name};

/// Changes one of the facts.
pub(crate) type Twist = fn(&mut Facts, &Index);

fn some<K: Ord + Clone, T: Clone>(map: &mut Map<K, Arc<T>>, which: &Index, change: impl Fn(&mut T)) {
    let keys: Vec<K> = map.keys().cloned().collect();
    if !keys.is_empty() {
        change(Arc::make_mut(map.get_mut(which.get(&keys)).unwrap()));
    }
}

/// Two things that a value is now and then.
fn turn<T: PartialEq>(held: &mut T, one: T, other: T) {
    *held = if *held == one { other } else { one };
}

/// A condition in which two attributes are compared, which depends on what others name.
fn comparing(facts: &mut Facts, which: &Index) {
    let conditions = [
        "caller.principal == model.name",
        "caller.tenant == endpoint.provider",
        "caller.country in endpoint.processingRegions",
        "caller.region in subject.jurisdictions || caller.principal == 'bob'",
        "caller.principal == 'mid' && caller.kind == 'service'",
        "caller.country == 'FR' && false",
        "endpoint.name == model.licence || 'r2' in caller.roles",
    ];
    some(&mut facts.rules, which, |rule| {
        rule.when = which.get(&conditions).to_string();
        rule.or_unknown = Some(!rule.or_unknown.unwrap_or_default());
    });
}

fn grant_to_group(facts: &mut Facts, which: &Index) {
    let to = GrantSubject::Group(name("staff"));
    let grant =
        Grant { role: name("r2"), team: which.get(&[None, Some(name("red"))]).clone(), to, geos: vec![] };
    facts.grants.insert(id(Some("acme"), "of-staff"), Arc::new(grant));
}

pub(crate) const TWISTS: [Twist; 23] = [
    |facts, which| some(&mut facts.keys, which, |key| key.revoked = true),
    |facts, which| {
        some(&mut facts.keys, which, |key| turn(&mut key.models, vec![glob("*i*")], vec![glob("big")]))
    },
    |facts, which| some(&mut facts.keys, which, |key| turn(&mut key.team, name("red"), name("blue"))),
    |facts, which| some(&mut facts.keys, which, |key| turn(&mut key.principal, name("ada"), name("cyd"))),
    |facts, which| some(&mut facts.keys, which, |key| turn(&mut key.tenant, name("acme"), name("bolt"))),
    |facts, which| {
        some(&mut facts.principals, which, |fact| {
            turn(&mut fact.teams, vec![name("red")], vec![name("blue")])
        })
    },
    |facts, which| some(&mut facts.principals, which, |fact| fact.teams = vec![name("blue"), name("red")]),
    |facts, which| {
        some(&mut facts.principals, which, |fact| turn(&mut fact.groups, vec![name("staff")], vec![]))
    },
    |facts, which| {
        some(&mut facts.principals, which, |fact| {
            turn(&mut fact.kind, PrincipalType::User, PrincipalType::Service)
        })
    },
    grant_to_group,
    |facts, which| {
        some(&mut facts.models, which, |fact| {
            turn(&mut fact.aliases, vec!["mid".to_owned()], vec!["x".to_owned(), "y".to_owned()])
        })
    },
    |facts, which| {
        some(&mut facts.models, which, |fact| turn(&mut fact.aliases, vec!["x".to_owned()], vec![]))
    },
    |facts, which| {
        some(&mut facts.models, which, |fact| turn(&mut fact.card.risk_class, Some("r2".to_owned()), None))
    },
    |facts, which| {
        some(&mut facts.models, which, |fact| {
            fact.route.groups.iter_mut().for_each(|group| drop(group.pop()))
        })
    },
    |facts, which| {
        some(&mut facts.endpoints, which, |fact| turn(&mut fact.provider, name("north"), name("south")))
    },
    |facts, which| some(&mut facts.providers, which, |fact| turn(&mut fact.terms.dpa, Some(true), None)),
    |facts, which| some(&mut facts.roles, which, |fact| turn(&mut fact.inherits, vec![name("r1")], vec![])),
    |facts, which| {
        some(&mut facts.prices, which, |fact| {
            turn(&mut fact.currency, "EUR".parse().unwrap(), "USD".parse().unwrap())
        })
    },
    |facts, which| {
        some(&mut facts.limits, which, |fact| {
            let money = |text: &str| Bound::Spend(text.parse().unwrap(), Period::Day);
            turn(&mut fact.bound, money("1.00 EUR"), money("1.00 USD"));
        })
    },
    |facts, which| some(&mut facts.tenants, which, |fact| turn(&mut fact.must_audit, true, false)),
    |facts, which| {
        some(&mut facts.tenants, which, |fact| {
            turn(&mut fact.currency, "EUR".parse().unwrap(), "USD".parse().unwrap())
        })
    },
    comparing,
    |facts, which| {
        let own =
            Id { tenant: Some(name("acme")), ..facts.roles.keys().next().cloned().unwrap_or(id(None, "r1")) };
        let any = facts.roles.values().nth(which.index(2)).cloned();
        any.into_iter().for_each(|role| drop(facts.roles.insert(own.clone(), role)));
    },
];
