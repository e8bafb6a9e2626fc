//! How much of what a node says is taken in.
//!
//! Law: a node is believed about itself, not about how much room that takes. Whatever it says passes here once, before it is
//! kept, shown or logged: a word, a text or a list ends at its bound, and a character that a terminal or a log would obey is
//! spelled out. The bounds are those of `sync.proto`, and no honest node meets one but that of a text.

use policy_engine::simulate::EXAMPLES;
use proto::admin::VendorModel;
use proto::sync::node_message::Message as Said;
use proto::sync::{
    Hello, Kill, NodeMessage, Segments, Simulated, SimulatedFlip, Status, UnusableEndpoint, Version,
    simulated, surveyed,
};

/// The largest message that is read, in bytes: more than twenty endpoints and twenty kills fill, each with its reason.
pub(crate) const MESSAGE_BYTES: usize = 128 << 10;

/// The longest word, such as a build or a class, in bytes.
const WORD: usize = 64;

/// The longest text or name of a resource, in bytes.
const TEXT: usize = 512;

/// The longest key, in bytes; one that is longer than 32 is good for nothing, and still is when it is cut.
const KEY: usize = 64;

/// The bytes of a digest.
const DIGEST: usize = 32;

/// The most capabilities, tallies, codes of one, and endpoints or kills.
const CAPABILITIES: usize = 16;
const TALLIES: usize = 8;
const CODES: usize = 32;
const NAMED: usize = 20;

/// The most segments of the decision log.
const SEGMENTS: usize = 256;

/// The most flips and hashes of one part of a simulation.
const FLIPS: usize = 64;
const HASHES: usize = 1_024;

/// The most models of one part of a survey.
const MODELS: usize = 64;

/// The longest description of a vendor's model, in bytes.
const PROSE: usize = 2_048;

/// The most words of one list of a vendor's model.
const WORDS: usize = 16;

/// Takes in what a node says.
pub(crate) fn bounded(message: &mut NodeMessage) {
    match &mut message.message {
        Some(Said::Hello(said)) => hello(said),
        Some(Said::Ack(said)) => version(said.applied.as_mut()),
        Some(Said::Nack(said)) => {
            cut(&mut said.resource, TEXT);
            cut(&mut said.detail, TEXT);
            version(said.running.as_mut());
        }
        Some(Said::Status(said)) => status(said),
        Some(Said::DrainDone(said)) => cut(&mut said.id, WORD),
        Some(Said::Segments(said)) => segments(said),
        Some(Said::Witnessed(said)) => cut(&mut said.inconsistency, TEXT),
        Some(Said::SegmentsPruned(said)) => {
            fewer(&mut said.manifest_hashes, SEGMENTS);
            said.manifest_hashes.iter_mut().for_each(|hash| fewer(hash, DIGEST));
        }
        Some(Said::Simulated(said)) => simulated(said),
        Some(Said::Surveyed(said)) => match &mut said.said {
            Some(surveyed::Said::Failed(why)) => cut(why, TEXT),
            // What each of them says is bounded when it is read.
            Some(surveyed::Said::Part(part)) => fewer(&mut part.models, MODELS),
            Some(surveyed::Said::Done(_)) | None => {}
        },
        None => {}
    }
}

fn hello(said: &mut Hello) {
    for word in [&mut said.build, &mut said.boot_id, &mut said.node_class, &mut said.drain] {
        cut(word, WORD);
    }
    fewer(&mut said.capabilities, CAPABILITIES);
    said.capabilities.iter_mut().for_each(|word| cut(word, WORD));
    fewer(&mut said.hpke_public_key, KEY);
    version(said.applied.as_mut());
}

