//! The configuration of the API.

use std::net::SocketAddr;

use url::Url;

/// The HTTP API.
#[derive(Debug, Clone, confique::Config)]
pub struct ApiConfig {
    /// The address that it listens on.
    #[config(env = "COPYDESK_API_LISTEN", default = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// The largest JSON body that it accepts, in bytes. Uploads have their own limit of 10 MiB.
    #[config(env = "COPYDESK_API_MAX_BODY_BYTES", default = 1_048_576)]
    pub max_body_bytes: usize,
    /// The host names by which clients reach it, with commas between: a request for another name is
    /// refused. `localhost` and every address pass always; `*` lets all names pass.
    #[config(env = "COPYDESK_ALLOWED_HOSTS", default = "")]
    pub allowed_hosts: String,
    /// The origins of web pages that may call it from a browser, with commas between, such as
    /// `https://app.example.com`. Without any, pages of other origins can change nothing and read nothing.
    #[config(env = "COPYDESK_CORS_ORIGINS", default = "")]
    pub cors_origins: String,
}

impl ApiConfig {
    /// The host names beside `localhost`.
    pub fn allowed_hosts(&self) -> impl Iterator<Item = &str> {
        listed(&self.allowed_hosts)
    }

    /// The origins of foreign pages.
    pub fn cors_origins(&self) -> impl Iterator<Item = &str> {
        listed(&self.cors_origins)
    }

    pub(super) fn validate(&self) -> Result<(), String> {
        let is_host =
            |host: &str| host == "*" || host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b));
        if let Some(wrong) = self.allowed_hosts().find(|host| !is_host(host)) {
            return Err(format!("COPYDESK_ALLOWED_HOSTS takes names of hosts without a port, or *: not {wrong:?}"));
        }
        // As a browser writes it: lower case, no path, no default port.
        let is_origin = |origin: &str| {
            let url = Url::parse(origin).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
            url.is_some_and(|url| url.origin().ascii_serialization() == origin)
        };
        match self.cors_origins().find(|origin| !is_origin(origin)) {
            Some(wrong) => {
                Err(format!("COPYDESK_CORS_ORIGINS takes origins such as https://app.example.com: not {wrong:?}"))
            }
            None => Ok(()),
        }
    }
}

fn listed(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|item| !item.is_empty())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::config::Config;

    #[test]
    fn hosts_and_origins_are_written_as_browsers_send_them() {
        let config = Config::for_servers("postgres://u@h/db", "redis://h/0", "p").unwrap().api;
        let hosts = |hosts: &str| ApiConfig { allowed_hosts: hosts.into(), ..config.clone() }.validate();
        let origins = |origins: &str| ApiConfig { cors_origins: origins.into(), ..config.clone() }.validate();
        assert_eq!((hosts(""), hosts("copy.example.com, api"), hosts("*")), (Ok(()), Ok(()), Ok(())));
        for wrong in ["a:8080", "https://a", "a/b", "*.a"] {
            assert!(hosts(wrong).unwrap_err().starts_with("COPYDESK_ALLOWED_HOSTS"), "{wrong}");
        }
        assert_eq!(origins("https://app.example.com, http://localhost:3000"), Ok(()));
        for wrong in ["*", "app.example.com", "https://a/", "https://A", "https://a:443", "null", "file://a"] {
            assert!(origins(wrong).unwrap_err().starts_with("COPYDESK_CORS_ORIGINS"), "{wrong}");
        }
    }
}
