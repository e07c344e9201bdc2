//! Inputs of experiments: values that are chosen for a run, each with a type and bounds.
//!
//! Invariant: an input is a whole value of its own type. `{ input: NAME }` takes the place of a number, a duration, a share or a
//! word, and never of a text: no value gets into a command, an address, a path or a body.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::units::{Share, Span};
use crate::yaml::finding::{Code, Finding, Findings};
use crate::yaml::leaf::{name, name_leaf};
use crate::yaml::read::{FromKey, Loaded, closest};
use crate::yaml::shape::{Leaf, Shape, listed};
use crate::yaml::source::{Place, Source};
use crate::yaml::tree::{InputKind, InputValue, Kind, Node};
use crate::yaml::{FromNode, Reader};
use crate::{choice, record};

/// The name of an input.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InputName(pub String);

impl FromKey for InputName {
    const LEAF: Leaf = name_leaf("an input name", &["concurrency"]);

    fn from_key(text: &str) -> Result<Self, (String, String)> {
        name(text).map(|()| InputName(text.to_owned()))
    }
}

choice! {
    /// A value that is chosen for each run. It is used with `{ input: NAME }` in the place of a whole value of its type.
    pub enum Input {
        /// A whole number.
        WholeNumber(WholeNumber) as "whole_number",
        /// A duration.
        Duration(DurationInput) as "duration",
        /// A share.
        Share(ShareInput) as "share",
        /// One of these words.
        OneOf(OneOfInput) as "one_of",
    }
}

record! {
    /// A whole number with its bounds.
    pub struct WholeNumber {
        /// The smallest value that may be chosen.
        pub from: u32,
        /// The largest.
        pub to: u32,
        /// The value when none is chosen. Without a default, each run must choose one.
        pub default: Option<u32>,
    }
}

record! {
    /// A duration with its bounds.
    pub struct DurationInput {
        /// The shortest that may be chosen.
        pub from: Span,
        /// The longest.
        pub to: Span,
        /// The value when none is chosen. Without a default, each run must choose one.
        pub default: Option<Span>,
    }
}

record! {
    /// A share with its bounds.
    pub struct ShareInput {
        /// The smallest that may be chosen.
        pub from: Share,
        /// The largest.
        pub to: Share,
        /// The value when none is chosen. Without a default, each run must choose one.
        pub default: Option<Share>,
    }
}

record! {
    /// A choice between words.
    pub struct OneOfInput {
        /// The words that may be chosen.
        pub words: Vec<String>,
        /// The word when none is chosen. Without a default, each run must choose one.
        pub default: Option<String>,
    }
}

/// A value that is chosen for an input, as it was written: `concurrency=5`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Given {
    pub name: String,
    pub value: String,
}

impl FromStr for Given {
    type Err = String;

    fn from_str(text: &str) -> Result<Given, String> {
        match text.split_once('=') {
            Some((name, value)) => Ok(Given { name: name.trim().to_owned(), value: value.trim().to_owned() }),
            None => Err("write NAME=VALUE, such as `concurrency=5`".into()),
        }
    }
}

impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.value)
    }
}

/// The value of an input in a schedule: its type is that of the experiment's input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WithValue(pub String);

impl FromNode for WithValue {
    fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        reader.text(node, &Self::shape()).map(|text| WithValue(text.into_owned()))
    }

    fn shape() -> Shape {
        Shape::Leaf(Leaf {
            name: "a value of the input's type",
            json_type: "string or integer",
            pattern: "",
            examples: &["5", "10m", "50 %"],
        })
    }
}

/// The values that a mapping has for inputs, in the order of their names.
pub fn given(with: &BTreeMap<InputName, WithValue>) -> Vec<Given> {
    with.iter().map(|(name, value)| Given { name: name.0.clone(), value: value.0.clone() }).collect()
}

/// The values of both; of an input that both have, the second one's.
pub fn over(below: &[Given], above: &[Given]) -> Vec<Given> {
    let covered = |given: &&Given| above.iter().any(|other| other.name == given.name);
    below.iter().filter(|given| !covered(given)).chain(above).cloned().collect()
}

