//! Redis, as the registry uses it: commands and scripts over a pool of connections, with a limit
//! to every wait, behind a breaker.

mod breaker;
mod connection;
mod counters;
mod error;
pub mod keys;
mod large;
mod line;
mod manager;
mod promises;
mod script;
mod subscription;
mod target;

use std::{
    iter,
    sync::Arc,
    time::{Duration, Instant},
};

use deadpool::{
    Runtime,
    managed::{Manager as _, Object, Pool},
};
use deadpool_redis::redis::{Cmd, FromRedisValue, RedisError, RedisResult, Value, cmd};
use tokio::sync::{Mutex, Notify};

use self::{
    breaker::{Breaker, Pass},
    connection::Connection,
    counters::Counters,
    error::{of_pool, spoils, within},
    manager::Manager,
};
pub use self::{
    counters::StoreCounters,
    error::{BuildError, StoreError},
    large::PART,
    line::Line,
    promises::Promises,
    script::{Invocation, Part, Script},
    subscription::Subscription,
    target::{RedisTarget, TargetError},
};

/// How Redis is used.
#[derive(Clone, Debug)]
pub struct RedisOptions {
    /// How long to wait for a connection, and then for an answer.
    pub timeout: Duration,
    /// Connections in the pool. One more is for [`RedisStore::invoke_unguarded`] and one for each
    /// [`Line`] and each subscription.
    pub pool_size: usize,
    /// The certificates, in PEM, that servers are to be signed by; those of the system unless
    /// given.
    pub ca_pem: Option<Vec<u8>>,
}

/// Redis. Clones share all of it.
#[derive(Clone)]
pub struct RedisStore(Arc<Shared>);

struct Shared {
    target: RedisTarget,
    timeout: Duration,
    pool: Pool<Manager>,
    /// The connection past the pool and the breaker.
    keeper: Mutex<Option<Connection>>,
    breaker: Breaker,
    /// Told when the breaker is closed again.
    again: Notify,
    counters: Counters,
    stage: Script,
}

