//! When an item is released: `by hand`, `10m`, `3m after the fault takes effect`, `noticed expires and cause fails`.

use std::fmt;

use super::role::ItemName;
use crate::units::Span;
use crate::yaml::shape::{Leaf, Shape};
use crate::yaml::tree::Node;
use crate::yaml::{Code, FromNode, Reader};

/// When something happens by itself, if it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// Only when the facilitator says so.
    ByHand,
    /// As soon as all of these have come.
    All(Vec<Cause>),
    /// As soon as one of these has come.
    Any(Vec<Cause>),
}

/// A moment that something waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// So long after what it counts from.
    pub after: Span,
    pub from: From,
}

/// What a moment counts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// The beginning of the scenario.
    Scenario,
    /// The first proof that the fault works.
    FaultEffective,
    /// The fault is gone from the account.
    FaultGone,
    /// Something became of an item or an expectation.
    Item(ItemName, Happened),
}

/// What becomes of an item or an expectation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happened {
    Released,
    Succeeds,
    Fails,
    /// It is over in any way but by its expiry.
    Completes,
    Expires,
}

impl Happened {
    const ALL: [Happened; 5] =
        [Happened::Released, Happened::Succeeds, Happened::Fails, Happened::Completes, Happened::Expires];

    const fn words(self) -> &'static str {
        match self {
            Happened::Released => "is released",
            Happened::Succeeds => "succeeds",
            Happened::Fails => "fails",
            Happened::Completes => "completes",
            Happened::Expires => "expires",
        }
    }
}

impl When {
    /// After a length of time in the scenario.
    pub fn after(span: Span) -> When {
        When::All(vec![Cause { after: span, from: From::Scenario }])
    }

    /// The moments that it waits for.
    pub fn causes(&self) -> &[Cause] {
        match self {
            When::ByHand => &[],
            When::All(causes) | When::Any(causes) => causes,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.from {
            From::Scenario => return write!(f, "{}", self.after),
            _ if self.after > Span::ZERO => write!(f, "{} after ", self.after)?,
            _ => {}
        }
        match &self.from {
            From::Scenario => Ok(()),
            From::FaultEffective => f.write_str("the fault takes effect"),
            From::FaultGone => f.write_str("the fault is gone"),
            From::Item(name, happened) => write!(f, "{name} {}", happened.words()),
        }
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |causes: &[Cause], word| causes.iter().map(ToString::to_string).collect::<Vec<_>>().join(word);
        match self {
            When::ByHand => f.write_str("by hand"),
            When::All(causes) => f.write_str(&joined(causes, " and ")),
            When::Any(causes) => f.write_str(&joined(causes, " or ")),
        }
    }
}

/// Why a text does not say when: the part that is wrong, in bytes, and what about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotWhen {
    pub at: (usize, usize),
    pub what: String,
}

impl std::str::FromStr for When {
    type Err = NotWhen;

    fn from_str(text: &str) -> Result<When, NotWhen> {
        let whole = (0, text.len());
        if text.trim() == "by hand" {
            return Ok(When::ByHand);
        }
        let joins = |word: &str| text.contains(word);
        let word = match (joins(" and "), joins(" or ")) {
            (true, true) => {
                return Err(NotWhen { at: whole, what: "`and` and `or` cannot be mixed".into() });
            }
            (_, true) => " or ",
            _ => " and ",
        };
        let mut causes = Vec::new();
        let mut start = 0;
        for part in text.split(word) {
            let at = (start, start + part.len());
            causes.push(cause(part.trim()).map_err(|what| NotWhen { at, what })?);
            start = at.1 + word.len();
        }
        Ok(if word == " or " { When::Any(causes) } else { When::All(causes) })
    }
}

fn cause(text: &str) -> Result<Cause, String> {
    let span = |text: &str| text.trim().parse::<Span>().map_err(|error| error.0);
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        let Some((after, from)) = text.split_once(" after ") else {
            return Ok(Cause { after: span(text)?, from: From::Scenario });
        };
        return Ok(Cause { after: span(after)?, from: moment(from.trim())? });
    }
    Ok(Cause { after: Span::ZERO, from: moment(text)? })
}

fn moment(text: &str) -> Result<From, String> {
    match text {
        "the scenario begins" => return Ok(From::Scenario),
        "the fault takes effect" => return Ok(From::FaultEffective),
        "the fault is gone" => return Ok(From::FaultGone),
        _ => {}
    }
    let found = Happened::ALL.into_iter().find_map(|happened| {
        let name = text.strip_suffix(happened.words())?;
        Some((name.trim(), happened))
    });
    let (name, happened) = found.ok_or_else(|| format!("`{text}` does not say what happens"))?;
    Ok(From::Item(name.parse::<ItemName>()?, happened))
}

const HELP: &str = "write `by hand`, `10m`, `3m after the fault takes effect`, `the fault is gone`, or a name with \
                    `is released`, `succeeds`, `fails`, `completes` or `expires`; join several with `and` or with `or`";

impl FromNode for When {
    fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = reader.text(node, &Self::shape())?;
        match text.parse() {
            Ok(when) => Some(when),
            Err(NotWhen { at, what }) => {
                let at = reader.part(node, at.0, at.1);
                reader.report(Code::Sentence, at, what, HELP);
                None
            }
        }
    }

    fn shape() -> Shape {
        Shape::Leaf(Leaf {
            name: "a moment",
            json_type: "string",
            pattern: r"\S",
            examples: &["by hand", "10m", "3m after the fault takes effect", "noticed expires"],
        })
    }

    fn to_json(&self) -> serde_json::Value {
        self.to_string().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_reads_back_as_it_is_written() {
        for text in [
            "by hand",
            "10m",
            "3m after the fault takes effect",
            "the fault is gone",
            "noticed expires and cause fails",
            "1m30s after call is released or noticed completes",
        ] {
            assert_eq!(text.parse::<When>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (text, part, what) in [
            ("5 after noticed expires", "5 after noticed expires", "`5` is not a length of time"),
            ("noticed expires and cause works", "cause works", "does not say what happens"),
            ("a fails and b fails or c fails", "a fails and b fails or c fails", "cannot be mixed"),
            ("two words fails", "two words fails", "cannot be a name"),
        ] {
            let NotWhen { at, what: said } = text.parse::<When>().unwrap_err();
            assert_eq!(&text[at.0..at.1], part);
            assert!(said.contains(what), "{said}");
        }
    }
}
