//! API keys over the admin API: made, read and revoked; never changed.

use policy_engine::vocabulary::{Action, Id, Instant, Kind, Name};
use prost::Message as _;
use proto::admin::keys_service_server::KeysService;
use proto::admin::{
    CreateKeyRequest, CreateKeyResponse, GetKeyRequest, Key, ListKeysRequest, ListKeysResponse,
    RevokeKeyRequest,
};
use proto::name::{self, parse_parent};
use proto::status::Refusal;
use tonic::{Request, Response, Status};

use super::Admin;
use super::call::Call;
use super::standard::Listing;
use crate::actor::{absent, missing};
use crate::clock;
use crate::error::ChangeError;
use crate::geos::Odd;
use crate::govern::keys;
use crate::issue::{self, Wanted};

#[tonic::async_trait]
impl KeysService for Admin {
    async fn create_key(
        &self,
        request: Request<CreateKeyRequest>,
    ) -> Result<Response<CreateKeyResponse>, Status> {
        let (call, asked) = self.receive("chancery.admin.v1.KeysService/CreateKey", request).await?;
        let made = self.create_one(&call, asked).await;
        self.answer(&call, made).await
    }

    async fn get_key(&self, request: Request<GetKeyRequest>) -> Result<Response<Key>, Status> {
        let (call, asked) = self.receive("chancery.admin.v1.KeysService/GetKey", request).await?;
        let found = self.get(&call, &asked.name);
        self.answer(&call, found).await
    }

    async fn list_keys(
        &self,
        request: Request<ListKeysRequest>,
    ) -> Result<Response<ListKeysResponse>, Status> {
        let (call, asked) = self.receive("chancery.admin.v1.KeysService/ListKeys", request).await?;
        let listing = Listing { parent: asked.parent, size: asked.page_size, token: asked.page_token };
        let found = self.list::<Key>(&call, &listing);
        self.answer(&call, found.map(|(keys, next_page_token)| ListKeysResponse { keys, next_page_token }))
            .await
    }

    async fn revoke_key(&self, request: Request<RevokeKeyRequest>) -> Result<Response<Key>, Status> {
        let (call, asked) = self.receive("chancery.admin.v1.KeysService/RevokeKey", request).await?;
        let revoked = self.revoke_one(&call, &asked.name).await;
        self.answer(&call, revoked).await
    }
}

impl Admin {
    async fn create_one(&self, call: &Call, asked: CreateKeyRequest) -> Result<CreateKeyResponse, Refusal> {
        let parent = parse_parent(&asked.parent).map_err(|e| Refusal::field("parent", e.to_string()))?;
        let key = asked.key.ok_or_else(|| Refusal::field("key", "is missing"))?;
        let mut spec = key.spec.ok_or_else(|| Refusal::field("key.spec", "is missing"))?;
        match &parent {
            Some(tenant) if spec.tenant.is_empty() => spec.tenant = tenant.to_string(),
            Some(tenant) if spec.tenant != tenant.as_str() => {
                return Err(Refusal::field("key.spec.tenant", "is not the tenant of the request's parent"));
            }
            _ if spec.tenant.is_empty() => return Err(Refusal::field("key.spec.tenant", "is missing")),
            _ => {}
        }
        let tenant = Name::new(&spec.tenant).map_err(|e| Refusal::field("key.spec.tenant", e.to_string()))?;
        call.concerns(format!("tenants/{tenant}/keys"));
        self.publisher.current().demand(&call.actor, Action::Write, Kind::Key, Some(&tenant))?;
        let ends = spec.expire_time.as_ref().and_then(proto::convert::instant);
        if ends.is_some_and(|ends| ends <= Instant(clock::now())) {
            let message = "is in the past: a key that has expired would never work";
            return Err(Refusal::field("key.spec.expireTime", message));
        }
        // It has no name yet: what is told of it names the request's fields.
        let (unnamed, body) =
            (Id::of(tenant.clone(), tenant.clone()), keys::new(spec.clone(), key.labels.clone()));
        let Odd { faults, warnings } =
            Odd::of(Kind::Key, &unnamed, &body.encode_to_vec(), &self.nodes.geos());
        if !faults.is_empty() {
            return Err(ChangeError::Faults(faults).told_of_new_key(&tenant));
        }
        let wanted = Wanted { spec, labels: key.labels };
        let act = call.act(format!("tenants/{tenant}/keys"));
        let issued = issue::create(&self.publisher, act, vec![wanted]).await;
        let issued = issued.map_err(|error| error.told_of_new_key(&tenant))?;
        let issued = issued.into_iter().next().ok_or_else(absent)?;
        let warnings = warnings.into_iter().map(|odd| format!("{}: {}", odd.field, odd.message)).collect();
        Ok(CreateKeyResponse { key: Some(issued.key), secret: issued.secret.to_string(), warnings })
    }

    async fn revoke_one(&self, call: &Call, name: &str) -> Result<Key, Refusal> {
        let id: Id = name::parse_as(Kind::Key, name)?;
        call.concerns(name.to_owned());
        self.publisher.current().demand(&call.actor, Action::Write, Kind::Key, id.tenant.as_ref())?;
        let revoked = issue::revoke(&self.publisher, call.act(name.to_owned()), &id).await;
        revoked.map_err(|error| error.told(Kind::Key, &id))?.ok_or_else(|| missing(name))
    }
}
