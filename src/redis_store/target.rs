//! Where Redis is: one address for a single server, a cluster, or a master that sentinels watch.

use std::fmt;

use deadpool_redis::redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo};

/// Where Redis is. Written out, it shows no password.
#[derive(Clone)]
pub struct RedisTarget {
    pub(super) topology: Topology,
    shown: String,
    secrets: Vec<String>,
}

#[derive(Clone)]
pub(super) enum Topology {
    Single(ConnectionInfo),
    Cluster(Vec<ConnectionInfo>),
    Sentinel {
        name: String,
        /// How to speak to the master; its host is the name that the sentinels know.
        master: ConnectionInfo,
        sentinels: Vec<ConnectionInfo>,
    },
}

/// Why an address of Redis is refused. No part of the address is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// The REST interface of Upstash.
    #[error(
        "this is an address of Upstash's REST interface (UPSTASH_REDIS_REST_URL): set REDIS_URL or UPSTASH_REDIS_URL to the rediss:// address of the database instead"
    )]
    Rest,
    /// Another protocol than that of Redis, or none.
    #[error(
        "the address must begin with redis://, rediss:// (TLS), valkey://, valkeys:// or unix://"
    )]
    Scheme,
    /// Anything else.
    #[error(
        "the address must be of the form redis://[user:password@]host[:port][/database], with several hosts for a cluster and ?sentinel=host:port,… for sentinels; special characters in a password must be percent-encoded"
    )]
    Form,
}

impl RedisTarget {
    /// Reads the address of a single server, a cluster or a master behind sentinels:
    /// `redis://[user:password@]host[:port][/database]`, `redis://…@node1:7000,node2:7001`,
    /// `redis://…@name[/database]?sentinel=host1:26379,host2:26379[&sentinel_password=…]`.
    /// `rediss` stands for TLS, to the sentinels too; `unix:///path[?db=…]` for a socket.
    pub fn parse(url: &str) -> Result<Self, TargetError> {
        let (scheme, rest) = url.trim().split_once("://").ok_or(TargetError::Scheme)?;
        match scheme.to_ascii_lowercase().as_str() {
            scheme @ ("redis" | "rediss" | "valkey" | "valkeys") => Self::parse_tcp(scheme, rest),
            scheme @ ("unix" | "redis+unix" | "valkey+unix") => Self::parse_unix(scheme, rest),
            "http" | "https" => Err(TargetError::Rest),
            _ => Err(TargetError::Scheme),
        }
    }

    /// A host and port of Redis; none if it is reached by a socket in the file system.
    pub fn address_hint(&self) -> Option<(String, u16)> {
        let address = match &self.topology {
            Topology::Single(server) => server.addr(),
            Topology::Cluster(nodes) => nodes.first()?.addr(),
            Topology::Sentinel { sentinels, .. } => sentinels.first()?.addr(),
        };
        host_and_port(address).map(|(host, port)| (host.to_owned(), port))
    }

    pub(super) fn is_tls(&self) -> bool {
        let server = match &self.topology {
            Topology::Single(server) | Topology::Sentinel { master: server, .. } => Some(server),
            Topology::Cluster(nodes) => nodes.first(),
        };
        server.is_some_and(|server| matches!(server.addr(), ConnectionAddr::TcpTls { .. }))
    }

    /// `text` without the passwords of this address. A server that does not know a command answers
    /// with its arguments, and `AUTH` is a command.
    pub(super) fn without_secrets(&self, text: String) -> String {
        let secrets = self.secrets.iter();
        secrets.fold(text, |text, secret| text.replace(secret, "****"))
    }

