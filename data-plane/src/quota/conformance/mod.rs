//! One suite for every ledger: what a limit promises, whoever keeps the counters.
//!
//! Each check takes a function that makes an empty ledger, and the instants it needs; nothing sleeps. A new adapter joins
//! with one line of [`conformance!`].

mod budgets;
mod clock;
mod ends;
mod fixtures;
mod lines;
mod rates;
mod threads;

/// Runs every check against the ledgers that `$make` makes.
macro_rules! conformance {
    ($ledger:ident, $make:expr) => {
        mod $ledger {
            conformance!(@ $make;
                rates::request_rates_are_exact_gcra,
                rates::no_window_admits_more_than_burst_and_refill,
                rates::token_buckets_agree_with_a_naive_one,
                rates::a_request_over_the_whole_limit_is_told_not_to_wait,
                rates::an_amount_of_nothing_passes_a_bucket_in_debt,
                rates::a_changed_limit_keeps_what_was_used,
                budgets::used_and_held_never_pass_the_limit,
                budgets::a_month_in_berlin_resets_once,
                budgets::a_day_of_25_hours_resets_once,
                budgets::what_is_in_flight_counts_in_the_next_period,
                budgets::tokens_and_requests_can_be_budgeted,
                budgets::a_changed_period_does_not_lock_out,
                lines::a_refusal_changes_no_other_line,
                lines::the_longest_wait_is_told,
                lines::subjects_do_not_share,
                lines::adjusting_moves_to_other_lines,
                lines::a_refused_adjustment_keeps_the_hold,
                lines::extending_takes_more_or_nothing,
                lines::standings_take_nothing,
                ends::a_hold_is_charged_once_however_often_it_is_settled,
                ends::a_released_hold_was_never_taken,
                ends::an_expired_budget_is_charged_its_checkpoint,
                ends::a_late_settle_adds_exactly_what_is_missing,
                ends::a_late_settle_refunds_only_its_own_period,
                ends::a_checkpoint_puts_the_deadline_off,
                ends::an_ended_hold_gives_no_more,
                ends::a_dropped_reservation_is_released_or_charged,
                ends::any_order_of_ends_conserves,
                clock::an_hour_back_grants_and_locks_nothing,
                clock::an_hour_ahead_and_back_locks_nobody_out,
                clock::requests_of_long_ago_do_not_refill,
                clock::a_period_never_returns,
                threads::a_budget_is_used_up_exactly,
                threads::places_are_never_overbooked,
                threads::a_rate_is_kept_and_used,
                threads::settling_from_everywhere_charges_once,
                threads::lines_in_any_order_do_not_deadlock,
            );
        }
    };
    (@ $make:expr; $($group:ident :: $check:ident,)*) => {
        $(
            #[test]
            fn $check() {
                super::$group::$check(&|| $make);
            }
        )*
    };
}

conformance!(memory, crate::quota::Ledger::memory());
