//! Grants, which become Casbin lines.

use crate::govern::governed;

governed!(Grant in grants {});
