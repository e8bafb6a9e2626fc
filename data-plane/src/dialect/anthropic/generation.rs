//! What a model of the vendor's takes, by its name.
//!
//! Law: only what the vendor would refuse is told otherwise; a name that tells no version is taken to refuse nothing that its caller says. Absent on purpose: what a model can do (its card's).
//!
//! | version | thinks by | sampling |
//! |---|---|---|
//! | not told | budgets, and efforts in the vendor's own words | as it is told |
//! | before 4.1 | budgets | as it is told |
//! | 4.1 to 4.5 | budgets | `temperature` or `top_p`, not both |
//! | 4.6 | efforts, and budgets still | the same |
//! | 4.7 and later | efforts alone | none |
//!
//! Fable and Mythos are of the last kind whatever their version, and can't be told not to think.

/// The models that always think.
const RESTLESS: [&str; 2] = ["fable", "mythos"];

/// Models that are spoken to alike, in the order of their time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) enum Generation {
    /// It does not show.
    Unknown,
    /// Budgets, and any sampling.
    First,
    /// Budgets, and one way of sampling.
    OneSampling,
    /// Efforts, and budgets still.
    Efforts,
    /// Efforts alone, and no sampling.
    EffortsAlone,
    /// The same, and it always thinks.
    Restless,
}

impl Generation {
    /// The one of a model, under whichever house's name: `claude-opus-4-7`, `us.anthropic.claude-opus-4-6-v1`, `claude-3-5-sonnet@20241022`.
    pub(in super::super) fn of(model: &str) -> Self {
        let Some((_, name)) = model.split_once("claude") else { return Self::Unknown };
        let mut words =
            name.split(|byte: char| !byte.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        if words.clone().any(|word| RESTLESS.contains(&word)) {
            return Self::Restless;
        }
        // Dates have eight digits.
        let is_number = |word: &&str| word.len() <= 2 && word.bytes().all(|byte| byte.is_ascii_digit());
        let number = |word: &str| word.parse::<u32>().ok();
        let Some(major) = words.find(is_number).and_then(number) else { return Self::Unknown };
        let minor = words.next().filter(is_number).and_then(number).unwrap_or(0);
        match (major, minor) {
            (..=3, _) | (4, 0) => Self::First,
            (4, ..=5) => Self::OneSampling,
            (4, 6) => Self::Efforts,
            _ => Self::EffortsAlone,
        }
    }

    /// Which of `temperature`, `top_p` and `top_k` it takes, where a temperature is told or is not.
    pub(in super::super) fn takes(self, temperature: bool) -> [bool; 3] {
        let draws = self < Self::EffortsAlone;
        [draws, draws && (self < Self::OneSampling || !temperature), draws]
    }

    /// Whether it is told efforts.
    pub(in super::super) fn has_efforts(self) -> bool {
        self >= Self::Efforts
    }

    /// Whether it refuses efforts, and to think as it sees fit.
    pub(in super::super) fn refuses_efforts(self) -> bool {
        matches!(self, Self::First | Self::OneSampling)
    }

    /// Whether it is told budgets.
    pub(in super::super) fn has_budgets(self) -> bool {
        self <= Self::Efforts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_the_version_wherever_it_stands() {
        use Generation::{Efforts, EffortsAlone, First, OneSampling, Restless, Unknown};
        for (name, generation) in [
            ("claude-x", Unknown),
            ("gpt-4-7", Unknown),
            ("claude-instant-v1", Unknown),
            ("claude-2.1", First),
            ("claude-3-7-sonnet-20250219", First),
            ("claude-3-5-sonnet@20241022", First),
            ("claude-sonnet-4-20250514", First),
            ("anthropic.claude-opus-4-v1:0", First),
            ("claude-opus-4-1-20250805", OneSampling),
            ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", OneSampling),
            ("claude-haiku-4.5", OneSampling),
            ("claude-opus-4-6", Efforts),
            ("anthropic.claude-opus-4-6-v1", Efforts),
            ("claude-opus-4-7", EffortsAlone),
            ("anthropic/claude-opus-4.8", EffortsAlone),
            ("claude-sonnet-5", EffortsAlone),
            ("claude-5-sonnet-20260630", EffortsAlone),
            ("claude-opus-10", EffortsAlone),
            ("claude-fable-5", Restless),
            ("anthropic.claude-mythos-preview", Restless),
        ] {
            assert_eq!(Generation::of(name), generation, "{name}");
        }
    }
}
