//! What Redis does when its memory is full.

use deadpool_redis::redis::{FromRedisValue, Value};

/// What Redis does when its memory is full, as far as it tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Eviction {
    /// `noeviction`, or how it chooses what to throw away.
    pub policy: Option<String>,
}

impl Eviction {
    /// Whether Redis may throw away what is registered.
    pub fn is_risk(&self) -> bool {
        let policy = self.policy.as_deref();
        policy.is_some_and(|policy| policy != "noeviction")
    }

    /// Reads the reply to `INFO`, of one server or of each node of a cluster: the worst counts.
    pub(super) fn read(reply: &Value) -> Option<Self> {
        let mut texts = Vec::new();
        collect(reply, &mut texts);
        let mut all = texts.iter().map(|text| Self::parse(text));
        let first = all.next()?;
        Some(all.fold(first, |worst, other| {
            if other.is_risk() && !worst.is_risk() {
                other
            } else {
                worst
            }
        }))
    }

    fn parse(text: &str) -> Self {
        let field = |name: &str| {
            let mut fields = text.lines().filter_map(|line| line.trim().split_once(':'));
            fields.find_map(|(key, value)| (key == name).then(|| value.to_owned()))
        };
        Self {
            policy: field("maxmemory_policy"),
        }
    }
}

/// The texts in a reply. A cluster's has the addresses of its nodes beside them.
fn collect(reply: &Value, texts: &mut Vec<String>) {
    if let Value::Map(nodes) = reply {
        for (_, text) in nodes {
            collect(text, texts);
        }
    } else if let Ok(text) = String::from_redis_value_ref(reply) {
        texts.push(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    #[test]
    fn the_fields_are_read_and_missing_ones_are_none() {
        let info = "# Memory\r\nused_memory:1024\r\nused_memory_human:1K\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\n";
        let read = Eviction::read(&text(info)).unwrap();
        assert_eq!(read.policy.as_deref(), Some("noeviction"));
        assert!(!read.is_risk());

        assert_eq!(Eviction::read(&text("")), Some(Eviction::default()));
        assert_eq!(Eviction::read(&Value::Nil), None);
    }

    #[test]
    fn the_worst_node_of_a_cluster_counts() {
        let node = |name: &str, policy: &str| {
            (
                text(name),
                text(&format!("maxmemory_policy:{policy}\r\nmaxmemory:7\r\n")),
            )
        };
        let nodes = Value::Map(vec![
            node("a:1", "noeviction"),
            node("b:1", "allkeys-lru"),
            node("c:1", "noeviction"),
        ]);
        let read = Eviction::read(&nodes).unwrap();
        assert_eq!(read.policy.as_deref(), Some("allkeys-lru"));
        assert!(read.is_risk());
    }
}
