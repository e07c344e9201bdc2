//! `serve:` in `squall.yaml`: where the HTTP API of `squall serve` listens, and to whom.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::access::{PersonName, Role};
use crate::record;
use crate::yaml::read::FromKey;
use crate::yaml::shape::{Leaf, Shape};
use crate::yaml::tree::Node;
use crate::yaml::{Code, FromNode, Reader};

record! {
    /// The HTTP API of `squall serve`.
    pub struct ServeSpec {
        /// Where it listens: `PORT` for loopback, or `ADDRESS:PORT`. Without it there is no API; `squall serve --http` says it too.
        pub listen: Option<Listen>,
        /// Names under which browsers and proxies call the server, beside those of loopback. Requests for others are refused.
        pub hosts: Vec<HostName> = Vec::new(),
        /// Addresses of proxies that say who asks, after they have signed people on.
        pub proxies: Vec<ProxyAddress> = Vec::new(),
        /// The header in which they say it.
        pub user_header: HeaderText = HeaderText("x-forwarded-user".into()),
        /// The users that proxies may name, each with a role.
        pub users: BTreeMap<PersonName, Role> = BTreeMap::new(),
        /// So many requests a minute of one address, or of one person behind a proxy.
        pub requests_a_minute: u32 = 600,
    }
}

impl Default for ServeSpec {
    fn default() -> ServeSpec {
        ServeSpec {
            listen: None,
            hosts: Vec::new(),
            proxies: Vec::new(),
            user_header: HeaderText("x-forwarded-user".into()),
            users: BTreeMap::new(),
            requests_a_minute: 600,
        }
    }
}

/// Where a server listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen(pub SocketAddr);

impl std::str::FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Listen, String> {
        let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let address = text.parse::<u16>().map(loopback).or_else(|_| text.parse());
        address.map(Listen).map_err(|_| {
            format!("`{text}` is not a port, such as `7077`, or an address with one, such as `10.0.0.5:7077`")
        })
    }
}

/// The name of a host, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostName(pub String);

/// The address of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProxyAddress(pub IpAddr);

/// The name of a header, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderText(pub String);

/// A leaf that is read from its text, and shown as it.
macro_rules! leaf {
    ($type:ident, $leaf:expr, $help:literal, |$text:ident| $read:expr) => {
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}", self.0)
            }
        }

        impl FromNode for $type {
            fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
                let text = reader.text(node, &Self::shape())?;
                let $text: &str = &text;
                if let Some(value) = $read {
                    return Some(value);
                }
                reader.report(Code::BadValue, node.at, format!("`{text}` is not {}", $leaf.name), $help);
                None
            }

            fn shape() -> Shape {
                Shape::Leaf($leaf)
            }

            fn to_json(&self) -> serde_json::Value {
                self.to_string().into()
            }
        }
    };
}

leaf!(
    Listen,
    Leaf {
        name: "where to listen",
        json_type: "string or integer",
        pattern: r"^([0-9]{1,5}|[0-9.]+:[0-9]{1,5}|\[[0-9A-Fa-f:.]+\]:[0-9]{1,5})$",
        examples: &["7077", "10.0.0.5:7077"],
    },
    "write a port, such as `7077`, or an address with one, such as `10.0.0.5:7077`",
    |text| text.parse().ok()
);
leaf!(
    HostName,
    Leaf {
        name: "the name of a host",
        json_type: "string",
        pattern: "^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$",
        examples: &["squall.example.com"],
    },
    "write it without a scheme and a port, such as `squall.example.com`",
    |text| {
        let inner = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
        let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        let is_host =
            text.len() <= 253 && text.chars().all(inner) && edge(text.chars().next()) && edge(text.chars().last());
        is_host.then(|| HostName(text.to_ascii_lowercase()))
    }
);
leaf!(
    ProxyAddress,
    Leaf { name: "the address of a proxy", json_type: "string", pattern: "^[0-9A-Fa-f.:]+$", examples: &["10.0.0.7"] },
    "write its IP address, such as `10.0.0.7`",
    |text| text.parse().ok().map(|address: IpAddr| ProxyAddress(address.to_canonical()))
);
leaf!(
    HeaderText,
    Leaf {
        name: "the name of a header",
        json_type: "string",
        pattern: "^[A-Za-z0-9-]{1,64}$",
        examples: &["x-forwarded-user"],
    },
    "write letters, digits and hyphens, such as `x-forwarded-user`",
    |text| {
        let is_header = (1..=64).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        is_header.then(|| HeaderText(text.to_ascii_lowercase()))
    }
);

impl FromKey for PersonName {
    const LEAF: Leaf = Leaf {
        name: "the name of a user",
        json_type: "string",
        pattern: r"^[A-Za-z0-9._@+-]{1,64}$",
        examples: &["ana@example.com"],
    };

    fn from_key(text: &str) -> Result<Self, (String, String)> {
        text.parse().map_err(|help| (format!("`{text}` is not the name of a user"), help))
    }
}
