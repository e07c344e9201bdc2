//! The document in the parameter: JSON, versioned and read strictly. A document that is not understood in every part counts as
//! none, so that no order works in another way than its author wrote it.
//!
//! `{"version": 1, "ID": {"run": .., "until": .., "fault": {..}}, ..}`: each key beside `version` is an order.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};

use crate::terms;

/// The one version that this layer reads.
pub const VERSION: u64 = 1;

/// SSM's limit on an advanced parameter, in bytes. Nothing longer is read.
pub const LONGEST: usize = 8 << 10;

/// A document has at most so many orders.
pub const MOST_ORDERS: usize = 16;

/// The longest delay that an order may ask for, in milliseconds: Lambda's longest time-out.
pub const LONGEST_DELAY: u64 = terms::LONGEST_DELAY_MS as u64;

/// The orders in a parameter, by id.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document(pub BTreeMap<Name, Order>);

/// Letters, digits, `.`, `_` and `-`, at most 64: what goes into logs and metrics from an order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(String);

/// One order.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// The run of squall that gave it.
    pub run: Name,
    /// When it ends, in milliseconds since 1970.
    #[serde(deserialize_with = "until")]
    pub until: i64,
    /// The share of requests that it hits: over 0, up to 1.
    #[serde(default = "all", deserialize_with = "share")]
    pub share: f64,
    /// Which requests these are follows from it.
    #[serde(default)]
    pub seed: u64,
    /// Only events of which all of this is true.
    #[serde(default, rename = "match", deserialize_with = "conditions")]
    pub conditions: Vec<Condition>,
    /// What it does.
    pub fault: Fault,
}

/// What must be true of an event.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// Keys and indexes, joined with dots: `requestContext.http.path`. After `headers` the case of letters does not count.
    #[serde(deserialize_with = "text::<256, _>")]
    pub path: String,
    /// What the value there must be.
    pub is: Test,
}

/// What a value in an event must be.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Test {
    /// This text, or a number, `true`, `false` or `null` that is written so.
    Equals(#[serde(deserialize_with = "text::<256, _>")] String),
    /// A text that begins so.
    StartsWith(#[serde(deserialize_with = "text::<256, _>")] String),
    /// There, or absent.
    Exists(bool),
}

/// A kind of fault.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The invocation, or its response, comes later.
    Latency(Latency),
    /// The invocation fails.
    Error(Failed),
    /// The invocation has another response.
    Response(Response),
    /// The response comes at the deadline.
    Hang(Hang),
}

/// Before or after the handler.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// Before the handler; an error or a response means that it does not run.
    #[default]
    Before,
    /// After the handler has answered.
    After,
}

/// A delay of invocations.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// Before or after the handler.
    #[serde(default)]
    pub when: When,
    /// How long.
    pub delay: Delay,
    /// Once, or for each record of a batch.
    #[serde(default)]
    pub per: Per,
}

/// How long a delay is. All in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Delay {
    /// Always the same.
    Fixed {
        /// How long.
        ms: Millis,
    },
    /// Every length alike.
    Uniform {
        /// The shortest.
        from_ms: Millis,
        /// The longest.
        to_ms: Millis,
    },
    /// Mostly about the median, sometimes far longer.
    Lognormal {
        /// Half of the delays are shorter.
        median_ms: Millis,
        /// The deviation of the logarithm, up to 3.
        sigma: Sigma,
    },
}

/// A number of milliseconds up to [`LONGEST_DELAY`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Millis(pub u64);

/// The deviation of a delay's logarithm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sigma(pub f64);

/// What a delay is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// The invocation.
    #[default]
    Invocation,
    /// Each of the event's `Records`; the delays add up.
    Record,
}

/// An error in place of a response.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failed {
    /// Before or after the handler.
    #[serde(default)]
    pub when: When,
    /// The type of the error, as the function's callers see it.
    #[serde(default = "injected", rename = "type")]
    pub kind: Name,
    /// Its message.
    #[serde(deserialize_with = "text::<1024, _>")]
    pub message: String,
}

/// Another response.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Response {
    /// Before or after the handler.
    #[serde(default)]
    pub when: When,
    /// What there is instead.
    pub with: With,
}

/// What there is instead of the handler's response.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum With {
    /// This body.
    Body(#[serde(deserialize_with = "text::<{ terms::LONGEST_BODY }, _>")] String),
    /// A response with this status, in the form of API Gateway and function URLs.
    Status(#[serde(deserialize_with = "status")] u16),
    /// So many bytes of the handler's response and no more.
    Truncated(u64),
}

/// A response at the deadline.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hang {
    /// On which side of it.
    pub answer: Answer,
}

/// On which side of the deadline a response comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Just before it, so that the invocation succeeds.
    BeforeDeadline,
    /// Past it, so that the invocation times out.
    PastDeadline,
}

