//! How the compute threads wake tasks: as if something had come in on a connection.
//!
//! Woken by another thread, the runtime wakes a second worker beside the one that has something to do,
//! which looks for more and finds nothing; where all cores compute, each of them takes one away.

use std::{
    future::poll_fn,
    io::{self, PipeWriter, Write},
    os::fd::OwnedFd,
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Wake, Waker},
};

use tokio::{
    io::{AsyncRead, ReadBuf},
    net::unix::pipe::Receiver,
};

use crate::shutdown::spawn;

/// What wakes tasks on the worker of the runtime that looks after connections. Cheap to clone.
#[derive(Clone)]
pub(super) struct Bell(Arc<Rope>);

struct Rope {
    /// Who is to be woken. A byte is in the pipe, or on its way there, while there is somebody.
    called: Mutex<Vec<Waker>>,
    pipe: PipeWriter,
}

/// A task that waits for something that another thread does.
struct Caller {
    task: Waker,
    bell: Bell,
}

impl Bell {
    /// Has tasks woken for as long as there is a bell.
    pub(super) fn hang() -> io::Result<Self> {
        let (reader, pipe) = io::pipe()?;
        let mut ears = Receiver::from_owned_fd(OwnedFd::from(reader))?;
        let rope = Arc::new(Rope {
            called: Mutex::default(),
            pipe,
        });
        // It must not hold the end of the pipe that it listens at.
        let listening = Arc::downgrade(&rope);
        spawn(async move {
            while let Ok(true) = hear(&mut ears).await {
                let Some(rope) = listening.upgrade() else {
                    return;
                };
                let called = std::mem::take(&mut *rope.called());
                called.into_iter().for_each(Waker::wake);
            }
        });
        Ok(Self(rope))
    }

    /// Awaits what another thread does.
    pub(super) async fn await_heard<F: Future>(&self, awaited: F) -> F::Output {
        let mut awaited = pin!(awaited);
        poll_fn(|cx| {
            let caller = Caller {
                task: cx.waker().clone(),
                bell: self.clone(),
            };
            let waker = Waker::from(Arc::new(caller));
            awaited.as_mut().poll(&mut Context::from_waker(&waker))
        })
        .await
    }

    fn wake(&self, task: Waker) {
        let mut called = self.0.called();
        called.push(task);
        let is_first = called.len() == 1;
        drop(called);
        if is_first {
            // There is room: it is emptied before anybody else is first.
            let _rung = (&self.0.pipe).write(&[1]);
        }
    }
}

impl Rope {
    fn called(&self) -> MutexGuard<'_, Vec<Waker>> {
        self.called.lock().expect("no holder of this lock panics")
    }
}

impl Wake for Caller {
    fn wake(self: Arc<Self>) {
        self.bell.wake(self.task.clone());
    }
}

/// Waits for a byte; whether there can be more of them. There is room for two, as a read that fills its
/// buffer is tried again.
async fn hear(ears: &mut Receiver) -> io::Result<bool> {
    let mut bytes = [0; 2];
    let mut bytes = ReadBuf::new(&mut bytes);
    poll_fn(|cx| Pin::new(&mut *ears).poll_read(cx, &mut bytes)).await?;
    Ok(!bytes.filled().is_empty())
}
