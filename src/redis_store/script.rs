//! Scripts that Redis runs, and the ways to call them.

use deadpool_redis::redis::{self, Cmd, cmd};

/// A script in Lua that Redis runs as one.
#[derive(Clone, Debug)]
pub struct Script {
    text: String,
    hash: String,
}

/// The keys, all of one slot, and the arguments of one call of a script.
#[derive(Clone, Debug, Default)]
pub struct Invocation {
    /// `KEYS`.
    pub keys: Vec<String>,
    /// `ARGV`.
    pub args: Vec<Vec<u8>>,
}

impl Script {
    /// Takes the text of a script.
    pub fn new(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            hash: redis::Script::new(text).get_hash().to_owned(),
        }
    }

    /// Calls it by its hash; Redis may have forgotten the text.
    pub(super) fn by_hash(&self, invocation: &Invocation) -> Cmd {
        invocation.command("EVALSHA", &self.hash)
    }

    /// Calls it by its text, which Redis then remembers. Unlike `SCRIPT LOAD`, it goes to the one
    /// server of a cluster that it is for.
    pub(super) fn by_text(&self, invocation: &Invocation) -> Cmd {
        invocation.command("EVAL", &self.text)
    }
}

impl Invocation {
    fn command(&self, name: &str, script: &str) -> Cmd {
        let mut command = cmd(name);
        command.arg(script).arg(self.keys.len());
        command.arg(&self.keys).arg(&self.args);
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_written_as_redis_reads_them() {
        let script = Script::new("return KEYS[1]");
        let invocation = Invocation {
            keys: vec!["k".to_owned()],
            args: vec![b"a".to_vec(), vec![0xff]],
        };
        let by_text = script.by_text(&invocation).get_packed_command();
        assert_eq!(
            by_text,
            b"*6\r\n$4\r\nEVAL\r\n$14\r\nreturn KEYS[1]\r\n$1\r\n1\r\n$1\r\nk\r\n$1\r\na\r\n$1\r\n\xff\r\n"
        );
        let by_hash = script.by_hash(&Invocation::default()).get_packed_command();
        assert_eq!(
            by_hash,
            b"*3\r\n$7\r\nEVALSHA\r\n$40\r\n4a2267357833227dd98abdedb8cf24b15a986445\r\n$1\r\n0\r\n"
        );
    }
}
