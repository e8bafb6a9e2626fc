//! The fourteen services of the declared kinds: each method names its message and calls the standard one, or one of its own.

use proto::admin::*;
use tonic::{Request, Response, Status};

use super::Admin;
use super::standard::{Creation, Deletion, Listing, Update, mode};

/// A service of standard methods. Names can't be made from others here, so each is written out.
macro_rules! service {
    (
        $trait:path, $service:literal, $message:ident { $field:ident, $id:ident, $many:ident } parent $parent:expr;
        $get:ident($get_request:ident) as $get_name:literal;
        $list:ident($list_request:ident, $list_response:ident) as $list_name:literal;
        $create:ident($create_request:ident) as $create_name:literal;
        $update:ident($update_request:ident) as $update_name:literal;
        $delete:ident($delete_request:ident) as $delete_name:literal;
        $($verb:ident($verb_request:ident, $verb_response:ty) as $verb_name:literal by $done:ident;)*
    ) => {
        #[tonic::async_trait]
        impl $trait for Admin {
            async fn $get(&self, request: Request<$get_request>) -> Result<Response<$message>, Status> {
                let (call, asked) =
                    self.receive(concat!("chancery.admin.v1.", $service, "/", $get_name), request).await?;
                let found = self.get(&call, &asked.name);
                self.answer(&call, found).await
            }

            async fn $list(
                &self,
                request: Request<$list_request>,
            ) -> Result<Response<$list_response>, Status> {
                let (call, asked) =
                    self.receive(concat!("chancery.admin.v1.", $service, "/", $list_name), request).await?;
                let parent: fn(&$list_request) -> String = $parent;
                let listing =
                    Listing { parent: parent(&asked), size: asked.page_size, token: asked.page_token };
                let found = self.list::<$message>(&call, &listing);
                let page = found.map(|($many, next_page_token)| $list_response { $many, next_page_token });
                self.answer(&call, page).await
            }

            async fn $create(&self, request: Request<$create_request>) -> Result<Response<$message>, Status> {
                let (call, asked) =
                    self.receive(concat!("chancery.admin.v1.", $service, "/", $create_name), request).await?;
                let parent: fn(&$create_request) -> String = $parent;
                let (parent, mode) = (parent(&asked), call.is_in(mode(asked.validate_only)));
                let made =
                    self.create(&call, Creation { parent, id: asked.$id, message: asked.$field, mode }).await;
                self.answer(&call, made).await
            }

            async fn $update(&self, request: Request<$update_request>) -> Result<Response<$message>, Status> {
                let (call, asked) =
                    self.receive(concat!("chancery.admin.v1.", $service, "/", $update_name), request).await?;
                let mode = call.is_in(mode(asked.validate_only));
                let (message, mask, allow_missing) = (asked.$field, asked.update_mask, asked.allow_missing);
                let made = self.update(&call, Update { message, mask, allow_missing, mode }).await;
                self.answer(&call, made).await
            }

            async fn $delete(&self, request: Request<$delete_request>) -> Result<Response<()>, Status> {
                let (call, asked) =
                    self.receive(concat!("chancery.admin.v1.", $service, "/", $delete_name), request).await?;
                let mode = call.is_in(mode(asked.validate_only));
                let (name, etag, allow_missing) = (asked.name, asked.etag, asked.allow_missing);
                let done = self.delete::<$message>(&call, Deletion { name, etag, allow_missing, mode }).await;
                self.answer(&call, done).await
            }

            $(
                async fn $verb(
                    &self,
                    request: Request<$verb_request>,
                ) -> Result<Response<$verb_response>, Status> {
                    let (call, asked) =
                        self.receive(concat!("chancery.admin.v1.", $service, "/", $verb_name), request).await?;
                    let done = self.$done(&call, &asked).await;
                    self.answer(&call, done).await
                }
            )*
        }
    };
}

service! {
    tenants_service_server::TenantsService, "TenantsService", Tenant { tenant, tenant_id, tenants } parent |_| String::new();
    get_tenant(GetTenantRequest) as "GetTenant";
    list_tenants(ListTenantsRequest, ListTenantsResponse) as "ListTenants";
    create_tenant(CreateTenantRequest) as "CreateTenant";
    update_tenant(UpdateTenantRequest) as "UpdateTenant";
    delete_tenant(DeleteTenantRequest) as "DeleteTenant";
}

service! {
    teams_service_server::TeamsService, "TeamsService", Team { team, team_id, teams } parent |asked| asked.parent.clone();
    get_team(GetTeamRequest) as "GetTeam";
    list_teams(ListTeamsRequest, ListTeamsResponse) as "ListTeams";
    create_team(CreateTeamRequest) as "CreateTeam";
    update_team(UpdateTeamRequest) as "UpdateTeam";
    delete_team(DeleteTeamRequest) as "DeleteTeam";
}

service! {
    principals_service_server::PrincipalsService, "PrincipalsService", Principal { principal, principal_id, principals } parent |asked| asked.parent.clone();
    get_principal(GetPrincipalRequest) as "GetPrincipal";
    list_principals(ListPrincipalsRequest, ListPrincipalsResponse) as "ListPrincipals";
    create_principal(CreatePrincipalRequest) as "CreatePrincipal";
    update_principal(UpdatePrincipalRequest) as "UpdatePrincipal";
    delete_principal(DeletePrincipalRequest) as "DeletePrincipal";
}

service! {
    roles_service_server::RolesService, "RolesService", Role { role, role_id, roles } parent |asked| asked.parent.clone();
    get_role(GetRoleRequest) as "GetRole";
    list_roles(ListRolesRequest, ListRolesResponse) as "ListRoles";
    create_role(CreateRoleRequest) as "CreateRole";
    update_role(UpdateRoleRequest) as "UpdateRole";
    delete_role(DeleteRoleRequest) as "DeleteRole";
}

