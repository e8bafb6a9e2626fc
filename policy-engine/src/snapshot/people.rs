//! Tenants, teams and principals, by position and by name.
//!
//! Law: a position is somebody's for as long as they are there; one that is left is the next newcomer's.

use std::collections::HashMap;
use std::sync::Arc;

use super::{PrincipalRow, Table, TeamRow, TenantRow};
use crate::shards::Shards;
use crate::vocabulary::Name;

/// The people's tables.
#[derive(Debug, Clone, Default)]
pub(crate) struct People {
    pub(crate) tenants: Table<TenantRow>,
    pub(crate) teams: Table<TeamRow>,
    pub(crate) principals: Table<PrincipalRow>,
    pub(crate) tenant_at: Arc<HashMap<Name, u32>>,
    pub(crate) team_at: Shards<(u32, Name), u32>,
    pub(crate) principal_at: Shards<(u32, Name), u32>,
    pub(crate) vacant_teams: Vec<u32>,
    pub(crate) vacant_principals: Vec<u32>,
}

impl People {
    /// A tenant's position.
    pub(crate) fn tenant(&self, name: &Name) -> Option<u32> {
        self.tenant_at.get(name).copied()
    }

    /// A team's position.
    pub(crate) fn team(&self, tenant: Option<u32>, name: &Name) -> Option<u32> {
        self.team_at.get(&(tenant?, name.clone())).copied()
    }

    /// A principal's position.
    pub(crate) fn principal(&self, tenant: Option<u32>, name: &Name) -> Option<u32> {
        self.principal_at.get(&(tenant?, name.clone())).copied()
    }

    /// The tenant that `name` is.
    pub(crate) fn tenant_row(&self, name: Option<&Name>) -> Option<&TenantRow> {
        self.tenants.get(self.tenant(name?)? as usize)
    }
}
