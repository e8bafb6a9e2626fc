//! Roles. Inheritance in circles is allowed and adds nothing.

use crate::govern::governed;

governed!(Role in roles {});
