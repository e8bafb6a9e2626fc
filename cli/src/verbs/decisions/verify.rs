//! `decisions verify`: whether segments are whole, as they were written, signed by their nodes, and without gaps.
//!
//! Law: nobody is asked and nothing is written. Records that are not here are missing, unless the control plane told that they were pruned. Everything that is wrong is told; the exit code is of the worst. What a node has not
//! sealed yet is told, and is no fault.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use clap::Args;
use policy_engine::vocabulary::Instant;
use proto::export::Kind as Unproved;
use proto::segment::{
    Anchor, Authorities, Digest, Fault, Found, Gap, Kind, Manifest, Signed, Trail, Walked, check, unhex,
};
use serde_json::{Value, json};

use super::super::failure::Failure;
use super::super::field::list;
use super::super::{Form, Shown};
use super::gather::{Pair, pairs};
use super::kept::{Known, Wrong};
use crate::client::{Client, Reply};
use crate::output;

/// What is verified, and against what.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Segments, or directories with segments in them: a node's outbox, or a geo's store.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// What the control plane was told of, as `decisions segments -o json` prints it: whatever is in it has to be here.
    #[arg(long, value_name = "FILE")]
    anchors: Option<PathBuf>,
    /// Where captured content is kept: what records name has to be there, as it was written, until its time is over.
    #[arg(long, value_name = "PATH")]
    content: Vec<PathBuf>,
    #[command(flatten)]
    shown: Shown,
}

/// What was found.
#[derive(Debug, Default)]
struct Verdict {
    walked: Walked,
    faults: Vec<(PathBuf, Fault)>,
    unsealed: Vec<PathBuf>,
    pruned: Vec<Pruned>,
}

/// A segment whose records went as a retention said.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pruned {
    /// Which, for people.
    what: String,
    /// By what, when, and which event tells of it.
    by: String,
}

/// By what segments went, by the hashes of their manifests.
pub(super) type Over = BTreeMap<Digest, String>;

impl Verify {
    /// Of these, whatever the control plane was told of.
    pub(super) fn of(paths: Vec<PathBuf>) -> Self {
        Self { paths, anchors: None, content: Vec::new(), shown: Shown { output: Form::Text } }
    }

    /// Which of segments whose records are not here were pruned, as the control plane tells, where it tells.
    pub(super) async fn over(&self, client: &Client) -> Result<Over, Failure> {
        let lacks = |pair: &Pair| pair.manifest.is_some() && pair.lines.is_none();
        if !pairs(&self.paths)?.values().any(lacks) {
            return Ok(Over::new());
        }
        match client.all("decisionSegments", "decisionSegments").await {
            Ok(told) => Ok(over(&told.json)),
            Err(error) => {
                output::complain(&format!("which segments were pruned is not told: {error}"));
                Ok(Over::new())
            }
        }
    }

    /// Fails where anything was changed or is not signed, and tells it; gives how many gaps there are, and tells those too. What was pruned
    /// is told, and is none.
    pub(super) fn whole(&self, authorities: Option<&Path>, over: Over) -> Result<usize, Failure> {
        let verdict = self.verdict(authorities, over)?;
        if !verdict.pruned.is_empty() {
            let count = verdict.pruned.len();
            output::complain(&format!("the records of {count} segments were pruned: they are passed over"));
        }
        match verdict.worst() {
            None => Ok(0),
            Some(Unproved::Gap) => {
                output::complain(verdict.text().trim_end());
                Ok(verdict.walked.gaps.len())
            }
            Some(kind) => {
                output::complain(verdict.text().trim_end());
                Err(Failure::Unproved { kind, faults: verdict.faults.len(), gaps: verdict.walked.gaps.len() })
            }
        }
    }

    pub(super) fn run(&self, authorities: Option<&Path>) -> Result<(), Failure> {
        let verdict = self.verdict(authorities, Over::new())?;
        let json = verdict.json();
        let reply = Reply { text: json.to_string(), json, revision: 0 };
        self.shown.print(&reply, || verdict.text());
        match verdict.worst() {
            None => Ok(()),
            Some(kind @ Unproved::Empty) => {
                let path = self.paths.first().cloned().unwrap_or_default();
                let told = match self.paths.len() {
                    1 => "nothing was verified: there is no sealed segment in it".to_owned(),
                    paths => {
                        format!("nothing was verified: there is no sealed segment in any of {paths} places")
                    }
                };
                Err(Failure::Unverified { path, kind, told })
            }
            Some(kind) => {
                Err(Failure::Unproved { kind, faults: verdict.faults.len(), gaps: verdict.walked.gaps.len() })
            }
        }
    }

