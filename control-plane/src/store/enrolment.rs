//! Tokens by which nodes get their certificates, and the nodes that were revoked.
//!
//! Law: a token is used in one transaction, for one key; of two that come at once one wins. Whatever is done here is done with
//! its audit event, or not at all. Absent on purpose: the secret of a token, of which there is only the SHA-256.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::{Digest, Event, Store, StoreError, audit, digest};

/// A token as stored. Times are microseconds since the Unix epoch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnrolmentRow {
    /// Its public id.
    pub id: String,
    /// SHA-256 of its secret.
    pub secret: Digest,
    /// Where its node runs.
    pub geo: String,
    /// Its node's name within the geo.
    pub node: String,
    /// From when on it is not good.
    pub expires_at: i64,
    /// The SHA-256 of the public key it was used for; `None`: it was not used.
    pub used_for: Option<Digest>,
    /// Its node was revoked since it was made.
    pub revoked: bool,
    /// Who made it; empty where that was not kept.
    pub made_by: String,
    /// When it was made.
    pub created_at: i64,
    /// When it was used first.
    pub used_at: Option<i64>,
    /// When it was taken back.
    pub withdrawn_at: Option<i64>,
}

/// What is read of a token.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, secret, geo, node, expires_at, used_for, revoked_at, made_by, created_at, used_at, withdrawn_at \
             FROM enrolment ",
            $rest
        )
    };
}

/// A node that was revoked once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevokedRow {
    /// Where it runs.
    pub geo: String,
    /// Its name within the geo.
    pub node: String,
    /// When, in microseconds since the Unix epoch; `None` once it has a new token.
    pub revoked_at: Option<i64>,
    /// Its certificates that begin before it are refused for good; seconds since the Unix epoch.
    pub valid_from: i64,
}

impl Store {
    /// Keeps a new token. Its node, where it was revoked, may be one again.
    pub async fn keep_enrolment(&self, token: &EnrolmentRow, event: &Event<'_>) -> Result<(), StoreError> {
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query(
            "INSERT INTO enrolment (id, secret, geo, node, created_at, expires_at, made_by) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(&token.id)
        .bind(token.secret.as_slice())
        .bind(&token.geo)
        .bind(&token.node)
        .bind(token.created_at)
        .bind(token.expires_at)
        .bind(&token.made_by)
        .execute(&mut *tx)
        .await?;
        sqlx::query("UPDATE node_identity SET revoked_at = NULL WHERE geo = $1 AND node = $2")
            .bind(&token.geo)
            .bind(&token.node)
            .execute(&mut *tx)
            .await?;
        audit::append(&mut tx, std::slice::from_ref(event)).await?;
        tx.commit().await?;
        Ok(())
    }

    /// A token by its public id.
    pub async fn enrolment(&self, id: &str) -> Result<Option<EnrolmentRow>, StoreError> {
        let row = sqlx::query(select!("WHERE id = $1")).bind(id).fetch_optional(&self.reader).await?;
        row.as_ref().map(enrolment).transpose()
    }

    /// Tokens that were made before a time and, of that time, whose id is lower; the newest first.
    pub async fn enrolments(
        &self,
        (time, id): (i64, &str),
        size: i64,
    ) -> Result<Vec<EnrolmentRow>, StoreError> {
        let rows = sqlx::query(select!(
            "WHERE (created_at, id) < ($1, $2) ORDER BY created_at DESC, id DESC LIMIT $3"
        ))
        .bind(time)
        .bind(id)
        .bind(size)
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(enrolment).collect()
    }

    /// Takes a token back that was not used; tells whether it was there to be taken.
    pub async fn withdraw_enrolment(
        &self,
        id: &str,
        now: i64,
        event: &Event<'_>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let withdrawn = sqlx::query(
            "UPDATE enrolment SET withdrawn_at = $1 \
             WHERE id = $2 AND used_at IS NULL AND withdrawn_at IS NULL AND revoked_at IS NULL RETURNING id",
        )
        .bind(now)
        .bind(id)
        .fetch_optional(&mut *tx)
        .await?;
        if withdrawn.is_some() {
            audit::append(&mut tx, std::slice::from_ref(event)).await?;
        }
        tx.commit().await?;
        Ok(withdrawn.is_some())
    }

