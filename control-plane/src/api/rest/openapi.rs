//! The OpenAPI 3.1 description of the admin API, generated from the same definitions as its routes.
//!
//! Law: every RPC is in it, under each of its paths, with the comments of the definitions as descriptions; every reference
//! resolves. Absent on purpose: anything written by hand about one kind.

mod comments;
mod schema;

use std::sync::LazyLock;

use bytes::Bytes;
use prost_reflect::FieldDescriptor;
use serde_json::{Map, Value, json};

use super::answer::LINES;
use super::route::{Route, Shape, Template, routes};
use super::{FAULTS, query};
use comments::Comments;
use schema::Schemas;

static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(whole().to_string()));

/// The description, JSON.
pub fn document() -> Bytes {
    DOCUMENT.clone()
}

fn whole() -> Value {
    let comments = Comments::read();
    let mut schemas = Schemas::new(&comments);
    let mut paths: Map<String, Value> = Map::new();
    for route in routes() {
        for template in &route.templates {
            let operation = operation(route, template, &comments, &mut schemas);
            let path = paths.entry(template.spelled()).or_insert_with(|| json!({}));
            if let Some(path) = path.as_object_mut() {
                path.insert(route.verb.as_str().to_ascii_lowercase(), operation);
            }
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Chancery admin API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Every RPC of chancery.admin.v1 over REST, in proto3 JSON.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/", "description": "The control plane that serves this document." }],
        "security": [{ "bearer": [] }, { "apiKey": [] }],
        "tags": tags(&comments),
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {
                    "type": "http", "scheme": "bearer",
                    "description": "An admin token of the platform, or an API key.",
                },
                "apiKey": { "type": "apiKey", "in": "header", "name": "x-api-key", "description": "An API key." },
            },
            "responses": { "Refusal": {
                "description": "Refused; the code, the wrong fields and the reasons are in the details.",
                "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } },
            }},
            "schemas": schemas.finish(),
        },
    })
}

fn tags(comments: &Comments) -> Vec<Value> {
    let mut tags: Vec<Value> = Vec::new();
    for route in routes() {
        let service = route.rpc.parent_service();
        let tag = json!({ "name": service.name(), "description": comments.of_service(service) });
        if tags.last() != Some(&tag) {
            tags.push(tag);
        }
    }
    tags
}

fn operation(route: &Route, template: &Template, comments: &Comments, schemas: &mut Schemas<'_>) -> Value {
    let rpc = &route.rpc;
    let bit_by_bit = rpc.is_server_streaming();
    let kind = if bit_by_bit { LINES } else { "application/json" };
    let mut operation = json!({
        "operationId": operation_id(route, template),
        "tags": [rpc.parent_service().name()],
        "description": comments.of_method(rpc),
        "x-chancery-rpc": route.rpc(),
        "parameters": parameters(route, template, schemas),
        "responses": {
            "200": {
                "description": if bit_by_bit { "Answers, a line each, as they come." } else { "Done." },
                "content": { (kind): { "schema": schemas.reference(&rpc.output()) } },
            },
            "default": { "$ref": "#/components/responses/Refusal" },
        },
    });
    if let Some(faults) = refusal_with_faults(route, schemas)
        && let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut)
    {
        responses.insert("400".to_owned(), faults);
    }
    let body = match &route.shape {
        Shape::Create { resource, .. } | Shape::Update { resource } => {
            resource.kind().as_message().map(|message| schemas.reference(message))
        }
        Shape::Act | Shape::Call => Some(schemas.reference(&rpc.input())),
        Shape::Get | Shape::List | Shape::Delete => None,
    };
    if let (Some(schema), Some(fields)) = (body, operation.as_object_mut()) {
        let required = !matches!(route.shape, Shape::Act);
        let body = json!({ "required": required, "content": { "application/json": { "schema": schema } } });
        fields.insert("requestBody".to_owned(), body);
    }
    operation
}

/// What 400 says where an answer may tell faults: that answer, or a refusal as elsewhere.
fn refusal_with_faults(route: &Route, schemas: &mut Schemas<'_>) -> Option<Value> {
    let output = route.rpc.output();
    output.get_field_by_name(FAULTS)?;
    let either = [schemas.reference(&output), json!({ "$ref": "#/components/schemas/Error" })];
    Some(json!({
        "description": "Nothing was done: the faults are in the answer. Or the request itself is wrong.",
        "content": { "application/json": { "schema": { "anyOf": either } } },
    }))
}

