//! What a provider says is left of its own limits, in the `x-ratelimit-*` headers of any answer: when
//! nothing is, the next call would be refused. Groq's `-requests` are a day's, its `-tokens` a minute's.

use std::time::{Duration, SystemTime};

use chrono::DateTime;
use copydesk_common::quota::ToldLimits;
use reqwest::header::HeaderMap;

use super::retry_after;

/// A moment of this century in seconds since 1970, or in milliseconds: no wait is as long.
const MIN_EPOCH: u64 = 1_000_000_000;
const MIN_EPOCH_MS: u64 = 1_000 * MIN_EPOCH;

/// How long the provider takes no calls, where nothing is left and it says when there will be.
pub(super) fn closed_for(headers: &HeaderMap) -> Option<Duration> {
    let number = |name: &str| text(headers, name)?.parse::<u32>().ok();
    let used_up = |what: &str| number(&format!("x-ratelimit-remaining-{what}")) == Some(0);
    let reset = |what: &str| until(text(headers, &format!("x-ratelimit-reset-{what}"))?);
    // A reset is when all of it is there again, and it comes back evenly: one request much earlier.
    let requests = used_up("requests")
        .then(|| reset("requests"))
        .flatten()
        .map(|all| all / number("x-ratelimit-limit-requests").unwrap_or(1).max(1));
    let tokens = used_up("tokens").then(|| reset("tokens")).flatten();
    requests.max(tokens)
}

/// What the provider says of its own limits: Groq's `-requests` are a day's, its `-tokens` a minute's.
pub(super) fn told(headers: &HeaderMap) -> ToldLimits {
    let number = |what: &str| text(headers, &format!("x-ratelimit-limit-{what}"))?.parse().ok().filter(|n| *n > 0);
    ToldLimits { calls_per_day: number("requests"), tokens_per_minute: number("tokens") }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// A duration such as `2m59.56s`, a number of seconds, or a moment as RFC 3339 has it.
fn until(reset: &str) -> Option<Duration> {
    let moment = || {
        let moment = SystemTime::from(DateTime::parse_from_rfc3339(reset).ok()?);
        Some(moment.duration_since(SystemTime::now()).unwrap_or_default())
    };
    let seconds = || {
        let seconds = Duration::try_from_secs_f64(reset.parse().ok()?).ok()?;
        // OpenRouter and others count milliseconds since 1970, or seconds.
        let since_1970 = match seconds.as_secs() {
            MIN_EPOCH_MS.. => seconds / 1_000,
            MIN_EPOCH.. => seconds,
            _ => return Some(seconds),
        };
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Some(since_1970.saturating_sub(now))
    };
    retry_after::duration(reset).or_else(seconds).or_else(moment)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn closed(headers: &[(&'static str, &str)]) -> Option<Duration> {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        closed_for(&headers.collect())
    }

    #[test]
    fn a_providers_own_limits_are_read() {
        let headers: HeaderMap = [("x-ratelimit-limit-requests", "1000"), ("x-ratelimit-limit-tokens", " 12000 ")]
            .into_iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect();
        assert_eq!(told(&headers), ToldLimits { calls_per_day: Some(1_000), tokens_per_minute: Some(12_000) });
        let odd = [("x-ratelimit-limit-requests".parse().unwrap(), "a lot".parse().unwrap())].into_iter().collect();
        assert_eq!((told(&odd), told(&HeaderMap::new())), Default::default());
    }

    #[test]
    fn a_provider_is_left_alone_when_nothing_is_left() {
        let requests = |remaining, reset| {
            closed(&[
                ("x-ratelimit-limit-requests", "1000"),
                ("x-ratelimit-remaining-requests", remaining),
                ("x-ratelimit-reset-requests", reset),
            ])
        };
        assert_eq!(requests("0", "24h0m0s"), Some(Duration::from_millis(86_400)), "one comes back by then");
        assert_eq!(requests("1", "23h58m33.6s"), None);
        assert_eq!(requests("0", "soon"), None);
        let tokens =
            |reset: &str| closed(&[("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", reset)]);
        assert_eq!(tokens("7.66s"), Some(Duration::from_millis(7_660)));
        assert_eq!(tokens("120ms"), Some(Duration::from_millis(120)));
        assert_eq!(tokens(" 3 "), Some(Duration::from_secs(3)));
        let moment = (chrono::Utc::now() + chrono::TimeDelta::seconds(30)).to_rfc3339();
        assert!((28..=30).contains(&tokens(&moment).unwrap().as_secs()));
        let now = chrono::Utc::now();
        for epoch in [now.timestamp() + 30, now.timestamp_millis() + 30_000] {
            assert!((28..=30).contains(&tokens(&epoch.to_string()).unwrap().as_secs()), "{epoch}");
        }
        assert_eq!(tokens(&(now.timestamp() - 5).to_string()), Some(Duration::ZERO));
        assert_eq!(tokens("2020-01-01T00:00:00Z"), Some(Duration::ZERO));
        assert_eq!(closed(&[("x-ratelimit-remaining-tokens", "0")]), None);
        assert_eq!(closed(&[]), None);
    }
}