impl RedisStore {
    /// Prepares everything without connecting: Redis may be down. TLS uses ring in the whole
    /// process from here on, unless another provider has been installed.
    pub fn new(target: &RedisTarget, options: RedisOptions) -> Result<Self, BuildError> {
        // Without a provider the first connection would panic. An error says that there is one.
        drop(rustls::crypto::ring::default_provider().install_default());
        let RedisOptions {
            timeout,
            pool_size,
            ca_pem,
        } = options;
        let manager = Manager::new(target, timeout, ca_pem.as_deref())?;
        let pool = Pool::builder(manager)
            .max_size(pool_size)
            .wait_timeout(Some(timeout))
            .create_timeout(Some(timeout))
            .recycle_timeout(Some(timeout))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| BuildError::Client(error.to_string()))?;
        Ok(Self(Arc::new(Shared {
            target: target.clone(),
            timeout,
            pool,
            keeper: Mutex::new(None),
            breaker: Breaker::default(),
            again: Notify::new(),
            counters: Counters::default(),
            stage: Script::new(include_str!("stage.lua")),
        })))
    }

    /// Sends one command.
    pub async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        self.guarded(async |connection| connection.query(command).await)
            .await
    }

    /// Calls a script once. It may have been carried out where this fails.
    pub async fn invoke<T: FromRedisValue>(
        &self,
        script: &Script,
        invocation: &Invocation,
    ) -> Result<T, StoreError> {
        self.guarded(async |connection| connection.invoke(script, invocation).await)
            .await
    }

    /// Calls a script many times, with as few round trips as possible. The results are in the
    /// order of `invocations`, one for each.
    pub async fn invoke_all<T: FromRedisValue>(
        &self,
        script: &Script,
        invocations: &[Invocation],
    ) -> Vec<Result<T, StoreError>> {
        let batch_size = self.0.pool.manager().batch_size();
        let mut results = Vec::with_capacity(invocations.len());
        for batch in invocations.chunks(batch_size) {
            let replies =
                self.guarded(async |connection| connection.invoke_all(script, batch).await);
            match replies.await {
                Ok(replies) => {
                    let replies = replies.into_iter();
                    results
                        .extend(replies.map(|reply| reply.map_err(|error| self.describe(&error))));
                }
                Err(error) => {
                    results.extend(iter::repeat_with(|| Err(error.clone())).take(batch.len()));
                }
            }
        }
        results
    }

    /// Calls a script, past the breaker and on a connection of its own; once more on a new one if
    /// that has been closed. Any answer closes the breaker, a failure opens it.
    pub async fn invoke_unguarded<T: FromRedisValue>(
        &self,
        script: &Script,
        invocation: &Invocation,
    ) -> Result<T, StoreError> {
        let mut keeper = self.0.keeper.lock().await;
        let begun = Instant::now();
        let attempt = async {
            // Taken out, so that it is not used again if this is given up half-way.
            let kept = keeper.take();
            let is_kept = kept.is_some();
            let mut connection = match kept {
                Some(connection) => connection,
                None => self.0.pool.manager().create().await?,
            };
            let mut outcome = connection.invoke(script, invocation).await;
            let is_dropped = |error: &RedisError| error.is_connection_dropped();
            // Only a new one tells: the master may have been replaced long ago, and who takes that
            // for an outage answers for what others have claimed.
            if is_kept && outcome.as_ref().is_err_and(is_dropped) {
                connection = self.0.pool.manager().create().await?;
                outcome = connection.invoke(script, invocation).await;
            }
            if !outcome.as_ref().is_err_and(spoils) {
                *keeper = Some(connection);
            }
            outcome
        };
        let result = attempt.await.map_err(|error| self.describe(&error));
        if let Err(StoreError::Failed(text)) = &result {
            if self.0.breaker.open() {
                self.opened(text);
            }
        } else {
            self.close();
        }
        self.0
            .counters
            .count(begun.elapsed(), result.as_ref().err());
        result
    }

    /// A connection of its own, for one caller that sends much.
    pub fn line(&self) -> Line {
        Line::new(self.clone())
    }

    /// Listens to a channel, on a connection of its own and past the breaker. When it ends, the
    /// link is broken: what is published until the next subscription is lost.
    pub async fn subscribe(&self, channel: &str) -> Result<Subscription, StoreError> {
        let link = self.0.pool.manager().subscriber().await;
        let subscription = match link {
            Ok(link) => Subscription::start(link, channel, self.0.timeout).await,
            Err(error) => Err(error),
        };
        subscription.map_err(|error| self.describe(&error))
    }

    /// Whether Redis is taken for unreachable.
    pub fn is_open(&self) -> bool {
        self.0.breaker.is_open()
    }

    /// Completes when Redis, which was taken for unreachable, answers again.
    pub fn answers_again(&self) -> impl Future<Output = ()> {
        self.0.again.notified()
    }

    /// Which runs of which servers answer, if they tell.
    pub async fn run_ids(&self) -> Option<String> {
        let info: Value = self.query(cmd("INFO").arg("server")).await.ok()?;
        promises::run_ids(&info)
    }

    /// What Redis can promise, if it can be asked. Some do not tell how they are configured.
    pub async fn promises(&self) -> Option<Promises> {
        let info: Value = self.query(&cmd("INFO")).await.ok()?;
        let mut ask = cmd("CONFIG");
        ask.arg("GET").arg("appendfsync");
        let fsync: Option<Value> = self.query(&ask).await.ok();
        Promises::read(&info, fsync.as_ref())
    }

    /// What was asked so far, and how it went.
    pub fn counters(&self) -> StoreCounters {
        self.0.counters.read()
    }

    async fn guarded<T>(
        &self,
        work: impl AsyncFnOnce(&mut Connection) -> RedisResult<T>,
    ) -> Result<T, StoreError> {
        let begun = Instant::now();
        let Some(pass) = self.0.breaker.admit() else {
            let error = StoreError::Unavailable;
            self.0.counters.count(Duration::ZERO, Some(&error));
            return Err(error);
        };
        let outcome = match self.checkout().await {
            Ok(mut connection) => {
                let outcome = work(&mut connection).await;
                if outcome.as_ref().is_err_and(spoils) {
                    drop(Object::take(connection));
                }
                outcome
            }
            Err(error) => Err(error),
        };
        let result = outcome.map_err(|error| self.describe(&error));
        self.learn(Some(pass), begun.elapsed(), &result);
        result
    }

    /// Takes note of what became of a request. One that was sent without leave tells, if it is
    /// answered, that Redis is there again.
    fn learn<T>(&self, pass: Option<Pass>, took: Duration, result: &Result<T, StoreError>) {
        let breaker = &self.0.breaker;
        match (result, pass) {
            (Err(StoreError::Failed(text)), Some(pass)) => {
                if breaker.fail(pass) {
                    self.opened(text);
                }
            }
            (Err(StoreError::Failed(_)), None) => {}
            (_, Some(_)) => breaker.succeed(),
            (_, None) => self.close(),
        }
        self.0.counters.count(took, result.as_ref().err());
    }

    /// A connection of the pool. It may try several, one after the other, but not for longer than
    /// one may take.
    async fn checkout(&self) -> RedisResult<Object<Manager>> {
        // Boxed, for the library's part of it is many kilobytes large and every caller's future
        // would contain it.
        let object = Box::pin(async { self.0.pool.get().await.map_err(of_pool) });
        within(self.0.timeout, object).await
    }

    fn close(&self) {
        if self.0.breaker.close() {
            tracing::info!("Redis answers again");
            self.0.again.notify_waiters();
        }
    }

    /// The connections that lie in the pool lead to where nobody answers any more; after the
    /// outage each would be one more failure.
    fn opened(&self, text: &str) {
        tracing::warn!("Redis is taken for unreachable: {text}");
        self.0.pool.retain(|_, _| false);
    }

    fn describe(&self, error: &RedisError) -> StoreError {
        StoreError::new(error, &self.0.target)
    }
}
