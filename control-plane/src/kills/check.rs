//! Whether a kill says what it hits, how and why, of things that are there.
//!
//! Law: every fault is told by its field, with what may have been meant. Whoever may switch things off may know their names.

use policy_engine::vocabulary::Geo;
use proto::admin::KillSpec;
use proto::code::ErrorCode;
use proto::status::{Refusal, WrongField};

use super::{Target, nameable};
use crate::clock;
use crate::error::unspoken;
use crate::geos::Known;
use crate::nearest::suggestion;
use crate::registry::Registry;

/// The modes, the first where none is named.
const MODES: [&str; 3] = ["deny", "drain", "read_only"];

/// Bytes of a reason at most.
const REASON: usize = 512;

/// What a kill may name.
pub(crate) struct There<'a> {
    /// What is in force, or is to be.
    pub(crate) registry: &'a Registry,
    /// What it names was in force: nodes of a stable line, and those that take no newer policy, have it still.
    pub(crate) was: bool,
    /// The geos that are known.
    pub(crate) geos: Known<'a>,
}

/// The kill that is asked for, its mode filled in; or every fault of it.
pub(crate) fn checked(mut spec: KillSpec, there: &There<'_>) -> Result<KillSpec, Refusal> {
    if spec.mode.is_empty() {
        spec.mode = MODES.first().copied().unwrap_or_default().to_owned();
    }
    spec.reason = spec.reason.trim().to_owned();
    let found = [
        ("target", target(&spec)),
        ("resource", resource(&spec, there)),
        ("mode", mode(&spec)),
        ("reason", reason(&spec)),
        ("expireTime", end(&spec)),
    ];
    let wrong = found.into_iter().filter_map(|(field, message)| {
        message.map(|message| WrongField { field: format!("kill.spec.{field}"), message })
    });
    let fields: Vec<WrongField> = wrong.collect();
    if fields.is_empty() {
        return Ok(spec);
    }
    let lines: Vec<String> = fields.iter().map(|w| format!("{}: {}", w.field, w.message)).collect();
    Err(Refusal { fields, ..Refusal::new(ErrorCode::InvalidRequest, lines.join("; ")) })
}

fn target(spec: &KillSpec) -> Option<String> {
    if Target::of(&spec.target).is_some() {
        return None;
    }
    let known = suggestion(&spec.target, Target::WORDS.iter().map(|(word, _)| *word));
    match spec.target.as_str() {
        "" => Some(format!("is missing: {known}")),
        word => Some(format!("`{}` is nothing that can be switched off: {known}", shown(word))),
    }
}

fn mode(spec: &KillSpec) -> Option<String> {
    let known = || suggestion(&spec.mode, MODES);
    (!MODES.contains(&&*spec.mode)).then(|| format!("`{}` is no mode: {}", shown(&spec.mode), known()))
}

fn resource(spec: &KillSpec, there: &There<'_>) -> Option<String> {
    let There { registry, was, geos } = there;
    let name = spec.resource.as_str();
    match Target::of(&spec.target)? {
        Target::Everything if name.is_empty() => None,
        Target::Everything => Some("names something, and everything is meant".to_owned()),
        Target::Geo => match Geo::new(name) {
            Err(_) => Some(format!("`{}` is no name of a geo", shown(name))),
            // While no geo is known, as after a loss of what was known of nodes, whoever is to come may be switched off.
            Ok(geo) if geos.is_empty() || geos.has(&geo) => geos.misspelt(&geo),
            Ok(geo) => Some(geos.told(&geo)),
        },
        Target::Kind(kind) => {
            let there = proto::name::parse_as(kind, name).map(|id| *was || registry.get(kind, &id).is_some());
            let known: Vec<String> = nameable(kind, registry).collect();
            let known = suggestion(name, known.iter().map(String::as_str));
            match there {
                Ok(true) => None,
                Ok(false) => Some(format!("there is no {kind} `{}`: {known}", shown(name))),
                Err(_) => Some(format!("`{}` is no name of a {kind}: {known}", shown(name))),
            }
        }
    }
}

fn reason(spec: &KillSpec) -> Option<String> {
    match spec.reason.as_str() {
        "" => Some("is missing: whoever finds it switched off must learn why".to_owned()),
        text if text.len() > REASON || text.chars().any(char::is_control) => {
            Some(format!("is not a line of at most {REASON} bytes"))
        }
        _ => None,
    }
}

fn end(spec: &KillSpec) -> Option<String> {
    let ends = spec.expire_time.as_ref()?;
    match proto::convert::instant(ends) {
        None => Some("is no instant".to_owned()),
        Some(ends) if ends.0 <= clock::now() => {
            Some("is in the past: a kill that has ended would switch nothing off".to_owned())
        }
        Some(_) => None,
    }
}

/// What a caller wrote, short and fit for a line, unless it may be a credential.
fn shown(text: &str) -> String {
    unspoken(text).chars().take(64).flat_map(char::escape_default).collect()
}
