//! Who is behind the pseudonyms of records, asked of the control plane.
//!
//! Law: whoever is not told keeps the pseudonym. Absent on purpose: writing names anywhere but into an answer.

use std::collections::{BTreeMap, BTreeSet};

use crate::client::Client;

/// Whom it is asked of at most: each is a call.
const MOST: usize = 1_000;

/// What a pseudonym begins with.
const PSEUDONYM: &str = "p~";

/// Names by pseudonym.
#[derive(Debug, Default)]
pub(super) struct People(BTreeMap<String, String>);

impl People {
    /// Those behind principals such as `acme/p~0f3c…`, as far as the caller may know.
    pub(super) async fn behind<'p>(client: &Client, principals: impl Iterator<Item = &'p str>) -> Self {
        let pseudonyms: BTreeSet<&str> = principals.filter_map(pseudonym).collect();
        let mut known = BTreeMap::new();
        for pseudonym in pseudonyms.into_iter().take(MOST) {
            let Ok(reply) = client.get(&format!("subjects/{pseudonym}"), &[]).await else { break };
            let id = reply.json.get("id").and_then(|id| id.as_str()).filter(|id| !id.is_empty());
            known.extend(id.map(|id| (pseudonym.to_owned(), id.to_owned())));
        }
        Self(known)
    }

    /// A principal by its name, where that is known.
    pub(super) fn named(&self, principal: &str) -> String {
        let known = pseudonym(principal).and_then(|pseudonym| Some((pseudonym, self.0.get(pseudonym)?)));
        known.map_or_else(|| principal.to_owned(), |(pseudonym, name)| principal.replace(pseudonym, name))
    }
}

fn pseudonym(principal: &str) -> Option<&str> {
    let id = principal.rsplit_once('/').map_or(principal, |(_, id)| id);
    id.starts_with(PSEUDONYM).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_known_is_named_and_nobody_else() {
        let people = People([("p~1".to_owned(), "ada@example.org".to_owned())].into());
        assert_eq!(people.named("acme/p~1"), "acme/ada@example.org");
        assert_eq!(
            (people.named("acme/p~2"), people.named("acme/bot")),
            ("acme/p~2".into(), "acme/bot".into())
        );
    }
}
