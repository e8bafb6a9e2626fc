//! Tables for people: columns by width, nothing drawn, so that `awk` can read them too.

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::Value;

use super::plain;

/// Rows under headings; a heading may be a field's name, whose words are then told apart.
pub(crate) fn table(headings: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(headings.iter().map(|heading| words(heading)));
    for row in rows {
        table.add_row(row);
    }
    let lines = table.lines().map(|line| line.trim().to_owned() + "\n");
    lines.collect()
}

/// `riskClass` as `RISK CLASS`.
fn words(heading: &str) -> String {
    let spaced = heading.chars().flat_map(|c| c.is_ascii_uppercase().then_some(' ').into_iter().chain([c]));
    spaced.collect::<String>().trim_start().to_uppercase()
}

/// A value of JSON in one cell: texts as they are, lists with commas between, `-` for nothing.
pub(crate) fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "-".to_owned(),
        Some(Value::String(text)) => plain(text),
        Some(Value::Array(items)) if items.iter().all(|item| !item.is_array() && !item.is_object()) => {
            items.iter().map(|item| cell(Some(item))).collect::<Vec<_>>().join(",")
        }
        Some(Value::Object(fields))
            if fields.values().all(|value| !value.is_array() && !value.is_object()) =>
        {
            let pair = |(key, value): (&String, &Value)| format!("{}={}", plain(key), cell(Some(value)));
            fields.iter().map(pair).collect::<Vec<_>>().join(",")
        }
        Some(other) => plain(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_stand_under_each_other() {
        let rows = [vec!["a".to_owned(), "xyz".to_owned()], vec!["long-name".to_owned(), "-".to_owned()]];
        let shown = table(&["name", "what"], rows);
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[0].split_whitespace().collect::<Vec<_>>(), ["NAME", "WHAT"]);
        assert_eq!(lines[0].find("WHAT"), lines[1].find("xyz"));
        assert_eq!(lines[2].split_whitespace().collect::<Vec<_>>(), ["long-name", "-"]);
    }

    #[test]
    fn the_words_of_a_fields_name_are_told_apart() {
        for (heading, shown) in
            [("riskClass", "RISK CLASS"), ("onStoreLoss", "ON STORE LOSS"), ("last seen", "LAST SEEN")]
        {
            assert_eq!(words(heading), shown);
        }
    }

    #[test]
    fn every_value_fits_a_cell() {
        for (value, shown) in [
            (json!(null), "-"),
            (json!(""), "-"),
            (json!("a\nb"), "a\\nb"),
            (json!(["eu", "us"]), "eu,us"),
            (json!(7), "7"),
            (json!({"team": "r"}), "team=r"),
            (json!([{"a": 1}]), "[{\"a\":1}]"),
        ] {
            assert_eq!(cell(Some(&value)), shown);
        }
        assert_eq!(cell(None), "-");
    }
}
