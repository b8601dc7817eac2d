//! Parses `REDIS_URL`: one server, a cluster given by some of its nodes, or the primary of Redis
//! Sentinel. Makes no connections.

use std::str::FromStr;

use redis::sentinel::SentinelNodeConnectionInfo;
use redis::{ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo, TlsMode};
use url::form_urlencoded;

use super::SecretUrl;

/// The default port of a sentinel.
const SENTINEL_PORT: u16 = 26_379;

/// Where Redis is. Contains the password, so it has no `Debug`.
#[derive(Clone)]
pub(crate) enum Address {
    /// One server, or what replaces it: a proxy, or a name that follows the primary.
    Server(Box<ConnectionInfo>),
    /// A cluster, given by the nodes from which the others are discovered.
    Cluster(Vec<ConnectionInfo>),
    /// A primary that may be replaced, given by the sentinels that know it.
    Sentinel(Sentinels),
}

/// The sentinels of a service, and the connection settings of its servers.
#[derive(Clone)]
pub(crate) struct Sentinels {
    pub(crate) nodes: Vec<ConnectionInfo>,
    /// The sentinels' name of the primary.
    pub(crate) service: String,
    /// Password, database and TLS of the servers.
    pub(crate) servers: SentinelNodeConnectionInfo,
}

/// `REDIS_URL` is invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "REDIS_URL takes redis://:password@host:port/database, redis-cluster://:password@host:port,host:port for \
     Redis Cluster, or redis-sentinel://:password@host:port,host:port/service/database for Redis Sentinel; \
     rediss://, rediss-cluster:// and rediss-sentinel:// for TLS"
)]
pub struct AddressError;

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(url: &str) -> Result<Self, AddressError> {
        let (scheme, rest) = url.split_once("://").ok_or(AddressError)?;
        match scheme {
            // A list would be taken for one host's name.
            "redis" | "rediss" | "valkey" | "valkeys" if rest.contains(',') => Err(AddressError),
            // Part of a password which is not encoded would be taken for a host.
            "redis" | "rediss" | "valkey" | "valkeys" if url.parse::<SecretUrl>().is_err() => Err(AddressError),
            "redis" | "rediss" | "valkey" | "valkeys" | "redis+unix" | "unix" => {
                url.into_connection_info().map(|info| Self::Server(Box::new(info))).map_err(|_| AddressError)
            }
            "redis-cluster" => nodes("redis", rest).map(Self::Cluster),
            "rediss-cluster" => nodes("rediss", rest).map(Self::Cluster),
            "redis-sentinel" => sentinels("redis", rest).map(Self::Sentinel),
            "rediss-sentinel" => sentinels("rediss", rest).map(Self::Sentinel),
            _ => Err(AddressError),
        }
    }
}

/// The nodes of `user:password@host:port,host:port`. A cluster has no numbered databases.
fn nodes(scheme: &str, rest: &str) -> Result<Vec<ConnectionInfo>, AddressError> {
    let (credentials, hosts) = split_credentials(rest);
    let hosts = hosts.strip_suffix("/0").or(hosts.strip_suffix('/')).unwrap_or(hosts);
    hosts.split(',').map(|host| node(scheme, credentials, host.trim())).collect()
}

/// Parses `user:password@host:port,host:port/service/database?sentinel_password=…`. User and
/// password are those of the servers.
fn sentinels(scheme: &str, rest: &str) -> Result<Sentinels, AddressError> {
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (credentials, rest) = split_credentials(rest);
    let (hosts, path) = rest.split_once('/').ok_or(AddressError)?;
    let (service, database) = path.split_once('/').unwrap_or((path, "0"));
    if service.is_empty() || service.contains('#') {
        return Err(AddressError);
    }
    let mut of_sentinels = RedisConnectionInfo::default();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if name != "sentinel_password" {
            return Err(AddressError);
        }
        of_sentinels = of_sentinels.set_password(&*value);
    }
    let sentinel = |host: &str| {
        let host = if has_port(host) { host.to_owned() } else { format!("{host}:{SENTINEL_PORT}") };
        Ok(node(scheme, "", &host)?.set_redis_settings(of_sentinels.clone()))
    };
    Ok(Sentinels {
        nodes: hosts.split(',').map(|host| sentinel(host.trim())).collect::<Result<_, _>>()?,
        service: service.to_owned(),
        servers: servers(scheme, credentials, database)?,
    })
}

/// The connection settings of servers whose addresses are not known yet.
fn servers(scheme: &str, credentials: &str, database: &str) -> Result<SentinelNodeConnectionInfo, AddressError> {
    let any = format!("{scheme}://{credentials}any/{database}").into_connection_info().map_err(|_| AddressError)?;
    let servers = SentinelNodeConnectionInfo::default().set_redis_connection_info(any.redis_settings().clone());
    Ok(if scheme == "rediss" { servers.set_tls_mode(TlsMode::Secure) } else { servers })
}

