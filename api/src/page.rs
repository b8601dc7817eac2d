//! Pages of lists: the number of items, and where the next page begins.

/// The default number of items on a page.
const DEFAULT_LIMIT: i64 = 50;

/// The number of items on a page: the client's `limit`, already checked.
pub fn limit(limit: Option<i64>) -> u16 {
    u16::try_from(limit.unwrap_or(DEFAULT_LIMIT)).unwrap_or(u16::MAX)
}

/// The number of items to read for a page: one more than it shows, to see whether there is another
/// page.
pub fn read_limit(limit: u16) -> u16 {
    limit.saturating_add(1)
}

/// Cuts the items that were read to the page, and returns where the next page begins, if there is
/// one.
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