    fn verdict(&self, authorities: Option<&Path>, mut over: Over) -> Result<Verdict, Failure> {
        let needed = "the authority of the nodes is needed: --ca FILE, such as `ca.pem` of a node";
        let authorities = authorities.ok_or_else(|| Failure::Input(needed.to_owned()))?;
        let pem = read(authorities)?;
        let trusted = Authorities::of_pem(&pem).map_err(|fault| {
            let path = authorities.to_owned();
            Failure::File { path, source: std::io::Error::other(fault.why) }
        })?;
        let (mut trail, mut verdict) = (Trail::default(), Verdict::default());
        if let Some(path) = &self.anchors {
            let (anchors, pruned) = anchors(path)?;
            anchors.into_iter().for_each(|anchor| trail.expect(anchor));
            over.extend(pruned);
        }
        let known = match self.content.as_slice() {
            [] => None,
            paths => Some(Known::below(paths)?),
        };
        for (place, pair) in pairs(&self.paths)? {
            verdict.take(&place, (pair, &over), (&trusted, &mut trail, known.as_ref()))?;
        }
        verdict.walked.gaps.sort();
        let walked = trail.walk();
        let gaps = verdict.walked.gaps.drain(..).chain(walked.gaps).collect();
        verdict.faults.extend(walked.faults.iter().map(|fault| (PathBuf::from("-"), fault.clone())));
        verdict.walked = Walked { gaps, faults: vec![], ..walked };
        Ok(verdict)
    }
}

impl Verdict {
    /// Checks one segment.
    fn take(
        &mut self,
        place: &Path,
        (pair, over): (Pair, &Over),
        (trusted, trail, known): (&Authorities, &mut Trail, Option<&Known>),
    ) -> Result<(), Failure> {
        let Some(manifest) = pair.manifest else {
            self.unsealed.push(pair.lines.unwrap_or_else(|| place.to_owned()));
            return Ok(());
        };
        let signed = match Signed::read(&read(&manifest)?) {
            Ok(signed) => signed,
            Err(fault) => {
                self.faults.push((manifest, fault));
                return Ok(());
            }
        };
        if let Err(fault) = signed.verify(trusted) {
            self.faults.push((manifest, fault));
        }
        let mut missing = Vec::new();
        match &pair.lines {
            Some(path) => {
                let source = |source| Failure::File { path: path.clone(), source };
                let file = BufReader::with_capacity(1 << 16, File::open(path).map_err(source)?);
                match check(&signed.manifest, file) {
                    Ok(checked) => missing = checked.missing,
                    Err(fault) => self.faults.push((path.clone(), fault)),
                }
                if let Some(known) = known {
                    let node = (signed.manifest.geo.clone(), signed.manifest.node.clone());
                    let now = Instant(jiff::Timestamp::now().as_microsecond());
                    let Wrong { faults, gaps } = known.missed_by(path, &node, now)?;
                    self.faults.extend(faults.into_iter().map(|fault| (path.clone(), fault)));
                    self.walked.gaps.extend(gaps);
                }
            }
            None if over.contains_key(&signed.hash()) => {
                let Manifest { geo, node, boot_id, first_seq, last_seq, .. } = &signed.manifest;
                let what = format!("{geo}/{node} {boot_id} seq {first_seq} to {last_seq}");
                let by = over.get(&signed.hash()).cloned().unwrap_or_default();
                self.pruned.push(Pruned { what, by });
            }
            None => self.walked.gaps.push(Gap {
                node: (signed.manifest.geo.clone(), signed.manifest.node.clone()),
                boot_id: signed.manifest.boot_id.clone(),
                seqs: (Some(signed.manifest.first_seq), Some(signed.manifest.last_seq)),
                why: "its manifest is here, and its records are not",
            }),
        }
        trail.add(Found { hash: signed.hash(), manifest: signed.manifest, missing });
        Ok(())
    }

    /// The worst of what is wrong; `None`: nothing is. Where no segment was sealed nothing is known to be well.
    fn worst(&self) -> Option<Unproved> {
        let order = [Kind::Invalid, Kind::Signature, Kind::Unknown, Kind::Truncated];
        let is_there = |kind: &Kind| self.faults.iter().any(|(_, fault)| fault.kind == *kind);
        let worst = order.into_iter().find(is_there).map(unproved);
        let gap = (!self.walked.gaps.is_empty()).then_some(Unproved::Gap);
        let empty = (self.walked.segments == 0).then_some(Unproved::Empty);
        worst.or(gap).or(empty)
    }

    fn text(&self) -> String {
        let Walked { segments, records, again, nodes, gaps, .. } = &self.walked;
        let mut text = String::new();
        for (path, fault) in &self.faults {
            let word = unproved(fault.kind).as_str();
            text += &format!(
                "{word:<13} {}: {}\n",
                output::plain(&path.display().to_string()),
                output::plain(&fault.why)
            );
        }
        for gap in gaps {
            text += &format!("{:<13} {}\n", Unproved::Gap.as_str(), output::plain(&super::gap(gap)));
        }
        for Pruned { what, by } in &self.pruned {
            text += &format!("{:<13} {}\n", "pruned", output::plain(&format!("{what}: {by}")));
        }
        for path in &self.unsealed {
            text += &format!("{:<13} {}\n", "not sealed", output::plain(&path.display().to_string()));
        }
        let verdict = self.worst().map_or("valid", Unproved::as_str);
        text += &format!("{verdict}: {segments} segments of {nodes} nodes, {records} records");
        if *again > 0 {
            text += &format!(", {again} segments more than once");
        }
        if !self.pruned.is_empty() {
            text += &format!(", {} segments pruned", self.pruned.len());
        }
        text + "\n"
    }

