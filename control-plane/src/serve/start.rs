//! Why a start failed, in words an operator can act on where the cause alone would not say what to do.

use crate::config::Config;
use crate::store::is_full;

/// The error of a start; one that a full disk caused says which directory has no room.
pub(super) fn told(error: anyhow::Error, config: &Config) -> anyhow::Error {
    if !is_full(error.as_ref()) {
        return error;
    }
    let (dir, store) = (config.own_dir(), config.store_path());
    let store = match store.starts_with(&dir) {
        true => String::new(),
        false => format!(" or of the store `{}`", store.display()),
    };
    error.context(format!(
        "no space left on the disk of `{}`{store}: make room there, or move all of it to a larger disk, and start again",
        dir.display()
    ))
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};

    use anyhow::Context as _;

    use super::*;

    #[test]
    fn case_24_a_start_without_room_says_so_and_where_and_one_for_another_cause_does_not() {
        let config = Config { state_dir: "/srv/chancery".into(), ..Config::default() };
        let of = |kind: ErrorKind| Err::<(), _>(Error::from(kind)).context("the key").unwrap_err();
        let said = |kind| format!("{:#}", told(of(kind), &config));
        let full = said(ErrorKind::StorageFull);
        assert!(full.starts_with("no space left on the disk of `/srv/chancery/control-plane`: "), "{full}");
        assert!(full.ends_with("the key: no storage space"), "{full}");
        assert_eq!(said(ErrorKind::PermissionDenied), "the key: permission denied");
        let store = crate::config::StoreConfig { path: Some("/data/store.db".into()) };
        let elsewhere = Config { store, ..config.clone() };
        let full = told(of(ErrorKind::StorageFull), &elsewhere).to_string();
        assert!(
            full.contains("`/srv/chancery/control-plane` or of the store `/data/store.db`: make room"),
            "{full}"
        );
    }
}
