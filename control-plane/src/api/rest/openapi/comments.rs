//! The comments of the definitions, by what they stand before.

use std::collections::HashMap;

use prost_reflect::{FieldDescriptor, MessageDescriptor, MethodDescriptor, ServiceDescriptor};

use crate::descriptors;

/// Comments by file and place within it.
#[derive(Debug, Default)]
pub(super) struct Comments {
    texts: HashMap<(String, Vec<i32>), String>,
}

impl Comments {
    /// Those of every embedded definition.
    pub(super) fn read() -> Self {
        let mut texts = HashMap::new();
        for file in descriptors::pool().files() {
            let source = file.file_descriptor_proto().source_code_info.iter();
            for location in source.flat_map(|source| &source.location) {
                let text = location.leading_comments().lines().map(str::trim).collect::<Vec<_>>().join(" ");
                if !text.is_empty() {
                    texts.insert((file.name().to_owned(), location.path.clone()), text.trim().to_owned());
                }
            }
        }
        Self { texts }
    }

    /// What is said of a message.
    pub(super) fn of_message(&self, message: &MessageDescriptor) -> &str {
        self.find(message.parent_file().name(), message.path())
    }

    /// What is said of a field.
    pub(super) fn of_field(&self, field: &FieldDescriptor) -> &str {
        self.find(field.parent_file().name(), field.path())
    }

    /// What is said of an RPC.
    pub(super) fn of_method(&self, method: &MethodDescriptor) -> &str {
        self.find(method.parent_file().name(), method.path())
    }

    /// What is said of a service.
    pub(super) fn of_service(&self, service: &ServiceDescriptor) -> &str {
        self.find(service.parent_file().name(), service.path())
    }

    fn find(&self, file: &str, path: &[i32]) -> &str {
        self.texts.get(&(file.to_owned(), path.to_vec())).map_or("", String::as_str)
    }
}
