//! What the words around a number say it is.
//!
//! Law: the nearest telling word decides; words are whole; at most [`REACH`] bytes to the left and one word to the right are read.

use super::window::Window;
use crate::content::normalise::{folded_lower, is_continuous_script};

/// How far to the left a word may stand, bytes of folded text.
const REACH: usize = 96;
/// Longest word after a number, bytes.
const WORD: usize = 10;

/// Words that announce a telephone number, in the languages a European or American form is written in.
const PHONE: &str = "answering anruf anrufen appel appeler appelez callback called caller calling call calls cell celular \
cellphone cellular cellulare chiama chiamare contact contactar contacto dial dialed dialing dialled durchwahl fax faxed faxnummer \
festnetz fijo fisso gsm handset handy handynummer helpline hotline kontakt landline ligar ligue llama llamar llame mob mobiel \
mobil mobile mobiles mobilnummer movil pager ph phone phoned phoning phones portable puhelin reach reached rappeler ring ruf rufe rufen rufnummer \
rückruf sms telefax telefon telefone telefono telefonnummer telefonu telefoon telefoonnummer telephone telephoning tel tels text \
texted texting tfno tlf tlph voicemail whatsapp whats telegram viber телефон тел моб звоните позвоните факс τηλεφωνο هاتف טלפון";

/// The same where words run together.
const PHONE_RUN_ON: [&str; 10] =
    ["电话", "電話", "手机", "手機", "联系", "号码", "携帯", "전화", "연락", "โทร"];

/// Words that announce another kind of number.
const OTHER: &str = "account acct address age aircraft amount apt batch bank bill birth birthday blz bic bin born box bug build card \
chapter chassis checksum claim code commit cost coordinates count credit cvv date dated dates dob doi employee epoch error eur expiry \
fiscal gbp guid hash iban id identifier ids imei index invoice ip isbn issn issue job key lat latitude license licence lon longitude \
lot mac member model mrn nhs nino no norm npi offset order page pages part passport patient pid pin policy port postal postcode pr \
price product receipt record ref reference release room routing row rows rsid sample score section security seed serial siret sku \
ssn steuernummer student suite swift tax taxpayer tfn ticket time timestamp total tracking transaction uid unix usd user uuid vat \
version vin volume year years zip zipcode";

/// Words after a number that say what it was.
const AFTER: &str = "office fax mobile cell home work tel phone landline direct m h w o c f";

/// What a key of several words names by its last one.
const PHONE_KEY: &str = "phone phones telephone tel mobile landline cellphone fax handy msisdn whatsapp telefon telefono telefone";

/// Whose number "number" is.
const WHOSE: &str = "my his her our their your whose new";

/// What the text says about a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lean {
    /// A telephone, said so many words away.
    Phone(usize),
    /// Something else, said so many words away.
    Other(usize),
    /// Nothing.
    Silent,
}

/// The telling words, ready to be looked up.
#[derive(Debug)]
pub(super) struct Context {
    phone: Vec<String>,
    other: Vec<String>,
}

impl Context {
    /// Folds the words as text is folded.
    pub(super) fn new() -> Self {
        let words = |list: &str| {
            let mut words: Vec<String> = list.split_whitespace().map(folded_lower).collect();
            words.sort_unstable();
            words
        };
        Self { phone: words(PHONE), other: words(OTHER) }
    }

    /// What the words before `start` say.
    pub(super) fn before(&self, window: &Window<'_>, start: usize) -> Lean {
        let reach = window.reach_back(start, REACH);
        let split = |c: char| !c.is_alphanumeric();
        let lower = reach.to_lowercase();
        let written = reach.split(split).filter(|word| !word.is_empty()).rev();
        let words = lower.split(split).filter(|word| !word.is_empty()).rev();
        let mut words = words.zip(written).enumerate().peekable();
        while let Some((distance, (word, written))) = words.next() {
            if is_known(&self.phone, word) || is_run_on(word) {
                return Lean::Phone(distance);
            }
            if is_numbered(word)
                && let Some((_, (before, _))) = words.peek()
                && (WHOSE.split(' ').any(|known| known == *before) || is_known(&self.phone, before))
            {
                return Lean::Phone(distance);
            }
            if is_known(&self.other, word) {
                return Lean::Other(distance);
            }
            match self.key(written) {
                Lean::Silent => {}
                Lean::Phone(_) => return Lean::Phone(distance),
                Lean::Other(_) => return Lean::Other(distance),
            }
        }
        Lean::Silent
    }

    /// What a key of several words written as one (`customerPhone`, `mobileNo`) says: its last word decides, so that `lastCall` and
    /// `phoneId` name no telephone.
    fn key(&self, written: &str) -> Lean {
        let (head, last) = last_hump(written);
        let (_, before) = last_hump(head);
        let known = |list: &[String], word: &str| is_known(list, &word.to_lowercase());
        if head.is_empty() {
            Lean::Silent
        } else if PHONE_KEY.split(' ').any(|known| last.eq_ignore_ascii_case(known))
            || (is_numbered(&last.to_lowercase()) && known(&self.phone, before))
        {
            Lean::Phone(0)
        } else if known(&self.other, last) {
            Lean::Other(0)
        } else {
            Lean::Silent
        }
    }
}

fn is_known(list: &[String], word: &str) -> bool {
    list.binary_search_by(|known| known.as_str().cmp(word)).is_ok()
}

/// Whether a word says that a number follows, and nothing of which.
fn is_numbered(word: &str) -> bool {
    matches!(word, "no" | "nr" | "num" | "number" | "numbers" | "nummer" | "numero")
}

/// The word that begins with the last capital behind a small letter, and what stands before it; nothing where there is none.
fn last_hump(word: &str) -> (&str, &str) {
    let bytes = word.as_bytes();
    let is_hump = |at: &usize| {
        let small = bytes.get(at.wrapping_sub(1)).is_some_and(u8::is_ascii_lowercase);
        small && bytes.get(*at).is_some_and(u8::is_ascii_uppercase)
    };
    (1..bytes.len()).rev().find(is_hump).map_or(("", word), |at| word.split_at(at))
}

fn is_run_on(word: &str) -> bool {
    word.chars().any(is_continuous_script) && PHONE_RUN_ON.iter().any(|known| word.contains(known))
}

/// Whether the word right after `end` says the number was a telephone's.
pub(super) fn is_named_after(window: &Window<'_>, end: usize) -> bool {
    let gap =
        (0..3).take_while(|n| matches!(window.at(end + n), Some(b' ' | b'-' | b'(' | b',' | b'/'))).count();
    if gap == 0 {
        return false;
    }
    let start = end + gap;
    let length =
        (0..WORD).take_while(|n| window.at(start + n).is_some_and(|b| b.is_ascii_alphabetic())).count();
    let word = window.slice(start, start + length).to_ascii_lowercase();
    let bracketed = window.before(start) == Some(b'(');
    AFTER.split(' ').any(|known| known == word && (known.len() > 1 || bracketed))
}
