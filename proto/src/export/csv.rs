//! Rows of comma-separated values (RFC 4180) that a spreadsheet shows and does not compute.
//!
//! Law: a cell that a spreadsheet would take for a formula begins with an apostrophe, and a row is one line: what would end the line is
//! written as an escape. Every cell is quoted.

/// What a formula begins with.
const FORMULAS: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// Writes a row, without the end of its line.
pub(super) fn row<'a>(cells: impl IntoIterator<Item = &'a str>) -> String {
    let mut row = String::new();
    for (place, cell) in cells.into_iter().enumerate() {
        row.push_str(if place == 0 { "\"" } else { ",\"" });
        for c in cell.chars() {
            match c {
                '"' => row.push_str("\"\""),
                c => row.push(c),
            }
        }
        row.push('"');
    }
    row
}

/// A text as a cell that computes nothing.
pub(super) fn inert(text: &str) -> String {
    let mut cell = String::with_capacity(text.len());
    if text.starts_with(FORMULAS) {
        cell.push('\'');
    }
    for c in text.chars() {
        match c {
            '\t' => cell.push(c),
            c if c.is_control() => cell.extend(c.escape_default()),
            c => cell.push(c),
        }
    }
    cell
}

/// Reads a row as it is written here; `None` where it was written otherwise.
pub(super) fn cells(row: &str) -> Option<Vec<String>> {
    let mut cells = Vec::new();
    let mut rest = row.strip_prefix('"')?;
    loop {
        let mut cell = String::new();
        loop {
            let (text, after) = rest.split_once('"')?;
            cell.push_str(text);
            rest = after;
            match rest.strip_prefix('"') {
                Some(after) => rest = after,
                None => break,
            }
            cell.push('"');
        }
        cells.push(cell);
        if rest.is_empty() {
            return Some(cells);
        }
        rest = rest.strip_prefix(",\"")?;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_formula_is_a_text() {
        for (text, cell) in [
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("\r=1", "'\\r=1"),
            ("a=1", "a=1"),
            ("a\nb", "a\\nb"),
            ("", ""),
        ] {
            assert_eq!(inert(text), cell, "{text:?}");
        }
    }

    #[test]
    fn a_row_is_read_as_it_was_written_and_no_other_is() {
        assert_eq!(row(["a", "b,\"c\"", ""]), r#""a","b,""c""","""#);
        for bad in ["", "a", "\"a", "\"a\",", "\"a\"b", "\"a\" ,\"b\"", "\"a\",b", "\"\"\""] {
            assert_eq!(cells(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_row_comes_back(texts in prop::collection::vec(".{0,20}", 1..6)) {
            let inert: Vec<String> = texts.iter().map(|text| inert(text)).collect();
            let row = row(inert.iter().map(String::as_str));
            prop_assert!(!row.contains('\n') && !row.contains('\r'));
            prop_assert_eq!(cells(&row), Some(inert.clone()));
            prop_assert!(inert.iter().all(|cell| !cell.starts_with(FORMULAS)));
        }

        #[test]
        fn no_text_is_a_panic(text in any::<String>()) {
            let _ = cells(&text);
        }
    }
}
