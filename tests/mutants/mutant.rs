//! Which bug is planted in this process: the one that the environment names.

use std::sync::OnceLock;

/// Whether the bug of this name is planted.
pub fn is(name: &str) -> bool {
    static PLANTED: OnceLock<Option<String>> = OnceLock::new();
    let planted = PLANTED.get_or_init(|| std::env::var("MUTANT").ok());
    planted.as_deref() == Some(name)
}