service! {
    grants_service_server::GrantsService, "GrantsService", Grant { grant, grant_id, grants } parent |asked| asked.parent.clone();
    get_grant(GetGrantRequest) as "GetGrant";
    list_grants(ListGrantsRequest, ListGrantsResponse) as "ListGrants";
    create_grant(CreateGrantRequest) as "CreateGrant";
    update_grant(UpdateGrantRequest) as "UpdateGrant";
    delete_grant(DeleteGrantRequest) as "DeleteGrant";
}

service! {
    providers_service_server::ProvidersService, "ProvidersService", Provider { provider, provider_id, providers } parent |asked| asked.parent.clone();
    get_provider(GetProviderRequest) as "GetProvider";
    list_providers(ListProvidersRequest, ListProvidersResponse) as "ListProviders";
    create_provider(CreateProviderRequest) as "CreateProvider";
    update_provider(UpdateProviderRequest) as "UpdateProvider";
    delete_provider(DeleteProviderRequest) as "DeleteProvider";
    survey_provider(SurveyProviderRequest, SurveyProviderResponse) as "SurveyProvider" by surveyed;
}

service! {
    endpoints_service_server::EndpointsService, "EndpointsService", Endpoint { endpoint, endpoint_id, endpoints } parent |asked| asked.parent.clone();
    get_endpoint(GetEndpointRequest) as "GetEndpoint";
    list_endpoints(ListEndpointsRequest, ListEndpointsResponse) as "ListEndpoints";
    create_endpoint(CreateEndpointRequest) as "CreateEndpoint";
    update_endpoint(UpdateEndpointRequest) as "UpdateEndpoint";
    delete_endpoint(DeleteEndpointRequest) as "DeleteEndpoint";
}

service! {
    models_service_server::ModelsService, "ModelsService", Model { model, model_id, models } parent |asked| asked.parent.clone();
    get_model(GetModelRequest) as "GetModel";
    list_models(ListModelsRequest, ListModelsResponse) as "ListModels";
    create_model(CreateModelRequest) as "CreateModel";
    update_model(UpdateModelRequest) as "UpdateModel";
    delete_model(DeleteModelRequest) as "DeleteModel";
}

service! {
    limits_service_server::LimitsService, "LimitsService", Limit { limit, limit_id, limits } parent |asked| asked.parent.clone();
    get_limit(GetLimitRequest) as "GetLimit";
    list_limits(ListLimitsRequest, ListLimitsResponse) as "ListLimits";
    create_limit(CreateLimitRequest) as "CreateLimit";
    update_limit(UpdateLimitRequest) as "UpdateLimit";
    delete_limit(DeleteLimitRequest) as "DeleteLimit";
}

service! {
    rules_service_server::RulesService, "RulesService", Rule { rule, rule_id, rules } parent |asked| asked.parent.clone();
    get_rule(GetRuleRequest) as "GetRule";
    list_rules(ListRulesRequest, ListRulesResponse) as "ListRules";
    create_rule(CreateRuleRequest) as "CreateRule";
    update_rule(UpdateRuleRequest) as "UpdateRule";
    delete_rule(DeleteRuleRequest) as "DeleteRule";
}

service! {
    licences_service_server::LicencesService, "LicencesService", Licence { licence, licence_id, licences } parent |asked| asked.parent.clone();
    get_licence(GetLicenceRequest) as "GetLicence";
    list_licences(ListLicencesRequest, ListLicencesResponse) as "ListLicences";
    create_licence(CreateLicenceRequest) as "CreateLicence";
    update_licence(UpdateLicenceRequest) as "UpdateLicence";
    delete_licence(DeleteLicenceRequest) as "DeleteLicence";
}

service! {
    licence_acceptances_service_server::LicenceAcceptancesService, "LicenceAcceptancesService", LicenceAcceptance { licence_acceptance, licence_acceptance_id, licence_acceptances } parent |asked| asked.parent.clone();
    get_licence_acceptance(GetLicenceAcceptanceRequest) as "GetLicenceAcceptance";
    list_licence_acceptances(ListLicenceAcceptancesRequest, ListLicenceAcceptancesResponse) as "ListLicenceAcceptances";
    create_licence_acceptance(CreateLicenceAcceptanceRequest) as "CreateLicenceAcceptance";
    update_licence_acceptance(UpdateLicenceAcceptanceRequest) as "UpdateLicenceAcceptance";
    delete_licence_acceptance(DeleteLicenceAcceptanceRequest) as "DeleteLicenceAcceptance";
}

service! {
    guardrails_service_server::GuardrailsService, "GuardrailsService", Guardrail { guardrail, guardrail_id, guardrails } parent |asked| asked.parent.clone();
    get_guardrail(GetGuardrailRequest) as "GetGuardrail";
    list_guardrails(ListGuardrailsRequest, ListGuardrailsResponse) as "ListGuardrails";
    create_guardrail(CreateGuardrailRequest) as "CreateGuardrail";
    update_guardrail(UpdateGuardrailRequest) as "UpdateGuardrail";
    delete_guardrail(DeleteGuardrailRequest) as "DeleteGuardrail";
}

service! {
    prices_service_server::PricesService, "PricesService", Price { price, price_id, prices } parent |asked| asked.parent.clone();
    get_price(GetPriceRequest) as "GetPrice";
    list_prices(ListPricesRequest, ListPricesResponse) as "ListPrices";
    create_price(CreatePriceRequest) as "CreatePrice";
    update_price(UpdatePriceRequest) as "UpdatePrice";
    delete_price(DeletePriceRequest) as "DeletePrice";
}
