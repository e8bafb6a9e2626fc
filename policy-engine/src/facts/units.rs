//! What is billed by requests, pictures, seconds and characters, beside tokens.
//!
//! Law: a unit without an amount is unpriced, never free. Of a picture's prices the one that says most of it holds: size and quality,
//! size, quality, neither. Absent on purpose: counting.

/// A short word of a vendor's, such as a picture's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label([u8; Self::MOST]);

/// How a picture is asked for; `None`: it is not said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Picture {
    /// Its size, such as `1024x1024`.
    pub size: Option<Label>,
    /// Its quality, such as `hd`.
    pub quality: Option<Label>,
}

/// What a picture costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PicturePrice {
    /// Which pictures; what is not said is any.
    pub of: Picture,
    /// The amount, in nano-units.
    pub amount: i64,
}

/// Prices of units, in nano-units of the price's currency.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PricePerUnit {
    /// Of a request, whatever it holds.
    pub request: Option<i64>,
    /// Of a picture that is made or changed.
    pub pictures: Vec<PicturePrice>,
    /// Of a second of sound that is written down.
    pub audio_second: Option<i64>,
    /// Of a character that is spoken.
    pub character: Option<i64>,
}

/// What one request used, by unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Units {
    /// Requests: one, or none where nothing was asked.
    pub requests: u64,
    /// Pictures.
    pub pictures: u64,
    /// Of which kind they are.
    pub picture: Picture,
    /// Milliseconds of sound that was written down.
    pub audio_millis: u64,
    /// Characters that were spoken.
    pub characters: u64,
}

impl Label {
    /// The most bytes of one.
    pub const MOST: usize = 16;

    /// A word of 1 to 16 visible ASCII characters; `None`: it is none.
    pub fn new(text: &str) -> Option<Self> {
        let fits = (1..=Self::MOST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| {
            let mut label = [0; Self::MOST];
            label.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
            Self(label)
        })
    }

    /// The word.
    pub fn as_str(&self) -> &str {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(Self::MOST);
        self.0.get(..end).and_then(|word| std::str::from_utf8(word).ok()).unwrap_or_default()
    }
}

impl PricePerUnit {
    /// Whether there is no price of any unit.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What a picture costs; `None` is unpriced.
    pub fn picture(&self, asked: Picture) -> Option<i64> {
        let holds = |price: &&PicturePrice| {
            let Picture { size, quality } = price.of;
            (size.is_none() || size == asked.size) && (quality.is_none() || quality == asked.quality)
        };
        let says = |price: &&PicturePrice| (price.of.size.is_some(), price.of.quality.is_some());
        self.pictures.iter().filter(holds).max_by_key(says).map(|price| price.amount)
    }

    /// Whether what was used of units is priced: the request, or what else there is of them.
    pub fn prices(&self, used: &Units) -> bool {
        self.request.is_some()
            || used.pictures > 0 && self.picture(used.picture).is_some()
            || used.audio_millis > 0 && self.audio_second.is_some()
            || used.characters > 0 && self.character.is_some()
    }

    /// What units cost, in millionths of a nano-unit.
    pub(super) fn cost(&self, used: &Units) -> i128 {
        let lines = [
            (used.requests, self.request, 1_000_000),
            (used.pictures, self.picture(used.picture), 1_000_000),
            (used.audio_millis, self.audio_second, 1000),
            (used.characters, self.character, 1_000_000),
        ];
        let each = lines.iter().map(|(count, amount, times)| {
            i128::from(*count).saturating_mul(i128::from(amount.unwrap_or(0))).saturating_mul(*times)
        });
        each.fold(0, i128::saturating_add)
    }

