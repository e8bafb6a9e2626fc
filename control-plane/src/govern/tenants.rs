//! Organisations. Their names are the first part of everything that is theirs; one is only removed when nothing is left in it.

use crate::govern::governed;

governed!(Tenant in tenants {});
