//! The configuration of the API.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use serde::Deserialize;
use url::Url;

/// The largest body of any route in bytes, if `COPYDESK_API_MAX_BODY_BYTES` is smaller.
pub const LARGEST_BODY_BYTES: usize = 16 * 1024 * 1024;

/// The largest limit of requests in a minute, of a key too.
pub const MOST_REQUESTS_PER_MINUTE: u32 = 1_000_000;

/// The HTTP API.
#[derive(Debug, Clone, confique::Config)]
pub struct ApiConfig {
    /// The address that it listens on.
    #[config(env = "COPYDESK_API_LISTEN", default = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// The largest JSON body that it accepts, in bytes. Uploads have their own limit of 10 MiB.
    #[config(env = "COPYDESK_API_MAX_BODY_BYTES", default = 1_048_576)]
    pub max_body_bytes: usize,
    /// The bytes of request bodies that it holds at once, for all requests together: one that needs more is answered
    /// 503. The first 16 KiB of a body do not count, so that small requests always pass.
    #[config(env = "COPYDESK_API_BODY_BUDGET_BYTES", default = 268_435_456)]
    pub body_budget_bytes: usize,
    /// The most connections that it keeps open: for a new one beyond them, the one that has been waiting longest for
    /// a request is closed. Not set: what the limit of open files leaves room for, at most 10,000.
    #[config(env = "COPYDESK_API_MAX_CONNECTIONS")]
    pub max_connections: Option<usize>,
    /// The same for each client's address (of an IPv6 address, its /64 network); 0 for no limit. Behind a proxy, all
    /// clients have the proxy's address.
    #[config(env = "COPYDESK_API_MAX_CONNECTIONS_PER_PEER", default = 0)]
    pub max_connections_per_peer: usize,
    /// The host names by which clients reach it, with commas between: a request for another name is
    /// refused. `localhost` and every address pass always; `*` lets all names pass.
    #[config(env = "COPYDESK_ALLOWED_HOSTS", default = "")]
    pub allowed_hosts: String,
    /// The origins of web pages that may call it from a browser, with commas between, such as
    /// `https://app.example.com`. Without any, pages of other origins can change nothing and read nothing.
    #[config(env = "COPYDESK_CORS_ORIGINS", default = "")]
    pub cors_origins: String,
    /// The proxies in front of it, addresses and networks with commas between, such as `10.0.0.0/8`: what they say in
    /// `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Host`, or in `Forwarded`, is believed. Nobody else's is.
    #[config(env = "COPYDESK_TRUSTED_PROXIES", default = "")]
    pub trusted_proxies: String,
    /// Whether requests need an API key: `required`, or `open` for a service that only this machine reaches.
    #[config(env = "COPYDESK_AUTH", default = "required")]
    pub auth: AuthMode,
    /// The requests that a key may send in a minute, if it has no limit of its own; a quarter of them at once. All API
    /// processes together: each grants its share. The same holds for each client's address where no key is needed. 0 for
    /// no limits at all.
    #[config(env = "COPYDESK_REQUESTS_PER_MINUTE", default = 600)]
    pub requests_per_minute: u32,
    /// How often an address may fail to show a key in a minute, half of it at once. Then it waits before anything is
    /// looked up for it.
    #[config(env = "COPYDESK_FAILED_KEYS_PER_MINUTE", default = 60)]
    pub failed_keys_per_minute: u32,
    /// `yes` lets `COPYDESK_AUTH=open` be used on an address that others reach. Everybody who reaches it can then read
    /// and change everything.
    #[config(env = "COPYDESK_AUTH_OPEN_ON_PURPOSE", default = "")]
    pub open_on_purpose: String,
    /// Who may read `/metrics`: `key` (a key with the scope `observe`), `open` (everybody), or `auto`: everybody if the API listens
    /// on a loopback address without a trusted proxy, else a key.
    #[config(env = "COPYDESK_METRICS_ACCESS", default = "auto")]
    pub metrics_access: MetricsAccess,
}

/// Whether requests need a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthMode {
    /// They do.
    Required,
    /// They do not: everybody who reaches the port may do everything.
    Open,
}

