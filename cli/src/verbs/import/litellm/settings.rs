//! What counts for all models of a file: fallbacks, aliases, strategy, times and budgets.
//!
//! Law: a setting that nobody reads is noted, with what there is instead where there is something.

use super::at::At;
use super::deployment::{budget, seconds};

/// What the settings say that is carried.
#[derive(Default)]
pub(super) struct Settings<'n> {
    /// Of a model, the models that are tried after it, in order.
    pub(super) fallbacks: Vec<(&'n str, Vec<At<'n>>)>,
    /// The same, of every model that has none of its own.
    pub(super) default_fallbacks: Vec<At<'n>>,
    /// Other names, and the models they mean.
    pub(super) aliases: Vec<(&'n str, At<'n>)>,
    /// How a group is ordered.
    pub(super) policy: &'static str,
    /// Until a whole answer is there, where an entry does not say.
    pub(super) timeout: Option<String>,
    /// Requests at once, of an entry that does not say.
    pub(super) parallel: Option<u64>,
    /// Requests at once, all of them.
    pub(super) all_parallel: Option<u64>,
    /// Money for all requests, and in which time.
    pub(super) budget: Option<(String, String)>,
    /// Money for a vendor's.
    pub(super) vendors: Vec<(At<'n>, &'n str, (String, String))>,
}

/// What a strategy is here.
const STRATEGIES: [(&str, &str); 4] = [
    ("simple-shuffle", "weighted"),
    ("least-busy", "leastBusy"),
    ("latency-based-routing", "latency"),
    ("cost-based-routing", "cost"),
];

/// Reads the sections that are not the models'.
pub(super) fn read<'n>(
    router: Option<At<'n>>,
    module: Option<At<'n>>,
    general: Option<At<'n>>,
) -> Settings<'n> {
    let mut settings = Settings { policy: "weighted", ..Settings::default() };
    let (mut most, mut window) = (None, None);
    // The router's own word counts before the module's, so it is read last.
    for (key, at) in module.iter().chain(&router).flat_map(At::pairs) {
        match key {
            "fallbacks" => settings.fallbacks.extend(fallbacks(&at)),
            "default_fallbacks" => settings.default_fallbacks.extend(at.items()),
            "model_group_alias" => settings.aliases.extend(at.pairs()),
            "routing_strategy" => settings.policy = strategy(&at),
            "timeout" | "request_timeout" => settings.timeout = seconds(&at).or(settings.timeout),
            "max_budget" => most = Some(at),
            "budget_duration" => window = Some(at),
            "provider_budget_config" => settings.vendors.extend(at.pairs().into_iter().filter_map(vendor)),
            _ => at.left(instead(key)),
        }
    }
    settings.budget = budget(most, window);
    for (key, at) in general.iter().flat_map(At::pairs) {
        match key {
            "max_parallel_requests" => settings.parallel = at.count(),
            "global_max_parallel_requests" => settings.all_parallel = at.count(),
            _ => at.left(instead(key)),
        }
    }
    settings
}

/// `[{a: [b, c]}, ..]`.
fn fallbacks<'n>(at: &At<'n>) -> Vec<(&'n str, Vec<At<'n>>)> {
    let pairs = at.items().into_iter().flat_map(|item| item.pairs());
    pairs.map(|(model, after)| (model, after.items())).collect()
}

fn strategy(at: &At<'_>) -> &'static str {
    let named = at.text().unwrap_or_default();
    let found = STRATEGIES.iter().find(|(theirs, _)| *theirs == named).map(|(_, ours)| *ours);
    found.unwrap_or_else(|| {
        at.left("is no policy that a route has: models are `weighted`");
        "weighted"
    })
}

/// `{openai: {budget_limit: 10, time_period: 1d}}`.
fn vendor<'n>((name, at): (&'n str, At<'n>)) -> Option<(At<'n>, &'n str, (String, String))> {
    let (mut most, mut window) = (None, None);
    for (key, of) in at.pairs() {
        match key {
            "budget_limit" | "max_budget" => most = Some(of),
            "time_period" | "budget_duration" => window = Some(of),
            _ => of.left(instead(key)),
        }
    }
    Some((at, name, budget(most, window)?))
}

/// What there is instead of a setting that is not carried.
fn instead(key: &str) -> &'static str {
    match key {
        "master_key" => {
            "an administrator's token is the control plane's configuration; callers' keys are made by `chancery keys create`"
        }
        "database_url" => {
            "keys, teams and budgets of its database are not in this file: declare tenants, teams and limits"
        }
        "context_window_fallbacks" => "a route has no branch for prompts that are too long",
        "content_policy_fallbacks" => "a route has no branch for refused content",
        "num_retries"
        | "max_retries"
        | "retry_policy"
        | "model_group_retry_policy"
        | "allowed_fails"
        | "allowed_fails_policy"
        | "cooldown_time"
        | "disable_cooldowns"
        | "retry_after" => "how often is tried again, and when no more, is the node's to say",
        "redis_host" | "redis_port" | "redis_password" | "redis_url" => {
            "counters are shared by what the node's configuration names"
        }
        "cache" | "cache_params" | "cache_responses" | "caching_groups" => {
            "caching is not a matter of this file"
        }
        "callbacks" | "success_callback" | "failure_callback" | "service_callbacks" => {
            "records of decisions, metrics and traces are there without callbacks"
        }
        "drop_params" | "modify_params" => {
            "a request is carried as it is: an endpoint's `unknownFields` says what becomes of unknown fields"
        }
        "key_management_system" | "key_management_settings" => {
            "variables named by `os.environ/..` are the node's own environment, whatever filled them in LiteLLM"
        }
        "enable_pre_call_checks" => "what goes beyond a model's context window is the vendor's to refuse",
        "guardrails" => "declare `kind: Guardrail`",
        "default_team_settings" | "team_settings" => "declare teams",
        "enable_jwt_auth" | "litellm_jwtauth" | "custom_auth" => "who calls is told by keys",
        _ => "has no counterpart",
    }
}
