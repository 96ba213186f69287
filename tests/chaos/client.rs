//! A client: gives commands under keys, sends some of them again on purpose, looks, and writes
//! down all that it is told.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::sync::{RwLock, watch};

use crate::{
    commands::{Errand, body, creation, errand},
    harness::{Client, Reply, Request},
    history::{Answer, History, Moment, Read, World},
    verdict::Verdict,
};

/// How long one instance has for an answer; afterwards another one is asked.
const GLANCE: Duration = Duration::from_secs(5);
/// How many commands a client remembers, to send them again.
const MAX_PAST: usize = 1000;
/// The longest wait between two tries.
const PAUSE: Duration = Duration::from_millis(200);

/// What all clients share.
pub(crate) struct Crowd {
    pub(crate) doors: Vec<Client>,
    pub(crate) history: History,
    /// The simulations that are used.
    pub(crate) worlds: Mutex<Vec<Arc<World>>>,
    /// Held by whoever asks; closed while it is found out what is lost.
    pub(crate) gate: RwLock<()>,
    /// What each client waits for.
    pub(crate) waiting: Mutex<BTreeMap<usize, String>>,
    pub(crate) over: watch::Sender<bool>,
    /// How long each client waits from one thing to the next.
    pace: Duration,
}

/// One client.
pub(crate) struct Session {
    crowd: Arc<Crowd>,
    number: usize,
    random: StdRng,
    /// How many things it has done.
    count: usize,
    /// Where it has last seen each simulation, and what it has in it.
    seen: BTreeMap<String, Moment>,
    own: BTreeMap<String, Vec<String>>,
    /// Commands that were acknowledged some time ago.
    past: Vec<(Arc<World>, Request)>,
}

/// What was answered at last.
enum Told {
    Done(Option<Moment>),
    Unmet,
    Gone,
}

/// What goes with a request beside its key.
#[derive(Clone, Copy, Default)]
struct Headers {
    witness: Option<Moment>,
    condition: Option<Moment>,
    is_fenced: bool,
}

impl Crowd {
    pub(crate) fn new(doors: Vec<Client>, pace: Duration) -> Self {
        Self {
            doors,
            history: History::new(),
            worlds: Mutex::default(),
            gate: RwLock::new(()),
            waiting: Mutex::default(),
            over: watch::channel(false).0,
            pace,
        }
    }

    pub(crate) fn door(&self, turn: usize) -> &Client {
        &self.doors[turn % self.doors.len()]
    }

    fn pick(&self, random: &mut StdRng) -> Option<Arc<World>> {
        let worlds = self.worlds.lock().expect("no holder panics");
        let place = random.random_range(0..worlds.len().max(1));
        worlds.get(place).cloned()
    }

    /// Asks once.
    async fn ask(&self, turn: usize, request: &Request, headers: Headers) -> Result<Reply, String> {
        let mut call = self.door(turn).call(request.method, request.path.clone());
        if let Some(body) = &request.body {
            call = call.json(body);
        }
        if let Some(key) = &request.key {
            call = call.header("idempotency-key", key);
        }
        if let Some(seen) = headers.witness {
            call = call.header("sim-witness", seen.to_string());
        }
        if let Some(required) = headers.condition {
            call = call.header("if-match", format!("\"{required}\""));
        }
        if headers.is_fenced {
            call = call.header("sim-consistency", "fenced");
        }
        match tokio::time::timeout(GLANCE, call.try_send()).await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(error)) if error.is_connect() => Err("no connection".to_owned()),
            Ok(Err(_)) => Err("a broken connection".to_owned()),
            Err(_) => Err("no answer in time".to_owned()),
        }
    }
}

impl Session {
    pub(crate) fn new(crowd: Arc<Crowd>, number: usize, seed: u64) -> Self {
        let stream = u64::try_from(number).expect("there are few clients") + 1;
        Self {
            crowd,
            number,
            random: StdRng::seed_from_u64(seed.wrapping_mul(1_000_003).wrapping_add(stream)),
            count: 0,
            seen: BTreeMap::new(),
            own: BTreeMap::new(),
            past: Vec::new(),
        }
    }

