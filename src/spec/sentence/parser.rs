//! From words to meaning, by recursive descent; each step takes the words that come next, or says what belongs there.

use std::ops::Range;

use super::vocabulary::{COMPARISONS, Compare, METRICS, SYNONYMS, TIMES, TIMES_BASELINE, Unit};
use super::{NotASentence, Sentence, Subject, applies};
use crate::account::{Metric, ResourceKind};
use crate::judge::bound::Bound;
use crate::judge::budget::Objective;
use crate::units::{Share, Span};
use crate::yaml::read::closest;
use crate::yaml::shape::one_of;

/// Reads a sentence with a bound. Both hypotheses and guards are read so; what only one of them may say is told apart
/// by [`Signal`](crate::spec::signal::Signal) and [`Condition`](crate::spec::signal::Condition).
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
    let control = parser.control(metric, &bound)?;
    let tolerating = parser.tolerance(metric, &bound)?;
    let stop_at = parser.rail(metric)?;
    parser.end()?;
    if let Some(kind) = subject.kind
        && !metric.applies_to(kind)
    {
        return Err(parser.error(0..text.len(), format!("{} has no such metric", a_kind(kind)), applies(metric)));
    }
    let tidy = words.iter().map(|word| &text[word.at.clone()]).collect::<Vec<_>>().join(" ");
    Ok(Sentence { metric, subject, bound, control, tolerating, stop_at, text: tidy })
}

/// A word of a sentence and where it stands.
#[derive(Clone, Debug)]
struct Word<'a> {
    text: &'a str,
    at: Range<usize>,
    /// In quotes: a name, whatever it looks like.
    quoted: bool,
}

