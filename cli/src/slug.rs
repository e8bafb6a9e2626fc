//! Names that others gave, as names that resources may have.
//!
//! Law: what comes out is a name of `policy_engine::vocabulary::Name`'s form, whatever goes in, and no two of one kind are the same.
//! Absent on purpose: finding the name again; what was given stays where it matters, as an alias or as the name at the vendor.

use std::collections::{HashMap, HashSet};

/// Characters that are kept of a name: room is left for what is put behind one that is taken.
const MOST: usize = 100;

/// A text as a resource name: what a name can't have becomes `-`. Empty where nothing of it can begin one.
pub(crate) fn slug(text: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._@+~-".contains(c);
    let name: String = text.chars().map(|c| if fits(c) { c } else { '-' }).take(MOST).collect();
    name.trim_start_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned()
}

/// The names of one kind that are taken.
#[derive(Debug)]
pub(crate) struct Taken {
    /// What stands before the number of one that is taken.
    joint: char,
    names: HashSet<String>,
    /// How many were made of one text, so that many of the same are not each tried again.
    made: HashMap<String, usize>,
}

impl Default for Taken {
    fn default() -> Self {
        Self::joined_by('-')
    }
}

impl Taken {
    /// None yet; what is put behind a name begins with this.
    pub(crate) fn joined_by(joint: char) -> Self {
        Self { joint, names: HashSet::new(), made: HashMap::new() }
    }

    /// Somebody has this name already.
    pub(crate) fn reserve(&mut self, name: &str) {
        self.names.insert(name.to_owned());
    }

    /// A name that nobody has yet, made of a text: `a`, then `a-2`, `a-3` ...
    pub(crate) fn take(&mut self, text: &str) -> String {
        let base = match slug(text) {
            name if name.is_empty() => "unnamed".to_owned(),
            name => name,
        };
        let made = self.made.entry(base.clone()).or_default();
        loop {
            *made = made.saturating_add(1);
            let name = if *made == 1 { base.clone() } else { format!("{base}{}{made}", self.joint) };
            if self.names.insert(name.clone()) {
                return name;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use policy_engine::vocabulary::Name;

    use super::*;

    #[test]
    fn any_text_becomes_a_name_that_nobody_has() {
        let mut taken = Taken::default();
        for (text, name) in [
            ("meta/llama:8b", "meta-llama-8b"),
            ("meta/llama:8b", "meta-llama-8b-2"),
            ("meta-llama-8b-2", "meta-llama-8b-2-2"),
            ("/x", "x"),
            ("", "unnamed"),
            ("ü", "unnamed-2"),
            ("gpt-4o", "gpt-4o"),
        ] {
            let made = taken.take(text);
            assert_eq!(made, name, "{text}");
            assert!(Name::new(&made).is_ok());
        }
        let long = "a".repeat(1_000);
        assert!(Name::new(&taken.take(&long)).is_ok() && Name::new(&taken.take(&long)).is_ok());
    }
}
