//! Which revision is meant: by its number, by its name, by how far before the newest, or by an instant.
//!
//! | word | revision |
//! |---|---|
//! | `12`, `revisions/12` | that one |
//! | `head` | the newest |
//! | `head~3` | three before the newest |
//! | `2026-01-31T12:00:00Z`, `2026-01-31` | the one that was in force then |
//!
//! Law: what was never published, or is not yet, is refused with what there is; nothing is guessed.

use policy_engine::vocabulary::Instant;
use proto::admin::RevisionPoint;
use proto::status::Refusal;

use crate::clock;
use crate::store::{Page, RevisionRow, Store};

/// A revision that was meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// It.
    pub row: RevisionRow,
    /// The instant that was asked for; `None`: it was named.
    pub instant: Option<i64>,
}

/// What a text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Number(i64),
    Before(i64),
    At(i64),
}

impl Point {
    /// As it is told.
    pub fn told(&self) -> RevisionPoint {
        RevisionPoint {
            name: format!("revisions/{}", self.row.revision),
            revision: self.row.revision,
            create_time: Some(clock::timestamp(self.row.created_at)),
            instant: self.instant.map(clock::timestamp),
        }
    }

    /// The moment that is asked about: the instant, or that of the publication.
    pub fn moment(&self) -> i64 {
        self.instant.unwrap_or(self.row.created_at)
    }
}

/// The revision that a field of a request means.
pub async fn meant(store: &Store, (field, text): (&str, &str)) -> Result<Point, Refusal> {
    let refused = |line: String| Refusal::field(field, line);
    let word = read(text).ok_or_else(|| {
        let forms = "a number such as `12`, `revisions/12`, `head`, `head~1` or an instant such as `2026-01-31T12:00:00Z`";
        refused(match text {
            "" => format!("is missing: {forms}"),
            _ => format!("`{}` names no revision: {forms} does", shown(text)),
        })
    })?;
    let head = store.head().await?.revision;
    if head == 0 {
        return Err(refused("nothing was published yet".to_owned()));
    }
    let number = match word {
        Word::Number(number) => number,
        Word::Before(back) => head.saturating_sub(back),
        Word::At(instant) => return then(store, (field, text), instant).await,
    };
    let page = Page { before: number.checked_add(1), size: 1 };
    let row = store.revisions(page).await?.into_iter().find(|row| row.revision == number);
    let row = row.ok_or_else(|| match number {
        ..1 => refused(format!(
            "`{}` is before the first revision: the newest is `revisions/{head}`",
            shown(text)
        )),
        _ => refused(format!("`{}` was never published: the newest is `revisions/{head}`", shown(text))),
    })?;
    Ok(Point { row, instant: None })
}

async fn then(store: &Store, (field, text): (&str, &str), instant: i64) -> Result<Point, Refusal> {
    let refused = |line: String| Refusal::field(field, line);
    if instant > clock::now() {
        return Err(refused(format!("`{}` is in the future, which nobody knows", shown(text))));
    }
    if let Some(row) = store.revision_then(instant).await? {
        return Ok(Point { row, instant: Some(instant) });
    }
    let first = store.first_revision().await?.map(|row| Instant(row.created_at).to_string());
    let first = first.unwrap_or_default();
    Err(refused(format!("`{}` is before the first revision, which was published at {first}", shown(text))))
}

fn read(text: &str) -> Option<Word> {
    // One thing has one name: neither `+7` nor `007`.
    let number = |text: &str| text.parse::<i64>().ok().filter(|n| *n >= 0 && n.to_string() == text);
    if text == "head" {
        return Some(Word::Before(0));
    }
    if let Some(back) = text.strip_prefix("head~") {
        return number(back).map(Word::Before);
    }
    if let Some(name) = text.strip_prefix("revisions/") {
        return number(name).map(Word::Number);
    }
    number(text).map(Word::Number).or_else(|| Instant::parse(text).ok().map(|Instant(at)| Word::At(at)))
}

/// A caller's word, fit for a message.
fn shown(text: &str) -> String {
    text.chars().take(64).flat_map(char::escape_default).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_has_one_number_and_an_instant_is_none() {
        for (text, word) in [
            ("12", Some(Word::Number(12))),
            ("revisions/12", Some(Word::Number(12))),
            ("0", Some(Word::Number(0))),
            ("head", Some(Word::Before(0))),
            ("head~3", Some(Word::Before(3))),
            ("1970-01-01T00:00:01Z", Some(Word::At(1_000_000))),
            ("1970-01-02", Some(Word::At(86_400_000_000))),
        ] {
            assert_eq!(read(text), word, "{text}");
        }
        for junk in [
            "",
            "x",
            "-1",
            "+7",
            "007",
            "1.5",
            "head~",
            "head~-1",
            "head~1~1",
            "HEAD",
            "revisions/",
            "revisions/x",
            "rollouts/1",
            "99999999999999999999",
            "yesterday",
            "2026-13-01",
            " 12",
        ] {
            assert_eq!(read(junk), None, "{junk}");
        }
    }
}
