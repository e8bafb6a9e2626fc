//! The types of personal data and secrets that detectors find, by the names Bedrock Guardrails gave them.

use std::fmt;
use std::str::FromStr;

use super::UnknownWord;

macro_rules! entities {
    ($($(#[$doc:meta])* $variant:ident = $text:literal),* $(,)?) => {
        /// A type of personal data; also the name of a data class a rule may ask for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Entity { $($(#[$doc])* $variant),* }

        impl Entity {
            /// Every entity there is a detector for.
            pub const ALL: &'static [Entity] = &[$(Entity::$variant),*];

            /// The name on every surface, such as `EMAIL`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Entity::$variant => $text),* }
            }
        }
    };
}

entities! {
    /// An e-mail address.
    Email = "EMAIL",
    /// A telephone number.
    Phone = "PHONE",
    /// A payment card's primary account number.
    CreditDebitCardNumber = "CREDIT_DEBIT_CARD_NUMBER",
    /// An IBAN.
    InternationalBankAccountNumber = "INTERNATIONAL_BANK_ACCOUNT_NUMBER",
}

impl Entity {
    /// This entity's bit in a set of at most 32.
    pub const fn bit(self) -> u32 {
        1 << (self as u32)
    }
}

impl fmt::Display for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Entity {
    type Err = UnknownWord;
    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        Self::ALL.iter().copied().find(|e| e.as_str() == text).ok_or_else(|| UnknownWord {
            found: text.chars().take(64).flat_map(char::escape_default).collect(),
            expected: Self::ALL.iter().map(|e| e.as_str()).collect::<Vec<_>>().join(" | "),
        })
    }
}
