//! What all declarative resources have in common: a name, labels, an etag, their times, and the fact they declare.
//!
//! Law: one envelope for every kind, so that storing, listing and publishing are written once.

use std::collections::BTreeMap;

use policy_engine::facts;
use policy_engine::vocabulary::{Id, Kind};
use prost::Message;
use prost_types::Timestamp;

use super::checks::{Faults, FieldFault, FieldPath, Problem, Step};
use crate::{admin, name};

/// The fields every declarative resource begins with, to be read or filled in.
#[derive(Debug)]
pub struct EnvelopeMut<'a> {
    /// AIP name.
    pub name: &'a mut String,
    /// Free labels.
    pub labels: &'a mut BTreeMap<String, String>,
    /// Changes with every change.
    pub etag: &'a mut String,
    /// When it was first made.
    pub create_time: &'a mut Option<Timestamp>,
    /// When it was last changed.
    pub update_time: &'a mut Option<Timestamp>,
    /// The revision that last changed it.
    pub revision: &'a mut i64,
}

/// A declarative resource on the wire.
pub trait Governed: Message + Default + Clone + PartialEq + 'static {
    /// Its kind.
    const KIND: Kind;

    /// What it declares.
    type Fact;

    /// Its AIP name, as given.
    fn name(&self) -> &str;

    /// Its common fields.
    fn envelope(&mut self) -> EnvelopeMut<'_>;

    /// What it declares, validated; its name is not looked at.
    fn fact(&self) -> Result<Self::Fact, Faults>;

    /// A resource that declares a fact, without what only people read.
    fn declare(id: &Id, fact: &Self::Fact) -> Self;

    /// Which one it is.
    fn id(&self) -> Result<Id, Faults> {
        if self.name().is_empty() {
            return Err(Faults::of("name", Problem::Missing));
        }
        name::parse_as(Self::KIND, self.name()).map_err(|error| {
            let field = FieldPath(vec![Step::Field("name")]);
            Faults(vec![FieldFault { field, problem: Problem::Invalid(error.to_string()) }])
        })
    }

    /// Which one it is and what it declares, with the faults of both.
    fn read(&self) -> Result<(Id, Self::Fact), Faults> {
        match (self.id(), self.fact()) {
            (Ok(id), Ok(fact)) => Ok((id, fact)),
            (Err(a), Err(b)) => Err(Faults(a.0.into_iter().chain(b.0).collect())),
            (Err(faults), _) | (_, Err(faults)) => Err(faults),
        }
    }
}

macro_rules! governed {
    ($($message:ident, $fact:ident);* $(;)?) => {$(
        impl Governed for admin::$message {
            const KIND: Kind = Kind::$message;
            type Fact = facts::$fact;

            fn name(&self) -> &str {
                &self.name
            }

            fn envelope(&mut self) -> EnvelopeMut<'_> {
                EnvelopeMut {
                    name: &mut self.name,
                    labels: &mut self.labels,
                    etag: &mut self.etag,
                    create_time: &mut self.create_time,
                    update_time: &mut self.update_time,
                    revision: &mut self.revision,
                }
            }

            fn fact(&self) -> Result<Self::Fact, Faults> {
                Self::Fact::try_from(self)
            }

            fn declare(id: &Id, fact: &Self::Fact) -> Self {
                Self { name: name::format(Self::KIND, id), spec: Some(fact.into()), ..Default::default() }
            }
        }
    )*};
}

governed! {
    Tenant, Tenant;
    Team, Team;
    Principal, Principal;
    Role, Role;
    Grant, Grant;
    Provider, Provider;
    Endpoint, Endpoint;
    Licence, Licence;
    LicenceAcceptance, LicenceAcceptance;
    Model, Model;
    Limit, Limit;
    Rule, Rule;
    Guardrail, Guardrail;
    Price, Price;
}
