//! What facts compile to, by the same `compile` that a node runs.
//!
//! Law: it costs what changed where what was before is known. Absent on purpose: what may be published, which `guard` says.

use std::sync::Arc;

use policy_engine::compile::compile;
use policy_engine::facts::Facts;
use policy_engine::snapshot::{CompiledSnapshot, Header};
use policy_engine::{Change as Changed, apply};

use super::plan::{Effect, Effects};
use crate::error::ChangeError;

/// Facts with the snapshot they compile to.
pub(super) struct Judged {
    pub(super) facts: Arc<Facts>,
    pub(super) compiled: Arc<CompiledSnapshot>,
}

/// The resources that become something else.
pub(super) fn changed(effects: &Effects) -> Vec<Changed> {
    let changed = effects.iter().filter(|(_, _, effect)| *effect != Effect::Unchanged);
    changed.map(|(kind, id, _)| Changed { kind: *kind, id: id.clone() }).collect()
}

/// Compiles facts off the runtime's own threads; where those before and the changes are known, for the cost of the changes.
pub(super) async fn judge(
    facts: Facts,
    revision: i64,
    before: Option<(Arc<CompiledSnapshot>, Vec<Changed>)>,
) -> Result<Judged, ChangeError> {
    let facts = Arc::new(facts);
    let header = Header { revision: u64::try_from(revision).unwrap_or_default(), geo: None };
    let task = tokio::task::spawn_blocking(move || {
        let compiled = match before {
            Some((before, changes)) => apply(&before, &facts, header, &changes),
            None => compile(&facts, header),
        };
        let compiled = compiled.map_err(ChangeError::Faults)?;
        Ok(Judged { facts, compiled: Arc::new(compiled) })
    });
    task.await.map_err(|_| ChangeError::Broken)?
}
