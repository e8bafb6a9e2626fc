//! The code that `build.rs` makes of `chancery/*/v1/*.proto`: messages, clients and servers, one module a package.
//!
//! Law: nothing is written by hand here; what a field means is said in its definition and shows up as its documentation.

/// Every definition with the imports and comments of each, as an encoded `google.protobuf.FileDescriptorSet`: for gRPC
/// reflection, REST, OpenAPI and YAML.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// `chancery.inference.v1`: what callers of models speak.
pub mod inference {
    tonic::include_proto!("chancery.inference.v1");
}

/// `chancery.adapter.v1`: what an organisation serves to be a vendor of its own.
pub mod adapter {
    tonic::include_proto!("chancery.adapter.v1");
}

/// `chancery.admin.v1`: what is governed, and how.
pub mod admin {
    tonic::include_proto!("chancery.admin.v1");
}

/// `chancery.sync.v1`: how policy reaches nodes.
pub mod sync {
    tonic::include_proto!("chancery.sync.v1");
}
