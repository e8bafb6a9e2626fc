//! The routes, derived from the definitions by the naming convention of AIP-121 to AIP-136.
//!
//! | RPC | route |
//! |---|---|
//! | `GetX` | `GET /v1/{name}` |
//! | `ListXs` | `GET /v1/{parent}/xs` |
//! | `CreateX` | `POST /v1/{parent}/xs`, the body is the X |
//! | `UpdateX` | `PATCH /v1/{x.name}`, the body is the X |
//! | `DeleteX` | `DELETE /v1/{name}` |
//! | `VerbX`, for one X | `POST /v1/{name}:verb`, the body is the rest of the request |
//! | `VerbX`, whose request names none | `POST /v1/xs:verb`, the body is the request |
//! | `Verb`, in a service without resources | `POST /v1/(service):verb`, the body is the request |
//!
//! What has a field `geo` may be named in it as well: `GET /v1/geos/{geo}/xs/{x}`.
//!
//! Law: every RPC has one route, and no two routes share a method and a path. Absent on purpose: annotations.

use std::sync::LazyLock;

use http::Method;
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor, ServiceDescriptor};
use proto::name::{Collection, Owner};

use super::path::Path;
use crate::descriptors;

/// The package whose services have REST.
const PACKAGE: &str = "chancery.admin.v1";

/// An RPC and where REST has it.
#[derive(Debug, Clone)]
pub struct Route {
    /// The HTTP method.
    pub verb: Method,
    /// Where: one template, or one for the platform's and one for a tenant's.
    pub templates: Vec<Template>,
    pub(super) shape: Shape,
    pub(super) rpc: MethodDescriptor,
}

/// What a call is made of.
#[derive(Debug, Clone)]
pub(super) enum Shape {
    /// A name in the path, the rest in the query.
    Get,
    /// A parent in the path, where the request has one; the rest in the query.
    List,
    /// A parent in the path, where the request has one; the resource is the body, the rest in the query.
    Create {
        resource: FieldDescriptor,
        /// The field of the new resource's id, where the caller chooses it.
        id: Option<FieldDescriptor>,
    },
    /// The resource's name in the path; the resource is the body, the rest in the query.
    Update { resource: FieldDescriptor },
    /// A name in the path, the rest in the query.
    Delete,
    /// A name in the path, the rest is the body.
    Act,
    /// All is the body.
    Call,
}

/// A path with places for ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    segments: Vec<Segment>,
    action: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Fixed(String),
    Id(String),
}

static ROUTES: LazyLock<Vec<Route>> = LazyLock::new(|| {
    let services = descriptors::pool().services().filter(|service| service.package_name() == PACKAGE);
    services.flat_map(|service| of_service(&service)).collect()
});

/// Every route.
pub fn routes() -> &'static [Route] {
    &ROUTES
}

impl Route {
    /// The RPC, such as `chancery.admin.v1.TeamsService/GetTeam`.
    pub fn rpc(&self) -> String {
        format!("{}/{}", self.rpc.parent_service().full_name(), self.rpc.name())
    }
}

impl Template {
    /// As OpenAPI spells it, such as `/v1/tenants/{tenant}/keys/{key}:revoke`.
    pub fn spelled(&self) -> String {
        self.with(|label| format!("{{{label}}}"))
    }

    /// With each id put in by its label.
    pub fn with(&self, id: impl Fn(&str) -> String) -> String {
        let segments = self.segments.iter().map(|segment| match segment {
            Segment::Fixed(text) => text.clone(),
            Segment::Id(label) => id(label),
        });
        let path = segments.collect::<Vec<_>>().join("/");
        let action = self.action.as_ref().map(|action| format!(":{action}")).unwrap_or_default();
        format!("/v1/{path}{action}")
    }

    /// The labels of its ids, in their order.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Id(label) => Some(label.as_str()),
            Segment::Fixed(_) => None,
        })
    }

    pub(super) fn fits(&self, path: &Path) -> bool {
        let fits = |(mine, given): (&Segment, &String)| match mine {
            Segment::Fixed(text) => text == given,
            Segment::Id(_) => true,
        };
        self.action == path.action
            && self.segments.len() == path.segments.len()
            && self.segments.iter().zip(&path.segments).all(fits)
    }
}

/// What a service is about, as its `List` tells.
struct Noun {
    message: String,
    plural: String,
    label: String,
    owner: Owner,
    /// It is of a geo, which may stand in its name.
    placed: bool,
}

