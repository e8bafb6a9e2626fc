//! Whether what came of a request has a price.
//!
//! Law: what is told neither in tokens nor in units that have a price is unpriced, never free; so is a picture that none of the prices is
//! of, whatever else is told. Absent on purpose: what it costs.

use std::sync::Arc;

use policy_engine::facts::{Price, Units};

use super::super::estimate::is_metered_otherwise;
use super::super::usage::Delivered;
use crate::record::Task;

/// What is billed of a request, and by which price.
pub(super) struct Billed {
    /// The units that were used.
    pub(super) units: Units,
    /// It is billed by units alone: nothing is told in tokens, and its kind is not written.
    pub(super) wordless: bool,
    /// It is so, and what it came to is not told in what has a price.
    pub(super) untold: bool,
    /// The price; `None`: it is unpriced.
    pub(super) price: Option<Arc<Price>>,
}

impl Billed {
    /// What is billed of a task, given what was delivered, whether tokens are told, what might be used at most, and the price in force.
    pub(super) fn of(
        task: Task,
        (delivered, told): (Delivered, bool),
        (most, price): (Units, Option<Arc<Price>>),
    ) -> Self {
        let units = delivered.of(most);
        let wordless = matches!(task, Task::Model(operation) if is_metered_otherwise(operation)) && !told;
        let price = price.filter(|price| !price.unpriced(&most));
        let prices = |price: &Arc<Price>| delivered.tells_sound(&most) && price.per_unit.prices(&units);
        let untold = wordless && !price.as_ref().is_some_and(prices);
        Self { units, wordless, untold, price: price.filter(|_| !untold) }
    }
}

#[cfg(test)]
mod tests {
    use policy_engine::facts::{Label, Picture, PicturePrice, PricePerMillion, PricePerUnit};
    use policy_engine::vocabulary::Operation;

    use super::*;

    fn price(per_unit: PricePerUnit) -> Option<Arc<Price>> {
        Some(Arc::new(Price {
            model: "m".parse().unwrap(),
            endpoint: None,
            valid_from: None,
            currency: "USD".parse().unwrap(),
            per_million: PricePerMillion::default(),
            per_unit,
            geos: vec![],
        }))
    }

    #[test]
    fn a_picture_of_no_priced_size_has_no_price_even_where_tokens_are_told() {
        let of = |size: &str| Picture { size: Label::new(size), quality: None };
        let pictures = vec![PicturePrice { of: of("1024x1024"), amount: 40 }];
        let per_unit = PricePerUnit { pictures, ..PricePerUnit::default() };
        for (size, told, priced) in [
            ("1024x1024", false, true),
            ("1024x1024", true, true),
            ("1536x1024", false, false),
            ("1536x1024", true, false),
        ] {
            let most = Units { requests: 1, pictures: 2, picture: of(size), ..Units::default() };
            let delivered = Delivered { pictures: 2, ..Delivered::default() };
            let task = Task::Model(Operation::Image);
            let billed = Billed::of(task, (delivered, told), (most, price(per_unit.clone())));
            assert_eq!(billed.price.is_some(), priced, "{size} {told}");
            assert_eq!(billed.untold, !priced && !told, "{size} {told}");
        }
    }

    #[test]
    fn sound_of_which_nothing_is_told_is_unpriced_though_the_request_has_an_amount() {
        let per_unit = PricePerUnit { request: Some(7), audio_second: Some(100), ..PricePerUnit::default() };
        let most = Units { requests: 1, audio_millis: 2000, ..Units::default() };
        for (audio_millis, untold) in [(0, true), (1500, false)] {
            let delivered = Delivered { audio_millis, ..Delivered::default() };
            let task = Task::Model(Operation::Transcribe);
            let billed = Billed::of(task, (delivered, false), (most, price(per_unit.clone())));
            assert_eq!((billed.untold, billed.price.is_none()), (untold, untold), "{audio_millis}");
        }
    }
}
