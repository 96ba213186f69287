//! The keys that clients have, as they are configured.

use std::str::FromStr;

use crate::id::Tenant;

/// The keys that clients have, as hashes.
#[derive(Clone, Debug, Default)]
pub struct ApiKeys(pub Vec<ApiKey>);

/// A key that clients have.
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// Whose it is. Several keys may be of the same name, while one replaces the other.
    pub tenant: Tenant,
    /// The SHA-256 of the key.
    pub hash: [u8; 32],
}

impl FromStr for ApiKeys {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let entries = text
            .split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty());
        let keys = entries.map(|entry| {
            // What is wrong is never a reason to show a hash.
            let (name, hash) = entry.split_once('=').ok_or("must be a list of name=hash")?;
            let tenant = Tenant::parse(name.trim());
            Ok(ApiKey {
                tenant: tenant.map_err(|rule| format!("the name of a key {rule}"))?,
                hash: parse_hash(hash.trim())
                    .ok_or_else(|| format!("the hash of {name} must be 64 hex digits"))?,
            })
        });
        keys.collect::<Result<_, String>>().map(Self)
    }
}

fn parse_hash(hex: &str) -> Option<[u8; 32]> {
    if hex.len() != 64 || !hex.is_ascii() {
        return None;
    }
    let mut hash = [0; 32];
    for (byte, digits) in hash.iter_mut().zip(hex.as_bytes().chunks(2)) {
        let digits = std::str::from_utf8(digits).ok()?;
        *byte = u8::from_str_radix(digits, 16).ok()?;
    }
    Some(hash)
}
