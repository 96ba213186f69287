//! What every journal promises; each case begins with a backend that knows nothing.

use std::sync::Arc;

use bytes::Bytes;
use rapier_physics_service::{
    id::SimulationId,
    journal::{Append, JournalError, Purpose, Save, Standing, Verdict},
    registry::{
        Claim, Ending, FencingToken, Head, Holding, Inheritance, JournalKeys, Listed, Owner,
        Reasserted, Registration, Release, Takeover, Touch, Touched, Whereabouts,
    },
};
use tokio::sync::oneshot;

use crate::backends::{
    Backend,
    asked::{SOON, TTL, granted, owner, registration, release, sim, tenant, touch},
};

/// A journalled simulation, as its owner believes it to stand.
#[derive(Clone)]
pub(crate) struct Journalled {
    at: Backend,
    pub(crate) id: SimulationId,
    pub(crate) me: Owner,
    pub(crate) token: FencingToken,
    pub(crate) head: Head,
    pub(crate) snapshots: Vec<u64>,
    is_first: bool,
}

impl Journalled {
    /// Claims a simulation and begins its journal.
    pub(crate) async fn created(at: &Backend, id: &str) -> Self {
        let (me, wanted) = (owner("a"), journalled(id));
        let token = granted(at.registry.claim(&me, &wanted, None).await);
        let mut created = Self {
            at: at.clone(),
            id: sim(id),
            me,
            token,
            head: Head::default(),
            snapshots: Vec::new(),
            is_first: true,
        };
        let begun = created.save(Purpose::Begin, b"at first").await;
        assert_eq!(begun.unwrap(), Verdict::Kept);
        created
    }

    pub(crate) fn next(&self, text: &str) -> Append {
        let entry = Bytes::from(text.to_owned());
        Append {
            id: self.id.clone(),
            token: self.token.clone(),
            after: self.head,
            chain: self.head.followed_by(&entry).chain,
            entry,
            is_first: self.is_first,
        }
    }

    /// Appends an entry, and believes that it is the last one then.
    pub(crate) fn send(&mut self, text: &str) -> Answer {
        let next = self.next(text);
        self.head = self.head.followed_by(&next.entry);
        self.is_first = false;
        send(&self.at, next)
    }

    pub(crate) async fn append(&mut self, text: &str) {
        let answer = settled(self.send(text)).await;
        assert_eq!(answer.unwrap(), Verdict::Kept, "{text}");
    }

    pub(crate) fn saving(&self, purpose: Purpose, image: &[u8]) -> Save {
        Save {
            id: self.id.clone(),
            token: self.token.clone(),
            head: self.head,
            image: Bytes::copy_from_slice(image),
            purpose,
            others: self.snapshots.clone(),
            expires_in: TTL,
        }
    }

    /// Saves a snapshot, and believes that it was.
    pub(crate) async fn save(
        &mut self,
        purpose: Purpose,
        image: &[u8],
    ) -> Result<Verdict, JournalError> {
        let save = self.saving(purpose, image);
        if purpose == Purpose::Bound {
            self.snapshots.truncate(1);
        } else {
            self.snapshots.clear();
            self.is_first = true;
        }
        self.snapshots.insert(0, self.head.seq);
        self.at.journal.save(save).await
    }

    /// Takes it over, whoever has it.
    pub(crate) async fn taken_over(&self) -> (Self, Inheritance) {
        let heir = owner("heir");
        let seen = self.found().await;
        let taken = self.at.registry.take_over(&heir, &self.id, &seen).await;
        let Takeover::Granted(inheritance) = taken.unwrap() else {
            panic!("nobody else has it");
        };
        let heir = Self {
            me: heir,
            token: inheritance.token.clone(),
            ..self.clone()
        };
        (heir, inheritance)
    }

    pub(crate) async fn found(&self) -> Holding {
        let found = self.at.registry.find(&self.id, None).await.unwrap();
        let Whereabouts::Owned(holding) = found else {
            panic!("{found:?}");
        };
        holding
    }