/// A typed value.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    Whole(u32),
    Duration(Span),
    Share(Share),
    Word(String),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Whole(number) => number.fmt(f),
            Value::Duration(span) => span.fmt(f),
            Value::Share(share) => share.fmt(f),
            Value::Word(word) => f.write_str(word),
        }
    }
}

/// The inputs that an experiment declares.
pub type Inputs = BTreeMap<InputName, Input>;

/// What is wrong with the values that are chosen for inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub code: Code,
    pub about: About,
    pub what: String,
    pub help: String,
}

/// What a problem is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// The name of a value that is given.
    Name(String),
    /// The value that is given for this name.
    Value(String),
    /// An input without a value.
    Missing(String),
}

/// Which values inputs have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chosen<'a> {
    /// None is chosen yet, as in `squall check`: an input without a default has its smallest value or its first word.
    Nothing,
    /// These, for a run.
    These(&'a [Given]),
}

impl<'a> Chosen<'a> {
    fn given(self) -> &'a [Given] {
        match self {
            Chosen::Nothing => &[],
            Chosen::These(given) => given,
        }
    }
}

impl Input {
    /// Reads a value; the error says what is wrong and what to write.
    fn read(&self, name: &str, text: &str) -> Result<Value, (String, String)> {
        let wrong = |kind: &str, from: &dyn fmt::Display, to: &dyn fmt::Display| {
            (format!("`{text}` is not {kind}, as the input `{name}` is"), format!("write a value from {from} to {to}"))
        };
        let outside = |from: &dyn fmt::Display, to: &dyn fmt::Display| {
            let what = format!("`{text}` is outside the bounds of the input `{name}`");
            (what, format!("write a value from {from} to {to}"))
        };
        match self {
            Input::WholeNumber(WholeNumber { from, to, .. }) => match text.parse::<u32>() {
                Ok(value) if (*from..=*to).contains(&value) => Ok(Value::Whole(value)),
                Ok(_) => Err(outside(from, to)),
                Err(_) => Err(wrong("a whole number", from, to)),
            },
            Input::Duration(DurationInput { from, to, .. }) => match text.parse::<Span>() {
                Ok(value) if (*from..=*to).contains(&value) => Ok(Value::Duration(value)),
                Ok(_) => Err(outside(from, to)),
                Err(_) => Err(wrong("a duration", from, to)),
            },
            Input::Share(ShareInput { from, to, .. }) => match text.parse::<Share>() {
                Ok(value) if (*from..=*to).contains(&value) => Ok(Value::Share(value)),
                Ok(_) => Err(outside(from, to)),
                Err(_) => Err(wrong("a share", from, to)),
            },
            Input::OneOf(OneOfInput { words, .. }) => {
                if words.iter().any(|word| word == text) {
                    return Ok(Value::Word(text.to_owned()));
                }
                let known = || words.iter().map(String::as_str);
                let help = match closest(text, known()) {
                    Some(close) => format!("did you mean `{close}`?"),
                    None => format!("write one of {}", listed(known())),
                };
                Err((format!("`{text}` is not a word of the input `{name}`"), help))
            }
        }
    }

    fn default(&self) -> Option<Value> {
        match self {
            Input::WholeNumber(input) => input.default.map(Value::Whole),
            Input::Duration(input) => input.default.map(Value::Duration),
            Input::Share(input) => input.default.map(Value::Share),
            Input::OneOf(input) => input.default.clone().map(Value::Word),
        }
    }

    /// A value that is within the bounds.
    fn sample(&self) -> Option<Value> {
        self.default().or(match self {
            Input::WholeNumber(input) => Some(Value::Whole(input.from)),
            Input::Duration(input) => Some(Value::Duration(input.from)),
            Input::Share(input) => Some(Value::Share(input.from)),
            Input::OneOf(input) => input.words.first().cloned().map(Value::Word),
        })
    }

    fn kind(&self) -> InputKind {
        match self {
            Input::WholeNumber(_) => InputKind::WholeNumber,
            Input::Duration(_) => InputKind::Duration,
            Input::Share(_) => InputKind::Share,
            Input::OneOf(input) => InputKind::Words(input.words.clone()),
        }
    }

    /// An example for messages: `concurrency=5`.
    fn example(&self, name: &str) -> String {
        format!("{name}={}", self.sample().map_or_else(|| "VALUE".to_owned(), |value| value.to_string()))
    }