    fn parse_tcp(scheme: &str, rest: &str) -> Result<Self, TargetError> {
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        // What follows here may be a part of a password that was not encoded.
        if [rest, query].iter().any(|part| part.contains('#'))
            || [database, query].iter().any(|part| part.contains('@'))
        {
            return Err(TargetError::Form);
        }
        let (user, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let parameter = |name| {
            let mut parameters = query.split('&').filter_map(|pair| pair.split_once('='));
            parameters.find_map(|(key, value)| (key == name).then_some(value))
        };
        let topology = if let Some(sentinels) = parameter("sentinel") {
            let sentinel_user = match (
                parameter("sentinel_username"),
                parameter("sentinel_password"),
            ) {
                (None, None) => String::new(),
                (user, password) => {
                    format!(
                        "{}:{}",
                        user.unwrap_or_default(),
                        password.unwrap_or_default()
                    )
                }
            };
            let with_port = |host: &str| {
                let end = host.rsplit(']').next().unwrap_or_default();
                let port = if end.contains(':') { "" } else { ":26379" };
                format!("{host}{port}")
            };
            // Some tools insist on a port, which means nothing here.
            let name = hosts.split(':').next().unwrap_or_default();
            Topology::Sentinel {
                name: name.to_owned(),
                master: server(scheme, user_of(user), name, database)?,
                sentinels: sentinels
                    .split(',')
                    .map(|host| {
                        server(scheme, user_of(&sentinel_user), &with_port(host.trim()), "")
                    })
                    .collect::<Result<_, _>>()?,
            }
        } else {
            let mut servers = hosts
                .split(',')
                .map(|host| server(scheme, user_of(user), host.trim(), database))
                .collect::<Result<Vec<_>, _>>()?;
            match servers.pop() {
                Some(only) if servers.is_empty() => Topology::Single(only),
                last => Topology::Cluster(servers.into_iter().chain(last).collect()),
            }
        };
        Ok(Self::new(scheme, topology))
    }

    fn parse_unix(scheme: &str, rest: &str) -> Result<Self, TargetError> {
        let server = format!("{scheme}://{rest}").into_connection_info();
        let server = server.map_err(|_| TargetError::Form)?;
        Ok(Self::new("unix", Topology::Single(server)))
    }

    fn new(scheme: &str, topology: Topology) -> Self {
        let list = |servers: &[ConnectionInfo]| {
            let hosts = servers.iter().map(|server| host(server.addr()));
            hosts.collect::<Vec<_>>().join(",")
        };
        let (first, hosts, query, others) = match &topology {
            Topology::Single(server) => (server, host(server.addr()), String::new(), None),
            Topology::Cluster(nodes) => (&nodes[0], list(nodes), String::new(), None),
            Topology::Sentinel {
                name,
                master,
                sentinels,
            } => {
                let query = format!("?sentinel={}", list(sentinels));
                (master, name.clone(), query, sentinels.first())
            }
        };
        let settings = first.redis_settings();
        let user = match (settings.username(), settings.password()) {
            (None, None) => String::new(),
            // A password in the wrong place looks like this.
            (Some(_), None) => "****@".to_owned(),
            (user, Some(_)) => format!("{}:****@", user.unwrap_or_default()),
        };
        let shown = format!("{scheme}://{user}{hosts}/{}{query}", settings.db());
        let secrets = [Some(first), others].into_iter().flatten();
        let secrets = secrets.filter_map(|server| server.redis_settings().password());
        let secrets = secrets.filter(|secret| !secret.is_empty());
        Self {
            shown,
            secrets: secrets.map(str::to_owned).collect(),
            topology,
        }
    }
}

impl fmt::Display for RedisTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for RedisTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

fn user_of(user: &str) -> Option<&str> {
    (!user.is_empty()).then_some(user)
}

/// One server. The library reads it, so that it alone decodes names and passwords.
fn server(
    scheme: &str,
    user: Option<&str>,
    host: &str,
    database: &str,
) -> Result<ConnectionInfo, TargetError> {
    if host.is_empty() || host.contains('%') {
        return Err(TargetError::Form);
    }
    let user = user.map(|user| format!("{user}@")).unwrap_or_default();
    let url = format!("{scheme}://{user}{host}/{database}");
    url.into_connection_info().map_err(|_| TargetError::Form)
}

fn host_and_port(address: &ConnectionAddr) -> Option<(&str, u16)> {
    match address {
        ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
            Some((host, *port))
        }
        ConnectionAddr::Unix(_) | _ => None,
    }
}

