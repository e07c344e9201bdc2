//! Which addresses a notification may be sent to. A channel's name may resolve to anything, so what is checked is the address that
//! is connected to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::yaml::shape::{Leaf, Shape};
use crate::yaml::tree::Node;
use crate::yaml::{Code, FromNode, Reader};

/// An address, or a block of them, that channels may be at although it is not on the internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InnerAddress {
    net: IpAddr,
    bits: u8,
}

impl std::str::FromStr for InnerAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<InnerAddress, String> {
        let wrong = || format!("`{text}` is not an address or a block of them, such as `10.0.0.0/8`");
        let (net, bits) = match text.split_once('/') {
            Some((net, bits)) => (net, Some(bits)),
            None => (text, None),
        };
        let net: IpAddr = net.parse().map_err(|_| wrong())?;
        let most = if net.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), |bits| bits.parse().map_err(|_| wrong()))?;
        if bits > most { Err(wrong()) } else { Ok(InnerAddress { net, bits }) }
    }
}

impl std::fmt::Display for InnerAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.net, self.bits)
    }
}

impl InnerAddress {
    fn has(self, address: IpAddr) -> bool {
        match (self.net, address) {
            (IpAddr::V4(net), IpAddr::V4(address)) => {
                let shift = 32 - u32::from(self.bits);
                net.to_bits().checked_shr(shift).unwrap_or(0) == address.to_bits().checked_shr(shift).unwrap_or(0)
            }
            (IpAddr::V6(net), IpAddr::V6(address)) => {
                let shift = 128 - u32::from(self.bits);
                net.to_bits().checked_shr(shift).unwrap_or(0) == address.to_bits().checked_shr(shift).unwrap_or(0)
            }
            _ => false,
        }
    }
}

/// Whether an address may be called: it is on the internet, or listed.
pub fn may_be_called(address: IpAddr, listed: &[InnerAddress]) -> bool {
    let address = address.to_canonical();
    listed.iter().any(|block| block.has(address)) || is_public(address)
}

/// Whether an address is one of the internet
/// (<https://www.iana.org/assignments/iana-ipv4-special-registry>, <https://www.iana.org/assignments/iana-ipv6-special-registry>).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = a == 0
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (b == 18 || b == 19))
        || a >= 224;
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    match segments {
        // An IPv4 address within: translated (RFC 6052), or 6to4.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            is_public_v4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
        }
        // Global unicast without Teredo, documentation and benchmarks.
        [0x2001, second, ..] => second != 0 && second != 0xdb8 && second != 2,
        [first, ..] => (0x2000..0x4000).contains(&first) && first != 0x3fff,
    }
}

impl FromNode for InnerAddress {
    fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = reader.text(node, &Self::shape())?;
        if let Ok(address) = text.parse() {
            return Some(address);
        }
        let what = format!("`{text}` is not an address");
        reader.report(Code::BadValue, node.at, what, "write an IP address or a block of them, such as `10.0.0.0/8`");
        None
    }

    fn shape() -> Shape {
        Shape::Leaf(Leaf {
            name: "an address or a block of them",
            json_type: "string",
            pattern: r"^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$",
            examples: &["10.0.0.0/8"],
        })
    }

    fn to_json(&self) -> serde_json::Value {
        self.to_string().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may(address: &str, listed: &[&str]) -> bool {
        let listed: Vec<InnerAddress> = listed.iter().map(|block| block.parse().unwrap()).collect();
        may_be_called(address.parse().unwrap(), &listed)
    }

    #[test]
    fn only_the_internet_is_called_unless_an_address_is_listed() {
        for address in ["1.1.1.1", "44.0.0.1", "2606:4700::1111", "100.128.0.1", "172.32.0.1", "64:ff9b::101:101"] {
            assert!(may(address, &[]), "{address}");
        }
        for address in [
            "169.254.169.254",
            "127.0.0.1",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "0.0.0.0",
            "100.64.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "192.0.0.8",
            "198.18.0.1",
            "::1",
            "::",
            "fd00:ec2::254",
            "fe80::1",
            "ff02::1",
            "::ffff:169.254.169.254",
            "::ffff:10.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "2001:db8::1",
            "2001::1",
            "3fff::1",
            "::127.0.0.1",
        ] {
            assert!(!may(address, &[]), "{address}");
        }
        assert!(may("10.1.2.3", &["10.0.0.0/8"]) && !may("172.16.2.3", &["172.17.0.0/16", "172.16.2.4"]));
        assert!(
            may("::ffff:10.1.2.3", &["10.1.2.3"]) && may("fd00::7", &["fd00::/16"]) && !may("fd01::7", &["fd00::/16"])
        );
        assert!(may("127.0.0.1", &["0.0.0.0/0"]) && !may("::1", &["0.0.0.0/0"]));
    }

    #[test]
    fn blocks_are_written_as_usual() {
        for text in ["", "10.0.0.0/33", "10.0.0/8", "fd00::/129", "x", "10.0.0.0/-1", "10.0.0.0/"] {
            assert!(text.parse::<InnerAddress>().is_err(), "{text}");
        }
    }
}
