//! What it costs, and how much of it there is.

use std::sync::Arc;

use super::units::{PricePerUnit, Units};
use super::{Geos, ModelGlob};
use crate::vocabulary::{Currency, Instant, Money, Name, OnStoreLoss, Period};

/// What a limit counts apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Each {
    /// One count for everybody in scope.
    Scope,
    /// One a tenant.
    Tenant,
    /// One a team.
    Team,
    /// One a principal.
    Principal,
    /// One a key.
    Key,
}

/// Whose requests a limit counts; every part that is given must fit.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LimitScope {
    /// A team of the limit's tenant.
    pub team: Option<Name>,
    /// A principal of the limit's tenant.
    pub principal: Option<Name>,
    /// A key's public id.
    pub key: Option<Name>,
    /// Models; `None` is all.
    pub model: Option<ModelGlob>,
    /// An endpoint.
    pub endpoint: Option<Name>,
    /// A provider.
    pub provider: Option<Name>,
    /// What is counted apart; `None` is one count for the whole scope.
    pub each: Option<Each>,
}

/// How much, in which unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// Requests in a window.
    Requests(u64, Period),
    /// Input and output tokens in a window.
    Tokens(u64, Period),
    /// Input tokens in a window.
    InputTokens(u64, Period),
    /// Output tokens in a window.
    OutputTokens(u64, Period),
    /// Money in a window.
    Spend(Money, Period),
    /// Requests in flight.
    Concurrent(u64),
    /// Distinct principals in a window.
    Seats(u64, Period),
}

/// A bound at some scope.
#[derive(Debug, Clone, PartialEq)]
pub struct Limit {
    /// Whose requests it counts.
    pub scope: LimitScope,
    /// How much.
    pub bound: Bound,
    /// What it does while its store can't be reached.
    pub on_store_loss: OnStoreLoss,
    /// The geos it holds in; empty is all.
    pub geos: Geos,
}

/// Prices of a million tokens, in nano-units of the price's currency; a class that is not given costs what `input` costs
/// (cached input) or what `output` costs (reasoning).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PricePerMillion {
    /// Input.
    pub input: i64,
    /// Input the vendor had cached.
    pub cached_input: Option<i64>,
    /// Output.
    pub output: i64,
    /// Reasoning the caller does not see.
    pub reasoning: Option<i64>,
}

/// What one request used, by token class and unit. `cached_input` is part of `input`, `reasoning` of `output`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Amounts {
    /// All input tokens.
    pub input: u64,
    /// Of them, served from the vendor's cache.
    pub cached_input: u64,
    /// All output tokens.
    pub output: u64,
    /// Of them, reasoning.
    pub reasoning: u64,
    /// What is billed otherwise.
    pub units: Units,
}

/// A dated price of a model, or of one endpoint of it. A tenant's price is for that tenant's requests alone; where the platform
/// prices the same, it counts as far as it is no lower ([`Price::no_lower`]).
#[derive(Debug, Clone, PartialEq)]
pub struct Price {
    /// The model.
    pub model: Name,
    /// Only at this endpoint; `None` is all.
    pub endpoint: Option<Name>,
    /// The first instant it holds at; the latest that has begun wins.
    pub valid_from: Option<Instant>,
    /// The currency.
    pub currency: Currency,
    /// The amounts of tokens.
    pub per_million: PricePerMillion,
    /// The amounts of what is billed otherwise.
    pub per_unit: PricePerUnit,
    /// The geos it holds in; empty is all.
    pub geos: Geos,
}

impl PricePerMillion {
    /// The greater amount of each class of tokens.
    #[must_use]
    pub fn greater(&self, other: &Self) -> Self {
        let cached = |p: &Self| p.cached_input.unwrap_or(p.input);
        let reasoning = |p: &Self| p.reasoning.unwrap_or(p.output);
        Self {
            input: self.input.max(other.input),
            cached_input: Some(cached(self).max(cached(other))),
            output: self.output.max(other.output),
            reasoning: Some(reasoning(self).max(reasoning(other))),
        }
    }

    /// Whether no token costs anything.
    fn is_nothing(&self) -> bool {
        self.greater(&Self::default()) == Self::default().greater(&Self::default())
    }

    /// Whether no class of tokens costs less than in `other`.
    fn covers(&self, other: &Self) -> bool {
        self.greater(other) == self.greater(self)
    }
}

impl Price {
    /// The price `own` of a tenant, in no class below the price `floor` of the platform for the same. Amounts in different
    /// currencies do not compare, and no spend limit can meet both; there `own` stands.
    pub fn no_lower(own: &Arc<Price>, floor: &Arc<Price>) -> Arc<Price> {
        let covers = |one: &Price, other: &Price| {
            one.per_million.covers(&other.per_million) && one.per_unit.covers(&other.per_unit)
        };
        if own.currency != floor.currency || covers(own, floor) {
            return own.clone();
        }
        if covers(floor, own) {
            return floor.clone();
        }
        Arc::new(Price {
            per_million: own.per_million.greater(&floor.per_million),
            per_unit: own.per_unit.greater(&floor.per_unit),
            ..(**own).clone()
        })
    }

