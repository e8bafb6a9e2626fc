//! The admin API over gRPC: one service a kind, and those that work on all.
//!
//! Law: every call is authenticated, then authorised by Casbin in the domain of what it is about, and every write is one
//! publication. A stranger is refused before anything of their message is read. Absent on purpose: REST, which calls these.

mod administrators;
mod as_of;
mod audit;
mod call;
mod captured;
mod decisions;
mod drains;
mod elevations;
mod export;
mod history;
mod holds;
mod keys;
mod kills;
mod mask;
mod nodes;
mod page;
mod policy;
mod proposals;
mod retentions;
mod revisions;
mod rollouts;
mod services;
mod simulate;
mod standard;
mod subjects;
mod survey;
mod tokens;
mod warnings;

use proto::admin::administrators_service_server::AdministratorsServiceServer;
use proto::admin::audit_checkpoints_service_server::AuditCheckpointsServiceServer;
use proto::admin::audit_keys_service_server::AuditKeysServiceServer;
use proto::admin::audit_leaves_service_server::AuditLeavesServiceServer;
use proto::admin::audit_service_server::AuditServiceServer;
use proto::admin::captured_content_service_server::CapturedContentServiceServer;
use proto::admin::decision_segments_service_server::DecisionSegmentsServiceServer;
use proto::admin::elevations_service_server::ElevationsServiceServer;
use proto::admin::endpoints_service_server::EndpointsServiceServer;
use proto::admin::enrolment_tokens_service_server::EnrolmentTokensServiceServer;
use proto::admin::grants_service_server::GrantsServiceServer;
use proto::admin::guardrails_service_server::GuardrailsServiceServer;
use proto::admin::history_service_server::HistoryServiceServer;
use proto::admin::holds_service_server::HoldsServiceServer;
use proto::admin::keys_service_server::KeysServiceServer;
use proto::admin::kills_service_server::KillsServiceServer;
use proto::admin::licence_acceptances_service_server::LicenceAcceptancesServiceServer;
use proto::admin::licences_service_server::LicencesServiceServer;
use proto::admin::limits_service_server::LimitsServiceServer;
use proto::admin::models_service_server::ModelsServiceServer;
use proto::admin::nodes_service_server::NodesServiceServer;
use proto::admin::policy_service_server::PolicyServiceServer;
use proto::admin::prices_service_server::PricesServiceServer;
use proto::admin::principals_service_server::PrincipalsServiceServer;
use proto::admin::proposals_service_server::ProposalsServiceServer;
use proto::admin::providers_service_server::ProvidersServiceServer;
use proto::admin::retentions_service_server::RetentionsServiceServer;
use proto::admin::revisions_service_server::RevisionsServiceServer;
use proto::admin::roles_service_server::RolesServiceServer;
use proto::admin::rollouts_service_server::RolloutsServiceServer;
use proto::admin::rules_service_server::RulesServiceServer;
use proto::admin::subjects_service_server::SubjectsServiceServer;
use proto::admin::teams_service_server::TeamsServiceServer;
use proto::admin::tenants_service_server::TenantsServiceServer;
use proto::status::Refusal;
use tonic::metadata::MetadataMap;
use tonic::service::Routes;
use tonic::service::interceptor::InterceptedService;
use tonic::{Request, Status};

use crate::actor::Authenticator;
use crate::checkpoints::Checkpoints;
use crate::config::RolloutConfig;
use crate::elevations::Elevations;
use crate::enrolment::Enrolment;
use crate::history::Past;
use crate::nodes::NodeRegistry;
use crate::publish::Publisher;
use crate::retention::Retentions;

pub(in crate::api) use call::ByRest;

/// The admin API. Clones share it.
#[derive(Debug, Clone)]
pub struct Admin {
    publisher: Publisher,
    authenticator: Authenticator,
    nodes: NodeRegistry,
    enrolment: Option<Enrolment>,
    elevations: Option<Elevations>,
    retentions: Option<Retentions>,
    rollouts: RolloutConfig,
    checkpoints: Option<Checkpoints>,
    past: Past,
    holdings: history::Holdings,
}

/// Bytes of one message at most: a directory of declarative files is one.
const MESSAGE_BYTES: usize = 32 << 20;

impl Admin {
    /// The admin API over a publisher, for the callers an authenticator knows.
    pub fn new(publisher: Publisher, authenticator: Authenticator, nodes: NodeRegistry) -> Self {
        let rollouts = RolloutConfig::default();
        Self {
            publisher,
            authenticator,
            nodes,
            enrolment: None,
            elevations: None,
            retentions: None,
            rollouts,
            checkpoints: None,
            past: Past::default(),
            holdings: history::Holdings::default(),
        }
    }

    /// The same, which makes tokens for nodes too.
    pub fn enrolling(self, enrolment: Enrolment) -> Self {
        Self { enrolment: Some(enrolment), ..self }
    }

    /// The same, where rights can be taken for a while.
    pub fn breaking_glass(self, elevations: Elevations) -> Self {
        Self { elevations: Some(elevations), ..self }
    }

    /// The same, whose rollouts go by these stages.
    pub fn rolling_out(self, rollouts: RolloutConfig) -> Self {
        Self { rollouts, ..self }
    }

    /// Refuses a caller whom these headers do not make known.
    pub fn recognises(&self, headers: &http::HeaderMap) -> Result<(), Refusal> {
        self.authenticator.actor(&MetadataMap::from_headers(headers.clone())).map(drop)
    }

    /// Every service of it, to be served.
    pub fn routes(&self) -> Routes {
        let admin = self.clone();
        let known = move |request: Request<()>| -> Result<Request<()>, Status> {
            admin.recognise(request.metadata()).map(|_| request)
        };
        macro_rules! served {
            ($($server:ident),* $(,)?) => {{
                let mut routes = Routes::builder();
                $(
                    let server = $server::new(self.clone()).max_decoding_message_size(MESSAGE_BYTES);
                    routes.add_service(InterceptedService::new(server, known.clone()));
                )*
                routes.routes()
            }};
        }
        served!(
            TenantsServiceServer,
            TeamsServiceServer,
            PrincipalsServiceServer,
            RolesServiceServer,
            GrantsServiceServer,
            ProvidersServiceServer,
            EndpointsServiceServer,
            ModelsServiceServer,
            LimitsServiceServer,
            RulesServiceServer,
            LicencesServiceServer,
            LicenceAcceptancesServiceServer,
            GuardrailsServiceServer,
            PricesServiceServer,
            KeysServiceServer,
            KillsServiceServer,
            RevisionsServiceServer,
            HistoryServiceServer,
            RolloutsServiceServer,
            ProposalsServiceServer,
            AuditServiceServer,
            AuditLeavesServiceServer,
            AuditCheckpointsServiceServer,
            AuditKeysServiceServer,
            DecisionSegmentsServiceServer,
            CapturedContentServiceServer,
            NodesServiceServer,
            EnrolmentTokensServiceServer,
            PolicyServiceServer,
            ElevationsServiceServer,
            AdministratorsServiceServer,
            SubjectsServiceServer,
            HoldsServiceServer,
            RetentionsServiceServer,
        )
    }
}

#[cfg(test)]
mod tests;