    pub(crate) async fn standing(&self) -> Option<Standing> {
        self.at.journal.standing(&self.id).await.unwrap()
    }

    pub(crate) async fn texts(&self) -> Vec<String> {
        let entries = self.at.journal.entries(&self.id, 0, 1000).await.unwrap();
        let texts = entries.iter().map(|written| written.entry.to_vec());
        texts.map(|text| String::from_utf8(text).unwrap()).collect()
    }

    pub(crate) async fn image(&self, seq: u64) -> Option<Bytes> {
        self.at.journal.snapshot(&self.id, seq).await.unwrap()
    }

    pub(crate) fn keys(&self) -> JournalKeys {
        JournalKeys {
            snapshots: self.snapshots.clone(),
        }
    }

    pub(crate) fn registration(&self) -> Registration {
        Registration {
            token: self.token.clone(),
            journal: Some(self.keys()),
            ..registration(self.id.as_str(), None)
        }
    }

    pub(crate) async fn reassert(&self) -> Reasserted {
        let answers = self
            .at
            .registry
            .reassert(&self.me, &[self.registration()])
            .await;
        answers.unwrap().remove(0)
    }

    pub(crate) async fn touch(&self) -> Touched {
        let touch = Touch {
            journal: Some(self.keys()),
            ..touch(self.id.as_str(), &self.token)
        };
        self.at.registry.touch(&[touch]).await.unwrap().remove(0)
    }

    pub(crate) async fn release(&self) {
        let release = Release {
            journal: Some(self.keys()),
            ..release(self.id.as_str(), &self.token, Ending::Destroyed)
        };
        self.at.registry.release(&[release]).await.unwrap();
    }

    pub(crate) async fn let_go(&self, fault: Option<&str>) -> Verdict {
        let journal = &self.at.journal;
        journal.let_go(&self.id, &self.token, fault).await.unwrap()
    }
}

/// What is to become known of an entry.
pub(crate) type Answer = oneshot::Receiver<Result<Verdict, JournalError>>;

pub(crate) fn send(at: &Backend, append: Append) -> Answer {
    let (sender, answer) = oneshot::channel();
    let settle = Box::new(|fate| drop(sender.send(fate)));
    at.journal.append(append, settle);
    answer
}

pub(crate) async fn settled(answer: Answer) -> Result<Verdict, JournalError> {
    let answer = tokio::time::timeout(SOON, answer).await;
    answer
        .expect("every entry is settled")
        .expect("nothing is dropped")
}

pub(crate) fn journalled(id: &str) -> Registration {
    Registration {
        journal: Some(JournalKeys::default()),
        ..registration(id, None)
    }
}

pub(crate) async fn entries_are_kept_in_order_and_read_a_page_at_a_time(at: Backend) {
    let mut sim = Journalled::created(&at, "s").await;
    let mut heads = Vec::new();
    for n in 1..=7 {
        sim.append(&format!("entry {n}")).await;
        heads.push(sim.head);
    }

    let first = at.journal.entries(&sim.id, 0, 3).await.unwrap();
    let rest = at.journal.entries(&sim.id, 3, 100).await.unwrap();
    let none = at.journal.entries(&sim.id, 7, 100).await.unwrap();

    let read = [first, rest].concat();
    assert_eq!(
        read.iter().map(|entry| entry.head).collect::<Vec<_>>(),
        heads
    );
    assert_eq!(read[4].entry, "entry 5");
    assert!(none.is_empty());
    let standing = sim.standing().await.unwrap();
    assert_eq!(standing.head, sim.head);
    assert_eq!((standing.token, standing.snapshots), (sim.token, vec![0]));
}

