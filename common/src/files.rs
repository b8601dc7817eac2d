//! The limit of open files, sockets included. Many systems start a process with a soft limit of
//! 1,024 for the sake of old programs that use `select`; a process may raise it to the hard limit.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Raises this process's soft limit to its hard limit, and logs both.
pub fn raise() {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return tracing::warn!("the limit of open files is not known");
    };
    match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => tracing::info!(before = soft, limit = hard, "the limit of open files"),
        // Some systems call the hard limit infinite, and take less.
        Err(error) => tracing::warn!(
            error = &error as &dyn std::error::Error,
            limit = soft,
            hard,
            "the limit of open files could not be raised"
        ),
    }
}

/// The most files and sockets that this process may have open; `None` if unknown.
pub fn limit() -> Option<usize> {
    let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    Some(usize::try_from(soft).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn the_soft_limit_is_raised_to_the_hard_one() {
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        setrlimit(Resource::RLIMIT_NOFILE, soft.min(200), hard).unwrap();
        assert!(limit().unwrap() <= 200);
        raise();
        assert_eq!(getrlimit(Resource::RLIMIT_NOFILE).unwrap(), (hard, hard));
    }
}