    fn json(&self) -> Value {
        let faults = self.faults.iter().map(|(path, fault)| {
            json!({ "kind": unproved(fault.kind).as_str(), "file": path.display().to_string(), "line": fault.line, "what": fault.why })
        });
        let gaps = self.walked.gaps.iter().map(|gap| {
            json!({ "geo": gap.node.0, "node": gap.node.1, "bootId": gap.boot_id, "firstSeq": gap.seqs.0,
                "lastSeq": gap.seqs.1, "what": gap.why })
        });
        json!({
            "verdict": self.worst().map_or("valid", Unproved::as_str),
            "segments": self.walked.segments,
            "nodes": self.walked.nodes,
            "records": self.walked.records,
            "duplicates": self.walked.again,
            "faults": faults.collect::<Vec<_>>(),
            "gaps": gaps.collect::<Vec<_>>(),
            "pruned": self.pruned.iter().map(|pruned| json!({ "segment": pruned.what, "by": pruned.by })).collect::<Vec<_>>(),
            "notSealed": self.unsealed.iter().map(|path| path.display().to_string()).collect::<Vec<_>>(),
        })
    }
}

fn unproved(kind: Kind) -> Unproved {
    match kind {
        Kind::Invalid => Unproved::Invalid,
        Kind::Truncated => Unproved::Truncated,
        Kind::Signature => Unproved::Signature,
        Kind::Unknown => Unproved::UnknownKey,
    }
}

/// By what segments went, of an answer that lists segments.
fn over(told: &Value) -> Over {
    let of = |row: &Value| {
        let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default();
        let event = text("pruneEvent").strip_prefix("auditEvents/")?;
        let by = format!("under {} at {} (event {event})", text("retention"), text("pruneTime"));
        Some((unhex(text("manifestHash").as_bytes())?, by))
    };
    list(told, "decisionSegments").iter().filter_map(of).collect()
}

/// What the control plane was told of, and what of it was pruned.
fn anchors(path: &Path) -> Result<(Vec<Anchor>, Over), Failure> {
    let wrong = |why: String| Failure::File { path: path.to_owned(), source: std::io::Error::other(why) };
    let told: Value = serde_json::from_slice(&read(path)?).map_err(|error| wrong(error.to_string()))?;
    if told.get("decisionSegments").is_none() {
        return Err(wrong("it is not what `decisions segments -o json` prints".to_owned()));
    }
    let anchor = |row: &Value| {
        let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let number = |name: &str| row.get(name).and_then(Value::as_u64);
        let place = text("node");
        let (geo, node) = place.strip_prefix("geos/")?.split_once("/nodes/")?;
        let seqs = (number("firstSeq")?, number("lastSeq")?);
        let hash = unhex(text("manifestHash").as_bytes())?;
        Some(Anchor { node: (geo.to_owned(), node.to_owned()), boot_id: text("bootId"), seqs, hash })
    };
    let rows = list(&told, "decisionSegments").iter();
    let anchors =
        rows.map(|row| anchor(row).ok_or_else(|| wrong(format!("a segment in it does not read: {row}"))));
    Ok((anchors.collect::<Result<_, _>>()?, over(&told)))
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|source| Failure::File { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Asked {
        #[command(flatten)]
        verify: Verify,
    }

    #[test]
    fn where_no_segment_is_sealed_nothing_was_verified() {
        let home = tempfile::tempdir().unwrap();
        let authority = control_plane::ca::Authority::open_or_create(&home.path().join("ca")).unwrap();
        let place = home.path().join("outbox");
        fs::create_dir(&place).unwrap();
        let asked = |places: &[&Path]| {
            let places = places.iter().map(|place| place.as_os_str().to_owned());
            let asked = Asked::parse_from([std::ffi::OsString::from("verify")].into_iter().chain(places));
            (asked.verify.verdict(Some(&authority.certificate_path()), Over::new()).unwrap(), asked.verify)
        };
        for unsealed in [0, 1] {
            let (verdict, verify) = asked(&[&place]);
            assert_eq!((verdict.worst(), verdict.unsealed.len()), (Some(Unproved::Empty), unsealed));
            assert!(
                verdict.text().ends_with("empty: 0 segments of 0 nodes, 0 records\n"),
                "{}",
                verdict.text()
            );
            assert_eq!(verdict.json()["verdict"], "empty");
            let failure = verify.run(Some(&authority.certificate_path())).unwrap_err();
            let told =
                format!("`{}`: nothing was verified: there is no sealed segment in it", place.display());
            assert_eq!((failure.ending().number(), failure.to_string()), (18, told));
            fs::write(place.join("0000000001.jsonl"), "").unwrap();
        }
        let failure = asked(&[&place, home.path()]).1.run(Some(&authority.certificate_path())).unwrap_err();
        assert!(failure.to_string().ends_with("in any of 2 places"), "{failure}");
    }
}