pub(crate) async fn an_entry_behind_another_one_than_the_last_is_told_where_the_journal_stands(
    at: Backend,
) {
    let mut sim = Journalled::created(&at, "s").await;
    sim.append("one").await;
    let before = sim.clone();
    sim.append("two").await;
    let here = Verdict::Elsewhere(Some(sim.head));

    let late = before.next("another two");
    let mut early = sim.next("four");
    early.after.seq += 1;
    let mut astray = sim.next("three of another history");
    astray.after.chain ^= 1;
    for append in [late, early, astray] {
        let told = settled(send(&at, append.clone())).await;
        assert_eq!(told.unwrap(), here, "{append:?}");
    }

    assert_eq!(sim.texts().await, ["one", "two"]);
    sim.append("three").await;
}

pub(crate) async fn an_entry_that_is_sent_twice_is_kept_once(at: Backend) {
    let mut sim = Journalled::created(&at, "s").await;
    sim.append("one").await;
    let next = sim.next("two");

    for _ in 0..3 {
        let kept = settled(send(&at, next.clone())).await;
        assert_eq!(kept.unwrap(), Verdict::Kept);
    }

    assert_eq!(sim.texts().await, ["one", "two"]);
}

pub(crate) async fn what_is_appended_without_waiting_is_settled_in_order(at: Backend) {
    let (count, length) = (40, 10);
    let order = Arc::<std::sync::Mutex<Vec<(usize, usize)>>>::default();
    let mut simulations = Vec::new();
    for n in 0..count {
        simulations.push(Journalled::created(&at, &format!("s{n}")).await);
    }

    let mut answers = Vec::new();
    for entry in 0..length {
        for (n, sim) in simulations.iter_mut().enumerate() {
            let next = sim.next(&format!("entry {entry}"));
            sim.head = sim.head.followed_by(&next.entry);
            sim.is_first = false;
            let (sender, answer) = oneshot::channel();
            let order = Arc::clone(&order);
            let settle = move |fate| {
                order.lock().unwrap().push((n, entry));
                drop(sender.send(fate));
            };
            at.journal.append(next, Box::new(settle));
            answers.push(answer);
        }
    }
    for answer in answers {
        assert_eq!(settled(answer).await.unwrap(), Verdict::Kept);
    }

    let order = order.lock().unwrap().clone();
    for (n, sim) in simulations.iter().enumerate() {
        let of_one = order.iter().filter(|(of, _)| *of == n);
        let settled: Vec<_> = of_one.map(|(_, entry)| *entry).collect();
        assert_eq!(settled, (0..length).collect::<Vec<_>>(), "{}", sim.id);
        assert_eq!(sim.standing().await.unwrap().head, sim.head);
    }
}

pub(crate) async fn a_claim_whose_answer_was_never_heard_may_write(at: Backend) {
    let mut sim = Journalled::created(&at, "s").await;
    let known = sim.token.clone();
    sim.token = FencingToken::from_text(&format!("0:{}", known.nonce()));

    sim.append("one").await;
    let saved = sim.save(Purpose::Bound, b"image").await;

    assert_eq!(saved.unwrap(), Verdict::Kept);
    assert_eq!(sim.texts().await, ["one"]);
    let standing = sim.standing().await.unwrap();
    assert_eq!((standing.token, standing.head), (known, sim.head));
    sim.token = FencingToken::pending();
    let stranger = settled(sim.send("two")).await;
    assert_eq!(stranger.unwrap(), Verdict::Fenced);
}

pub(crate) async fn a_replaced_owner_can_write_nothing_more(at: Backend) {
    let mut old = Journalled::created(&at, "s").await;
    old.append("one").await;
    let (mut new, _) = old.taken_over().await;
    let before = new.standing().await;

    for text in ["two", "two again"] {
        let fenced = settled(send(&at, old.next(text))).await;
        assert_eq!(fenced.unwrap(), Verdict::Fenced);
    }
    for purpose in [
        Purpose::Begin,
        Purpose::Bound,
        Purpose::Rest,
        Purpose::Repair {
            seen: Some(old.head),
        },
    ] {
        for size in [10, 2_500_000] {
            let save = old.saving(purpose, &vec![7; size]);
            let fenced = at.journal.save(save).await.unwrap();
            assert_eq!(fenced, Verdict::Fenced, "{purpose:?}");
        }
    }
    assert_eq!(old.let_go(Some("worthless")).await, Verdict::Fenced);

    assert_eq!(new.standing().await, before);
    assert_eq!(new.image(0).await.unwrap(), "at first");
    assert_eq!(new.found().await.owner, Some(new.me.clone()));
    new.append("two").await;
    assert_eq!(new.texts().await, ["one", "two"]);
}