    /// Whether its bounds are in order.
    fn bounds_rise(&self) -> bool {
        match self {
            Input::WholeNumber(input) => input.from <= input.to,
            Input::Duration(input) => input.from <= input.to,
            Input::Share(input) => input.from <= input.to,
            Input::OneOf(_) => true,
        }
    }
}

/// The value of every input, as it is written in plans and on the command line. An input that has none because of a problem is
/// left out.
pub fn values(inputs: &Inputs, chosen: Chosen<'_>) -> (BTreeMap<String, String>, Vec<Problem>) {
    let mut values = BTreeMap::new();
    let mut problems = Vec::new();
    let mut seen = BTreeSet::new();
    for Given { name, value } in chosen.given() {
        let Some(input) = inputs.get(&InputName(name.clone())) else {
            let names = || inputs.keys().map(|name| name.0.as_str());
            let help = match closest(name, names()) {
                Some(close) => format!("did you mean `{close}`?"),
                None if inputs.is_empty() => "the experiment declares no inputs".to_owned(),
                None => format!("its inputs are {}", listed(names())),
            };
            let what = format!("the experiment has no input `{name}`");
            problems.push(Problem { code: Code::UnknownInput, about: About::Name(name.clone()), what, help });
            continue;
        };
        if !seen.insert(name) {
            let (what, help) = (format!("the input `{name}` is given twice"), "give it once".to_owned());
            problems.push(Problem { code: Code::BadValue, about: About::Name(name.clone()), what, help });
            continue;
        }
        match input.read(name, value) {
            Ok(value) => drop(values.insert(name.clone(), value.to_string())),
            Err((what, help)) => {
                problems.push(Problem { code: Code::BadValue, about: About::Value(name.clone()), what, help });
            }
        }
    }
    for (InputName(name), input) in inputs.iter().filter(|(name, _)| !seen.contains(&name.0)) {
        let value = match chosen {
            Chosen::Nothing => input.sample(),
            Chosen::These(_) => input.default(),
        };
        match value {
            Some(value) => drop(values.insert(name.clone(), value.to_string())),
            // An empty list of words is a finding of its own.
            None if chosen == Chosen::Nothing => {}
            None => {
                let what = format!("the input `{name}` has no value");
                let help = format!("choose one, such as `--with {}`, or give it a default", input.example(name));
                problems.push(Problem { code: Code::MissingInput, about: About::Missing(name.clone()), what, help });
            }
        }
    }
    (values, problems)
}

/// Problems with the values of a run as findings, placed as if they were written with `--with`. What has no value is shown where the experiment declares it.
pub fn findings<T: FromNode>(problems: Vec<Problem>, chosen: Chosen<'_>, loaded: &Loaded<T>) -> Findings {
    let mut text = String::new();
    let mut places: BTreeMap<&str, (Place, Place)> = BTreeMap::new();
    for Given { name, value } in chosen.given() {
        let start = text.len();
        text += &format!("{name}={value}\n");
        let equals = start + name.len();
        places.insert(name, (Place::new(start, equals), Place::new(equals + 1, text.len() - 1)));
    }
    let written = Source::new("--with", text);
    let mut findings = Findings::default();
    for Problem { code, about, what, help } in problems {
        let place = |name: &str| places.get(name).copied().unwrap_or_default();
        let finding = match &about {
            About::Name(name) => Finding::new(code, &written, place(name).0, what),
            About::Value(name) => Finding::new(code, &written, place(name).1, what),
            About::Missing(name) => loaded.finding(code, loaded.key_place(&format!("inputs/{name}")), what),
        };
        findings.push(finding.help(help));
    }
    findings
}

/// The inputs that a tree declares. What is wrong with a declaration is found when the whole experiment is read.
pub fn declared(source: &Arc<Source>, tree: &Node) -> Option<Inputs> {
    match tree.get("inputs") {
        None => Some(Inputs::new()),
        Some(node) => {
            let mut unheard = Findings::default();
            Inputs::from_node(node, &mut Reader::new(source, &mut unheard))
        }
    }
}

