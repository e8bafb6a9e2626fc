//! Amounts of money as JSON and YAML spell numbers, and what one token costs as what a million do: exact, or not at all.
//!
//! Law: an amount is never rounded. What nano-units of a currency can't say is refused, and so is what is no amount.

use policy_engine::vocabulary::decimal_text;

/// Digits of a number at most; no price has as many.
const DIGITS: usize = 30;
/// From units to nano-units.
const NANOS: i32 = 9;
/// From one token to a million.
const MILLION: i32 = 6;

/// Turns a price per token (`2.5e-06`, `0.0000025`) into one per million tokens (`2.50`). Errors say what is wrong with it.
pub(super) fn per_million(text: &str) -> Result<String, &'static str> {
    shifted(text, NANOS.saturating_add(MILLION))
}

/// Reads an amount (`1e2`, `12.5`) as a resource has it (`100.00`). Errors say what is wrong with it.
pub(super) fn amount(text: &str) -> Result<String, &'static str> {
    shifted(text, NANOS)
}

/// A number so many places to the left, in nano-units, as text.
fn shifted(text: &str, by: i32) -> Result<String, &'static str> {
    const NONE: &str = "is not an amount of money";
    let text = text.trim();
    let (number, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i32 = exponent.parse().map_err(|_| NONE)?;
    let number = number.strip_prefix('+').unwrap_or(number);
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{whole}{part}");
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NONE);
    }
    let kept = digits.trim_end_matches('0');
    let dropped = digits.len().saturating_sub(kept.len());
    let kept = kept.trim_start_matches('0');
    if kept.is_empty() {
        return Ok(decimal_text(0));
    }
    const LARGE: &str = "is larger than any amount";
    let places =
        i32::try_from(dropped).unwrap_or(i32::MAX).saturating_sub(part.len().try_into().unwrap_or(i32::MAX));
    let power = exponent.saturating_add(places).saturating_add(by);
    if kept.len() > DIGITS || power < 0 {
        return Err("is more exact than a billionth of the currency's unit");
    }
    let number: i128 = kept.parse().map_err(|_| LARGE)?;
    let times = u32::try_from(power).ok().and_then(|power| 10_i128.checked_pow(power)).ok_or(LARGE)?;
    let nanos = number.checked_mul(times).and_then(|nanos| i64::try_from(nanos).ok()).ok_or(LARGE)?;
    Ok(decimal_text(nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_a_token_is_a_price_a_million_to_the_last_digit() {
        for (token, million) in [
            ("2.5e-06", "2.50"),
            ("0.0000025", "2.50"),
            ("1.5e-7", "0.15"),
            ("7.5E-08", "0.075"),
            ("3e-05", "30.00"),
            ("0", "0.00"),
            ("0.0", "0.00"),
            ("0e5", "0.00"),
            ("+1.0e-6", "1.00"),
            ("1", "1000000.00"),
            (".000001", "1.00"),
            ("1e-15", "0.000000001"),
            ("0.00000000000000100", "0.000000001"),
        ] {
            assert_eq!(per_million(token).as_deref(), Ok(million), "{token}");
        }
    }

    #[test]
    fn an_amount_is_one_however_it_is_spelled() {
        for (text, read) in
            [("10", "10.00"), ("1e2", "100.00"), ("0.5", "0.50"), ("0.000000001", "0.000000001")]
        {
            assert_eq!(amount(text).as_deref(), Ok(read));
        }
        assert!(amount("0.0000000001").is_err());
    }

    #[test]
    fn what_is_no_amount_or_can_not_be_said_exactly_is_refused() {
        for bad in
            ["", "-1e-6", "NaN", ".inf", "1e", "1e999999999", "free", "1,5", "0x1", ".", "1e-16", "1e20"]
        {
            assert!(per_million(bad).is_err(), "{bad}");
        }
        // A binary fraction that was printed as it is.
        assert!(per_million("3.0000000000000004e-07").is_err());
        assert!(per_million(&"9".repeat(1_000)).is_err());
    }
}