pub(crate) async fn what_is_not_registered_has_no_journal(at: Backend) {
    let sim = Journalled::created(&at, "s").await;
    let nowhere = Journalled {
        id: self::sim("nowhere"),
        ..sim
    };

    let appended = settled(send(&at, nowhere.next("one"))).await;
    assert_eq!(appended.unwrap(), Verdict::Elsewhere(None));
    for purpose in [Purpose::Begin, Purpose::Bound, Purpose::Rest] {
        let saved = at.journal.save(nowhere.saving(purpose, b"image")).await;
        assert_eq!(saved.unwrap(), Verdict::Elsewhere(None), "{purpose:?}");
    }
    assert_eq!(nowhere.let_go(None).await, Verdict::Elsewhere(None));
    assert_eq!(nowhere.standing().await, None);
    assert_eq!(nowhere.image(0).await, None);
    assert!(nowhere.texts().await.is_empty());
}

pub(crate) async fn a_snapshot_is_read_as_it_was_saved_however_large(at: Backend) {
    let mut sim = Journalled::created(&at, "s").await;
    for size in [1, 1 << 20, (1 << 20) + 1, 2 << 20, 3_500_000] {
        sim.append("entry").await;
        let image: Vec<u8> = (0..size).map(|n: u32| (n % 251) as u8).collect();

        let saved = sim.save(Purpose::Bound, &image).await;

        assert_eq!(saved.unwrap(), Verdict::Kept);
        let read = sim.image(sim.head.seq).await;
        assert!(read.is_some_and(|read| read == image), "{size} bytes");
    }
}

pub(crate) async fn a_snapshot_keeps_the_one_before_it_and_the_entries_behind_that_one(
    at: Backend,
) {
    let mut sim = Journalled::created(&at, "s").await;
    let mut kept = Vec::new();
    for round in 1..=3u64 {
        for n in 1..=4 {
            sim.append(&format!("{round}.{n}")).await;
        }
        let early = sim.saving(Purpose::Bound, format!("image {round}").as_bytes());
        // What is appended meanwhile stays.
        sim.append(&format!("{round}.5")).await;
        assert_eq!(at.journal.save(early.clone()).await.unwrap(), Verdict::Kept);
        sim.snapshots.truncate(1);
        sim.snapshots.insert(0, early.head.seq);
        kept = sim.standing().await.unwrap().snapshots;
        assert_eq!(kept, sim.snapshots);
        let again = at.journal.save(early).await.unwrap();
        assert_eq!(again, Verdict::Kept, "sent twice");
    }

    assert_eq!(kept, [14, 9]);
    assert_eq!(sim.image(14).await.unwrap(), "image 3");
    assert_eq!(sim.image(9).await.unwrap(), "image 2");
    assert_eq!((sim.image(4).await, sim.image(0).await), (None, None));
    let left = sim.texts().await;
    assert_eq!(left, ["2.5", "3.1", "3.2", "3.3", "3.4", "3.5"]);
}

pub(crate) async fn a_snapshot_that_is_late_or_early_is_not_taken(at: Backend) {
    let mut sim = Journalled::created(&at, "s").await;
    sim.append("one").await;
    let late = sim.saving(Purpose::Bound, b"late");
    sim.append("two").await;
    sim.save(Purpose::Bound, b"in time").await.unwrap();
    let mut early = sim.saving(Purpose::Bound, b"early");
    early.head.seq += 1;
    let mut rest = sim.saving(Purpose::Rest, b"astray");
    rest.head.chain ^= 1;
    let mut anew = sim.saving(Purpose::Begin, b"anew");
    anew.head = Head::default();
    let before = sim.standing().await;

    for save in [late, early, rest, anew] {
        let told = at.journal.save(save.clone()).await.unwrap();
        assert_eq!(told, Verdict::Elsewhere(Some(sim.head)), "{save:?}");
    }

    assert_eq!(sim.standing().await, before);
    assert_eq!(sim.image(2).await.unwrap(), "in time");
    assert_eq!(sim.texts().await, ["one", "two"]);
}

