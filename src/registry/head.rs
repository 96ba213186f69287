//! Where a journal stands, and how that is written.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a journal stands: the number of its last entry, and a hash of all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The number of the last entry; 0 before the first.
    pub seq: u64,
    /// The hash of everything up to it.
    pub chain: u64,
}

impl Head {
    /// The chain as text.
    pub fn chain_text(&self) -> String {
        format!("{:016x}", self.chain)
    }

    /// The head behind the texts of both halves.
    pub fn parse(seq: &str, chain: &str) -> Option<Self> {
        Some(Self {
            seq: seq.parse().ok()?,
            chain: u64::from_str_radix(chain, 16).ok()?,
        })
    }

    /// The head behind `<seq>-<16 hex digits of the chain>`.
    pub fn from_text(text: &str) -> Option<Self> {
        let (seq, chain) = text.split_once('-')?;
        let is_plain = chain.len() == 16 && seq.bytes().all(|byte| byte.is_ascii_digit());
        Self::parse(seq, chain).filter(|_| is_plain)
    }
}

impl fmt::Display for Head {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.seq, self.chain_text())
    }
}