/// Who may read `/metrics`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MetricsAccess {
    /// Everybody on a loopback address, else holders of a key.
    Auto,
    /// Holders of a key with the scope `observe`.
    Key,
    /// Everybody.
    Open,
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

    /// The proxies that are believed.
    pub fn trusted_proxies(&self) -> impl Iterator<Item = IpNet> {
        listed(&self.trusted_proxies).filter_map(network)
    }

    pub(super) fn validate(&self) -> Result<(), String> {
        let least = self.max_body_bytes.max(LARGEST_BODY_BYTES);
        if self.body_budget_bytes < least {
            return Err(format!("COPYDESK_API_BODY_BUDGET_BYTES takes at least {least}: the largest body"));
        }
        if self.max_connections == Some(0) {
            return Err("COPYDESK_API_MAX_CONNECTIONS takes a number of connections from 1".into());
        }
        if self.requests_per_minute > MOST_REQUESTS_PER_MINUTE {
            return Err(format!(
                "COPYDESK_REQUESTS_PER_MINUTE takes at most {MOST_REQUESTS_PER_MINUTE}, and 0 for no limits"
            ));
        }
        if !(1..=MOST_REQUESTS_PER_MINUTE).contains(&self.failed_keys_per_minute) {
            return Err(format!("COPYDESK_FAILED_KEYS_PER_MINUTE takes 1 to {MOST_REQUESTS_PER_MINUTE}"));
        }
        if !matches!(self.open_on_purpose.as_str(), "" | "no" | "yes") {
            return Err("COPYDESK_AUTH_OPEN_ON_PURPOSE takes yes or no".into());
        }
        if self.auth == AuthMode::Open && !self.listen.ip().is_loopback() && self.open_on_purpose != "yes" {
            return Err(format!(
                "COPYDESK_AUTH=open lets everybody who reaches {} read and change everything: set COPYDESK_AUTH=required and make \
                 a key with `copydesk-api keys create`, or COPYDESK_AUTH_OPEN_ON_PURPOSE=yes if that is meant",
                self.listen
            ));
        }
        if let Some(at) = listed(&self.trusted_proxies).position(|text| network(text).is_none()) {
            // It is not quoted: it may be a secret.
            let nth = at + 1;
            return Err(format!(
                "COPYDESK_TRUSTED_PROXIES takes addresses and networks such as 10.1.2.3 and 10.0.0.0/8: number {nth} is none"
            ));
        }
        if self.trusted_proxies().any(|network| network.prefix_len() == 0) {
            return Err("COPYDESK_TRUSTED_PROXIES must not name every address: anybody could say who he is".into());
        }
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
        match self.cors_origins().position(|origin| !is_origin(origin)) {
            // It is not quoted: it may hold a password.
            Some(at) => {
                let nth = at + 1;
                Err(format!(
                    "COPYDESK_CORS_ORIGINS takes origins such as https://app.example.com: number {nth} is none"
                ))
            }
            None => Ok(()),
        }
    }
}

fn listed(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// An address is a network of one.
fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::config::Config;

    #[test]
    fn the_budget_of_bodies_has_room_for_the_largest() {
        let config = Config::for_servers("postgres://u@h/db", "redis://h/0", "p").unwrap().api;
        let budget = |body_budget_bytes, max_body_bytes| {
            ApiConfig { body_budget_bytes, max_body_bytes, ..config.clone() }.validate()
        };
        assert_eq!(budget(LARGEST_BODY_BYTES, 1), Ok(()));
        for (budget_bytes, body_bytes) in [(LARGEST_BODY_BYTES - 1, 1), (LARGEST_BODY_BYTES, LARGEST_BODY_BYTES + 1)] {
            assert!(budget(budget_bytes, body_bytes).unwrap_err().starts_with("COPYDESK_API_BODY_BUDGET_BYTES"));
        }
    }

    #[test]
    fn proxies_are_addresses_and_networks() {
        let config = Config::for_servers("postgres://u@h/db", "redis://h/0", "p").unwrap().api;
        let proxies = |list: &str| ApiConfig { trusted_proxies: list.into(), ..config.clone() };
        assert_eq!(proxies("").validate(), Ok(()));
        let some = proxies("127.0.0.1, 10.0.0.0/8,::1, fd00::/8");
        assert_eq!((some.validate(), some.trusted_proxies().count()), (Ok(()), 4));
        for wrong in ["proxy", "10.0.0.0/33", "10.0.0", "1.2.3.4:80", "10.0.0.0/8 10.1.0.0/8", "0.0.0.0/0", "::/0"] {
            assert!(proxies(wrong).validate().unwrap_err().starts_with("COPYDESK_TRUSTED_PROXIES"), "{wrong}");
        }
    }

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