    /// Uses a token for the key of this SHA-256; tells whether it was good. It is good once, and again for the same key.
    pub async fn use_enrolment(
        &self,
        token: &EnrolmentRow,
        (key, now): (&Digest, i64),
        event: &Event<'_>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let used = sqlx::query(
            "UPDATE enrolment SET used_at = COALESCE(used_at, $1), used_for = $2 \
             WHERE id = $3 AND secret = $4 AND (used_at IS NULL OR used_for = $2) \
             AND revoked_at IS NULL AND withdrawn_at IS NULL AND expires_at > $1 RETURNING id",
        )
        .bind(now)
        .bind(key.as_slice())
        .bind(&token.id)
        .bind(token.secret.as_slice())
        .fetch_optional(&mut *tx)
        .await?;
        if used.is_some() {
            audit::append(&mut tx, std::slice::from_ref(event)).await?;
        }
        tx.commit().await?;
        Ok(used.is_some())
    }

    /// Revokes a node: its tokens, and its certificates that begin before `valid_from`.
    pub async fn revoke_node(&self, revoked: &RevokedRow, event: &Event<'_>) -> Result<(), StoreError> {
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query(
            "INSERT INTO node_identity (geo, node, revoked_at, valid_from) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (geo, node) DO UPDATE SET revoked_at = excluded.revoked_at, \
             valid_from = MAX(valid_from, excluded.valid_from)",
        )
        .bind(&revoked.geo)
        .bind(&revoked.node)
        .bind(revoked.revoked_at)
        .bind(revoked.valid_from)
        .execute(&mut *tx)
        .await?;
        sqlx::query(
            "UPDATE enrolment SET revoked_at = $1 WHERE geo = $2 AND node = $3 AND revoked_at IS NULL",
        )
        .bind(revoked.revoked_at)
        .bind(&revoked.geo)
        .bind(&revoked.node)
        .execute(&mut *tx)
        .await?;
        audit::append(&mut tx, std::slice::from_ref(event)).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Every node that was revoked once.
    pub async fn revoked_nodes(&self) -> Result<Vec<RevokedRow>, StoreError> {
        let rows = sqlx::query("SELECT geo, node, revoked_at, valid_from FROM node_identity")
            .fetch_all(&self.reader)
            .await?;
        rows.iter().map(revoked).collect()
    }

    /// Forgets the tokens that have not been good since before an instant.
    pub async fn forget_enrolments(&self, before: i64) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM enrolment WHERE expires_at < $1").bind(before).execute(&self.writer).await?;
        Ok(())
    }
}

fn enrolment(row: &SqliteRow) -> Result<EnrolmentRow, StoreError> {
    let used_for: Option<Vec<u8>> = row.try_get("used_for")?;
    let revoked_at: Option<i64> = row.try_get("revoked_at")?;
    Ok(EnrolmentRow {
        id: row.try_get("id")?,
        secret: digest(row.try_get("secret")?)?,
        geo: row.try_get("geo")?,
        node: row.try_get("node")?,
        expires_at: row.try_get("expires_at")?,
        used_for: used_for.map(digest).transpose()?,
        revoked: revoked_at.is_some(),
        made_by: row.try_get("made_by")?,
        created_at: row.try_get("created_at")?,
        used_at: row.try_get("used_at")?,
        withdrawn_at: row.try_get("withdrawn_at")?,
    })
}

