//! The stories of the house, one binary so that they are linked once.
//!
//! A story takes a door and is told through both (`stories!`); what is not about asking models is a plain test. `parity` holds
//! the count of that.

/// Tells each of these through both doors, and compares what the house wrote down.
#[cfg(test)]
macro_rules! stories {
    ($($story:ident),* $(,)?) => {
        mod through_both_doors {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $story() {
                    let told = integration_tests::scene::through_both_doors(super::$story);
                    Box::pin(told).await.unwrap();
                }
            )*
        }
    };
}

#[cfg(test)]
mod adapters;
#[cfg(test)]
mod admin;
#[cfg(test)]
mod answer;
#[cfg(test)]
mod answers;
#[cfg(test)]
mod assumed;
#[cfg(test)]
mod audited;
#[cfg(test)]
mod auditor;
#[cfg(test)]
mod away;
#[cfg(test)]
mod bad_dialects;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod break_glass;
#[cfg(test)]
mod bucket;
#[cfg(test)]
mod captured;
#[cfg(test)]
mod change;
#[cfg(test)]
mod clients;
#[cfg(test)]
mod crash_loops;
#[cfg(test)]
mod decisions;
#[cfg(test)]
mod descriptors;
#[cfg(test)]
mod dev;
#[cfg(test)]
mod drains;
#[cfg(test)]
mod enrolment;
#[cfg(test)]
mod erased;
#[cfg(test)]
mod evaluated;
#[cfg(test)]
mod exports;
#[cfg(test)]
mod fallback;
#[cfg(test)]
mod fields;
#[cfg(test)]
mod files;
#[cfg(test)]
mod four_eyes;
#[cfg(test)]
mod functions;
#[cfg(test)]
mod governance;
#[cfg(test)]
mod history;
#[cfg(test)]
mod imported;
#[cfg(test)]
mod kept_elsewhere;
#[cfg(test)]
mod litellm;
#[cfg(test)]
mod manifest;
#[cfg(test)]
mod mixed;
#[cfg(test)]
mod once;
#[cfg(test)]
mod operators;
#[cfg(test)]
mod overlay;
#[cfg(test)]
mod parity;
#[cfg(test)]
mod platform_auditor;
#[cfg(test)]
mod policy;
#[cfg(test)]
mod proved;
#[cfg(test)]
mod providers;
#[cfg(test)]
mod publish_kill;
#[cfg(test)]
mod readme;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod replayed;
#[cfg(test)]
mod responses;
#[cfg(test)]
mod restored;
#[cfg(test)]
mod retained;
#[cfg(test)]
mod rollouts;
#[cfg(test)]
mod rotations;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod shapes;
#[cfg(test)]
mod sharing;
#[cfg(test)]
mod simulated;
#[cfg(test)]
mod slips;
#[cfg(test)]
mod staleness;
#[cfg(test)]
mod stalled;
#[cfg(test)]
mod streams;
#[cfg(test)]
mod survival;
#[cfg(test)]
mod telemetry;
#[cfg(test)]
mod templates;
#[cfg(test)]
mod unauthorised;
#[cfg(test)]
mod unseen;
#[cfg(test)]
mod upstream;
#[cfg(test)]
mod verbs;
#[cfg(test)]
mod wire;
