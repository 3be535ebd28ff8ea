//! What a network address counts as: where something is limited by it, and where a request may go.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// IPv4 by itself, IPv6 by its first 64 bits: one household has all of the rest. An IPv4 address in
/// IPv6's clothes is IPv4.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address @ IpAddr::V4(_) => address,
    }
}

/// Whether a text is an origin of web pages as browsers write it (RFC 6454, section 6.2): scheme,
/// host in lower case, and a port if it isn't the scheme's own.
#[must_use]
pub fn is_origin(text: &str) -> bool {
    let (rest, own) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
        (Some(rest), _) => (rest, 443),
        (_, Some(rest)) => (rest, 80),
        _ => return false,
    };
    let ipv6 = rest.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let (host_is_sound, port) = match ipv6 {
        Some((host, port)) => {
            (host.parse::<Ipv6Addr>().is_ok_and(|address| address.to_string() == host), port)
        }
        None => {
            let end = rest.find(':').unwrap_or(rest.len());
            let (host, port) = rest.split_at(end);
            let sound = |b: u8| {
                b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.' | b'_')
            };
            (!host.is_empty() && host.bytes().all(sound), port)
        }
    };
    let port_is_sound = port.is_empty()
        || port.strip_prefix(':').is_some_and(|digits| {
            digits.parse::<u16>().is_ok_and(|port| port != own && port.to_string() == digits)
        });
    host_is_sound && port_is_sound
}

/// Whether an address is one of the open internet: not this machine's, not a private network's, and
/// no special one.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_unspecified()
        || address.is_multicast()
        || address.is_broadcast()
        || address.is_documentation()
        || a == 0
        || a >= 240
        // Shared by carriers (RFC 6598), protocol assignments (RFC 6890), benchmarks (RFC 2544).
        || a == 100 && (64..128).contains(&b)
        || a == 192 && b == 0 && c == 0
        || a == 198 && (18..20).contains(&b))
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    // Addresses that stand for an IPv4 one: mapped, translated (RFC 6052) and 6to4 (RFC 3056).
    let [first, second, third, .., high, low] = address.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    if let Some(mapped) = address.to_ipv4_mapped() {
        return is_public_v4(mapped);
    }
    if first == 0x64 && second == 0xff9b {
        return is_public_v4(v4(high, low));
    }
    if first == 0x2002 {
        return is_public_v4(v4(second, third));
    }
    // Only 2000::/3 is given out; of it, 2001:db8::/32 is for documents and 2001::/23 for
    // protocols.
    (first & 0xe000) == 0x2000 && !(first == 0x2001 && (second == 0xdb8 || second < 0x200))
}

/// Why a host isn't called.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    #[error(
        "{host} resolves to {address}, which is no public address; set allow_private for a server of your own network"
    )]
    Private { host: String, address: IpAddr },
    #[error("{host} can't be resolved: {reason}")]
    Unresolved { host: String, reason: String },
}

/// The addresses of a host, none of them private unless that is allowed. Whoever connects must use
/// these: a name may resolve to something else a moment later.
///
/// # Errors
/// See [`ResolveError`].
pub async fn resolve(
    host: &str,
    port: u16,
    allow_private: bool,
) -> Result<Vec<SocketAddr>, ResolveError> {
    let unresolved = |reason: String| ResolveError::Unresolved { host: host.to_owned(), reason };
    // An IPv6 address stands in brackets in a URL.
    let bare = host.trim_matches(['[', ']']);
    let found = tokio::net::lookup_host((bare, port))
        .await
        .map_err(|error| unresolved(error.to_string()))?;
    let found: Vec<SocketAddr> = found.collect();
    if found.is_empty() {
        return Err(unresolved("it has no address".into()));
    }
    match found.iter().find(|address| !allow_private && !is_public(address.ip())) {
        Some(private) => {
            Err(ResolveError::Private { host: host.to_owned(), address: private.ip() })
        }
        None => Ok(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_as_browsers_write_it() {
        for good in [
            "https://shop.example",
            "http://127.0.0.1:8080",
            "https://[2001:db8::1]:8443",
            "http://localhost",
        ] {
            assert!(is_origin(good), "{good}");
        }
        for bad in [
            "shop.example",
            "*",
            "https://",
            "https://shop.example/",
            "https://Shop.example",
            "https://shop.example:443",
            "https://shop.example:0443",
            "https://shop.example:99999",
            "https://user@shop.example",
            "https://*.shop.example",
            "https://[2001:db8::1",
            "ftp://shop.example",
        ] {
            assert!(!is_origin(bad), "{bad}");
        }
    }

    #[test]
    fn a_household_counts_once() {
        let check = |address: &str, expected: &str| {
            assert_eq!(network(address.parse().unwrap()), expected.parse::<IpAddr>().unwrap());
        };
        check("192.0.2.7", "192.0.2.7");
        check("::ffff:192.0.2.7", "192.0.2.7");
        check("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::");
        check("2001:db8:1:2::", "2001:db8:1:2::");
    }

    #[test]
    fn addresses_of_this_machine_and_of_private_networks_are_not_public() {
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "192.0.0.8",
            "198.18.0.1",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:db8::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in
            ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]
        {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }
}
