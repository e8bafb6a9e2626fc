//! An instant as a command line names it.

/// A date as its first instant in UTC; anything else as it is, for the control plane to read.
pub(super) fn instant(text: &str) -> String {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    if digits && text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_its_first_instant_and_an_instant_is_itself() {
        assert_eq!(instant("2026-01-31"), "2026-01-31T00:00:00Z");
        for text in ["2026-01-31T10:00:00+01:00", "2026-1-31", "2026-01-3x", "tomorrow"] {
            assert_eq!(instant(text), text);
        }
    }
}
