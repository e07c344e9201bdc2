//! Sentences about signals: `failed share of ShopApi is at most 1 %`. Their grammar is in `docs/sentences.md`.
//!
//! Invariant: a sentence is read or refused with a place and a next step, whatever the text is; its number has the unit
//! that its metric wants.

use std::fmt;
use std::ops::Range;

use super::read::closest;
use super::shape::one_of;
use crate::account::signal::Metric;
use crate::account::target::ResourceKind;
use crate::plan::Bound;
use crate::units::{Share, Span};

/// What a sentence says: a measurement of one resource, and a bound.
#[derive(Clone, Debug, PartialEq)]
pub struct Sentence {
    pub metric: Metric,
    pub subject: Subject,
    /// In the metric's own unit: seconds for a duration or an age, 0 to 1 for a share.
    pub bound: Bound,
    /// As it was written, blanks tidied.
    pub text: String,
}

/// Whom a sentence is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// A target of the experiment, or else the name of a resource.
    pub name: String,
    /// Said when several kinds of resources have the name: `calls of function Shop`.
    pub kind: Option<ResourceKind>,
}

/// Why a text is not a sentence: where in it, what is wrong, what to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotASentence {
    /// In bytes of the text.
    pub at: Range<usize>,
    pub what: String,
    pub help: String,
}

/// The words of each metric that stand before `of` and a name. The first of each metric is the usual one.
const METRICS: &[(&str, Metric)] = &[
    ("depth", Metric::Depth),
    ("messages in flight", Metric::InFlight),
    ("delayed messages", Metric::Delayed),
    ("age", Metric::OldestMessage),
    ("age of the oldest message", Metric::OldestMessage),
    ("messages done", Metric::MessagesDone),
    ("calls", Metric::Calls),
    ("requests", Metric::Calls),
    ("invocations", Metric::Calls),
    ("errors", Metric::Errors),
    ("failed share", Metric::FailedShare),
    ("share", Metric::SlowShare { limit: Span::ZERO }),
    ("duration", Metric::Duration),
    ("throttles", Metric::Throttles),
    ("concurrency", Metric::Concurrency),
    ("writes", Metric::Writes),
];

/// What others call a metric.
const SYNONYMS: &[(&str, &str)] = &[
    ("latency", "duration"),
    ("response time", "duration"),
    ("length", "depth"),
    ("size", "depth"),
    ("backlog", "depth"),
    ("error rate", "failed share"),
    ("error share", "failed share"),
    ("failures", "errors"),
    ("5xx", "errors"),
    ("traffic", "calls"),
    ("slow share", "share"),
];

/// Makes a bound of a number.
type Compare = fn(f64) -> Bound;

/// The words of a comparison. Each may follow `is`, `are`, `stays` or `stay`.
const COMPARISONS: &[(&[&str], Compare)] = &[
    (&["at", "most"], Bound::AtMost),
    (&["at", "least"], Bound::AtLeast),
    (&["below"], Bound::Below),
    (&["above"], Bound::Above),
    (&["<="], Bound::AtMost),
    (&[">="], Bound::AtLeast),
    (&["<"], Bound::Below),
    (&[">"], Bound::Above),
];

/// What a metric's number counts, and so how it is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Count,
    Share,
    Time,
}

impl Unit {
    fn of(metric: Metric) -> Unit {
        match metric {
            _ if metric.is_share() => Unit::Share,
            Metric::OldestMessage | Metric::Duration => Unit::Time,
            _ => Unit::Count,
        }
    }

    fn describe(self) -> (&'static str, &'static str) {
        match self {
            Unit::Count => ("a number", "5000"),
            Unit::Share => ("a share", "1 %"),
            Unit::Time => ("a length of time", "5m"),
        }
    }

    fn read(self, text: &str) -> Option<f64> {
        match self {
            Unit::Count => {
                let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') && text.len() <= 18;
                text.parse().ok().filter(|_| plain)
            }
            Unit::Share => text.parse::<Share>().ok().map(Share::get),
            Unit::Time => text.parse::<Span>().ok().map(Span::secs_f64),
        }
    }
}

