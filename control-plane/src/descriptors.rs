//! The embedded descriptors, read once: what turns messages into YAML, masks and JSON.

use std::sync::LazyLock;

use policy_engine::vocabulary::Kind;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};

static POOL: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(proto::FILE_DESCRIPTOR_SET).unwrap_or_default());

/// Every definition there is.
pub fn pool() -> &'static DescriptorPool {
    &POOL
}

/// The message of a kind.
pub(crate) fn message(kind: Kind) -> Option<MessageDescriptor> {
    POOL.get_message_by_name(&format!("chancery.admin.v1.{kind}"))
}

/// Stored bytes as a message whose fields can be walked.
pub(crate) fn dynamic(kind: Kind, bytes: &[u8]) -> Option<DynamicMessage> {
    DynamicMessage::decode(message(kind)?, bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_described() {
        for kind in Kind::ALL {
            let message = message(*kind).unwrap();
            assert_eq!(message.get_field(1).unwrap().name(), "name", "{kind}");
            assert_eq!(message.get_field(2).unwrap().name(), "labels", "{kind}");
            assert_eq!(message.get_field(10).unwrap().name(), "spec", "{kind}");
        }
    }
}