/// `GetRole`; `GetTenantRole` or `GetGeoNode` where the same RPC also serves what is in a tenant or a geo.
fn operation_id(route: &Route, template: &Template) -> String {
    let name = route.rpc.name();
    if route.templates.first() == Some(template) {
        return name.to_owned();
    }
    let verb = name.char_indices().skip(1).find(|(_, letter)| letter.is_ascii_uppercase());
    let (verb, noun) = verb.and_then(|(at, _)| name.split_at_checked(at)).unwrap_or((name, ""));
    let within = if template.labels().any(|label| label == "geo") { "Geo" } else { "Tenant" };
    format!("{verb}{within}{noun}")
}

fn parameters(route: &Route, template: &Template, schemas: &mut Schemas<'_>) -> Vec<Value> {
    let in_path = template.labels().map(|label| {
        json!({
            "name": label, "in": "path", "required": true,
            "description": "The last segment of a name.",
            "schema": { "type": "string" },
        })
    });
    let mut all: Vec<Value> = in_path.collect();
    for field in in_query(route) {
        let chosen =
            matches!(&route.shape, Shape::Create { id: Some(id), .. } if id.number() == field.number());
        all.push(json!({
            "name": field.json_name(), "in": "query", "required": chosen,
            "description": schemas.comment(&field),
            "schema": schemas.of_field(&field),
        }));
    }
    all
}

