//! The one scan: from trigger to trigger (a digit, an `@`, a word's start), each candidate judged once by who it may belong to.
//!
//! Law: what a trigger's candidate is depends on the text around it alone, and a candidate starts at or before its trigger;
//! so what is reported before the first undecided start is final.

use super::number::{Number, Touch, touch_before};
use super::window::{Window, is_spaced_word};
use super::{Detectors, Finding, Kinds, What, card, email, iban, order, parted, phone};
use crate::content::normalise::letter;
use crate::vocabulary::Entity;

impl Detectors {
    /// Appends, in order, every finding of the window that starts at or after `from` and before the first undecided candidate,
    /// and gives where that one starts; the window's end when there is none.
    pub(super) fn scan_window(
        &self,
        kinds: Kinds,
        window: &Window<'_>,
        from: usize,
        findings: &mut Vec<Finding>,
    ) -> usize {
        let kept = findings.len();
        let mut live = window.len();
        if kinds.entities != 0 {
            live = live.min(self.scan_entities(kinds, window, from, findings));
        }
        if kinds.words {
            let mut report = |list, start, end| findings.push(Finding { what: What::Word(list), start, end });
            live = live.min(self.words.find(window, from, &mut report).unwrap_or(live));
        }
        let mut index = kept;
        while let Some(finding) = findings.get(index) {
            if finding.start < live && finding.start >= from {
                index += 1;
            } else {
                findings.swap_remove(index);
            }
        }
        if let Some(fresh) = findings.get_mut(kept..) {
            fresh.sort_unstable_by_key(order);
        }
        live
    }

    fn scan_entities(
        &self,
        kinds: Kinds,
        window: &Window<'_>,
        from: usize,
        findings: &mut Vec<Finding>,
    ) -> usize {
        let mut live = if window.is_open() { live_tail(kinds, window) } else { window.len() };
        let mut index = from;
        while let Some(trigger) = next_trigger(window.bytes(), index) {
            let candidate = self.candidate_at(kinds, window, trigger);
            if let Some(start) = candidate {
                match window.decide(|window| self.judge(kinds, window, (start, trigger))) {
                    Some(finding) => findings.extend(finding),
                    None => live = live.min(start),
                }
            }
            index = trigger + 1;
            if window.bytes().get(trigger) != Some(&b'@') {
                let rest = window.bytes().get(index..).unwrap_or_default();
                index += rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            }
        }
        live
    }

    /// Where a candidate with that trigger would start; nothing where what stands before rules one out.
    fn candidate_at(&self, kinds: Kinds, window: &Window<'_>, trigger: usize) -> Option<usize> {
        if window.bytes().get(trigger) == Some(&b'@') {
            return kinds.has(Entity::Email).then(|| email::local_start(window, trigger));
        }
        match window.char_before(trigger) {
            Some(digit) if digit.is_ascii_digit() => None,
            Some(letter) if is_spaced_word(letter) => {
                let card = kinds.has(Entity::CreditDebitCardNumber);
                if !card && !kinds.has(Entity::InternationalBankAccountNumber) {
                    return None;
                }
                // An account is told apart from a card even where only cards are looked for.
                let account = iban::start_before(window, trigger);
                let account = account.or_else(|| lettered_start(window, trigger));
                account.or_else(|| card.then_some(trigger))
            }
            _ if kinds.has(Entity::CreditDebitCardNumber) || kinds.has(Entity::Phone) => {
                Some(phone::start_of_phone(window, trigger))
            }
            _ => None,
        }
    }

