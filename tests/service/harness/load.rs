//! Clients that step simulations all the time, and note how long each answer takes.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::{sync::watch, task::JoinSet, time::MissedTickBehavior};

use crate::harness::{Client, eventually, sphere};

/// How often each client asks, as long as it is answered in time.
const EVERY: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(60);

/// Clients with a connection and a simulation each; they stop when this is dropped.
pub(crate) struct Load {
    /// What they step.
    pub(crate) simulations: Vec<String>,
    steppers: JoinSet<()>,
    over: watch::Sender<bool>,
    notes: Arc<Notes>,
}

/// How long the answers took.
#[derive(Debug)]
pub(crate) struct Latencies(Vec<Duration>);

#[derive(Default)]
struct Notes {
    answers: Mutex<Vec<(Instant, Duration)>>,
    /// How many answers each client has had.
    counts: Vec<AtomicUsize>,
    /// The first answer that was not as it should be.
    fault: Mutex<Option<String>>,
}

impl Load {
    /// Creates a simulation for each of `clients` here, and begins to step them.
    pub(crate) async fn on(client: &Client, clients: usize) -> Self {
        let mut simulations = Vec::new();
        for _ in 0..clients {
            let world = json!({"bodies": [sphere("ball", 0.5, [0.0, 100.0, 0.0])]});
            simulations.push(client.simulation(&world).await);
        }
        let notes = Arc::new(Notes {
            counts: simulations.iter().map(|_| AtomicUsize::new(0)).collect(),
            ..Notes::default()
        });
        let (over, _) = watch::channel(false);
        let mut steppers = JoinSet::new();
        for (place, simulation) in simulations.iter().enumerate() {
            // A connection of its own.
            let client = Client::new(client.address());
            let notes = Arc::clone(&notes);
            steppers.spawn(step(
                client,
                simulation.clone(),
                place,
                notes,
                over.subscribe(),
            ));
        }
        Self {
            simulations,
            steppers,
            over,
            notes,
        }
    }

    /// Waits until each client has had so many more answers, all of which are as they should be.
    pub(crate) async fn until_answered(&self, more: usize) {
        let had = |count: &AtomicUsize| count.load(Ordering::Acquire);
        let before: Vec<_> = self.notes.counts.iter().map(had).collect();
        eventually(PATIENCE, "every client is answered", async || {
            self.assert_flawless();
            let now: Vec<_> = self.notes.counts.iter().map(had).collect();
            let all = before.iter().zip(&now);
            if all.clone().all(|(before, now)| *now >= before + more) {
                Ok(())
            } else {
                Err(now)
            }
        })
        .await;
    }

    /// How long the answers took that were asked for since `begin`.
    pub(crate) fn since(&self, begin: Instant) -> Latencies {
        let answers = self.notes.answers.lock().expect("no holder panics");
        let asked_then = answers.iter().filter(|(asked, _)| *asked >= begin);
        Latencies(asked_then.map(|&(_, took)| took).collect())
    }

    /// Lets every client hear its last answer. Each simulation has taken exactly the steps that
    /// were answered.
    pub(crate) async fn end(mut self, client: &Client) {
        self.over.send_replace(true);
        while let Some(stepper) = self.steppers.join_next().await {
            stepper.expect("a stepper notes what goes wrong");
        }
        self.assert_flawless();
        for (simulation, count) in self.simulations.iter().zip(&self.notes.counts) {
            let state = client.state(simulation).await.expect_status(200).json();
            assert_eq!(state["step"], count.load(Ordering::Acquire), "{simulation}");
        }
    }

    #[track_caller]
    fn assert_flawless(&self) {
        let fault = self.notes.fault.lock().expect("no holder panics").clone();
        assert_eq!(fault, None);
    }
}

impl Latencies {
    /// What this share of the answers did not take longer than.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort();
        let last = sorted.len().checked_sub(1).expect("there were answers");
        sorted[last * percent / 100]
    }
}

async fn step(
    client: Client,
    simulation: String,
    place: usize,
    notes: Arc<Notes>,
    mut over: watch::Receiver<bool>,
) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let count = &notes.counts[place];
    loop {
        tokio::select! {
            _ = over.wait_for(|over| *over) => return,
            _ = ticks.tick() => {}
        }
        let asked = Instant::now();
        let path = format!("/simulations/{simulation}/step");
        let call = client.call("POST", path).json(&json!({"steps": 1}));
        let answered = call.try_send().await;
        let took = asked.elapsed();
        let steps = count.load(Ordering::Acquire) + 1;
        let fault = match &answered {
            Ok(reply) if reply.status == 200 && reply.json()["step"] == steps => None,
            Ok(reply) => Some(format!(
                "instead of step {steps}, after {took:?}: {} {}",
                reply.status,
                reply.text()
            )),
            Err(error) => Some(format!("no answer after {took:?}: {error:?}")),
        };
        if fault.is_some() {
            notes
                .fault
                .lock()
                .expect("no holder panics")
                .clone_from(&fault);
            return;
        }
        let mut answers = notes.answers.lock().expect("no holder panics");
        answers.push((asked, took));
        count.store(steps, Ordering::Release);
    }
}
