//! To whom content of a tenant is sealed.

/// The half of a tenant's key pair that nodes have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ContentKey {
    /// The pair's id, which stands in what is sealed to it.
    pub(crate) id: String,
    /// 32 bytes of X25519.
    pub(crate) public: Vec<u8>,
}
