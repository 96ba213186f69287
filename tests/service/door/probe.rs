//! A client that has nothing to do with an attack, and should not notice it.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// How fast `/health` is to be answered.
const SOON: Duration = Duration::from_millis(100);
/// How many requests tell how fast the machine is, before the attack.
const BEFORE: usize = 20;
const PAUSE: Duration = Duration::from_millis(5);

/// Asks for `/health` on a connection of its own, over and over.
pub(super) struct Probe {
    is_over: Arc<AtomicBool>,
    before: Duration,
    asking: JoinHandle<Vec<Duration>>,
}

impl Probe {
    /// Looks how fast the service answers, then goes on asking.
    pub(super) fn start(address: SocketAddr) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let mut asker = Asker {
            address,
            stream: connect(address),
        };
        let before: Vec<_> = (0..BEFORE).map(|_| asker.ask()).collect();
        let stop = Arc::clone(&is_over);
        let asking = thread::spawn(move || {
            let mut took = vec![asker.ask()];
            while !stop.load(Ordering::Relaxed) {
                thread::sleep(PAUSE);
                took.push(asker.ask());
            }
            took
        });
        Self {
            is_over,
            before: percentile(before, 95),
            asking,
        }
    }

    /// Fails unless it was answered in time throughout. Where the machine is busy with something
    /// else, that is compared with before.
    #[expect(clippy::print_stderr, reason = "what it took is of interest")]
    pub(super) fn assert_calm(self, attack: &str) {
        self.is_over.store(true, Ordering::Relaxed);
        let took = self.asking.join().expect("every request is answered");
        let (count, worst) = (took.len(), took.iter().max().copied());
        let p95 = percentile(took, 95);
        eprintln!(
            "{attack}: /health p95 {p95:?}, at worst {:?} of {count}; before {:?}",
            worst.unwrap_or_default(),
            self.before
        );
        assert!(
            p95 < SOON.max(4 * self.before),
            "{attack}: /health took {p95:?}, {:?} before",
            self.before
        );
    }
}

/// A client that comes again if its connection was closed while it was idle.
struct Asker {
    address: SocketAddr,
    stream: TcpStream,
}

impl Asker {
    /// How long an answer takes.
    fn ask(&mut self) -> Duration {
        let asked = Instant::now();
        if exchange(&mut self.stream).is_err() {
            self.stream = connect(self.address);
            exchange(&mut self.stream).expect("the probe is answered");
        }
        asked.elapsed()
    }
}

fn percentile(mut took: Vec<Duration>, percent: usize) -> Duration {
    took.sort_unstable();
    let at = (took.len() * percent / 100).min(took.len().saturating_sub(1));
    took.get(at).copied().unwrap_or_default()
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the probe is accepted");
    stream.set_nodelay(true).expect("a socket option");
    let patience = Some(Duration::from_secs(20));
    stream.set_read_timeout(patience).expect("a socket option");
    stream
}

fn exchange(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: probe\r\n\r\n")?;
    let mut reply = Vec::new();
    let mut chunk = [0; 4096];
    while !reply.ends_with(b"}") {
        let count = stream.read(&mut chunk)?;
        if count == 0 {
            assert!(reply.is_empty(), "half an answer");
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        reply.extend_from_slice(&chunk[..count]);
    }
    assert!(reply.starts_with(b"HTTP/1.1 200 "), "the probe is answered");
    Ok(())
}