    fn judge(&self, kinds: Kinds, window: &Window<'_>, (start, trigger): (usize, usize)) -> Option<Finding> {
        let finding = |entity, start, end| Finding { what: What::Entity(entity), start, end };
        if window.bytes().get(trigger) == Some(&b'@') {
            return email::end_of_address(window, start, trigger)
                .map(|end| finding(Entity::Email, start, end));
        }
        if window.char_before(trigger).is_some_and(is_spaced_word) {
            // A card is no account, as below.
            if let Some(end) = (start < trigger).then(|| end_of_account(window, start)).flatten() {
                let wanted = kinds.has(Entity::InternationalBankAccountNumber);
                return wanted.then(|| finding(Entity::InternationalBankAccountNumber, start, end));
            }
            let in_groups = || {
                let named = window.before(trigger) == Some(b'_');
                named.then(|| parted::end_of_parted(window, trigger)).flatten()
            };
            let wanted = kinds.has(Entity::CreditDebitCardNumber);
            let end = card::end_of_glued(window, trigger).or_else(in_groups).filter(|_| wanted)?;
            return Some(finding(Entity::CreditDebitCardNumber, trigger, end));
        }
        let touch = touch_before(window, start);
        if matches!(touch, Touch::Part | Touch::Joined { by_space: false }) {
            return None;
        }
        let number = Number::read(window, trigger, touch);
        // A card is no telephone, whoever asks: what is found must not depend on what else is looked for.
        let card = card::end_of_card(window, &number).or_else(|| parted::end_of_parted(window, trigger));
        if let Some(end) = card {
            let wanted = kinds.has(Entity::CreditDebitCardNumber);
            return wanted.then(|| finding(Entity::CreditDebitCardNumber, trigger, end));
        }
        let phone = || phone::find_phone(window, &self.context, start, &number);
        let (start, end) = kinds.has(Entity::Phone).then(phone).flatten()?;
        Some(finding(Entity::Phone, start, end))
    }
}

/// Where an IBAN may start whose first digit is at `digit`, and whose first letter is written as that of an escape (`\fr76`).
fn lettered_start(window: &Window<'_>, digit: usize) -> Option<usize> {
    let [mark, second] = window.bytes().get(digit.checked_sub(2)?..digit)? else { return None };
    (letter(*mark).is_some() && second.is_ascii_alphabetic()).then_some(digit - 2)
}

/// The start of such letters at the window's end.
fn lettered_tail(window: &Window<'_>) -> Option<usize> {
    match window.bytes() {
        [.., mark] if letter(*mark).is_some() => Some(window.len() - 1),
        [.., mark, second] if letter(*mark).is_some() && second.is_ascii_alphabetic() => {
            Some(window.len() - 2)
        }
        _ => None,
    }
}

fn end_of_account(window: &Window<'_>, start: usize) -> Option<usize> {
    if window.bytes().get(start).copied().and_then(letter).is_none() {
        return iban::end_of_iban(window, start);
    }
    let end = window.lettered(start, |near, at| iban::end_of_iban(near, at).map(|end| end - at));
    end.map(|length| start + length)
}

/// Where a candidate may start whose trigger has not arrived.
fn live_tail(kinds: Kinds, window: &Window<'_>) -> usize {
    let mut live = window.len();
    if kinds.has(Entity::Email) {
        live = live.min(email::local_start(window, window.len()));
    }
    if kinds.has(Entity::Phone) {
        live = live.min(phone::live_tail(window).unwrap_or(live));
    }
    if kinds.has(Entity::InternationalBankAccountNumber) {
        live = live.min(iban::live_tail(window).unwrap_or(live));
        live = live.min(lettered_tail(window).unwrap_or(live));
    }
    live
}

/// The next digit or `@`. Text without either is passed over in blocks.
pub(super) fn next_trigger(bytes: &[u8], from: usize) -> Option<usize> {
    let is_trigger = |b: &u8| b.is_ascii_digit() || *b == b'@';
    let mut rest = bytes.get(from..)?;
    while let Some((block, tail)) = rest.split_first_chunk::<32>() {
        if block.iter().fold(false, |hit, b| hit | is_trigger(b)) {
            break;
        }
        rest = tail;
    }
    rest.iter().position(is_trigger).map(|at| bytes.len() - rest.len() + at)
}
