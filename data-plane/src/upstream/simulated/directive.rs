//! What a prompt asks the simulated vendor to do: `[[sim:key=value]]` anywhere in the last user text.
//!
//! Law: directives shape the answer and its faults only; they are cut out of the text before it is answered. One that
//! cannot be read is an error, never ignored: a story whose fault does not happen must not pass.
//!
//! | directive | effect |
//! |---|---|
//! | `delay=50ms` | the head comes that much later |
//! | `pace=10ms` | so does every event of a stream |
//! | `error=503` | that status instead of an answer |
//! | `after=7s` | that long it wants to be left alone, where it fails |
//! | `cut=3` | the connection breaks after 3 events (whole answers: instead of the answer) |
//! | `hang=3` | nothing comes after 3 events (whole answers: nothing at all) |
//! | `say=TEXT`, `repeat=TEXT` | the answer is TEXT |
//! | `times=3` | the answer 3 times over |
//! | `chunk=1` | events of so many characters |
//! | `args=JSON` | arguments of every tool call |
//! | `usage=none`, `usage=7` | no usage, or so many completion tokens claimed |

use std::{borrow::Cow, str::FromStr, time::Duration};

use http::StatusCode;

/// What the prompt asked for beside an answer.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Directives {
    pub(super) delay: Duration,
    pub(super) pace: Duration,
    pub(super) error: Option<StatusCode>,
    pub(super) after: Option<Duration>,
    pub(super) cut: Option<usize>,
    pub(super) hang: Option<usize>,
    pub(super) say: Option<String>,
    pub(super) times: Option<usize>,
    pub(super) chunk: Option<usize>,
    pub(super) args: Option<String>,
    pub(super) usage: Claim,
}

/// Which usage the answer claims.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    /// What was counted.
    #[default]
    Counted,
    /// None at all.
    Omitted,
    /// So many completion tokens.
    Claimed(u64),
}

/// A directive that cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a directive of the simulated provider")]
pub(super) struct Unreadable(String);

/// The longest answer that `times` may make, in repetitions.
const MOST_TIMES: usize = 10_000;

const OPEN: &str = "[[sim:";
const CLOSE: &str = "]]";

/// The directives in `text`, and the text without them.
pub(super) fn read(text: &str) -> Result<(Directives, Cow<'_, str>), Unreadable> {
    let mut directives = Directives::default();
    if !text.contains(OPEN) {
        return Ok((directives, Cow::Borrowed(text)));
    }
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(OPEN) {
        let Some((directive, after)) = after.split_once(CLOSE) else { break };
        kept.push_str(before);
        directives.take(directive).ok_or_else(|| Unreadable(directive.to_owned()))?;
        rest = after;
    }
    kept.push_str(rest);
    Ok((directives, Cow::Owned(kept.trim().to_owned())))
}

impl Directives {
    fn take(&mut self, directive: &str) -> Option<()> {
        let (key, value) = directive.split_once('=')?;
        match key {
            "delay" => self.delay = duration(value)?,
            "pace" => self.pace = duration(value)?,
            "error" => self.error = Some(failing(value)?),
            "after" => self.after = Some(duration(value)?),
            "cut" => self.cut = Some(number(value)?),
            "hang" => self.hang = Some(number(value)?),
            "say" | "repeat" => self.say = Some(value.to_owned()),
            "times" => self.times = Some(number(value).filter(|times| *times <= MOST_TIMES)?),
            "chunk" => self.chunk = Some(number(value).filter(|size| *size > 0)?),
            "args" => self.args = Some(value.to_owned()),
            "usage" if value == "none" => self.usage = Claim::Omitted,
            "usage" => self.usage = Claim::Claimed(number(value)?),
            _ => return None,
        }
        Some(())
    }
}

fn number<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

fn failing(text: &str) -> Option<StatusCode> {
    number::<StatusCode>(text).filter(|status| !status.is_success() && !status.is_informational())
}

fn duration(text: &str) -> Option<Duration> {
    match text.strip_suffix("ms") {
        Some(millis) => number(millis).map(Duration::from_millis),
        None => number(text.strip_suffix('s')?).map(Duration::from_secs),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_are_read_and_cut_out() {
        let (found, rest) = read("Hi [[sim:delay=50ms]] [[sim:cut=3]]there[[sim:say=a [b] c]]").unwrap();
        assert_eq!((found.delay, found.cut), (Duration::from_millis(50), Some(3)));
        assert_eq!((found.say.as_deref(), rest.as_ref()), (Some("a [b] c"), "Hi  there"));
        let (found, _) = read("[[sim:error=503]][[sim:after=7s]][[sim:usage=none]][[sim:delay=2s]]").unwrap();
        assert_eq!(found.after, Some(Duration::from_secs(7)));
        assert_eq!((found.error, found.usage), (Some(StatusCode::SERVICE_UNAVAILABLE), Claim::Omitted));
        assert_eq!(found.delay, Duration::from_secs(2));
    }

    #[test]
    fn ordinary_text_is_left_alone() {
        for text in ["hello", "[[sim:delay=1ms without an end", "[[other:x=1]]", ""] {
            assert_eq!(read(text).unwrap(), (Directives::default(), Cow::Borrowed(text)));
        }
    }

    #[test]
    fn a_directive_that_cannot_be_read_is_an_error() {
        for directive in ["delay=5", "error=200", "cut=-1", "chunk=0", "nonsense=1", "say", "times=1000000"] {
            let text = format!("[[sim:{directive}]]");
            assert_eq!(read(&text), Err(Unreadable(directive.to_owned())), "{directive}");
        }
    }
}
