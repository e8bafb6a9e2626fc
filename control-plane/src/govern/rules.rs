//! Compliance rules. Their conditions are checked where they are compiled.

use crate::govern::governed;

governed!(Rule in rules {});
