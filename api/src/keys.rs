//! `copydesk-api keys`: makes the first key, and others in the night when nobody can log in. Who can run it reaches
//! Postgres, so it asks for no key.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use chrono::TimeDelta;
use clap::{Args, Subcommand};
use copydesk_common::clock;
use copydesk_common::config::MOST_REQUESTS_PER_MINUTE;
use copydesk_common::key::{Purpose, Secret, hash_for, login_code};
use copydesk_common::store::audit::Entry;
use copydesk_common::store::key::{Holds, NewKey};
use copydesk_common::store::{self, Store};
use copydesk_domain::access::{ApiKey, Grant, KeyId, KeyKind, KeyStatus, Reach, Scope};
use copydesk_domain::business::BusinessId;
use url::Url;

use crate::route::keys::{self, MAX_OVERLAP_SECONDS, OVERLAP_SECONDS, previous_until, subject};

/// The keys that are listed in one query.
const PAGE: u16 = 200;

/// How long a link that logs in counts.
const LOGIN_LASTS: TimeDelta = TimeDelta::minutes(10);

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Make a key and print its secret, once.
    Create(Create),
    /// List all keys, the newest first.
    List,
    /// Revoke a key, at once and for good.
    Revoke {
        /// Its id.
        id: KeyId,
    },
    /// Make a link that logs a browser in with a key, once, within ten minutes, and print it.
    LoginLink {
        /// The key's id.
        #[arg(long)]
        key: KeyId,
        /// Where the API is reached, such as https://copy.example.org. The link begins with a slash, if missing.
        #[arg(long, default_value = "", value_parser = base)]
        base: String,
    },
    /// Give a key a new secret and print it, once.
    Rotate {
        /// Its id.
        id: KeyId,
        /// How much longer the old secret counts.
        #[arg(long, default_value_t = OVERLAP_SECONDS, value_parser = clap::value_parser!(i64).range(0..=MAX_OVERLAP_SECONDS))]
        overlap_seconds: i64,
    },
}

/// The key to be made.
#[derive(Debug, Args)]
pub struct Create {
    /// What people call it.
    #[arg(long, value_parser = key_name)]
    name: String,
    /// Whom it is for: `operator` or `tenant`.
    #[arg(long, default_value = "operator")]
    kind: KeyKind,
    /// What it allows, with commas between. All that its kind can have, if missing.
    #[arg(long, value_delimiter = ',')]
    scope: Vec<Scope>,
    /// The businesses that it reaches, with commas between. An operator's key reaches all, if missing.
    #[arg(long, value_delimiter = ',', value_parser = business)]
    business: Vec<BusinessId>,
    /// A tenant's key that reaches every business.
    #[arg(long, conflicts_with = "business")]
    every_business: bool,
    /// Requests in a minute, in place of the service's default.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_REQUESTS_PER_MINUTE)))]
    requests_per_minute: Option<u32>,
    /// When it ends by itself; never, if missing.
    #[arg(long, value_parser = clap::value_parser!(i64).range(1..=36_500))]
    expires_in_days: Option<i64>,
    /// Write the secret into this file (mode 600) and print nothing. If the file holds a secret that counts, nothing is made.
    #[arg(long)]
    secret_file: Option<PathBuf>,
}

/// The store, for a change that the audit log keeps.
fn by_hand(store: &Store, action: &'static str, id: &KeyId) -> Store {
    store.audited(Entry::by_command_line(action, subject(id)))
}

fn key_name(name: &str) -> Result<String, String> {
    let name = name.trim();
    keys::key_name(name, &()).map(|()| name.to_owned()).map_err(|error| error.to_string())
}

/// Where the API is reached: an address that browsers open, to which the link's fragment is added.
fn base(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Ok(String::new());
    }
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    if !matches!(url.scheme(), "http" | "https") || url.query().or(url.fragment()).is_some() {
        return Err("it must begin with http:// or https://, and have no query and no fragment".to_owned());
    }
    Ok(text.trim_end_matches('/').to_owned())
}

fn business(id: &str) -> Result<BusinessId, String> {
    BusinessId::parse(id).map_err(|error| error.to_string())
}

impl KeysCommand {
    /// Does it.
    pub async fn run(self, store: &Store) -> anyhow::Result<()> {
        match self {
            Self::Create(create) => create.run(store).await,
            Self::List => list(store).await,
            Self::Revoke { id } => {
                if !store::key::revoke(&by_hand(store, "keys.revoke", &id), &id).await? {
                    bail!("there is no API key {id}: `copydesk-api keys list` shows all");
                }
                eprintln!("key {id} is revoked");
                Ok(())
            }
            Self::LoginLink { key, base } => login_link(store, &key, &base).await,
            Self::Rotate { id, overlap_seconds } => rotate(store, id, overlap_seconds).await,
        }
    }
}

impl Create {
    async fn run(self, store: &Store) -> anyhow::Result<()> {
        if let Some(path) = &self.secret_file
            && let Some(id) = counting(store, path).await?
        {
            eprintln!("{} holds the secret of key {id}: kept", path.display());
            return Ok(());
        }
        let new = self.new_key()?;
        let secret = Secret::mint(new.grant.kind);
        // A secret that cannot be kept is better not made.
        if let Some(path) = &self.secret_file {
            write(path, &secret).with_context(|| format!("{} cannot be written", path.display()))?;
        }
        let key = store::key::create(&by_hand(store, "keys.create", secret.id()), &new, &secret)
            .await
            .context("the key could not be stored")?;
        eprintln!("made {}", line(&key));
        if self.secret_file.is_none() {
            print(secret.expose())?;
        }
        Ok(())
    }

