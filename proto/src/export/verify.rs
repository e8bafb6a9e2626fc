//! Reads an export and tells what is wrong with it, line by line, from the file and keys alone.

use std::io::{self, BufRead};

use super::csv::row;
use super::examine::Examined;
use super::fault::{Fault, Kind, Report};
use super::header::{EARLIEST, FORMAT, Form, Header, VERSION};
use super::keys::{Keys, Trust};
use super::known::Known;
use super::lines::{LONGEST, Lines, Shape};
use super::record::{Record, columns, named, read, read_header};

/// How an export of lines of JSON begins.
const BEGINNING: &[u8] = b"{\"format\":\"chancery-audit-export\"";

/// What some editors and spreadsheets put before the first character.
const MARK: &[u8] = "\u{feff}".as_bytes();

/// Verifies an export.
///
/// # Errors
/// The reader fails. What is wrong with the export is in the report.
pub fn verify(from: impl BufRead, trust: &Trust<'_>) -> io::Result<Report> {
    Ok(looked_through(from, trust, None)?.0)
}

/// Verifies an export that was kept, and gives what is known of its events for a later one.
///
/// # Errors
/// The reader fails. What is wrong with the export is in the report.
pub fn known(from: impl BufRead, keys: &Keys) -> io::Result<(Report, Known)> {
    let trust = Trust { keys, earlier: None, known: None };
    let (report, known) = looked_through(from, &trust, Some(Known::default()))?;
    Ok((report, known.unwrap_or_default()))
}

/// Looks through an export, and keeps in mind what it knows of events where that is wanted.
fn looked_through(
    from: impl BufRead,
    trust: &Trust<'_>,
    known: Option<Known>,
) -> io::Result<(Report, Option<Known>)> {
    let mut lines = Lines::new(from);
    let (form, header) = match begun(&mut lines)? {
        Ok(begun) => begun,
        Err(fault) => {
            let mut report = Report::default();
            report.tell(fault);
            return Ok((report, known));
        }
    };
    let mut examined = Examined::new(header, lines.number, trust);
    examined.known = known;
    let (mut opened, mut ended) = (false, false);
    while let Some(shape) = lines.next()? {
        let line = lines.number;
        if !std::mem::replace(&mut opened, true) {
            examined.opened(lines.before());
        }
        if ended {
            examined.behind(line);
            break;
        }
        match shape {
            Shape::Whole => ended = looked_at(&mut examined, form, &lines),
            Shape::TooLong => examined.unreadable(line, &format!("it is longer than {LONGEST} bytes")),
            Shape::Cut => break,
        }
    }
    if !ended {
        examined.cut(lines.number);
    }
    let known = examined.known.take();
    Ok((examined.done(lines.number), known))
}

/// The checkpoint in an export's header, as it is, for who kept the export and holds a newer one against it.
///
/// # Errors
/// The reader fails, or it is no export.
pub fn checkpoint_of(from: impl BufRead) -> io::Result<Result<String, Fault>> {
    Ok(begun(&mut Lines::new(from))?.map(|(_, header)| header.checkpoint))
}

/// Looks at a whole line after the header; whether it is the end.
fn looked_at<R: BufRead>(examined: &mut Examined<'_>, form: Form, lines: &Lines<R>) -> bool {
    let text = std::str::from_utf8(lines.text());
    match text.map_err(|error| format!("it is not UTF-8 from byte {} on", error.valid_up_to())) {
        Err(what) => examined.unreadable(lines.number, &what),
        Ok(text) => match read(form, text) {
            Ok(Record::Event(entry)) => examined.event(lines.number, &entry),
            Ok(Record::End(end)) => {
                examined.end(lines.number, (&end, &lines.before()));
                return true;
            }
            Err(unreadable) => examined.unreadable(lines.number, &unreadable.0),
        },
    }
    false
}

