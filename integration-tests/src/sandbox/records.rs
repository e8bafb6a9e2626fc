//! What a data plane wrote down.

use std::path::Path;

use anyhow::Result;
use serde_json::Value;

/// Every whole record of an outbox, in the order it was written; none where there is no outbox yet.
pub fn read(outbox: &Path) -> Result<Vec<Value>> {
    let Ok(entries) = std::fs::read_dir(outbox) else { return Ok(Vec::new()) };
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    files.sort();
    let mut records = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(file)?;
        let whole = text.rfind('\n').map_or("", |end| text.get(..end).unwrap_or_default());
        for line in whole.lines() {
            records.push(serde_json::from_str(line)?);
        }
    }
    Ok(records)
}
