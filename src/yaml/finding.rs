//! Findings: what is wrong in a file, where, and what to write instead.

use std::fmt;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde_json::json;

use super::source::{Place, Source};

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The file can be used, but a person should look.
    Warning,
    /// The file cannot be used.
    Error,
}

/// Declares every kind of finding once: its severity, its name and its explanation.
macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $severity:ident $code:ident = $id:literal,)+) => {
        /// The kinds of findings. Each has a pair of files in `tests/findings/`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Code { $($(#[doc = $doc])+ $code,)+ }

        impl Code {
            /// Every kind, in the order of the documentation.
            pub const ALL: &[Code] = &[$(Code::$code),+];

            /// Its name: `unknown-key`.
            pub const fn id(self) -> &'static str {
                match self { $(Code::$code => $id),+ }
            }

            /// How much it weighs.
            pub const fn severity(self) -> Severity {
                match self { $(Code::$code => Severity::$severity),+ }
            }

            /// What it means, for the documentation.
            pub fn explanation(self) -> String {
                match self { $(Code::$code => [$($doc),+].concat().trim().to_owned()),+ }
            }
        }
    };
}

codes! {
    /// The file is absent, a directory, or may not be read.
    Error UnreadableFile = "unreadable-file",
    /// The file is larger than 1 MiB.
    Error TooLarge = "too-large",
    /// The file is not UTF-8 text.
    Error NotUtf8 = "not-utf8",
    /// The text is not YAML.
    Error Syntax = "yaml-syntax",
    /// The text is nested deeper than 32 levels (a template 48) or has, with its aliases expanded, more than 100,000 nodes.
    Error Limit = "yaml-limit",
    /// A duplicate key in one mapping.
    Error DuplicateKey = "duplicate-key",
    /// A tag such as `!Sub`, which these files do not use.
    Error Tag = "unexpected-tag",
    /// A file of another tool: Chaos Toolkit, AWS FIS, LitmusChaos, Chaos Mesh or Steadybit.
    Error ForeignFile = "foreign-file",
    /// A key that has no meaning here.
    Error UnknownKey = "unknown-key",
    /// A key that must be there is not.
    Error MissingKey = "missing-key",
    /// A list where a mapping belongs, a text where a number belongs, and the like.
    Error WrongKind = "wrong-kind",
    /// A text or number of the right kind with an invalid value: a quantity without its unit, a name with a space.
    Error BadValue = "bad-value",
    /// A value that is not one of the known ones.
    Error UnknownWord = "unknown-word",
    /// Exactly one key is needed here; there is none, or several.
    Error OneKey = "one-key",
    /// A sentence about a signal that cannot be read; `docs/sentences.md` has the grammar.
    Error Sentence = "sentence",
    /// `version` must be the first key: it decides how the rest is read.
    Error VersionFirst = "version-first",
    /// A list that must not be empty is empty.
    Error Empty = "empty",
    /// A duration, rate or number that must not be 0.
    Error Zero = "zero",
    /// A target that the experiment does not have.
    Error UnknownTarget = "unknown-target",
    /// A target that no fault, load or signal uses.
    Warning UnusedTarget = "unused-target",
    /// A name in a sentence that is close to a target's name.
    Warning DoubtfulName = "doubtful-name",
    /// A resource that does not exist in the account.
    Error UnknownResource = "unknown-resource",
    /// A resource of a kind that the fault, load or metric does not apply to.
    Error WrongResource = "wrong-resource",
    /// A hypothesis whose file does not exist.
    Error UnknownHypothesis = "unknown-hypothesis",
    /// A hypothesis that is named twice.
    Warning Repeated = "repeated",
    /// An account that `squall.yaml` does not have.
    Error UnknownAccount = "unknown-account",
    /// An input that the experiment does not declare.
    Error UnknownInput = "unknown-input",
    /// An input without a default for which no value is chosen.
    Error MissingInput = "missing-input",
    /// An input that no value of the experiment uses.
    Warning UnusedInput = "unused-input",
    /// An experiment whose file does not exist.
    Error UnknownExperiment = "unknown-experiment",
    /// A command or a webhook of a gate that `squall.yaml` does not have.
    Error UnknownGate = "unknown-gate",
    /// A time zone that the IANA database does not have.
    Error UnknownZone = "unknown-zone",
    /// Two schedules of one name.
    Error RepeatedSchedule = "repeated-schedule",
    /// Hours of the week that are in two entries.
    Error OverlappingHours = "overlapping-hours",
    /// A schedule whose runs do not fit into its hours.
    Error NeverStarts = "never-starts",
    /// A blackout in which a year or more has no run.
    Warning AlwaysClosed = "always-closed",
    /// A calendar that does not exist, or is incomplete.
    Error BadCalendar = "bad-calendar",
    /// A calendar event that is not fully understood; it blocks more time than it says.
    Warning CalendarRule = "calendar-rule",
    /// A section of a runbook that is missing, unknown or there twice, or that lacks its front matter or its block of YAML.
    Error RunbookSection = "runbook-section",
    /// An item, an expectation or an alarm that a scenario does not have.
    Error UnknownItem = "unknown-item",
    /// Two items or expectations of one name in a scenario.
    Error RepeatedItem = "repeated-item",
    /// An item that waits for something that cannot happen.
    Error NeverReleased = "never-released",
    /// A role that is missing, or that may not have what it is given.
    Error WrongRole = "wrong-role",
    /// A fault parameter that no account could accept.
    Error FaultParameter = "fault-parameter",
    /// Two faults that would change one setting at the same time, or one before the other is rolled back.
    Error Overlap = "overlap",
    /// The run would be stopped by its own `longest` before its faults end.
    Error TooLong = "too-long",
    /// A fault whose effect could not be told from normal behaviour: every run would end unknown.
    Error NoEvidence = "no-evidence",
    /// A window length for which the metric has no values.
    Error Window = "window",
    /// The run is too short or too quiet ever to be judged held.
    Warning NeverHeld = "never-held",
    /// A lower bound on what has no data when there is none of it.
    Warning BlindAtZero = "blind-at-zero",
    /// A bound that every value meets, or that none can.
    Error EmptyBound = "empty-bound",
    /// Something in a template that the sandbox does not model.
    Warning NotModelled = "not-modelled",
    /// A value in a template that is not known here, but that the model needs.
    Warning UnknownValue = "unknown-value",
    /// A duplicate key in a template; CloudFormation uses the last one.
    Warning RepeatedKey = "repeated-key",
    /// An accepted warning that no longer appears.
    Warning NothingAccepted = "nothing-accepted",
    /// A missing permission between resources of a template.
    Warning NoPermission = "no-permission",
    /// Something in a template that AWS refuses on deployment.
    Error Refused = "refused-by-aws",
}

