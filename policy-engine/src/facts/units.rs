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
    /// Of a request, beside what it holds.
    pub request: Option<i64>,
    /// Of a picture that is made or changed.
    pub pictures: Vec<PicturePrice>,
    /// Another's prices of pictures, below which none of these counts ([`Self::greater`]); no price is declared with any.
    pub floor: Vec<PicturePrice>,
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
        of_these(&self.pictures, asked).max(of_these(&self.floor, asked))
    }

    /// Whether units are priced, and some of what was used has no amount: a picture that none of the prices is of, and seconds or
    /// characters where only something else is priced. The amount of a request stands for none of them.
    pub fn unpriced(&self, used: &Units) -> bool {
        let picture = used.pictures > 0 && self.picture(used.picture).is_none();
        let second = used.audio_millis > 0 && self.audio_second.is_none();
        let character = used.characters > 0 && self.character.is_none();
        !self.is_empty() && (picture || second || character)
    }

    /// Whether all that was used of units is priced: what there is of them, or the request where there is nothing else.
    pub fn prices(&self, used: &Units) -> bool {
        let some = used.pictures > 0 || used.audio_millis > 0 || used.characters > 0;
        !self.is_empty() && (some || self.request.is_some()) && !self.unpriced(used)
    }

    /// Whether there is a price of any picture.
    pub(super) fn has_pictures(&self) -> bool {
        !self.pictures.is_empty() || !self.floor.is_empty()
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

    /// The greater amount of each unit: of every picture the greater of what it costs here and there. In the time that both lists take to be
    /// copied, for each decision may ask it; pair by pair there would be as many prices as sizes times qualities.
    #[must_use]
    pub fn greater(&self, other: &Self) -> Self {
        Self {
            request: self.request.max(other.request),
            pictures: self.pictures.clone(),
            floor: other.pictures.clone(),
            audio_second: self.audio_second.max(other.audio_second),
            character: self.character.max(other.character),
        }
    }

    /// Whether no unit costs less than in `other`, as far as that is seen at a glance: of pictures where the other has no prices or the same.
    pub(super) fn covers(&self, other: &Self) -> bool {
        self.request >= other.request
            && self.audio_second >= other.audio_second
            && self.character >= other.character
            && (other.pictures.is_empty() || self.pictures == other.pictures)
    }
}

/// What a picture costs by these prices: the one that says most of it holds.
fn of_these(prices: &[PicturePrice], asked: Picture) -> Option<i64> {
    let holds = |price: &&PicturePrice| {
        let Picture { size, quality } = price.of;
        (size.is_none() || size == asked.size) && (quality.is_none() || quality == asked.quality)
    };
    let says = |price: &&PicturePrice| (price.of.size.is_some(), price.of.quality.is_some());
    prices.iter().filter(holds).max_by_key(says).map(|price| price.amount)
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
        assert!(greater.covers(&one) && one.covers(&one) && !one.covers(&other));
        assert!(one.covers(&PricePerUnit::default()) && !PricePerUnit::default().covers(&one));
        assert!(PricePerUnit::default().covers(&PricePerUnit::default()));
        let asked = PricePerUnit { request: Some(0), ..PricePerUnit::default() };
        assert!(!PricePerUnit::default().covers(&asked), "what is not priced is not free");
    }

    #[test]
    fn the_greater_of_two_has_no_more_prices_than_both() {
        let (sizes, qualities): (Vec<_>, Vec<_>) =
            (0..64).map(|at| (format!("{at}x{at}"), format!("q{at}"))).unzip();
        let one: Vec<_> = sizes.iter().map(|size| (size.as_str(), "", 2)).collect();
        let other: Vec<_> = qualities.iter().map(|quality| ("", quality.as_str(), 3)).collect();
        let greater = prices(&one).greater(&prices(&other));
        assert_eq!(greater.pictures.len() + greater.floor.len(), 128);
        assert_eq!(greater.picture(of("7x7", "q9")), Some(3));
        assert_eq!(greater.picture(of("7x7", "odd")), Some(2));
    }

    #[test]
    fn a_unit_without_an_amount_is_unpriced_where_another_has_one() {
        let pictures =
            |size: &str| Units { requests: 1, pictures: 10, picture: of(size, ""), ..Units::default() };
        let sound = Units { requests: 1, audio_millis: 1, ..Units::default() };
        let spoken = Units { requests: 1, characters: 1, ..Units::default() };
        let chat = Units { requests: 1, ..Units::default() };
        let of_one_size = prices(&[("1024x1024", "", 4)]);
        let of_a_request = PricePerUnit { request: Some(7), ..PricePerUnit::default() };
        for (price, used, unpriced, priced) in [
            (&of_one_size, pictures("1024x1024"), false, true),
            (&of_one_size, pictures("1536x1024"), true, false),
            (&of_one_size, pictures(""), true, false),
            (&of_one_size, sound, true, false),
            (&of_one_size, spoken, true, false),
            (&of_one_size, chat, false, false),
            (&of_a_request, chat, false, true),
            (&of_a_request, sound, true, false),
            (&of_a_request, pictures(""), true, false),
            (&PricePerUnit::default(), pictures(""), false, false),
        ] {
            assert_eq!(
                (price.unpriced(&used), price.prices(&used)),
                (unpriced, priced),
                "{price:?} {used:?}"
            );
        }
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