    /// Whether some of these units have no amount, and are not paid for in tokens either: a picture that none of the prices is of, and what
    /// has no price of its kind where neither tokens cost anything but something else does.
    pub fn unpriced(&self, used: &Units) -> bool {
        let said = used.pictures > 0 && self.per_unit.has_pictures();
        (said || self.per_million.is_nothing()) && self.per_unit.unpriced(used)
    }

    /// What `used` costs, rounded up to a whole nano-unit once; saturates at what [`Money`] can hold.
    pub fn cost(&self, used: Amounts) -> Money {
        let p = &self.per_million;
        let cached = used.cached_input.min(used.input);
        let reasoning = used.reasoning.min(used.output);
        let lines = [
            (used.input - cached, p.input),
            (cached, p.cached_input.unwrap_or(p.input)),
            (used.output - reasoning, p.output),
            (reasoning, p.reasoning.unwrap_or(p.output)),
        ];
        let tokens: i128 = lines.iter().map(|(n, price)| i128::from(*n) * i128::from(*price)).sum();
        let total = tokens.saturating_add(self.per_unit.cost(&used.units));
        let nanos = total.div_euclid(1_000_000) + i128::from(total.rem_euclid(1_000_000) != 0);
        Money { currency: self.currency, nanos: i64::try_from(nanos).unwrap_or(i64::MAX) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::decimal_nanos;

    #[test]
    fn a_tenants_price_is_raised_class_by_class_to_the_platforms() {
        let price = |currency: &str, (input, cached_input, output, reasoning)| {
            let per_million = PricePerMillion { input, cached_input, output, reasoning };
            Arc::new(Price {
                model: "big".parse().unwrap(),
                endpoint: None,
                valid_from: None,
                currency: currency.parse().unwrap(),
                per_million,
                per_unit: PricePerUnit::default(),
                geos: vec![],
            })
        };
        let floor = price("USD", (10, Some(5), 40, None));
        for (own, raised) in [
            ((0, None, 0, None), (10, Some(5), 40, None)),
            ((10, Some(5), 40, Some(40)), (10, Some(5), 40, Some(40))),
            ((20, None, 50, None), (20, None, 50, None)),
            ((20, Some(0), 30, Some(60)), (20, Some(5), 40, Some(60))),
            ((10, None, 40, Some(0)), (10, Some(10), 40, Some(40))),
        ] {
            assert_eq!(Price::no_lower(&price("USD", own), &floor), price("USD", raised), "{own:?}");
        }
        let elsewhere = price("EUR", (1, None, 1, None));
        assert_eq!(Price::no_lower(&elsewhere, &floor), elsewhere);
    }

    #[test]
    fn what_tokens_may_pay_for_is_priced_but_no_picture_of_another_size() {
        use super::super::units::{Label, Picture, PicturePrice};
        let of = |input, per_unit| Price {
            model: "m".parse().unwrap(),
            endpoint: None,
            valid_from: None,
            currency: "USD".parse().unwrap(),
            per_million: PricePerMillion { input, ..PricePerMillion::default() },
            per_unit,
            geos: vec![],
        };
        let request = PricePerUnit { request: Some(7), ..PricePerUnit::default() };
        let small = Picture { size: Label::new("256x256"), quality: None };
        let pictures =
            PricePerUnit { pictures: vec![PicturePrice { of: small, amount: 4 }], ..PricePerUnit::default() };
        let spoken = Units { requests: 1, characters: 9, ..Units::default() };
        let picture = |picture| Units { requests: 1, pictures: 1, picture, ..Units::default() };
        assert!(of(0, request.clone()).unpriced(&spoken) && !of(1, request).unpriced(&spoken));
        assert!(!of(0, PricePerUnit::default()).unpriced(&spoken));
        for input in [0, 1] {
            let price = of(input, pictures.clone());
            assert!(
                price.unpriced(&picture(Picture::default())) && !price.unpriced(&picture(small)),
                "{input}"
            );
        }
    }

    #[test]
    fn a_cost_is_rounded_once_and_up() {
        let price = Price {
            model: "gpt-4o".parse().unwrap(),
            endpoint: None,
            valid_from: None,
            currency: "USD".parse().unwrap(),
            per_million: PricePerMillion {
                input: decimal_nanos("2.50").unwrap(),
                cached_input: Some(decimal_nanos("1.25").unwrap()),
                output: decimal_nanos("10.00").unwrap(),
                reasoning: None,
            },
            per_unit: PricePerUnit { request: Some(7), ..PricePerUnit::default() },
            geos: vec![],
        };
        let used = Amounts { input: 1000, cached_input: 400, output: 10, reasoning: 3, ..Amounts::default() };
        assert_eq!(price.cost(used).nanos, 600 * 2500 + 400 * 1250 + 10 * 10_000);
        let asked = Amounts { units: Units { requests: 1, ..Units::default() }, ..used };
        assert_eq!(price.cost(asked).nanos, price.cost(used).nanos + 7, "units are paid for beside tokens");
        let lying =
            Amounts { input: u64::MAX, cached_input: u64::MAX, output: u64::MAX, ..Amounts::default() };
        assert_eq!(price.cost(lying).nanos, i64::MAX);
    }
}
