//! Organisations. Their names are the first part of everything that is theirs; one is only removed when nothing is left in it.
//!
//! Law: a time zone is one that the machine's table of zones has; a machine without such a table knows none, and takes any.

use jiff::tz::TimeZoneDatabase;
use proto::convert::{Faults, FieldFault, FieldPath, Problem, Step};

use super::Preparing;
use crate::govern::governed;

governed!(Tenant in tenants {
    fn prepare(&mut self, _preparing: &mut Preparing<'_>) -> Result<(), Faults> {
        let Some(wrong) = self.spec.as_ref().and_then(|spec| unknown(&spec.time_zone, jiff::tz::db())) else {
            return Ok(());
        };
        let path = ["spec", "timeZone"].map(Step::Field).to_vec();
        Err(Faults(vec![FieldFault { field: FieldPath(path), problem: Problem::Invalid(wrong) }]))
    }
});

/// What is told of a zone that a table does not have.
fn unknown(zone: &str, table: &TimeZoneDatabase) -> Option<String> {
    let is_known = zone.is_empty() || table.get(zone).is_ok();
    if is_known || table.available().next().is_none() {
        return None;
    }
    let ends = |name: &str| name.rsplit('/').next().is_some_and(|city| city.eq_ignore_ascii_case(zone));
    let meant = table.available().find(|name| ends(name.as_str()));
    let hint = match meant {
        Some(name) => format!("did you mean `{name}`?"),
        None => "name one of the IANA table, such as `Europe/Berlin`".to_owned(),
    };
    // What is no name of a zone at all is told where it is read.
    zone.bytes().all(|b| b.is_ascii_graphic()).then(|| format!("there is no time zone `{zone}`: {hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_one_of_the_table_where_there_is_one() {
        let table = jiff::tz::db();
        assert!(table.available().next().is_some(), "this machine has a table of zones");
        for known in ["", "UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires"] {
            assert_eq!(unknown(known, table), None);
        }
        let told = unknown("Berlin", table).unwrap();
        assert!(told.ends_with("did you mean `Europe/Berlin`?"), "{told}");
        assert!(unknown("Atlantis", table).unwrap().contains("IANA"));
        assert_eq!(unknown("Berlin", &TimeZoneDatabase::none()), None);
    }
}
