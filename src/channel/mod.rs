//! `notifications:` in `squall.yaml`, and `notify:` of schedules.

pub mod address;

use std::collections::BTreeMap;

use serde::Serialize;

use self::address::InnerAddress;
use crate::units::Span;
use crate::yaml::leaf::{name, name_leaf};
use crate::yaml::read::FromKey;
use crate::yaml::shape::Leaf;
use crate::{choice, record, words};

/// How much a message matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Info,
    Warning,
    Alert,
}

words! {
    /// How much a message matters.
    Level {
        /// Everything: before, start, end, rolled back, no run.
        Info as "info",
        /// What a person should look at: broken, unknown, failed.
        Warning as "warning",
        /// Something was left changed.
        Alert as "alert",
    }
}

/// The name of a channel: its key in `notifications: channels:`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChannelName(pub String);

impl FromKey for ChannelName {
    const LEAF: Leaf = name_leaf("the name of a channel", &["ops"]);

    fn from_key(text: &str) -> Result<Self, (String, String)> {
        name(text).map(|()| ChannelName(text.to_owned()))
    }
}

record! {
    /// Where messages about scheduled runs go.
    pub struct Notifications {
        /// The channels, by names that `notify` uses.
        pub channels: BTreeMap<ChannelName, Channel> = BTreeMap::new(),
        /// Which channels every schedule tells, each from which level on. A schedule's own `notify` is used in place of it.
        pub notify: BTreeMap<ChannelName, Level> = BTreeMap::new(),
        /// So long before a run its message goes out. Without it, there is none.
        pub announce: Option<Span>,
        /// Private, loopback and link-local addresses that channels may be at. Without a listing, channels are on the internet.
        pub addresses: Vec<InnerAddress> = Vec::new(),
    }
}

#[expect(clippy::derivable_impls, reason = "`record!` takes no derives")]
impl Default for Notifications {
    fn default() -> Notifications {
        Notifications { channels: BTreeMap::new(), notify: BTreeMap::new(), announce: None, addresses: Vec::new() }
    }
}

choice! {
    /// A channel, by its kind.
    pub enum Channel {
        /// A webhook of Slack, or of what takes the same: Mattermost, Discord with `/slack`, Google Chat by a relay.
        Slack(SlackChannel) as "slack",
        /// A webhook of your own. Each message is signed.
        Webhook(WebhookChannel) as "webhook",
    }
}

record! {
    /// A Slack-compatible webhook. Its address is a secret.
    pub struct SlackChannel {
        /// The variable of the environment that has the address.
        pub url_from_env: String,
    }
}

record! {
    /// A webhook that gets messages as JSON, with an HMAC of SHA-256.
    pub struct WebhookChannel {
        /// The variable of the environment that has the address.
        pub url_from_env: String,
        /// The variable of the environment that has the key of the signature.
        pub key_from_env: String,
    }
}
