//! What a simulation survives.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a simulation survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// Nothing: it ends with the process that has it.
    Memory,
    /// It is found from everywhere, and ends with the process that has it.
    Registry,
    /// Every command that was acknowledged outlives that process.
    Journal,
}

impl Durability {
    /// As text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Registry => "registry",
            Self::Journal => "journal",
        }
    }
}
