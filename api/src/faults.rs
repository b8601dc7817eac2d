//! The invalid values of a request, bounded: however many there are and however long they are, an
//! answer stays small. What is left out is counted.

use copydesk_domain::problem::FieldProblem;

/// The most of them in an answer.
pub const MAX_FAULTS: usize = 50;
/// The longest pointer, in bytes. A longer one points at what surrounds the value.
const MAX_POINTER_BYTES: usize = 300;
/// The longest detail, in bytes. Of a longer one the middle is left out: it is the request's own value.
const MAX_DETAIL_BYTES: usize = 700;
/// The length from which on a summary names no more of them, in bytes.
const SUMMARY_BYTES: usize = 1_000;

/// Invalid values, at most [`MAX_FAULTS`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults {
    listed: Vec<FieldProblem>,
    omitted: usize,
}

impl Faults {
    /// Adds one; it is only counted if there are many.
    pub fn push(&mut self, pointer: impl AsRef<str>, detail: impl AsRef<str>) {
        if self.listed.len() < MAX_FAULTS {
            let (pointer, detail) = (bounded_pointer(pointer.as_ref()), bounded(detail.as_ref(), MAX_DETAIL_BYTES));
            self.listed.push(FieldProblem { pointer, detail });
        } else {
            self.omitted += 1;
        }
    }

    /// Adds those of another part.
    pub fn extend(&mut self, others: Self) {
        let room = MAX_FAULTS - self.listed.len();
        self.omitted += others.omitted + others.listed.len().saturating_sub(room);
        self.listed.extend(others.listed.into_iter().take(room));
    }

    /// Leaves out all but the first.
    pub fn shorten(&mut self, most: usize) {
        self.omitted += self.listed.len().saturating_sub(most);
        self.listed.truncate(most);
    }

    /// Whether every value is valid.
    pub fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    /// Those that are told.
    pub fn listed(&self) -> &[FieldProblem] {
        &self.listed
    }

    /// Those that are told, and the number of the others.
    pub fn into_parts(self) -> (Vec<FieldProblem>, usize) {
        (self.listed, self.omitted)
    }

    /// One line for clients that show only `detail`.
    pub fn summary(&self) -> String {
        let mut line = String::new();
        let mut others = self.listed.len() + self.omitted;
        for fault in &self.listed {
            if line.len() >= SUMMARY_BYTES {
                break;
            }
            line.push_str(if line.is_empty() { "" } else { "; " });
            if !fault.pointer.is_empty() {
                line.push_str(&format!("{}: ", fault.pointer.trim_start_matches('/')));
            }
            line.push_str(&fault.detail);
            others -= 1;
        }
        if others > 0 { line + &format!("; and {others} more") } else { line }
    }
}

/// The pointer, or that of the nearest surrounding value that is short enough.
fn bounded_pointer(pointer: &str) -> String {
    if pointer.len() <= MAX_POINTER_BYTES {
        return pointer.to_owned();
    }
    let cut = &pointer[..pointer.floor_char_boundary(MAX_POINTER_BYTES)];
    cut.rfind('/').map_or("", |at| &cut[..at]).to_owned()
}

/// The text without its middle, if it is longer than `most` bytes.
pub fn bounded(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    // What was expected stands at the end.
    let head = text.floor_char_boundary(most / 3);
    let tail = text.ceil_char_boundary(text.len() - most / 3 * 2);
    format!("{} … {}", &text[..head], &text[tail..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_are_counted_and_told_in_one_bounded_line() {
        let mut faults = Faults::default();
        for n in 0..MAX_FAULTS + 7 {
            faults.push(format!("/{n}"), "is unknown".repeat(10));
        }
        assert_eq!((faults.listed().len(), faults.omitted), (MAX_FAULTS, 7));
        let summary = faults.summary();
        assert!(summary.len() < 1_200 && summary.ends_with("; and 47 more"), "{summary}");
        let mut others = Faults::default();
        others.push("", "");
        others.extend(faults.clone());
        assert_eq!((others.listed().len(), others.omitted), (MAX_FAULTS, 8));
        others.shorten(10);
        assert_eq!(others.into_parts().1, 48);
    }

    #[test]
    fn values_of_the_request_are_told_in_part() {
        let mut faults = Faults::default();
        faults.push(
            "/metadata/ü".to_owned() + &"ü/x".repeat(1_000),
            "no `".to_owned() + &"ü".repeat(5_000) + "`: one of a, b",
        );
        faults.push("/".to_owned() + &"x".repeat(5_000), "short");
        let (listed, _) = faults.into_parts();
        assert!(listed[0].pointer.starts_with("/metadata/üü/xü") && listed[0].pointer.len() < MAX_POINTER_BYTES);
        assert!(listed[0].detail.len() < 720 && listed[0].detail.ends_with("`: one of a, b"), "{}", listed[0].detail);
        assert_eq!((listed[1].pointer.as_str(), listed[1].detail.as_str()), ("", "short"));
    }
}
