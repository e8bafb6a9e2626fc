//! The load bench: mock upstream, pass-through proxy and gateway side by side in one run, and one table at the end.
//!
//! Ratios to the pass-through are the result, absolute times are context; a run that lost a record, a token or a request is
//! no result but a failure. Nothing is measured inside a process that is being measured: each party is its own process.

mod evidence;
mod figures;
mod fleet;
mod floors;
mod load;
mod options;
mod report;
mod rows;
mod run;
mod servers;
mod subject;

use std::process::ExitCode;

use options::Options;

fn main() -> ExitCode {
    let words = || std::env::args().skip(1);
    let outcome = match fleet::Options::is_meant(words()) {
        true => fleet::Options::parse(words()).and_then(|options| fleet::main(&options)),
        false => Options::parse(words()).and_then(|options| run::play(&options)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::complain(&error);
            ExitCode::FAILURE
        }
    }
}
