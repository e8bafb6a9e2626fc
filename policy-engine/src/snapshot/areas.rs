//! The legal areas of every place, looked up instead of searched for.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::rules::geo;

type Areas = HashMap<&'static str, Vec<&'static str>>;

static AREAS: LazyLock<Areas> = LazyLock::new(|| of_every_place(geo::jurisdictions_of));
static TOUCHED: LazyLock<Areas> = LazyLock::new(|| of_every_place(geo::jurisdictions_touched));

/// The name of everywhere.
const EVERYWHERE: &str = "global";

fn of_every_place(areas: fn(&str) -> Vec<&'static str>) -> Areas {
    let everywhere = geo::resolve(EVERYWHERE).unwrap_or_default();
    let names = geo::names_overlapping(&everywhere);
    names.into_iter().map(|name| (name, areas(name))).collect()
}

/// What [`geo::jurisdictions_of`] gives, without searching the table.
pub(crate) fn areas_of(name: &str) -> &'static [&'static str] {
    AREAS.get(name).map_or(&[], Vec::as_slice)
}

/// What [`geo::jurisdictions_touched`] gives for a place as a caller declares it. One that the table does not know may be
/// anywhere, and so stands under every law.
pub(crate) fn declared_areas_of(text: &str) -> &'static [&'static str] {
    let name = geo::place_named(text).unwrap_or(EVERYWHERE);
    TOUCHED.get(name).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declared_place_loses_no_law() {
        assert_eq!(declared_areas_of("de-by"), ["DE", "EEA", "EU"]);
        assert!(declared_areas_of("EEA").contains(&"EU"));
        assert!(["EU", "US", "GB", "CN"].iter().all(|area| declared_areas_of("europe").contains(area)));
    }

    #[test]
    fn the_areas_are_those_of_the_table() {
        for name in ["DE", "US-CA", "eu-central-1", "EU", "global", "eu", "GB"] {
            assert_eq!(areas_of(name), geo::jurisdictions_of(name), "{name}");
        }
        assert_eq!(areas_of("US-CA"), ["US", "US-CA"]);
        assert!(areas_of("atlantis").is_empty());
    }
}
