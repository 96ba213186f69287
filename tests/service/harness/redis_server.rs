//! Redis servers as children of this process, each with a directory of its own.

use std::{
    collections::BTreeMap,
    fs,
    io::ErrorKind,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::Command,
    time::Duration,
};

use deadpool_redis::redis::{
    AsyncConnectionConfig, Client, FromRedisValue, RedisResult, TlsCertificates,
    aio::MultiplexedConnection, cmd, pipe,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tempfile::TempDir;

use crate::harness::{Certificates, Proxy, Store, eventually, ports::free_port, process::Process};

const PROGRAM: &str = "redis-server";
const START: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_secs(20);
/// How long one question waits while a server is not up yet.
const GLANCE: Duration = Duration::from_secs(2);
const PORTS_TO_TRY: u32 = 5;
/// What this harness calls its own connections.
const OWN_NAME: &str = "the-test-itself";

/// A Redis server that is ended, and its directory removed, when this is dropped.
pub(crate) struct RedisServer {
    // Before the directory: the server ends before its files go.
    process: Process,
    access: Access,
    dir: TempDir,
}

/// A Redis server that is not started yet.
#[must_use]
#[derive(Default)]
pub(crate) struct RedisOptions {
    lines: Vec<String>,
    password: Option<String>,
    tls: Option<Tls>,
    socket: bool,
    sentinel: bool,
}

/// How clients reach a server.
struct Access {
    port: u16,
    password: Option<String>,
    ca: Option<Vec<u8>>,
    socket: Option<String>,
    sentinel: bool,
}

struct Tls {
    ca: Vec<u8>,
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl RedisOptions {
    /// Asks clients for this password.
    pub(crate) fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self.line(format!("requirepass {password:?}"))
            .line(format!("masterauth {password:?}"))
    }

    /// Writes every change to a file, so that a restart loses nothing.
    pub(crate) fn append_only(self) -> Self {
        self.line("appendonly yes").line("appendfsync always")
    }

    /// Knows nothing of these commands, as hosted servers do.
    pub(crate) fn renamed_commands(self, names: &[&str]) -> Self {
        names.iter().fold(self, |options, name| {
            options.line(format!("rename-command {name} \"\""))
        })
    }

    /// Speaks TLS and nothing else on its port.
    pub(crate) fn tls(mut self, certificates: &Certificates) -> Self {
        let read = |path| fs::read(path).expect("the certificates are there");
        self.tls = Some(Tls {
            ca: read(certificates.ca_file()),
            certificate: read(certificates.certificate_file()),
            key: read(certificates.key_file()),
        });
        self
    }

    /// Listens on a socket in the file system as well, which becomes its `url`.
    pub(crate) fn unix_socket(mut self) -> Self {
        self.socket = true;
        self
    }

    /// Has room for this much, and does this when it is full.
    pub(crate) fn max_memory(self, size: &str, policy: &str) -> Self {
        self.line(format!("maxmemory {size}"))
            .line(format!("maxmemory-policy {policy}"))
    }

    /// Adds a line to the configuration file.
    pub(crate) fn line(mut self, line: impl Into<String>) -> Self {
        self.lines.push(line.into());
        self
    }

    /// Watches over other servers instead of holding data.
    pub(super) fn sentinel(mut self) -> Self {
        self.sentinel = true;
        self
    }

    /// Starts the server and waits until it answers.
    pub(crate) async fn start(self) -> RedisServer {
        let mut output = String::new();
        for _ in 0..PORTS_TO_TRY {
            let mut server = self.launch(free_port());
            match server.until_it_answers().await {
                Ok(()) => return server,
                Err(taken) if taken.contains("Address already in use") => output = taken,
                Err(other) => panic!("{PROGRAM} ended at once:\n{other}"),
            }
        }
        panic!("all of {PORTS_TO_TRY} ports were taken, the last one so:\n{output}");
    }

    fn launch(&self, port: u16) -> RedisServer {
        let dir = TempDir::with_prefix("redis-").expect("a temporary directory can be made");
        let socket = self
            .socket
            .then(|| dir.path().join("redis.sock").display().to_string());
        let mut lines = vec![
            format!("dir {:?}", dir.path()),
            "bind 127.0.0.1".to_owned(),
            "protected-mode no".to_owned(),
        ];
        if !self.sentinel {
            lines.push("save \"\"".to_owned());
            // Without a file between them, a new replica waits for others that might come, and
            // hears of changes a second later.
            lines.push("repl-diskless-sync no".to_owned());
        }
        match &self.tls {
            None => lines.push(format!("port {port}")),
            Some(tls) => {
                for (name, bytes) in [
                    ("ca.pem", &tls.ca),
                    ("server.pem", &tls.certificate),
                    ("server.key", &tls.key),
                ] {
                    fs::write(dir.path().join(name), bytes)
                        .expect("a new directory can be written to");
                }
                lines.push(format!("port 0\ntls-port {port}"));
                lines.push("tls-ca-cert-file ca.pem\ntls-cert-file server.pem".to_owned());
                lines.push("tls-key-file server.key\ntls-auth-clients no".to_owned());
            }
        }
        lines.extend(socket.iter().map(|path| format!("unixsocket {path:?}")));
        lines.extend_from_slice(&self.lines);
        fs::write(dir.path().join("redis.conf"), lines.join("\n") + "\n")
            .expect("a new directory can be written to");
        RedisServer {
            process: run(&dir, self.sentinel),
            access: Access {
                port,
                password: self.password.clone(),
                ca: self.tls.as_ref().map(|tls| tls.ca.clone()),
                socket,
                sentinel: self.sentinel,
            },
            dir,
        }
    }
}

impl RedisServer {
    /// Starts a server that keeps everything in memory, and waits until it answers.
    pub(crate) async fn start() -> Self {
        Self::with().start().await
    }

    /// A server with other settings; ends in `start`.
    pub(crate) fn with() -> RedisOptions {
        RedisOptions::default()
    }

    /// Where clients find it, with the password they need.
    pub(crate) fn url(&self) -> String {
        let access = &self.access;
        match (&access.socket, &access.password) {
            (Some(path), Some(password)) => format!("unix://{path}?pass={}", escaped(password)),
            (Some(path), None) => format!("unix://{path}"),
            (None, _) => self.url_at(self.address()),
        }
    }

    /// Where clients find it who go through `proxy`.
    pub(crate) fn url_through(&self, proxy: &Proxy) -> String {
        self.url_at(proxy.address())
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port()).into()
    }

    /// Where it listens on the loopback.
    pub(crate) fn port(&self) -> u16 {
        self.access.port
    }

    /// Ends it at once, as a crash would.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    /// Ends it if it runs, starts it again in the same place, and waits until it has loaded.
    pub(crate) async fn restart(&mut self) {
        self.kill();
        self.process = run(&self.dir, self.access.sentinel);
        if let Err(output) = self.until_it_answers().await {
            panic!("{PROGRAM} did not come back:\n{output}");
        }
    }

    /// How much it has written to its file so far; needs `append_only`.
    pub(crate) fn written(&self) -> u64 {
        let file = fs::metadata(self.last_file());
        file.expect("the file is there").len()
    }

    /// Ends it, takes away what it has written to its file since `written` was this, and starts it
    /// again: what a power failure does to a server that does not wait for its disk.
    pub(crate) async fn forget_since(&mut self, written: u64) {
        self.kill();
        let file = fs::OpenOptions::new().write(true).open(self.last_file());
        file.and_then(|file| file.set_len(written))
            .expect("the file of a server that has ended can be cut");
        self.restart().await;
    }

    /// The file that changes are written to.
    fn last_file(&self) -> PathBuf {
        let files = fs::read_dir(self.dir.path().join("appendonlydir"));
        let files = files.expect("the server was started with append_only");
        files
            .flatten()
            .map(|file| file.path())
            .filter(|path| path.to_string_lossy().ends_with(".incr.aof"))
            .max()
            .expect("changes are written somewhere")
    }

    /// What it has printed since it was last started.
    pub(crate) fn log(&self) -> Vec<String> {
        self.process.log().lines()
    }

    /// Stops it where it is: connections stay open and nothing is answered.
    pub(crate) fn pause(&self) {
        self.process.stop();
    }

    /// Lets it go on after a pause; it answers what it was asked meanwhile.
    pub(crate) fn resume(&self) {
        self.process.signal("CONT");
    }

    /// A connection for questions about what it holds.
    pub(crate) async fn connection(&self) -> MultiplexedConnection {
        match self.connect(&self.url(), PATIENCE).await {
            Ok(connection) => connection,
            Err(error) => panic!("no connection to {}: {error}", self.url()),
        }
    }

    /// Connects and asks for a sign of life, which must come in this time.
    pub(crate) async fn ping(&self, patience: Duration) -> RedisResult<()> {
        ping(&mut self.connect(&self.url(), patience).await?).await
    }

    /// The same by way of `proxy`.
    pub(crate) async fn ping_through(&self, proxy: &Proxy, patience: Duration) -> RedisResult<()> {
        let url = self.url_through(proxy);
        ping(&mut self.connect(&url, patience).await?).await
    }

    /// The answer to a command; fails when there is none or another one.
    pub(crate) async fn ask<T: FromRedisValue>(&self, command: &[&str]) -> T {
        match self.try_ask(command).await {
            Ok(answer) => answer,
            Err(error) => panic!("{command:?} on port {}: {error}", self.port()),
        }
    }

    /// The answer to a command, for servers that may be down or change their role meanwhile.
    pub(crate) async fn try_ask<T: FromRedisValue>(&self, command: &[&str]) -> RedisResult<T> {
        let mut connection = self.connect(&self.url(), PATIENCE).await?;
        let (name, args) = command.split_first().expect("a command has a name");
        cmd(name).arg(args).query_async(&mut connection).await
    }

    /// Every key whose name has this id in it, in order.
    pub(crate) async fn keys_of(&self, sim_id: &str) -> Vec<String> {
        let mut connection = self.connection().await;
        let mut keys = Vec::new();
        let mut cursor = 0;
        loop {
            let page: RedisResult<(u64, Vec<String>)> = cmd("SCAN")
                .arg(cursor)
                .arg(&["COUNT", "1000"])
                .query_async(&mut connection)
                .await;
            let (next, page) = page.expect("every server can be scanned");
            keys.extend(page.into_iter().filter(|key| key.contains(sim_id)));
            if next == 0 {
                break;
            }
            cursor = next;
        }
        keys.sort();
        // A scan may show a key twice.
        keys.dedup();
        keys
    }

    /// Deletes these keys, with a command for each: those of a cluster's node are in many slots.
    pub(crate) async fn delete(&self, keys: &[String]) {
        if keys.is_empty() {
            return;
        }
        let mut pipeline = pipe();
        for key in keys {
            pipeline.cmd("DEL").arg(key).ignore();
        }
        let deleted: RedisResult<()> = pipeline.exec_async(&mut self.connection().await).await;
        deleted.expect("every server deletes keys");
    }

    /// How long a key has left, in Redis' own words: -1 is for ever, -2 is not there.
    pub(crate) async fn ttl_ms(&self, key: &str) -> i64 {
        Store::Server(self).ttl_ms(key).await
    }

    /// The fields of a hash; what is not text is shown as far as it can be.
    pub(crate) async fn hash(&self, key: &str) -> BTreeMap<String, String> {
        Store::Server(self).hash(key).await
    }

    /// Forgets everything, as an operator might make it; needs the command of this name.
    pub(crate) async fn flush_all(&self) {
        self.ask::<()>(&["FLUSHALL"]).await;
    }

    /// How many clients are connected, without this harness and without replicas.
    pub(crate) async fn client_count(&self) -> usize {
        let list: String = self.ask(&["CLIENT", "LIST", "TYPE", "normal"]).await;
        let own = format!(" name={OWN_NAME} ");
        list.lines().filter(|line| !line.contains(&own)).count()
    }

    /// `Err` with everything it printed when it ended instead.
    async fn until_it_answers(&mut self) -> Result<(), String> {
        let (url, access) = (self.url(), &self.access);
        let process = &mut self.process;
        eventually(START, "the Redis server answers", async || {
            if process.ended().is_some() {
                return Ok(Err(process.output()));
            }
            // Somebody else may listen here, and this process not have noticed yet.
            match process_id(access, &url).await {
                Ok(id) if id == process.id() => Ok(Ok(())),
                other => Err(other),
            }
        })
        .await
    }

    async fn connect(&self, url: &str, patience: Duration) -> RedisResult<MultiplexedConnection> {
        connect(&self.access, url, patience).await
    }

    fn url_at(&self, address: SocketAddr) -> String {
        let scheme = if self.access.ca.is_some() {
            "rediss"
        } else {
            "redis"
        };
        let password = self.access.password.as_deref();
        let password = password.map_or(String::new(), |text| format!(":{}@", escaped(text)));
        format!("{scheme}://{password}{address}")
    }
}

