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
mobil mobile mobiles mobilnummer movil pager ph phone phoned phoning phones portable puhelin reach reached rappeler ring rufnummer \
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
        let reach = window.reach_back(start, REACH).to_lowercase();
        let split = |c: char| !c.is_alphanumeric();
        let mut words = reach.split(split).filter(|word| !word.is_empty()).rev().enumerate().peekable();
        while let Some((distance, word)) = words.next() {
            let known = |list: &[String]| list.binary_search_by(|known| known.as_str().cmp(word)).is_ok();
            if known(&self.phone) || is_run_on(word) {
                return Lean::Phone(distance);
            }
            if known(&self.other) {
                return Lean::Other(distance);
            }
            let whose = |word: &str| WHOSE.split(' ').any(|known| known == word);
            if matches!(word, "number" | "numbers" | "nummer" | "numero")
                && words.peek().is_some_and(|(_, word)| whose(word))
            {
                return Lean::Phone(distance);
            }
        }
        Lean::Silent
    }
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