/// A word of a sentence and where it stands.
#[derive(Clone, Debug)]
struct Word<'a> {
    text: &'a str,
    at: Range<usize>,
    /// In quotes: a name, whatever it looks like.
    quoted: bool,
}

/// Reads a sentence with a bound. Both hypotheses and guards are read so; what only one of them may say is told apart
/// by [`Signal`](super::signal::Signal) and [`Condition`](super::signal::Condition).
pub fn sentence(text: &str) -> Result<Sentence, NotASentence> {
    let words = words(text)?;
    let mut parser = Parser { text, words: &words, next: 0 };
    let (metric, subject) = match parser.take(&["alarm"]) {
        true => (Metric::AlarmState, Subject { name: parser.name()?, kind: None }),
        false => parser.measure()?,
    };
    let bound = match metric {
        Metric::AlarmState => parser.alarm()?,
        _ => parser.bound(metric)?,
    };
    parser.end()?;
    if let Some(kind) = subject.kind
        && !metric.applies_to(kind)
    {
        return Err(parser.error(0..text.len(), format!("{} has no such metric", a_kind(kind)), applies(metric)));
    }
    let tidy = words.iter().map(|word| &text[word.at.clone()]).collect::<Vec<_>>().join(" ");
    Ok(Sentence { metric, subject, bound, text: tidy })
}

/// Splits at blanks; a name may stand in quotes or backticks.
fn words(text: &str) -> Result<Vec<Word<'_>>, NotASentence> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let start = text.len() - rest.len();
        let quoted = matches!(first, '"' | '\'' | '`');
        let (inner, len) = match quoted {
            true => match rest[1..].find(first) {
                Some(close) => (1..close + 1, close + 2),
                None => {
                    return Err(NotASentence {
                        at: start..text.len(),
                        what: "a quote is not closed".into(),
                        help: format!("end the name with {first}"),
                    });
                }
            },
            false => {
                let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                // `>5000` and `<1 %` are two words.
                let symbol = rest.len() - rest.trim_start_matches(['<', '>', '=']).len();
                let end = if symbol > 0 { symbol.min(end) } else { end };
                (0..end, end)
            }
        };
        words.push(Word { text: &rest[inner], at: start..start + len, quoted });
        rest = rest[len..].trim_start();
    }
    Ok(words)
}

struct Parser<'a> {
    text: &'a str,
    words: &'a [Word<'a>],
    next: usize,
}

impl<'a> Parser<'a> {
    fn error(&self, at: Range<usize>, what: impl Into<String>, help: impl Into<String>) -> NotASentence {
        NotASentence { at, what: what.into(), help: help.into() }
    }

    /// Where the next word stands; at the end, right behind the last one.
    fn here(&self) -> Range<usize> {
        let end = self.text.trim_end().len();
        self.words.get(self.next).map_or(end..end, |word| word.at.clone())
    }

    fn shown(&self) -> String {
        self.words.get(self.next).map_or("the end".into(), |word| format!("`{}`", word.text))
    }

    /// Takes these words, when they come next.
    fn take(&mut self, wanted: &[&str]) -> bool {
        let found = self.words.get(self.next..self.next + wanted.len()).is_some_and(|words| {
            words.iter().zip(wanted).all(|(word, wanted)| !word.quoted && word.text.eq_ignore_ascii_case(wanted))
        });
        if found {
            self.next += wanted.len();
        }
        found
    }

    fn name(&mut self) -> Result<String, NotASentence> {
        match self.words.get(self.next) {
            Some(word) if !word.text.trim().is_empty() && !word.text.contains(['<', '>', '=']) => {
                self.next += 1;
                Ok(word.text.to_owned())
            }
            _ => Err(self.error(
                self.here(),
                format!("a name belongs here, not {}", self.shown()),
                "write the name of a target or of a resource",
            )),
        }
    }

