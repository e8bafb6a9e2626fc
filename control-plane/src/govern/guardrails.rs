//! Guardrails: checks of content with an action for each.

use crate::govern::governed;

governed!(Guardrail in guardrails {});