pub(crate) async fn what_rests_is_taken_over_from_its_snapshot(at: Backend) {
    let mut sim = Journalled::created(&at, "s").await;
    for text in ["one", "two", "three"] {
        sim.append(text).await;
    }
    sim.save(Purpose::Bound, b"bound").await.unwrap();

    for _ in 0..2 {
        let resting = sim.saving(Purpose::Rest, b"resting");
        assert_eq!(at.journal.save(resting).await.unwrap(), Verdict::Kept);
    }
    sim.snapshots = vec![3];
    sim.is_first = true;

    let found = sim.found().await;
    assert_eq!((&found.owner, found.is_journalled), (&None, true));
    assert!(sim.texts().await.is_empty());
    let standing = sim.standing().await.unwrap();
    assert_eq!((standing.head, standing.snapshots), (sim.head, vec![3]));
    let (mut heir, _) = sim.taken_over().await;
    assert_eq!(heir.found().await.owner, Some(heir.me.clone()));
    assert_eq!(heir.image(3).await.unwrap(), "resting");
    assert_eq!(heir.image(0).await, None);
    heir.append("four").await;
    assert_eq!(heir.texts().await, ["four"]);
}

pub(crate) async fn what_is_let_go_is_taken_over_with_its_entries(at: Backend) {
    let mut sim = Journalled::created(&at, "s").await;
    sim.append("one").await;

    assert_eq!(sim.let_go(None).await, Verdict::Kept);

    let found = sim.found().await;
    assert_eq!((found.owner, found.fault), (None, None));
    let other = journalled("s");
    let taken = at.registry.claim(&owner("b"), &other, None).await.unwrap();
    assert!(matches!(taken, Claim::Taken(held) if held.owner.is_none()));
    let (mut heir, _) = sim.taken_over().await;
    heir.append("two").await;
    assert_eq!(heir.texts().await, ["one", "two"]);
}

pub(crate) async fn a_fault_stays_with_what_was_let_go(at: Backend) {
    let mut sim = Journalled::created(&at, "s").await;
    sim.append("one").await;

    assert_eq!(sim.let_go(Some("it differs")).await, Verdict::Kept);

    let found = sim.found().await;
    assert_eq!(found.owner, None);
    assert_eq!(found.fault.as_deref(), Some("it differs"));
    let standing = sim.standing().await.unwrap();
    assert_eq!(standing.fault.as_deref(), Some("it differs"));
    assert_eq!(sim.texts().await, ["one"]);
}

pub(crate) async fn a_takeover_needs_what_was_seen_and_keeps_what_was_written_down(at: Backend) {
    let mut sim = Journalled::created(&at, "s").await;
    sim.append("one").await;
    let seen = sim.found().await;
    let (heir, inheritance) = sim.taken_over().await;
    let plain = registration("plain", None);
    let token = granted(at.registry.claim(&sim.me, &plain, None).await);
    let of_plain = Holding {
        token,
        ..seen.clone()
    };

    for (id, over) in [
        ("s", seen.clone()),
        (
            "s",
            Holding {
                owner: None,
                ..heir.found().await
            },
        ),
        (
            "s",
            Holding {
                token: seen.token.clone(),
                ..heir.found().await
            },
        ),
        ("plain", of_plain),
        ("nowhere", seen),
    ] {
        let id = self::sim(id);
        let refused = at.registry.take_over(&owner("b"), &id, &over).await;
        assert_eq!(refused.unwrap(), Takeover::Changed, "{id}: {over:?}");
    }

    assert!(inheritance.token.fence() > sim.token.fence());
    assert_ne!(inheritance.token.nonce(), sim.token.nonce());
    for (name, value) in [
        ("labels", "{}"),
        ("created", "1"),
        ("durability", "journal"),
    ] {
        let detail = (name.to_owned(), value.to_owned());
        assert!(inheritance.details.contains(&detail), "{inheritance:?}");
    }
    let found = heir.found().await;
    assert_eq!(
        (found.owner, found.token),
        (Some(heir.me.clone()), heir.token.clone())
    );
    assert_eq!(heir.standing().await.unwrap().head, sim.head);
}