fn status(said: &mut Status) {
    version(said.applied.as_mut());
    cut(&mut said.staleness, WORD);
    fewer(&mut said.tallies, TALLIES);
    for tally in &mut said.tallies {
        fewer(&mut tally.digest, DIGEST);
        fewer(&mut tally.refusals, CODES);
        tally.refusals.iter_mut().for_each(|refused| cut(&mut refused.code, WORD));
    }
    fewer(&mut said.unusable_endpoints, NAMED);
    for UnusableEndpoint { endpoint, reason } in &mut said.unusable_endpoints {
        cut(endpoint, TEXT);
        cut(reason, TEXT);
    }
    fewer(&mut said.earlier_kills, NAMED);
    for Kill { id, target, name, mode, reason, .. } in &mut said.earlier_kills {
        for word in [id, target, mode] {
            cut(word, WORD);
        }
        cut(name, TEXT);
        cut(reason, TEXT);
    }
}

fn segments(said: &mut Segments) {
    fewer(&mut said.segments, SEGMENTS);
    for segment in &mut said.segments {
        cut(&mut segment.boot_id, WORD);
        cut(&mut segment.ended, WORD);
        fewer(&mut segment.manifest_hash, DIGEST);
        fewer(&mut segment.previous_hash, DIGEST);
    }
}

fn simulated(said: &mut Simulated) {
    match &mut said.said {
        Some(simulated::Said::Failed(why)) => cut(why, TEXT),
        Some(simulated::Said::Part(part)) => {
            fewer(&mut part.flips, FLIPS);
            part.flips.iter_mut().for_each(flip);
            fewer(&mut part.manifest_hashes, HASHES);
            part.manifest_hashes.iter_mut().for_each(|hash| fewer(hash, DIGEST));
        }
        Some(simulated::Said::Progress(_) | simulated::Said::Done(_)) | None => {}
    }
}

fn flip(said: &mut SimulatedFlip) {
    cut(&mut said.tenant, WORD);
    cut(&mut said.principal, TEXT);
    cut(&mut said.model, TEXT);
    fewer(&mut said.reasons, CODES);
    said.reasons.iter_mut().for_each(|code| cut(code, WORD));
    fewer(&mut said.rules, CODES);
    said.rules.iter_mut().for_each(|rule| cut(rule, TEXT));
    fewer(&mut said.examples, EXAMPLES);
    said.examples.iter_mut().for_each(|id| cut(id, WORD));
}

/// A model as a node says its vendor has it.
pub(crate) fn vendor_model(said: &mut VendorModel) {
    cut(&mut said.id, TEXT);
    cut(&mut said.display_name, TEXT);
    cut(&mut said.publisher, TEXT);
    cut(&mut said.description, PROSE);
    // Some of its places would be another claim than all of them: what does not fit is not known.
    let fits = |place: &String| place.len() <= WORD && !place.chars().any(is_obeyed);
    if said.regions.len() > WORDS || !said.regions.iter().all(fits) {
        said.regions = Vec::new();
    }
    for list in [&mut said.input, &mut said.output, &mut said.operations, &mut said.capabilities] {
        fewer(list, WORDS);
        list.iter_mut().for_each(|word| cut(word, WORD));
    }
}

fn version(said: Option<&mut Version>) {
    if let Some(version) = said {
        fewer(&mut version.digest, DIGEST);
    }
}

/// The first of them. What is left out leaves its room too.
fn fewer<T>(all: &mut Vec<T>, most: usize) {
    if all.len() > most {
        all.truncate(most);
        all.shrink_to_fit();
    }
}

/// The beginning of a text, with what is not to be obeyed spelled out, such as `\u{202e}`.
fn cut(text: &mut String, most: usize) {
    if text.len() <= most && !text.chars().any(is_obeyed) {
        return;
    }
    let mut taken = String::with_capacity(most.min(text.len()));
    for c in text.chars() {
        let spelled = match is_obeyed(c) {
            true => c.escape_default().to_string(),
            false => c.to_string(),
        };
        if taken.len() + spelled.len() > most {
            break;
        }
        taken.push_str(&spelled);
    }
    *text = taken;
}

