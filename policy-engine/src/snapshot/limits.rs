//! Limits, each under the narrowest part of its scope.
//!
//! Law: within one list limits ascend by id, so that it does not show in which order they came.

use std::sync::Arc;

use super::rows::LimitFilter;
use super::{HashedBy, LimitRow, Table};
use crate::facts::Map;
use crate::shards::Shards;
use crate::vocabulary::Id;

/// All limits, and where to look for them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Limits {
    pub(crate) rows: Table<LimitRow>,
    at: Map<Id, u32>,
    by_key: Shards<Box<str>, Vec<u32>>,
    by_principal: Shards<u32, Vec<u32>>,
    by_team: Arc<HashedBy<u32, Vec<u32>>>,
    by_tenant: Arc<HashedBy<u32, Vec<u32>>>,
    platform: Arc<Vec<u32>>,
}

impl Limits {
    /// The limits filed under any of these, ascending by id within each part.
    pub(crate) fn under<'s>(
        &'s self,
        key: Option<&str>,
        who: (u32, u32, u32),
    ) -> impl Iterator<Item = u32> + use<'s> {
        let (principal, team, tenant) = who;
        let parts = [
            key.and_then(|key| self.by_key.get(key)),
            self.by_principal.get(&principal),
            self.by_team.get(&team),
            self.by_tenant.get(&tenant),
            Some(&*self.platform),
        ];
        parts.into_iter().flatten().flatten().copied()
    }

    /// The limits of one key.
    pub(crate) fn of_key(&self, public_id: &str) -> impl Iterator<Item = &LimitRow> {
        let all = self.by_key.get(public_id).into_iter().flatten();
        all.filter_map(|at| self.rows.get(*at as usize))
    }

    /// Puts a limit where it is looked for, in the place of the one of that id.
    pub(crate) fn put(&mut self, row: LimitRow) {
        let held = self.at.get(&row.id).copied();
        if let Some(at) = held {
            self.unfile(at);
        }
        let id = row.id.clone();
        let at = self.rows.put(held, row);
        self.at.insert(id, at);
        self.file(at);
    }

    /// Takes a limit out; the last one gets its position.
    pub(crate) fn remove(&mut self, id: &Id) {
        let Some(at) = self.at.remove(id) else { return };
        let last = (self.rows.len() as u32).saturating_sub(1);
        self.unfile(at);
        if last != at {
            self.unfile(last);
        }
        self.rows.swap_remove(at as usize);
        if last != at {
            self.file(at);
            if let Some(moved) = self.rows.get(at as usize) {
                self.at.insert(moved.id.clone(), at);
            }
        }
    }

    fn file(&mut self, at: u32) {
        let Some(row) = self.rows.get(at as usize).cloned() else { return };
        let rows = &self.rows;
        let id = |at: &u32| rows.get(*at as usize).map(|row| &row.id);
        let add = |list: &mut Vec<u32>| {
            let place = list.partition_point(|other| id(other) < Some(&row.id));
            list.insert(place, at);
        };
        match &row.filter {
            LimitFilter { key: Some(key), .. } => self.by_key.entry(key.clone()).into_iter().for_each(add),
            LimitFilter { principal: Some(who), .. } => {
                self.by_principal.entry(*who).into_iter().for_each(add);
            }
            LimitFilter { team: Some(team), .. } => {
                add(Arc::make_mut(&mut self.by_team).entry(*team).or_default());
            }
            LimitFilter { tenant: Some(tenant), .. } => {
                add(Arc::make_mut(&mut self.by_tenant).entry(*tenant).or_default());
            }
            _ => add(Arc::make_mut(&mut self.platform)),
        }
    }

    fn unfile(&mut self, at: u32) {
        let Some(row) = self.rows.get(at as usize) else { return };
        let take = |list: &mut Vec<u32>| list.retain(|other| *other != at);
        match &row.filter {
            LimitFilter { key: Some(key), .. } => {
                let empty = self.by_key.get_mut(&**key).is_some_and(|list| {
                    take(list);
                    list.is_empty()
                });
                if empty {
                    self.by_key.remove(&**key);
                }
            }
            LimitFilter { principal: Some(who), .. } => {
                let empty = self.by_principal.get_mut(who).is_some_and(|list| {
                    take(list);
                    list.is_empty()
                });
                if empty {
                    self.by_principal.remove(who);
                }
            }
            LimitFilter { team: Some(team), .. } => {
                Arc::make_mut(&mut self.by_team).get_mut(team).into_iter().for_each(take);
            }
            LimitFilter { tenant: Some(tenant), .. } => {
                Arc::make_mut(&mut self.by_tenant).get_mut(tenant).into_iter().for_each(take);
            }
            _ => take(Arc::make_mut(&mut self.platform)),
        }
    }
}
