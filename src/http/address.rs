//! Where a request comes from, when proxies stand before the server.
//!
//! Each proxy adds the address that it was called from at the end of a header. So the header is
//! read from its end, and the first address that isn't a trusted proxy's is the client's: whatever
//! stands before it, the client may have written itself.

use std::net::{IpAddr, SocketAddr};

use anyhow::Context as _;
use axum::http::{HeaderMap, HeaderName, header};
use ipnet::IpNet;

use crate::http::limits::{ForwardedHeader, ServerConfig};

/// Entries of a header that are looked at; nobody has more proxies in a row.
const MAX_HOPS: usize = 32;

/// Which proxies are believed, and what they write. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Proxies {
    trusted: Vec<IpNet>,
    header: ForwardedHeader,
}

impl Proxies {
    /// # Errors
    /// When an entry of `server.trusted_proxies` is neither an address nor a network.
    pub fn new(config: &ServerConfig) -> anyhow::Result<Self> {
        let network = |text: &String| {
            let network =
                text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
            network.with_context(|| {
                format!("server.trusted_proxies: {text:?} is no address or network; write 10.0.0.7 or 10.0.0.0/8")
            })
        };
        let trusted = config.trusted_proxies.iter().map(network).collect::<Result<_, _>>()?;
        Ok(Self { trusted, header: config.forwarded_header })
    }

    /// The address of the client.
    #[must_use]
    pub fn client(&self, peer: SocketAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.ip().to_canonical();
        if !self.trusts(client) {
            return client;
        }
        let name = match self.header {
            ForwardedHeader::XForwardedFor => HeaderName::from_static("x-forwarded-for"),
            ForwardedHeader::Forwarded => header::FORWARDED,
        };
        let lines: Vec<&str> =
            headers.get_all(name).iter().map(|line| line.to_str().unwrap_or_default()).collect();
        let entries = lines.iter().rev().flat_map(|line| split(line, ',').into_iter().rev());
        for entry in entries.take(MAX_HOPS) {
            let address = match self.header {
                ForwardedHeader::XForwardedFor => address(entry),
                ForwardedHeader::Forwarded => split(entry, ';').into_iter().find_map(|pair| {
                    let (name, value) = pair.split_once('=')?;
                    name.trim().eq_ignore_ascii_case("for").then(|| address(value)).flatten()
                }),
            };
            // A proxy that doesn't say for whom it speaks speaks for itself.
            let Some(address) = address else { return client };
            client = address;
            if !self.trusts(client) {
                return client;
            }
        }
        client
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(&address))
    }
}

/// The parts between separators that don't stand in quotes.
fn split(text: &str, separator: char) -> Vec<&str> {
    let mut quoted = false;
    let is_separator = |char: char| {
        quoted ^= char == '"';
        char == separator && !quoted
    };
    text.split(is_separator).map(str::trim).collect()
}

