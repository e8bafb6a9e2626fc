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

/// The texts that conditions name, each once. Grows while conditions compile; afterwards it is only asked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Interner {
    symbols: HashMap<Arc<str>, Symbol>,
    texts: Vec<Arc<str>>,
}

impl Interner {
    /// The symbol of a text, made if there is none yet. [`Symbol::UNSEEN`] after 4,294,967,295 texts.
    pub fn intern(&mut self, text: &str) -> Symbol {
        if let Some(symbol) = self.symbols.get(text) {
            return *symbol;
        }
        let Ok(next) = u32::try_from(self.texts.len()) else { return Symbol::UNSEEN };
        if next == u32::MAX {
            return Symbol::UNSEEN;
        }
        let shared: Arc<str> = Arc::from(text);
        self.texts.push(shared.clone());
        self.symbols.insert(shared, Symbol(next));
        Symbol(next)
    }

    /// The symbol of a text; [`Symbol::UNSEEN`] if no condition names it. Allocates nothing.
    pub fn symbol(&self, text: &str) -> Symbol {
        self.symbols.get(text).copied().unwrap_or(Symbol::UNSEEN)
    }

    /// The text of a symbol.
    pub fn text(&self, symbol: Symbol) -> Option<&str> {
        self.texts.get(symbol.0 as usize).map(|text| &**text)
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