/// Puts values in the place of every `{ input: NAME }` of an experiment's tree.
pub fn put(source: &Arc<Source>, tree: &mut Node, inputs: &Inputs, values: &BTreeMap<String, String>) -> Findings {
    let mut putting = Putting { source, inputs, values, used: BTreeSet::new(), findings: Findings::default() };
    if let Kind::Map(entries) = &mut tree.kind {
        entries.iter_mut().filter(|entry| entry.key != "inputs").for_each(|entry| putting.node(&mut entry.value));
    }
    let Putting { used, mut findings, .. } = putting;
    let declared = tree.get("inputs").map(Node::entries).unwrap_or_default();
    for entry in declared.iter().filter(|entry| inputs.contains_key(&InputName(entry.key.clone()))) {
        if !used.contains(&entry.key) {
            let what = format!("the input `{}` is not used", entry.key);
            let help = format!("write `{{ input: {} }}` in the place of a value, or remove it", entry.key);
            findings.push(Finding::new(Code::UnusedInput, source, entry.key_at, what).help(help));
        }
    }
    findings
}

struct Putting<'a> {
    source: &'a Arc<Source>,
    inputs: &'a Inputs,
    values: &'a BTreeMap<String, String>,
    used: BTreeSet<String>,
    findings: Findings,
}

impl Putting<'_> {
    fn node(&mut self, node: &mut Node) {
        let at = node.at;
        let used = match node.entries() {
            [entry] if entry.key == "input" => entry.value.text().map(|name| (name.to_owned(), entry.value.at)),
            _ => None,
        };
        if let Some((name, name_at)) = used {
            let input = self.named(&name, name_at);
            *node = Node { kind: Kind::Input(Box::new(input)), tag: None, at };
            return;
        }
        match &mut node.kind {
            Kind::List(items) => items.iter_mut().for_each(|item| self.node(item)),
            // A tag of a resource may be called `input`.
            Kind::Map(entries) => {
                entries.iter_mut().filter(|entry| entry.key != "tag").for_each(|entry| self.node(&mut entry.value));
            }
            _ => {}
        }
    }

    fn named(&mut self, name: &str, at: Place) -> InputValue {
        let Some(input) = self.inputs.get(&InputName(name.to_owned())) else {
            let names = || self.inputs.keys().map(|name| name.0.as_str());
            let help = match closest(name, names()) {
                Some(close) => format!("did you mean `{close}`?"),
                None => "declare it under `inputs`".to_owned(),
            };
            let what = format!("there is no input `{name}`");
            self.findings.push(Finding::new(Code::UnknownInput, self.source, at, what).help(help));
            return InputValue { name: name.to_owned(), kind: InputKind::Unknown, text: String::new() };
        };
        self.used.insert(name.to_owned());
        // Without a value, its own problem says why; what stands here is read with a sample.
        let text = self.values.get(name).cloned().or_else(|| input.sample().map(|value| value.to_string()));
        InputValue { name: name.to_owned(), kind: input.kind(), text: text.unwrap_or_default() }
    }
}

/// Checks the declarations: bounds in order, a default within them, words to choose from.
pub fn check<T: FromNode>(inputs: &Inputs, loaded: &Loaded<T>, findings: &mut Findings) {
    for (InputName(name), input) in inputs {
        let path = format!("inputs/{name}/{}", input.key());
        if !input.bounds_rise() {
            let at = loaded.place(&format!("{path}/to"));
            let finding = loaded.finding(Code::BadValue, at, format!("the bounds of the input `{name}` do not rise"));
            findings.push(finding.help("write the smaller value under `from`"));
            continue;
        }
        if let Input::OneOf(OneOfInput { words, .. }) = input
            && words.is_empty()
        {
            let at = loaded.place(&format!("{path}/words"));
            let finding = loaded.finding(Code::Empty, at, format!("the input `{name}` has no words"));
            findings.push(finding.help("write at least two words"));
            continue;
        }
        let default = input.default().map(|value| value.to_string());
        if let Some((what, help)) = default.and_then(|default| input.read(name, &default).err()) {
            findings.push(loaded.finding(Code::BadValue, loaded.place(&format!("{path}/default")), what).help(help));
        }
    }
}

#[cfg(test)]
mod tests;
