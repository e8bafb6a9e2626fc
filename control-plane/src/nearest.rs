//! What somebody who wrote an unknown word may have meant.
//!
//! Law: a suggestion is one of the words that are known here; nothing is ever done by it.

/// Words that are suggested at most.
const SUGGESTED: usize = 5;

/// Bytes of a word that is compared: what is longer was no slip.
const LONGEST: usize = 64;

/// `did you mean ...?` or `known are ...`, with the words nearest to one; empty where nothing is known.
pub(crate) fn suggestion<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> String {
    let mut known: Vec<&str> = known.into_iter().collect();
    known.sort_unstable();
    known.dedup();
    if let Some(meant) = meant(word, known.iter().copied()) {
        return meant;
    }
    match known.as_slice() {
        [] => String::new(),
        all if all.len() <= SUGGESTED => format!("known are {}", listed(all)),
        all => format!(
            "known are {} and {} more",
            listed(all.get(..SUGGESTED).unwrap_or_default()),
            all.len().saturating_sub(SUGGESTED)
        ),
    }
}

/// `did you mean ...?`, with the known words that differ from one by a slip, nearest first; `None` where none does.
pub(crate) fn meant<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Option<String> {
    if word.len() > LONGEST {
        return None;
    }
    let word = word.to_lowercase();
    let slip = word.chars().count().div_ceil(3).min(3);
    let measured = known.into_iter().map(|known| (distance(&word, &known.to_lowercase()), known));
    let mut near: Vec<(usize, &str)> = measured.filter(|(far, _)| *far <= slip).collect();
    near.sort_unstable();
    let near: Vec<&str> = near.into_iter().take(SUGGESTED).map(|(_, known)| known).collect();
    (!near.is_empty()).then(|| format!("did you mean {}?", listed(&near)))
}

fn listed(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// Letters to be put in, left out or changed to make one word of another (Levenshtein, 1966).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().take(LONGEST).collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (at, letter) in from.chars().enumerate() {
        let mut left = at.saturating_add(1);
        let mut next = vec![left];
        for ((other, above_left), above) in to.iter().zip(&row).zip(row.iter().skip(1)) {
            let changed = above_left.saturating_add(usize::from(*other != letter));
            left = changed.min(above.saturating_add(1)).min(left.saturating_add(1));
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_words_come_first_and_what_is_no_slip_gets_the_list() {
        assert_eq!(suggestion("EMIAL", ["EMAIL", "PHONE", "IBAN"]), "did you mean `EMAIL`?");
        assert_eq!(suggestion("email", ["PHONE", "EMAIL"]), "did you mean `EMAIL`?");
        assert_eq!(suggestion("mars", ["us", "eu"]), "known are `eu`, `us`");
        assert_eq!(
            suggestion("x", ["aaa", "bbb", "ccc", "ddd", "eee", "fff"]),
            "known are `aaa`, `bbb`, `ccc`, `ddd`, `eee` and 1 more"
        );
        assert_eq!(suggestion("x", []), "");
        assert_eq!(meant("mars", ["us", "eu"]), None);
        for (from, to, far) in [("", "", 0), ("", "ab", 2), ("kitten", "sitting", 3), ("ab", "ba", 2)] {
            assert_eq!((distance(from, to), distance(to, from)), (far, far), "{from} {to}");
        }
    }
}
