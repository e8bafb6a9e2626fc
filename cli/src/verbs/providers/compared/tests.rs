//! A vendor's list beside what is registered, with the time held.

use serde_json::json;

use super::*;

fn provider() -> Id {
    Id::platform("v".parse().unwrap())
}

fn endpoint(name: &str, provider: &str, upstream: &str) -> Value {
    json!({"name": format!("endpoints/{name}"), "spec": {"provider": provider, "upstreamModel": upstream}})
}

fn model(name: &str, endpoints: &[&str]) -> Value {
    let targets: Vec<Value> = endpoints.iter().map(|endpoint| json!({ "endpoint": endpoint })).collect();
    json!({"name": format!("models/{name}"), "labels": {"team": "search"}, "etag": "e",
        "spec": {"card": {"operations": ["chat"]}, "aliases": ["known-alias"], "route": {"groups": [{"targets": targets}]}}})
}

/// What is registered: one of the vendor alone, one that another vendor serves too.
fn registered() -> (Vec<Value>, Vec<Value>) {
    let endpoints = vec![
        endpoint("old", "v", "old-1"),
        endpoint("both", "v", "both-1"),
        endpoint("other", "w", "both-1"),
    ];
    (endpoints, vec![model("old", &["old"]), model("both", &["both", "other"])])
}

struct Case {
    registered: (Vec<Value>, Vec<Value>),
    deprecated: bool,
    only: Vec<ModelGlob>,
    regions: Vec<String>,
    labels: Vec<(String, String)>,
    platform: Option<Vec<&'static str>>,
    end_many: bool,
    now: &'static str,
}

impl Default for Case {
    fn default() -> Self {
        Self {
            registered: registered(),
            deprecated: false,
            only: Vec::new(),
            regions: vec!["EU".to_owned()],
            labels: vec![("team".to_owned(), "search".to_owned())],
            platform: Some(Vec::new()),
            end_many: false,
            now: "2026-11-23T12:00:00Z",
        }
    }
}

impl Case {
    fn of(&self, survey: &Value) -> Compared {
        let (endpoints, models) = &self.registered;
        let names = self.platform.as_ref().map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        let registered = Registered { platform: names, ..Registered::of(&provider(), endpoints, models) };
        let wanted = Wanted {
            only: &self.only,
            deprecated: self.deprecated,
            regions: &self.regions,
            labels: &self.labels,
            end_many: self.end_many,
            now: Instant::parse(self.now).unwrap(),
        };
        compare((&provider(), survey), &registered, &wanted).map_err(|failure| failure.to_string()).unwrap()
    }

    /// The same after what came of it was applied.
    fn applied(mut self, compared: &Compared) -> Self {
        let Value::Array(resources) = compared.written.json().map_err(|f| f.to_string()).unwrap() else {
            panic!()
        };
        for resource in resources {
            let all = match resource["kind"].as_str().unwrap() {
                "Endpoint" => &mut self.registered.0,
                _ => &mut self.registered.1,
            };
            all.retain(|one| one["name"] != resource["name"]);
            // A file writes a group as the list itself.
            let mut resource = resource;
            if let Some(groups) = resource.pointer_mut("/spec/route/groups").and_then(Value::as_array_mut) {
                for group in groups.iter_mut().filter(|group| group.is_array()) {
                    *group = json!({"targets": group.take()});
                }
            }
            all.push(resource);
        }
        self
    }
}

fn survey(models: Value) -> Value {
    json!({ "models": models, "geo": "eu", "node": "eu-1" })
}

fn chat(id: &str) -> Value {
    json!({"id": id, "operations": ["chat"], "operationsKnown": true})
}

fn resources(compared: &Compared) -> Value {
    compared.written.json().map_err(|failure| failure.to_string()).unwrap()
}

