//! Polling a future again at once if it was woken while it was polled.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use futures_util::task::AtomicWaker;

/// How often a future is polled before others have their turn.
const AT_ONCE: usize = 4;

const ASLEEP: u8 = 0;
const POLLED: u8 = 1;
const WOKEN: u8 = 2;

/// Goes on with a future that wakes itself, as a connection of hyper does where a handler asks for a
/// body: whatever goes back into the queue of the runtime has another worker woken to take it.
pub(super) struct Insistence {
    alarm: Arc<Alarm>,
    waker: Waker,
}

struct Alarm {
    state: AtomicU8,
    task: AtomicWaker,
}

impl Insistence {
    pub(super) fn new() -> Self {
        let alarm = Arc::new(Alarm {
            state: AtomicU8::new(ASLEEP),
            task: AtomicWaker::new(),
        });
        let waker = Arc::clone(&alarm).into();
        Self { alarm, waker }
    }

    /// Polls the one future that it is for.
    pub(super) fn poll<F: Future>(
        &self,
        mut future: Pin<&mut F>,
        cx: &Context<'_>,
    ) -> Poll<F::Output> {
        let Alarm { state, task } = &*self.alarm;
        task.register(cx.waker());
        for _ in 0..AT_ONCE {
            state.store(POLLED, Ordering::SeqCst);
            let polled = future.as_mut().poll(&mut Context::from_waker(&self.waker));
            let is_woken = state.swap(ASLEEP, Ordering::SeqCst) == WOKEN;
            if polled.is_ready() || !is_woken {
                return polled;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.swap(WOKEN, Ordering::SeqCst) == ASLEEP {
            self.task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, pin::pin};

    use super::*;

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Bells(std::sync::atomic::AtomicUsize);

    impl Wake for Bells {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Polls a future that wakes itself `times` times; what came of it, how often it was polled and its
    /// task woken, and the waker it was given.
    fn polled(times: usize) -> (Poll<()>, usize, usize, Waker, Arc<Bells>) {
        let (insistence, bells) = (Insistence::new(), Arc::new(Bells::default()));
        let (mut polls, mut given) = (0, None);
        let future = poll_fn(|cx| {
            polls += 1;
            given = Some(cx.waker().clone());
            if polls <= times {
                cx.waker().wake_by_ref();
            }
            Poll::<()>::Pending
        });
        let waker = Waker::from(Arc::clone(&bells));
        let result = insistence.poll(pin!(future), &Context::from_waker(&waker));
        let woken = bells.0.load(Ordering::SeqCst);
        (result, polls, woken, given.unwrap(), bells)
    }

    #[test]
    fn who_wakes_itself_is_polled_at_once_and_its_task_sleeps_on() {
        let (result, polls, woken, given, bells) = polled(2);
        assert_eq!((result, polls, woken), (Poll::Pending, 3, 0));

        given.wake_by_ref();
        given.wake_by_ref();
        let woken = bells.0.load(Ordering::SeqCst);
        assert_eq!(woken, 1, "once asleep, it is woken, and once is enough");
    }

    #[test]
    fn who_wakes_itself_for_ever_lets_others_have_their_turn() {
        let (result, polls, woken, ..) = polled(usize::MAX);
        assert_eq!((result, polls, woken), (Poll::Pending, AT_ONCE, 1));
    }
}
