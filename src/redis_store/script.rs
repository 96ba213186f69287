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

/// One of the many things that a script does in one call, which is given the keys of all of them
/// and then the arguments of all of them.
pub trait Part {
    /// How many keys each of them has.
    const KEYS: usize;

    /// Writes its keys, all of one slot.
    fn write_keys(&self, command: &mut Cmd);

    /// Writes its arguments.
    fn write_args(&self, command: &mut Cmd);
}

/// What a call of a script is given.
pub(super) trait Given {
    /// Writes the number of keys, the keys and the arguments.
    fn write(&self, command: &mut Cmd);
}

impl Script {
    /// Takes the text of a script.
    pub fn new(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            hash: redis::Script::new(text).get_hash().to_owned(),
        }
    }

    /// Takes the text of a script that compares fencing tokens: `compare(held, mine)` is 0 if they
    /// are of one claim, 1 if a later one is held, and -1 if an earlier one is.
    pub fn fenced(text: &str) -> Self {
        Self::new(&format!("{}{text}", include_str!("fence.lua")))
    }

    /// Calls it by its hash; Redis may have forgotten the text.
    pub(super) fn by_hash(&self, given: &(impl Given + ?Sized)) -> Cmd {
        command("EVALSHA", &self.hash, given)
    }

    /// Calls it by its text, which Redis then remembers. Unlike `SCRIPT LOAD`, it goes to the one
    /// server of a cluster that it is for.
    pub(super) fn by_text(&self, given: &(impl Given + ?Sized)) -> Cmd {
        command("EVAL", &self.text, given)
    }
}

impl Given for Invocation {
    fn write(&self, command: &mut Cmd) {
        command.arg(self.keys.len()).arg(&self.keys).arg(&self.args);
    }
}

impl<P: Part> Given for [P] {
    fn write(&self, command: &mut Cmd) {
        command.arg(self.len() * P::KEYS);
        for part in self {
            part.write_keys(command);
        }
        for part in self {
            part.write_args(command);
        }
    }
}

fn command(name: &str, script: &str, given: &(impl Given + ?Sized)) -> Cmd {
    let mut command = cmd(name);
    command.arg(script);
    given.write(&mut command);
    command
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

    #[test]
    fn parts_share_one_call_with_all_keys_before_all_arguments() {
        struct Renamed(&'static str, &'static str);

        impl Part for Renamed {
            const KEYS: usize = 2;

            fn write_keys(&self, command: &mut Cmd) {
                command.arg(self.0).arg(self.1);
            }

            fn write_args(&self, command: &mut Cmd) {
                command.arg(1);
            }
        }

        let parts = [Renamed("a", "b"), Renamed("c", "d")];
        let by_text = Script::new("return {}").by_text(&parts[..]);
        assert_eq!(
            by_text.get_packed_command(),
            b"*9\r\n$4\r\nEVAL\r\n$9\r\nreturn {}\r\n$1\r\n4\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\nd\r\n$1\r\n1\r\n$1\r\n1\r\n"
        );
    }
}