#[test]
fn what_is_new_becomes_an_endpoint_and_a_model_with_what_is_known_of_it() {
    let listed = survey(json!([
        chat("old-1"), chat("both-1"),
        {"id": "meta/new:1", "displayName": "New", "publisher": "Meta", "description": "d", "operations": ["chat"], "operationsKnown": true,
         "input": ["text", "image"], "capabilities": ["tools"], "contextWindow": 1000, "maxOutputTokens": 100, "regions": ["EU"]},
    ]));
    let compared = Case::default().of(&listed);
    assert_eq!(compared.new, ["endpoints/v.meta-new-1", "models/meta-new-1"]);
    assert!(
        compared.changed.is_empty() && compared.gone.is_empty() && compared.told.is_empty(),
        "{compared:?}"
    );
    let labels = json!({"source": "v", "team": "search"});
    assert_eq!(
        resources(&compared),
        json!([
            {"kind": "Endpoint", "name": "endpoints/v.meta-new-1", "labels": labels,
             "spec": {"provider": "v", "upstreamModel": "meta/new:1", "processingRegions": ["EU"]}},
            {"kind": "Model", "name": "models/meta-new-1", "labels": labels, "spec": {
                "card": {"displayName": "New", "publisher": "Meta", "description": "d", "input": ["text", "image"], "output": ["text"],
                    "operations": ["chat"], "capabilities": ["tools"], "contextWindow": 1000, "maxOutputTokens": 100},
                "aliases": ["meta/new:1"], "route": {"policy": "weighted", "groups": [[{"endpoint": "v.meta-new-1"}]]}}},
        ])
    );
    assert_eq!(compared.counted(3), "2 new, 0 changed, 0 gone: 3 models");
}

#[test]
fn the_same_list_again_is_no_difference() {
    let listed = survey(json!([
        {"id": "old-1", "operations": ["chat"], "operationsKnown": true, "deprecated": true, "retireTime": "2027-06-01T00:00:00Z"},
        chat("new"), chat("new:2"), chat("known-alias"), {"id": "text-embed"},
    ]));
    let first = Case::default().of(&listed);
    assert!(!first.is_nothing());
    let applied = Case { now: "2026-11-30", ..Case::default().applied(&first) };
    let second = applied.of(&listed);
    assert!(second.is_nothing(), "{second:?}");
    // `both` is in no list any more, and still registered.
    assert_eq!(second.gone, [("endpoints/both".to_owned(), "both-1".to_owned())]);
    assert_eq!(resources(&second), json!([]));
}

#[test]
fn what_the_vendor_ends_is_dated_where_it_alone_serves_it() {
    let listed = survey(json!([
        {"id": "old-1", "deprecateTime": "2026-06-01T00:00:00Z", "retireTime": "2027-06-01T12:00:00Z"},
        {"id": "both-1", "deprecated": true, "retireTime": "2027-06-01T00:00:00Z"},
    ]));
    let compared = Case::default().of(&listed);
    let how = "deprecated from 2026-06-01, retired from 2027-06-01T12:00:00Z";
    assert_eq!(compared.changed, [("models/old".to_owned(), how.to_owned())]);
    let written = resources(&compared);
    let [old] = written.as_array().unwrap().as_slice() else { panic!("{written}") };
    assert_eq!(old["spec"]["card"]["deprecatedFrom"], "2026-06-01");
    // The rest stays as it was.
    assert_eq!(
        (&old["labels"], &old["spec"]["aliases"]),
        (&json!({"team": "search"}), &json!(["known-alias"]))
    );
    assert_eq!(old["etag"], Value::Null);
}

#[test]
fn what_is_gone_is_told_and_retired_from_the_day_it_was_seen() {
    let compared = Case::default().of(&survey(json!([])));
    let gone: Vec<&str> = compared.gone.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(gone, ["endpoints/both", "endpoints/old"]);
    assert_eq!(compared.changed, [("models/old".to_owned(), "retired from 2026-11-23".to_owned())]);
    assert!(
        compared.lines().contains("gone     endpoints/old: the list has no `old-1` any more\n"),
        "{}",
        compared.lines()
    );
}

