//! What is not published, because nodes would refuse it: more than they take, and much less than they have that nobody meant.

use policy_engine::vocabulary::Geo;
use policy_engine::{Change, Shrunk, Versions, shrunk};
use proto::code::ErrorCode;
use proto::manifest::{MAX_BYTES, MAX_RESOURCES};
use proto::status::Refusal;

use super::scopes::{Judgement, Scopes};

/// Refuses what would be much less, of everything or in a geo, unless it may be.
pub(super) fn guarded(
    scopes: &Scopes,
    versions: Versions<'_>,
    (changes, may_shrink): (&[Change], bool),
) -> Result<Judgement, Refusal> {
    if let Some(shrunk) = shrunk(versions.before, versions.after).filter(|_| !may_shrink) {
        return Err(shrinks(shrunk, None));
    }
    scopes.judge(versions, changes, may_shrink).map_err(|(geo, shrunk)| shrinks(shrunk, Some(&geo)))
}

/// Refuses more than nodes take of everything: half of their bounds, for what is sent may be written out at more length.
pub(super) fn bounded((count, bytes): (usize, usize)) -> Result<(), Refusal> {
    let most = (MAX_RESOURCES / 2, usize::try_from(MAX_BYTES / 2).unwrap_or(usize::MAX));
    if count <= most.0 && bytes <= most.1 {
        return Ok(());
    }
    let line = format!(
        "there would be {count} resources of {bytes} bytes, and nodes take {} of {} at most: take some out first",
        most.0, most.1
    );
    Err(Refusal::new(ErrorCode::FailedPrecondition, line))
}

fn shrinks(Shrunk { what, before, after }: Shrunk, geo: Option<&Geo>) -> Refusal {
    let place = geo.map_or_else(String::new, |geo| format!(" in `{geo}`"));
    let line = format!(
        "of {before} {what}{place} {after} would be left, which nodes take for an accident: say `allowShrink` (`--allow-shrink`) if \
         it is meant"
    );
    Refusal::new(ErrorCode::FailedPrecondition, line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_nodes_take_is_refused() {
        assert!(bounded((1_000_000, 256 << 20)).is_ok());
        for more in [(1_000_001, 1), (1, (256 << 20) + 1)] {
            assert!(bounded(more).unwrap_err().message.contains("take some out first"));
        }
    }
}