    /// `depth of orders`, `share of ShopApi slower than 800 ms`, `writes to OrdersTable`.
    fn measure(&mut self) -> Result<(Metric, Subject), NotASentence> {
        let metric = self.metric()?;
        let subject = self.subject()?;
        let Metric::SlowShare { .. } = metric else { return Ok((metric, subject)) };
        if !self.take(&["slower", "than"]) {
            let what = format!("after `share of {}` belongs `slower than`, not {}", subject.name, self.shown());
            let help =
                format!("write `share of {0} slower than 800 ms ...` or `failed share of {0} ...`", subject.name);
            return Err(self.error(self.here(), what, help));
        }
        let (at, text) = self.quantity();
        match text.parse::<Span>() {
            Ok(limit) if limit > Span::ZERO => Ok((Metric::SlowShare { limit }, subject)),
            _ => Err(self.error(
                at,
                format!("`{text}` is not a length of time"),
                "write for example `slower than 800 ms`",
            )),
        }
    }

    fn metric(&mut self) -> Result<Metric, NotASentence> {
        // The longest words first: `age of the oldest message of orders` begins with `age of`.
        let mut known: Vec<(Vec<&str>, Metric)> =
            METRICS.iter().map(|(words, metric)| (words.split(' ').collect(), *metric)).collect();
        known.sort_by_key(|(words, _)| std::cmp::Reverse(words.len()));
        let start = self.next;
        for (words, metric) in known {
            if self.take(&words) {
                if self.take(&["of"]) || self.take(&["to"]) {
                    return Ok(metric);
                }
                if words.len() == 1 {
                    let what = format!("after `{}` belongs `of`, not {}", words[0], self.shown());
                    return Err(self.error(self.here(), what, format!("write `{} of NAME ...`", words[0])));
                }
                self.next = start;
            }
        }
        let of = self.words.iter().position(|word| word.text == "of" || word.text == "to");
        let said = &self.words[..of.unwrap_or(1).min(self.words.len())];
        let at = said.first().map_or(0, |word| word.at.start)..said.last().map_or(0, |word| word.at.end);
        let shown = self.text.get(at.clone()).unwrap_or_default();
        let names = METRICS.iter().map(|(words, _)| *words).chain(["alarm"]);
        let what = match shown {
            "" => "the sentence is empty".to_owned(),
            shown => format!("`{shown}` is not a metric"),
        };
        let synonym = SYNONYMS.iter().find(|(said, _)| said.eq_ignore_ascii_case(shown)).map(|(_, meant)| *meant);
        let help = match synonym.or_else(|| closest(shown, names.clone())) {
            Some(close) => format!("did you mean `{close}`?"),
            None => format!("write {}, then `of` and a name", one_of(names.filter(|name| *name != "alarm"))),
        };
        Err(self.error(at, what, help))
    }

    fn subject(&mut self) -> Result<Subject, NotASentence> {
        let kind =
            self.words.get(self.next).filter(|word| !word.quoted).and_then(|word| {
                ResourceKind::ALL.into_iter().find(|kind| kind.word().eq_ignore_ascii_case(word.text))
            });
        // A resource may be called `queue`: a kind is one only before a name.
        let followed = self.words.get(self.next + 1).is_some_and(|word| {
            word.quoted
                || !(is_verb(word.text)
                    || word.text.contains(['<', '>'])
                    || ["at", "below", "above", "slower"].contains(&word.text))
        });
        let kind = kind.filter(|_| followed);
        if kind.is_some() {
            self.next += 1;
        }
        Ok(Subject { name: self.name()?, kind })
    }

    /// `is at most 1 %`, `> 5000`, `stays at 0`.
    fn bound(&mut self, metric: Metric) -> Result<Bound, NotASentence> {
        let stays = self.take(&["stays"]) || self.take(&["stay"]);
        let _ = !stays && (self.take(&["is"]) || self.take(&["are"]));
        let unit = Unit::of(metric);
        let (kind, example) = unit.describe();
        let found = COMPARISONS.iter().find(|(words, _)| self.take(words));
        let compare = match found {
            Some((_, compare)) => *compare,
            // Nothing is less than nothing: to stay at 0 is to be at most 0.
            None if stays && self.take(&["at"]) => {
                let (at, text) = self.quantity();
                return match unit.read(&text) {
                    Some(0.0) => Ok(Bound::AtMost(0.0)),
                    _ => Err(self.error(
                        at,
                        format!("`stays at {text}` is not a bound"),
                        "only 0 can be stayed at; write `at most` or `at least`",
                    )),
                };
            }
            None => {
                let help = format!(
                    "write `at most`, `at least`, `below`, `above`, `<`, `<=`, `>` or `>=`, and {kind} such as `{example}`"
                );
                return Err(self.error(self.here(), format!("a comparison belongs here, not {}", self.shown()), help));
            }
        };
        let (at, text) = self.quantity();
        match unit.read(&text) {
            Some(number) => Ok(compare(number)),
            None if text.is_empty() => {
                Err(self.error(at, format!("{kind} belongs here"), format!("write for example `{example}`")))
            }
            None => Err(self.error(
                at,
                format!("`{text}` is not {kind}, and this metric wants one"),
                format!("write for example `{example}`"),
            )),
        }
    }

