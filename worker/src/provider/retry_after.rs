//! How long a provider says that it takes no calls: in a `retry-after` header (seconds or an HTTP
//! date), a `retry-after-ms` header, or the text of the error ("try again in 2m59.56s").

use std::time::{Duration, SystemTime};

use reqwest::header::{HeaderMap, RETRY_AFTER};

/// The wait that a refusal asks for, where it asks for one. The most precise word wins.
pub(super) fn read(headers: &HeaderMap, text: &str) -> Option<Duration> {
    let header = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let in_ms = || header("retry-after-ms").and_then(|ms| seconds(ms.parse::<f64>().ok()? / 1000.0));
    let in_seconds = || header(RETRY_AFTER.as_str()).and_then(seconds_or_date);
    // A wait that is over says nothing where another one is told.
    let told = in_ms().filter(is_some_time).or_else(|| in_seconds().filter(is_some_time)).or_else(|| in_text(text));
    told.or_else(in_ms).or_else(in_seconds)
}

fn is_some_time(wait: &Duration) -> bool {
    !wait.is_zero()
}

fn seconds_or_date(value: &str) -> Option<Duration> {
    if let Ok(number) = value.parse() {
        return seconds(number);
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(SystemTime::from(copydesk_common::clock::now())).unwrap_or_default())
}

/// Not a number, negative and endless waits are none.
fn seconds(number: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(number).ok()
}

/// Behind the first of these words that a duration follows: `5.289s`, or a number and the name of a unit.
fn in_text(text: &str) -> Option<Duration> {
    let text = text.to_ascii_lowercase();
    let delay = text.split_once("retrydelay").and_then(|(_, rest)| {
        let rest = rest.trim_start_matches(['\\', '"', ':', ' ']);
        duration(&rest[..rest.find(['\\', '"', ',', '}']).unwrap_or(rest.len())])
    });
    delay.or_else(|| in_words(&text))
}

fn in_words(text: &str) -> Option<Duration> {
    ["try again in ", "retry in ", "retry after ", "try again after ", "please wait "].iter().find_map(|words| {
        let (_, rest) = text.split_once(words)?;
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '.').unwrap_or(rest.len());
        let first = rest[..end].trim_end_matches('.');
        duration(first).or_else(|| {
            let number = first.parse::<f64>().ok()?;
            let factor = match rest[end..].trim_start() {
                unit if unit.starts_with("ms") || unit.starts_with("millisecond") => 0.001,
                unit if unit.starts_with("sec") || unit.starts_with("s ") || unit == "s" => 1.0,
                unit if unit.starts_with("min") => 60.0,
                unit if unit.starts_with("hour") => 3_600.0,
                _ => return None,
            };
            seconds(number * factor).filter(|wait| !wait.is_zero())
        })
    })
}

/// `5.289s`, `2m59.56s`, `1h2m3s`, `12ms`.
pub(super) fn duration(mut text: &str) -> Option<Duration> {
    let mut total = 0.0;
    while !text.is_empty() {
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, rest) = text.split_at(digits);
        let unit_end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let factor = match &rest[..unit_end] {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        total += number.parse::<f64>().ok()? * factor;
        text = &rest[unit_end..];
    }
    seconds(total).filter(|wait| !wait.is_zero())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn waits(name: &'static str, value: &str, text: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        read(&headers, text)
    }

    #[test]
    fn headers_are_read_in_every_form() {
        assert_eq!(waits("retry-after", "3", ""), Some(Duration::from_secs(3)));
        assert_eq!(waits("retry-after", " 1.5 ", ""), Some(Duration::from_millis(1500)));
        assert_eq!(waits("retry-after-ms", "250", ""), Some(Duration::from_millis(250)));
        let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(90));
        let wait = waits("retry-after", &date, "").unwrap();
        assert!((88..=90).contains(&wait.as_secs()), "{wait:?}");
        assert_eq!(waits("retry-after", "Thu, 01 Jan 1970 00:00:00 GMT", ""), Some(Duration::ZERO));
    }

    #[test]
    fn the_text_is_read_where_no_header_says() {
        let text = "Limit 15000, Used 11972, Requested 4351. Please try again in 5.289s. Visit us.";
        assert_eq!(read(&HeaderMap::new(), text), Some(Duration::from_millis(5289)));
        assert_eq!(in_text("try again in 2m59.56s"), Some(Duration::from_millis(179_560)));
        assert_eq!(in_text("try again in 12ms."), Some(Duration::from_millis(12)));
        assert_eq!(in_text("rate limited, retry in 30s"), Some(Duration::from_secs(30)));
        assert_eq!(in_text("Please retry after 20 seconds."), Some(Duration::from_secs(20)));
        assert_eq!(in_text("Try again in 2 minutes"), Some(Duration::from_secs(120)));
        assert_eq!(waits("retry-after", "2", text), Some(Duration::from_secs(2)), "the header wins");
        assert_eq!(waits("retry-after", "0", text), Some(Duration::from_millis(5289)), "unless it says nothing");
        let google = r#"{\"error\": {\"details\": [{\"retryDelay\": \"26s\"}]}}"#;
        assert_eq!(in_text(google), Some(Duration::from_secs(26)));
    }

    #[test]
    fn nonsense_is_no_wait() {
        for value in ["", "soon", "-1", "NaN", "inf", "1e400"] {
            assert_eq!(waits("retry-after", value, "try again in a moment"), None, "{value:?}");
        }
        for text in ["", "try again in ", "try again in 5", "try again in 5 parsecs", "try again in 1.2.3s"] {
            assert_eq!(in_text(text), None, "{text:?}");
        }
    }
}
