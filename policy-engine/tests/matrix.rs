//! Who may use what, where, under which licence: one line a role and model, in every state of the licence, in every geo; and
//! what rules then say to people of different places. Reviewed as text: a change of policy is a change of these files.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what it expects by panicking"
)]

#[path = "matrix/house.rs"]
mod house;

use std::fmt::Write;

use policy_engine::decision::Decision;
use policy_engine::facts::Facts;
use policy_engine::reason::Reason;
use policy_engine::request::{Found, Request};
use policy_engine::snapshot::{CompiledSnapshot, Header};
use policy_engine::vocabulary::{Entity, Instant, Name, Operation};
use policy_engine::{Scope, compile, decide, entitle, project};

use house::{GEOS, LICENCE_STATES, MODELS, ROLES, name};

/// Who asks for what.
struct Asking<'a> {
    principal: &'a str,
    model: &'a str,
    operation: Operation,
    purpose: Option<&'a str>,
    areas: Vec<Name>,
    found: Vec<Entity>,
}

fn chat<'a>(principal: &'a str, model: &'a str) -> Asking<'a> {
    Asking { principal, model, operation: Operation::Chat, purpose: None, areas: vec![], found: vec![] }
}

fn node(facts: &Facts, geo: &str) -> CompiledSnapshot {
    let projected = project(facts, &Scope { geo: name(geo) });
    let header = Header { revision: 1, geo: Some(name(geo)) };
    compile(&projected, header).unwrap_or_else(|faults| panic!("{faults:#?}"))
}

/// `✔` and where it may go, or `✘` and the reason codes in their order.
fn mark(snapshot: &CompiledSnapshot, asking: &Asking<'_>) -> String {
    let Some(caller) = snapshot.find_caller(&name("acme"), &name("lab"), &name(asking.principal)) else {
        return "✘ not in this geo".to_owned();
    };
    let request = Request {
        caller,
        model: asking.model,
        operation: asking.operation,
        stream: false,
        purpose: asking.purpose,
        declared_jurisdictions: &asking.areas,
        declared_classes: &[],
        egress_tools: &[],
        unknown_fields: &[],
        picture: None,
        instant: Instant::parse("2026-06-01").unwrap(),
        key: None,
    };
    let entitled = match entitle(&request, snapshot) {
        Ok(entitled) => entitled,
        Err(denial) => return refused(&denial.reasons),
    };
    let mut found = Found::default();
    for entity in &asking.found {
        found.note_entity(*entity);
    }
    match decide(&request, &entitled, &found, snapshot) {
        Decision::Deny(denial) => refused(&denial.reasons),
        Decision::Allow(permit) => {
            let places =
                permit.candidates.iter().map(|c| snapshot.endpoint(c.endpoint).unwrap().id.to_string());
            let mut shown = format!("✔ {}", places.collect::<Vec<_>>().join(" "));
            let masked = Entity::ALL.iter().filter_map(|e| Some(format!("; {} {e}", permit.input.on(*e)?)));
            shown.extend(masked);
            permit.notices.iter().for_each(|text| write!(shown, "; told “{text}”").unwrap());
            shown
        }
    }
}

fn refused(reasons: &[Reason]) -> String {
    let shown = reasons.iter().map(|reason| match &reason.endpoint {
        Some(endpoint) => format!("{endpoint}: {}", reason.code_text()),
        None => reason.code_text().to_owned(),
    });
    format!("✘ {}", shown.collect::<Vec<_>>().join(", "))
}

/// A table with its columns in line.
fn table(rows: &[Vec<String>]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let line = |row: &Vec<String>| {
        let cells = row.iter().enumerate().map(|(n, cell)| {
            let blanks = width(n) - cell.chars().count();
            format!("{cell}{}", " ".repeat(blanks))
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn role_by_model_by_geo_by_licence_state() {
    let mut shown = String::new();
    for state in LICENCE_STATES {
        let facts = house::facts(state);
        for geo in GEOS {
            let snapshot = node(&facts, geo);
            let mut rows = vec![std::iter::once("").chain(MODELS).map(str::to_owned).collect::<Vec<_>>()];
            for role in ROLES {
                let marks = MODELS.iter().map(|model| mark(&snapshot, &chat(role, model)));
                rows.push(std::iter::once(role.to_owned()).chain(marks).collect());
            }
            write!(shown, "## licence {state}, geo {geo}\n{}\n\n", table(&rows)).unwrap();
        }
    }
    insta::assert_snapshot!("roles", shown);
}

#[test]
fn operation_by_model() {
    let snapshot = node(&house::facts("in force"), "eu");
    let mut rows = vec![
        std::iter::once("")
            .chain(Operation::ALL.iter().map(|o| o.as_str()))
            .map(str::to_owned)
            .collect::<Vec<_>>(),
    ];
    for model in MODELS {
        let marks = Operation::ALL
            .iter()
            .map(|operation| mark(&snapshot, &Asking { operation: *operation, ..chat("engineer", model) }));
        rows.push(std::iter::once(model.to_owned()).chain(marks).collect());
    }
    insta::assert_snapshot!("operations", table(&rows));
}

#[test]
fn subject_by_purpose_by_content() {
    let mut rows = Vec::new();
    let facts = house::with_rules(house::facts("in force"));
    for geo in GEOS {
        let snapshot = node(&facts, geo);
        let whom = ["engineer", "analyst"].into_iter();
        let declared = [None, Some("DE"), Some("US-CA"), Some("CN")];
        for (who, area) in whom.flat_map(|who| declared.map(|area| (who, area))) {
            for (purpose, found) in [
                (None, vec![]),
                (Some("social-scoring"), vec![]),
                (None, vec![Entity::Email]),
                (None, vec![Entity::CreditDebitCardNumber]),
            ] {
                let words = [geo, who, area.unwrap_or("-"), purpose.unwrap_or("-"), &format!("{found:?}")];
                let mut row = words.map(str::to_owned).to_vec();
                let areas = area.map(name).into_iter().collect();
                let asking = Asking { purpose, areas, found, ..chat(who, "open") };
                row.push(mark(&snapshot, &asking));
                rows.push(row);
            }
        }
    }
    insta::assert_snapshot!("subjects", table(&rows));
}