fn host(address: &ConnectionAddr) -> String {
    match host_and_port(address) {
        Some((host, port)) if host.contains(':') => format!("[{host}]:{port}"),
        Some((host, port)) => format!("{host}:{port}"),
        None => address.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::{array::uniform3, collection::vec, prelude::*, sample::select};

    use super::*;

    fn hint(url: &str) -> (String, Option<(String, u16)>) {
        let target = RedisTarget::parse(url).unwrap();
        assert_eq!(target.to_string(), format!("{target:?}"));
        (target.to_string(), target.address_hint())
    }

    #[test]
    fn every_form_is_read_and_shown_without_its_password() {
        let at = |host: &str, port| Some((host.to_owned(), port));
        let cases = [
            ("redis://h", "redis://h:6379/0", at("h", 6379)),
            (
                " redis://default:pw@h:6380/3\n",
                "redis://default:****@h:6380/3",
                at("h", 6380),
            ),
            (
                "rediss://:p%40w@h",
                "rediss://:****@h:6379/0",
                at("h", 6379),
            ),
            ("redis://pw@h:1/?family=6", "redis://****@h:1/0", at("h", 1)),
            (
                "valkeys://u:pw@[fdaa::1]:7/1",
                "valkeys://u:****@[fdaa::1]:7/1",
                at("fdaa::1", 7),
            ),
            ("redis://u:p@w@h", "redis://u:****@h:6379/0", at("h", 6379)),
            (
                "unix:///run/redis.sock?db=2&pass=pw",
                "unix://:****@/run/redis.sock/2",
                None,
            ),
            (
                "redis+unix:///run/redis.sock",
                "unix:///run/redis.sock/0",
                None,
            ),
            (
                "rediss://u:pw@n1:7000,n2,[::1]:7002",
                "rediss://u:****@n1:7000,n2:6379,[::1]:7002/0",
                at("n1", 7000),
            ),
            (
                "redis://u:pw@mymaster/2?sentinel=s1,s2:1,[::1]&sentinel_password=spw",
                "redis://u:****@mymaster/2?sentinel=s1:26379,s2:1,[::1]:26379",
                at("s1", 26379),
            ),
        ];
        for (url, shown, address) in cases {
            assert_eq!(hint(url), (shown.to_owned(), address), "{url}");
        }
    }

    #[test]
    fn names_and_passwords_are_decoded() {
        let target = RedisTarget::parse(
            "redis://%75:p%40w@m/2?sentinel=s&sentinel_username=su&sentinel_password=s%2Fpw",
        )
        .unwrap();
        let Topology::Sentinel {
            name,
            master,
            sentinels,
        } = &target.topology
        else {
            panic!("these are sentinels");
        };
        assert_eq!(name, "m");
        let settings = |server: &ConnectionInfo| {
            let settings = server.redis_settings();
            let text = |part: Option<&str>| part.map(str::to_owned).unwrap_or_default();
            (
                text(settings.username()),
                text(settings.password()),
                settings.db(),
            )
        };
        assert_eq!(settings(master), ("u".to_owned(), "p@w".to_owned(), 2));
        assert_eq!(
            settings(&sentinels[0]),
            ("su".to_owned(), "s/pw".to_owned(), 0)
        );
        let text = target.without_secrets("with args 'p@w' 's/pw'".to_owned());
        assert_eq!(text, "with args '****' '****'");
    }

    #[test]
    fn a_password_for_the_master_is_not_shown_to_the_sentinels() {
        let target = RedisTarget::parse("redis://u:pw@m?sentinel=s").unwrap();
        let Topology::Sentinel { sentinels, .. } = &target.topology else {
            panic!("these are sentinels");
        };
        assert_eq!(sentinels[0].redis_settings().password(), None);
    }

    #[test]
    fn what_cannot_be_read_is_refused_without_a_word_of_it() {
        let cases = [
            ("", TargetError::Scheme),
            ("s3cret", TargetError::Scheme),
            ("s3cret@h:6379", TargetError::Scheme),
            ("amqp://u:s3cret@h", TargetError::Scheme),
            ("https://u:s3cret@h.upstash.io", TargetError::Rest),
            ("http://h", TargetError::Rest),
            ("redis://", TargetError::Form),
            ("redis://u:s3cret@", TargetError::Form),
            ("redis://u:s3/cret@h", TargetError::Form),
            ("redis://u:12/s3cret@h", TargetError::Form),
            ("redis://u:12#s3cret@h", TargetError::Form),
            ("redis://u:12?s3cret@h", TargetError::Form),
            ("redis://u:s3cret@h:port", TargetError::Form),
            ("redis://u:s3cret@h/zero", TargetError::Form),
            ("redis://u:s3cret@h,", TargetError::Form),
            ("redis://u:s3cret@0.0.0.0", TargetError::Form),
            ("rediss://u:s3cret@h#insecure", TargetError::Form),
            ("redis://u:s3cret@?sentinel=s", TargetError::Form),
            ("redis://u:s3cret@m?sentinel=", TargetError::Form),
            ("redis://u:s3cret@m?sentinel=s1,", TargetError::Form),
            (
                "redis://m?sentinel=s&sentinel_password=a/s3cret",
                TargetError::Form,
            ),
        ];
        for (url, expected) in cases {
            let error = RedisTarget::parse(url).unwrap_err();
            assert_eq!(error, expected, "{url}");
            assert!(!error.to_string().contains("s3cret"), "{url}");
        }
    }

    #[test]
    fn the_rest_interface_is_refused_with_what_to_set_instead() {
        let text = TargetError::Rest.to_string();
        for part in [
            "rediss://",
            "REDIS_URL",
            "UPSTASH_REDIS_URL",
            "UPSTASH_REDIS_REST_URL",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn whatever_is_around_a_password_it_is_never_shown(
            scheme in select(&["redis", "rediss", "valkey", "amqp", "https", ""]),
            [before, within, behind] in uniform3(pieces()),
        ) {
            let url = format!("{scheme}://{before}:s3cret{within}@{behind}");
            let shown = match RedisTarget::parse(&url) {
                Ok(target) => format!("{target} {target:?} {:?}", target.address_hint()),
                Err(error) => format!("{error} {error:?}"),
            };
            prop_assert!(!shown.contains("s3cret"), "{} of {}", shown, url);
        }

        #[test]
        fn any_text_is_an_address_or_none(text in "\\PC{0,60}", pieces in pieces()) {
            for url in [&text, &pieces, &format!("redis://{text}"), &format!("unix://{pieces}")] {
                if let Ok(target) = RedisTarget::parse(url) {
                    prop_assert_eq!(target.to_string(), format!("{:?}", target));
                    drop(target.address_hint());
                }
            }
        }
    }

    /// What addresses are made of, in any order.
    fn pieces() -> impl Strategy<Value = String> {
        const PIECES: [&str; 26] = [
            "u",
            "h",
            "[::1]",
            "[",
            "]",
            "0.0.0.0",
            ":",
            "@",
            "/",
            "?",
            "#",
            "&",
            "=",
            ",",
            "%",
            "%40",
            "%zz",
            "6379",
            "99999",
            "sentinel=",
            "sentinel_password=",
            "db=",
            "protocol=3",
            " ",
            "é",
            "\0",
        ];
        vec(select(&PIECES), 0..8).prop_map(|pieces| pieces.concat())
    }
}
