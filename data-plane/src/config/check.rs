//! Values that have the right form and can't be meant.
//!
//! Law: every fault is told, by the key's name, with what was given and what would do. Deliberately absent: what only the machine
//! can tell, such as whether a file is there or a port is free.

use std::fmt::Display;

use http::Uri;

use super::Config;
use crate::ship::Store;

/// The most of anything that is counted: what a semaphore can hold, whatever the machine.
const MOST: u64 = 1 << 28;
/// The most bytes of anything, far beyond any machine's.
const MOST_BYTES: u64 = 1 << 50;
/// The longest of any time: a week, in seconds.
const WEEK: u64 = 7 * 24 * 3600;

/// The longest that a segment grows, in seconds.
const DAY: u64 = 24 * 3600;

/// The least time without a heartbeat that means anything: two of them, and one second.
const HEARD: u64 = 5;

impl Config {
    /// What can't be meant; nothing where all is well.
    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults = Faults(Vec::new());
        let (bounds, drain) = (&self.bounds, &self.drain);
        let wide = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        faults.between("state.outbox_places", wide(self.state.outbox_places), (1, MOST));
        faults.between("state.outbox_file_bytes", self.state.outbox_file_bytes, (1, MOST_BYTES));
        let decisions = &self.decisions;
        faults.between("decisions.segment_records", decisions.segment_records, (1, 1_000_000));
        faults.between("decisions.segment_seconds", decisions.segment_seconds, (1, DAY));
        faults.between("decisions.keep_bytes", decisions.keep_bytes, (0, MOST_BYTES));
        if let Err(why) = Store::of(decisions, |name| std::env::var(name).ok()) {
            faults.add("decisions.store", decisions.store.as_deref().unwrap_or_default(), &why);
        }
        let secrets = &self.secrets;
        faults.between("secrets.refresh_seconds", secrets.refresh_seconds, (10, DAY));
        faults.between("secrets.keep_seconds", secrets.keep_seconds, (0, WEEK));
        let policy = &self.policy;
        faults.between("policy.keys_stale_seconds", policy.keys_stale_seconds.into(), (HEARD, WEEK));
        faults.between("policy.rules_stale_seconds", policy.rules_stale_seconds.into(), (HEARD, WEEK));
        let fetch = &self.fetch;
        faults.between("fetch.files", wide(fetch.files), (1, 1000));
        faults.between("fetch.file_bytes", wide(fetch.file_bytes), (1, MOST_BYTES));
        faults.between("fetch.seconds", fetch.seconds, (1, 600));
        faults.between("fetch.at_once", wide(fetch.at_once), (wide(fetch.files), MOST));
        let name = |host: &str| host.strip_prefix("*.").unwrap_or(host).to_owned();
        let odd = |host: &&String| {
            let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-._".contains(c);
            !matches!(name(host), name if !name.is_empty() && name.chars().all(fits))
        };
        if let Some(host) = fetch.hosts.iter().find(odd) {
            faults.add(
                "fetch.hosts",
                host,
                "it must be a host in lower case, such as `a.example.org` or `*.example.org`",
            );
        }
        faults.between("bounds.body_bytes", wide(bounds.body_bytes), (1, MOST_BYTES));
        faults.between("bounds.buffered_bytes", wide(bounds.buffered_bytes), (1, MOST_BYTES));
        faults.between("bounds.request_seconds", bounds.request_seconds, (1, WEEK));
        faults.between("bounds.connections", wide(bounds.connections), (1, MOST));
        faults.between("bounds.header_seconds", bounds.header_seconds, (1, WEEK));
        faults.between("bounds.stalled_seconds", bounds.stalled_seconds, (1, WEEK));
        faults.between("bounds.requests", wide(bounds.requests), (1, MOST));
        faults.between("drain.seconds", drain.seconds, (0, WEEK));
        faults.between("drain.grace_seconds", drain.grace_seconds, (0, WEEK));
        if bounds.buffered_bytes < bounds.body_bytes {
            let why = "it must be at least `bounds.body_bytes`, or no large body is ever taken";
            faults.add("bounds.buffered_bytes", bounds.buffered_bytes, why);
        }
        self.telemetry_faults(&mut faults);
        self.address_faults(&mut faults);
        self.identity_faults(&mut faults);
        faults.0
    }

    fn telemetry_faults(&self, faults: &mut Faults) {
        let ratio = self.telemetry.trace_ratio;
        if !(0.0..=1.0).contains(&ratio) {
            faults.add("telemetry.trace_ratio", ratio, "it must be between 0 and 1");
        }
        let endpoint = self.telemetry.otlp_endpoint.as_deref().filter(|endpoint| !endpoint.is_empty());
        if let Some(endpoint) = endpoint
            && !is_url_of(endpoint, &["http", "https"])
        {
            let why = "it must be a URL such as `http://127.0.0.1:4317` or `https://collector.internal:4317`";
            faults.add("telemetry.otlp_endpoint", endpoint, why);
        }
    }

    fn identity_faults(&self, faults: &mut Faults) {
        let control = &self.control;
        let token = control.enrolment_token.as_ref().filter(|token| !token.reveal().trim().is_empty());
        let files = [&control.ca, &control.certificate, &control.key];
        let given = files.iter().filter(|file| file.is_some()).count();
        if given > 0 && given < files.len() {
            let why =
                "`control.ca`, `control.certificate` and `control.key` are given together or not at all";
            faults.0.push(why.to_owned());
        }
        if token.is_some() && control.enrolment_token_file.is_some() {
            faults.0.push(
                "`control.enrolment_token` and `control.enrolment_token_file`: give one of them".to_owned(),
            );
        }
        if given > 0 && (token.is_some() || control.enrolment_token_file.is_some()) {
            let why = "`control.enrolment_token` makes a certificate, and `control.certificate` is one: give one of them";
            faults.0.push(why.to_owned());
        }
    }

    fn address_faults(&self, faults: &mut Faults) {
        if !is_url_of(&self.control.url, &["https"]) {
            let why = "it must be a URL such as `https://control.internal:7071`";
            faults.add("control.url", &self.control.url, why);
        }
        let listen = &self.listen;
        if listen.inference == listen.ops && listen.ops.port() != 0 {
            faults.add("listen.ops", listen.ops, "it is the address of `listen.inference` too");
        }
    }
}