/// `192.0.2.7`, `192.0.2.7:4711`, `2001:db8::7`, `[2001:db8::7]`, `[2001:db8::7]:4711`, each also
/// in quotes.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"').trim();
    let bare = || text.parse::<IpAddr>().ok();
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<IpAddr>().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    bare().or_else(bracketed).or_else(with_port).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(header: ForwardedHeader, peer: &str, lines: &[&str], expected: &str) {
        let trusted = ["127.0.0.0/8", "::1", "10.0.0.0/8", "2001:db8:ff::/48"].map(str::to_owned);
        let config = ServerConfig {
            trusted_proxies: trusted.into(),
            forwarded_header: header,
            ..ServerConfig::default()
        };
        let mut headers = HeaderMap::new();
        let name =
            if header == ForwardedHeader::Forwarded { "forwarded" } else { "x-forwarded-for" };
        for line in lines {
            headers.append(name, line.parse().unwrap());
        }
        // The one that isn't asked for is never believed.
        let other =
            if header == ForwardedHeader::Forwarded { "x-forwarded-for" } else { "forwarded" };
        headers.append(other, "for=203.0.113.66, 203.0.113.66".parse().unwrap());
        let found = Proxies::new(&config).unwrap().client(peer.parse().unwrap(), &headers);
        assert_eq!(found, expected.parse::<IpAddr>().unwrap(), "{peer} {lines:?}");
    }

    #[test]
    fn the_last_address_that_is_no_proxy_s_counts() {
        let check = |peer, lines: &[&str], expected| {
            check(ForwardedHeader::XForwardedFor, peer, lines, expected)
        };
        check("192.0.2.7:9", &["203.0.113.1"], "192.0.2.7");
        check("127.0.0.1:9", &[], "127.0.0.1");
        check("127.0.0.1:9", &["203.0.113.1"], "203.0.113.1");
        check("[::1]:9", &["203.0.113.1"], "203.0.113.1");
        check("[::ffff:127.0.0.1]:9", &["203.0.113.1"], "203.0.113.1");
        // What stands before it, a client wrote.
        check("127.0.0.1:9", &["6.6.6.6, 203.0.113.1"], "203.0.113.1");
        check("127.0.0.1:9", &["6.6.6.6", "203.0.113.1"], "203.0.113.1");
        check("127.0.0.1:9", &["127.0.0.1, 203.0.113.1"], "203.0.113.1");
        // Through two proxies, and from a proxy itself.
        check("127.0.0.1:9", &["6.6.6.6, 203.0.113.1, 10.1.2.3"], "203.0.113.1");
        check("127.0.0.1:9", &["203.0.113.1", "10.1.2.3, 10.1.2.4"], "203.0.113.1");
        check("127.0.0.1:9", &["10.1.2.3"], "10.1.2.3");
        // With ports, in brackets, in quotes.
        check("127.0.0.1:9", &["203.0.113.1:4711"], "203.0.113.1");
        check("127.0.0.1:9", &["2001:db8::7"], "2001:db8::7");
        check("127.0.0.1:9", &["[2001:db8::7]"], "2001:db8::7");
        check("127.0.0.1:9", &["6.6.6.6,[2001:db8::7]:4711 ,2001:db8:ff::1"], "2001:db8::7");
        check("127.0.0.1:9", &["\"[2001:db8::7]:4711\""], "2001:db8::7");
        check("127.0.0.1:9", &["::ffff:203.0.113.1"], "203.0.113.1");
        // Nonsense ends the way back: it is the last proxy who is known.
        check("127.0.0.1:9", &["nonsense"], "127.0.0.1");
        check("127.0.0.1:9", &["203.0.113.1, unknown, 10.1.2.3"], "10.1.2.3");
        check("127.0.0.1:9", &["203.0.113.1,"], "127.0.0.1");
        check("127.0.0.1:9", &[&"10.1.2.3,".repeat(5_000)], "127.0.0.1");
    }

    #[test]
    fn forwarded_is_read_as_rfc_7239_has_it() {
        let check = |lines: &[&str], expected| {
            check(ForwardedHeader::Forwarded, "127.0.0.1:9", lines, expected)
        };
        check(&["for=192.0.2.60;proto=http;by=203.0.113.43"], "192.0.2.60");
        check(&["For=\"[2001:db8:cafe::17]:4711\""], "2001:db8:cafe::17");
        check(&["for=6.6.6.6, FOR=198.51.100.17;host=\"a,b;for=1.1.1.1\""], "198.51.100.17");
        check(&["for=198.51.100.17", "proto=https;for=10.0.0.1"], "198.51.100.17");
        check(&["for=\"198.51.100.17:80\""], "198.51.100.17");
        check(&["for=_hidden"], "127.0.0.1");
        check(&["for=unknown, for=10.0.0.1"], "10.0.0.1");
        check(&["proto=https"], "127.0.0.1");
    }

    #[test]
    fn a_network_that_is_none_is_named() {
        let config =
            ServerConfig { trusted_proxies: vec!["10.0.0.0/40".into()], ..ServerConfig::default() };
        assert!(Proxies::new(&config).unwrap_err().to_string().contains("10.0.0.0/40"));
    }
}