    /// Asks for one thing after the other until it is over, and then for what was under way.
    pub(crate) async fn run(mut self) {
        while !*self.crowd.over.borrow() {
            self.count += 1;
            let crowd = Arc::clone(&self.crowd);
            let Some(world) = crowd.pick(&mut self.random) else {
                return;
            };
            match self.random.random_range(0..100) {
                0..70 => self.command(&world).await,
                70..75 => self.remember().await,
                75..78 => self.add_without_key(&world).await,
                78..88 => self.look(&world, false).await,
                88..99 => self.look(&world, true).await,
                _ => self.replace(&world).await,
            }
            if !crowd.pace.is_zero() {
                tokio::time::sleep(crowd.pace).await;
            }
        }
        self.say_waiting(None);
    }

    /// Creates a simulation in the place of none.
    pub(crate) async fn create(&mut self, number: usize) {
        if let Some(world) = self.found(number).await {
            self.crowd
                .worlds
                .lock()
                .expect("no holder panics")
                .push(world);
        }
    }

    async fn command(&mut self, world: &Arc<World>) {
        let unique = format!("{}-{}", self.number, self.count);
        let own = self.own.entry(world.id.clone()).or_default();
        let Errand {
            request,
            adds,
            removes,
        } = errand(&mut self.random, world, own, &unique);
        let seen = self.seen.get(&world.id).copied();
        let headers = Headers {
            witness: seen.filter(|_| self.random.random_bool(0.5)),
            condition: seen.filter(|_| self.random.random_bool(0.05)),
            is_fenced: false,
        };
        let turn = self.random.random_range(0..self.crowd.doors.len());
        let told = if self.random.random_bool(0.1) {
            // The same at the same time at another instance: one of them is first.
            let one = self.insist(turn, world, &request, headers);
            let other = self.insist(turn + 1, world, &request, headers);
            let (one, other) = tokio::join!(one, other);
            if let Told::Done(_) = one { one } else { other }
        } else {
            self.insist(turn, world, &request, headers).await
        };
        match told {
            Told::Done(moment) => {
                self.saw(world, moment);
                let own = self.own.entry(world.id.clone()).or_default();
                own.extend(adds);
                own.retain(|body| Some(body) != removes.as_ref());
                if self.random.random_bool(0.1) {
                    self.repeat(world, &request).await;
                }
                if self.past.len() >= MAX_PAST {
                    let place = self.random.random_range(0..MAX_PAST);
                    self.past.swap_remove(place);
                }
                self.past.push((Arc::clone(world), request));
            }
            Told::Unmet => {
                world.notes().unmet.extend(request.key);
            }
            Told::Gone => drop(self.own.remove(&world.id)),
        }
    }

    /// Sends something again that was answered some time ago.
    async fn remember(&mut self) {
        if self.past.is_empty() {
            return;
        }
        let place = self.random.random_range(0..self.past.len());
        let (world, request) = self.past[place].clone();
        self.repeat(&world, &request).await;
    }

    async fn repeat(&mut self, world: &Arc<World>, request: &Request) {
        let turn = self.random.random_range(0..self.crowd.doors.len());
        self.insist(turn, world, request, Headers::default()).await;
    }

    /// Sends something without a key, and thus only once.
    async fn add_without_key(&mut self, world: &Arc<World>) {
        let id = format!("k-{}-{}", self.number, self.count);
        let request = Request {
            key: None,
            ..Request::post(world.path("/bodies"), body(&mut self.random, &id), "")
        };
        let _pass = self.crowd.gate.read().await;
        let sent = self.crowd.history.now();
        let turn = self.random.random_range(0..self.crowd.doors.len());
        let asked = self.crowd.ask(turn, &request, Headers::default()).await;
        let verdict = asked
            .as_ref()
            .map(|reply| (Verdict::on(reply, world), reply));
        match verdict {
            Ok((Verdict::Done, reply)) => {
                self.note(world, &request, reply, Headers::default(), sent);
            }
            Ok((Verdict::Again(code), _)) if code != "outcome_unknown" => {}
            Ok((Verdict::Again(_), _)) | Err(_) => {
                world.notes().doubtful.insert(id, request);
            }
            Ok((Verdict::Gone | Verdict::Lost(_) | Verdict::Baseless, _)) => {}
            Ok((odd, _)) => {
                let text = format!("without a key, and sent once: {odd}");
                self.crowd.history.object(Some(world), None, text);
            }
        }
    }

