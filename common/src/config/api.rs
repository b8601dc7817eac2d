//! The configuration of the API.

use std::net::SocketAddr;

/// The HTTP API.
#[derive(Debug, Clone, confique::Config)]
pub struct ApiConfig {
    /// The address that it listens on.
    #[config(env = "COPYDESK_API_LISTEN", default = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// The largest JSON body that it accepts, in bytes. Uploads have their own limit of 10 MiB.
    #[config(env = "COPYDESK_API_MAX_BODY_BYTES", default = 1_048_576)]
    pub max_body_bytes: usize,
}