pub(crate) async fn a_journal_that_forgot_is_told_again(at: Backend) {
    let mut sim = Journalled::created(&at, "s").await;
    sim.append("one").await;
    let seen = Some(sim.head);
    // What the journal has never heard of.
    for text in ["two", "three"] {
        sim.head = sim.head.followed_by(text.as_bytes());
    }

    for size in [20, 1_200_000] {
        let repair = sim.saving(Purpose::Repair { seen }, &vec![3; size]);
        assert_eq!(at.journal.save(repair).await.unwrap(), Verdict::Kept);
    }
    sim.snapshots = vec![3];
    sim.is_first = true;

    let standing = sim.standing().await.unwrap();
    assert_eq!((standing.head, standing.snapshots), (sim.head, vec![3]));
    assert!(sim.texts().await.is_empty());
    assert_eq!(sim.image(0).await, None);
    sim.append("four").await;
    assert_eq!(sim.texts().await, ["four"]);
}

pub(crate) async fn a_repair_needs_what_was_seen_and_is_refused_to_a_replaced_owner(at: Backend) {
    let mut sim = Journalled::created(&at, "s").await;
    sim.append("one").await;
    let here = Verdict::Elsewhere(Some(sim.head));
    let mut ahead = sim.clone();
    ahead.head = ahead.head.followed_by(b"two");

    for seen in [
        None,
        Some(Head::default()),
        Some(Head { seq: 1, chain: 1 }),
        Some(Head { seq: 2, ..sim.head }),
    ] {
        let repair = ahead.saving(Purpose::Repair { seen }, b"image");
        assert_eq!(at.journal.save(repair).await.unwrap(), here, "{seen:?}");
    }
    let (heir, _) = sim.taken_over().await;
    let seen = Some(sim.head);
    let repair = ahead.saving(Purpose::Repair { seen }, b"image");
    assert_eq!(at.journal.save(repair).await.unwrap(), Verdict::Fenced);

    assert_eq!(heir.standing().await.unwrap().head, sim.head);
    assert_eq!(heir.texts().await, ["one"]);
}

pub(crate) async fn an_earlier_claim_that_is_back_is_claimed_again_by_a_reassertion(at: Backend) {
    let mut old = Journalled::created(&at, "s").await;
    old.append("one").await;
    // As if this one's claim had been forgotten.
    let later = format!("{}:later", old.token.fence() + 1000);
    let new = Journalled {
        me: owner("b"),
        token: FencingToken::from_text(&later),
        ..old.clone()
    };
    let of_registry = Registration {
        journal: None,
        ..new.registration()
    };

    let plain = at.registry.reassert(&new.me, &[of_registry]).await;
    let appended = settled(send(&at, new.next("two"))).await;
    let touched = new.touch().await;
    let reasserted = new.reassert().await;
    let replaced = old.reassert().await;

    assert_eq!(plain.unwrap(), [Reasserted::Lost]);
    assert_eq!(appended.unwrap(), Verdict::Elsewhere(Some(old.head)));
    assert_eq!(touched, Touched::Missing);
    let kept = Reasserted::Kept(new.token.clone(), Some(old.head));
    assert_eq!(reasserted, kept);
    assert_eq!(replaced, Reasserted::Lost);
    assert_eq!(old.touch().await, Touched::Lost);
    let found = new.found().await;
    assert_eq!((found.owner, found.token), (Some(new.me), new.token));
}

