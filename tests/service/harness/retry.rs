//! Requests that are sent until they are answered, to whichever instance is there.

use std::{
    sync::{Arc, RwLock},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::harness::{Client, Fleet, Reply};

/// How long one instance has for an answer; afterwards another one is asked.
const GLANCE: Duration = Duration::from_secs(5);
/// How long after a refusal the next instance is asked.
const PAUSE: Duration = Duration::from_millis(15);
/// How long all of them have.
const PATIENCE: Duration = Duration::from_secs(60);

/// The instances that may be asked, for everybody who asks; cheap to clone.
#[derive(Clone)]
pub(crate) struct Doors(Arc<RwLock<Vec<Client>>>);

impl Doors {
    pub(crate) fn of(fleet: &Fleet) -> Self {
        Self(Arc::new(RwLock::new(fleet.clients())))
    }

    /// The instances there are now.
    pub(crate) fn all(&self) -> Vec<Client> {
        self.0.read().expect("no holder panics").clone()
    }

    /// One of them; numbers that follow each other lead to one after the other.
    pub(crate) fn at(&self, turn: usize) -> Client {
        let clients = self.0.read().expect("no holder panics");
        clients[turn % clients.len()].clone()
    }

    /// Has another instance asked in the place of one.
    pub(crate) fn replace(&self, place: usize, client: Client) {
        self.0.write().expect("no holder panics")[place] = client;
    }

    /// Has everybody ask these from now on.
    pub(crate) fn set(&self, clients: Vec<Client>) {
        *self.0.write().expect("no holder panics") = clients;
    }
}

/// A request that can be sent any number of times.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) body: Option<Value>,
    pub(crate) key: Option<String>,
}

/// A request that was answered at last.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) reply: Reply,
    /// What was said instead before, one for each time that it was sent.
    pub(crate) troubles: Vec<String>,
    /// When it was first refused.
    pub(crate) refused: Option<Instant>,
    /// When it was answered.
    pub(crate) at: Instant,
}

impl Request {
    pub(crate) fn new(method: &'static str, path: impl Into<String>, body: Option<Value>) -> Self {
        Self {
            method,
            path: path.into(),
            body,
            key: None,
        }
    }

    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new("GET", path, None)
    }

    /// A post, which needs a key to be sent more than once.
    pub(crate) fn post(path: impl Into<String>, body: Value, key: impl Into<String>) -> Self {
        Self {
            key: Some(key.into()),
            ..Self::new("POST", path, Some(body))
        }
    }

    /// Sends it once.
    pub(crate) async fn send(&self, client: &Client) -> Result<Reply, reqwest::Error> {
        let mut call = client.call(self.method, self.path.clone());
        if let Some(body) = &self.body {
            call = call.json(body);
        }
        if let Some(key) = &self.key {
            call = call.header("idempotency-key", key);
        }
        call.try_send().await
    }

    /// Sends it to one instance after the other until it is answered: neither refused for the
    /// moment, nor left without an answer.
    pub(crate) async fn insist(&self, doors: &Doors, turn: usize) -> Answered {
        let begun = Instant::now();
        let (mut troubles, mut refused) = (Vec::new(), None);
        loop {
            let client = doors.at(turn + troubles.len());
            let sent = tokio::time::timeout(GLANCE, self.send(&client)).await;
            let trouble = match sent {
                Ok(Ok(reply)) => match refusal(&reply) {
                    None => {
                        return Answered {
                            reply,
                            troubles,
                            refused,
                            at: Instant::now(),
                        };
                    }
                    Some(code) => code,
                },
                Ok(Err(error)) if error.is_connect() => "no connection".to_owned(),
                Ok(Err(error)) => format!("a broken connection: {error}"),
                Err(_) => "no answer in time".to_owned(),
            };
            refused.get_or_insert_with(Instant::now);
            troubles.push(trouble);
            assert!(
                begun.elapsed() < PATIENCE,
                "{self:?} is not answered within {PATIENCE:?}: {troubles:?}"
            );
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Why the same request may be answered a little later, if so.
fn refusal(reply: &Reply) -> Option<String> {
    if reply.status == 503 || reply.status == 429 {
        return Some(reply.problem().code().to_owned());
    }
    let in_flight = "idempotency_key_in_flight";
    (reply.status == 409 && reply.problem().code() == in_flight).then(|| in_flight.to_owned())
}