#[test]
fn a_catalogue_of_what_could_be_deployed_makes_nothing_new_and_nothing_gone() {
    let mut listed = survey(json!([{"id": "old-1", "retireTime": "2027-06-01T00:00:00Z"}, chat("gpt-5")]));
    listed["catalogueOnly"] = json!(true);
    let compared = Case::default().of(&listed);
    assert!(compared.new.is_empty() && compared.gone.is_empty());
    assert_eq!(compared.changed, [("models/old".to_owned(), "retired from 2027-06-01".to_owned())]);
    assert!(compared.told[0].starts_with("1 more models could be deployed there"), "{:?}", compared.told);
}

#[test]
fn what_is_left_out_or_taken_from_a_name_is_told() {
    let listed = survey(json!([
        chat("old-1"), chat("both-1"),
        {"id": "imagen", "operationsKnown": true},
        {"id": "legacy", "operations": ["chat"], "deprecated": true},
        {"id": "ended", "operations": ["chat"], "retireTime": "2026-01-01T00:00:00Z"},
        {"id": "text-embedding-9"}, {"id": "mystery"}, {"id": "whisper-9"},
        {"id": "old", "operations": ["chat"]},
    ]));
    let case = Case { regions: Vec::new(), ..Case::default() };
    let compared = case.of(&listed);
    let starts = [
        "`mystery`, `text-embedding-9`, `whisper-9`: the vendor does not say what can be asked",
        "`imagen`: left out, for nothing",
        "`ended`, `legacy`: left out, for the vendor discourages",
        "`mystery`, `old`, `text-embedding-9`, `whisper-9`: where it is processed is unknown",
        "there is a model of the name already, and its route stays as it is: `old`, which `endpoints/v.old` would serve",
    ];
    assert_eq!(compared.told.len(), starts.len(), "{:?}", compared.told);
    for (told, start) in compared.told.iter().zip(starts) {
        assert!(told.starts_with(start), "{told}");
    }
    let operations = |name: &str| {
        let written = resources(&compared);
        let all = written.as_array().unwrap().clone();
        all.into_iter().find(|one| one["name"] == name).map(|one| one["spec"]["card"]["operations"].clone())
    };
    assert_eq!(operations("models/text-embedding-9"), Some(json!(["embed"])));
    assert_eq!(operations("models/mystery"), Some(json!(["chat"])));
    assert_eq!(operations("models/whisper-9"), Some(json!(["transcribe"])));
    assert!(
        !compared.new.contains(&"models/old".to_owned())
            && compared.new.contains(&"endpoints/v.old".to_owned())
    );
    let taken = Case { deprecated: true, ..Case::default() }.of(&listed);
    assert!(taken.new.contains(&"models/legacy".to_owned()));
}

#[test]
fn only_what_is_wanted_is_new_and_names_that_are_taken_are_not_taken_again() {
    let listed = survey(json!([chat("old-1"), chat("both-1"), chat("a-1"), chat("a/1"), chat("b")]));
    let only = vec![ModelGlob::new("a-*").unwrap()];
    let mut registered = registered();
    registered.0.push(endpoint("v.a-1", "w", "x"));
    let compared = Case { only, registered, ..Case::default() }.of(&listed);
    assert_eq!(compared.new, ["endpoints/v.a-1-2", "models/a-1", "endpoints/v.a-1-3"]);
    assert!(compared.told[0].starts_with("there is a model of the name already"), "{:?}", compared.told);
}

#[test]
fn a_tenants_own_is_named_as_the_tenants() {
    let id = Id::of("acme".parse().unwrap(), "v".parse().unwrap());
    let registered = Registered::of(&id, &[], &[]);
    let wanted =
        Wanted { only: &[], deprecated: false, regions: &[], labels: &[], end_many: false, now: Instant(0) };
    let compared =
        compare((&id, &survey(json!([chat("a")]))), &registered, &wanted).map_err(|f| f.to_string()).unwrap();
    assert_eq!(compared.new, ["tenants/acme/endpoints/v.a", "tenants/acme/models/a"]);
    let yaml = compared.written.yaml().map_err(|f| f.to_string()).unwrap();
    assert!(yaml.contains("tenant: acme"), "{yaml}");
}

