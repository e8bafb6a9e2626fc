//! What an event says of what is handed out of a log.

use proto::admin::AuditedExport;

/// Bytes of what was asked for that are kept.
const LONGEST: usize = 2_048;

/// What is handed out: by what was asked for, of which words that are empty ask for nothing, and by the places in the log.
pub(super) fn of(log: &str, asked: &[(&str, String)], places: impl Iterator<Item = i64>) -> AuditedExport {
    let given = asked.iter().filter(|(_, value)| !value.is_empty());
    let filter: Vec<String> = given.map(|(name, value)| format!("{name}={value}")).collect();
    let (mut first, mut last, mut count) = (0, 0, 0_i64);
    for place in places {
        first = if count == 0 { place } else { place.min(first) };
        (last, count) = (place.max(last), count.saturating_add(1));
    }
    let filter = filter.join("&");
    let cut = filter.floor_char_boundary(LONGEST);
    let filter = filter.get(..cut).unwrap_or_default().to_owned();
    AuditedExport { log: log.to_owned(), filter, first, last, count }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_was_asked_and_from_where_to_where() {
        let asked =
            [("actor", "platform/eve".to_owned()), ("since", String::new()), ("geo", "eu".to_owned())];
        let told = of("auditLeaves", &asked, [9, 4, 7].into_iter());
        assert_eq!(
            (told.filter.as_str(), told.first, told.last, told.count),
            ("actor=platform/eve&geo=eu", 4, 9, 3)
        );
        let none = of("auditLeaves", &[("actor", "ü".repeat(3_000))], std::iter::empty());
        assert_eq!((none.first, none.last, none.count, none.filter.len()), (0, 0, 0, 2_048));
    }
}
