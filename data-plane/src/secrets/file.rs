//! Secrets in files of this node: whoever runs it may write them anew, as clouds do with the tokens of a machine's own identity.
//!
//! Law: only a regular file of a secret's size is read: a pipe or a device would hold back all policy.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

use zeroize::Zeroizing;

use super::asker::NotFetched;

/// The largest file that is a secret, in bytes.
const MOST_BYTES: u64 = 64 * 1024;

/// A file's text; may block.
pub(crate) fn read(path: &Path) -> Option<Zeroizing<String>> {
    let about = fs::metadata(path).ok()?;
    if !about.is_file() || about.len() > MOST_BYTES {
        return None;
    }
    let mut text = Zeroizing::new(String::new());
    File::open(path).ok()?.take(MOST_BYTES).read_to_string(&mut text).ok()?;
    Some(text)
}

/// The same, for who may not wait.
pub(super) async fn fetch(path: &str) -> Result<Zeroizing<String>, NotFetched> {
    let path = path.to_owned();
    let text = tokio::task::spawn_blocking(move || read(Path::new(&path))).await;
    text.ok().flatten().ok_or(NotFetched::Gone("there is no such file, or it is no secret"))
}