pub(crate) async fn what_was_destroyed_is_not_registered_again(at: Backend) {
    for (name, ending) in [
        ("d", Ending::Destroyed),
        ("e", Ending::Expired),
        ("l", Ending::Lost),
    ] {
        let old = Journalled::created(&at, name).await;
        let end = Release {
            journal: Some(JournalKeys::default()),
            ..release(name, &old.token, ending)
        };
        at.registry.release(&[end]).await.unwrap();

        let reasserted = old.reassert().await;

        let found = at.registry.find(&old.id, None).await.unwrap();
        if ending == Ending::Destroyed {
            assert_eq!(reasserted, Reasserted::Lost);
            assert_eq!(found, Whereabouts::Ended(ending));
        } else {
            // Nobody has asked for that, and its owner has it.
            assert_eq!(reasserted, Reasserted::Kept(old.token.clone(), None));
            assert!(matches!(found, Whereabouts::Owned(_)), "{found:?}");
        }
    }
}

pub(crate) async fn what_was_destroyed_before_a_claim_had_only_the_same_name(at: Backend) {
    let before = Journalled::created(&at, "s").await;
    let end = Release {
        journal: Some(JournalKeys::default()),
        ..release("s", &before.token, Ending::Destroyed)
    };
    at.registry.release(&[end]).await.unwrap();
    // As if the registry had forgotten that the name was claimed again.
    let present = Journalled::created(&at, "other").await;
    let of_the_present = Registration {
        token: present.token.clone(),
        ..before.registration()
    };

    let lost = before.reassert().await;
    let kept = at.registry.reassert(&present.me, &[of_the_present]).await;

    assert_eq!(lost, Reasserted::Lost);
    assert_eq!(kept.unwrap(), [Reasserted::Kept(present.token, None)]);
}

pub(crate) async fn a_registration_that_comes_late_does_not_undo_a_later_one(at: Backend) {
    let sim = Journalled::created(&at, "s").await;
    let (first, second) = (sim.me.clone(), owner("b"));
    let tell = async |me: &Owner, token: &FencingToken, revision, labels: &str| {
        let told = Registration {
            token: token.clone(),
            revision,
            details: vec![("labels", labels.to_owned())],
            ..sim.registration()
        };
        let reasserted = at.registry.reassert(me, &[told]).await.unwrap();
        let kept = Reasserted::Kept(token.clone(), Some(sim.head));
        assert_eq!(reasserted, [kept], "{labels}");
    };
    let inherit = async |heir: &Owner| {
        let seen = sim.found().await;
        let taken = at.registry.take_over(heir, &sim.id, &seen).await.unwrap();
        let Takeover::Granted(Inheritance { token, details }) = taken else {
            panic!("nobody else wants it");
        };
        let labels = details.into_iter().find(|(name, _)| name == "labels");
        (token, labels.unwrap().1)
    };

    for (revision, labels) in [(1, "first"), (10, "tenth"), (10, "tenth"), (9, "ninth")] {
        tell(&first, &sim.token, revision, labels).await;
    }
    let (token, inherited) = inherit(&second).await;
    tell(&second, &token, 1, "of the heir").await;
    let (_, of_the_heir) = inherit(&owner("c")).await;

    assert_eq!(inherited, "tenth");
    assert_eq!(of_the_heir, "of the heir", "who counts anew");
}

pub(crate) async fn a_touch_and_a_reassertion_tell_where_the_journal_stands(at: Backend) {
    let mut sim = Journalled::created(&at, "s").await;
    sim.append("one").await;
    let plain = registration("plain", None);
    let token = granted(at.registry.claim(&sim.me, &plain, None).await);

    let of_plain = at.registry.touch(&[touch("plain", &token)]).await;

    assert_eq!(sim.touch().await, Touched::Kept(Some(sim.head)));
    let kept = Reasserted::Kept(sim.token.clone(), Some(sim.head));
    assert_eq!(sim.reassert().await, kept);
    assert_eq!(sim.standing().await.unwrap().head, sim.head);
    assert_eq!(of_plain.unwrap(), [Touched::Kept(None)]);
}

