//! Pages of lists: how many, and from where on.
//!
//! Law: a page token is signed together with the list it is of, so that one that was changed, or taken from another list,
//! is refused and never guessed at.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use proto::status::Refusal;
use subtle::ConstantTimeEq as _;

use crate::seal::Sealer;

/// Members of a page where the caller names no number.
const DEFAULT: usize = 100;
/// Members of a page at most.
const MOST: usize = 1_000;
/// Bytes of a token's signature.
const SIGNED: usize = 16;

/// How many members a page of this asked size has.
pub(super) fn size(asked: i32) -> Result<usize, Refusal> {
    match usize::try_from(asked) {
        Ok(0) => Ok(DEFAULT),
        Ok(asked) => Ok(asked.min(MOST)),
        Err(_) => Err(Refusal::field("pageSize", "is negative")),
    }
}

/// The token for what comes after a place in a list.
pub(super) fn token(sealer: &Sealer, list: &str, place: &str) -> String {
    let signature = signature(sealer, list, place);
    let mut bytes = signature.to_vec();
    bytes.extend_from_slice(place.as_bytes());
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// The place a token names in a list; `None` for the first page.
pub(super) fn place(sealer: &Sealer, list: &str, token: &str) -> Result<Option<String>, Refusal> {
    if token.is_empty() {
        return Ok(None);
    }
    let refused = || Refusal::field("pageToken", "is not a token of this list");
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).map_err(|_| refused())?;
    let (signed, place) = bytes.split_at_checked(SIGNED).ok_or_else(refused)?;
    let place = String::from_utf8(place.to_vec()).map_err(|_| refused())?;
    let same: bool = signature(sealer, list, &place).as_slice().ct_eq(signed).into();
    if same { Ok(Some(place)) } else { Err(refused()) }
}

fn signature(sealer: &Sealer, list: &str, place: &str) -> [u8; SIGNED] {
    let whole = sealer.sign(format!("page\0{list}\0{place}").as_bytes());
    whole.first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_its_list_and_as_it_was_given() {
        let sealer = Sealer::new(&[7; 32]).unwrap();
        let given = token(&sealer, "tenants/acme/teams", "research");
        assert_eq!(place(&sealer, "tenants/acme/teams", &given).unwrap().as_deref(), Some("research"));
        assert_eq!(place(&sealer, "tenants/acme/teams", "").unwrap(), None);
        let mut changed = given.clone();
        changed.replace_range(2..3, if given.as_bytes()[2] == b'A' { "B" } else { "A" });
        for (list, bad) in [
            ("tenants/other/teams", given.as_str()),
            ("tenants/acme/teams", &changed),
            ("tenants/acme/teams", "x!"),
        ] {
            assert!(place(&sealer, list, bad).is_err(), "{list} {bad}");
        }
    }

    #[test]
    fn sizes_are_bounded() {
        assert_eq!((size(0).unwrap(), size(7).unwrap(), size(5_000).unwrap()), (100, 7, 1_000));
        assert!(size(-1).is_err());
    }
}
