//! Money as a currency and an integer count of nano-units.
//!
//! Law: no floats, and two currencies never meet in one sum.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Nano-units in one unit of a currency.
const NANOS: i128 = 1_000_000_000;

/// An ISO 4217 code, upper case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

/// An amount: `nanos` thousand-millionths of one unit of `currency`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    /// The currency.
    pub currency: Currency,
    /// Thousand-millionths of the currency's unit; ±9.2 thousand million units fit.
    pub nanos: i64,
}

/// Why a text is not an amount.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MoneyError {
    /// Not three upper-case letters.
    #[error("`{0}` is not a currency code of three upper-case letters")]
    Currency(String),
    /// Not a decimal number of at most nine places.
    #[error("`{0}` is not a decimal amount with at most nine places")]
    Amount(String),
    /// Larger than fits.
    #[error("`{0}` is too large an amount")]
    TooLarge(String),
    /// Not `AMOUNT CURRENCY`.
    #[error("`{0}` is not an amount and a currency, such as `50.00 USD`")]
    Form(String),
}

fn shown(text: &str) -> String {
    text.chars().take(64).flat_map(char::escape_default).collect()
}

impl Currency {
    /// The code, such as `USD`.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XXX")
    }
}

impl FromStr for Currency {
    type Err = MoneyError;
    fn from_str(text: &str) -> Result<Self, MoneyError> {
        match text.as_bytes() {
            [a, b, c] if [a, b, c].iter().all(|x| x.is_ascii_uppercase()) => Ok(Self([*a, *b, *c])),
            _ => Err(MoneyError::Currency(shown(text))),
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Reads a non-negative decimal such as `2.50` into nano-units.
pub fn decimal_nanos(text: &str) -> Result<i64, MoneyError> {
    let amount = || MoneyError::Amount(shown(text));
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(part) || part.len() > 9 || text.ends_with('.') {
        return Err(amount());
    }
    let units: i128 = whole.parse().map_err(|_| MoneyError::TooLarge(shown(text)))?;
    let nanos: i128 = format!("{part:0<9}").parse().map_err(|_| amount())?;
    let total = units.checked_mul(NANOS).and_then(|n| n.checked_add(nanos));
    total.and_then(|n| i64::try_from(n).ok()).ok_or_else(|| MoneyError::TooLarge(shown(text)))
}

/// Writes nano-units as the shortest decimal with at least two places.
pub fn decimal_text(nanos: i64) -> String {
    let (sign, n) = (if nanos < 0 { "-" } else { "" }, i128::from(nanos).abs());
    let part = format!("{:09}", n % NANOS);
    let kept = part.trim_end_matches('0').len().max(2);
    format!("{sign}{}.{}", n / NANOS, part.get(..kept).unwrap_or(&part))
}

impl FromStr for Money {
    type Err = MoneyError;
    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let (amount, currency) = text.split_once(' ').ok_or_else(|| MoneyError::Form(shown(text)))?;
        Ok(Self { currency: currency.parse()?, nanos: decimal_nanos(amount)? })
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", decimal_text(self.nanos), self.currency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_and_write_without_loss() {
        for (text, nanos) in [("50.00", 50_000_000_000), ("0.000000001", 1), ("2.5", 2_500_000_000), ("0", 0)]
        {
            assert_eq!(decimal_nanos(text), Ok(nanos), "{text}");
            assert_eq!(decimal_nanos(&decimal_text(nanos)), Ok(nanos));
        }
        assert_eq!("50.00 USD".parse::<Money>().unwrap().to_string(), "50.00 USD");
    }

    #[test]
    fn what_is_not_an_amount_is_refused() {
        for bad in ["", "-1", "1e9", "1.", ".5", "1.0000000001", "NaN", "9223372037", "1,5"] {
            assert!(decimal_nanos(bad).is_err(), "{bad}");
        }
        for bad in ["50.00", "50.00 usd", "50.00 DOLLAR", "USD 50"] {
            assert!(bad.parse::<Money>().is_err(), "{bad}");
        }
    }
}
