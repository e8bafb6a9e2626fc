//! Providers, endpoints, licences and models, by position and by name.
//!
//! Law: rows ascend by id, so that a reference finds its position without an index beside.

use std::collections::HashMap;
use std::sync::Arc;

use super::rows::SiteRow;
use super::{EndpointRow, LicenceRow, ModelRow, ProviderRow, Table};
use crate::vocabulary::{Id, Name};

/// The registry's tables.
#[derive(Debug, Clone, Default)]
pub(crate) struct Registry {
    pub(crate) providers: Table<ProviderRow>,
    pub(crate) endpoints: Table<EndpointRow>,
    /// What each endpoint is asked by, in the order of the endpoints.
    pub(crate) sites: Table<SiteRow>,
    pub(crate) licences: Table<LicenceRow>,
    pub(crate) models: Table<ModelRow>,
    /// Names and aliases of the platform's models, then of each tenant's own.
    pub(crate) model_names: Arc<HashMap<Box<str>, u32>>,
    pub(crate) tenant_model_names: Arc<HashMap<u32, HashMap<Box<str>, u32>>>,
}

/// A row that has an id.
pub(crate) trait Identified {
    /// Its id.
    fn id(&self) -> &Id;
}

macro_rules! identified {
    ($($row:ident),*) => {$(
        impl Identified for $row {
            fn id(&self) -> &Id {
                &self.id
            }
        }
    )*};
}

identified!(ProviderRow, EndpointRow, LicenceRow, ModelRow);

/// The position of an id.
pub(crate) fn position<T: Identified>(table: &Table<T>, id: &Id) -> Option<u32> {
    table.find(|row| row.id().cmp(id))
}

/// The owner's own thing of that name. What speaks to vendors is never borrowed: the platform's credential, regions and
/// licences would go with it, under terms that a tenant wrote.
pub(crate) fn own<T: Identified>(table: &Table<T>, tenant: &Option<Name>, name: &Name) -> Option<u32> {
    position(table, &Id { tenant: tenant.clone(), name: name.clone() })
}

/// What a reference written in `tenant` means: the tenant's own thing, else the platform's.
pub(crate) fn meant<T: Identified>(table: &Table<T>, tenant: &Option<Name>, name: &Name) -> Option<u32> {
    own(table, tenant, name).or_else(|| own(table, &None, name))
}
