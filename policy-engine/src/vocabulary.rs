//! The words every other file speaks: names, identities, regions' codes, money, tokens, and the closed vocabularies of the wire.
//!
//! Law: a value of one of these types has been validated; nothing downstream checks it again.
//! Absent on purpose: anything about one request, and any meaning of a region (that is `rules::geo`).

mod entity;
mod money;
mod name;
mod published;
mod span;
mod words;

pub use entity::Entity;
pub use money::{Currency, Money, MoneyError, decimal_nanos, decimal_text};
pub use name::{Id, Kind, Name, NameError};
pub use published::{is_published, is_published_of_responses};
pub use span::{Duration, Instant, Period, SpanError};
pub use words::{
    Action, Adapter, Effect, Ending, Layer, LicenceKind, MaskAction, Mode, Omission, OnStoreLoss, Operation,
    PrincipalType, RoutePolicy, Slot, StickyBy, StreamFraming, Transport, UnknownFields, UnknownWord,
};

/// A count of model tokens, as a vendor bills them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Tokens(pub u64);

/// Where a data plane runs, such as `eu`; also names the set of regions it serves (see `rules::geo`).
pub type Geo = Name;