#[test]
fn where_a_model_is_processed_is_as_whoever_asks_says_or_told_as_the_vendors_word() {
    let mut new = chat("new");
    new["regions"] = json!(["UK"]);
    let listed = survey(json!([chat("old-1"), chat("both-1"), new]));
    let regions = |compared: &Compared| resources(compared)[0]["spec"]["processingRegions"].clone();
    let said = Case::default().of(&listed);
    assert_eq!((regions(&said), said.told.len()), (json!(["EU"]), 0));
    let unsaid = Case { regions: Vec::new(), ..Case::default() }.of(&listed);
    assert_eq!(regions(&unsaid), json!(["UK"]));
    assert_eq!(unsaid.told, ["`new`: processed in UK, as the vendor says: look at it"]);
}

#[test]
fn the_label_of_the_provider_and_names_of_the_platform_are_not_taken() {
    let listed = survey(json!([chat("old-1"), chat("both-1"), chat("new"), chat("of:all")]));
    let labels = vec![("source".to_owned(), "x".to_owned())];
    let case = Case { labels, platform: Some(vec!["new", "of:all"]), ..Case::default() };
    let compared = case.of(&listed);
    assert_eq!(compared.new, ["endpoints/v.new", "endpoints/v.of-all", "models/of-all"]);
    let written = resources(&compared);
    assert_eq!(written[0]["labels"], json!({"source": "v"}));
    assert_eq!(written[2]["spec"].get("aliases"), None, "an alias is a name too");
    let starts = ["the platform has a model of the name already", "the label `source` is"];
    assert_eq!(compared.told.len(), starts.len(), "{:?}", compared.told);
    for (told, start) in compared.told.iter().zip(starts) {
        assert!(told.starts_with(start), "{told}");
    }
    let unread = Case { platform: None, ..Case::default() }.of(&listed);
    assert!(unread.told[0].starts_with("the platform's models can't be read"), "{:?}", unread.told);
}

#[test]
fn a_list_that_is_short_once_does_not_end_most_of_what_is_there() {
    let ids = ["a", "b", "c", "d"];
    let registered = || {
        let endpoints = ids.iter().map(|id| endpoint(id, "v", id)).collect();
        (endpoints, ids.iter().map(|id| model(id, &[*id])).collect())
    };
    let case = || Case { registered: registered(), ..Case::default() };
    let short = survey(json!([chat("a")]));
    let kept = case().of(&short);
    assert!(kept.is_nothing() && kept.gone.len() == 3, "{kept:?}");
    assert!(
        kept.told[0].starts_with("of 4 models that it alone serves the list has 3 no more"),
        "{:?}",
        kept.told
    );
    let ended = Case { end_many: true, ..case() }.of(&short);
    assert_eq!((ended.changed.len(), ended.told.len()), (3, 0));
    // Half is no more than may end, and so is what a vendor dates itself.
    let half = case().of(&survey(json!([chat("a"), chat("b")])));
    assert_eq!((half.changed.len(), half.told.len()), (2, 0));
    let dated = |id: &&str| json!({"id": id, "retireTime": "2027-06-01T00:00:00Z"});
    let dated = case().of(&survey(ids.iter().map(dated).collect()));
    assert_eq!((dated.changed.len(), dated.told.len()), (4, 0));
}

#[test]
fn a_mirror_answers_nobody_so_it_neither_keeps_a_model_nor_ends_it() {
    let mut registered = registered();
    registered.1[1]["spec"]["route"]["groups"][0]["targets"][1]["mirrorPercent"] = json!(10);
    let compared = Case { registered, ..Case::default() }.of(&survey(json!([chat("old-1")])));
    assert_eq!(compared.changed, [("models/both".to_owned(), "retired from 2026-11-23".to_owned())]);
    let mut registered = self::registered();
    registered.1[1]["spec"]["route"]["groups"][0]["targets"][0]["mirrorPercent"] = json!(10);
    let compared = Case { registered, ..Case::default() }.of(&survey(json!([chat("old-1")])));
    assert!(compared.changed.is_empty(), "{compared:?}");
}
