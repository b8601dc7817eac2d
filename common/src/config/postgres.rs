//! The configuration of Postgres and of the connection pool.

use secrecy::{ExposeSecret, SecretString};
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;
use url::Url;

use super::SecretUrl;

/// Postgres: the truth.
#[derive(Debug, Clone, confique::Config)]
pub struct PostgresConfig {
    /// Where Postgres is: `postgres://user:password@host:port/database`. A `postgresql+asyncpg://`
    /// URI is accepted too.
    #[config(env = "POSTGRES_URI")]
    uri: Option<SecretString>,
    /// Used if POSTGRES_URI is not set.
    #[config(env = "POSTGRES_ASYNC_URI")]
    async_uri: Option<SecretString>,
    /// Connections of the pool in normal operation.
    #[config(env = "COPYDESK_DATABASE_POOL_SIZE", default = 20)]
    pub pool_size: u32,
    /// Further connections at peak load.
    #[config(env = "COPYDESK_DATABASE_POOL_OVERFLOW", default = 10)]
    pub pool_overflow: u32,
    /// How long a query waits for a connection, in seconds.
    #[config(env = "COPYDESK_DATABASE_ACQUIRE_TIMEOUT_SECONDS", default = 30)]
    pub acquire_timeout_seconds: u64,
    /// The age at which a connection is replaced, in seconds.
    #[config(env = "COPYDESK_DATABASE_RECYCLE_SECONDS", default = 3600)]
    pub recycle_seconds: u64,
}

/// What `POSTGRES_URI` takes. The value is not quoted: it holds the password.
const TAKES: &str = "POSTGRES_URI takes postgres://user:password@host:port/database, with the characters / ? # @ in \
    the password written as %2F %3F %23 %40";
/// The parameters that the driver knows, each with what it takes.
const PARAMETERS: [(&[&str], &str); 11] = [
    (&["sslmode", "ssl-mode"], "disable, allow, prefer, require, verify-ca or verify-full"),
    (&["sslrootcert", "ssl-root-cert", "ssl-ca"], "a file"),
    (&["sslcert", "ssl-cert"], "a file"),
    (&["sslkey", "ssl-key"], "a file"),
    (&["statement-cache-capacity"], "a number"),
    (&["host"], "a host or a folder"),
    (&["hostaddr"], "an address"),
    (&["port"], "a number"),
    (&["dbname", "user", "password"], "a text"),
    (&["application_name"], "a text"),
    (&["options"], "a text"),
];

impl PostgresConfig {
    pub(super) fn validate(&self) -> Result<(), String> {
        self.options()?;
        if self.pool_size == 0 {
            return Err("COPYDESK_DATABASE_POOL_SIZE takes a number of connections from 1".into());
        }
        Ok(())
    }

    /// How to connect, and the names of the URI's parameters that have no effect. The driver would
    /// log what it does not know with its value, and quote what it cannot read.
    pub(crate) fn options(&self) -> Result<(PgConnectOptions, Vec<String>), String> {
        let Some(uri) = self.uri.as_ref().or(self.async_uri.as_ref()) else {
            return Err("POSTGRES_URI is not set: it takes postgres://user:password@host:port/database".into());
        };
        let mut url = parsed(uri.expose_secret()).ok_or(TAKES)?;
        let given: Vec<_> = url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        let (known, unknown): (Vec<_>, Vec<_>) = given.into_iter().partition(|(name, _)| takes(name).is_some());
        let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_lowercase() || b"_-".contains(&byte));
        if !unknown.iter().all(|(name, _)| is_name(name)) {
            return Err(format!("{TAKES}; after a ? it takes parameters such as sslmode=require"));
        }
        url.set_query(None);
        let bare = url.clone();
        PgConnectOptions::from_url(&bare).map_err(|_| TAKES)?;
        for (name, value) in known {
            let mut alone = bare.clone();
            alone.query_pairs_mut().append_pair(&name, &value);
            let takes = takes(&name).unwrap_or_default();
            PgConnectOptions::from_url(&alone).map_err(|_| format!("POSTGRES_URI: {name} takes {takes}"))?;
            url.query_pairs_mut().append_pair(&name, &value);
        }
        let options = PgConnectOptions::from_url(&url).map_err(|_| TAKES)?;
        Ok((options, unknown.into_iter().map(|(name, _)| name).collect()))
    }
}

/// The URI in the form that the driver accepts. Part of a password can be taken for a database's name,
/// which is shown: no such name is accepted.
fn parsed(uri: &str) -> Option<Url> {
    let (scheme, rest) = uri.split_once("://")?;
    let scheme = scheme.strip_suffix("+asyncpg").unwrap_or(scheme);
    let url: SecretUrl = format!("{scheme}://{rest}").parse().ok()?;
    let is_name = !url.expose().path().trim_start_matches('/').contains(['/', '@']);
    (matches!(scheme, "postgres" | "postgresql") && is_name).then(|| url.expose().clone())
}

/// What a parameter takes, if the driver knows it.
fn takes(name: &str) -> Option<&'static str> {
    let name = if name.starts_with("options[") && name.ends_with(']') { "options" } else { name };
    PARAMETERS.iter().find(|(names, _)| names.contains(&name)).map(|(_, takes)| *takes)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::config::Config;

    fn options(uri: &str) -> Result<(PgConnectOptions, Vec<String>), String> {
        let config = Config::for_servers(uri, "redis://h/0", "p").map_err(|error| error.to_string())?;
        config.postgres.options()
    }

    #[test]
    fn parameters_that_the_driver_does_not_know_are_named_without_their_values() {
        let (options, ignored) =
            options("postgres://u:p@h/db?sslmode=require&sslpassword=hunter2&channel_binding=require&options[a]=b")
                .unwrap();
        assert_eq!(ignored, ["sslpassword", "channel_binding"]);
        let url = options.to_url_lossy();
        assert!(url.as_str().contains("sslmode=require") && !url.as_str().contains("hunter2"), "{url}");
    }

    #[test]
    fn errors_do_not_quote_the_uri() {
        for wrong in [
            "hunter2",
            "postgres://u:hunter2@h:port/db",
            "postgres://u:1/hunter2@h/db",
            "postgres://u:1?hunter2@h/db",
            "postgres://u:1#hunter2@h/db",
            "postgres://u:p@h/db?hunter2",
            "postgres://u:p@h/db?sslmode=hunter2",
            "postgres://u:p@h/db?port=hunter2",
            "postgres://u:%ffhunter2@h/db",
            "mysql://u:hunter2@h/db",
        ] {
            let error = options(wrong).unwrap_err();
            assert!(error.starts_with("POSTGRES_URI") && !error.contains("hunter2"), "{wrong}: {error}");
        }
        assert!(
            options("postgres://u:p@h/db?sslmode=x")
                .unwrap_err()
                .ends_with("sslmode takes disable, allow, prefer, require, verify-ca or verify-full")
        );
    }
}