/// One thing that is wrong in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub code: Code,
    pub source: Arc<Source>,
    pub at: Place,
    /// What is wrong, in a sentence without a full stop.
    pub what: String,
    /// What to write instead.
    pub help: Option<String>,
    /// Other places that matter, and why.
    pub also: Vec<(Place, String)>,
}

impl Finding {
    /// A finding at a place.
    pub fn new(code: Code, source: &Arc<Source>, at: Place, what: impl Into<String>) -> Finding {
        let at = source.clamp(at);
        Finding { code, source: source.clone(), at, what: what.into(), help: None, also: Vec::new() }
    }

    /// The same, at another place of the file.
    #[must_use]
    pub fn at(mut self, at: Place) -> Finding {
        self.at = self.source.clamp(at);
        self
    }

    /// Says what to write instead; an empty text says nothing.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Finding {
        let help = help.into();
        self.help = (!help.is_empty()).then_some(help);
        self
    }

    /// Points to another place too.
    #[must_use]
    pub fn also(mut self, at: Place, why: impl Into<String>) -> Finding {
        self.also.push((self.source.clamp(at), why.into()));
        self
    }

    /// For programs: code, severity, file, line, column, byte range, what, help.
    pub fn to_json(&self) -> serde_json::Value {
        let position = self.source.position(self.at.start);
        json!({
            "code": self.code.id(),
            "severity": self.code.severity().word(),
            "file": self.source.file,
            "line": position.line,
            "column": position.column,
            "bytes": [self.at.start, self.at.end],
            "what": self.what,
            "help": self.help,
        })
    }

    /// For people: what is wrong, the file, the line with a caret, and what to write instead.
    pub fn render(&self, style: Style) -> String {
        let level = match self.code.severity() {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let title = level.primary_title(self.what.as_str()).id(self.code.id());
        let mut group = Group::with_title(title);
        let mut places: Vec<Place> = self.also.iter().map(|(at, _)| *at).collect();
        places.push(self.at);
        // Only the lines that matter are handed over, so that a large file costs nothing.
        let (from, to) = self.lines(&places);
        let line = self.source.position(from).line;
        let local = |at: Place| {
            let start = at.start.clamp(from, to);
            start - from..at.end.clamp(start, to) - from
        };
        let mut snippet = Snippet::source(&self.source.text[from..to])
            .path(self.source.file.as_str())
            .line_start(line)
            .annotation(AnnotationKind::Primary.span(local(self.at)));
        for (at, why) in &self.also {
            snippet = snippet.annotation(AnnotationKind::Context.span(local(*at)).label(why.as_str()));
        }
        group = group.element(snippet);
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        match style {
            Style::Plain => Renderer::plain().render(&[group]),
            Style::Colour => Renderer::styled().render(&[group]),
        }
    }

    /// The first and last byte of the lines that hold the places. Of a very long line only the part around.
    fn lines(&self, places: &[Place]) -> (usize, usize) {
        const AROUND: usize = 2_000;
        let text = &self.source.text;
        let first = places.iter().map(|at| at.start).min().unwrap_or_default();
        // A caret under a text of many lines does not help: its first line says enough.
        let last = places.iter().map(|at| at.start).max().unwrap_or_default();
        let from = text[..first].rfind('\n').map_or(0, |newline| newline + 1);
        let to = text[last..].find('\n').map_or(text.len(), |newline| last + newline);
        let from = from.max(text.floor_char_boundary(first.saturating_sub(AROUND)));
        let to = to.min(text.ceil_char_boundary(last + AROUND));
        (from, text[from..to].trim_end_matches('\r').len() + from)
    }
}

