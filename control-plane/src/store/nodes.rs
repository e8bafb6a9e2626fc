//! What was last known of each node; nothing is decided by it, and it is no part of history.

use sqlx::{QueryBuilder, Row, Sqlite};

use super::audit::Event;
use super::{Store, StoreError, audit};

/// Rows of one statement.
const ROWS: usize = 1_000;

/// A node as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeRow {
    /// Where it runs.
    pub geo: String,
    /// Its name within the geo.
    pub name: String,
    /// The encoded `Node`.
    pub body: Vec<u8>,
    /// When it was last heard, in microseconds since the Unix epoch.
    pub last_seen_at: i64,
}

impl Store {
    /// Every node that is remembered.
    pub async fn nodes(&self) -> Result<Vec<NodeRow>, StoreError> {
        let rows =
            sqlx::query("SELECT geo, name, body, last_seen_at FROM node").fetch_all(&self.reader).await?;
        let row = |row: &sqlx::sqlite::SqliteRow| {
            Ok(NodeRow {
                geo: row.try_get("geo")?,
                name: row.try_get("name")?,
                body: row.try_get("body")?,
                last_seen_at: row.try_get("last_seen_at")?,
            })
        };
        rows.iter().map(row).collect()
    }

    /// Keeps what is known of nodes now, in place of what was.
    pub async fn keep_nodes(&self, nodes: &[NodeRow]) -> Result<(), StoreError> {
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        for rows in nodes.chunks(ROWS) {
            let mut insert = QueryBuilder::<Sqlite>::new("INSERT INTO node (geo, name, body, last_seen_at) ");
            insert.push_values(rows, |mut values, node| {
                values
                    .push_bind(node.geo.clone())
                    .push_bind(node.name.clone())
                    .push_bind(node.body.clone())
                    .push_bind(node.last_seen_at);
            });
            insert.push(
                " ON CONFLICT (geo, name) DO UPDATE \
                 SET body = excluded.body, last_seen_at = excluded.last_seen_at",
            );
            insert.build().execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Forgets one node, and notes by whom.
    pub async fn forget_node(&self, (geo, name): (&str, &str), event: &Event<'_>) -> Result<(), StoreError> {
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let delete = sqlx::query("DELETE FROM node WHERE geo = $1 AND name = $2").bind(geo).bind(name);
        delete.execute(&mut *tx).await?;
        audit::append(&mut tx, std::slice::from_ref(event)).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Forgets the nodes that were last heard before an instant, in microseconds since the Unix epoch.
    pub async fn forget_nodes(&self, before: i64) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM node WHERE last_seen_at < $1").bind(before).execute(&self.writer).await?;
        Ok(())
    }
}
