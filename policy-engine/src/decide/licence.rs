//! Whether a model's licence covers this use, by the instant of the request.

use crate::facts::Acceptance;
use crate::reason::{Reason, ReasonCode};
use crate::request::Request;
use crate::rules::geo::RegionSet;
use crate::snapshot::{CompiledSnapshot, Identity, LicenceRow, ModelRow};

pub(super) fn check(
    request: &Request<'_>,
    snapshot: &CompiledSnapshot,
    asked: (&ModelRow, Identity<'_>),
) -> Result<(), Reason> {
    let (model, identity) = asked;
    let Some(at) = model.licence else { return Ok(()) };
    let Some(licence) = snapshot.registry.licences.get(at as usize) else {
        return Err(Reason::plain(ReasonCode::LicenceExpired));
    };
    let denied = |code| Err(Reason::from(code, &licence.id));
    if licence.term.from.is_some_and(|from| request.instant < from) {
        return denied(ReasonCode::LicenceNotStarted);
    }
    if licence.term.until.is_some_and(|until| request.instant >= until) {
        return denied(ReasonCode::LicenceExpired);
    }
    if !covers(licence, identity.tenant.domicile) {
        return denied(ReasonCode::LicenceTerritory);
    }
    if !covers_purpose(licence, request.purpose) {
        return denied(ReasonCode::LicencePurpose);
    }
    if licence.acceptance == Acceptance::Required && identity.team.accepted.binary_search(&at).is_err() {
        return denied(ReasonCode::LicenceNotAccepted);
    }
    Ok(())
}

/// An unknown domicile is covered only by a licence that asks nothing about it.
fn covers(licence: &LicenceRow, domicile: Option<RegionSet>) -> bool {
    match (domicile, licence.include, licence.exclude) {
        (_, None, None) => true,
        (None, ..) => false,
        (Some(home), include, exclude) => {
            include.is_none_or(|i| home.subset_of(&i))
                && exclude.is_none_or(|e| home.intersect(&e).is_empty())
        }
    }
}

/// A purpose that was not declared is not among the permitted ones where only some are permitted.
fn covers_purpose(licence: &LicenceRow, purpose: Option<&str>) -> bool {
    let named = |list: &[String]| purpose.is_some_and(|p| list.iter().any(|x| x == p));
    !named(&licence.prohibited) && (licence.permitted.is_empty() || named(&licence.permitted))
}