    /// The greater amount of each unit.
    #[must_use]
    pub fn greater(&self, other: &Self) -> Self {
        let all = || self.pictures.iter().chain(&other.pictures).map(|price| price.of);
        let (mut sizes, mut qualities) = (vec![None], vec![None]);
        sizes.extend(all().map(|of| of.size));
        qualities.extend(all().map(|of| of.quality));
        for words in [&mut sizes, &mut qualities] {
            words.sort_unstable();
            words.dedup();
        }
        // Each pair, for of two prices that say different things of a picture neither is the other's.
        let pairs = sizes.iter().flat_map(|size| qualities.iter().map(|quality| (*size, *quality)));
        let pictures = pairs.filter_map(|(size, quality)| {
            let of = Picture { size, quality };
            Some(PicturePrice { of, amount: self.picture(of).max(other.picture(of))? })
        });
        Self {
            request: self.request.max(other.request),
            pictures: pictures.collect(),
            audio_second: self.audio_second.max(other.audio_second),
            character: self.character.max(other.character),
        }
    }

    /// Whether no unit costs less than in `other`.
    pub(super) fn covers(&self, other: &Self) -> bool {
        other.is_empty() || self.greater(other) == self.greater(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(text: &str) -> Option<Label> {
        (!text.is_empty()).then(|| Label::new(text).unwrap())
    }

    fn of(size: &str, quality: &str) -> Picture {
        Picture { size: label(size), quality: label(quality) }
    }

    fn prices(of_each: &[(&str, &str, i64)]) -> PricePerUnit {
        let each = of_each.iter();
        let pictures =
            each.map(|(size, quality, amount)| PicturePrice { of: of(size, quality), amount: *amount });
        PricePerUnit { pictures: pictures.collect(), ..PricePerUnit::default() }
    }

    #[test]
    fn the_price_that_says_most_of_a_picture_holds() {
        let prices = prices(&[("", "", 1), ("big", "", 3), ("", "hd", 2), ("big", "hd", 4)]);
        for (size, quality, amount) in [
            ("", "", 1),
            ("small", "", 1),
            ("small", "hd", 2),
            ("big", "", 3),
            ("big", "low", 3),
            ("big", "hd", 4),
        ] {
            assert_eq!(prices.picture(of(size, quality)), Some(amount), "{size} {quality}");
        }
        let only = super::tests::prices(&[("big", "", 3)]);
        assert_eq!((only.picture(of("big", "hd")), only.picture(of("small", "hd"))), (Some(3), None));
    }

    #[test]
    fn the_greater_of_two_is_no_lower_for_any_picture() {
        let (one, other) =
            (prices(&[("", "", 1), ("big", "", 5)]), prices(&[("", "hd", 7), ("small", "hd", 2)]));
        let greater = one.greater(&other);
        for size in ["", "big", "small", "odd"] {
            for quality in ["", "hd", "odd"] {
                let asked = of(size, quality);
                assert_eq!(
                    greater.picture(asked),
                    one.picture(asked).max(other.picture(asked)),
                    "{size} {quality}"
                );
            }
        }
        assert!(greater.covers(&one) && greater.covers(&other) && !one.covers(&other));
        assert!(PricePerUnit::default().covers(&PricePerUnit::default()));
        let asked = PricePerUnit { request: Some(0), ..PricePerUnit::default() };
        assert!(!PricePerUnit::default().covers(&asked), "what is not priced is not free");
    }

    #[test]
    fn a_word_is_short_and_reads_back() {
        for good in ["a", "1024x1024", "sixteen-letters!"] {
            assert_eq!(Label::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "seventeen-letters", "a b", "é"] {
            assert_eq!(Label::new(bad), None, "{bad}");
        }
    }

    #[test]
    fn units_cost_what_they_cost_and_without_an_amount_nothing_is_priced() {
        let prices = PricePerUnit { audio_second: Some(100_000), ..prices(&[("", "", 40_000_000)]) };
        let used = Units { requests: 1, pictures: 2, audio_millis: 1500, ..Units::default() };
        assert_eq!(prices.cost(&used), (80_000_000 + 150_000) * 1_000_000);
        assert!(
            prices.prices(&used) && !prices.prices(&Units { requests: 1, characters: 9, ..Units::default() })
        );
        let most = PricePerUnit { character: Some(i64::MAX), ..PricePerUnit::default() };
        assert!(most.cost(&Units { characters: u64::MAX, ..Units::default() }) > i128::from(i64::MAX));
    }
}
