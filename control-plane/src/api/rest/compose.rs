//! A request of HTTP as the request message of its RPC: what the path, the query and the body give of it.
//!
//! Law: each field comes from one place. A name in the body may repeat the one in the path; it never replaces it.

use prost_reflect::{DynamicMessage, FieldDescriptor, MessageDescriptor, ReflectMessage as _, Value};
use proto::status::Refusal;

use super::bind::{Binder, shown};
use super::json::{self, Json};
use super::path::{self, Path};
use super::query;
use super::route::{Route, Shape};

/// What a request of HTTP gives.
#[derive(Debug)]
pub(super) struct Given<'a> {
    pub(super) path: &'a Path,
    /// What follows the question mark.
    pub(super) query: &'a str,
    pub(super) body: &'a [u8],
}

/// The request message of a route.
pub(super) fn compose(route: &Route, given: &Given<'_>) -> Result<DynamicMessage, Refusal> {
    let pairs = path::pairs(given.query)?;
    let reads_body = !matches!(route.shape, Shape::Get | Shape::List | Shape::Delete);
    if !reads_body && !given.body.is_empty() {
        return Err(Refusal::field("", "a body is not read here"));
    }
    let body = json::read(given.body)?;
    let mut request = DynamicMessage::new(route.rpc.input());
    let place = given.path.segments.join("/");
    match &route.shape {
        Shape::Get | Shape::Delete => named(&mut request, "name", place, pairs),
        Shape::List => named(&mut request, "parent", parent(&place), pairs),
        Shape::Create { resource, id } => {
            let chosen = Chosen { resource, id: id.as_ref(), place: &place };
            create(&mut request, &chosen, body, pairs)
        }
        Shape::Update { resource } => update(&mut request, resource, &place, (body, pairs)),
        Shape::Act => act(&mut request, Some(place), body, pairs),
        Shape::Call => act(&mut request, None, body, pairs),
    }?;
    Ok(request)
}

type Pairs = Vec<(String, String)>;

/// What a creation is of.
struct Chosen<'a> {
    resource: &'a FieldDescriptor,
    id: Option<&'a FieldDescriptor>,
    /// The collection.
    place: &'a str,
}

fn named(request: &mut DynamicMessage, field: &str, value: String, pairs: Pairs) -> Result<(), Refusal> {
    let field = request.descriptor().get_field_by_name(field);
    if let Some(field) = &field {
        request.set_field(field, Value::String(value));
    }
    let taken: Vec<&FieldDescriptor> = field.iter().collect();
    query::fill(pairs, &taken, None, request).finish()
}

fn create(
    request: &mut DynamicMessage,
    chosen: &Chosen<'_>,
    body: Json,
    pairs: Pairs,
) -> Result<(), Refusal> {
    let (message, mut faults) = resource(chosen.resource, body);
    let given_name = text(&message, "name");
    let parent_field = request.descriptor().get_field_by_name("parent");
    if let Some(field) = &parent_field {
        request.set_field(field, Value::String(parent(chosen.place)));
    }
    let taken: Vec<&FieldDescriptor> = parent_field.iter().chain([chosen.resource]).collect();
    let in_query = query::fill(pairs, &taken, None, request);
    if let Some(id) = chosen.id.filter(|id| !request.has_field(id) && !given_name.is_empty()) {
        let within = given_name.strip_prefix(chosen.place).and_then(|rest| rest.strip_prefix('/'));
        match within.filter(|id| !id.contains('/')) {
            Some(last) => request.set_field(id, Value::String(last.to_owned())),
            None => {
                let message = format!("`{}` is not a name in `{}`", shown(&given_name), shown(chosen.place));
                faults.fault("name", message);
            }
        }
    }
    request.set_field(chosen.resource, Value::Message(message));
    faults.finish()?;
    in_query.finish()
}

fn update(
    request: &mut DynamicMessage,
    field: &FieldDescriptor,
    place: &str,
    (body, pairs): (Json, Pairs),
) -> Result<(), Refusal> {
    let (mut message, mut faults) = resource(field, body);
    same_name(&mut message, place, &mut faults);
    let about = message.descriptor();
    request.set_field(field, Value::Message(message));
    let in_query = query::fill(pairs, &[field], Some(&about), request);
    faults.finish()?;
    in_query.finish()
}

fn act(request: &mut DynamicMessage, place: Option<String>, body: Json, pairs: Pairs) -> Result<(), Refusal> {
    let mut faults = Binder::default();
    *request = faults.message("", body, &request.descriptor());
    if let Some(place) = place {
        same_name(request, &place, &mut faults);
    }
    let fields: Vec<FieldDescriptor> = request.descriptor().fields().collect();
    faults.finish()?;
    query::fill(pairs, &fields.iter().collect::<Vec<_>>(), None, request).finish()
}

fn resource(field: &FieldDescriptor, body: Json) -> (DynamicMessage, Binder) {
    let mut binder = Binder::default();
    let to = field.kind().as_message().cloned();
    let to: MessageDescriptor = to.unwrap_or_else(|| field.parent_message().clone());
    let message = binder.message("", body, &to);
    (message, binder)
}

/// Sets the name to the path's, which the body may repeat.
fn same_name(message: &mut DynamicMessage, place: &str, faults: &mut Binder) {
    let given = text(message, "name");
    if !given.is_empty() && given != place {
        faults.fault("name", format!("`{}` is not the name in the path, `{}`", shown(&given), shown(place)));
    }
    if let Some(field) = message.descriptor().get_field_by_name("name") {
        message.set_field(&field, Value::String(place.to_owned()));
    }
}

