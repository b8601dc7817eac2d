//! Whose connection a request comes on. Behind a proxy that the configuration names, what the proxy says of the client
//! counts; what anybody else says does not: everybody can send these headers.

use std::net::{IpAddr, Ipv6Addr};

use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, header};
use copydesk_common::config::ApiConfig;
use ipnet::IpNet;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// The other end of a connection, in a request's extensions.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub IpAddr);

/// The client of a request, in its extensions.
#[derive(Debug, Clone, Default)]
pub struct Client {
    /// Its address, if it is known.
    pub address: Option<IpAddr>,
    /// Whether it came by HTTPS.
    pub is_https: bool,
    /// The host that it named to the proxy, where that says so.
    pub host: Option<Authority>,
}

/// Who shares a limit: one address, or one network of IPv6, where a client has a whole /64.
pub fn group(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

/// The proxies that are believed.
#[derive(Debug, Clone, Default)]
pub struct Proxies(Vec<IpNet>);

impl Proxies {
    /// As configured.
    pub fn new(config: &ApiConfig) -> Self {
        Self(config.trusted_proxies().collect())
    }

    /// The client of a request.
    pub fn client(&self, request: &Request) -> Client {
        let peer = request.extensions().get::<Peer>().map(|Peer(peer)| peer.to_canonical());
        match peer {
            Some(peer) if self.trusts(peer) => self.told(peer, request.headers()),
            address => Client { address, ..Client::default() },
        }
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// What a proxy says. It writes one kind of headers: `Forwarded` counts only where none of the others is there.
    fn told(&self, proxy: IpAddr, headers: &HeaderMap) -> Client {
        let others = [FORWARDED_FOR, FORWARDED_PROTO, FORWARDED_HOST];
        let [hops, protocol, host] = if others.iter().any(|name| headers.contains_key(name)) {
            others.map(|name| listed(headers, &name, ',').map(str::to_owned).collect::<Vec<_>>())
        } else {
            ["for", "proto", "host"].map(|name| forwarded(headers, name))
        };
        // Each proxy appends the address that it sees: the last one that is no proxy is the client. What stands further
        // to the left, the client may have written itself.
        let mut address = proxy;
        for hop in hops.iter().rev() {
            let Some(hop) = address_of(hop) else { break };
            address = hop;
            if !self.trusts(hop) {
                break;
            }
        }
        Client {
            address: Some(address),
            is_https: protocol.last().is_some_and(|protocol| protocol.eq_ignore_ascii_case("https")),
            host: host.last().and_then(|host| host.parse().ok()),
        }
    }
}

/// The items of a list, over all headers of a name.
fn listed<'a>(headers: &'a HeaderMap, name: &HeaderName, between: char) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(move |value| value.split(between)).map(str::trim).filter(|item| !item.is_empty())
}

/// The values of a parameter of `Forwarded` (RFC 7239), the nearest proxy's last.
fn forwarded(headers: &HeaderMap, name: &str) -> Vec<String> {
    let of_hop = |hop: &str| {
        let pairs = hop.split(';').filter_map(|pair| pair.trim().split_once('='));
        pairs
            .into_iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim_matches('"').to_owned())
    };
    listed(headers, &header::FORWARDED, ',').filter_map(of_hop).collect()
}

/// An address, perhaps with a port.
fn address_of(hop: &str) -> Option<IpAddr> {
    let bracketed = hop.strip_prefix('[').and_then(|hop| hop.split_once(']')).map(|(address, _)| address);
    let address = match bracketed {
        Some(address) => address.parse().ok(),
        None => hop.parse().ok().or_else(|| hop.rsplit_once(':').and_then(|(address, _)| address.parse().ok())),
    };
    address.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use axum::body::Body;

    use super::*;

    fn client(peer: &str, headers: &[(&str, &str)]) -> (String, bool, Option<String>) {
        let proxies = Proxies(["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().unwrap()).to_vec());
        let mut request = Request::builder().uri("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::empty()).unwrap();
        request.extensions_mut().insert(Peer(peer.parse().unwrap()));
        let Client { address, is_https, host } = proxies.client(&request);
        (address.unwrap().to_string(), is_https, host.map(|host| host.to_string()))
    }

    #[test]
    fn only_proxies_are_believed() {
        let claims =
            [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-proto", "https"), ("x-forwarded-host", "a.example")];
        assert_eq!(client("9.9.9.9", &claims), ("9.9.9.9".into(), false, None));
        assert_eq!(client("9.9.9.9", &[("forwarded", "for=1.1.1.1;proto=https")]), ("9.9.9.9".into(), false, None));
        assert_eq!(client("10.1.1.1", &claims), ("1.1.1.1".into(), true, Some("a.example".into())));
        assert_eq!(client("::ffff:10.1.1.1", &claims).0, "1.1.1.1");
        assert_eq!(client("10.1.1.1", &[]), ("10.1.1.1".into(), false, None));
    }

    #[test]
    fn the_client_is_the_last_that_is_no_proxy() {
        let of = |hops: &str| client("10.1.1.1", &[("x-forwarded-for", hops)]).0;
        assert_eq!(of("6.6.6.6, 1.1.1.1, 10.2.2.2"), "1.1.1.1");
        assert_eq!(of("10.3.3.3, 10.2.2.2"), "10.3.3.3");
        assert_eq!(of("1.1.1.1, nonsense"), "10.1.1.1");
        assert_eq!(of("1.1.1.1, nonsense, 10.2.2.2"), "10.2.2.2");
        assert_eq!(of("1.1.1.1:1234"), "1.1.1.1");
        assert_eq!(of("[2001:db8::1]:1234"), "2001:db8::1");
        assert_eq!(of("2001:db8::1"), "2001:db8::1");
        let two = [("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "1.1.1.1")];
        assert_eq!(client("10.1.1.1", &two).0, "1.1.1.1");
        // A page can send these itself through a proxy that appends.
        let hosts = [("x-forwarded-host", "evil.example, a.example"), ("x-forwarded-proto", "http,https")];
        assert_eq!(client("10.1.1.1", &hosts), ("10.1.1.1".into(), true, Some("a.example".into())));
    }

    #[test]
    fn forwarded_counts_where_the_others_are_not() {
        let forwarded = ("forwarded", r#"for=6.6.6.6, For="[2001:db8::1]:4711";proto=https;host=a.example"#);
        let expected = ("2001:db8::1".to_owned(), true, Some("a.example".to_owned()));
        assert_eq!(client("fd00::1", &[forwarded]), expected);
        let both = [forwarded, ("x-forwarded-for", "1.1.1.1")];
        assert_eq!(client("fd00::1", &both), ("1.1.1.1".into(), false, None));
    }
}