fn of_service(service: &ServiceDescriptor) -> Vec<Route> {
    let noun = service.methods().find_map(|rpc| listed(&rpc));
    service.methods().map(|rpc| of_method(rpc, noun.as_ref())).collect()
}

/// What a method lists: the first repeated message of its answer.
fn listed(rpc: &MethodDescriptor) -> Option<Noun> {
    rpc.name().strip_prefix("List")?;
    let field = rpc.output().fields().find(|field| field.is_list())?;
    let Kind::Message(message) = field.kind() else { return None };
    let plural = field.json_name().to_owned();
    let owner = Collection::by_plural(&plural).map_or(Owner::Platform, |collection| collection.owner);
    let placed = message.get_field_by_name("geo").is_some();
    Some(Noun {
        message: message.name().to_owned(),
        plural,
        label: lower_first(message.name()),
        owner,
        placed,
    })
}

fn of_method(rpc: MethodDescriptor, noun: Option<&Noun>) -> Route {
    let name = rpc.name().to_owned();
    let Some(noun) = noun else { return call(rpc) };
    let verb = name.strip_suffix(noun.message.as_str()).unwrap_or(&name);
    let (verb, shape, templates) = match verb {
        "Get" => (Method::GET, Shape::Get, noun.single(None)),
        "Delete" => (Method::DELETE, Shape::Delete, noun.single(None)),
        _ if name.starts_with("List") => (Method::GET, Shape::List, noun.all(None)),
        "Create" | "Update" => return write(rpc, noun),
        action if rpc.input().get_field_by_name("name").is_none() => {
            (Method::POST, Shape::Call, noun.all(Some(lower_first(action))))
        }
        action => (Method::POST, Shape::Act, noun.single(Some(lower_first(action)))),
    };
    Route { verb, templates, shape, rpc }
}

fn write(rpc: MethodDescriptor, noun: &Noun) -> Route {
    let request = rpc.input();
    let Some(resource) = resource_of(&request, &noun.message) else { return call(rpc) };
    if rpc.name().starts_with("Update") {
        let shape = Shape::Update { resource };
        return Route { verb: Method::PATCH, templates: noun.single(None), shape, rpc };
    }
    let id = request.get_field_by_name(&format!("{}_id", resource.name()));
    Route { verb: Method::POST, templates: noun.all(None), shape: Shape::Create { resource, id }, rpc }
}

fn call(rpc: MethodDescriptor) -> Route {
    let service = rpc.parent_service().name().to_owned();
    let place = lower_first(service.strip_suffix("Service").unwrap_or(&service));
    let template = Template { segments: vec![Segment::Fixed(place)], action: Some(lower_first(rpc.name())) };
    Route { verb: Method::POST, templates: vec![template], shape: Shape::Call, rpc }
}

fn resource_of(request: &MessageDescriptor, message: &str) -> Option<FieldDescriptor> {
    request.fields().find(|field| matches!(field.kind(), Kind::Message(of) if of.name() == message))
}

impl Noun {
    /// The collection: the platform's, a tenant's, or both.
    fn all(&self, action: Option<String>) -> Vec<Template> {
        let tenant = [Segment::Fixed("tenants".to_owned()), Segment::Id("tenant".to_owned())];
        let of = |owner: &[Segment]| Template {
            segments: owner.iter().cloned().chain([Segment::Fixed(self.plural.clone())]).collect(),
            action: action.clone(),
        };
        match self.owner {
            Owner::Platform => vec![of(&[])],
            Owner::Tenant => vec![of(&tenant)],
            Owner::Either => vec![of(&[]), of(&tenant)],
        }
    }

    /// One of the collection.
    fn single(&self, action: Option<String>) -> Vec<Template> {
        let mut templates = self.all(None);
        if self.placed {
            let geo = [Segment::Fixed("geos".to_owned()), Segment::Id("geo".to_owned())];
            let placed = templates.iter().map(|template| Template {
                segments: geo.iter().cloned().chain(template.segments.clone()).collect(),
                action: None,
            });
            templates.extend(placed.collect::<Vec<_>>());
        }
        for template in &mut templates {
            template.segments.push(Segment::Id(self.label.clone()));
            template.action.clone_from(&action);
        }
        templates
    }
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn spelled(rpc: &str) -> Vec<String> {
        let route = routes().iter().find(|route| route.rpc() == format!("{PACKAGE}.{rpc}")).unwrap();
        route.templates.iter().map(|template| format!("{} {}", route.verb, template.spelled())).collect()
    }

