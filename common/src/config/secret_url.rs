//! URLs in the configuration. Any of them can hold a secret: a password, or a key in its query. So
//! what is shown of one holds neither, and an error does not quote it.

use std::fmt;
use std::str::FromStr;

use serde::de::Error;
use serde::{Deserialize, Deserializer};
use url::Url;

/// A URL that may hold a secret. Only [`SecretUrl::expose`] gives it away.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl(Url);

/// The text is no URL. It is not quoted: it may be a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "it takes a URL such as https://host:8000/v1; the characters / ? # @ in a password are written as %2F %3F %23 %40"
)]
pub struct NotAUrl;

impl SecretUrl {
    /// The whole URL, with its secrets: for connections only.
    pub fn expose(&self) -> &Url {
        &self.0
    }

    /// The scheme.
    pub fn scheme(&self) -> &str {
        self.0.scheme()
    }

    /// The host, if there is one.
    pub fn host_str(&self) -> Option<&str> {
        self.0.host_str()
    }

    /// The URL of a path below this one, with its query.
    #[must_use]
    pub fn endpoint(&self, path: &str) -> Self {
        let mut url = self.0.clone();
        url.set_path(&format!("{}/{path}", self.0.path().trim_end_matches('/')));
        Self(url)
    }

    /// The same without a last part of its path, if it has this one.
    #[must_use]
    pub fn without_end(&self, end: &str) -> Self {
        let mut url = self.0.clone();
        let path = self.0.path().trim_end_matches('/');
        url.set_path(path.strip_suffix(end).unwrap_or(path));
        Self(url)
    }
}

impl From<Url> for SecretUrl {
    fn from(url: Url) -> Self {
        Self(url)
    }
}

impl FromStr for SecretUrl {
    type Err = NotAUrl;

    fn from_str(text: &str) -> Result<Self, NotAUrl> {
        // A password with such a character that is not encoded ends the host's name there, and its rest would be
        // taken for a path, a query or a fragment, which are shown.
        let authority = text.split_once("://").map_or("", |(_, rest)| rest);
        let end = authority.find(['/', '?', '#']).unwrap_or(authority.len());
        let (authority, rest) = authority.split_at(end);
        if rest.contains('#') || (rest.contains('@') && !authority.contains('@')) {
            return Err(NotAUrl);
        }
        text.parse().map(Self).map_err(|_| NotAUrl)
    }
}

impl<'de> Deserialize<'de> for SecretUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// Without user, password, path and query.
impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.0.scheme(), self.0.host_str().unwrap_or_default())?;
        self.0.port().map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn nothing_but_the_server_is_shown() {
        for url in [
            "https://u:hunter2@h:8000/v1",
            "https://hunter2@h:8000/",
            "https://h:8000/v1?key=hunter2",
            "https://h:8000/hunter2/v1",
        ] {
            let url: SecretUrl = url.parse().unwrap();
            assert_eq!(
                (url.to_string(), format!("{url:?}")),
                ("https://h:8000".into(), "SecretUrl(https://h:8000)".into())
            );
        }
        for wrong in [
            "hunter2",
            "http//u:hunter2@h",
            "http://u:hunt/er2@h/",
            "http://u:1?hunter2@h",
            "http://u:1#hunter2@h",
            "http://[hunter2",
            "",
        ] {
            let error = wrong.parse::<SecretUrl>().unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
            let read = serde_json::from_value::<SecretUrl>(wrong.into()).unwrap_err();
            assert!(read.to_string().starts_with("it takes a URL"), "{read}");
        }
    }

    #[test]
    fn paths_are_added_before_the_query() {
        let base: SecretUrl = "https://u:p@h/openai/v1/?api-version=2".parse().unwrap();
        assert_eq!(
            base.endpoint("chat/completions").expose().as_str(),
            "https://u:p@h/openai/v1/chat/completions?api-version=2"
        );
        assert_eq!(
            base.without_end("/v1").endpoint("props").expose().as_str(),
            "https://u:p@h/openai/props?api-version=2"
        );
        let bare: SecretUrl = "https://h".parse().unwrap();
        assert_eq!(bare.endpoint("search").expose().as_str(), "https://h/search");
        assert_eq!(bare.without_end("/v1").expose().as_str(), "https://h/");
    }
}
