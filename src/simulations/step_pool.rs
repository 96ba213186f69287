//! The compute pool: as many threads as cores, on which worlds are stepped in turn.

use std::{panic::AssertUnwindSafe, sync::Arc, thread};

use tokio::sync::oneshot;

use crate::physics::EngineFault;

/// Something to compute.
pub type Job = Box<dyn FnOnce() + Send>;

/// A bounded set of threads that take jobs in the order they come.
///
/// The queue needs no bound of its own: a simulation has at most one job in it, and the number
/// of simulations and of connections is limited.
#[derive(Clone)]
pub struct StepPool {
    take: Arc<dyn Fn(Job) + Send + Sync>,
}

impl StepPool {
    /// Starts `threads` threads. They end when the last handle to the pool is gone.
    pub fn start(threads: usize) -> std::io::Result<Self> {
        #[expect(clippy::disallowed_methods, reason = "bounded as said above")]
        let (jobs, queue) = crossbeam_channel::unbounded::<Job>();
        for number in 0..threads {
            let queue = queue.clone();
            thread::Builder::new()
                .name(format!("step-{number}"))
                .spawn(move || queue.iter().for_each(|job| job()))?;
        }
        // A job that nobody takes any more is dropped, which whoever waits for it is told.
        Ok(Self::of(move |job| drop(jobs.send(job))))
    }

    /// A pool that has its jobs done by `take`, some time after that returns.
    pub fn of(take: impl Fn(Job) + Send + Sync + 'static) -> Self {
        Self {
            take: Arc::new(take),
        }
    }

    /// Runs `work` on one of the threads. A panic costs the work, not the thread.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, EngineFault> {
        let (sender, receiver) = oneshot::channel();
        let job = Box::new(move || {
            if let Ok(done) = contained(work) {
                // Whoever asked may have gone.
                drop(sender.send(done));
            }
        });
        (self.take)(job);
        receiver.await.map_err(|_| EngineFault)
    }
}

/// Runs `work` and turns a panic inside it into an error.
pub(super) fn contained<T>(work: impl FnOnce() -> T) -> Result<T, EngineFault> {
    std::panic::catch_unwind(AssertUnwindSafe(work)).map_err(|_| EngineFault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_costs_the_work_and_not_the_thread() {
        let pool = StepPool::start(1).unwrap();

        let failed = pool.run(|| panic!("a panic for tests")).await;
        let after = pool.run(|| 42).await;

        assert_eq!(failed, Err::<(), _>(EngineFault));
        assert_eq!(after, Ok(42));
    }
}
