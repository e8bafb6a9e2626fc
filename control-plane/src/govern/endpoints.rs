//! Endpoints: one callable deployment each.

use crate::govern::governed;

governed!(Endpoint in endpoints {});