fn revoked(row: &SqliteRow) -> Result<RevokedRow, StoreError> {
    Ok(RevokedRow {
        geo: row.try_get("geo")?,
        node: row.try_get("node")?,
        revoked_at: row.try_get("revoked_at")?,
        valid_from: row.try_get("valid_from")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> Event<'static> {
        Event { created_at: 1, revision: 0, body: Box::new(|_| Vec::new()) }
    }

    fn token(id: &str) -> EnrolmentRow {
        let (geo, node) = ("eu".to_owned(), "a".to_owned());
        EnrolmentRow {
            id: id.into(),
            secret: [1; 32],
            geo,
            node,
            expires_at: 100,
            made_by: "platform/root".into(),
            created_at: 1,
            ..EnrolmentRow::default()
        }
    }

    async fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store.db")).await.unwrap();
        (dir, store)
    }

    #[tokio::test]
    async fn of_many_that_use_one_token_one_key_wins_and_may_ask_again() {
        let (_dir, store) = store().await;
        store.keep_enrolment(&token("t"), &event()).await.unwrap();
        let found = store.enrolment("t").await.unwrap().unwrap();
        assert_eq!(found, token("t"));
        let racers = (0..16_u8).map(|n| {
            let (store, found) = (store.clone(), found.clone());
            tokio::spawn(async move { store.use_enrolment(&found, (&[n; 32], 50), &event()).await.unwrap() })
        });
        let won: Vec<bool> =
            futures_util::future::join_all(racers).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(won.iter().filter(|won| **won).count(), 1, "{won:?}");
        let winner = u8::try_from(won.iter().position(|won| *won).unwrap()).unwrap();
        assert!(store.use_enrolment(&found, (&[winner; 32], 51), &event()).await.unwrap());
        assert!(!store.use_enrolment(&found, (&[99; 32], 51), &event()).await.unwrap());
        assert_eq!(store.enrolment("t").await.unwrap().unwrap().used_for, Some([winner; 32]));
        // One event for the token, and one each time it was used.
        assert_eq!(store.events(crate::store::Page { before: None, size: 9 }).await.unwrap().len(), 3);
    }

    #[tokio::test]
    async fn a_token_that_expired_or_whose_node_was_revoked_is_not_used() {
        let (_dir, store) = store().await;
        let (late, other) = (token("late"), EnrolmentRow { secret: [2; 32], ..token("late") });
        store.keep_enrolment(&late, &event()).await.unwrap();
        assert!(!store.use_enrolment(&late, (&[1; 32], 100), &event()).await.unwrap(), "at its very end");
        assert!(!store.use_enrolment(&other, (&[1; 32], 50), &event()).await.unwrap(), "another secret");
        let revoked = RevokedRow { geo: "eu".into(), node: "a".into(), revoked_at: Some(60), valid_from: 7 };
        store.revoke_node(&revoked, &event()).await.unwrap();
        assert!(!store.use_enrolment(&late, (&[1; 32], 50), &event()).await.unwrap());
        assert_eq!(store.revoked_nodes().await.unwrap(), std::slice::from_ref(&revoked));
        // A new token lets the node in again; what it had before stays refused, whatever the clock says later.
        store.keep_enrolment(&token("new"), &event()).await.unwrap();
        let again = RevokedRow { revoked_at: None, ..revoked.clone() };
        assert_eq!(store.revoked_nodes().await.unwrap(), [again]);
        assert!(!store.use_enrolment(&late, (&[1; 32], 70), &event()).await.unwrap());
        assert!(store.use_enrolment(&token("new"), (&[1; 32], 70), &event()).await.unwrap());
        store.revoke_node(&RevokedRow { valid_from: 3, ..revoked }, &event()).await.unwrap();
        assert_eq!(store.revoked_nodes().await.unwrap()[0].valid_from, 7);
        store.forget_enrolments(101).await.unwrap();
        assert_eq!(store.enrolment("new").await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_token_is_listed_and_taken_back_once_while_it_is_unused() {
        let (_dir, store) = store().await;
        for (id, created_at) in [("a", 1), ("b", 3), ("c", 3)] {
            store.keep_enrolment(&EnrolmentRow { created_at, ..token(id) }, &event()).await.unwrap();
        }
        let ids = async |place: (i64, &str), size| {
            let found = store.enrolments(place, size).await.unwrap();
            found.into_iter().map(|row| (row.id, row.made_by)).collect::<Vec<_>>()
        };
        let made = |id: &str| (id.to_owned(), "platform/root".to_owned());
        assert_eq!(ids((i64::MAX, ""), 2).await, [made("c"), made("b")]);
        assert_eq!(ids((3, "b"), 2).await, [made("a")]);
        let logged =
            async || store.events(crate::store::Page { before: None, size: 99 }).await.unwrap().len();
        let before = logged().await;
        assert!(store.withdraw_enrolment("a", 7, &event()).await.unwrap());
        assert!(!store.withdraw_enrolment("a", 8, &event()).await.unwrap());
        assert!(!store.withdraw_enrolment("nobody's", 8, &event()).await.unwrap());
        let found = store.enrolment("a").await.unwrap().unwrap();
        assert_eq!(found.withdrawn_at, Some(7));
        assert!(!store.use_enrolment(&found, (&[1; 32], 8), &event()).await.unwrap());
        let used = store.enrolment("b").await.unwrap().unwrap();
        assert!(store.use_enrolment(&used, (&[1; 32], 8), &event()).await.unwrap());
        assert!(!store.withdraw_enrolment("b", 9, &event()).await.unwrap());
        assert_eq!(store.enrolment("b").await.unwrap().unwrap().used_at, Some(8));
        assert_eq!(logged().await - before, 2, "one withdrawal and one use");
    }
}