impl Document {
    /// Reads the text of a parameter. The error says what is wrong and where.
    pub fn read(text: &str) -> Result<Document, String> {
        if text.len() > LONGEST {
            return Err(format!("{} bytes are more than {LONGEST}", text.len()));
        }
        let document: Document = serde_json::from_str(text).map_err(|error| error.to_string())?;
        document.0.iter().try_for_each(|(id, order)| order.check().map_err(|why| format!("order {id}: {why}")))?;
        Ok(document)
    }
}

impl Order {
    /// What the types cannot say.
    fn check(&self) -> Result<(), &'static str> {
        match &self.fault {
            Fault::Latency(Latency { delay: Delay::Uniform { from_ms, to_ms }, .. }) if from_ms > to_ms => {
                Err("`from_ms` is more than `to_ms`")
            }
            Fault::Response(Response { when: When::Before, with: With::Truncated(_) }) => {
                Err("only the handler's response can be truncated; write `\"when\": \"after\"`")
            }
            _ => Ok(()),
        }
    }

    /// Whether it must see the event.
    pub fn needs_event(&self) -> bool {
        let per_record = matches!(&self.fault, Fault::Latency(latency) if latency.per == Per::Record);
        per_record || !self.conditions.is_empty()
    }
}

impl Fault {
    /// The kind, as documents write it.
    pub fn kind(&self) -> &'static str {
        match self {
            Fault::Latency(_) => "latency",
            Fault::Error(_) => "error",
            Fault::Response(_) => "response",
            Fault::Hang(_) => "hang",
        }
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Document, D::Error> {
        struct Orders;
        impl<'de> Visitor<'de> for Orders {
            type Value = Document;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with `version` and orders")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Document, M::Error> {
                let (mut version, mut orders, mut keys) = (None, BTreeMap::new(), 0);
                while let Some(key) = map.next_key::<Name>()? {
                    keys += 1;
                    if key.0 == "version" {
                        let said = map.next_value::<u64>()?;
                        if said != VERSION || version.replace(said).is_some() {
                            return Err(de::Error::custom(format!("this layer reads version {VERSION}, written once")));
                        }
                    } else if orders.len() == MOST_ORDERS || orders.insert(key.clone(), map.next_value()?).is_some() {
                        return Err(de::Error::custom(format!("order {key} is a duplicate, or one of too many")));
                    }
                }
                // `{}` is a parameter that waits for its first order.
                if version.is_none() && keys > 0 {
                    return Err(de::Error::missing_field("version"));
                }
                Ok(Document(orders))
            }
        }
        deserializer.deserialize_map(Orders)
    }
}

impl Name {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Name, D::Error> {
        let name = text::<64, _>(deserializer)?;
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        match !name.is_empty() && name.bytes().all(fits) {
            true => Ok(Name(name)),
            false => Err(de::Error::custom("a name has letters, digits, `.`, `_` and `-`")),
        }
    }
}

impl<'de> Deserialize<'de> for Millis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Millis, D::Error> {
        let millis = u64::deserialize(deserializer)?;
        let fits = millis <= LONGEST_DELAY;
        fits.then_some(Millis(millis))
            .ok_or_else(|| de::Error::custom(format!("a delay is at most {LONGEST_DELAY} ms")))
    }
}

impl<'de> Deserialize<'de> for Sigma {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Sigma, D::Error> {
        let sigma = f64::deserialize(deserializer)?;
        (0.0..=3.0).contains(&sigma).then_some(Sigma(sigma)).ok_or_else(|| de::Error::custom("`sigma` is from 0 to 3"))
    }
}

fn all() -> f64 {
    1.0
}

fn injected() -> Name {
    Name("Injected".into())
}

fn until<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let text = String::deserialize(deserializer)?;
    crate::date::rfc3339(&text).ok_or_else(|| de::Error::custom("`until` is written like 2026-11-28T08:25:00Z"))
}

fn share<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let share = f64::deserialize(deserializer)?;
    (share > 0.0 && share <= 1.0).then_some(share).ok_or_else(|| de::Error::custom("a share is over 0 and up to 1"))
}

fn conditions<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Condition>, D::Error> {
    let conditions = Vec::deserialize(deserializer)?;
    (conditions.len() <= 8).then_some(conditions).ok_or_else(|| de::Error::custom("`match` has at most 8 conditions"))
}

fn status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    let status = u16::deserialize(deserializer)?;
    (200..=599).contains(&status).then_some(status).ok_or_else(|| de::Error::custom("a status is from 200 to 599"))
}

fn text<'de, const LONGEST: usize, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    let fits = text.len() <= LONGEST;
    fits.then_some(text).ok_or_else(|| de::Error::custom(format!("a text here has at most {LONGEST} bytes")))
}