/// Reads the header, and how the file is spelled.
fn begun<R: BufRead>(lines: &mut Lines<R>) -> io::Result<Result<(Form, Header), Fault>> {
    let stranger = || Fault::at(Kind::NotAnExport, 1, None, "it does not begin as an export does");
    let cut = |line| Fault::at(Kind::Truncated, line, None, "the file ends within the header");
    let Some(shape) = lines.next()? else {
        return Ok(Err(Fault::at(Kind::Empty, 1, None, "the file is empty")));
    };
    let forms = [Form::Csv, Form::EarlierCsv(2), Form::EarlierCsv(1)].map(|form| (form, row(columns(form))));
    let is_rows = forms.iter().any(|(_, columns)| begins(lines.text(), columns.as_bytes()));
    let is_lines = begins(lines.text(), BEGINNING);
    if let Some(how) = saved_anew(lines.text(), &forms.each_ref().map(|(_, columns)| columns.as_bytes())) {
        let what = format!("{how}: it was saved anew by something; verify the file as it was exported");
        return Ok(Err(Fault::at(Kind::Invalid, 1, None, what)));
    }
    let form = forms.iter().find(|(_, columns)| lines.text() == columns.as_bytes());
    let form = match shape {
        Shape::Cut if is_lines || is_rows => return Ok(Err(cut(1))),
        Shape::Whole if lines.text().starts_with(b"{") => return Ok(header(Form::Jsonl, lines)),
        Shape::Whole => match form {
            Some((form, _)) => *form,
            None => return Ok(Err(stranger())),
        },
        _ => return Ok(Err(stranger())),
    };
    Ok(match lines.next()? {
        Some(Shape::Whole) => header(form, lines),
        Some(Shape::TooLong) => Err(stranger()),
        Some(Shape::Cut) | None => Err(cut(lines.number)),
    })
}

/// How the first line of an export differs from what was exported where something else wrote the file again.
fn saved_anew(line: &[u8], columns: &[&[u8]]) -> Option<&'static str> {
    let bare = line.strip_prefix(MARK).unwrap_or(line);
    let text = bare.strip_suffix(b"\r").unwrap_or(bare);
    let is_ours = text.starts_with(BEGINNING) || columns.contains(&text);
    match (bare.len() < line.len(), text.len() < bare.len()) {
        (true, _) if is_ours => Some("it begins with a byte order mark"),
        (false, true) if is_ours => Some("its lines end with CR LF"),
        _ => None,
    }
}

/// Whether what there is of a line begins like this, as far as either goes.
fn begins(line: &[u8], beginning: &[u8]) -> bool {
    line.starts_with(beginning) || beginning.starts_with(line)
}

fn header<R: BufRead>(form: Form, lines: &Lines<R>) -> Result<(Form, Header), Fault> {
    let fault = |kind, what: &str| Err(Fault::at(kind, lines.number, None, what));
    let Some((text, (format, version))) =
        std::str::from_utf8(lines.text()).ok().and_then(|text| Some((text, named(form, text)?)))
    else {
        return match form {
            Form::Jsonl if !lines.text().starts_with(BEGINNING) => {
                fault(Kind::NotAnExport, "it does not begin as an export does")
            }
            _ => fault(Kind::Invalid, "the header does not read"),
        };
    };
    if format != FORMAT {
        return fault(Kind::NotAnExport, "it names another form than that of an export");
    }
    if !(EARLIEST..=VERSION).contains(&version) {
        let what = format!("it is an export of version {version}; this build reads {EARLIEST} to {VERSION}");
        return fault(Kind::NotAnExport, &what);
    }
    let is_of_version = match form {
        Form::Jsonl => true,
        Form::Csv => version == VERSION,
        Form::EarlierCsv(earlier) => version == earlier,
    };
    if !is_of_version {
        return fault(Kind::Invalid, "its columns are not those of its version");
    }
    match read_header(form, text) {
        Ok(header) => Ok((form, header)),
        Err(unreadable) => fault(Kind::Invalid, &unreadable.0),
    }
}
