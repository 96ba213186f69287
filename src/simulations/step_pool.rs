//! The compute pool: as many threads as cores, on which worlds are stepped in turn, and one more for
//! what is short.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread,
    time::{Duration, Instant},
};

use rustix::process::nice;
use tokio::sync::oneshot;

use super::{
    bell::Bell,
    error::SimulationError,
    fair_queue::{FairQueue, Limits, Refused},
    lull::Lull,
};
use crate::{clock::thread_time, id::Payer, metrics::Metrics, physics::EngineFault};

/// How much the threads yield to those that read and answer requests, as the kernel counts it: these
/// are hardly ever busy for long, and are not to wait for a time slice of those that are.
const YIELDING: i32 = 10;

/// How long a job is to take at most: what takes longer is put back after it, as others have their
/// turn.
pub(super) const CHUNK: Duration = Duration::from_millis(4);

/// Something to compute.
pub type Job = Box<dyn FnOnce() + Send>;

/// A bounded set of threads that take jobs in turn, of whoever has used them the least. Cheap to
/// clone.
///
/// What waits is bounded: a simulation has at most one job in it, reading a request another, and
/// commands are admitted.
#[derive(Clone)]
pub struct StepPool {
    workers: Workers,
    payer: Payer,
}

/// When a job is to be done, among those of the same payer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// After those that wait.
    Last,
    /// As the rest of one that is hardly begun: before those.
    Next,
    /// As the rest of one that takes long: after those.
    Rest,
    /// Beside all that takes long, as it is short.
    Brief,
}

#[derive(Clone)]
enum Workers {
    Threads(Arc<Threads>),
    Other(Arc<dyn Fn(Job) + Send + Sync>),
}

struct Threads {
    long: Arc<Crew>,
    brief: Arc<Crew>,
    bell: Bell,
    lull: Lull,
}

/// Threads that share a queue.
struct Crew {
    queue: Mutex<Queue>,
    arrived: Condvar,
    metrics: Arc<Metrics>,
    bell: Bell,
}

struct Queue {
    jobs: FairQueue<Job>,
    /// How many threads wait for one.
    idle: usize,
    is_closed: bool,
}

impl StepPool {
    /// Starts `threads` threads and one for what is short. They end when the last handle to the
    /// pool is gone. `lull` is told of what is refused.
    pub fn start(
        threads: usize,
        limits: Limits,
        metrics: &Arc<Metrics>,
        lull: Lull,
    ) -> std::io::Result<Self> {
        let bell = Bell::hang(CHUNK)?;
        let long = Crew::start("step", threads, limits, metrics, &bell)?;
        let brief = Crew::start("brief", 1, limits, metrics, &bell)?;
        Ok(Self::with(Workers::Threads(Arc::new(Threads {
            long,
            brief,
            bell,
            lull,
        }))))
    }

    /// A pool that has its jobs done by `take`, some time after that returns.
    pub fn of(take: impl Fn(Job) + Send + Sync + 'static) -> Self {
        Self::with(Workers::Other(Arc::new(take)))
    }

    fn with(workers: Workers) -> Self {
        Self {
            workers,
            payer: Payer::SERVICE,
        }
    }

    /// The same pool for jobs on another account.
    #[must_use]
    pub fn paid_by(&self, payer: Payer) -> Self {
        Self {
            workers: self.workers.clone(),
            payer,
        }
    }

    /// Runs `work` on one of the threads. A panic costs the work, not the thread.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, EngineFault> {
        self.run_at(Turn::Last, work).await
    }

    /// Runs what is short, such as reading and writing, without waiting for worlds that are stepped.
    pub async fn run_brief<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, EngineFault> {
        self.run_at(Turn::Brief, work).await
    }

    pub(super) async fn run_at<T: Send + 'static>(
        &self,
        turn: Turn,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, EngineFault> {
        let (sender, receiver) = oneshot::channel();
        let job: Job = Box::new(move || {
            if let Ok(done) = contained(work) {
                // Whoever asked may have gone.
                drop(sender.send(done));
            }
        });
        let done = match &self.workers {
            Workers::Threads(threads) => {
                let crew = match turn {
                    Turn::Brief => &threads.brief,
                    Turn::Last | Turn::Next | Turn::Rest => &threads.long,
                };
                crew.take(self.payer, turn, job);
                threads.bell.await_heard(receiver).await
            }
            Workers::Other(take) => {
                take(job);
                receiver.await
            }
        };
        done.map_err(|_| EngineFault)
    }

    /// Whether a command may be handed out that is not begun yet: what one payer has waiting is
    /// limited in number and time.
    pub(super) fn admit(&self) -> Result<(), SimulationError> {
        self.ask(|jobs| jobs.admit(self.payer))
    }

    /// The same for a command to a simulation that is still busy with another.
    pub(super) fn press(&self) -> Result<(), SimulationError> {
        self.ask(|jobs| jobs.press(self.payer, Instant::now()))
    }

    fn ask(
        &self,
        question: impl FnOnce(&mut FairQueue<Job>) -> Result<(), Refused>,
    ) -> Result<(), SimulationError> {
        let Workers::Threads(threads) = &self.workers else {
            return Ok(());
        };
        if self.payer == Payer::SERVICE {
            return Ok(());
        }
        let mut queue = threads.long.queue();
        let limit = queue.jobs.max_waiting();
        let refusals = &threads.long.metrics.refusals;
        question(&mut queue.jobs).map_err(|refused| {
            threads.lull.note();
            match refused {
                Refused::Congested => {
                    refusals.computing.inc();
                    SimulationError::Overloaded
                }
                Refused::Full => {
                    refusals.waiting.inc();
                    SimulationError::TooManyWaiting { maximum: limit }
                }
            }
        })
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.long.close();
        self.brief.close();
    }
}

