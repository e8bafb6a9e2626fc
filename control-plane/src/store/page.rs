//! A page of something ordered by a number, newest first.

/// Which page is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Only what is numbered below this; `None` begins with the newest.
    pub before: Option<i64>,
    /// Rows at most.
    pub size: i64,
}

impl Page {
    /// The bound as a number that every row is below where there is none.
    pub(super) fn bound(self) -> i64 {
        self.before.unwrap_or(i64::MAX)
    }
}
