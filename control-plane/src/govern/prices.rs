//! Dated prices. A new price is a new resource; the latest one begun is in force.

use crate::govern::governed;

governed!(Price in prices {});
