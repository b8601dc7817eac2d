//! Who sends a request, and whether that may be done. One place lets requests in: [`Auth::admit`], for every route,
//! event stream and long poll, by what the router declares ([`need::Needs`]). Handlers get a [`caller::Caller`], and ask it
//! before they touch a business.

pub mod caller;
pub mod keyring;
pub mod need;
pub mod presented;

use std::sync::Arc;

use axum::extract::Request;
use copydesk_common::config::{ApiConfig, AuthMode, MetricsAccess};

use crate::error::ApiError;
use caller::Caller;
use keyring::{Keyring, Trust};
use need::{Need, Needs};
use presented::Presented;

/// The rule, and the keys that it knows.
#[derive(Debug, Clone)]
pub struct Auth {
    needs: Arc<Needs>,
    keyring: Keyring,
    mode: AuthMode,
    metrics_need_a_key: bool,
}

impl Auth {
    /// As configured.
    pub fn new(config: &ApiConfig, needs: Needs, keyring: Keyring) -> Self {
        let metrics_need_a_key = match config.metrics_access {
            MetricsAccess::Auto => config.auth == AuthMode::Required && !config.listen.ip().is_loopback(),
            MetricsAccess::Key => true,
            MetricsAccess::Open => false,
        };
        Self { needs: Arc::new(needs), keyring, mode: config.auth, metrics_need_a_key }
    }

    /// Lets a request in and notes whose it is, or says why not.
    pub async fn admit(&self, request: &mut Request) -> Result<(), ApiError> {
        let need = self.needs.of(request)?;
        if need == Need::Nothing || need == Need::Metrics && !self.metrics_need_a_key {
            return Ok(());
        }
        // A request cannot be lent across an await: its body is not `Sync`.
        let presented = Presented::of(request, need)?;
        let caller = self.caller(presented, need).await?;
        need.check(caller.grant())?;
        request.extensions_mut().insert(caller);
        Ok(())
    }

    async fn caller(&self, presented: Option<Presented>, need: Need) -> Result<Caller, ApiError> {
        // Metrics are wanted most while Postgres is away.
        let trust = if need == Need::Metrics { Trust::WhileAway } else { Trust::Fresh };
        match presented {
            Some(presented) => self.keyring.caller(presented, trust).await,
            None if self.mode == AuthMode::Open => Ok(Caller::anybody()),
            None => Err(ApiError::Unauthenticated(
                "this needs an API key: send it as `Authorization: Bearer cpd_…`. An operator makes the first one with \
                 `copydesk-api keys create`"
                    .to_owned(),
            )),
        }
    }
}
