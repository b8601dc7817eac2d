//! Providers' keys, as far as they are alike.

use secrecy::{ExposeSecret as _, SecretString};

/// A key is sent in a header. It is not quoted: it is a secret.
pub(super) fn check_key(name: &str, key: Option<&SecretString>) -> Result<(), String> {
    let fits = |key: &SecretString| key.expose_secret().bytes().all(|byte| byte.is_ascii_graphic());
    match key {
        Some(key) if !fits(key) => {
            Err(format!("{name} has a space, a line break or another character that no key has: copy it again"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use crate::config::{Config, ProvidersConfig};

    #[test]
    fn a_key_that_no_header_takes_is_named_without_its_text() {
        let config = Config::for_servers("postgres://u@h/db", "redis://h/0", "p").unwrap().providers;
        for key in ["gsk-secret\n", " gsk-secret", "gsk secret", "gsk-sécret"] {
            let wrong = ProvidersConfig { groq_api_key: Some(key.into()), ..config.clone() }.validate().unwrap_err();
            assert!(wrong.starts_with("GROQ_API_KEY has") && !wrong.contains("gsk"), "{wrong}");
        }
        assert_eq!(ProvidersConfig { groq_api_key: Some("gsk-secret".into()), ..config }.validate(), Ok(()));
    }
}
