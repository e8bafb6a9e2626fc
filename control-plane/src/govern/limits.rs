//! Limits on requests, tokens, money, concurrency and seats.

use crate::govern::governed;

governed!(Limit in limits {});