    /// `stays quiet`, `fires within 4m`, `fires`.
    fn alarm(&mut self) -> Result<Bound, NotASentence> {
        if self.take(&["stays", "quiet"]) {
            return Ok(Bound::StaysQuiet);
        }
        if self.take(&["fires", "within"]) {
            let (at, text) = self.quantity();
            return match text.parse::<Span>() {
                Ok(span) if span > Span::ZERO => Ok(Bound::FiresWithin(span)),
                _ => Err(self.error(
                    at,
                    format!("`{text}` is not a length of time"),
                    "write for example `fires within 4m`",
                )),
            };
        }
        if self.take(&["fires"]) {
            return Ok(Bound::AtLeast(1.0));
        }
        let what = format!("what the alarm does belongs here, not {}", self.shown());
        Err(self.error(self.here(), what, "write `stays quiet`, `fires within 4m`, or in a guard `fires`"))
    }

    /// Everything that is left, as one quantity.
    fn quantity(&mut self) -> (Range<usize>, String) {
        let start = self.here().start;
        // A limit ends where the comparison begins.
        let words: Vec<&Word<'_>> = self.words[self.next.min(self.words.len())..]
            .iter()
            .take_while(|word| {
                !is_verb(word.text) && !word.text.contains(['<', '>']) && !["at", "below", "above"].contains(&word.text)
            })
            .collect();
        self.next += words.len();
        let end = words.last().map_or(start, |word| word.at.end);
        (start..end, words.iter().map(|word| word.text).collect::<Vec<_>>().join(" "))
    }

    fn end(&self) -> Result<(), NotASentence> {
        match self.words.get(self.next) {
            None => Ok(()),
            Some(word) => Err(self.error(
                word.at.start..self.text.trim_end().len(),
                format!("the sentence is over before `{}`", &self.text[word.at.start..].trim_end()),
                "a sentence has one metric, one name and one bound; write another item for another bound",
            )),
        }
    }
}

fn is_verb(word: &str) -> bool {
    ["is", "are", "stays", "stay"].contains(&word)
}

fn a_kind(kind: ResourceKind) -> String {
    let word = kind.word();
    format!("{} {word}", if word.starts_with('a') { "an" } else { "a" })
}

/// What a metric can be measured on.
pub fn applies(metric: Metric) -> String {
    let kinds = ResourceKind::ALL.into_iter().filter(|kind| metric.applies_to(*kind)).map(ResourceKind::word);
    format!("it is measured on {}", one_of(kinds))
}

impl Sentence {
    /// The kinds of resources that it may be about.
    pub fn kinds(&self) -> Vec<ResourceKind> {
        let said = self.subject.kind;
        let fits = |kind: &ResourceKind| said.is_none_or(|said| said == *kind) && self.metric.applies_to(*kind);
        ResourceKind::ALL.into_iter().filter(fits).collect()
    }
}

