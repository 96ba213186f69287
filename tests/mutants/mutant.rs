//! Which bug is planted in this process: the one that the environment names.

use std::sync::OnceLock;

/// Whether the bug of this name is planted.
pub fn is(name: &str) -> bool {
    planted() == name
}

/// A script in Lua that knows which bug is planted.
pub fn script(text: &str) -> String {
    format!("local MUTANT = '{}'\n{text}", planted())
}

fn planted() -> &'static str {
    static PLANTED: OnceLock<String> = OnceLock::new();
    PLANTED.get_or_init(|| std::env::var("MUTANT").unwrap_or_default())
}