/// Splits off `user:password@`.
fn split_credentials(rest: &str) -> (&str, &str) {
    rest.split_at(rest.rfind('@').map_or(0, |at| at + 1))
}

fn has_port(host: &str) -> bool {
    host.is_empty() || (host.contains(':') && !host.ends_with(']'))
}

fn node(scheme: &str, credentials: &str, host: &str) -> Result<ConnectionInfo, AddressError> {
    if host.is_empty() || host.contains(['/', '?', '#']) {
        return Err(AddressError);
    }
    format!("{scheme}://{credentials}{host}").into_connection_info().map_err(|_| AddressError)
}

#[cfg(test)]
mod tests {
    use redis::ConnectionAddr;

    use super::*;

    fn nodes_of(url: &str) -> Vec<String> {
        match url.parse() {
            Ok(Address::Cluster(nodes)) => nodes.iter().map(|node| node.addr().to_string()).collect(),
            _ => panic!("{url} names no cluster"),
        }
    }

    #[test]
    fn a_cluster_is_named_by_some_of_its_nodes() {
        let url = "redis-cluster://copydesk:p%40ss@a:7000,b:7001,[::1]:7002/0";
        assert_eq!(nodes_of(url), ["a:7000", "b:7001", "::1:7002"]);
        assert_eq!(nodes_of("redis-cluster://one.example"), ["one.example:6379"]);
        let Ok(Address::Cluster(nodes)) = url.parse() else { panic!("{url} names no cluster") };
        for node in &nodes {
            assert_eq!(
                (node.redis_settings().username(), node.redis_settings().password()),
                (Some("copydesk"), Some("p@ss"))
            );
        }
    }

    #[test]
    fn tls_is_a_matter_of_the_scheme() {
        let Ok(Address::Server(server)) = "rediss://h:6380/2".parse() else { panic!("one server") };
        assert!(matches!(server.addr(), ConnectionAddr::TcpTls { insecure: false, .. }));
        let Ok(Address::Cluster(nodes)) = "rediss-cluster://a,b".parse() else { panic!("a cluster") };
        assert!(nodes.iter().all(|node| matches!(node.addr(), ConnectionAddr::TcpTls { .. })));
    }

    #[test]
    fn a_primary_is_named_by_its_sentinels_and_its_service() {
        let url = "redis-sentinel://copydesk:p%40ss@a:7000,b,[::1]/main/2?sentinel_password=s%26t";
        let Ok(Address::Sentinel(sentinels)) = url.parse() else { panic!("{url} names no sentinels") };
        let nodes: Vec<String> = sentinels.nodes.iter().map(|node| node.addr().to_string()).collect();
        assert_eq!(nodes, ["a:7000", "b:26379", "::1:26379"]);
        for node in &sentinels.nodes {
            let settings = node.redis_settings();
            assert_eq!((settings.username(), settings.password(), settings.db()), (None, Some("s&t"), 0));
        }
        assert_eq!(sentinels.service, "main");
        let servers = format!("{:?}", sentinels.servers);
        for setting in ["tls_mode: None", "username: Some(\"copydesk\")", "db: 2"] {
            assert!(servers.contains(setting), "{setting} is not in {servers}");
        }

        let Ok(Address::Sentinel(plain)) = "redis-sentinel://a/main".parse() else { panic!("sentinels") };
        assert_eq!(plain.nodes[0].redis_settings().password(), None);
        let Ok(Address::Sentinel(tls)) = "rediss-sentinel://:p@a/main".parse() else { panic!("sentinels") };
        assert!(matches!(tls.nodes[0].addr(), ConnectionAddr::TcpTls { insecure: false, .. }));
        assert!(format!("{:?}", tls.servers).contains("tls_mode: Some(Secure)"));
    }

    #[test]
    fn what_names_no_redis_is_refused() {
        for url in [
            "",
            "localhost:6379",
            "http://h",
            "redis://",
            "redis://a,b",
            "redis-cluster://",
            "redis-cluster://a,,b",
            "redis-cluster://a:x",
            "redis-cluster://a/3",
            "redis-cluster://a,b/0/1",
            "redis-sentinel://a,b",
            "redis-sentinel://a,b/",
            "redis-sentinel://a,,b/main",
            "redis-sentinel:///main",
            "redis-sentinel://a:x/main",
            "redis-sentinel://a/main/x",
            "redis-sentinel://a/main/0/1",
            "redis-sentinel://a/main?password=x",
        ] {
            assert!(url.parse::<Address>().is_err(), "{url} was taken");
        }
    }
}
