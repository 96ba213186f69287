//! Whose turn it is: a queue in which each payer has a lane, and the next job is one of whoever has
//! used the least.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    time::{Duration, Instant},
};

use super::congestion::Congestion;
use crate::id::Payer;

/// Jobs that wait, by who they are for.
///
/// Time is virtual: a lane's is what its jobs have cost, and no lane that comes to life is further
/// back than the one whose turn it was last. So whoever was idle has saved up nothing, and waits
/// for nobody who has used more.
pub(super) struct FairQueue<T> {
    lanes: HashMap<Payer, Lane<T>>,
    /// Lanes in which jobs wait, in the order of their turns.
    turns: BTreeSet<(Duration, Payer)>,
    /// Lanes that have used more than their share and have nothing to do.
    debtors: BTreeSet<(Duration, Payer)>,
    now: Duration,
    running: usize,
    limits: Limits,
}

/// What may wait.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long commands may wait for a while before further ones are refused.
    pub patience: Duration,
    /// How many commands of one payer may wait.
    pub max_waiting: usize,
}

/// Why nothing more is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// What waits has waited for too long.
    Congested,
    /// As much waits as may.
    Full,
}

struct Lane<T> {
    waiting: VecDeque<Waiting<T>>,
    /// How many of those have not begun.
    fresh: usize,
    running: usize,
    used: Duration,
    /// What a job is taken to cost while it runs.
    expected: Duration,
    congestion: Congestion,
}

struct Waiting<T> {
    job: T,
    /// Since when it waits to be begun; nothing for what goes on.
    since: Option<Instant>,
}

impl<T> FairQueue<T> {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            lanes: HashMap::new(),
            turns: BTreeSet::new(),
            debtors: BTreeSet::new(),
            now: Duration::ZERO,
            running: 0,
            limits,
        }
    }

    /// Puts a job behind those of the same payer.
    pub(super) fn push(&mut self, payer: Payer, job: T, now: Instant) {
        let since = Some(now);
        self.lane(payer, |lane| {
            lane.fresh += 1;
            lane.waiting.push_back(Waiting { job, since });
        });
    }

    /// Puts what is left of a job there, or before them, if little of it is done yet: what is
    /// nearly through is not to wait for what has just come.
    pub(super) fn go_on(&mut self, payer: Payer, job: T, is_next: bool) {
        self.lane(payer, |lane| {
            let rest = Waiting { job, since: None };
            if is_next {
                lane.waiting.push_front(rest);
            } else {
                lane.waiting.push_back(rest);
            }
        });
    }

    /// The next job, who it is for and how long it has waited to be begun.
    pub(super) fn pop(&mut self, now: Instant) -> Option<(Payer, T, Option<Duration>)> {
        let (used, payer) = self.turns.pop_first()?;
        self.now = self.now.max(used);
        let lane = self.lanes.get_mut(&payer)?;
        let Waiting { job, since } = lane.waiting.pop_front()?;
        lane.running += 1;
        self.running += 1;
        if let Some(since) = since {
            lane.fresh -= 1;
            lane.congestion.begin(since, now, self.limits.patience);
        }
        if !lane.waiting.is_empty() {
            self.turns.insert((lane.time(), payer));
        }
        self.forgive();
        Some((payer, job, since.map(|since| now - since)))
    }

    /// Charges a payer for a job that is done.
    pub(super) fn settle(&mut self, payer: Payer, cost: Duration) {
        self.running -= 1;
        let Some(lane) = self.lanes.get_mut(&payer) else {
            return;
        };
        let is_waiting = !lane.waiting.is_empty();
        if is_waiting {
            self.turns.remove(&(lane.time(), payer));
        }
        lane.running -= 1;
        lane.used += cost;
        lane.expected = (lane.expected * 3 + cost) / 4;
        if is_waiting {
            self.turns.insert((lane.time(), payer));
        } else if lane.running == 0 {
            self.debtors.insert((lane.used, payer));
            self.forgive();
        }
    }

    /// Whether one more command of `payer` may wait.
    pub(super) fn admit(&self, payer: Payer) -> Result<(), Refused> {
        let Some(lane) = self.lanes.get(&payer) else {
            return Ok(());
        };
        if lane.fresh >= self.limits.max_waiting {
            return Err(Refused::Full);
        }
        let is_admitted = lane.congestion.admits(lane.fresh, self.limits.patience);
        is_admitted.then_some(()).ok_or(Refused::Congested)
    }

    /// The same for a command to a simulation that is still busy with another.
    pub(super) fn press(&mut self, payer: Payer, now: Instant) -> Result<(), Refused> {
        let Some(lane) = self.lanes.get_mut(&payer) else {
            return Ok(());
        };
        lane.congestion.press(now);
        let is_congested = lane.congestion.is_congested();
        (!is_congested).then_some(()).ok_or(Refused::Congested)
    }

    /// How many commands of one payer may wait.
    pub(super) fn max_waiting(&self) -> usize {
        self.limits.max_waiting
    }

    /// How many jobs wait.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lanes.values().map(|lane| lane.waiting.len()).sum()
    }

    /// Puts something into a lane, which has its turn from then on.
    fn lane(&mut self, payer: Payer, put: impl FnOnce(&mut Lane<T>)) {
        let lane = self.lanes.entry(payer).or_insert_with(Lane::new);
        if lane.waiting.is_empty() {
            if lane.running == 0 {
                self.debtors.remove(&(lane.used, payer));
                lane.used = lane.used.max(self.now);
            }
            self.turns.insert((lane.time(), payer));
        }
        put(lane);
    }

    /// Forgets lanes that have nothing to do and are not ahead of the others any more.
    fn forgive(&mut self) {
        let is_idle = self.turns.is_empty() && self.running == 0;
        while let Some(&(used, payer)) = self.debtors.first()
            && (is_idle || used <= self.now)
        {
            self.debtors.pop_first();
            self.lanes.remove(&payer);
        }
    }
}

