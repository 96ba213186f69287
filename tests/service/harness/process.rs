//! Child processes: ended and reaped when dropped, their last words printed by failing tests.

use std::{
    fs,
    process::{Child, Command, ExitStatus, Stdio},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::harness::{eventually, log::Log};

const STOP: Duration = Duration::from_secs(20);

/// A program that runs until this is dropped.
pub(super) struct Process {
    name: &'static str,
    child: Child,
    log: Log,
    readers: Vec<JoinHandle<()>>,
}

impl Process {
    /// Starts the command and reads what it prints; `name` is what failing tests call it.
    pub(super) fn start(name: &'static str, command: &mut Command) -> std::io::Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let log = Log::default();
        let readers = vec![
            log.follow(child.stdout.take().expect("stdout is piped")),
            log.follow(child.stderr.take().expect("stderr is piped")),
        ];
        Ok(Self {
            name,
            child,
            log,
            readers,
        })
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn log(&self) -> &Log {
        &self.log
    }

    /// Everything a process printed that has ended.
    pub(super) fn output(&mut self) -> String {
        for reader in self.readers.drain(..) {
            reader.join().expect("readers of the log do not panic");
        }
        self.log.lines().join("\n")
    }

    /// Sends a signal by name, such as `TERM`.
    pub(super) fn signal(&self, name: &str) {
        let id = self.id().to_string();
        let sent = Command::new("sh")
            .args(["-c", "kill -\"$0\" \"$1\"", name, &id])
            .status()
            .expect("a shell exists");
        assert!(sent.success(), "signal {name} to {} {id}", self.name);
    }

    /// Stops the process where it is. None of its threads goes on when this returns: the signal
    /// alone stops them when one of them gets round to it.
    pub(super) fn stop(&self) {
        self.signal("STOP");
        let told = Instant::now();
        while !is_stopped(self.id()) {
            assert!(told.elapsed() < STOP, "{} does not stop", self.name);
            thread::yield_now();
        }
    }

    /// Ends the process at once, without a chance to tidy up, even while it is stopped.
    pub(super) fn kill(&mut self) -> ExitStatus {
        self.child.kill().expect("an own child can be killed");
        self.child.wait().expect("the child can be waited for")
    }

    /// How the process ended, if it has.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the child can be waited for")
    }

    /// Waits until the process has ended.
    pub(super) async fn exit(&mut self, deadline: Duration) -> ExitStatus {
        eventually(deadline, "the process ends", async || {
            self.ended().ok_or("still running")
        })
        .await
    }
}

/// Whether all threads of a process are stopped, where the system tells.
fn is_stopped(id: u32) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{id}/task")) else {
        return true;
    };
    threads.flatten().all(|thread| {
        // One that has ended has no file any more.
        let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        // The name stands in parentheses before the state, and may have some of its own.
        stat.rsplit_once(") ")
            .is_none_or(|(_, rest)| rest.starts_with(['T', 't', 'Z']))
    })
}

impl Drop for Process {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _reaped = self.child.wait();
        if thread::panicking() {
            print_tail(self.name, &self.log);
        }
    }
}

#[expect(clippy::print_stderr, reason = "the log belongs to the failing test")]
fn print_tail(name: &str, log: &Log) {
    eprintln!("--- {name} said last ---\n{}", log.tail());
}
