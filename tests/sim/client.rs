//! Clients: what they ask for, how they ask again, and what they make of the answers.

use std::{sync::Arc, time::Duration};

use rapier_physics_service::{
    physics::{Command, Impulse, Steps, Vec3, WorldPatch},
    simulations::{Head, Reply, SimulationError},
};
use tokio::time::{sleep, timeout};

use crate::{
    ledger::Labelled,
    network,
    process::{Ask, Request, Said, ball},
    universe::{HOSTS, SIMULATIONS, Universe},
};

/// How long any answer at all may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it asks for the same.
const ATTEMPTS: usize = 8;

/// One client, which does one thing after the other.
pub(crate) struct Client {
    universe: Arc<Universe>,
    number: usize,
    /// The last moment it saw of each simulation.
    seen: [Option<Head>; SIMULATIONS],
    commands: u64,
    /// What it was told has been done.
    done: Vec<Request>,
}

impl Client {
    pub(crate) fn new(universe: &Arc<Universe>, number: usize) -> Self {
        Self {
            universe: Arc::clone(universe),
            number,
            seen: [None; SIMULATIONS],
            commands: 0,
            done: Vec::new(),
        }
    }

    /// Goes on until then.
    pub(crate) async fn run(mut self, until: Duration) {
        for sim in 0..SIMULATIONS {
            self.create(sim).await;
        }
        while self.universe.elapsed() < until {
            let (think, sim, choice) = {
                let mut dice = self.universe.dice();
                let think = if dice.permille(100) { 0..3 } else { 20..900 };
                (
                    dice.millis(think),
                    dice.index(SIMULATIONS),
                    dice.below(1000),
                )
            };
            sleep(think).await;
            match choice {
                0..400 => self.give_keyed(sim).await,
                400..450 => self.give_once(sim).await,
                450..800 => self.look(sim).await,
                800..850 => self.label(sim).await,
                850..970 => self.resend().await,
                970..985 => self.move_away(sim).await,
                985..995 if self.universe.ends_simulations => self.destroy(sim).await,
                _ => self.create(sim).await,
            }
        }
    }

    /// Creates a simulation, or finds that it is there.
    async fn create(&mut self, sim: usize) {
        let life = self.universe.ledger().life[sim];
        let request = Request {
            sim,
            ask: Ask::Create,
            key: Some(format!("create-{sim}-{life}")),
            witness: None,
        };
        self.insist(request).await;
    }

    async fn give_keyed(&mut self, sim: usize) {
        self.commands += 1;
        let key = Some(format!("{}-{}", self.number, self.commands));
        let request = self.command(sim, key);
        self.insist(request).await;
    }

    /// Gives a command that is given once, whatever becomes of it.
    async fn give_once(&mut self, sim: usize) {
        let request = self.command(sim, None);
        if let Some(Ok(reply)) = self.ask(&request).await {
            self.universe.ledger().tell(sim, None, reply);
        }
    }

    fn command(&mut self, sim: usize, key: Option<String>) -> Request {
        let command = {
            let mut dice = self.universe.dice();
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let number = dice.below(16) as f32;
            match dice.below(10) {
                0..3 => Command::ApplyImpulse(
                    ball(),
                    Impulse {
                        impulse: Some(Vec3([number, 1.0, 0.5])),
                        torque_impulse: None,
                        point: None,
                    },
                ),
                3..4 => Command::Configure(WorldPatch {
                    // As it is read: there is no negative zero.
                    gravity: Some(Vec3([0.0, 0.0 - number, 0.0])),
                    dt: None,
                }),
                choice => {
                    let most = if choice < 9 { 4 } else { 120 };
                    let count = 1 + u32::try_from(dice.below(most)).expect("small numbers");
                    Command::Step(Steps { count, dt: None })
                }
            }
        };
        Request {
            sim,
            ask: Ask::Give(command),
            key,
            witness: self.witness(sim),
        }
    }

    /// What it saw last, if it says so.
    fn witness(&self, sim: usize) -> Option<Head> {
        let says_so = self.universe.dice().permille(600);
        let is_doomed = self.universe.ledger().is_doomed[sim];
        self.seen[sim].filter(|_| says_so && !is_doomed)
    }