impl Crew {
    fn start(
        name: &str,
        threads: usize,
        limits: Limits,
        metrics: &Arc<Metrics>,
        bell: &Bell,
    ) -> std::io::Result<Arc<Self>> {
        let crew = Arc::new(Self {
            queue: Mutex::new(Queue {
                jobs: FairQueue::new(limits),
                idle: 0,
                is_closed: false,
            }),
            arrived: Condvar::new(),
            metrics: Arc::clone(metrics),
            bell: bell.clone(),
        });
        for number in 0..threads {
            let crew = Arc::clone(&crew);
            thread::Builder::new()
                .name(format!("{name}-{number}"))
                .spawn(move || {
                    // Where it is not allowed the others wait a little longer.
                    let _ = nice(YIELDING);
                    crew.work();
                })?;
        }
        Ok(crew)
    }

    fn take(&self, payer: Payer, turn: Turn, job: Job) {
        let mut queue = self.queue();
        match turn {
            Turn::Last | Turn::Brief => queue.jobs.push(payer, job, Instant::now()),
            Turn::Next => queue.jobs.go_on(payer, job, true),
            Turn::Rest => queue.jobs.go_on(payer, job, false),
        }
        // The kernel would be asked even for nobody.
        let is_awaited = queue.idle > 0;
        drop(queue);
        if is_awaited {
            self.arrived.notify_one();
        }
    }

    /// Does what there is to do, until there will be no more.
    fn work(&self) {
        let mut queue = self.queue();
        loop {
            if let Some((payer, job, waited)) = queue.jobs.pop(Instant::now()) {
                drop(queue);
                if let Some(waited) = waited {
                    self.metrics.pool_delay.observe_time(waited);
                }
                let begun = thread_time();
                job();
                let cost = thread_time().saturating_sub(begun);
                queue = self.queue();
                queue.jobs.settle(payer, cost);
            } else if self.bell.is_held() {
                // Whoever waits for these is not to wait for the next job, too.
                drop(queue);
                self.bell.ring();
                queue = self.queue();
            } else if queue.is_closed {
                return;
            } else {
                queue.idle += 1;
                let waited = self.arrived.wait(queue);
                queue = waited.expect("no holder of this lock panics");
                queue.idle -= 1;
            }
        }
    }

    fn close(&self) {
        self.queue().is_closed = true;
        self.arrived.notify_all();
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().expect("no holder of this lock panics")
    }
}

/// Runs `work` and turns a panic inside it into an error.
pub(super) fn contained<T>(work: impl FnOnce() -> T) -> Result<T, EngineFault> {
    std::panic::catch_unwind(AssertUnwindSafe(work)).map_err(|_| EngineFault)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::future::join_all;

    use super::*;

    fn pool_of(threads: usize) -> StepPool {
        let limits = Limits {
            patience: Duration::from_secs(1),
            max_waiting: 1,
        };
        StepPool::start(threads, limits, &Arc::default(), Lull::default()).unwrap()
    }

    #[tokio::test]
    async fn a_panic_costs_the_work_and_not_the_thread() {
        let pool = pool_of(1);

        let failed = pool.run(|| panic!("a panic for tests")).await;
        let after = pool.run(|| 42).await;

        assert_eq!(failed, Err::<(), _>(EngineFault));
        assert_eq!(after, Ok(42));
    }

    #[tokio::test]
    async fn whoever_has_waited_for_long_is_woken_when_there_is_nothing_left_to_do() {
        let pool = pool_of(1);
        let long = || {
            let begun = Instant::now();
            while begun.elapsed() < CHUNK * 8 {
                std::hint::spin_loop();
            }
        };

        let done = tokio::select! {
            // It is done either way, but nobody would have asked.
            biased;
            () = tokio::time::sleep(Duration::from_secs(60)) => None,
            done = pool.run(long) => Some(done),
        };

        assert_eq!(done, Some(Ok(())));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn whoever_waits_for_a_job_is_woken_however_many_are_done_at_once() {
        let pool = pool_of(3);
        let clients = (0..50).map(async |number| {
            let mut sum = 0;
            for round in 0..200 {
                sum += pool.run(move || number * round).await.unwrap();
            }
            sum
        });

        let sums = join_all(clients);
        let sums = tokio::time::timeout(Duration::from_secs(60), sums).await;

        let expected: Vec<u32> = (0..50).map(|number| number * 19_900).collect();
        assert_eq!(sums, Ok(expected));
    }
}