/// As one line: `x.yaml:3:5: what: help`.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let position = self.source.position(self.at.start);
        write!(f, "{}:{}:{}: {}", self.source.file, position.line, position.column, self.what)?;
        match &self.help {
            Some(help) => write!(f, "; {help}"),
            None => Ok(()),
        }
    }
}

impl Severity {
    /// `error` or `warning`.
    pub const fn word(self) -> &'static str {
        match self {
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// Whether a rendering has colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Plain,
    Colour,
}

/// Findings as they come in; each counts once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    list: Vec<Finding>,
    /// Counted, whether kept or not.
    errors: usize,
    warnings: usize,
}

impl Findings {
    /// More than these are not shown to people.
    const SHOWN: usize = 100;
    /// More than these are counted, and not kept: a file with a thousand findings is not what its author thinks it is.
    const KEPT: usize = 1_000;

    /// Adds one. A finding that is there already (an alias or a hypothesis that is used twice) is not added again.
    pub fn push(&mut self, finding: Finding) {
        let again = |other: &Finding| {
            other.at == finding.at && other.code == finding.code && other.source.file == finding.source.file
        };
        if self.list.iter().any(|other| again(other) && other.what == finding.what) {
            return;
        }
        // The first error is kept even among very many warnings.
        let kept = self.list.len() < Findings::KEPT;
        match finding.code.severity() {
            Severity::Warning => self.warnings += 1,
            Severity::Error => self.errors += 1,
        }
        if kept || (finding.code.severity() == Severity::Error && self.errors == 1) {
            self.list.push(finding);
        }
    }

    /// Whether more findings are only counted and change nothing, so that they need not be searched for.
    pub fn is_full(&self) -> bool {
        self.list.len() >= Findings::KEPT && self.has_errors()
    }

    /// Adds others'.
    pub fn append(&mut self, others: Findings) {
        let counted =
            |severity: Severity| others.list.iter().filter(|finding| finding.code.severity() == severity).count();
        let not_kept = (others.errors - counted(Severity::Error), others.warnings - counted(Severity::Warning));
        for finding in others.list {
            self.push(finding);
        }
        self.errors += not_kept.0;
        self.warnings += not_kept.1;
    }

    /// In the order of files, then of places.
    pub fn sort(&mut self) {
        self.list.sort_by(|a, b| (&a.source.file, a.at, a.code).cmp(&(&b.source.file, b.at, b.code)));
    }