    /// Looks at a simulation, and makes sure that it is nothing old if that is wanted.
    async fn look(&mut self, world: &Arc<World>, is_fenced: bool) {
        let seen = self.seen.get(&world.id).copied();
        let headers = Headers {
            witness: seen.filter(|_| self.random.random_bool(0.5)),
            condition: None,
            is_fenced,
        };
        let request = Request::get(world.path("/state"));
        let turn = self.random.random_range(0..self.crowd.doors.len());
        let crowd = Arc::clone(&self.crowd);
        let _pass = crowd.gate.read().await;
        let (sent, floor) = (self.crowd.history.now(), world.newest());
        let Ok(reply) = self.crowd.ask(turn, &request, headers).await else {
            return;
        };
        match Verdict::on(&reply, world) {
            Verdict::Done => {
                let Some(moment) = Moment::of(&reply) else {
                    let text = "a state without an ETag";
                    return self.crowd.history.object(Some(world), None, text);
                };
                let read = Read {
                    moment,
                    hash: reply.header("sim-state-hash").map(str::to_owned),
                    floor: floor.filter(|_| is_fenced),
                    instance: reply.header("sim-instance").unwrap_or_default().to_owned(),
                    sent,
                    answered: self.crowd.history.now(),
                };
                world.notes().reads.push(read);
            }
            Verdict::Lost(code) => self.hears_of_loss(world, &code, headers.witness),
            Verdict::Again(_) | Verdict::Gone => {}
            odd @ (Verdict::DoneBefore(_)
            | Verdict::Unmet
            | Verdict::Baseless
            | Verdict::Odd(_)) => {
                let text = format!("a look: {odd}");
                self.crowd.history.object(Some(world), None, text);
            }
        }
    }

    /// Has a new simulation used instead of one, which is destroyed.
    async fn replace(&mut self, world: &Arc<World>) {
        if std::mem::replace(&mut world.notes().is_being_deleted, true) {
            return;
        }
        if let Some(new) = self.found(self.count).await {
            let mut used = self.crowd.worlds.lock().expect("no holder panics");
            match used.iter_mut().find(|used| used.id == world.id) {
                Some(place) => *place = new,
                // It is gone already.
                None => used.push(new),
            }
        }
        let request = Request::new("DELETE", world.path(""), None);
        let turn = self.random.random_range(0..self.crowd.doors.len());
        // Whether this or an earlier try did it is not said: it is gone.
        self.insist(turn, world, &request, Headers::default()).await;
        world.notes().ended = Some(self.crowd.history.now());
        self.past.retain(|(of, _)| of.id != world.id);
    }

    async fn found(&mut self, number: usize) -> Option<Arc<World>> {
        // No name is given twice: what clients know of a simulation must not be said of another.
        let id = format!("w-{}-{number}", self.number);
        let request = creation(number, &id);
        let world = Arc::new(World::new(id, request.clone()));
        let turn = self.random.random_range(0..self.crowd.doors.len());
        let told = self
            .insist(turn, &world, &request, Headers::default())
            .await;
        match told {
            Told::Done(moment) => {
                self.saw(&world, moment);
                self.crowd.history.add(&world);
                Some(world)
            }
            Told::Unmet | Told::Gone => None,
        }
    }

