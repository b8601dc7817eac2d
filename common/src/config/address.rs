//! What `REDIS_URL` names: one server, or a cluster by some of its nodes. Reads it; connects to
//! nothing.

use std::str::FromStr;

use redis::{ConnectionInfo, IntoConnectionInfo};

/// Where Redis is. Holds the password, so it does not show.
#[derive(Clone)]
pub(crate) enum Address {
    /// One server, or whatever stands in for it: a proxy, a name that follows the primary.
    Server(Box<ConnectionInfo>),
    /// A cluster, by the nodes that are asked for all the others.
    Cluster(Vec<ConnectionInfo>),
}

/// `REDIS_URL` names no Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "REDIS_URL takes redis://:password@host:port/database, or redis-cluster://:password@host:port,host:port \
     for Redis Cluster; rediss:// and rediss-cluster:// for TLS"
)]
pub struct AddressError;

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(url: &str) -> Result<Self, AddressError> {
        let (scheme, rest) = url.split_once("://").ok_or(AddressError)?;
        match scheme {
            // A list would pass for the name of one host.
            "redis" | "rediss" | "valkey" | "valkeys" if rest.contains(',') => Err(AddressError),
            "redis" | "rediss" | "valkey" | "valkeys" | "redis+unix" | "unix" => {
                url.into_connection_info().map(|info| Self::Server(Box::new(info))).map_err(|_| AddressError)
            }
            "redis-cluster" => nodes("redis", rest).map(Self::Cluster),
            "rediss-cluster" => nodes("rediss", rest).map(Self::Cluster),
            _ => Err(AddressError),
        }
    }
}

/// The nodes of `user:password@host:port,host:port`. A cluster has no numbered databases.
fn nodes(scheme: &str, rest: &str) -> Result<Vec<ConnectionInfo>, AddressError> {
    let (credentials, hosts) = rest.rsplit_once('@').map_or(("", rest), |(credentials, hosts)| (credentials, hosts));
    let at = if credentials.is_empty() { "" } else { "@" };
    let hosts = hosts.strip_suffix("/0").or(hosts.strip_suffix('/')).unwrap_or(hosts);
    let node = |host: &str| {
        let named = !host.is_empty() && !host.contains(['/', '?', '#']);
        let info = named.then(|| format!("{scheme}://{credentials}{at}{host}").into_connection_info());
        info.and_then(Result::ok).ok_or(AddressError)
    };
    hosts.split(',').map(|host| node(host.trim())).collect()
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
        ] {
            assert!(url.parse::<Address>().is_err(), "{url} was taken");
        }
    }
}
