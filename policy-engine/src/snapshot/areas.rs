//! The legal areas of every place, looked up instead of searched for.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::rules::geo;

static AREAS: LazyLock<HashMap<&'static str, Vec<&'static str>>> = LazyLock::new(|| {
    let everywhere = geo::resolve("global").unwrap_or_default();
    let names = geo::names_overlapping(&everywhere);
    names.into_iter().map(|name| (name, geo::jurisdictions_of(name))).collect()
});

/// What [`geo::jurisdictions_of`] gives, without searching the table.
pub(crate) fn areas_of(name: &str) -> &'static [&'static str] {
    AREAS.get(name).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_areas_are_those_of_the_table() {
        for name in ["DE", "US-CA", "eu-central-1", "EU", "global", "eu", "GB"] {
            assert_eq!(areas_of(name), geo::jurisdictions_of(name), "{name}");
        }
        assert_eq!(areas_of("US-CA"), ["US", "US-CA"]);
        assert!(areas_of("atlantis").is_empty());
    }
}
