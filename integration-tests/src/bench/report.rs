//! The table, as text on standard output. The only file of the bench that prints.

use std::io::{self, Write};

use crate::evidence::{Evidence, Sums};
use crate::figures::Compared;
use crate::floors::{Bound, Floor};
use crate::options::Options;
use crate::subject::cores::Cores;
use crate::subject::policy::Policy;
use crate::subject::process::Memory;

/// What was measured, and how.
pub(crate) fn head(options: &Options, cores: Cores) -> io::Result<()> {
    let pinned =
        if cores.apart() { "the measured server alone on one core" } else { "one core for everybody" };
    writeln!(
        io::stdout(),
        "{} rounds of {:.1} s a row, interleaved, medians of rounds and of their ratios; {pinned}; one body in ten has personal data",
        options.rounds,
        options.window.as_secs_f64()
    )
}

/// All rows of one policy.
pub(crate) fn table(policy: &Policy, rows: &[Compared]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "\npolicy: {}", policy.size())?;
    let head = ["requests/s", "", "", "CPU us/request", "", "", "p50 us", "", "p99 us", ""];
    let names = ["limit", "gateway", "x", "limit", "gateway", "x", "limit", "added", "limit", "added"];
    columns(&mut out, "", &head.map(str::to_owned))?;
    columns(&mut out, "row", &names.map(str::to_owned))?;
    for result in rows.iter().filter(|result| result.row.writing.is_none()) {
        let (limit, gateway) = (&result.limit, result.gateway.as_ref());
        let cells = [
            whole(Some(limit.rate)),
            whole(gateway.map(|gateway| gateway.rate)),
            ratio(result.median(|limit, gateway| gateway.rate / limit.rate)),
            tenth(Some(limit.processor_us)),
            tenth(gateway.map(|gateway| gateway.processor_us)),
            ratio(result.median(|limit, gateway| gateway.processor_us / limit.processor_us)),
            whole(Some(limit.p50_us)),
            whole(result.median(|limit, gateway| gateway.p50_us - limit.p50_us)),
            whole(Some(limit.p99_us)),
            whole(result.median(|limit, gateway| gateway.p99_us - limit.p99_us)),
        ];
        columns(&mut out, result.row.name, &cells)?;
    }
    if rows.iter().any(|result| result.row.writing.is_some()) {
        streams(&mut out, rows)?;
    }
    Ok(())
}

fn streams(out: &mut impl Write, rows: &[Compared]) -> io::Result<()> {
    let head = ["events/s", "", "", "CPU us/event", "", "", "1st byte us", ""];
    let names = ["limit", "gateway", "x", "limit", "gateway", "x", "limit", "added"];
    writeln!(out)?;
    columns(out, "", &head.map(str::to_owned))?;
    columns(out, "row", &names.map(str::to_owned))?;
    for result in rows.iter().filter(|result| result.row.writing.is_some()) {
        let (limit, gateway) = (&result.limit, result.gateway.as_ref());
        let cells = [
            whole(Some(limit.rate)),
            whole(gateway.map(|gateway| gateway.rate)),
            ratio(result.median(|limit, gateway| gateway.rate / limit.rate)),
            tenth(Some(limit.processor_us_per_event)),
            tenth(gateway.map(|gateway| gateway.processor_us_per_event)),
            ratio(
                result.median(|limit, gateway| gateway.processor_us_per_event / limit.processor_us_per_event),
            ),
            whole(Some(limit.first_byte_us)),
            whole(result.median(|limit, gateway| gateway.first_byte_us - limit.first_byte_us)),
        ];
        columns(out, result.row.name, &cells)?;
    }
    Ok(())
}

fn columns(out: &mut impl Write, name: &str, cells: &[String]) -> io::Result<()> {
    write!(out, "{name:24}")?;
    for cell in cells {
        write!(out, "{cell:>11}")?;
    }
    writeln!(out)
}

fn whole(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.0}"))
}

fn tenth(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"))
}

fn ratio(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"))
}

/// Resident memory of the measured servers after the load, and of the gateway before it.
pub(crate) fn memory(subjects: &[(&str, Memory)], idle: Memory) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    writeln!(out, "\nRSS MB: gateway idle {:.1}", megabytes(idle.now))?;
    for (name, memory) in subjects {
        writeln!(
            out,
            "  {name:22} after load {:.1}, peak {:.1}",
            megabytes(memory.now),
            megabytes(memory.peak)
        )?;
    }
    Ok(())
}

/// Each floor beside what was measured.
pub(crate) fn floors(floors: &[Floor]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if !floors.is_empty() {
        writeln!(out, "\nfloor at issue 1")?;
    }
    for floor in floors {
        let bound = match floor.bound {
            Bound::AtMost(bound) => format!("<= {bound}"),
            Bound::AtLeast(bound) => format!(">= {bound}"),
        };
        let verdict = if floor.holds() { "holds" } else { "MISSED" };
        writeln!(out, "  {:36}{:>10.2}  {bound:10}{verdict}", floor.what, floor.measured)?;
    }
    Ok(())
}

/// What the parties say; the judgement follows as an error, or as silence.
pub(crate) fn evidence(evidence: &Evidence) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let Evidence { limit, gateway, served, ledger, policy_bytes } = evidence;
    writeln!(out, "\nevidence")?;
    writeln!(
        out,
        "  sent: {} to the limit, {} to the gateway; the mock served {served}",
        limit.requests, gateway.requests
    )?;
    writeln!(out, "  errors: {}", limit.errors + gateway.errors)?;
    let Some(ledger) = ledger else { return Ok(()) };
    let mut hand = |name: &str, sums: Sums| {
        let Sums { requests, input_tokens, output_tokens, findings } = sums;
        writeln!(
            out,
            "  {name}: {requests} requests, {input_tokens} + {output_tokens} tokens, {findings} findings"
        )
    };
    hand("records", ledger.records)?;
    hand("metrics", ledger.metrics)?;
    let keys = gateway.distinct_keys();
    writeln!(
        out,
        "  policy: {policy_bytes} bytes; distinct keys: {keys}; bodies with personal data: {}",
        gateway.personal
    )
}

/// Says on standard error why there is no result.
pub(crate) fn complain(error: &anyhow::Error) {
    // Nobody is left to tell if standard error is closed.
    let _told = writeln!(io::stderr(), "bench: {error:#}");
}
