//! The closed, typed vocabulary of conditions: which attributes there are, and what may be compared with each.
//!
//! Law: an attribute that is not here is a fault, and so is a text that its attribute could never have: a rule that
//! can't hold is a hole, not a rule.

use crate::rules::geo::{self, PlaceKind};
use crate::vocabulary::{Name, Operation, PrincipalType};

macro_rules! attributes {
    ($(#[$tdoc:meta])* $sort:ident { $($(#[$doc:meta])* $variant:ident = $path:literal in $words:ident),* $(,)? }) => {
        $(#[$tdoc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum $sort { $($(#[$doc])* $variant),* }

        impl $sort {
            /// All of them.
            pub const ALL: &'static [$sort] = &[$($sort::$variant),*];

            /// The path as written in CEL.
            pub const fn path(self) -> &'static str {
                match self { $($sort::$variant => $path),* }
            }

            const fn words(self) -> Words {
                match self { $($sort::$variant => Words::$words),* }
            }
        }
    };
}

attributes! {
    /// Attributes with one text, or none, or unknown.
    Text {
        /// The caller's tenant.
        CallerTenant = "caller.tenant" in Name,
        /// The caller's principal.
        CallerPrincipal = "caller.principal" in Name,
        /// `user` or `service`.
        CallerKind = "caller.kind" in PrincipalType,
        /// Where the caller is: ISO 3166-1 alpha-2.
        CallerCountry = "caller.country" in Country,
        /// Where in the country: ISO 3166-2.
        CallerRegion = "caller.region" in Subdivision,
        /// The geo of the node that decides.
        NodeGeo = "node.geo" in Geo,
        /// The model's name.
        ModelName = "model.name" in Name,
        /// The model's licence, by name.
        ModelLicence = "model.licence" in Name,
        /// The model's risk class.
        ModelRiskClass = "model.riskClass" in Any,
        /// The candidate endpoint's name.
        EndpointName = "endpoint.name" in Name,
        /// The candidate endpoint's provider.
        EndpointProvider = "endpoint.provider" in Name,
        /// The declared purpose.
        Purpose = "purpose" in Any,
        /// What is asked of the model.
        Operation = "operation" in Operation,
    }
}

attributes! {
    /// Attributes with a set of texts, or unknown.
    Set {
        /// The caller's teams.
        CallerTeams = "caller.teams" in Name,
        /// The caller's roles, inherited ones included.
        CallerRoles = "caller.roles" in Name,
        /// The legal areas of the people the request is about.
        SubjectJurisdictions = "subject.jurisdictions" in Jurisdiction,
        /// The operations the model serves.
        ModelOperations = "model.operations" in Operation,
        /// Every name for a place the endpoint may process in.
        EndpointProcessingRegions = "endpoint.processingRegions" in Place,
        /// Every name for a place the endpoint may store in.
        EndpointStorageRegions = "endpoint.storageRegions" in Place,
        /// Classes of data, declared or found.
        DataClasses = "data.classes" in Any,
        /// Vendor-side tools that would send data elsewhere.
        EgressTools = "egressTools" in Any,
    }
}

attributes! {
    /// Attributes that are true, false or unknown.
    Flag {
        /// The vendor trains on what it is sent.
        TrainsOnData = "endpoint.terms.trainsOnData" in Any,
        /// A data processing agreement is on file.
        Dpa = "endpoint.terms.dpa" in Any,
        /// A business associate agreement is on file.
        Baa = "endpoint.terms.baa" in Any,
        /// The vendor keeps nothing.
        ZeroRetention = "endpoint.terms.zeroRetention" in Any,
        /// The answer is asked for as a stream.
        Stream = "stream" in Any,
    }
}

/// An attribute of any type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Attribute {
    /// One text.
    Text(Text),
    /// A set of texts.
    Set(Set),
    /// A truth.
    Flag(Flag),
}