struct Faults(Vec<String>);

impl Faults {
    fn add(&mut self, key: &str, value: impl Display, why: &str) {
        self.0.push(format!("`{key}` is {value}: {why}"));
    }

    fn between(&mut self, key: &str, value: u64, (least, most): (u64, u64)) {
        if value < least {
            self.add(key, value, &format!("it must be at least {least}"));
        } else if value > most {
            self.add(key, value, &format!("it must be at most {most}"));
        }
    }
}

/// Whether it is a URL of a server: one of these schemes, a host, and nothing that would be ignored.
fn is_url_of(text: &str, schemes: &[&str]) -> bool {
    let Ok(uri) = text.parse::<Uri>() else { return false };
    let Some(authority) = uri.authority() else { return false };
    uri.scheme_str().is_some_and(|scheme| schemes.contains(&scheme))
        && !authority.host().is_empty()
        && !authority.as_str().contains('@')
        && matches!(uri.path(), "" | "/")
        && uri.query().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wrong with the least configuration, changed by these lines.
    fn faults(url: &str, more: &str) -> Vec<String> {
        let text = format!("[control]\nurl = '{url}'\nca = 'a'\ncertificate = 'c'\nkey = 'k'\n{more}");
        text.parse::<toml::Table>().unwrap().try_into::<Config>().unwrap().faults()
    }

    #[test]
    fn a_value_that_can_not_be_meant_is_refused_by_name() {
        for (section, key, values) in [
            ("state", "outbox_places", &["0", "9000000000000000000"][..]),
            ("state", "outbox_file_bytes", &["0"]),
            ("decisions", "segment_records", &["0", "1000001"]),
            ("decisions", "segment_seconds", &["0", "86401"]),
            ("decisions", "store", &["'dir:a'", "'/a'", "'ftp://a/b'", "'s3://'", "'s3://A_b/c'"]),
            ("decisions", "keep_bytes", &["9000000000000000000"]),
            ("secrets", "refresh_seconds", &["9", "86401"]),
            ("secrets", "keep_seconds", &["604801"]),
            ("policy", "keys_stale_seconds", &["0", "4", "604801"]),
            ("policy", "rules_stale_seconds", &["0", "604801"]),
            ("fetch", "files", &["0", "1001"]),
            ("fetch", "file_bytes", &["0"]),
            ("fetch", "seconds", &["0", "601"]),
            ("fetch", "at_once", &["0", "7"]),
            ("fetch", "hosts", &["['']", "['*.']", "['https://a.org']", "['A.org']", "['a.*.org']"]),
            ("bounds", "body_bytes", &["0", "9000000000000000000"]),
            ("bounds", "buffered_bytes", &["0", "1024"]),
            ("bounds", "request_seconds", &["0", "9000000000000000000"]),
            ("bounds", "connections", &["0", "9000000000000000000"]),
            ("bounds", "header_seconds", &["0"]),
            ("bounds", "stalled_seconds", &["0"]),
            ("bounds", "requests", &["0"]),
            ("drain", "seconds", &["9000000000000000000"]),
            ("drain", "grace_seconds", &["9000000000000000000"]),
            ("telemetry", "trace_ratio", &["7.0", "-0.1", "nan", "inf"]),
            ("telemetry", "otlp_endpoint", &["'collector:4317'", "'grpc://c:4317'", "'http://c/v1/traces'"]),
            ("listen", "ops", &["'127.0.0.1:8080'"]),
        ] {
            for value in values {
                let faults = faults("https://c:7071", &format!("[{section}]\n{key} = {value}\n"));
                let named = format!("`{section}.{key}` is ");
                assert!(faults.iter().any(|fault| fault.starts_with(&named)), "{key} = {value}: {faults:?}");
            }
        }
        let two = faults("http://c", "[bounds]\nrequests = 0\n[drain]\nseconds = 0\ngrace_seconds = 0\n");
        assert_eq!(two.len(), 2, "all of them are told: {two:?}");
    }

    #[test]
    fn a_node_is_known_by_a_token_or_by_a_certificate_and_not_by_half_of_one() {
        let faults = |lines: &str| {
            let text = format!("[control]\nurl = 'https://c:7071'\n{lines}");
            text.parse::<toml::Table>().unwrap().try_into::<Config>().unwrap().faults()
        };
        let files = "ca = 'a'\ncertificate = 'c'\nkey = 'k'\n";
        let token = "enrolment_token = 'chyn_a_secret_b'\n";
        for good in
            ["", files, token, "enrolment_token_file = 't'\n", &format!("{files}enrolment_token = ''\n")]
        {
            assert_eq!(faults(good), Vec::<String>::new(), "{good}");
        }
        let both = format!("{files}{token}");
        for bad in [
            "ca = 'a'\n",
            "certificate = 'c'\nkey = 'k'\n",
            &both,
            &format!("{token}enrolment_token_file = 't'\n"),
        ] {
            let told = faults(bad);
            assert!(told.len() == 1 && !told[0].contains("secret"), "{bad}: {told:?}");
        }
    }

    #[test]
    fn the_control_planes_url_is_https_and_has_a_host() {
        for good in ["https://c:7071", "https://[::1]:7071/", "https://10.0.0.1"] {
            assert_eq!(faults(good, ""), Vec::<String>::new());
        }
        for bad in [
            "",
            "c:7071",
            "http://c:7071",
            "https://",
            "https://:7071",
            "https://u:p@c",
            "https://c/x",
            "https://c?x",
        ] {
            let faults = faults(bad, "");
            assert!(faults.len() == 1 && faults[0].starts_with("`control.url` is "), "{bad}: {faults:?}");
        }
    }
}
