//! How much the policy of each geo held at most, as a node that missed steps may still have it.

use policy_engine::Sizes;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::{Store, StoreError};

/// The most a geo's policy held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeakRow {
    /// The geo.
    pub geo: String,
    /// How much.
    pub sizes: Sizes,
}

impl Store {
    /// Those of every geo that ever had a node.
    pub async fn peaks(&self) -> Result<Vec<PeakRow>, StoreError> {
        let rows =
            sqlx::query("SELECT geo, keys, models, grants, rules, resources FROM scope_peak ORDER BY geo")
                .fetch_all(&self.reader)
                .await?;
        let size = |row: &SqliteRow, column: &str| {
            Ok::<_, sqlx::Error>(usize::try_from(row.try_get::<i64, _>(column)?).unwrap_or_default())
        };
        let read = |row: &SqliteRow| {
            let sizes = Sizes {
                keys: size(row, "keys")?,
                models: size(row, "models")?,
                grants: size(row, "grants")?,
                rules: size(row, "rules")?,
                all: size(row, "resources")?,
            };
            Ok(PeakRow { geo: row.try_get("geo")?, sizes })
        };
        rows.iter().map(read).collect()
    }

    /// Keeps that of a geo.
    pub async fn keep_peak(&self, peak: &PeakRow) -> Result<(), StoreError> {
        let mut connection = self.writer.acquire().await?;
        put(&mut connection, peak).await
    }
}

pub(super) async fn put(tx: &mut SqliteConnection, peak: &PeakRow) -> Result<(), StoreError> {
    let Sizes { keys, models, grants, rules, all } = peak.sizes;
    let column = |size: usize| i64::try_from(size).unwrap_or(i64::MAX);
    sqlx::query(
        "INSERT INTO scope_peak (geo, keys, models, grants, rules, resources) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (geo) DO UPDATE SET keys = $2, models = $3, grants = $4, rules = $5, resources = $6",
    )
    .bind(&peak.geo)
    .bind(column(keys))
    .bind(column(models))
    .bind(column(grants))
    .bind(column(rules))
    .bind(column(all))
    .execute(tx)
    .await?;
    Ok(())
}