    async fn look(&mut self, sim: usize) {
        let is_fenced = self.universe.dice().permille(300);
        let request = Request {
            sim,
            ask: Ask::Look { is_fenced },
            key: None,
            witness: self.witness(sim),
        };
        let before = self.universe.ledger().acknowledged[sim];
        let Some(Ok(reply)) = self.ask(&request).await else {
            return;
        };
        let is_behind = reply.position.head.seq < before;
        let may_be = {
            let ledger = self.universe.ledger();
            ledger.is_doomed[sim] || !ledger.losses.is_empty()
        };
        if is_fenced && is_behind && !may_be {
            let head = reply.position.head;
            let text =
                format!("s{sim}: {head} was shown as the present, {before} was acknowledged");
            self.universe.accuse(text);
        }
        self.universe.ledger().show(sim, reply);
    }

    async fn label(&mut self, sim: usize) {
        // Wide enough that no two labels of all seeds are the same: an older one would be taken for the present one.
        let (number, begun) = (self.universe.dice().next(), self.universe.elapsed());
        let request = Request {
            sim,
            ask: Ask::Label(number),
            key: None,
            witness: None,
        };
        if let Some(Ok(_)) = self.ask(&request).await {
            let told = self.universe.elapsed();
            let label = Labelled {
                sim,
                number,
                begun,
                told,
            };
            self.universe.ledger().labelled.push(label);
        }
    }

    /// Sends something again that was done long ago.
    async fn resend(&mut self) {
        if self.done.is_empty() {
            return;
        }
        let index = self.universe.dice().index(self.done.len());
        let request = Request {
            witness: None,
            ..self.done[index].clone()
        };
        if let Some(Ok(reply)) = self.ask(&request).await {
            let key = request.key.clone();
            self.universe.ledger().tell(request.sim, key, reply);
        }
    }

    async fn move_away(&mut self, sim: usize) {
        let request = Request {
            sim,
            ask: Ask::Move,
            key: None,
            witness: None,
        };
        self.ask(&request).await;
    }

    async fn destroy(&mut self, sim: usize) {
        self.universe.ledger().is_doomed[sim] = true;
        let request = Request {
            sim,
            ask: Ask::Destroy,
            key: None,
            witness: None,
        };
        for _ in 0..ATTEMPTS {
            let told = self.ask(&request).await;
            if let Some(Ok(_) | Err(SimulationError::NotFound(_))) = told {
                self.universe.ledger().life[sim] += 1;
                return;
            }
            self.wait().await;
        }
    }

    /// Asks until it knows what became of it, or has lost its patience.
    async fn insist(&mut self, request: Request) {
        for _ in 0..ATTEMPTS {
            match self.ask(&request).await {
                Some(Ok(reply)) => {
                    let mut ledger = self.universe.ledger();
                    ledger.tell(request.sim, request.key.clone(), reply);
                    drop(ledger);
                    self.done.push(request);
                    return;
                }
                Some(Err(
                    SimulationError::NotFound(_)
                    | SimulationError::Lost(_)
                    | SimulationError::Exists(_)
                    | SimulationError::HistoryLost { .. }
                    | SimulationError::HistoryDiverged(_),
                )) => return,
                Some(Err(_)) | None => self.wait().await,
            }
        }
    }

    async fn wait(&self) {
        let pause = self.universe.dice().millis(30..1500);
        sleep(pause).await;
    }

    /// Asks some instance; what it said, if it said anything.
    async fn ask(&mut self, request: &Request) -> Option<Result<Reply, SimulationError>> {
        let to = self.universe.dice().index(HOSTS);
        let said = ask(&self.universe, to, request).await?;
        match &said {
            Ok(reply) => self.learn(request, reply),
            Err(error) => self.complain(request, error),
        }
        Some(said)
    }

