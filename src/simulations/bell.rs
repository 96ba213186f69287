//! How the compute threads wake tasks: as if something had come in on a connection for each of them,
//! and several at a time where they have waited for long.
//!
//! For each task that another thread wakes, or a task, the runtime wakes a second worker beside the one
//! that has something to do, which looks for more and finds little; where all cores compute, each of
//! them takes one away. So does the one that is needed, and whoever has asked, when the answer comes:
//! who computes starts anew with cold caches after each of them. What wakes while the runtime looks
//! through what has come in on connections is handed out once, when it has seen all of it.

use std::{
    future::poll_fn,
    io::{self, PipeWriter, Write},
    os::fd::OwnedFd,
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, Weak},
    task::{Context, Wake, Waker},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncRead, ReadBuf},
    net::unix::pipe::Receiver,
};

use crate::shutdown::spawn;

/// The part of the time it has waited that a task may wait longer, to be woken with others.
const LONGER: u32 = 4;

/// What wakes tasks on the worker of the runtime that looks after connections. Cheap to clone.
#[derive(Clone)]
pub(super) struct Bell(Arc<Rope>);

struct Rope {
    called: Mutex<Called>,
    pipe: PipeWriter,
    /// How long it may be until the next task is called, or the bell rung.
    pause: Duration,
}

/// Who is to be woken.
#[derive(Default)]
struct Called {
    tasks: Vec<Waker>,
    /// Until when all of them may wait.
    until: Option<Instant>,
    /// Whether a byte is in the pipe for them, or on its way there.
    is_rung: bool,
}

/// A task that waits for something that another thread does.
struct Caller {
    task: Waker,
    since: Instant,
    bell: Bell,
}

/// What the runtime wakes when it has found that it was rung: everybody who is called, and the task
/// that listens.
struct Ringing {
    listener: Waker,
    rope: Weak<Rope>,
}

impl Bell {
    /// Has tasks woken for as long as there is a bell. Whoever calls them comes by again within
    /// about `pause`, or rings.
    pub(super) fn hang(pause: Duration) -> io::Result<Self> {
        let (reader, pipe) = io::pipe()?;
        let mut ears = Receiver::from_owned_fd(OwnedFd::from(reader))?;
        let rope = Arc::new(Rope {
            called: Mutex::default(),
            pipe,
            pause,
        });
        // It must not hold the end of the pipe that it listens at.
        let listening = Arc::downgrade(&rope);
        spawn(async move {
            while let Ok(true) = hear(&mut ears, &listening).await {
                let Some(rope) = listening.upgrade() else {
                    return;
                };
                // Those who were called while nobody was listening: nobody else heard it ring for them.
                rope.wake_called();
            }
        });
        Ok(Self(rope))
    }

    /// Awaits what another thread does.
    pub(super) async fn await_heard<F: Future>(&self, awaited: F) -> F::Output {
        let since = Instant::now();
        let mut awaited = pin!(awaited);
        poll_fn(|cx| {
            let caller = Caller {
                task: cx.waker().clone(),
                since,
                bell: self.clone(),
            };
            let waker = Waker::from(Arc::new(caller));
            awaited.as_mut().poll(&mut Context::from_waker(&waker))
        })
        .await
    }

    /// Whether somebody is called for whom it was not rung yet.
    pub(super) fn is_held(&self) -> bool {
        let called = self.0.called();
        !called.is_rung && !called.tasks.is_empty()
    }

    /// Has everybody woken who is called: nobody else may be for long.
    pub(super) fn ring(&self) {
        self.ring_for(self.0.called());
    }

    /// Has a task woken that has waited since then, at once or with others.
    fn call(&self, task: Waker, since: Instant) {
        let now = Instant::now();
        let until = now + (now - since) / LONGER;
        let mut called = self.0.called();
        called.tasks.push(task);
        let until = called.until.map_or(until, |earlier| earlier.min(until));
        called.until = Some(until);
        if until < now + self.0.pause {
            self.ring_for(called);
        }
    }

    fn ring_for(&self, mut called: MutexGuard<'_, Called>) {
        if !std::mem::replace(&mut called.is_rung, true) {
            drop(called);
            // There is room: it is emptied before it can have been rung more than a few times.
            let _rung = (&self.0.pipe).write(&[1]);
        }
    }
}

impl Rope {
    fn wake_called(&self) {
        let called = std::mem::take(&mut *self.called());
        called.tasks.into_iter().for_each(Waker::wake);
    }

    fn called(&self) -> MutexGuard<'_, Called> {
        self.called.lock().expect("no holder of this lock panics")
    }
}

impl Wake for Caller {
    fn wake(self: Arc<Self>) {
        self.bell.call(self.task.clone(), self.since);
    }
}

impl Wake for Ringing {
    fn wake(self: Arc<Self>) {
        if let Some(rope) = self.rope.upgrade() {
            rope.wake_called();
        }
        self.listener.wake_by_ref();
    }
}

/// Waits for bytes; whether there can be more of them. There is room for more than there are, as a
/// read that fills its buffer is tried again.
async fn hear(ears: &mut Receiver, rope: &Weak<Rope>) -> io::Result<bool> {
    let mut bytes = [0; 4];
    let mut bytes = ReadBuf::new(&mut bytes);
    poll_fn(|cx| {
        let ringing = Ringing {
            listener: cx.waker().clone(),
            rope: Weak::clone(rope),
        };
        let waker = Waker::from(Arc::new(ringing));
        Pin::new(&mut *ears).poll_read(&mut Context::from_waker(&waker), &mut bytes)
    })
    .await?;
    Ok(!bytes.filled().is_empty())
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::{Sender, channel};

    use super::*;

    const PAUSE: Duration = Duration::from_millis(4);

    /// A task that tells when it is woken.
    struct Sleeper(Sender<&'static str>, &'static str);

    impl Wake for Sleeper {
        fn wake(self: Arc<Self>) {
            self.0.try_send(self.1).unwrap();
        }
    }

    #[tokio::test]
    async fn who_has_waited_for_long_is_woken_with_the_next_and_who_has_not_at_once() {
        let bell = Bell::hang(PAUSE).unwrap();
        let (sender, mut woken) = channel(4);
        let task = |name| Waker::from(Arc::new(Sleeper(sender.clone(), name)));
        let long_ago = Instant::now().checked_sub(Duration::from_secs(1)).unwrap();

        bell.call(task("patient"), long_ago);
        bell.call(task("as patient"), long_ago);
        assert!(bell.is_held());
        bell.call(task("hasty"), Instant::now());
        assert!(!bell.is_held());
        for name in ["patient", "as patient", "hasty"] {
            assert_eq!(woken.recv().await, Some(name));
        }

        bell.call(task("last"), long_ago);
        bell.ring();
        assert_eq!(woken.recv().await, Some("last"));
        assert!(!bell.is_held());
    }
}
