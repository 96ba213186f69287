//! What is to be said of a description: what is wrong with it, and what of it is not carried over.

use std::fmt;

use crate::physics::{Faults, PhysicsError};

/// How many faults, and how many parts that are not carried over, are told.
const MAX_NOTES: usize = 100;

/// What is to be said of a description.
#[derive(Default)]
pub(super) struct Notes {
    faults: Faults,
    ignored: Vec<String>,
    untold: usize,
}

impl Notes {
    /// Notes what is wrong.
    pub(super) fn refuse(&mut self, detail: impl fmt::Display) {
        if !self.is_full() {
            self.faults.add("content", detail);
        }
    }

    /// Notes what is not carried over.
    pub(super) fn ignore(&mut self, what: impl fmt::Display) {
        // Finding the words may take longer than everything else.
        if self.ignored.len() == MAX_NOTES {
            self.untold += 1;
            return;
        }
        let what = what.to_string();
        if !self.ignored.contains(&what) {
            self.ignored.push(what);
        }
    }

    /// Whether more faults are noted than anybody wants to read.
    pub(super) fn is_full(&self) -> bool {
        self.faults.count() >= MAX_NOTES
    }

    /// Fails if anything is wrong so far.
    pub(super) fn check(&mut self) -> Result<(), PhysicsError> {
        std::mem::take(&mut self.faults).into_result()
    }

    /// What is not carried over, or everything that is wrong.
    pub(super) fn into_result(mut self) -> Result<Vec<String>, PhysicsError> {
        self.faults.into_result()?;
        if self.untold > 0 {
            self.ignored.push(format!("and {} more", self.untold));
        }
        Ok(self.ignored)
    }
}

/// The beginning of what a client wrote, to be repeated to it.
pub(super) fn shortened(text: &str, most: usize) -> String {
    let mut characters = text.chars();
    let mut short: String = characters.by_ref().take(most).collect();
    if characters.next().is_some() {
        short.push('…');
    }
    short
}
