//! Ports for servers that have to be told where to listen.

use std::{
    net::{Ipv4Addr, TcpListener},
    sync::{
        LazyLock,
        atomic::{AtomicU16, Ordering},
    },
};

/// Below the ports that Linux and macOS give to outgoing connections: a server that is down for a
/// while finds its port free when it comes back.
const FIRST: u16 = 10_000;
/// Each process that runs tests has some of its own, as what is down for a while in one is not to be
/// taken for free by another.
const BLOCKS: u16 = 20;
const IN_BLOCK: u16 = 500;
/// How far the bus port of a cluster's node is above its port.
const BUS: u16 = 10_000;

/// A port that nothing in this process was given lately and nothing listens on now.
///
/// A program that runs no tests may still take it first, so whoever binds it tries again with
/// another one.
pub(crate) fn free_port() -> u16 {
    static BLOCK: LazyLock<Block> = LazyLock::new(Block::claim);
    static GIVEN: AtomicU16 = AtomicU16::new(0);
    for _ in 1..IN_BLOCK {
        let given = GIVEN.fetch_add(1, Ordering::Relaxed);
        let port = BLOCK.first + 1 + given % (IN_BLOCK - 1);
        if is_free(port) && is_free(port + BUS) {
            return port;
        }
    }
    panic!("none of {IN_BLOCK} ports is free");
}

/// Ports that are this process's while it holds the first of them.
struct Block {
    first: u16,
    _claim: TcpListener,
}

impl Block {
    fn claim() -> Self {
        let claimed = (0..BLOCKS).find_map(|block| {
            let first = FIRST + block * IN_BLOCK;
            let claim = TcpListener::bind((Ipv4Addr::LOCALHOST, first)).ok()?;
            Some(Self {
                first,
                _claim: claim,
            })
        });
        claimed.expect("not many processes run tests at once")
    }
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}
