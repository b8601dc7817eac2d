//! One request after the other, timed at the client.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use reqwest::{Client, Method};
use serde_json::Value;

use crate::key;
use crate::measure::growth::Lines;
use crate::measure::quantile;

/// Requests that are timed: so many, or as many as fit into the time, but a few.
const TIMES: usize = 30;
const TIME: Duration = Duration::from_secs(4);
const FEWEST: usize = 3;
/// Connections, statements and caches are made by then.
const UNTIMED: usize = 2;

/// A request: what it is called, and what it is.
pub(super) struct Ask {
    pub(super) what: &'static str,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) body: Option<Value>,
}

impl Ask {
    pub(super) fn get(what: &'static str, path: impl Into<String>) -> Self {
        Self { what, method: Method::GET, path: path.into(), body: None }
    }

    /// Makes it over and over; its p50 and p99 become lines.
    pub(super) async fn time(&self, url: &str, size: usize, lines: &mut Lines) -> anyhow::Result<()> {
        let http = key::client().build()?;
        for _ in 0..UNTIMED {
            self.once(&http, url).await?;
        }
        let (mut times_ms, began) = (Vec::with_capacity(TIMES), Instant::now());
        while times_ms.len() < FEWEST || (times_ms.len() < TIMES && began.elapsed() < TIME) {
            times_ms.push(self.once(&http, url).await?);
        }
        add(self.what, size, &mut times_ms, lines);
        Ok(())
    }

    /// How long it took, in ms.
    pub(super) async fn once(&self, http: &Client, url: &str) -> anyhow::Result<f64> {
        let mut request = http.request(self.method.clone(), format!("{url}{}", self.path));
        if let Some(body) = &self.body {
            request = request.json(body);
        }
        let began = Instant::now();
        let answer = request.send().await.with_context(|| self.path.clone())?;
        let status = answer.status();
        let body = answer.bytes().await.with_context(|| self.path.clone())?;
        let took = began.elapsed();
        ensure!(status.is_success(), "{}: {status}: {}", self.path, String::from_utf8_lossy(&body));
        Ok(took.as_secs_f64() * 1_000.0)
    }
}

/// The lines of a request's times.
pub(super) fn add(what: &str, size: usize, times_ms: &mut [f64], lines: &mut Lines) {
    lines.add(&format!("{what}, p50"), "ms", size, quantile(times_ms, 0.5));
    lines.add(&p99(what), "ms", size, quantile(times_ms, 0.99));
}

/// The line of a request's p99.
pub(super) fn p99(what: &str) -> String {
    format!("{what}, p99")
}