/// Whether a terminal or a reader acts on a character in place of showing it: controls, ends of lines, what is invisible and
/// what turns the direction of writing (Unicode, UAX #9, 2).
fn is_obeyed(c: char) -> bool {
    let invisible = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}');
    c.is_control() || invisible || matches!(c, '\u{61c}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use proto::sync::{
        CodeTally, DrainDone, Nack, RevisionTally, SegmentsPruned, SimulatedPart, Surveyed, SurveyedPart,
        Witnessed,
    };

    use super::*;

    fn taken(said: Said) -> Said {
        let mut message = NodeMessage { message: Some(said) };
        bounded(&mut message);
        message.message.unwrap()
    }

    #[test]
    fn what_a_node_says_takes_no_more_room_than_it_may() {
        let long = || "ü".repeat(2_000);
        let hello = Hello {
            build: long(),
            boot_id: long(),
            node_class: long(),
            drain: long(),
            capabilities: vec![long(); 100],
            hpke_public_key: vec![1; 1_000],
            applied: Some(Version { digest: vec![1; 1_000], ..Version::default() }),
            ..Hello::default()
        };
        let Said::Hello(hello) = taken(Said::Hello(hello)) else { panic!("it is a Hello still") };
        let word = "ü".repeat(WORD / 2);
        assert_eq!([&hello.build, &hello.boot_id, &hello.node_class, &hello.drain], [&word; 4]);
        assert_eq!(hello.capabilities, vec![word; CAPABILITIES]);
        assert_eq!((hello.hpke_public_key.len(), hello.applied.unwrap().digest.len()), (KEY, DIGEST));

        let kill = Kill { id: long(), target: long(), name: long(), mode: long(), ..Kill::default() };
        let status = Status {
            applied: Some(Version { digest: vec![1; 1_000], ..Version::default() }),
            staleness: long(),
            tallies: vec![
                RevisionTally {
                    digest: vec![1; 1_000],
                    refusals: vec![CodeTally { code: long(), requests: 1 }; 100],
                    ..RevisionTally::default()
                };
                100
            ],
            unusable_endpoints: vec![UnusableEndpoint { endpoint: long(), reason: long() }; 100],
            earlier_kills: vec![kill; 100],
            ..Status::default()
        };
        let Said::Status(status) = taken(Said::Status(status)) else { panic!("it is a Status still") };
        let counts = (status.tallies.len(), status.unusable_endpoints.len(), status.earlier_kills.len());
        assert_eq!((status.staleness.len(), counts), (WORD, (TALLIES, NAMED, NAMED)));
        assert!(status.tallies.iter().all(|tally| tally.digest.len() == DIGEST));
        let codes = |tally: &RevisionTally| (tally.refusals.len(), tally.refusals[0].code.len());
        assert!(status.tallies.iter().all(|tally| codes(tally) == (CODES, WORD)));
        let endpoint = status.unusable_endpoints.first().unwrap();
        assert_eq!((endpoint.endpoint.len(), endpoint.reason.len()), (TEXT, TEXT));
        let kill = status.earlier_kills.first().unwrap();
        let lengths = [&kill.id, &kill.target, &kill.mode, &kill.name].map(String::len);
        assert_eq!(lengths, [WORD, WORD, WORD, TEXT]);
        assert_eq!(status.applied.unwrap().digest.len(), DIGEST);
        let done = Said::DrainDone(DrainDone { id: long(), ..DrainDone::default() });
        assert!(matches!(taken(done), Said::DrainDone(done) if done.id.len() == WORD));
        let witnessed = Said::Witnessed(Witnessed { inconsistency: long(), ..Witnessed::default() });
        let pruned = Said::SegmentsPruned(SegmentsPruned { manifest_hashes: vec![vec![1; 1_000]; 2_000] });
        let Said::SegmentsPruned(pruned) = taken(pruned) else { panic!("it says what is gone still") };
        assert_eq!((pruned.manifest_hashes.len(), pruned.manifest_hashes[0].len()), (SEGMENTS, DIGEST));
        let flip = SimulatedFlip {
            tenant: long(),
            principal: long(),
            model: long(),
            reasons: vec![long(); 100],
            rules: vec![long(); 100],
            examples: vec![long(); 100],
            ..SimulatedFlip::default()
        };
        let part = SimulatedPart { flips: vec![flip; 100], manifest_hashes: vec![vec![1; 1_000]; 2_000] };
        let part = Said::Simulated(Simulated { id: 1, said: Some(simulated::Said::Part(part)) });
        let Said::Simulated(Simulated { said: Some(simulated::Said::Part(part)), .. }) = taken(part) else {
            panic!("it is a part still")
        };
        assert_eq!((part.flips.len(), part.manifest_hashes.len()), (FLIPS, HASHES));
        assert!(part.manifest_hashes.iter().all(|hash| hash.len() == DIGEST));
        let flip = &part.flips[0];
        let lengths = [&flip.tenant, &flip.principal, &flip.model, &flip.reasons[0], &flip.rules[0]];
        assert_eq!(lengths.map(String::len), [WORD, TEXT, TEXT, WORD, TEXT]);
        assert_eq!((flip.reasons.len(), flip.rules.len(), flip.examples.len()), (CODES, CODES, EXAMPLES));
        let part = SurveyedPart { models: vec![Vec::new(); 100] };
        let part = Said::Surveyed(Surveyed { id: 1, said: Some(surveyed::Said::Part(part)) });
        let Said::Surveyed(Surveyed { said: Some(surveyed::Said::Part(part)), .. }) = taken(part) else {
            panic!("it is a part still")
        };
        assert_eq!(part.models.len(), MODELS);
        let mut model = VendorModel {
            id: long(),
            description: "ü".repeat(4_000),
            capabilities: vec![long(); 100],
            ..VendorModel::default()
        };
        vendor_model(&mut model);
        let lengths = (model.id.len(), model.description.len(), model.capabilities.len());
        assert_eq!((lengths, model.capabilities[0].len()), ((TEXT, PROSE, WORDS), WORD));
        for regions in [vec!["EU".to_owned(); WORDS + 1], vec!["EU".to_owned(), long()]] {
            model.regions = regions;
            vendor_model(&mut model);
            assert!(model.regions.is_empty(), "{:?}", model.regions);
        }
        model.regions = vec!["EU".to_owned(); WORDS];
        vendor_model(&mut model);
        assert_eq!(model.regions.len(), WORDS);
        assert!(matches!(taken(witnessed), Said::Witnessed(said) if said.inconsistency.len() == TEXT));
    }

    #[test]
    fn nothing_a_node_says_is_obeyed_by_who_reads_it() {
        let detail = "a\u{1b}[2J\n\u{202e}b\u{2066}\u{200b}\u{85}ü".to_owned();
        let resource = format!("Model {}\u{202e}", "m".repeat(TEXT - 8));
        let nack = Nack { detail, resource, ..Nack::default() };
        let Said::Nack(nack) = taken(Said::Nack(nack)) else { panic!("it is a Nack still") };
        assert_eq!(nack.detail, "a\\u{1b}[2J\\n\\u{202e}b\\u{2066}\\u{200b}\\u{85}ü");
        assert_eq!(nack.resource, format!("Model {}", "m".repeat(TEXT - 8)), "none is spelled by half");
    }

    #[test]
    fn what_fits_stays_as_it_is() {
        let hello = Hello {
            build: "0.1.0".into(),
            boot_id: "0".repeat(36),
            capabilities: vec!["delta".into()],
            hpke_public_key: vec![1; 32],
            ..Hello::default()
        };
        assert_eq!(taken(Said::Hello(hello.clone())), Said::Hello(hello));
    }
}