fn run(dir: &TempDir, sentinel: bool) -> Process {
    let mut command = Command::new(PROGRAM);
    command.arg(dir.path().join("redis.conf"));
    if sentinel {
        command.arg("--sentinel");
    }
    command.current_dir(dir.path());
    match Process::start(PROGRAM, &mut command) {
        Ok(process) => process,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            panic!("there is no {PROGRAM} here: apt-get install redis-server")
        }
        Err(error) => panic!("{PROGRAM} does not start: {error}"),
    }
}

async fn connect(access: &Access, url: &str, wait: Duration) -> RedisResult<MultiplexedConnection> {
    let client = match &access.ca {
        None => Client::open(url)?,
        Some(ca) => Client::build_with_tls(
            url,
            TlsCertificates {
                client_tls: None,
                root_cert: Some(ca.clone()),
            },
        )?,
    };
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(wait))
        .set_response_timeout(Some(wait));
    let mut connection = client
        .get_multiplexed_async_connection_with_config(&config)
        .await?;
    cmd("CLIENT")
        .arg(&["SETNAME", OWN_NAME])
        .exec_async(&mut connection)
        .await?;
    Ok(connection)
}

async fn ping(connection: &mut MultiplexedConnection) -> RedisResult<()> {
    cmd("PING").exec_async(connection).await
}

/// Which process answers there; fails while it is still loading.
async fn process_id(access: &Access, url: &str) -> RedisResult<u32> {
    let mut connection = connect(access, url, GLANCE).await?;
    ping(&mut connection).await?;
    let info: String = cmd("INFO")
        .arg("server")
        .query_async(&mut connection)
        .await?;
    let id = info
        .lines()
        .find_map(|line| line.strip_prefix("process_id:"));
    Ok(id.and_then(|id| id.trim().parse().ok()).unwrap_or(0))
}

fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}