pub(crate) async fn a_claim_over_a_journal_begins_anew(at: Backend) {
    let mut sim = Journalled::created(&at, "s").await;
    sim.append("one").await;
    sim.save(Purpose::Bound, b"image").await.unwrap();
    sim.let_go(Some("worthless")).await;
    let seen = sim.found().await;

    let heir = owner("b");
    let claim = at
        .registry
        .claim(&heir, &journalled("s"), Some(&seen))
        .await;
    let token = granted(claim);

    let found = sim.found().await;
    assert_eq!((found.token, found.fault), (token.clone(), None));
    assert_eq!(sim.standing().await, None);
    assert!(sim.texts().await.is_empty());
    assert_eq!((sim.image(0).await, sim.image(1).await), (None, None));
    let mut anew = Journalled {
        me: heir,
        token,
        head: Head::default(),
        snapshots: Vec::new(),
        is_first: true,
        ..sim
    };
    assert_eq!(
        anew.save(Purpose::Begin, b"anew").await.unwrap(),
        Verdict::Kept
    );
    anew.append("another one").await;
    assert_eq!(anew.texts().await, ["another one"]);
}

pub(crate) async fn a_release_takes_the_journal_with_it(at: Backend) {
    let mut sim = Journalled::created(&at, "s").await;
    sim.append("one").await;
    sim.save(Purpose::Bound, b"image").await.unwrap();

    sim.release().await;

    let found = at.registry.find(&sim.id, None).await.unwrap();
    assert_eq!(found, Whereabouts::Ended(Ending::Destroyed));
    assert_eq!(sim.standing().await, None);
    assert!(sim.texts().await.is_empty());
    assert_eq!((sim.image(0).await, sim.image(1).await), (None, None));
    assert!(listed(&at, None, 10).await.is_empty());
    let anew = Journalled::created(&at, "s").await;
    assert_eq!(anew.standing().await.unwrap().head, Head::default());
}

pub(crate) async fn journalled_simulations_are_listed_in_the_order_of_their_creation(at: Backend) {
    let me = owner("a");
    let created_at = [("d", 5), ("c", 7), ("b", 7), ("a", 7), ("e", 6), ("f", 9)];
    for (id, created) in created_at {
        let wanted = Registration {
            created,
            ..journalled(id)
        };
        granted(at.registry.claim(&me, &wanted, None).await);
    }
    let plain = registration("plain", None);
    granted(at.registry.claim(&me, &plain, None).await);
    let of_alice = Registration {
        tenant: tenant("alice"),
        ..journalled("alices")
    };
    granted(at.registry.claim(&me, &of_alice, None).await);

    let all = listed(&at, None, 100).await;
    let mut paged = Vec::new();
    let mut after = None;
    loop {
        let behind = after.as_ref().map(|(created, id)| (*created, id));
        let page = at.registry.listed(None, behind, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        assert!(page.len() <= 2);
        after = Some((last.created, last.id.clone()));
        paged.extend(page);
    }
    let whose = tenant("alice");
    let alices = at.registry.listed(whose.as_ref(), None, 10).await.unwrap();

    let names = |listed: &[Listed]| -> Vec<String> {
        listed.iter().map(|one| one.id.to_string()).collect()
    };
    assert_eq!(names(&all), ["d", "e", "a", "b", "c", "f"]);
    assert_eq!(names(&paged), names(&all));
    assert_eq!(names(&alices), ["alices"]);
    assert_eq!((all[1].created, &all[1].owner), (6, &Some(me)));
    assert!(all[1].expires_in > TTL / 2 && all[1].expires_in <= TTL);
    let labels = ("labels".to_owned(), "{}".to_owned());
    assert!(all[1].details.contains(&labels));
}

pub(crate) async fn listed(at: &Backend, after: Option<(u64, &str)>, limit: usize) -> Vec<Listed> {
    let after = after.map(|(created, id)| (created, sim(id)));
    let after = after.as_ref().map(|(created, id)| (*created, id));
    at.registry.listed(None, after, limit).await.unwrap()
}