fn in_query(route: &Route) -> Vec<FieldDescriptor> {
    let request = route.rpc.input();
    let taken: Vec<FieldDescriptor> = match &route.shape {
        Shape::Get | Shape::Delete => request.get_field_by_name("name").into_iter().collect(),
        Shape::List => request.get_field_by_name("parent").into_iter().collect(),
        Shape::Create { resource, .. } => {
            request.get_field_by_name("parent").into_iter().chain([resource.clone()]).collect()
        }
        Shape::Update { resource } => vec![resource.clone()],
        Shape::Act | Shape::Call => return Vec::new(),
    };
    query::parameters(&request, &taken.iter().collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn read() -> Value {
        serde_json::from_slice(&document()).unwrap()
    }

    fn walk<'v>(value: &'v Value, see: &mut impl FnMut(&'v str, &'v Value)) {
        match value {
            Value::Object(map) => map.iter().for_each(|(key, value)| {
                see(key, value);
                walk(value, see);
            }),
            Value::Array(items) => items.iter().for_each(|item| walk(item, see)),
            _ => {}
        }
    }

    fn operations(document: &Value) -> impl Iterator<Item = (&String, &String, &Value)> {
        let paths = document["paths"].as_object().unwrap().iter();
        paths.flat_map(|(path, verbs)| {
            verbs.as_object().unwrap().iter().map(move |(verb, op)| (path, verb, op))
        })
    }

    #[test]
    fn every_rpc_is_there_under_each_of_its_paths() {
        let document = read();
        let described: BTreeSet<(String, String, String)> = operations(&document)
            .map(|(path, verb, op)| {
                (path.clone(), verb.clone(), op["x-chancery-rpc"].as_str().unwrap().to_owned())
            })
            .collect();
        let served: BTreeSet<(String, String, String)> = routes()
            .iter()
            .flat_map(|r| {
                r.templates.iter().map(|t| (t.spelled(), r.verb.as_str().to_ascii_lowercase(), r.rpc()))
            })
            .collect();
        assert_eq!(described, served);
        let ids: BTreeSet<&str> =
            operations(&document).map(|(_, _, op)| op["operationId"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), served.len(), "operation ids are unique");
        assert!(ids.contains("GetTenantRole") && ids.contains("RevokeKey") && ids.contains("Apply"));
    }

    #[test]
    fn what_tells_faults_says_that_it_is_400() {
        let document = read();
        let described: Vec<&String> = operations(&document)
            .filter(|(_, _, op)| op["responses"]["400"].is_object())
            .map(|(path, ..)| path)
            .collect();
        let wanted = [
            "/v1/history:readScope",
            "/v1/history:rollback",
            "/v1/policy:apply",
            "/v1/policy:delete",
            "/v1/policy:simulate",
            "/v1/proposals/{proposal}:approve",
        ];
        assert_eq!(described, wanted);
        let lines = &document["paths"]["/v1/policy:simulate"]["post"]["responses"]["200"]["content"];
        assert_eq!(lines[LINES]["schema"]["$ref"], "#/components/schemas/SimulateResponse");
        let told = &document["paths"]["/v1/policy:apply"]["post"]["responses"]["400"];
        let either = &told["content"]["application/json"]["schema"]["anyOf"];
        assert_eq!(either[0]["$ref"], "#/components/schemas/ApplyResponse");
        assert_eq!(either[1]["$ref"], "#/components/schemas/Error");
    }

    #[test]
    fn every_reference_resolves_and_every_schema_is_used() {
        let document = read();
        let mut used = BTreeSet::new();
        walk(&document, &mut |key, value| {
            if key == "$ref" {
                let pointer = value.as_str().unwrap().strip_prefix('#').unwrap();
                assert!(document.pointer(pointer).is_some(), "{pointer} leads nowhere");
                used.insert(pointer.to_owned());
            }
        });
        for name in document["components"]["schemas"].as_object().unwrap().keys() {
            assert!(used.contains(&format!("/components/schemas/{name}")), "{name} is not used");
        }
    }

    #[test]
    fn every_path_parameter_is_declared_and_everything_is_described() {
        let document = read();
        for (path, verb, op) in operations(&document) {
            let parameters = op["parameters"].as_array().unwrap();
            let declared: BTreeSet<String> = parameters
                .iter()
                .filter(|p| p["in"] == "path")
                .map(|p| format!("{{{}}}", p["name"].as_str().unwrap()))
                .collect();
            let open: BTreeSet<String> = path
                .split('/')
                .filter_map(|s| s.split(':').next().filter(|s| s.starts_with('{')).map(str::to_owned))
                .collect();
            assert_eq!(declared, open, "{verb} {path}");
            for described in parameters.iter().chain([op]) {
                assert!(!described["description"].as_str().unwrap().is_empty(), "{verb} {path}: {described}");
            }
        }
        for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
            let described =
                |schema: &Value| schema["description"].as_str().is_some_and(|text| !text.is_empty());
            assert!(described(schema), "{name}");
            for (field, schema) in schema["properties"].as_object().into_iter().flatten() {
                assert!(described(schema), "{name}.{field}");
            }
        }
    }

    #[test]
    fn what_must_be_given_and_which_words_there_are_is_said() {
        let document = read();
        let schemas = &document["components"]["schemas"];
        assert_eq!(schemas["ExplainRequest"]["required"], json!(["principal", "model", "geo"]));
        assert_eq!(schemas["ExplainResponse"]["properties"]["effect"]["enum"], json!(["allow", "deny"]));
        assert_eq!(
            schemas["RuleSpec"]["properties"]["effect"]["enum"],
            json!(["forbid", "require", "permit"])
        );
        assert_eq!(
            schemas["Permission"]["properties"]["operations"]["items"]["enum"],
            json!([
                "chat",
                "embed",
                "complete",
                "moderate",
                "rerank",
                "image",
                "editImage",
                "speech",
                "transcribe",
                "translate"
            ])
        );
        assert!(
            schemas["Permission"]["properties"]["action"]["enum"].is_null(),
            "what is no plain list is none"
        );
        assert_eq!(document["servers"][0]["url"], "/");
        let made = &document["paths"]["/v1/tenants/{tenant}/teams"]["post"]["parameters"];
        let required: Vec<&str> = made
            .as_array()
            .unwrap()
            .iter()
            .filter(|p| p["required"] == true)
            .map(|p| p["name"].as_str().unwrap())
            .collect();
        assert_eq!(required, ["tenant", "teamId"]);
    }

    #[test]
    fn types_are_those_of_proto3_json() {
        let document = read();
        let schemas = &document["components"]["schemas"];
        let team = &schemas["Team"]["properties"];
        assert_eq!(team["createTime"]["format"], "date-time");
        assert_eq!(team["createTime"]["readOnly"], true);
        assert_eq!(
            (&team["revision"]["type"], &team["revision"]["format"]),
            (&json!("integer"), &json!("int64"))
        );
        assert_eq!(team["labels"]["additionalProperties"]["type"], "string");
        assert_eq!(team["spec"]["$ref"], "#/components/schemas/TeamSpec");
        assert_eq!(schemas["TeamSpec"]["properties"]["geos"]["items"]["type"], "string");
        assert_eq!(schemas["Team"]["additionalProperties"], false);
        assert_eq!(schemas["Credential"]["properties"]["value"]["writeOnly"], true);
        let patch = &document["paths"]["/v1/tenants/{tenant}/teams/{team}"]["patch"];
        let names: Vec<&str> =
            patch["parameters"].as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["tenant", "team", "updateMask", "allowMissing", "validateOnly"]);
        assert_eq!(
            patch["requestBody"]["content"]["application/json"]["schema"]["$ref"],
            "#/components/schemas/Team"
        );
    }
}
