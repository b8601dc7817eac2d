//! The secrets of API keys: `cpd_<kind>_<id>_<32 random characters><6 of their CRC>`. Scanners of leaked secrets find
//! them by the prefix, and the checksum tells a misspelt one, or an invented one, without a look into the database.

use std::fmt;

use copydesk_domain::access::{KeyId, KeyKind};
use rand::RngExt;
use rand::distr::Alphanumeric;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// What every secret begins with.
pub const PREFIX: &str = "cpd_";
/// What the code of a link that logs in begins with.
pub const LOGIN_PREFIX: &str = "cpd_login_";
/// Random characters of the secret: 190 bits.
const RANDOM_CHARS: usize = 32;
/// Characters of the checksum.
const CHECK_CHARS: usize = 6;
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The SHA-256 of a secret: what is stored.
pub type Hash = [u8; 32];

/// The text is no secret of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an API key, or misspelt: one begins with cpd_tenant_ or cpd_operator_ and has a checksum at its end")]
pub struct NotAKey;

/// The secret of a key.
#[derive(Clone)]
pub struct Secret {
    id: KeyId,
    text: SecretString,
}

impl Secret {
    /// A new secret for a new key.
    pub fn mint(kind: KeyKind) -> Self {
        loop {
            if let Some(id) = KeyId::parse(&random(KeyId::CHARS)) {
                return Self::mint_for(kind, id);
            }
        }
    }

    /// A new secret for a key.
    pub fn mint_for(kind: KeyKind, id: KeyId) -> Self {
        let body = format!("{PREFIX}{kind}_{id}_{}", random(RANDOM_CHARS));
        let check = check_of(&body);
        Self { id, text: format!("{body}{check}").into() }
    }

    /// The secret, if a text has the form of one.
    pub fn parse(text: &str) -> Result<Self, NotAKey> {
        let mut parts = text.strip_prefix(PREFIX).ok_or(NotAKey)?.splitn(3, '_');
        let (kind, id, secret) = (parts.next(), parts.next().and_then(KeyId::parse), parts.next());
        let (Some(kind), Some(id), Some(secret)) = (kind, id, secret) else { return Err(NotAKey) };
        let is_whole = kind.parse::<KeyKind>().is_ok()
            && secret.len() == RANDOM_CHARS + CHECK_CHARS
            && secret.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let (body, check) = text.split_at_checked(text.len().saturating_sub(CHECK_CHARS)).ok_or(NotAKey)?;
        if is_whole && check == check_of(body) { Ok(Self { id, text: text.into() }) } else { Err(NotAKey) }
    }

    /// The key that it belongs to.
    pub fn id(&self) -> &KeyId {
        &self.id
    }

    /// What is stored of it.
    pub fn hash(&self) -> Hash {
        Sha256::digest(self.text.expose_secret().as_bytes()).into()
    }

    /// The secret itself, to be shown once.
    pub fn expose(&self) -> &str {
        self.text.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}…{}…", self.id)
    }
}

/// What a secret that is no key stands for. Hashes of different purposes never meet: a ticket is no session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A browser's login.
    Session,
    /// One event stream.
    Ticket,
    /// One login, by a link.
    Login,
    /// What a page shows to change something in a session.
    Csrf,
}

/// The hash of a secret with a purpose.
pub fn hash_for(purpose: Purpose, secret: &str) -> Hash {
    let purpose = match purpose {
        Purpose::Session => "copydesk session ",
        Purpose::Ticket => "copydesk ticket ",
        Purpose::Login => "copydesk login ",
        Purpose::Csrf => "copydesk csrf ",
    };
    Sha256::new().chain_update(purpose).chain_update(secret).finalize().into()
}

/// A new code for a link that logs in: found by scanners of leaked secrets, as keys are.
pub fn login_code() -> String {
    let body = format!("{LOGIN_PREFIX}{}", random(RANDOM_CHARS));
    let check = check_of(&body);
    body + &check
}

/// What is stored of a code, if a text has the form of one.
pub fn login_hash(code: &str) -> Option<Hash> {
    let (body, check) = code.split_at_checked(code.len().checked_sub(CHECK_CHARS)?)?;
    let secret = body.strip_prefix(LOGIN_PREFIX)?;
    let is_whole = secret.len() == RANDOM_CHARS && secret.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (is_whole && check == check_of(body)).then(|| hash_for(Purpose::Login, code))
}

/// Random letters and digits, from the system's own source of randomness.
pub fn random(chars: usize) -> String {
    rand::rng().sample_iter(Alphanumeric).take(chars).map(char::from).collect()
}

/// The checksum in base 62, its first digit first.
fn check_of(body: &str) -> String {
    let mut rest = crc32fast::hash(body.as_bytes());
    let mut digits = [b'0'; CHECK_CHARS];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[usize::try_from(rest % 62).unwrap_or(0)];
        rest /= 62;
    }
    digits.map(char::from).iter().collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_secret_is_found_by_its_form_and_never_shown() {
        let secret = Secret::mint(KeyKind::Tenant);
        let text = secret.expose();
        assert!(text.starts_with("cpd_tenant_"), "{text}");
        assert_eq!(text.len(), "cpd_tenant__".len() + 12 + 38);
        let parsed = Secret::parse(text).unwrap();
        assert_eq!((parsed.id(), parsed.hash()), (secret.id(), secret.hash()));
        assert!(!format!("{secret:?}").contains(&text[30..]), "{secret:?}");
        let code = login_code();
        assert!(login_hash(&code).is_some() && Secret::parse(&code).is_err(), "{code}");
        for wrong in ["", "cpd_login_", "ü", text, &code[..code.len() - 1], &format!("{code}0")] {
            assert!(login_hash(wrong).is_none(), "{wrong}");
        }
        let other = Secret::mint_for(KeyKind::Tenant, secret.id().clone());
        assert_ne!(other.hash(), secret.hash());
    }

    #[test]
    fn the_same_secret_is_another_for_another_purpose() {
        let secret = Secret::mint(KeyKind::Tenant);
        let hashes =
            [Purpose::Session, Purpose::Ticket, Purpose::Csrf].map(|purpose| hash_for(purpose, secret.expose()));
        assert!(hashes[0] != hashes[1] && hashes[1] != hashes[2] && hashes[0] != hashes[2]);
        assert!(!hashes.contains(&secret.hash()));
    }

    #[test]
    fn every_misspelt_character_is_told_without_the_database() {
        let secret = Secret::mint(KeyKind::Operator);
        let text = secret.expose();
        for at in 0..text.len() {
            let mut wrong = text.as_bytes().to_vec();
            wrong[at] = if wrong[at] == b'x' { b'y' } else { b'x' };
            assert_eq!(Secret::parse(std::str::from_utf8(&wrong).unwrap()).unwrap_err(), NotAKey, "at {at}");
        }
        for wrong in ["", "cpd_", "cpd_tenant_", "cpd_tenant__", &text[1..], &text[..text.len() - 1], "cpd_ü_ü_ü"] {
            assert_eq!(Secret::parse(wrong).unwrap_err(), NotAKey, "{wrong}");
        }
        assert_eq!(Secret::parse(&format!("{text}0")).unwrap_err(), NotAKey);
    }
}
