//! How much memory this process holds, and how much it may.

use std::{
    fs,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// How often to look how much memory is held.
const LOOK: Duration = Duration::from_millis(250);
/// How much of what the process may hold before it is killed is taken, in hundredths: what is
/// admitted may turn out to be larger, and stepping takes memory, too.
const SHARE_OF_LIMIT: u64 = 80;
/// The same of the machine's memory, which others need, too.
const SHARE_OF_MACHINE: u64 = 75;
/// Where the kernel says how much memory the process may hold: cgroups, and those before them.
const LIMITS: [&str; 2] = [
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
];
/// Pages are of this many bytes wherever their size is not asked for.
const PAGE: u64 = 4096;

/// How much memory may be held, and how much is.
#[derive(Debug)]
pub struct MemoryBudget {
    budget: u64,
    /// When it was looked last.
    held: AtomicU64,
    /// What was admitted since, and in the time before: that may not be held yet.
    recent: AtomicU64,
    earlier: AtomicU64,
}

impl MemoryBudget {
    /// So many bytes; if none, most of what the process may hold.
    pub fn new(bytes: u64) -> Self {
        let budget = Self {
            budget: if bytes == 0 { detected() } else { bytes },
            held: AtomicU64::new(0),
            recent: AtomicU64::new(0),
            earlier: AtomicU64::new(0),
        };
        budget.look();
        budget
    }

    /// How many bytes may be held.
    pub fn budget(&self) -> u64 {
        self.budget
    }

    /// How many bytes were held when it was looked last.
    pub fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }

    /// Whether there is room for so many bytes more, which are taken for held from now on.
    pub fn admit(&self, bytes: u64) -> bool {
        let recent = self.recent.load(Ordering::Relaxed);
        let promised = recent + self.earlier.load(Ordering::Relaxed);
        let wanted = self.held().saturating_add(promised).saturating_add(bytes);
        if wanted > self.budget {
            return false;
        }
        self.recent.fetch_add(bytes, Ordering::Relaxed);
        true
    }

    /// Looks now and then how much is held, for as long as it is polled.
    pub async fn watch(&self) {
        loop {
            tokio::time::sleep(LOOK).await;
            self.look();
        }
    }

    fn look(&self) {
        if let Some(held) = resident() {
            self.held.store(held, Ordering::Relaxed);
            let recent = self.recent.swap(0, Ordering::Relaxed);
            self.earlier.store(recent, Ordering::Relaxed);
        }
    }
}

/// What this process holds, where the kernel says so.
fn resident() -> Option<u64> {
    let pages = fs::read_to_string("/proc/self/statm").ok()?;
    let resident: u64 = pages.split(' ').nth(1)?.parse().ok()?;
    Some(resident * PAGE)
}

/// Most of what the process may hold; everything where nobody knows.
fn detected() -> u64 {
    let limits = LIMITS.into_iter().map(|file| fs::read_to_string(file).ok());
    let limit = limits.flatten().find_map(|text| limit(&text));
    let machine = fs::read_to_string("/proc/meminfo").ok();
    let machine = machine.and_then(|text| total(&text)).unwrap_or(u64::MAX);
    match limit {
        Some(limit) if limit < machine => limit / 100 * SHARE_OF_LIMIT,
        Some(_) | None => machine / 100 * SHARE_OF_MACHINE,
    }
}

/// The limit in a file of a cgroup, which may say that there is none.
fn limit(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// All memory of the machine, in bytes.
fn total(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kibibytes: u64 = line?.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_admitted_counts_until_it_is_seen() {
        let held = MemoryBudget::new(u64::MAX).held();
        assert!(held > 100_000, "a test takes more than {held} bytes");
        let budget = MemoryBudget::new(held + (64 << 20));

        assert!(budget.admit(24 << 20));
        assert!(!budget.admit(64 << 20), "some of it is promised");
        budget.look();
        assert!(!budget.admit(64 << 20), "and may not be held yet");
        budget.look();
        assert!(budget.admit(24 << 20), "by now it would have been");
    }

    #[test]
    fn limits_are_read_as_the_kernel_writes_them() {
        assert_eq!(limit("536870912\n"), Some(512 << 20));
        assert_eq!(limit("max\n"), None);
        assert_eq!(
            total("MemTotal:        2048 kB\nMemFree: 1 kB\n"),
            Some(2 << 20)
        );
        assert!(detected() > 1 << 20);
    }
}
