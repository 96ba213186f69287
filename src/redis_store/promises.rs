//! What Redis can promise of what it is told: whether it forgets when its memory is full, when it
//! loses power, or when another server takes its place.

use deadpool_redis::redis::{FromRedisValue, Value};

/// What Redis keeps, as far as it tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Promises {
    /// What it does when its memory is full: `noeviction`, or how it chooses what to throw away.
    pub eviction: Option<String>,
    /// Whether it writes an append-only file.
    pub appendonly: Option<bool>,
    /// When that reaches the disk: `always`, `everysec` or `no`.
    pub appendfsync: Option<String>,
    /// How many replicas follow it.
    pub replicas: Option<u32>,
}

impl Promises {
    /// Whether Redis may throw away what is registered.
    pub fn is_eviction_risk(&self) -> bool {
        let policy = self.eviction.as_deref();
        policy.is_some_and(|policy| policy != "noeviction")
    }

    /// Reads the replies to `INFO` and to `CONFIG GET appendfsync`, of one server or of each node
    /// of a cluster: of each promise the worst counts.
    pub(super) fn read(info: &Value, fsync: Option<&Value>) -> Option<Self> {
        let mut texts = Vec::new();
        collect(info, &mut texts);
        let mut all = texts.iter().map(|text| Self::parse(text));
        let first = all.next()?;
        let mut worst = all.fold(first, Self::worse);
        let mut words = Vec::new();
        if let Some(fsync) = fsync {
            collect(fsync, &mut words);
        }
        let known = ["no", "everysec", "always"];
        let fsync = known.iter().find(|word| words.iter().any(|w| w == *word));
        worst.appendfsync = fsync.map(|word| (*word).to_owned());
        Some(worst)
    }

    fn parse(text: &str) -> Self {
        let field = |name: &str| {
            let mut fields = text.lines().filter_map(|line| line.trim().split_once(':'));
            fields.find_map(|(key, value)| (key == name).then_some(value))
        };
        Self {
            eviction: field("maxmemory_policy").map(str::to_owned),
            appendonly: field("aof_enabled").map(|flag| flag == "1"),
            appendfsync: None,
            replicas: field("connected_slaves").and_then(|count| count.parse().ok()),
        }
    }

    fn worse(self, other: Self) -> Self {
        let is_other_riskier = other.is_eviction_risk() && !self.is_eviction_risk();
        Self {
            appendonly: self.appendonly.min(other.appendonly),
            appendfsync: None,
            replicas: self.replicas.min(other.replicas),
            eviction: if is_other_riskier {
                other.eviction
            } else {
                self.eviction
            },
        }
    }
}

/// The runs that the replies to `INFO` are of, in one text whatever their order.
pub(super) fn run_ids(info: &Value) -> Option<String> {
    let mut texts = Vec::new();
    collect(info, &mut texts);
    let lines = texts.iter().flat_map(|text| text.lines());
    let mut runs: Vec<_> = lines
        .filter_map(|line| line.strip_prefix("run_id:"))
        .collect();
    runs.sort_unstable();
    (!runs.is_empty()).then(|| runs.join(" "))
}

/// The texts in a reply. A cluster's has the addresses of its nodes beside them.
fn collect(reply: &Value, texts: &mut Vec<String>) {
    if let Value::Map(nodes) = reply {
        for (_, text) in nodes {
            collect(text, texts);
        }
    } else if let Value::Array(items) = reply {
        for item in items {
            collect(item, texts);
        }
    } else {
        texts.extend(String::from_redis_value_ref(reply).ok());
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
        let info = "# Memory\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\n# Persistence\r\naof_enabled:1\r\n# Replication\r\nconnected_slaves:2\r\n";
        let fsync = Value::Array(vec![text("appendfsync"), text("everysec")]);
        let read = Promises::read(&text(info), Some(&fsync)).unwrap();
        assert_eq!(
            read,
            Promises {
                eviction: Some("noeviction".to_owned()),
                appendonly: Some(true),
                appendfsync: Some("everysec".to_owned()),
                replicas: Some(2),
            }
        );
        assert!(!read.is_eviction_risk());

        assert_eq!(Promises::read(&text(""), None), Some(Promises::default()));
        assert_eq!(Promises::read(&Value::Nil, None), None);
    }

    #[test]
    fn a_run_is_told_from_the_next_one() {
        let node = |name: &str, run: &str| {
            let info = format!("redis_version:7.0.15\r\nrun_id:{run}\r\ntcp_port:6379\r\n");
            (text(name), text(&info))
        };
        let [one, other] = [node("a:1", "1f"), node("b:1", "07")];
        assert_eq!(run_ids(&one.1), Some("1f".to_owned()));
        let both = Value::Map(vec![one.clone(), other.clone()]);
        assert_eq!(run_ids(&both), Some("07 1f".to_owned()));
        assert_eq!(run_ids(&Value::Map(vec![other, one])), run_ids(&both));
        assert_eq!(run_ids(&text("redis_version:7.0.15\r\n")), None);
    }

    #[test]
    fn the_worst_node_of_a_cluster_counts() {
        let node = |name: &str, policy: &str, aof: u8| {
            let info = format!("maxmemory_policy:{policy}\r\naof_enabled:{aof}\r\n");
            (text(name), text(&info))
        };
        let nodes = Value::Map(vec![
            node("a:1", "noeviction", 1),
            node("b:1", "allkeys-lru", 1),
            node("c:1", "noeviction", 0),
        ]);
        let read = Promises::read(&nodes, None).unwrap();
        assert_eq!(read.eviction.as_deref(), Some("allkeys-lru"));
        assert_eq!(read.appendonly, Some(false));
        assert!(read.is_eviction_risk());
    }
}
