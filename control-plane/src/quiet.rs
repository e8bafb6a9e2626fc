//! A log that does not repeat itself: trouble that is met many times a second is told when it becomes another, and once a minute while it
//! stays; of trouble that comes and goes as often as somebody else likes, so much and no more. Absent on purpose: counting it, which metrics do.

use std::fmt::Display;
use std::time::{Duration, Instant};

/// How long what was told is not told again.
const AGAIN: Duration = Duration::from_secs(60);

/// What was told last.
#[derive(Debug, Default)]
pub(crate) struct Quiet {
    last: Option<(String, Instant)>,
}

impl Quiet {
    /// Whether trouble is to be told now.
    pub(crate) fn is_news(&mut self, trouble: &impl Display) -> bool {
        self.is_news_at(trouble.to_string(), Instant::now())
    }

    /// All is well: the next trouble is news, whichever it is. Gives whether there was any before.
    pub(crate) fn is_over(&mut self) -> bool {
        self.last.take().is_some()
    }

    fn is_news_at(&mut self, trouble: String, now: Instant) -> bool {
        let known =
            |(last, at): &(String, Instant)| *last == trouble && now.saturating_duration_since(*at) < AGAIN;
        let is_news = !self.last.as_ref().is_some_and(known);
        if is_news {
            self.last = Some((trouble, now));
        }
        is_news
    }
}

/// Trouble that somebody else makes and ends: told once a minute at most, and its end where it was told.
#[derive(Debug, Default)]
pub(crate) struct Fickle {
    begun: Quiet,
    is_told: bool,
}

impl Fickle {
    /// Whether it is to be told now that there is trouble, or that there is none.
    pub(crate) fn is_news(&mut self, trouble: bool) -> bool {
        self.is_news_at(trouble, Instant::now())
    }

    fn is_news_at(&mut self, trouble: bool, now: Instant) -> bool {
        if !trouble {
            return std::mem::take(&mut self.is_told);
        }
        let is_news = !self.is_told && self.begun.is_news_at(String::new(), now);
        self.is_told |= is_news;
        is_news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_told_when_it_becomes_another_and_once_a_minute() {
        let (mut quiet, start) = (Quiet::default(), Instant::now());
        let mut told = |trouble: &str, seconds: u64| {
            quiet.is_news_at(trouble.to_owned(), start + Duration::from_secs(seconds))
        };
        let of_one: Vec<u64> = (0..180).filter(|second| told("a full disk", *second)).collect();
        assert_eq!(of_one, [0, 60, 120]);
        assert!(told("a lock", 180) && told("a full disk", 180) && !told("a full disk", 181));
        assert!(quiet.is_over() && !quiet.is_over());
        assert!(quiet.is_news_at("a full disk".to_owned(), start + Duration::from_secs(182)));
    }

    #[test]
    fn trouble_that_comes_and_goes_is_told_once_a_minute_and_where_it_stays() {
        let (mut fickle, start) = (Fickle::default(), Instant::now());
        let mut told =
            |trouble: bool, second: u64| fickle.is_news_at(trouble, start + Duration::from_secs(second));
        let well = told(false, 0);
        let flips: Vec<u64> = (1..122).filter(|second| told(second % 2 == 1, *second)).collect();
        assert_eq!((well, flips), (false, vec![1, 2, 61, 62, 121]));
        assert!(told(false, 122) && !told(true, 123) && !told(true, 150));
        assert!(told(true, 181) && !told(true, 300), "it stays");
    }
}