    fn learn(&mut self, request: &Request, reply: &Reply) {
        let head = reply.position.head;
        if let Some(witness) = request.witness
            && !reply.is_replayed
            && head.seq < witness.seq
        {
            let sim = request.sim;
            self.universe
                .accuse(format!("s{sim} went back from {witness} to {head}"));
        }
        let seen = &mut self.seen[request.sim];
        let is_seen = matches!(request.ask, Ask::Give(_) | Ask::Look { .. });
        if is_seen && !reply.is_replayed && seen.is_none_or(|seen| seen.seq <= head.seq) {
            *seen = Some(head);
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "whatever is not known to be fair is not"
    )]
    fn complain(&mut self, request: &Request, error: &SimulationError) {
        use SimulationError as E;
        let (sim, mut ledger) = (request.sim, self.universe.ledger());
        let is_doomed = ledger.is_doomed[sim];
        let has_lost = !ledger.losses.is_empty();
        let is_fair = match error {
            E::HistoryLost { .. } | E::HistoryDiverged(_) => {
                let fair = has_lost || is_doomed;
                if let Some(witness) = request.witness {
                    ledger.denied.push((sim, witness));
                }
                self.seen[sim] = None;
                fair
            }
            E::NotFound(_) | E::Lost(_) | E::Exists(_) => {
                let is_told = ledger.acknowledged[sim] > 0;
                has_lost || is_doomed || !is_told
            }
            E::Busy { .. }
            | E::OwnerUnreachable(_)
            | E::OwnershipLost(_)
            | E::Draining
            | E::Overloaded
            | E::OutcomeUnknown
            | E::KeyInFlight
            | E::ReplyNotKept { .. }
            | E::Registry(_)
            | E::Journal(_) => true,
            _ => false,
        };
        drop(ledger);
        if !is_fair {
            self.universe
                .accuse(format!("s{sim}: a client was told {error:?}"));
        }
    }
}

/// Asks an instance; what it said, if it said anything.
pub(crate) async fn ask(
    universe: &Arc<Universe>,
    to: usize,
    request: &Request,
) -> Option<Result<Reply, SimulationError>> {
    let what = match &request.ask {
        Ask::Create => "is asked to create",
        Ask::Give(_) => "is given a command",
        Ask::Look { .. } => "is asked to show",
        Ask::Label(_) => "is asked to label",
        Ask::Labels => "is asked for labels",
        Ask::Destroy => "is asked to destroy",
        Ask::Move => "is asked to give up",
    };
    universe.note(crate::universe::NAMES[to], what, request.sim, 0);
    let sent = network::send(universe, None, to, request.clone(), None);
    let leaves = {
        let mut dice = universe.dice();
        dice.permille(250).then(|| dice.millis(200..4000))
    };
    let Ok(sent) = timeout(leaves.unwrap_or(PATIENCE), sent).await else {
        universe.note("client", "waits no longer", request.sim, 0);
        if leaves.is_none() {
            universe.accuse(format!(
                "s{} {what}: no answer in {PATIENCE:?}",
                request.sim
            ));
        }
        return None;
    };
    let told = match sent {
        Ok(Said::Told(told)) => told,
        Ok(Said::Misdirected) => unreachable!("clients expect nobody"),
        Err(_) => {
            universe.note("client", "hears nothing", request.sim, 0);
            return None;
        }
    };
    let (said, seq) = match &told {
        Ok(reply) if reply.is_replayed => ("hears: was done", reply.position.head.seq),
        Ok(reply) => ("hears: is done", reply.position.head.seq),
        Err(error) => (word(error), 0),
    };
    universe.note("client", said, request.sim, seq);
    Some(told)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the rest is rare")]
fn word(error: &SimulationError) -> &'static str {
    use SimulationError as E;
    match error {
        E::NotFound(_) => "hears: not found",
        E::Lost(_) => "hears: lost",
        E::Exists(_) => "hears: exists",
        E::Busy { .. } => "hears: busy",
        E::OwnerUnreachable(_) => "hears: owner unreachable",
        E::OwnershipLost(_) => "hears: ownership lost",
        E::Draining => "hears: draining",
        E::Overloaded => "hears: overloaded",
        E::OutcomeUnknown => "hears: outcome unknown",
        E::KeyInFlight => "hears: key in flight",
        E::Registry(_) => "hears: no registry",
        E::Journal(_) => "hears: no journal",
        E::HistoryLost { .. } => "hears: history lost",
        E::HistoryDiverged(_) => "hears: history diverged",
        E::Unreplayable { .. } => "hears: unreplayable",
        _ => "hears: something else",
    }
}
