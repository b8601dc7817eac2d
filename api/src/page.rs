//! Pages of lists: how many things are on one, and where the next one begins.

/// Things on a page where the client does not say.
const DEFAULT_LIMIT: i64 = 50;

/// How many things are on a page: the client's `limit`, already checked.
pub fn limit(limit: Option<i64>) -> u16 {
    u16::try_from(limit.unwrap_or(DEFAULT_LIMIT)).unwrap_or(u16::MAX)
}

/// How many things to read for a page: one more than it shows tells whether there is another page.
pub fn read_limit(limit: u16) -> u16 {
    limit.saturating_add(1)
}

/// Cuts what was read to the page, and names where the next one begins, where there is one.
pub fn cut<T, C>(mut data: Vec<T>, limit: u16, cursor: impl FnOnce(&T) -> C) -> (Vec<T>, Option<C>) {
    let more = data.len() > usize::from(limit);
    data.truncate(usize::from(limit));
    let next = if more { data.last().map(cursor) } else { None };
    (data, next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_page_names_no_next_one() {
        assert_eq!(cut(vec![3, 2, 1], 2, |last| *last), (vec![3, 2], Some(2)));
        assert_eq!(cut(vec![3, 2], 2, |last| *last), (vec![3, 2], None));
        assert_eq!(cut(Vec::<u8>::new(), 2, |last| *last), (vec![], None));
    }
}
