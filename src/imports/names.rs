//! The names of a file, made into ids of a simulation.

use std::collections::{HashMap, HashSet};

use crate::id::MAX_ID_LENGTH;

/// Hands out ids, each once.
pub(super) struct Names<'a> {
    prefix: &'a str,
    taken: HashSet<String>,
    /// The number that may be free, for names that were taken.
    next: HashMap<String, usize>,
}

impl<'a> Names<'a> {
    /// All of them begin with `prefix`.
    pub(super) fn new(prefix: &'a str) -> Self {
        Self {
            prefix,
            taken: HashSet::new(),
            next: HashMap::new(),
        }
    }

    /// The id for a name: with what ids may not hold replaced, and a number where it is taken.
    pub(super) fn id(&mut self, name: &str) -> String {
        let plain = |it: char| {
            let is_plain = it.is_ascii_alphanumeric() || matches!(it, '_' | '-');
            if is_plain { it } else { '_' }
        };
        let room = MAX_ID_LENGTH.saturating_sub(self.prefix.len());
        let name: String = name.chars().map(plain).take(room).collect();
        let whole = format!("{}{name}", self.prefix);
        let mut id = if whole.is_empty() {
            "_".to_owned()
        } else {
            whole.clone()
        };
        if self.taken.insert(id.clone()) {
            return id;
        }
        // Begun anew for each, a thousand equal names would take half a million attempts.
        let number = self.next.entry(whole.clone()).or_insert(2);
        while !self.taken.insert(id.clone()) {
            let ending = format!("-{number}");
            let room = MAX_ID_LENGTH - ending.len();
            id = format!("{}{ending}", &whole[..whole.len().min(room)]);
            *number += 1;
        }
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::is_id;

    #[test]
    fn every_name_becomes_an_id_of_its_own() {
        let long = "x".repeat(300);
        let mut names = Names::new("r1_");
        let given = ["arm", "arm", "arm-2", "a b", "a/b", "é", "", &long, &long];
        let ids: Vec<_> = given.iter().map(|name| names.id(name)).collect();

        assert_eq!(
            ids[..5],
            ["r1_arm", "r1_arm-2", "r1_arm-2-2", "r1_a_b", "r1_a_b-2"]
        );
        assert!(ids.iter().all(|id| is_id(id)), "{ids:?}");
        let different: HashSet<_> = ids.iter().collect();
        assert_eq!(different.len(), ids.len());
    }
}
