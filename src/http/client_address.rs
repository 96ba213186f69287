//! Where a request comes from: what the proxies in front say, as far as they are trusted.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::http::{HeaderMap, HeaderName};
use ipnet::IpNet;

use crate::config::Config;

/// Finds out where requests come from. Cheap to clone.
#[derive(Clone)]
pub(super) struct ClientAddress {
    /// In which header proxies say who their client is, if they are asked.
    header: Option<HeaderName>,
    proxies: Arc<[IpNet]>,
}

impl ClientAddress {
    pub(super) fn new(config: &Config) -> Self {
        let header = config.client_ip_header.as_deref();
        Self {
            header: header.and_then(|name| name.parse().ok()),
            proxies: config.trusted_proxies.as_slice().into(),
        }
    }

    /// The address of the client whose request came from `peer`.
    ///
    /// Each proxy adds, on the right, who it was asked by. So the list is read from there, for as
    /// long as whoever has written an entry is trusted.
    pub(super) fn of(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        let Some(header) = &self.header else {
            return client;
        };
        let lists = headers.get_all(header).iter().rev();
        let mut told = lists.flat_map(|list| list.to_str().unwrap_or_default().rsplit(','));
        while self.trusts(client)
            && let Some(entry) = told.next()
            && let Some(address) = parse(entry.trim())
        {
            client = address.to_canonical();
        }
        client
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.proxies.iter().any(|proxy| proxy.contains(&address))
    }
}

/// An address, with a port or without.
fn parse(entry: &str) -> Option<IpAddr> {
    let bare = || {
        let inner = entry.strip_prefix('[')?.strip_suffix(']')?;
        inner.parse().ok()
    };
    let with_port = || Some(entry.parse::<SocketAddr>().ok()?.ip());
    entry.parse().ok().or_else(with_port).or_else(bare)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(trusted: &str, peer: &str, lists: &[&str]) -> String {
        let mut args = vec!["service", "--client-ip-header", "X-Forwarded-For"];
        if !trusted.is_empty() {
            args.extend(["--trusted-proxies", trusted]);
        }
        let config = Config::try_from_args(args).unwrap();
        let mut headers = HeaderMap::new();
        for list in lists {
            headers.append("x-forwarded-for", list.parse().unwrap());
        }
        let addresses = ClientAddress::new(&config);
        addresses.of(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn the_client_is_who_the_outermost_trusted_proxy_says() {
        let (ours, both) = ("10.0.0.0/8", "10.0.0.0/8,fd00::/8");
        for (trusted, peer, lists, expected) in [
            // Nobody is trusted, or not this peer.
            ("", "10.0.0.1", &["1.2.3.4"] as &[_], "10.0.0.1"),
            (ours, "9.9.9.9", &["1.2.3.4"], "9.9.9.9"),
            (ours, "10.0.0.1", &[], "10.0.0.1"),
            // One proxy, and two in a row.
            (ours, "10.0.0.1", &["1.2.3.4"], "1.2.3.4"),
            (ours, "10.0.0.1", &["1.2.3.4, 10.0.0.2"], "1.2.3.4"),
            (ours, "10.0.0.1", &["1.2.3.4", "10.0.0.2"], "1.2.3.4"),
            // What a client claims for itself stands further left.
            (ours, "10.0.0.1", &["6.6.6.6, 1.2.3.4,10.0.0.2"], "1.2.3.4"),
            (ours, "10.0.0.1", &["10.6.6.6, 1.2.3.4"], "1.2.3.4"),
            // From inside.
            (ours, "10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            // Nonsense ends what is believed.
            (ours, "10.0.0.1", &["1.2.3.4, unknown"], "10.0.0.1"),
            (ours, "10.0.0.1", &["1.2.3.4, , 10.0.0.2"], "10.0.0.2"),
            (ours, "10.0.0.1", &[""], "10.0.0.1"),
            // Every way to write an address.
            (ours, "10.0.0.1", &["1.2.3.4:555"], "1.2.3.4"),
            (ours, "10.0.0.1", &["[2001:db8::1]:555"], "2001:db8::1"),
            (ours, "10.0.0.1", &["[2001:db8::1]"], "2001:db8::1"),
            (both, "fd00::1", &["2001:db8::1"], "2001:db8::1"),
            (ours, "::ffff:10.0.0.1", &["::ffff:1.2.3.4"], "1.2.3.4"),
        ] {
            let found = client(trusted, peer, lists);
            assert_eq!(found, expected, "{peer} {lists:?} trusting {trusted}");
        }
    }

    #[test]
    fn without_a_header_the_client_is_the_peer() {
        let args = ["service", "--trusted-proxies", "0.0.0.0/0"];
        let config = Config::try_from_args(args).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", "1.2.3.4".parse().unwrap());

        let addresses = ClientAddress::new(&config);
        let peer = "10.0.0.1".parse().unwrap();
        assert_eq!(addresses.of(peer, &headers), peer);
    }
}
