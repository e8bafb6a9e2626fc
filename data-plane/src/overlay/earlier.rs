//! What an earlier epoch denied and this one does not know of.
//!
//! Law: a store that was restored from a backup has forgotten what was taken back and switched off since. Its new epoch brings its
//! policy back, and lifts nothing by that: what an earlier epoch denied is denied until a set of this one says as much of it. From then
//! on it is this epoch's, and whoever made it anew may lift it. Deliberately absent: telling an operator's mistake from a wish.

/// What became of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It holds.
    Now(Trace),
    /// It holds already.
    Known,
    /// What holds is newer, or of a later epoch.
    Older,
    /// It is for another geo.
    Elsewhere,
}

#[cfg(test)]
impl Taken {
    pub(crate) fn is_now(self) -> bool {
        matches!(self, Self::Now(_))
    }
}

/// What is to be kept beside a statement, so that a restart finds the same denials of earlier epochs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trace {
    /// What is kept already.
    AsItWas,
    /// The statement before it as well as itself: its epoch is new.
    Both,
    /// Itself: it says as much of some of them.
    This,
    /// Nothing: there are none any more.
    Nothing,
}

impl Trace {
    /// Of a statement that found so many denials of earlier epochs and left so many.
    pub(super) fn of(new_epoch: bool, (found, left): (usize, usize)) -> Self {
        match (new_epoch, left) {
            (false, 0) if found == 0 => Self::AsItWas,
            (_, 0) => Self::Nothing,
            (true, _) => Self::Both,
            (false, left) if left < found => Self::This,
            (false, _) => Self::AsItWas,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use policy_engine::vocabulary::Instant;
    use proto::sync::{Kill, KillSet, RevocationSet};

    use super::*;
    use crate::overlay::tests::{NOW, kept, kill, kills, overlay, revoked, verify};
    use crate::overlay::{Overlay, Said, Statements};

    /// Takes a statement over as one that came over the stream is: it is kept.
    fn killed(overlay: &Overlay, set: &KillSet) {
        let Taken::Now(trace) = overlay.kill(set) else { panic!("it is newer") };
        overlay.statements().keep(Said::Kills, &kept(set), trace).unwrap();
    }

    fn taken_back(overlay: &Overlay, set: &RevocationSet) {
        let Taken::Now(trace) = overlay.revoke(set) else { panic!("it is newer") };
        overlay.statements().keep(Said::Revocations, &kept(set), trace).unwrap();
    }

    /// The same node as it is and as a process after it finds it on the disk.
    fn before_and_after(home: &Path, now: &Overlay, check: impl Fn(&Overlay)) {
        check(now);
        let again = overlay(Statements::at(home));
        again.restore(verify);
        assert!(!again.is_unknown());
        check(&again);
    }

    fn held(overlay: &Overlay) -> Vec<String> {
        overlay.earlier(NOW).1.into_iter().map(|kill| kill.id).collect()
    }

    #[test]
    fn a_new_epoch_lifts_no_key_that_an_earlier_one_took_back() {
        let home = tempfile::tempdir().unwrap();
        let node = overlay(Statements::at(home.path()));
        taken_back(&node, &revoked((1, 9), 0, &["a", "b"]));
        // The copy that was restored knew of `a` alone, and had a lower seq.
        taken_back(&node, &revoked((2, 4), 0, &["a"]));
        before_and_after(home.path(), &node, |node| {
            assert!(node.revokes("a") && node.revokes("b") && !node.revokes("c"));
            assert_eq!((node.revocation_seq(), node.earlier(NOW).0), (4, 1));
            assert!(node.knows_revoked(2, 4) && !node.knows_revoked(2, 5) && node.knows_revoked(1, 99));
            assert!(node.knows_revoked(0, 4) && !node.knows_revoked(0, 5), "of a build that tells no epoch");
        });
        assert_eq!(node.revoke(&revoked((1, 12), 0, &[])), Taken::Older, "the epoch before never comes back");
        // Taken back anew, it is this epoch's; another epoch forgets nothing either.
        taken_back(&node, &revoked((2, 5), 0, &["a", "b"]));
        before_and_after(home.path(), &node, |node| assert_eq!(node.earlier(NOW).0, 0));
        assert!(!home.path().join("revocations-earlier").exists());
        taken_back(&node, &revoked((3, 0), 0, &[]));
        before_and_after(home.path(), &node, |node| {
            assert!(node.revokes("a") && node.revokes("b"));
            assert_eq!(node.earlier(NOW).0, 2);
        });
    }

    #[test]
    fn a_kill_of_an_earlier_epoch_holds_until_it_is_made_anew_and_lifted() {
        let home = tempfile::tempdir().unwrap();
        let node = overlay(Statements::at(home.path()));
        let [model, tenant] = [kill("model", "models/m", "drain"), kill("tenant", "tenants/acme", "deny")];
        killed(&node, &kills((1, 9), vec![model.clone(), tenant.clone()]));
        killed(&node, &kills((2, 3), vec![tenant.clone()]));
        before_and_after(home.path(), &node, |node| {
            assert_eq!((held(node), node.kills_active(NOW)), (vec!["no-model".to_owned()], 2));
        });
        // What this epoch knew of may be lifted; a restart does not bring it back.
        killed(&node, &kills((2, 4), vec![]));
        before_and_after(home.path(), &node, |node| assert_eq!(held(node), ["no-model"]));
        // Something weaker, shorter or else is not the same.
        let ends = Some(proto::convert::timestamp(Instant(NOW.0 + 5)));
        let others = [
            Kill { mode: "read_only".to_owned(), ..model.clone() },
            Kill { expires_at: ends, ..model.clone() },
            Kill { name: "models/other".to_owned(), ..model.clone() },
            Kill { id: "another".to_owned(), ..model.clone() },
        ];
        for (seq, other) in (5..).zip(others) {
            killed(&node, &kills((2, seq), vec![other]));
            before_and_after(home.path(), &node, |node| assert_eq!(held(node), ["no-model"]));
        }
        killed(&node, &kills((2, 10), vec![Kill { mode: "deny".to_owned(), ..model }]));
        before_and_after(home.path(), &node, |node| {
            assert_eq!((held(node).len(), node.kills_active(NOW)), (0, 1));
        });
        killed(&node, &kills((2, 11), vec![]));
        before_and_after(home.path(), &node, |node| assert_eq!(node.kills_active(NOW), 0));
        assert!(!home.path().join("kills-earlier").exists());
    }

    #[test]
    fn case_96_statements_that_met_a_full_disk_are_written_in_their_order() {
        let home = tempfile::tempdir().unwrap();
        let node = overlay(Statements::at(home.path()));
        killed(&node, &kills((1, 1), vec![]));
        // A directory where it is written first: it can't be, as on a disk that is full.
        let full = home.path().join("kills.new");
        std::fs::create_dir(&full).unwrap();
        let model = kill("model", "models/m", "deny");
        for set in
            [kills((1, 8), vec![]), kills((1, 9), vec![model]), kills((2, 3), vec![]), kills((2, 4), vec![])]
        {
            let Taken::Now(trace) = node.kill(&set) else { panic!("it is newer") };
            assert!(node.statements().keep(Said::Kills, &kept(&set), trace).is_err());
        }
        taken_back(&node, &revoked((1, 9), 0, &["a"]));
        assert!(node.statements().save().is_err() && !node.statements().are_saved());
        std::fs::remove_dir(&full).unwrap();
        node.statements().save().unwrap();
        assert!(node.statements().are_saved());
        before_and_after(home.path(), &node, |node| {
            assert_eq!((held(node), node.kill_seq()), (vec!["no-model".to_owned()], 4));
            assert!(node.revokes("a"));
        });
        // One that got as far as its first file is not written there twice.
        std::fs::create_dir(&full).unwrap();
        let Taken::Now(trace) = node.kill(&kills((3, 0), vec![])) else { panic!("it is newer") };
        assert!(node.statements().keep(Said::Kills, &kept(&kills((3, 0), vec![])), trace).is_err());
        let earlier = || std::fs::read(home.path().join("kills-earlier")).unwrap();
        let once = earlier();
        assert!(node.statements().save().is_err());
        std::fs::remove_dir(&full).unwrap();
        node.statements().save().unwrap();
        assert_eq!(earlier(), once);
        before_and_after(home.path(), &node, |node| assert_eq!((held(node).len(), node.kill_seq()), (1, 0)));
    }

    #[test]
    fn a_kill_of_an_earlier_epoch_ends_when_it_was_to_and_one_that_was_changed_is_not_taken_for_none() {
        let home = tempfile::tempdir().unwrap();
        let node = overlay(Statements::at(home.path()));
        let ends = Some(proto::convert::timestamp(Instant(NOW.0 + 5)));
        killed(&node, &kills((1, 9), vec![Kill { expires_at: ends, ..kill("everything", "", "deny") }]));
        killed(&node, &kills((2, 0), vec![]));
        before_and_after(home.path(), &node, |node| {
            assert_eq!((node.kills_active(NOW), node.kills_active(Instant(NOW.0 + 5))), (1, 0));
            assert!(node.earlier(Instant(NOW.0 + 5)).1.is_empty());
        });
        let path = home.path().join("kills-earlier");
        let whole = std::fs::read(&path).unwrap();
        let changed = [&whole[..whole.len() - 1], b"!!"].concat();
        for broken in [&whole[..whole.len() - 1], &changed[..], b"?"] {
            std::fs::write(&path, broken).unwrap();
            let again = overlay(Statements::at(home.path()));
            again.restore(verify);
            assert!(again.is_unknown(), "{broken:?}");
            assert_eq!(again.kill_seq(), 0, "so that it is sent again");
            assert!(again.kill(&kills((2, 0), vec![])).is_now() && !again.is_unknown());
        }
    }
}
