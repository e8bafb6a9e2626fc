//! Whether a run is a result: what was sent, what was recorded and what was charged must be the same requests.

use crate::load::Tally;
use crate::servers::mock::USAGE;

/// What the parties say about one run.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    /// What the client sent through the pass-throughs.
    pub(crate) limit: Tally,
    /// What the client sent through the gateway.
    pub(crate) gateway: Tally,
    /// What the mock served.
    pub(crate) served: u64,
    /// What the gateway wrote down; none where there was no gateway.
    pub(crate) ledger: Option<Ledger>,
    /// Size of the snapshot the gateway held.
    pub(crate) policy_bytes: u64,
}

/// Sums over what the gateway wrote down, by its two hands.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ledger {
    pub(crate) records: Sums,
    pub(crate) metrics: Sums,
}

/// What one hand wrote.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) requests: u64,
    pub(crate) input_tokens: u64,
    pub(crate) output_tokens: u64,
    pub(crate) findings: u64,
}

impl Evidence {
    /// # Errors
    /// Every disagreement, in one message.
    pub(crate) fn judge(&self) -> anyhow::Result<()> {
        let mut faults = Vec::new();
        let mut equal = |what: &str, found: u64, wanted: u64| {
            if found != wanted {
                faults.push(format!("{what}: {found} instead of {wanted}"));
            }
        };
        let sent = self.gateway.requests;
        equal("errors", self.limit.errors + self.gateway.errors, 0);
        equal("requests the mock served", self.served, self.limit.requests + sent);
        if let Some(ledger) = &self.ledger {
            for (hand, sums) in [("records", ledger.records), ("metrics", ledger.metrics)] {
                equal(&format!("requests in the {hand}"), sums.requests, sent);
                equal(&format!("input tokens in the {hand}"), sums.input_tokens, sent * USAGE.input);
                equal(&format!("output tokens in the {hand}"), sums.output_tokens, sent * USAGE.output);
            }
            if ledger.records.findings == 0 || ledger.metrics.findings == 0 {
                faults
                    .push(format!("{} requests named a person and nothing was found", self.gateway.personal));
            }
        }
        if self.limit.requests == 0 || (self.ledger.is_some() && sent == 0) {
            faults.push("nothing was measured".to_owned());
        }
        anyhow::ensure!(faults.is_empty(), "the run is no result: {}", faults.join("; "));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound() -> Evidence {
        let tally = |requests| Tally { requests, ..Tally::default() };
        let sums = Sums {
            requests: 10,
            input_tokens: 10 * USAGE.input,
            output_tokens: 10 * USAGE.output,
            findings: 1,
        };
        let ledger = Some(Ledger { records: sums, metrics: sums });
        Evidence { limit: tally(5), gateway: tally(10), served: 15, ledger, policy_bytes: 1 }
    }

    #[test]
    fn a_run_that_lost_anything_is_no_result() {
        type Spoil = fn(&mut Evidence);
        let spoils: [Spoil; 8] = [
            |run| run.gateway.errors = 1,
            |run| run.served += 1,
            |run| run.limit = Tally::default(),
            |run| run.ledger.as_mut().unwrap().records.requests -= 1,
            |run| run.ledger.as_mut().unwrap().metrics.requests += 1,
            |run| run.ledger.as_mut().unwrap().records.input_tokens -= 1,
            |run| run.ledger.as_mut().unwrap().metrics.output_tokens += 1,
            |run| run.ledger.as_mut().unwrap().records.findings = 0,
        ];
        sound().judge().unwrap();
        for (number, spoil) in spoils.into_iter().enumerate() {
            let mut run = sound();
            spoil(&mut run);
            assert!(run.judge().is_err(), "spoil {number}");
        }
    }
}
