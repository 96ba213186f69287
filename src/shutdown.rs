//! How the process comes to an end: what must be told, and what must be waited for.

use std::{future::Future, io, thread, time::Duration};

use tokio::{
    runtime::{Builder, Handle},
    signal::unix::{SignalKind, signal},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Tells every task when to stop. Cheap to clone.
#[derive(Clone, Default)]
pub struct Shutdown {
    draining: CancellationToken,
    aborting: CancellationToken,
    awaited: TaskTracker,
    /// Where what must not wait for anything else is done; nowhere in particular unless given.
    apart: Option<Handle>,
}

impl Shutdown {
    /// The same with a thread for what must not wait for anything else, however much there is to do.
    pub fn with_thread_apart() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let shutdown = Self {
            apart: Some(runtime.handle().clone()),
            ..Self::default()
        };
        let aborted = shutdown.aborting.clone();
        let serve = move || runtime.block_on(aborted.cancelled_owned());
        thread::Builder::new()
            .name("apart".to_owned())
            .spawn(serve)?;
        Ok(shutdown)
    }

    /// Starts a task on the thread apart that goes on until the very end.
    pub fn spawn_apart(&self, task: impl Future<Output = ()> + Send + 'static) {
        match &self.apart {
            Some(apart) => {
                let task = self.aborting.clone().run_until_cancelled_owned(task);
                drop(apart.spawn(task));
            }
            None => self.spawn_unawaited(task),
        }
    }

    /// Starts a task that a graceful stop waits for, for a while.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let task = self.aborting.clone().run_until_cancelled_owned(task);
        let tracked = self.awaited.track_future(task);
        spawn(async {
            tracked.await;
        });
    }

    /// Starts a task that goes on until the very end, and that nobody waits for.
    pub fn spawn_unawaited(&self, task: impl Future<Output = ()> + Send + 'static) {
        let task = self.aborting.clone().run_until_cancelled_owned(task);
        spawn(async {
            task.await;
        });
    }

    /// Completes when no new work is to be taken.
    pub async fn drained(&self) {
        self.draining.cancelled().await;
    }

    /// Takes no new work and waits up to `grace` for what is awaited. Whether all of it came to
    /// its end in time.
    pub async fn drain(&self, grace: Duration) -> bool {
        self.draining.cancel();
        self.awaited.close();
        let ended = tokio::time::timeout(grace, self.awaited.wait()).await;
        ended.is_ok()
    }

    /// Stops whatever is still going on.
    pub fn abort(&self) {
        self.aborting.cancel();
    }
}

/// Completes at the first SIGTERM or SIGINT; its name.
pub async fn stop_signal() -> io::Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    })
}

/// Starts a task that nobody waits for; it comes to its end by itself.
#[expect(clippy::disallowed_methods, reason = "the one place that spawns tasks")]
pub fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    drop(tokio::spawn(task));
}
