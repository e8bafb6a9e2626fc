//! Licences. Terms that have ended stay on file: history refers to them.

use crate::govern::governed;

governed!(Licence in licences {});
