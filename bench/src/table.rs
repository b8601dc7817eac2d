//! Text tables for standard output.

/// Aligns the columns: the first to the left, the others to the right.
pub(crate) fn render(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
    let rule: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
    [&head, &rule].into_iter().chain(rows).map(|row| line(row, &widths)).collect()
}

fn line(row: &[String], widths: &[usize]) -> String {
    let mut line = String::new();
    for (column, (cell, &width)) in row.iter().zip(widths).enumerate() {
        let padded = if column == 0 { format!("{cell:<width$}") } else { format!("  {cell:>width$}") };
        line.push_str(&padded);
    }
    format!("{}\n", line.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = vec![vec!["kill".to_owned(), "2000".to_owned()], vec!["a longer one".to_owned(), "3".to_owned()]];
        let expected = "fault         jobs\n────────────  ────\nkill          2000\na longer one     3\n";
        assert_eq!(render(&["fault", "jobs"], &rows), expected);
    }
}