impl Attribute {
    /// The bits of all attributes of the candidate endpoint.
    pub(super) const ENDPOINT: u32 = Attribute::Text(Text::EndpointName).bit()
        | Attribute::Text(Text::EndpointProvider).bit()
        | Attribute::Set(Set::EndpointProcessingRegions).bit()
        | Attribute::Set(Set::EndpointStorageRegions).bit()
        | Attribute::Flag(Flag::TrainsOnData).bit()
        | Attribute::Flag(Flag::Dpa).bit()
        | Attribute::Flag(Flag::Baa).bit()
        | Attribute::Flag(Flag::ZeroRetention).bit();

    /// Every attribute there is.
    pub fn all() -> impl Iterator<Item = Attribute> {
        let texts = Text::ALL.iter().copied().map(Attribute::Text);
        let sets = Set::ALL.iter().copied().map(Attribute::Set);
        texts.chain(sets).chain(Flag::ALL.iter().copied().map(Attribute::Flag))
    }

    /// The path as written in CEL, such as `caller.country`.
    pub const fn path(self) -> &'static str {
        match self {
            Attribute::Text(text) => text.path(),
            Attribute::Set(set) => set.path(),
            Attribute::Flag(flag) => flag.path(),
        }
    }

    /// The texts that may be compared with it.
    pub(super) const fn words(self) -> Words {
        match self {
            Attribute::Text(text) => text.words(),
            Attribute::Set(set) => set.words(),
            Attribute::Flag(flag) => flag.words(),
        }
    }

    /// The attribute written as `path`.
    pub fn find(path: &str) -> Option<Attribute> {
        Self::all().find(|attribute| attribute.path() == path)
    }

    /// This attribute's bit in a set of attributes.
    pub(super) const fn bit(self) -> u32 {
        let (from, index) = match self {
            Attribute::Text(text) => (0, text as u32),
            Attribute::Set(set) => (Text::ALL.len() as u32, set as u32),
            Attribute::Flag(flag) => (Text::ALL.len() as u32 + Set::ALL.len() as u32, flag as u32),
        };
        1 << (from + index)
    }
}

/// The texts an attribute can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Words {
    Any,
    Name,
    PrincipalType,
    Operation,
    Country,
    Subdivision,
    Geo,
    Jurisdiction,
    Place,
}

impl Words {
    /// `Err` says what would have been right.
    pub(super) fn admit(self, text: &str) -> Result<(), &'static str> {
        let kind = || geo::kind(text);
        let (fits, expected) = match self {
            Words::Any => (true, ""),
            Words::Name => (Name::new(text).is_ok(), "a name: letters, digits and `._@+~-`"),
            Words::PrincipalType => (text.parse::<PrincipalType>().is_ok(), "`user` or `service`"),
            Words::Operation => {
                (text.parse::<Operation>().is_ok(), "an operation, such as `chat` or `embed`")
            }
            Words::Country => {
                (kind() == Some(PlaceKind::Country), "an ISO 3166-1 alpha-2 country, such as `DE`")
            }
            Words::Subdivision => (is_subdivision(text), "an ISO 3166-2 subdivision, such as `US-CA`"),
            Words::Geo => (kind() == Some(PlaceKind::Geo), "a geo, such as `eu`"),
            Words::Jurisdiction => (
                kind().is_some_and(|k| k <= PlaceKind::Subdivision),
                "a jurisdiction, such as `EU` or `US-CA`",
            ),
            Words::Place => {
                (kind().is_some(), "a place of the containment table, such as `EU` or `eu-central-1`")
            }
        };
        if fits { Ok(()) } else { Err(expected) }
    }
}

/// A subdivision of the table, or, in countries whose subdivisions the table does not list, the form of one.
fn is_subdivision(text: &str) -> bool {
    if geo::kind(text) == Some(PlaceKind::Subdivision) {
        return true;
    }
    let Some((country, part)) = text.split_once('-') else { return false };
    let form =
        (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    form && geo::kind(country) == Some(PlaceKind::Country) && !["US", "CA"].contains(&country)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_attribute_is_in_the_readme() {
        let readme = include_str!("../../../README.md");
        for attribute in Attribute::all() {
            assert!(readme.contains(&format!("`{}`", attribute.path())), "{}", attribute.path());
        }
    }
}