    #[test]
    fn every_rpc_has_one_route_and_no_two_share_a_place() {
        let services = descriptors::pool().services().filter(|service| service.package_name() == PACKAGE);
        let rpcs: Vec<String> = services
            .flat_map(|s| s.methods().map(|m| format!("{}/{}", s.full_name(), m.name())).collect::<Vec<_>>())
            .collect();
        assert!(rpcs.len() > 80, "{}", rpcs.len());
        assert_eq!(routes().iter().map(Route::rpc).collect::<Vec<_>>(), rpcs);
        let mut places = BTreeSet::new();
        for route in routes() {
            assert!(!route.templates.is_empty());
            for template in &route.templates {
                let place = format!("{} {}", route.verb, template.with(|_| "*".to_owned()));
                assert!(places.insert(place.clone()), "{place} twice");
            }
        }
    }

    #[test]
    fn names_follow_the_convention() {
        for (rpc, places) in [
            ("TenantsService/GetTenant", &["GET /v1/tenants/{tenant}"][..]),
            ("TenantsService/CreateTenant", &["POST /v1/tenants"]),
            ("TeamsService/ListTeams", &["GET /v1/tenants/{tenant}/teams"]),
            ("TeamsService/UpdateTeam", &["PATCH /v1/tenants/{tenant}/teams/{team}"]),
            (
                "ModelsService/DeleteModel",
                &["DELETE /v1/models/{model}", "DELETE /v1/tenants/{tenant}/models/{model}"],
            ),
            (
                "LicenceAcceptancesService/GetLicenceAcceptance",
                &["GET /v1/tenants/{tenant}/licenceAcceptances/{licenceAcceptance}"],
            ),
            ("KeysService/CreateKey", &["POST /v1/keys", "POST /v1/tenants/{tenant}/keys"]),
            (
                "KeysService/RevokeKey",
                &["POST /v1/keys/{key}:revoke", "POST /v1/tenants/{tenant}/keys/{key}:revoke"],
            ),
            ("KillsService/CreateKill", &["POST /v1/kills"]),
            ("KillsService/DeleteKill", &["DELETE /v1/kills/{kill}"]),
            ("RevisionsService/ListRevisions", &["GET /v1/revisions"]),
            ("AuditService/GetAuditEvent", &["GET /v1/auditEvents/{auditEvent}"]),
            ("DecisionSegmentsService/ListDecisionSegments", &["GET /v1/decisionSegments"]),
            ("CapturedContentService/Open", &["POST /v1/capturedContent:open"]),
            ("NodesService/ListNodes", &["GET /v1/nodes"]),
            ("NodesService/GetNode", &["GET /v1/nodes/{node}", "GET /v1/geos/{geo}/nodes/{node}"]),
            ("NodesService/EnrolNode", &["POST /v1/nodes:enrol"]),
            (
                "NodesService/RevokeNode",
                &["POST /v1/nodes/{node}:revoke", "POST /v1/geos/{geo}/nodes/{node}:revoke"],
            ),
            ("EnrolmentTokensService/ListEnrolmentTokens", &["GET /v1/enrolmentTokens"]),
            (
                "EnrolmentTokensService/WithdrawEnrolmentToken",
                &["POST /v1/enrolmentTokens/{enrolmentToken}:withdraw"],
            ),
            (
                "NodesService/ForgetNode",
                &["POST /v1/nodes/{node}:forget", "POST /v1/geos/{geo}/nodes/{node}:forget"],
            ),
            ("HistoryService/DiffRevisions", &["POST /v1/history:diffRevisions"]),
            ("HistoryService/Rollback", &["POST /v1/history:rollback"]),
            ("PolicyService/Apply", &["POST /v1/policy:apply"]),
            ("PolicyService/Delete", &["POST /v1/policy:delete"]),
            ("PolicyService/Explain", &["POST /v1/policy:explain"]),
        ] {
            assert_eq!(spelled(rpc), places, "{rpc}");
        }
    }

    #[test]
    fn a_spelled_path_fits_its_own_template_and_no_other_of_the_same_method() {
        for route in routes() {
            for template in &route.templates {
                let path = template.with(|label| format!("a-{}", label.to_lowercase()));
                let path = super::super::path::parse(path.strip_prefix("/v1/").unwrap()).unwrap();
                let fitting: Vec<String> = routes()
                    .iter()
                    .filter(|other| other.verb == route.verb && other.templates.iter().any(|t| t.fits(&path)))
                    .map(Route::rpc)
                    .collect();
                assert_eq!(fitting, [route.rpc()]);
            }
        }
    }
}
