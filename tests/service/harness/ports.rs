//! Ports for servers that have to be told where to listen.

use std::{
    net::{Ipv4Addr, TcpListener},
    sync::atomic::{AtomicU32, Ordering},
};

/// Below the ports that Linux and macOS give to outgoing connections: a server that is down for a
/// while finds its port free when it comes back.
const FIRST: u16 = 10_000;
const COUNT: u16 = 10_000;
/// How far the bus port of a cluster's node is above its port.
const BUS: u16 = 10_000;

/// A port that nothing in this process was given before and nothing listens on now.
///
/// Another process may still take it first, so whoever binds it tries again with another one.
pub(crate) fn free_port() -> u16 {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    // Test runs beside each other begin at different places.
    let begin = std::process::id().wrapping_mul(101);
    for _ in 0..COUNT {
        let n = begin.wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed)) % u32::from(COUNT);
        let port = FIRST + u16::try_from(n).expect("less than the count of ports");
        if is_free(port) && is_free(port + BUS) {
            return port;
        }
    }
    panic!("none of {COUNT} ports is free");
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}