    /// Sends a request to one instance after the other until it is decided.
    async fn insist(
        &self,
        turn: usize,
        world: &Arc<World>,
        request: &Request,
        mut headers: Headers,
    ) -> Told {
        let (sent, begun) = (self.crowd.history.now(), Instant::now());
        let mut pause = Duration::from_millis(10);
        for attempt in 0.. {
            let pass = self.crowd.gate.read().await;
            let asked = self.crowd.ask(turn + attempt, request, headers).await;
            let trouble = match asked {
                Ok(reply) => match Verdict::on(&reply, world) {
                    Verdict::Done => {
                        self.crowd.history.waited(begun.elapsed());
                        return Told::Done(self.note(world, request, &reply, headers, sent));
                    }
                    Verdict::DoneBefore(seq) => {
                        world.notes().note(Answer {
                            seq,
                            body: None,
                            moment: None,
                            hash: None,
                            ..self.answer(request, &reply, headers, sent)
                        });
                        return Told::Done(None);
                    }
                    Verdict::Again(code) => code,
                    Verdict::Unmet if headers.condition.is_some() => return Told::Unmet,
                    Verdict::Lost(code) => {
                        self.crowd.hears_of_loss(world, &code, headers.witness);
                        headers.witness = None;
                        code
                    }
                    Verdict::Gone | Verdict::Baseless => {
                        // An earlier try may have been carried out before.
                        let key = request.key.clone().filter(|_| attempt > 0);
                        let doubtful = key.map(|key| (key, request.clone()));
                        world.notes().doubtful.extend(doubtful);
                        return Told::Gone;
                    }
                    odd @ (Verdict::Unmet | Verdict::Odd(_)) => {
                        let text = format!("{request:?} of client {}: {odd}", self.number);
                        self.crowd.history.object(Some(world), None, text);
                        return Told::Gone;
                    }
                },
                Err(trouble) => trouble,
            };
            drop(pass);
            self.crowd.history.trouble(&trouble);
            let path = &request.path;
            self.say_waiting(Some(format!(
                "{path}, {attempt} times, for {:?}: {trouble}",
                begun.elapsed()
            )));
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE);
        }
        Told::Gone
    }

    /// Writes down that a request was carried out, and where that has led to.
    fn note(
        &self,
        world: &World,
        request: &Request,
        reply: &Reply,
        headers: Headers,
        sent: Duration,
    ) -> Option<Moment> {
        if request.method == "DELETE" {
            return None;
        }
        let answer = self.answer(request, reply, headers, sent);
        let moment = answer.moment;
        if moment.is_none() {
            let text = format!("{}: no ETag in {:?}", reply.request, reply.headers);
            self.crowd.history.object(Some(world), None, text);
        }
        world.notes().note(answer);
        moment
    }

    fn answer(&self, request: &Request, reply: &Reply, headers: Headers, sent: Duration) -> Answer {
        let text = |name| reply.header(name).map(str::to_owned);
        let moment = Moment::of(reply);
        Answer {
            request: request.clone(),
            status: reply.status,
            body: Some(reply.body.clone()),
            seq: moment.map_or(0, |moment| moment.seq),
            moment,
            hash: text("sim-state-hash"),
            condition: headers.condition,
            is_replayed: text("idempotency-replayed").is_some(),
            client: self.number,
            instance: text("sim-instance").unwrap_or_default(),
            sent,
            answered: self.crowd.history.now(),
            is_lost: false,
        }
    }

    fn saw(&mut self, world: &World, moment: Option<Moment>) {
        if let Some(moment) = moment {
            let seen = self.seen.entry(world.id.clone()).or_insert(moment);
            *seen = moment.max(*seen);
        }
    }

    fn hears_of_loss(&mut self, world: &World, code: &str, witness: Option<Moment>) {
        self.crowd.hears_of_loss(world, code, witness);
        self.seen.remove(&world.id);
        self.own.remove(&world.id);
    }

    fn say_waiting(&self, what: Option<String>) {
        let mut waiting = self.crowd.waiting.lock().expect("no holder panics");
        match what {
            Some(what) => drop(waiting.insert(self.number, what)),
            None => drop(waiting.remove(&self.number)),
        }
    }
}

impl Crowd {
    fn hears_of_loss(&self, world: &World, code: &str, witness: Option<Moment>) {
        let witness = witness.map(|moment| moment.to_string());
        let text = format!("{:?}: {code} to {witness:?}", self.history.now());
        world.notes().told_of_loss.push(text);
    }
}
