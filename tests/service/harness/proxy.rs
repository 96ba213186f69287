//! A TCP proxy that can be made to misbehave.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinSet,
};

use crate::harness::{eventually, ports::free_port};

const PORTS_TO_TRY: u32 = 5;
const SOON: Duration = Duration::from_secs(20);

/// Passes what arrives on a port of its own to another address, and back, until it is dropped.
pub(crate) struct Proxy {
    target: watch::Sender<SocketAddr>,
    address: SocketAddr,
    passage: watch::Sender<Passage>,
    /// Listens and carries every connection; empty while the proxy is cut.
    task: JoinSet<()>,
}

/// Which ways nothing passes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Ways {
    /// What clients send.
    Forth,
    /// What they are answered.
    Back,
    Both,
}

#[derive(Clone, Copy, PartialEq)]
enum Passage {
    After(Duration),
    Blocked(Ways),
}

impl Passage {
    fn is_blocked(self, way: Ways) -> bool {
        matches!(self, Self::Blocked(ways) if ways == way || ways == Ways::Both)
    }
}

impl Proxy {
    /// A proxy in front of this address, which need not be there yet.
    pub(crate) async fn to(target: SocketAddr) -> Self {
        let mut last = None;
        for _ in 0..PORTS_TO_TRY {
            match TcpListener::bind((Ipv4Addr::LOCALHOST, free_port())).await {
                Ok(listener) => {
                    let address = listener.local_addr().expect("a bound port has an address");
                    let (passage, _) = watch::channel(Passage::After(Duration::ZERO));
                    let (target, _) = watch::channel(target);
                    let mut proxy = Self {
                        target,
                        address,
                        passage,
                        task: JoinSet::new(),
                    };
                    proxy.listen(listener);
                    return proxy;
                }
                Err(error) => last = Some(error),
            }
        }
        panic!("all of {PORTS_TO_TRY} ports were taken: {last:?}");
    }

    /// Where clients find it.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes all connections and refuses new ones, which has happened when this returns.
    pub(crate) async fn cut(&mut self) {
        self.task.shutdown().await;
        // A child that another test is just starting has a copy of the socket for a moment.
        eventually(
            SOON,
            "the proxy refuses",
            async || match TcpStream::connect(self.address).await {
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
                other => Err(other),
            },
        )
        .await;
    }

    /// Keeps connections open, takes new ones, and passes nothing that arrives from now on.
    pub(crate) fn blackhole(&self) {
        self.swallow(Ways::Both);
    }

    /// The same in some directions only.
    pub(crate) fn swallow(&self, ways: Ways) {
        self.passage.send_replace(Passage::Blocked(ways));
    }

    /// Leads new connections somewhere else; those that are open stay where they are.
    pub(crate) fn redirect(&self, target: SocketAddr) {
        self.target.send_replace(target);
    }

    /// Passes everything this much later, in each direction.
    pub(crate) fn delay(&self, late: Duration) {
        self.passage.send_replace(Passage::After(late));
    }

    /// Passes everything at once again, as well as what a blackhole held back.
    pub(crate) async fn heal(&mut self) {
        self.passage.send_replace(Passage::After(Duration::ZERO));
        if self.task.is_empty() {
            // Another test may look for a moment whether the port is free.
            let bound = eventually(SOON, "the proxy listens again", async || {
                TcpListener::bind(self.address).await
            });
            let listener = bound.await;
            self.listen(listener);
        }
    }

    fn listen(&mut self, listener: TcpListener) {
        let (target, passage) = (self.target.subscribe(), self.passage.subscribe());
        self.task.spawn(serve(listener, target, passage));
    }
}

/// One task for all connections: they end together with it.
async fn serve(
    listener: TcpListener,
    target: watch::Receiver<SocketAddr>,
    passage: watch::Receiver<Passage>,
) {
    let mut connections = FuturesUnordered::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((client, _)) = accepted {
                    connections.push(carry(client, target.clone(), passage.clone()));
                }
            }
            Some(_over) = connections.next() => {}
        }
    }
}

async fn carry(
    client: TcpStream,
    target: watch::Receiver<SocketAddr>,
    mut passage: watch::Receiver<Passage>,
) -> io::Result<()> {
    passes(&mut passage, Ways::Forth).await;
    let target = *target.borrow();
    let server = TcpStream::connect(target).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    // One direction that breaks takes the other with it; one that ends in order does not.
    tokio::try_join!(
        pump(from_client, to_server, passage.clone(), Ways::Forth),
        pump(from_server, to_client, passage, Ways::Back),
    )?;
    Ok(())
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut passage: watch::Receiver<Passage>,
    way: Ways,
) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let n = from.read(&mut buffer).await?;
        let late = passes(&mut passage, way).await;
        if late > Duration::ZERO {
            tokio::time::sleep(late).await;
            // It may have been blocked in the meantime.
            passes(&mut passage, way).await;
        }
        if n == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..n]).await?;
    }
}

/// Waits while nothing passes this way; how late the rest is.
async fn passes(passage: &mut watch::Receiver<Passage>, way: Ways) -> Duration {
    match passage
        .wait_for(|now| !now.is_blocked(way))
        .await
        .as_deref()
    {
        Ok(Passage::After(late)) => *late,
        // The proxy is being dropped, and this task with it.
        Ok(Passage::Blocked(_)) | Err(_) => Duration::ZERO,
    }
}
