//! Who sends a request, and whether that may be done. One place lets requests in: [`Auth::admit`], for every route,
//! event stream and long poll, by what the router declares ([`need::Needs`]). Handlers get a [`caller::Caller`], and ask it
//! before they touch a business.

pub mod caller;
mod holder;
pub mod keyring;
pub mod need;
pub mod presented;

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request};
use axum::http::Method;
use copydesk_common::config::{ApiConfig, AuthMode, MetricsAccess};

use crate::error::ApiError;
use crate::peer::Client;
use crate::rate::{self, Rates};
use caller::Caller;
use keyring::{Keyring, Trust};
use need::{Need, Needs};
use presented::Presented;

/// The rule, and the keys that it knows.
#[derive(Debug, Clone)]
pub struct Auth {
    needs: Arc<Needs>,
    keyring: Keyring,
    rates: Rates,
    mode: AuthMode,
    metrics_need_a_key: bool,
}

impl Auth {
    /// As configured.
    pub fn new(config: &ApiConfig, needs: Needs, keyring: Keyring, rates: Rates) -> Self {
        let metrics_need_a_key = match config.metrics_access {
            // Behind a proxy on this machine, everybody comes from a loopback address.
            MetricsAccess::Auto => {
                let is_reached = !config.listen.ip().is_loopback() || config.trusted_proxies().next().is_some();
                config.auth == AuthMode::Required && is_reached
            }
            MetricsAccess::Key => true,
            MetricsAccess::Open => false,
        };
        Self { needs: Arc::new(needs), keyring, rates, mode: config.auth, metrics_need_a_key }
    }

    /// Lets a request in and notes whose it is, or says why not.
    pub async fn admit(&self, request: &mut Request) -> Result<(), ApiError> {
        let need = self.needs.of(request)?;
        if need == Need::Nothing || need == Need::Metrics && !self.metrics_need_a_key {
            return self.admit_anybody(request, need);
        }
        let address = address(request);
        // A request cannot be lent across an await: its body is not `Sync`.
        let presented = Presented::of(request, need);
        let is_session = matches!(presented, Ok(Some(Presented::Session(_))));
        let caller = self.believed(presented, need, address).await?;
        if is_session && !request.method().is_safe() && !presented::has_csrf_token(request.headers()) {
            return Err(ApiError::CsrfToken);
        }
        if need != Need::Metrics
            && let Some(meter) = caller.key().and_then(|key| self.rates.meter(key))
        {
            request.extensions_mut().insert(Arc::clone(&meter));
            meter.spend(rate::weight(request))?;
        }
        need.check(caller.grant())?;
        request.extensions_mut().insert(caller);
        Ok(())
    }

    /// What needs no key is counted by address, but for what orchestrators and Prometheus ask.
    fn admit_anybody(&self, request: &Request, need: Need) -> Result<(), ApiError> {
        let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
        let is_watched = need == Need::Metrics || path.is_some_and(is_uncounted);
        // Every preflight of a browser is answered: it says of an operation that it may be called, no more.
        if is_watched || self.mode == AuthMode::Open || request.method() == Method::OPTIONS {
            return Ok(());
        }
        self.rates.anonymous(address(request))
    }

    /// The caller. Nothing is looked up for an address whose last tries have failed; a key that is known needs no lookup.
    async fn believed(
        &self,
        presented: Result<Option<Presented>, ApiError>,
        need: Need,
        address: Option<IpAddr>,
    ) -> Result<Caller, ApiError> {
        let may_pass = match &presented {
            Ok(Some(presented)) => self.keyring.knows(presented),
            Ok(None) => self.mode == AuthMode::Open,
            Err(_) => false,
        };
        if !may_pass {
            self.rates.may_try(address)?;
        }
        let caller = match presented {
            Ok(presented) => self.caller(presented, need).await,
            Err(error) => Err(error),
        };
        if matches!(caller, Err(ApiError::Unauthenticated(_))) {
            self.rates.failed(address);
        }
        caller
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

/// Whether a path that needs no key is not counted by address: what orchestrators ask, and the files of the page, which asks
/// for all of them at each reload, from an office with one address.
pub(crate) fn is_uncounted(path: &str) -> bool {
    path.starts_with("/health") || path.starts_with("/console")
}

fn address(request: &Request) -> Option<IpAddr> {
    request.extensions().get::<Client>().and_then(|client| client.address)
}
