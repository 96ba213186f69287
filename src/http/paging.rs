//! The part of a numbered list that a request asks for.

use std::str::FromStr;

use super::problem::Problem;
use crate::physics::{Fault, Faults};

/// The most entries that may be asked for at a time.
pub(super) const MAX_ENTRIES: usize = 10_000;

/// Behind which entry of a list the answer is to begin, and how many are to follow.
pub(super) struct Paging {
    pub(super) after: u64,
    pub(super) limit: usize,
}

impl Paging {
    /// Reads the query of a request for a part of `list`.
    pub(super) fn parse(query: Option<&str>, list: &str) -> Result<Self, Problem> {
        let (mut after, mut limit) = (0, 1000);
        let mut faults = Faults::default();
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            match name.as_ref() {
                "after" => match u64::from_str(&value) {
                    Ok(seq) => after = seq,
                    Err(_) => faults.add("after", "must be the seq of an entry"),
                },
                "limit" => match usize::from_str(&value) {
                    Ok(count) if (1..=MAX_ENTRIES).contains(&count) => limit = count,
                    _ => faults.add("limit", format_args!("must be between 1 and {MAX_ENTRIES}")),
                },
                _ => {
                    return Err(Problem::unknown_field(Fault {
                        pointer: String::new(),
                        detail: format!("{list} takes after and limit"),
                    }));
                }
            }
        }
        faults.into_result()?;
        Ok(Self { after, limit })
    }
}