impl fmt::Display for Sentence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(text: &str) -> String {
        match sentence(text) {
            Ok(read) => format!(
                "{}\n    {:?} of {}{} {:?}",
                text.trim_end(),
                read.metric,
                read.subject.kind.map_or(String::new(), |kind| format!("{} ", kind.word())),
                read.subject.name,
                read.bound
            ),
            Err(error) => {
                let at = error.at.clone();
                format!("{text}\n    {:?} {}; {}", text.get(at).unwrap_or("!!"), error.what, error.help)
            }
        }
    }

    #[test]
    fn sentences_read_aloud() {
        let texts = [
            "depth of orders > 5000",
            "depth of orders >5000",
            "messages in flight of orders at most 20",
            "delayed messages of orders < 3",
            "age of orders < 5m",
            "age of the oldest message of orders is at most 1h 30m",
            "messages done of orders at least 100",
            "failed share of ShopApi is at most 1 %",
            "share of ShopApi slower than 800 ms is at most 5 %",
            "share of ShopApi slower than 1.5s < 5%",
            "depth of OrdersDeadLetters stays at 0",
            "throttles of worker < 10",
            "concurrency of worker <= 10",
            "calls of ShopApi at least 100",
            "requests of api Shop are above 5.5",
            "calls of function Shop at least 1",
            "depth of queue stays at 0",
            "depth of queue queue stays at 0",
            "errors of 'at' stays at 0",
            "duration of worker is below 2s",
            "writes to OrdersTable at least 50",
            "alarm OrdersBacklogAlarm fires within 4m",
            "alarm orders-dlq stays quiet",
            "alarm CheckoutDown fires",
            "  Depth   of  orders.fifo   is  at  most  3 ",
        ];
        insta::assert_snapshot!(texts.map(shown).join("\n"), @r#"
        depth of orders > 5000
            Depth of orders Above(5000.0)
        depth of orders >5000
            Depth of orders Above(5000.0)
        messages in flight of orders at most 20
            InFlight of orders AtMost(20.0)
        delayed messages of orders < 3
            Delayed of orders Below(3.0)
        age of orders < 5m
            OldestMessage of orders Below(300.0)
        age of the oldest message of orders is at most 1h 30m
            OldestMessage of orders AtMost(5400.0)
        messages done of orders at least 100
            MessagesDone of orders AtLeast(100.0)
        failed share of ShopApi is at most 1 %
            FailedShare of ShopApi AtMost(0.01)
        share of ShopApi slower than 800 ms is at most 5 %
            SlowShare { limit: Span(800000) } of ShopApi AtMost(0.05)
        share of ShopApi slower than 1.5s < 5%
            SlowShare { limit: Span(1500000) } of ShopApi Below(0.05)
        depth of OrdersDeadLetters stays at 0
            Depth of OrdersDeadLetters AtMost(0.0)
        throttles of worker < 10
            Throttles of worker Below(10.0)
        concurrency of worker <= 10
            Concurrency of worker AtMost(10.0)
        calls of ShopApi at least 100
            Calls of ShopApi AtLeast(100.0)
        requests of api Shop are above 5.5
            Calls of api Shop Above(5.5)
        calls of function Shop at least 1
            Calls of function Shop AtLeast(1.0)
        depth of queue stays at 0
            Depth of queue AtMost(0.0)
        depth of queue queue stays at 0
            Depth of queue queue AtMost(0.0)
        errors of 'at' stays at 0
            Errors of at AtMost(0.0)
        duration of worker is below 2s
            Duration of worker Below(2.0)
        writes to OrdersTable at least 50
            Writes of OrdersTable AtLeast(50.0)
        alarm OrdersBacklogAlarm fires within 4m
            AlarmState of OrdersBacklogAlarm FiresWithin(Span(240000000))
        alarm orders-dlq stays quiet
            AlarmState of orders-dlq StaysQuiet
        alarm CheckoutDown fires
            AlarmState of CheckoutDown AtLeast(1.0)
          Depth   of  orders.fifo   is  at  most  3
            Depth of orders.fifo AtMost(3.0)
        "#);
    }

    #[test]
    fn what_is_no_sentence_is_told_where_and_why() {
        let texts = [
            "",
            "depth",
            "depth of",
            "depth orders > 5",
            "deph of orders > 5",
            "latency of worker > 5s",
            "depth of orders",
            "depth of orders 5",
            "depth of orders >",
            "depth of orders > 5m",
            "depth of orders > -5",
            "depth of orders > NaN",
            "age of orders < 5",
            "failed share of ShopApi is at most 0.01",
            "failed share of ShopApi is at most 120 %",
            "share of ShopApi is at most 5 %",
            "share of ShopApi slower than 800 is at most 5 %",
            "depth of orders stays at 5",
            "depth of orders > 5 and age of orders > 5m",
            "depth of function worker > 5",
            "alarm X",
            "alarm X fires within soon",
            "depth of 'orders > 5",
            "depth of > 5",
        ];
        insta::assert_snapshot!(texts.map(shown).join("\n"), @r#"
            "" the sentence is empty; write `depth`, `messages in flight`, `delayed messages`, `age`, `age of the oldest message`, `messages done`, `calls`, `requests`, `invocations`, `errors`, `failed share`, `share`, `duration`, `throttles`, `concurrency` or `writes`, then `of` and a name
        depth
            "" after `depth` belongs `of`, not the end; write `depth of NAME ...`
        depth of
            "" a name belongs here, not the end; write the name of a target or of a resource
        depth orders > 5
            "orders" after `depth` belongs `of`, not `orders`; write `depth of NAME ...`
        deph of orders > 5
            "deph" `deph` is not a metric; did you mean `depth`?
        latency of worker > 5s
            "latency" `latency` is not a metric; did you mean `duration`?
        depth of orders
            "" a comparison belongs here, not the end; write `at most`, `at least`, `below`, `above`, `<`, `<=`, `>` or `>=`, and a number such as `5000`
        depth of orders 5
            "5" a comparison belongs here, not `5`; write `at most`, `at least`, `below`, `above`, `<`, `<=`, `>` or `>=`, and a number such as `5000`
        depth of orders >
            "" a number belongs here; write for example `5000`
        depth of orders > 5m
            "5m" `5m` is not a number, and this metric wants one; write for example `5000`
        depth of orders > -5
            "-5" `-5` is not a number, and this metric wants one; write for example `5000`
        depth of orders > NaN
            "NaN" `NaN` is not a number, and this metric wants one; write for example `5000`
        age of orders < 5
            "5" `5` is not a length of time, and this metric wants one; write for example `5m`
        failed share of ShopApi is at most 0.01
            "0.01" `0.01` is not a share, and this metric wants one; write for example `1 %`
        failed share of ShopApi is at most 120 %
            "120 %" `120 %` is not a share, and this metric wants one; write for example `1 %`
        share of ShopApi is at most 5 %
            "is" after `share of ShopApi` belongs `slower than`, not `is`; write `share of ShopApi slower than 800 ms ...` or `failed share of ShopApi ...`
        share of ShopApi slower than 800 is at most 5 %
            "800" `800` is not a length of time; write for example `slower than 800 ms`
        depth of orders stays at 5
            "5" `stays at 5` is not a bound; only 0 can be stayed at; write `at most` or `at least`
        depth of orders > 5 and age of orders > 5m
            "5 and age of orders" `5 and age of orders` is not a number, and this metric wants one; write for example `5000`
        depth of function worker > 5
            "depth of function worker > 5" a function has no such metric; it is measured on `queue`
        alarm X
            "" what the alarm does belongs here, not the end; write `stays quiet`, `fires within 4m`, or in a guard `fires`
        alarm X fires within soon
            "soon" `soon` is not a length of time; write for example `fires within 4m`
        depth of 'orders > 5
            "'orders > 5" a quote is not closed; end the name with '
        depth of > 5
            ">" a name belongs here, not `>`; write the name of a target or of a resource
        "#);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,60}") {
            let _ = sentence(&text);
        }

        #[test]
        fn no_shuffle_of_its_own_words_makes_it_panic(words in proptest::collection::vec(
            prop_oneof![
                Just("depth"), Just("of"), Just("share"), Just("slower"), Just("than"), Just("5m"), Just("at"), Just("most"),
                Just("stays"), Just("0"), Just("1 %"), Just(">"), Just("alarm"), Just("fires"), Just("within"), Just("é"),
                Just("'"), Just("queue"), Just("x"), Just("is"), Just("age"), Just("the"), Just("oldest"), Just("message"),
            ], 0..10)) {
            let text = words.join(" ");
            match sentence(&text) {
                Ok(read) => prop_assert_eq!(sentence(&read.text).map(|again| again.bound), Ok(read.bound)),
                Err(error) => prop_assert!(text.get(error.at).is_some(), "{text}"),
            }
        }
    }
}
