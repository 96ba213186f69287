//! What happened in a run, in order: as a hash, and as text for whoever wants to read it.

use std::time::Duration;

/// What is noted while a run goes on.
pub(crate) struct Diary {
    hash: u64,
    events: u64,
    /// Nothing unless it is to be read.
    lines: Option<Vec<String>>,
}

impl Diary {
    pub(crate) fn new(is_kept: bool) -> Self {
        Self {
            hash: 0xcbf2_9ce4_8422_2325,
            events: 0,
            lines: is_kept.then(Vec::new),
        }
    }

    pub(crate) fn note(&mut self, at: Duration, who: &str, what: &str, numbers: [u64; 2]) {
        self.events += 1;
        let at = u64::try_from(at.as_millis()).unwrap_or(u64::MAX);
        let words = who.bytes().chain(what.bytes()).map(u64::from);
        for part in [at].into_iter().chain(words).chain(numbers) {
            self.hash = (self.hash ^ part).wrapping_mul(0x0100_0000_01b3);
        }
        if let Some(lines) = &mut self.lines {
            let [about, number] = numbers;
            lines.push(format!("{at:>7} ms  {who:<8} {what:<28} s{about} {number}"));
        }
    }

    /// A hash of everything, and how much that is.
    pub(crate) fn digest(&self) -> (u64, u64) {
        (self.hash, self.events)
    }

    pub(crate) fn into_lines(self) -> Vec<String> {
        self.lines.unwrap_or_default()
    }
}