/// Splits at blanks; a name may stand in quotes or backticks, and a comma after a word says nothing.
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
        let plain = len > 1 && !quoted;
        let word = if plain { rest[inner].trim_end_matches(',') } else { &rest[inner] };
        words.push(Word { text: word, at: start..start + len, quoted });
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

    /// Whether these words come next.
    fn comes(&self, wanted: &[&str]) -> bool {
        self.words.get(self.next..self.next + wanted.len()).is_some_and(|words| {
            words.iter().zip(wanted).all(|(word, wanted)| !word.quoted && word.text.eq_ignore_ascii_case(wanted))
        })
    }

    /// Takes these words, when they come next.
    fn take(&mut self, wanted: &[&str]) -> bool {
        let found = self.comes(wanted);
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
                format!("expected a name, found {}", self.shown()),
                "write a target name or a resource",
            )),
        }
    }

    /// `depth of orders`, `share of ShopApi slower than 800 ms`, `writes to OrdersTable`.
    fn measure(&mut self) -> Result<(Metric, Subject), NotASentence> {
        let metric = self.metric()?;
        let subject = self.subject()?;
        let Metric::SlowShare { .. } = metric else { return Ok((metric, subject)) };
        if !self.take(&["slower", "than"]) {
            let what = format!("expected `slower than` after `share of {}`, found {}", subject.name, self.shown());
            let help =
                format!("write `share of {0} slower than 800 ms ...` or `failed share of {0} ...`", subject.name);
            return Err(self.error(self.here(), what, help));
        }
        let (at, text) = self.quantity();
        match text.parse::<Span>() {
            Ok(limit) if limit > Span::ZERO => Ok((Metric::SlowShare { limit }, subject)),
            _ => Err(self.error(
                at,
                format!("`{text}` is not a valid duration"),
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
                    let what = format!("expected `of` after `{}`, found {}", words[0], self.shown());
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
                    || ["at", "below", "above", "slower", "no", "tolerating", "stop"].contains(&word.text))
        });
        let kind = kind.filter(|_| followed);
        if kind.is_some() {
            self.next += 1;
        }
        Ok(Subject { name: self.name()?, kind })
    }

    /// `is at most 1 %`, `> 5000`, `stays at 0`.
    fn bound(&mut self, metric: Metric) -> Result<Bound, NotASentence> {
        if self.take(&["keep", "coming"]) || self.take(&["keeps", "coming"]) {
            return Ok(Bound::KeepsComing);
        }
        if self.take(&["spends", "at", "most"]) || self.take(&["spend", "at", "most"]) {
            return self.budget(metric);
        }
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
                        "`stays at` takes only 0; write `at most` or `at least`",
                    )),
                };
            }
            None => {
                let help = format!(
                    "write `at most`, `at least`, `below`, `above`, `<`, `<=`, `>` or `>=`, and {kind} such as `{example}`"
                );
                return Err(self.error(self.here(), format!("expected a comparison, found {}", self.shown()), help));
            }
        };
        let (at, text) = self.quantity_before(&["that"]);
        if self.comes(&["that", "of"]) {
            return self.times_control(at, &text, compare);
        }
        if let Some(times) = TIMES_BASELINE.iter().find_map(|words| text.strip_suffix(words)) {
            return self.times_baseline(at, times.trim_end(), compare);
        }
        match unit.read(&text) {
            Some(number) => Ok(compare(number)),
            None if text.is_empty() => {
                Err(self.error(at, format!("expected {kind}"), format!("write for example `{example}`")))
            }
            None => Err(self.error(
                at,
                format!("`{text}` is not {kind}, which this metric needs"),
                format!("write for example `{example}`"),
            )),
        }
    }

    /// `at most 1.5 x baseline`.
    fn times_baseline(&self, at: Range<usize>, times: &str, compare: Compare) -> Result<Bound, NotASentence> {
        if !matches!(compare(0.0), Bound::AtMost(_)) {
            let help = "write `at most 1.5 x baseline`";
            return Err(self.error(at, "only an upper bound can be relative to the baseline", help));
        }
        match Unit::Count.read(times) {
            Some(ratio) if ratio > 0.0 && ratio <= 1000.0 => Ok(Bound::TimesBaseline(ratio)),
            _ => Err(self.error(
                at,
                format!("`{times}` does not say how many times"),
                "write for example `1.5 x baseline`",
            )),
        }
    }

    /// `at most 2 x that of catalogue`, up to `that`.
    fn times_control(&self, at: Range<usize>, text: &str, compare: Compare) -> Result<Bound, NotASentence> {
        let help = "write for example `at most 2 x that of NAME`";
        if !matches!(compare(0.0), Bound::AtMost(_)) {
            return Err(self.error(at, "only an upper bound can be relative to a control", help));
        }
        let times = TIMES.iter().find_map(|word| text.strip_suffix(word)).map(str::trim_end);
        match times.and_then(|times| Unit::Count.read(times)) {
            Some(ratio) if ratio > 0.0 && ratio <= 1000.0 => Ok(Bound::TimesControl(ratio)),
            _ => Err(self.error(at, format!("`{text}` does not say how many times"), help)),
        }
    }

    /// `that of catalogue`: an untouched resource at the same time.
    fn control(&mut self, metric: Metric, bound: &Bound) -> Result<Option<Subject>, NotASentence> {
        let at = self.here();
        if !matches!(bound, Bound::TimesControl(_)) || !self.take(&["that", "of"]) {
            return Ok(None);
        }
        let control = self.subject()?;
        match metric.is_share() {
            true => Ok(Some(control)),
            false => Err(self.error(
                at.start..self.here().start,
                "only a share of requests can be compared with a control",
                "write `failed share of NAME at most 2 x that of OTHER`, or compare with the baseline",
            )),
        }
    }

    /// `spends at most 2 % of the budget of 99.9 % over 30d`.
    fn budget(&mut self, metric: Metric) -> Result<Bound, NotASentence> {
        let example = "write `failed share of NAME spends at most 2 % of the budget of 99.9 % over 30d`";
        let start = self.here().start;
        if !metric.is_share() {
            let what = "only a share of requests has an error budget";
            return Err(self.error(start..self.text.trim_end().len(), what, example));
        }
        let share = |parser: &mut Self, stop: &str| {
            let (at, text) = parser.quantity_before(&[stop]);
            let share = text.parse::<Share>().ok().filter(|share| share.get() > 0.0);
            share.ok_or_else(|| parser.error(at, format!("`{text}` is not a share above 0 %"), example))
        };
        let part = share(self, "of")?;
        if !self.take(&["of", "the", "budget", "of"]) {
            return Err(self.error(
                self.here(),
                format!("expected `of the budget of`, found {}", self.shown()),
                example,
            ));
        }
        let good = share(self, "over")?;
        if good.get() >= 1.0 {
            return Err(self.error(start..self.here().start, "an objective of 100 % has no budget to spend", example));
        }
        if !self.take(&["over"]) {
            return Err(self.error(self.here(), format!("expected `over`, found {}", self.shown()), example));
        }
        let (at, text) = self.quantity();
        match text.parse::<Span>() {
            Ok(over) if over > Span::ZERO => {
                Ok(Bound::Spends { part, objective: Objective { good: good.get(), over } })
            }
            _ => Err(self.error(at, format!("`{text}` is not a valid duration"), example)),
        }
    }

    /// `tolerating 5 % of windows`.
    fn tolerance(&mut self, metric: Metric, bound: &Bound) -> Result<Option<Share>, NotASentence> {
        let from = self.here().start;
        if !self.take(&["tolerating"]) {
            return Ok(None);
        }
        let (at, text) = self.quantity_before(&["of"]);
        let share = text.parse::<Share>().map_err(|_| {
            self.error(at.clone(), format!("`{text}` is not a share"), "write for example `tolerating 5 % of windows`")
        })?;
        if !(self.take(&["of", "windows"]) || self.take(&["of", "the", "windows"])) {
            let what = format!("expected `of windows`, found {}", self.shown());
            return Err(self.error(self.here(), what, "write for example `tolerating 5 % of windows`"));
        }
        let end = self.here().start;
        let what = match bound {
            _ if share.get() >= 1.0 => "tolerating all windows makes the bound meaningless",
            Bound::FiresWithin(_) | Bound::StaysQuiet => "`tolerating` does not apply to an alarm",
            Bound::Spends { .. } => "`tolerating` does not apply to an error budget: the budget is what is tolerated",
            Bound::TimesBaseline(_) => "`tolerating` does not apply here: what is tolerated follows from the baseline",
            Bound::TimesControl(_) => "`tolerating` does not apply here: what is tolerated follows from the control",
            Bound::KeepsComing => return Ok(Some(share)),
            _ if metric.is_share() => {
                "`tolerating` does not apply to a share of requests: its bound is what is tolerated"
            }
            _ => return Ok(Some(share)),
        };
        Err(self.error(from..end, what, "remove `tolerating`, or tolerate a smaller share of the windows of a level"))
    }

    /// `, stop at 50 %`.
    fn rail(&mut self, metric: Metric) -> Result<Option<f64>, NotASentence> {
        let start = self.here().start;
        if !self.take(&["stop", "at"]) {
            return Ok(None);
        }
        if metric == Metric::AlarmState {
            let help = "to stop when it fires, write `alarm NAME fires` under `stop_when`";
            return Err(self.error(start..self.text.trim_end().len(), "an alarm has no value to stop at", help));
        }
        let unit = Unit::of(metric);
        let (kind, example) = unit.describe();
        let (at, text) = self.quantity();
        match unit.read(&text) {
            Some(limit) => Ok(Some(limit)),
            None => {
                Err(self.error(at, format!("`{text}` is not {kind}"), format!("write for example `stop at {example}`")))
            }
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
                    format!("`{text}` is not a valid duration"),
                    "write for example `fires within 4m`",
                )),
            };
        }
        if self.take(&["fires"]) {
            return Ok(Bound::AtLeast(1.0));
        }
        let what = format!("expected `stays quiet` or `fires within TIME`, found {}", self.shown());
        Err(self.error(self.here(), what, "write `stays quiet`, `fires within 4m`, or in a guard `fires`"))
    }

    /// Everything up to what may follow a quantity, as one.
    fn quantity(&mut self) -> (Range<usize>, String) {
        self.quantity_before(&[])
    }

    /// The same, up to one of these words too.
    fn quantity_before(&mut self, stops: &[&str]) -> (Range<usize>, String) {
        let start = self.here().start;
        let ends = |word: &Word<'_>| {
            // A limit ends where the comparison begins.
            is_verb(word.text)
                || word.text.contains(['<', '>'])
                || ["at", "below", "above", "no", "tolerating", "stop"].contains(&word.text)
                || stops.contains(&word.text)
        };
        let words: Vec<&Word<'_>> =
            self.words[self.next.min(self.words.len())..].iter().take_while(|word| !ends(word)).collect();
        self.next += words.len();
        let end = words.last().map_or(start, |word| word.at.end);
        let text = words.iter().map(|word| word.text).collect::<Vec<_>>().join(" ");
        (start..end, text)
    }

    fn end(&self) -> Result<(), NotASentence> {
        match self.words.get(self.next) {
            None => Ok(()),
            Some(word) => Err(self.error(
                word.at.start..self.text.trim_end().len(),
                format!("unexpected `{}` at the end of the sentence", &self.text[word.at.start..].trim_end()),
                "a sentence has one metric, one name and one bound; write another item for another bound",
            )),
        }
    }
}

fn is_verb(word: &str) -> bool {
    ["is", "are", "stays", "stay", "keep", "keeps", "spend", "spends"].contains(&word)
}

fn a_kind(kind: ResourceKind) -> String {
    let word = kind.word();
    format!("{} {word}", if word.starts_with('a') { "an" } else { "a" })
}