    /// Takes the findings out that are of this kind, as a list.
    pub fn take(&mut self, is: impl Fn(&Finding) -> bool) -> Vec<Finding> {
        let (taken, kept): (Vec<Finding>, Vec<Finding>) = std::mem::take(&mut self.list).into_iter().partition(is);
        let warnings = taken.iter().filter(|finding| finding.code.severity() == Severity::Warning).count();
        (self.warnings, self.errors) = (self.warnings - warnings, self.errors + warnings - taken.len());
        self.list = kept;
        taken
    }

    /// Every finding that was kept.
    pub fn iter(&self) -> impl Iterator<Item = &Finding> {
        self.list.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.errors + self.warnings
    }

    /// Whether nothing was found at all.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many of them are errors.
    pub fn errors(&self) -> usize {
        self.errors
    }

    /// Whether a file cannot be used.
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// All of them for people, blank lines between, with a last line that counts them.
    pub fn render(&self, style: Style) -> String {
        let mut text = String::new();
        for finding in self.list.iter().take(Findings::SHOWN) {
            text += &finding.render(style);
            text += "\n\n";
        }
        if self.len() > Findings::SHOWN {
            text += &format!("... and {} more\n\n", self.len() - Findings::SHOWN);
        }
        text + &self.count() + "\n"
    }

    /// `2 errors, 1 warning`.
    pub fn count(&self) -> String {
        let count = |number: usize, severity: Severity| match number {
            0 => None,
            1 => Some(format!("1 {}", severity.word())),
            many => Some(format!("{many} {}s", severity.word())),
        };
        let parts = [count(self.errors, Severity::Error), count(self.warnings, Severity::Warning)];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        if parts.is_empty() { "no findings".into() } else { parts.join(", ") }
    }

    /// For programs: a list.
    pub fn to_json(&self) -> serde_json::Value {
        self.list.iter().map(Finding::to_json).collect()
    }
}

impl From<Finding> for Findings {
    fn from(finding: Finding) -> Findings {
        let mut findings = Findings::default();
        findings.push(finding);
        findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_finding_shows_its_line() {
        let source = Source::new("x.yaml", "version: 1\r\ntargets:\r\n\tworker: é oops\r\n");
        let at = source.text.find("oops").unwrap();
        let finding = Finding::new(Code::UnknownWord, &source, Place::new(at, at + 4), "`oops` is not a word")
            .help("write `ok`")
            .also(Place::new(0, 7), "because of this");
        insta::assert_snapshot!(finding.render(Style::Plain), @r#"
        error[unknown-word]: `oops` is not a word
         --> x.yaml:3:12
          |
        1 | version: 1
          | ------- because of this
        2 | targets:
        3 |     worker: é oops
          |               ^^^^
          |
          = help: write `ok`
        "#);
        insta::assert_snapshot!(finding.to_json(), @r#"{"code":"unknown-word","severity":"error","file":"x.yaml","line":3,"column":12,"bytes":[34,38],"what":"`oops` is not a word","help":"write `ok`"}"#);
        insta::assert_snapshot!(finding, @r#"x.yaml:3:12: `oops` is not a word; write `ok`"#);
    }

    #[test]
    fn the_same_finding_counts_once() {
        let source = Source::new("x.yaml", "a: 1\n");
        let mut findings = Findings::default();
        findings.push(Finding::new(Code::UnknownKey, &source, Place::new(0, 1), "no"));
        findings.push(Finding::new(Code::UnknownKey, &source, Place::new(0, 1), "no"));
        assert_eq!(findings.count(), "1 error");
    }

    #[test]
    fn a_place_in_the_line_end_is_shown_at_the_end_of_its_line() {
        let source = Source::new("x.yaml", "\r\r");
        let finding = Finding::new(Code::Syntax, &source, Place::new(0, 2), "what").also(Place::new(2, 2), "why");
        assert!(finding.render(Style::Plain).contains("x.yaml"));
    }

    proptest! {
        #[test]
        fn no_place_and_no_text_makes_rendering_panic(text in "\\PC{0,40}|[\\x00-\\x7fé\r\n\t]{0,40}", a in 0_usize..50, b in 0_usize..50) {
            let source = Source::new("x.yaml", text);
            let finding = Finding::new(Code::Syntax, &source, Place::new(a, b), "what").also(Place::new(b, a), "why");
            prop_assert!(finding.render(Style::Plain).contains("x.yaml"));
        }
    }
}
