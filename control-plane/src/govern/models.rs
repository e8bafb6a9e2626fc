//! Models with their routes and cards.

use crate::govern::governed;

governed!(Model in models {});