    fn new_key(&self) -> anyhow::Result<NewKey> {
        let takes = |scope: &Scope| self.kind == KeyKind::Operator || !scope.is_for_operators();
        let all = || Scope::ALL.iter().copied().filter(takes).collect();
        let scopes = if self.scope.is_empty() { all() } else { self.scope.iter().copied().collect() };
        let businesses: BTreeSet<_> = self.business.iter().cloned().collect();
        if self.kind == KeyKind::Tenant && businesses.is_empty() && !self.every_business {
            bail!("a tenant's key needs --business, or --every-business");
        }
        let now = clock::now();
        let grant = Grant {
            kind: self.kind,
            scopes,
            reach: if businesses.is_empty() { Reach::All } else { Reach::Only(businesses) },
            expires_at: self.expires_in_days.map(|days| now + TimeDelta::days(days)),
        };
        grant.check(now)?;
        Ok(NewKey { name: self.name.clone(), grant, requests_per_minute: self.requests_per_minute, created_by: None })
    }
}

/// The key whose secret a file holds, if it counts.
async fn counting(store: &Store, path: &Path) -> anyhow::Result<Option<KeyId>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
    };
    let Ok(secret) = Secret::parse(text.trim()) else {
        bail!("{} holds something else than the secret of a key: name another file", path.display());
    };
    let stored = store::key::get(store, secret.id()).await?;
    let counts = stored.is_some_and(|stored| {
        stored.holds(&secret.hash()) != Holds::Not && stored.key.status(clock::now()) == KeyStatus::Active
    });
    Ok(counts.then(|| secret.id().clone()))
}

fn write(path: &Path, secret: &Secret) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    writeln!(file, "{}", secret.expose())
}

async fn list(store: &Store) -> anyhow::Result<()> {
    let mut cursor = None;
    loop {
        let keys = store::key::list(store, &Reach::All, cursor.as_ref(), PAGE).await?;
        keys.iter().try_for_each(|key| print(&line(key)))?;
        cursor = keys.last().map(|key| key.id.clone());
        if keys.len() < usize::from(PAGE) {
            return Ok(());
        }
    }
}

async fn rotate(store: &Store, id: KeyId, overlap_seconds: i64) -> anyhow::Result<()> {
    let stored = store::key::get(store, &id).await?;
    let Some(stored) = stored else { bail!("there is no API key {id}: `copydesk-api keys list` shows all") };
    let secret = Secret::mint_for(stored.key.grant.kind, id);
    let change = by_hand(store, "keys.rotate", secret.id());
    let rotated = store::key::rotate(&change, &secret, previous_until(overlap_seconds)).await?;
    let Some(key) = rotated else { bail!("key {} was revoked: make another one", secret.id()) };
    eprintln!("new secret of {}; the old one counts for {overlap_seconds} s more", line(&key));
    print(secret.expose())
}

async fn login_link(store: &Store, id: &KeyId, base: &str) -> anyhow::Result<()> {
    let code = login_code();
    let hash = hash_for(Purpose::Login, &code);
    let change = by_hand(store, "keys.login_link", id);
    if !store::session::issue_login(&change, &hash, id, clock::now() + LOGIN_LASTS).await? {
        bail!("there is no API key {id} that counts: `copydesk-api keys list` shows all");
    }
    // Behind the fragment's mark: no server and no proxy sees it.
    print(&format!("{base}/#/enter/{code}"))
}

/// A line for whoever reads; one that no longer does is no panic.
fn print(line: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{line}").context("the output is closed")
}

/// A key on one line.
fn line(key: &ApiKey) -> String {
    let scopes: Vec<_> = key.grant.scopes.iter().map(|scope| scope.as_str()).collect();
    let reach = key.grant.reach.listed().map_or_else(|| "every business".to_owned(), |ids| ids.join(","));
    let end =
        key.grant.expires_at.map_or_else(|| "no end".to_owned(), |end| format!("until {}", end.format("%F %R UTC")));
    let used =
        key.last_used_at.map_or_else(|| "never used".to_owned(), |at| format!("used {}", at.format("%F %R UTC")));
    let status = key.status(clock::now());
    format!("{}  {}  {status}  {:?}  {}  {reach}  {end}  {used}", key.id, key.grant.kind, key.name, scopes.join(","))
}

#[cfg(test)]
mod tests {
    use super::base;

    #[test]
    fn a_link_begins_with_an_address_that_browsers_open() {
        for (given, right) in [
            ("", ""),
            ("https://copy.example.org/", "https://copy.example.org"),
            ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
            ("https://example.org/sub/", "https://example.org/sub"),
        ] {
            assert_eq!(base(given).as_deref(), Ok(right));
        }
        for wrong in ["copy.example.org", "javascript:alert(1)", "ftp://a", "https://a/?b", "https://a/#b", "/sub"] {
            assert!(base(wrong).is_err(), "{wrong}");
        }
    }
}
