//! What a failure of the store is to an operator: a lock that somebody else holds, or a disk with no room.
//!
//! Law: told by SQLite's own result codes (<https://www.sqlite.org/rescode.html>) and the system's, anywhere in the chain of causes,
//! never by words. Absent on purpose: what to do about it, which who opens or writes the store says.

use std::error::Error;
use std::io::ErrorKind;

/// SQLite's primary result codes: the low byte of the extended ones.
const BUSY: u32 = 5;
const LOCKED: u32 = 6;
const FULL: u32 = 13;

/// The extended code of a file beside the store, `-shm`, that could not be made as large as it must be: what is first missed on a disk
/// that is full before the store is opened.
const SHM_SIZE: u32 = 4874;

/// Whether another process, or another connection, has what is needed.
pub(super) fn is_locked(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(|cause| matches!(code(cause).map(primary), Some(BUSY | LOCKED)))
}

/// Whether there was no room on the disk, or in the quota of it.
pub(crate) fn is_full(error: &(dyn Error + 'static)) -> bool {
    let is_full = |kind| matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
    let by_code = |code: u32| primary(code) == FULL || code == SHM_SIZE;
    causes(error).any(|cause| code(cause).is_some_and(by_code) || io(cause).is_some_and(is_full))
}

fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'e (dyn Error + 'static)| (*error).source())
}

fn code(cause: &(dyn Error + 'static)) -> Option<u32> {
    cause.downcast_ref::<sqlx::Error>()?.as_database_error()?.code()?.parse().ok()
}

fn primary(code: u32) -> u32 {
    code & 0xff
}

fn io(cause: &(dyn Error + 'static)) -> Option<ErrorKind> {
    match cause.downcast_ref::<sqlx::Error>() {
        Some(sqlx::Error::Io(error)) => Some(error.kind()),
        _ => cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind),
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::fmt;

    use super::*;
    use crate::store::StoreError;

    /// What SQLite answers, by its code.
    #[derive(Debug)]
    struct Answer(u32);

    impl fmt::Display for Answer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("it did not work")
        }
    }

    impl Error for Answer {}

    impl sqlx::error::DatabaseError for Answer {
        fn message(&self) -> &str {
            "it did not work"
        }

        fn code(&self) -> Option<Cow<'_, str>> {
            Some(self.0.to_string().into())
        }

        fn as_error(&self) -> &(dyn Error + Send + Sync + 'static) {
            self
        }

        fn as_error_mut(&mut self) -> &mut (dyn Error + Send + Sync + 'static) {
            self
        }

        fn into_error(self: Box<Self>) -> Box<dyn Error + Send + Sync + 'static> {
            self
        }

        fn kind(&self) -> sqlx::error::ErrorKind {
            sqlx::error::ErrorKind::Other
        }
    }

    #[test]
    fn case_24_every_code_of_a_full_disk_and_of_a_lock_is_known_and_no_other() {
        // SQLITE_IOERR, _SHMSIZE and _WRITE of it; SQLITE_BUSY_RECOVERY and _SNAPSHOT; SQLITE_CORRUPT.
        for (answer, told) in [
            (13, (true, false)),
            (4874, (true, false)),
            (10, (false, false)),
            (778, (false, false)),
            (5, (false, true)),
            (261, (false, true)),
            (517, (false, true)),
            (6, (false, true)),
            (11, (false, false)),
        ] {
            let error = StoreError::from(sqlx::Error::Database(Box::new(Answer(answer))));
            assert_eq!((is_full(&error), is_locked(&error)), told, "{answer}");
        }
    }
}