fn text(message: &DynamicMessage, field: &str) -> String {
    let value = message.get_field_by_name(field);
    value.and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// What a collection is in: all but its last segment.
fn parent(collection: &str) -> String {
    collection.rsplit_once('/').map_or_else(String::new, |(parent, _)| parent.to_owned())
}

#[cfg(test)]
mod tests {
    use http::Method;
    use prost::Message as _;
    use proto::admin::{
        CreateKeyRequest, CreateTeamRequest, DeleteTeamRequest, ExplainRequest, ListModelsRequest,
        RevokeKeyRequest, UpdateTeamRequest,
    };

    use super::*;
    use crate::api::rest::route::routes;

    fn composed<M: prost::Message + Default>(verb: &Method, url: &str, body: &str) -> Result<M, String> {
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let path = path::parse(path).unwrap();
        let fits = |route: &&Route| route.verb == *verb && route.templates.iter().any(|t| t.fits(&path));
        let route = routes().iter().find(fits).unwrap();
        let given = Given { path: &path, query, body: body.as_bytes() };
        let message = compose(route, &given).map_err(|refusal| refusal.message)?;
        Ok(M::decode(message.encode_to_vec().as_slice()).unwrap())
    }

    #[test]
    fn a_creation_takes_its_id_from_the_query_or_from_the_name() {
        let spec = r#"{"spec": {"jurisdictions": ["EU"]}}"#;
        for url in ["tenants/acme/teams?teamId=r", "tenants/acme/teams?team_id=r&validateOnly=true"] {
            let made: CreateTeamRequest = composed(&Method::POST, url, spec).unwrap();
            assert_eq!((made.parent.as_str(), made.team_id.as_str()), ("tenants/acme", "r"));
            assert_eq!(made.validate_only, url.contains("validate"));
            assert_eq!(made.team.unwrap().spec.unwrap().jurisdictions, ["EU"]);
        }
        let named = |name: &str| {
            composed::<CreateTeamRequest>(
                &Method::POST,
                "tenants/acme/teams",
                &format!(r#"{{"name": "{name}"}}"#),
            )
        };
        assert_eq!(named("tenants/acme/teams/r").unwrap().team_id, "r");
        assert_eq!(named("").unwrap().team_id, "");
        for other in ["tenants/other/teams/r", "tenants/acme/teams/", "tenants/acme/teams/a/b", "r"] {
            let made = named(other);
            assert!(
                made.as_ref().is_ok_and(|made| made.team_id.is_empty()) || made.is_err(),
                "{other}: {made:?}"
            );
        }
        assert_eq!(
            named("tenants/other/teams/r").unwrap_err(),
            "name: `tenants/other/teams/r` is not a name in `tenants/acme/teams`"
        );
        let key: CreateKeyRequest =
            composed(&Method::POST, "keys", r#"{"spec": {"tenant": "acme"}}"#).unwrap();
        assert_eq!((key.parent.as_str(), key.key.unwrap().spec.unwrap().tenant.as_str()), ("", "acme"));
    }

    #[test]
    fn an_update_is_of_what_the_path_names() {
        let url = "tenants/acme/teams/r?updateMask=spec.displayName&allow_missing=true";
        let body = r#"{"etag": "e", "spec": {"displayName": "R"}}"#;
        let update: UpdateTeamRequest = composed(&Method::PATCH, url, body).unwrap();
        let team = update.team.unwrap();
        assert_eq!((team.name.as_str(), team.etag.as_str()), ("tenants/acme/teams/r", "e"));
        assert_eq!(update.update_mask.unwrap().paths, ["spec.display_name"]);
        assert!(update.allow_missing);
        let other = composed::<UpdateTeamRequest>(&Method::PATCH, url, r#"{"name": "tenants/b/teams/r"}"#);
        assert_eq!(
            other.unwrap_err(),
            "name: `tenants/b/teams/r` is not the name in the path, `tenants/acme/teams/r`"
        );
    }

    #[test]
    fn reading_removing_and_acting_take_their_name_from_the_path() {
        let list: ListModelsRequest = composed(&Method::GET, "tenants/acme/models?pageSize=2", "").unwrap();
        assert_eq!((list.parent.as_str(), list.page_size), ("tenants/acme", 2));
        let list: ListModelsRequest = composed(&Method::GET, "models", "").unwrap();
        assert_eq!(list.parent, "");
        let delete: DeleteTeamRequest = composed(&Method::DELETE, "tenants/a/teams/r?etag=x", "").unwrap();
        assert_eq!((delete.name.as_str(), delete.etag.as_str()), ("tenants/a/teams/r", "x"));
        let revoke: RevokeKeyRequest = composed(&Method::POST, "tenants/a/keys/k:revoke", "{}").unwrap();
        assert_eq!(revoke.name, "tenants/a/keys/k");
        let explain: ExplainRequest =
            composed(&Method::POST, "policy:explain", r#"{"dataClasses": ["EMAIL"]}"#).unwrap();
        assert_eq!(explain.data_classes, ["EMAIL"]);
    }

    #[test]
    fn what_has_no_place_is_refused() {
        let refused = |verb: Method, url: &str, body: &str| composed::<()>(&verb, url, body).unwrap_err();
        assert_eq!(refused(Method::GET, "models", "{}"), "a body is not read here");
        assert_eq!(
            refused(Method::POST, "keys/k:revoke", r#"{"name": "keys/j"}"#),
            "name: `keys/j` is not the name in the path, `keys/k`"
        );
        assert_eq!(
            refused(Method::POST, "policy:explain?model=x", ""),
            "model: unknown query parameter; none is"
        );
        assert_eq!(
            refused(Method::POST, "models?model=x", ""),
            "model: unknown query parameter; known are modelId, validateOnly"
        );
        assert!(refused(Method::PATCH, "models/m", "[1]").starts_with("an object was expected, not a list"));
    }
}
