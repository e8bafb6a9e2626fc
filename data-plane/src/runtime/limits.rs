//! The snapshot's limits in the form the ledger counts by.
//!
//! Law: a limit keeps its name from revision to revision, so its counters go on; a calendar runs in the time zone of the tenant
//! that owns the limit, or in UTC where the platform does. Deliberately absent: which limits apply (the permit's).
//!
//! | bound | over a sliding length | over a day or month |
//! |---|---|---|
//! | requests | rate | budget |
//! | tokens | rate | budget |
//! | spend | budget of that length | budget |
//! | concurrent | places | |
//! | seats | not counted by this ledger yet | |

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::tz::TimeZone;
use policy_engine::decision::LimitIx;
use policy_engine::facts::{Bound, Each};
use policy_engine::snapshot::{CompiledSnapshot, Identity, LimitRow};
use policy_engine::vocabulary::{Id, Period};

use crate::quota::{self, Line, Measure, SubjectKey, TokenClass, Unit};

/// One ledger limit for each of the snapshot's, made when it is first asked for.
pub(crate) struct Limits(Vec<OnceLock<Option<Arc<quota::Limit>>>>);

/// Whose requests are counted.
#[derive(Clone, Copy)]
pub(crate) struct Counted<'c> {
    /// The caller, by name.
    pub(crate) identity: Identity<'c>,
    /// The key's public id; made once a request, however many limits count by it.
    pub(crate) key: &'c SubjectKey,
}

impl Limits {
    pub(super) fn of(snapshot: &CompiledSnapshot) -> Self {
        Self(snapshot.limits().map(|_| OnceLock::new()).collect())
    }

    /// The line that counts a caller's request at a limit; `None` for what the ledger does not count.
    pub(crate) fn line(
        &self,
        snapshot: &CompiledSnapshot,
        ix: LimitIx,
        counted: Counted<'_>,
    ) -> Option<Line> {
        let row = snapshot.limit(ix)?;
        let made = self.0.get(ix.position())?;
        let limit = made.get_or_init(|| {
            let zone = row.id.tenant.as_ref().map_or("UTC", |_| &*counted.identity.tenant.time_zone);
            Some(quota::Limit::new(aip_name(&row.id), bound(&row.bound, zone)?))
        });
        Some(Line::new(limit.clone()?, subject(row, counted)))
    }
}

/// The AIP name of a limit.
pub(crate) fn aip_name(id: &Id) -> String {
    match &id.tenant {
        Some(tenant) => format!("tenants/{tenant}/limits/{}", id.name),
        None => format!("limits/{}", id.name),
    }
}

/// Whose share a request takes. A tenant's limit is named with its tenant already.
fn subject(row: &LimitRow, counted: Counted<'_>) -> SubjectKey {
    let Identity { tenant, team, principal } = counted.identity;
    let within = |name: &str| match &row.id.tenant {
        Some(_) => SubjectKey::new(name),
        None => SubjectKey::new(format!("{}/{name}", tenant.name)),
    };
    match row.each {
        None | Some(Each::Scope) => SubjectKey::new(""),
        Some(Each::Tenant) => SubjectKey::new(tenant.name.as_str()),
        Some(Each::Team) => within(team.name.as_str()),
        Some(Each::Principal) => within(principal.name.as_str()),
        Some(Each::Key) => counted.key.clone(),
    }
}

fn bound(bound: &Bound, zone: &str) -> Option<quota::Bound> {
    let rate = |limit: u64, period: &Period, class: Option<TokenClass>| match (period, class) {
        (Period::Sliding(per), None) => quota::Bound::Requests { limit, per: length(per.0) },
        (Period::Sliding(per), Some(class)) => quota::Bound::Tokens { limit, per: length(per.0), class },
        (Period::Day | Period::Month, class) => quota::Bound::Budget {
            limit: u128::from(limit),
            of: class.map_or(Measure::Requests, Measure::Tokens),
            period: window(period, zone),
        },
    };
    Some(match bound {
        Bound::Requests(limit, per) => rate(*limit, per, None),
        Bound::Tokens(limit, per) => rate(*limit, per, Some(TokenClass::Total)),
        Bound::InputTokens(limit, per) => rate(*limit, per, Some(TokenClass::Input)),
        Bound::OutputTokens(limit, per) => rate(*limit, per, Some(TokenClass::Output)),
        Bound::Spend(money, per) => quota::Bound::Budget {
            limit: u128::try_from(money.nanos).unwrap_or(0),
            of: Measure::Spend,
            period: window(per, zone),
        },
        Bound::Concurrent(limit) => quota::Bound::Concurrent { limit: *limit },
        Bound::Seats(..) => return None,
    })
}

fn length(micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

fn window(period: &Period, zone: &str) -> quota::Period {
    let calendar =
        |unit| quota::Period::Calendar { unit, zone: TimeZone::get(zone).unwrap_or(TimeZone::UTC) };
    match period {
        Period::Sliding(per) => quota::Period::Every(length(per.0)),
        Period::Day => calendar(Unit::Day),
        Period::Month => calendar(Unit::Month),
    }
}
