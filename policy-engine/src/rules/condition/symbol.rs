//! Texts as numbers: two symbols of one interner are equal exactly when their texts are.

use std::collections::HashMap;
use std::sync::Arc;

/// A text of an [`Interner`]. Ordered by when it was first seen, which means nothing but lets sets be sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Symbol(u32);

impl Symbol {
    /// Some text that no condition names. It equals no symbol of the interner; whether it equals another unseen
    /// text is unknown.
    pub const UNSEEN: Symbol = Symbol(u32::MAX);
}

impl Default for Symbol {
    /// [`Symbol::UNSEEN`].
    fn default() -> Self {
        Self::UNSEEN
    }
}

/// The texts that conditions name, each once. Grows while conditions compile; afterwards it is only asked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Interner {
    symbols: Arc<HashMap<Arc<str>, Symbol>>,
    /// By symbol, with how often conditions name it.
    texts: Arc<Vec<(Arc<str>, u32)>>,
    /// Symbols whose texts nothing names any more.
    free: Vec<Symbol>,
}

impl Interner {
    /// The symbol of a text, made if there is none yet. [`Symbol::UNSEEN`] after 4,294,967,295 texts.
    pub fn intern(&mut self, text: &str) -> Symbol {
        let texts = Arc::make_mut(&mut self.texts);
        if let Some(symbol) = self.symbols.get(text) {
            texts.get_mut(symbol.0 as usize).into_iter().for_each(|(_, uses)| *uses += 1);
            return *symbol;
        }
        let shared: Arc<str> = Arc::from(text);
        let symbol = match self.free.pop() {
            Some(free) => free,
            None => match u32::try_from(texts.len()) {
                Err(_) | Ok(u32::MAX) => return Symbol::UNSEEN,
                Ok(next) => Symbol(next),
            },
        };
        match texts.get_mut(symbol.0 as usize) {
            Some(slot) => *slot = (shared.clone(), 1),
            None => texts.push((shared.clone(), 1)),
        }
        Arc::make_mut(&mut self.symbols).insert(shared, symbol);
        symbol
    }

    /// Forgets what a condition named, as the interner tells that it alone was lowered with; gives the texts that nothing names
    /// any more.
    pub(crate) fn release(&mut self, condition: &Interner) -> Vec<Arc<str>> {
        let mut gone = Vec::new();
        let texts = Arc::make_mut(&mut self.texts);
        for (text, count) in condition.named() {
            let Some(symbol) = self.symbols.get(text).copied() else { continue };
            let Some((held, uses)) = texts.get_mut(symbol.0 as usize) else { continue };
            *uses = uses.saturating_sub(count);
            if *uses == 0 {
                gone.push(std::mem::take(held));
                Arc::make_mut(&mut self.symbols).remove(text);
                self.free.push(symbol);
            }
        }
        gone
    }

    /// Every text that conditions name, with how often.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&str, u32)> {
        self.texts.iter().filter(|(_, uses)| *uses > 0).map(|(text, uses)| (&**text, *uses))
    }

    /// The symbol of a text that some condition names.
    pub(crate) fn find(&self, text: &str) -> Option<Symbol> {
        self.symbols.get(text).copied()
    }

    /// The symbol of a text; [`Symbol::UNSEEN`] if no condition names it. Allocates nothing.
    pub fn symbol(&self, text: &str) -> Symbol {
        self.symbols.get(text).copied().unwrap_or(Symbol::UNSEEN)
    }

    /// The text of a symbol.
    pub fn text(&self, symbol: Symbol) -> Option<&str> {
        self.texts.get(symbol.0 as usize).filter(|(_, uses)| *uses > 0).map(|(text, _)| &**text)
    }

    /// The symbols of a set of texts, sorted and each once, as [`super::Members::Known`] wants them. Texts that no
    /// condition names become one [`Symbol::UNSEEN`] at the end.
    pub fn members<'t>(&self, texts: impl IntoIterator<Item = &'t str>) -> Box<[Symbol]> {
        let mut symbols: Vec<Symbol> = texts.into_iter().map(|text| self.symbol(text)).collect();
        symbols.sort_unstable();
        symbols.dedup();
        symbols.into_boxed_slice()
    }
}
