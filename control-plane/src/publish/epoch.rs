//! The next line of succession: for a store that was restored from a backup, or split.
//!
//! Law: it is a revision like any other, made in one transaction with its event, by somebody who says why; it changes no resource.
//! Nodes take what is of a later epoch whatever its revision, so what is in force here is theirs again, even if it is much less.
//! Deliberately absent: what the store has lost. Keys that were revoked and kills that were made since the backup are not in it.

use std::sync::Arc;

use super::{Act, Mode, Plan, Published, Publisher};
use crate::error::ChangeError;
use crate::govern::Gate;

impl Publisher {
    /// Begins a new epoch, and gives what is in force in it.
    pub async fn bump_epoch(&self, act: Act) -> Result<Arc<Published>, ChangeError> {
        let plan =
            |_: &Published, _: &Gate| Ok(Plan { begins_epoch: true, may_shrink: true, ..Plan::default() });
        Ok(self.publish(act, Mode::Commit, plan).await?.published)
    }
}

#[cfg(test)]
mod tests {
    use policy_engine::vocabulary::Kind;
    use prost::Message as _;
    use proto::admin::AuditEvent;

    use crate::publish::tests::{fixture, opened, tenant_named};
    use crate::publish::{Act, Publisher};
    use crate::store::{Head, Page};

    async fn bump(publisher: &Publisher) -> Head {
        let act = Act { reason: "restored from backup".to_owned(), ..Act::of_system("test/BumpEpoch") };
        publisher.bump_epoch(act).await.unwrap().head
    }

    #[tokio::test]
    async fn a_new_epoch_is_a_revision_with_the_same_content_and_one_event() {
        let fixture = fixture().await;
        let publisher = &fixture.publisher;
        tenant_named(publisher, "acme").await;
        let before = publisher.current();
        let mut watch = publisher.watch();
        assert_eq!(bump(publisher).await, Head { revision: 2, epoch: 2 });
        let now = watch.borrow_and_update().clone();
        assert_eq!((now.digest, &now.facts), (before.digest, &before.facts));
        assert_eq!((now.shrink_revision, now.compiled.header().revision), (2, 2));
        assert!(publisher.store().changes(2).await.unwrap().is_empty());
        let row = publisher.store().revisions(Page { before: None, size: 1 }).await.unwrap().remove(0);
        assert_eq!((row.revision, row.epoch, row.digest), (2, 2, before.digest));
        let logged = publisher.store().events(Page { before: None, size: 9 }).await.unwrap();
        let event = AuditEvent::decode(logged[0].body.as_slice()).unwrap();
        assert_eq!((logged.len(), event.revision, event.outcome.as_str()), (2, 2, "ok"));
        assert_eq!((event.reason.as_str(), event.changes.len()), ("restored from backup", 0));

        // What comes after is of the new epoch, and so is a store that is opened again; changes since are known.
        tenant_named(publisher, "other").await;
        assert_eq!(publisher.current().head, Head { revision: 3, epoch: 2 });
        assert_eq!(publisher.changes_since(1, 3).map(|changes| changes.len()), Some(1));
        assert_eq!(bump(publisher).await, Head { revision: 4, epoch: 3 });
        publisher.store().close().await;
        let again = opened(fixture.dir.path()).await.unwrap().current();
        assert_eq!(
            (again.head, again.registry.all(Kind::Tenant).count()),
            (Head { revision: 4, epoch: 3 }, 2)
        );
    }
}
