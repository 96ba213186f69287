//! What a child process printed, kept for questions and for failing tests.

use std::{
    io::{BufRead, BufReader, Read},
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread::JoinHandle,
    time::{Duration, Instant},
};

const TAIL: usize = 60;

/// Lines of stdout and stderr in the order they arrived, shared with the threads that read them.
#[derive(Clone, Default)]
pub(crate) struct Log {
    shared: Arc<(Mutex<Vec<String>>, Condvar)>,
}

impl Log {
    /// Reads `source` to its end on a thread of its own.
    pub(crate) fn follow(&self, source: impl Read + Send + 'static) -> JoinHandle<()> {
        let log = self.clone();
        std::thread::spawn(move || {
            let mut reader = BufReader::new(source);
            let mut line = Vec::new();
            while reader.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                log.lines_guard().push(text);
                log.shared.1.notify_all();
                line.clear();
            }
        })
    }

    /// All lines so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines_guard().clone()
    }

    /// The last lines, ready to print.
    pub(crate) fn tail(&self) -> String {
        let lines = self.lines_guard();
        lines[lines.len().saturating_sub(TAIL)..].join("\n")
    }

    /// Blocks until a line satisfies `found`; `None` when the deadline passes first.
    pub(crate) fn wait_for<T>(
        &self,
        deadline: Duration,
        found: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let until = Instant::now() + deadline;
        let mut lines = self.lines_guard();
        let mut seen = 0;
        loop {
            if let Some(value) = lines[seen..].iter().find_map(|line| found(line)) {
                return Some(value);
            }
            seen = lines.len();
            let left = until.checked_duration_since(Instant::now())?;
            lines = self
                .shared
                .1
                .wait_timeout(lines, left)
                .expect("no reader of the log panics while it holds the lines")
                .0;
        }
    }

    fn lines_guard(&self) -> MutexGuard<'_, Vec<String>> {
        self.shared
            .0
            .lock()
            .expect("no reader of the log panics while it holds the lines")
    }
}
