//! Identifiers, parsed once and valid ever after.

use std::{borrow::Borrow, fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The longest identifier, in bytes.
pub const MAX_ID_LENGTH: usize = 64;

/// What an identifier may look like, as clients are told.
pub const ID_RULE: &str = "must be 1 to 64 of the characters A-Z, a-z, 0-9, _ and -";

/// Whether `text` matches `[A-Za-z0-9_-]{1,64}`.
pub fn is_id(text: &str) -> bool {
    (1..=MAX_ID_LENGTH).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// A text that is no identifier.
#[derive(Debug, thiserror::Error)]
#[error("{ID_RULE}")]
pub struct MalformedId;

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Parses `text`.
            pub fn parse(text: &str) -> Result<Self, MalformedId> {
                if is_id(text) { Ok(Self(text.into())) } else { Err(MalformedId) }
            }

            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
    };
}

identifier! {
    /// Names a simulation.
    SimulationId
}
identifier! {
    /// Names this process among its peers.
    InstanceId
}
identifier! {
    /// Names whoever holds an API key: the owner of what was created with it.
    Tenant
}
identifier! {
    /// Tells one life of a lease, or one claim, from every other.
    Nonce
}
identifier! {
    /// Names a body inside its simulation.
    ///
    /// Deserialising takes any text: a specification is checked as a whole afterwards, so that
    /// a malformed name is reported together with every other fault.
    BodyId
}
identifier! {
    /// Names a joint inside its simulation; deserialised as leniently as a [`BodyId`].
    JointId
}

identifier! {
    /// Names a controller inside its simulation; deserialised as leniently as a [`BodyId`].
    ControllerId
}

impl SimulationId {
    /// A fresh random identifier (`UUIDv4`).
    pub fn random() -> Self {
        Self(uuid::Uuid::new_v4().to_string().into())
    }

    /// The identifier that an idempotency key stands for (`UUIDv8` of its hash), so that every
    /// instance derives the same one.
    pub fn derived(scope: &str, key: &str) -> Self {
        use sha2::{Digest, Sha256};
        let digest = Sha256::new()
            .chain_update(scope)
            .chain_update([0])
            .chain_update(key)
            .finalize();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        Self(uuid::Uuid::new_v8(bytes).to_string().into())
    }
}

impl InstanceId {
    /// A fresh random identifier (`UUIDv4`).
    pub fn random() -> Self {
        Self(uuid::Uuid::new_v4().to_string().into())
    }
}

impl Nonce {
    /// A fresh random nonce of 64 bits.
    pub fn random() -> Self {
        let (high, low) = uuid::Uuid::new_v4().as_u64_pair();
        // Some bits of either half are fixed; together they are not.
        Self(format!("{:016x}", high ^ low.rotate_left(32)).into())
    }
}

macro_rules! lenient {
    ($name:ident) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl de::Visitor<'_> for Text {
                    type Value = $name;
                    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                        formatter.write_str("an id")
                    }
                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$name, E> {
                        Ok($name(text.into()))
                    }
                }
                deserializer.deserialize_str(Text)
            }
        }

        impl $name {
            /// Whether the text that was deserialised is a well-formed identifier.
            pub fn is_well_formed(&self) -> bool {
                is_id(&self.0)
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                utoipa::openapi::schema::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .pattern(Some("^[A-Za-z0-9_-]{1,64}$"))
                    .into()
            }
        }

        impl utoipa::ToSchema for $name {}
    };
}

lenient!(BodyId);
lenient!(JointId);
lenient!(ControllerId);

/// On whose account the service works: a tenant, an address, or the service itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Payer(u64);

impl Payer {
    /// What nobody in particular asked for.
    pub const SERVICE: Self = Self(0);

    /// Whoever these bytes name. Two names with one account would only share what one of them gets.
    pub fn named(name: &[u8]) -> Self {
        let hash = name.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(hash.max(1))
    }

    /// The account as a plain number.
    pub fn as_u64(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_one_to_sixty_four_plain_characters() {
        let longest = "x".repeat(MAX_ID_LENGTH);
        for good in ["a", "A-b_9", &longest] {
            assert!(SimulationId::parse(good).is_ok(), "{good}");
        }
        let too_long = "x".repeat(MAX_ID_LENGTH + 1);
        for bad in ["", "a b", "a:b", "{a}", "*", "é", "..", "a/b", &too_long] {
            assert!(SimulationId::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_key_stands_for_one_id_in_each_scope() {
        let id = SimulationId::derived("alice", "key");
        assert_eq!(id, SimulationId::derived("alice", "key"));
        assert_ne!(id, SimulationId::derived("bob", "key"));
        assert!(is_id(id.as_str()));
    }
}