impl<T> Lane<T> {
    fn new() -> Self {
        Self {
            waiting: VecDeque::new(),
            fresh: 0,
            running: 0,
            used: Duration::ZERO,
            expected: Duration::ZERO,
            congestion: Congestion::default(),
        }
    }

    /// What it has used, and what it is about to: what runs is paid for when it is done, and others are
    /// not to wait until then.
    fn time(&self) -> Duration {
        let running = u32::try_from(self.running).unwrap_or(u32::MAX);
        self.used + self.expected.saturating_mul(running)
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    const LIMITS: Limits = Limits {
        patience: Duration::from_millis(50),
        max_waiting: 1000,
    };

    fn payer(number: u64) -> Payer {
        Payer::named(&number.to_le_bytes())
    }

    #[test]
    fn a_light_payer_waits_for_one_job_of_a_heavy_one_and_not_for_all() {
        let now = Instant::now();
        let mut queue = FairQueue::new(LIMITS);
        for _ in 0..20 {
            queue.push(payer(1), "heavy", now);
        }
        queue.pop(now);
        queue.push(payer(2), "light", now);
        queue.settle(payer(1), Duration::from_millis(4));

        assert_eq!(queue.pop(now).map(|(_, job, _)| job), Some("light"));
    }

    #[test]
    fn whoever_has_had_more_and_is_away_for_a_turn_waits_until_the_other_has_had_as_much() {
        let now = Instant::now();
        let mut queue = FairQueue::new(LIMITS);
        let turn = |queue: &mut FairQueue<_>| {
            let (payer, job, _) = queue.pop(now).unwrap();
            let cost = if job == "dear" { 10 } else { 1 };
            queue.settle(payer, Duration::from_millis(cost));
            job
        };
        queue.push(payer(1), "dear", now);
        for _ in 0..3 {
            queue.push(payer(2), "cheap", now);
        }
        let mut first = [turn(&mut queue), turn(&mut queue)];
        first.sort_unstable();
        assert_eq!(first, ["cheap", "dear"], "each has its turn");

        let (_, job, _) = queue.pop(now).unwrap();
        assert_eq!(job, "cheap", "nobody else is there");
        queue.push(payer(1), "dear", now);
        queue.settle(payer(2), Duration::from_millis(1));

        assert_eq!(turn(&mut queue), "cheap");
    }

    #[test]
    fn what_goes_on_comes_before_or_behind_the_others_of_its_payer() {
        let now = Instant::now();
        let mut queue = FairQueue::new(LIMITS);
        for job in ["a", "b"] {
            queue.push(payer(1), job, now);
        }
        queue.go_on(payer(1), "first", true);
        queue.go_on(payer(1), "last", false);

        let order = std::iter::from_fn(|| Some(queue.pop(now)?.1)).collect::<Vec<_>>();
        assert_eq!(order, ["first", "a", "b", "last"]);
    }

    #[test]
    fn so_many_may_wait_and_no_more() {
        let now = Instant::now();
        let limits = Limits {
            max_waiting: 2,
            ..LIMITS
        };
        let mut queue = FairQueue::new(limits);
        queue.push(payer(1), (), now);
        assert_eq!(queue.admit(payer(1)), Ok(()));
        queue.push(payer(1), (), now);

        assert_eq!(queue.admit(payer(1)), Err(Refused::Full));
        assert_eq!(queue.admit(payer(2)), Ok(()), "another payer's business");
        queue.pop(now);
        assert_eq!(queue.admit(payer(1)), Ok(()));
    }

    proptest! {
        /// Payers that always have jobs waiting get the same, whatever their jobs cost and however
        /// many of them wait, on any number of threads; and afterwards nothing is left of them.
        #[test]
        fn whoever_always_waits_gets_as_much_as_the_others(
            costs in vec((1_u64..4000, 1_usize..30), 2..8),
            threads in 1_usize..4,
        ) {
            let now = Instant::now();
            let mut queue = FairQueue::new(LIMITS);
            for (index, (_, count)) in (0..).zip(&costs) {
                for _ in 0..count + threads {
                    queue.push(payer(index), index, now);
                }
            }
            let cost = |index: u64| Duration::from_micros(costs[usize::try_from(index).unwrap()].0);
            let mut got = vec![Duration::ZERO; costs.len()];
            // The moments at which each thread is through with what it does.
            let mut running: Vec<(Duration, u64)> = Vec::new();
            let mut clock = Duration::ZERO;
            while clock < Duration::from_secs(1) {
                while running.len() < threads {
                    let (_, index, _) = queue.pop(now).unwrap();
                    running.push((clock + cost(index), index));
                }
                running.sort_unstable();
                let (done, index) = running.remove(0);
                clock = done;
                got[usize::try_from(index).unwrap()] += cost(index);
                queue.settle(payer(index), cost(index));
                queue.push(payer(index), index, now);
            }
            let (least, most) = (got.iter().min().unwrap(), got.iter().max().unwrap());
            let dearest = costs.iter().map(|(cost, _)| *cost).max().unwrap();
            let slack = Duration::from_micros(dearest) * u32::try_from(2 * threads + 2).unwrap();
            prop_assert!(*most <= *least + slack, "{got:?}");

            while let Some((payer, _, _)) = queue.pop(now) {
                queue.settle(payer, Duration::ZERO);
            }
            for (_, index) in running {
                queue.settle(payer(index), cost(index));
            }
            prop_assert_eq!(queue.len(), 0);
            prop_assert!(queue.lanes.is_empty() && queue.debtors.is_empty());
        }
    }
}
