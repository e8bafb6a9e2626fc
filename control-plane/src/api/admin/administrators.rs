//! Who administers and audits the platform by a token of its configuration, over the admin API.

use policy_engine::vocabulary::{Action, Name};
use proto::admin::administrators_service_server::AdministratorsService;
use proto::admin::{Administrator, ListAdministratorsRequest, ListAdministratorsResponse};
use proto::status::Refusal;
use tonic::{Request, Response, Status};

use super::Admin;
use super::call::Call;
use crate::actor::{Role, Scope, TokenDigest};

/// What permissions name.
const LIST: &str = "administrators";

#[tonic::async_trait]
impl AdministratorsService for Admin {
    async fn list_administrators(
        &self,
        request: Request<ListAdministratorsRequest>,
    ) -> Result<Response<ListAdministratorsResponse>, Status> {
        let name = "chancery.admin.v1.AdministratorsService/ListAdministrators";
        let (call, _) = self.receive(name, request).await?;
        let found = self.administrators(&call);
        self.answer(&call, found).await
    }
}

impl Admin {
    fn administrators(&self, call: &Call) -> Result<ListAdministratorsResponse, Refusal> {
        self.publisher.current().demand_plural(&call.actor, Action::Read, LIST, None)?;
        let tokens = self.authenticator.tokens().iter();
        Ok(ListAdministratorsResponse {
            administrators: tokens.map(|token| self.administrator(token)).collect(),
        })
    }

    fn administrator(&self, token: &TokenDigest) -> Administrator {
        let name = format!("platform/{}", token.name);
        let (role, scope) = match &token.role {
            Role::Admin => ("admin", Scope::default()),
            Role::Auditor(scope) => ("auditor", scope.clone()),
        };
        Administrator {
            role: role.to_owned(),
            tenants: scope.tenants.iter().map(Name::to_string).collect(),
            geos: scope.geos.iter().map(Name::to_string).collect(),
            break_glass: role == "auditor" && self.elevations.as_ref().is_some_and(|all| all.may(&name)),
            name,
        }
    }
}
