//! `[server]`: listeners, and how much they take.

use serde::{Deserialize, Serialize};

/// `[server]`: listeners and sockets.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerConfig {
    /// Address and port for visitors and integrators. Port 0 takes a free one. TLS is the business
    /// of a proxy in front.
    pub bind: String,
    /// Address and port for operators: metrics and sessions. Keep it on loopback.
    pub admin_bind: String,
    /// Origins (`https://chat.example`) under which a proxy serves this server, for its own page.
    pub public_origins: Vec<String>,
    /// Addresses and networks of proxies whose word counts on where a request comes from
    /// (`10.0.0.7`, `10.0.0.0/8`). Everybody else could claim any address.
    pub trusted_proxies: Vec<String>,
    /// The header in which they say it. The other one is never read: a proxy passes on what a
    /// client wrote there.
    pub forwarded_header: ForwardedHeader,
    /// Visitors connected at the same time, by sockets and by answers that are streamed over HTTP;
    /// one more is refused.
    pub max_sockets: usize,
    /// Connections that one visitor may have at the same time, by sockets and by answers that are
    /// streamed over HTTP; one more is refused.
    pub sockets_per_visitor: usize,
    /// HTTP connections at the same time beside the sockets, idle ones too; one more is refused.
    pub max_connections: usize,
    /// Seconds that a client has for the head of a request, between two pieces of its body, and to
    /// take a piece of a response; an idle connection is closed after as long.
    pub request_timeout_s: u64,
    /// Seconds a new socket has for its `hello`.
    pub hello_timeout_s: u64,
    /// Seconds between pings.
    pub ping_s: u64,
    /// Seconds without any sign of life after which a socket is given up.
    pub dead_s: u64,
    /// Seconds that running answers have to end at shutdown; what isn't done by then is
    /// checkpointed and goes on after the next start.
    pub drain_s: u64,
}

/// See [`ServerConfig::forwarded_header`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardedHeader {
    /// What most proxies write.
    XForwardedFor,
    /// RFC 7239.
    Forwarded,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            bind: "127.0.0.1:8080".into(),
            admin_bind: "127.0.0.1:9080".into(),
            public_origins: Vec::new(),
            trusted_proxies: vec!["127.0.0.0/8".into(), "::1/128".into()],
            forwarded_header: ForwardedHeader::XForwardedFor,
            max_sockets: 20_000,
            sockets_per_visitor: 16,
            max_connections: 1_024,
            request_timeout_s: 30,
            hello_timeout_s: 5,
            ping_s: 20,
            dead_s: 45,
            drain_s: 20,
        }
    }
}
