//! An event in words: no line or one. What is printed while a run goes on and what `squall log` prints afterwards are
//! the same lines, because both come from here and from nothing but the events.

mod switch;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::summary::ledger::{LedgerEntry, Status};
use super::words;
use crate::account::{Metric, Query, SendOutcome, Setting, Value};
use crate::judge::bound::Bound;
use crate::judge::verdict::{Verdict, VerdictKind};
use crate::plan::{ChangeId, DuringFault, Plan, SignalPlan};
use crate::run::Recorded;
use crate::run::event::{Event, Left, MessageAccount, Phase, Settled, WriteOutcome};
use crate::run::judging::Case;
use crate::run::state::State;
use crate::units::{Span, Time};

/// How often a signal that goes on breaking is said again.
const REPEAT: Span = Span::from_mins(1);

/// What a line is about; the word in its second column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    Start,
    Baseline,
    Lock,
    Switch,
    Fault,
    Effect,
    Steady,
    Breaks,
    NoData,
    Broken,
    Stop,
    Undo,
    Undone,
    Left,
    Messages,
    Recovery,
    Owner,
    Verdict,
}

/// How much a line asks for attention. Always said in words too; a colour only helps the eye.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Quiet,
    Plain,
    Strong,
    Good,
    Warning,
    Bad,
}

/// One line of a run's story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Of the event.
    pub seq: u64,
    pub at: Time,
    /// Since the start of the run: `+05:00`.
    pub offset: String,
    pub label: Label,
    pub tone: Tone,
    /// One line without control characters.
    pub text: String,
}

impl Label {
    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Label::Start => "start",
            Label::Baseline => "baseline",
            Label::Lock => "lock",
            Label::Switch => "dead man",
            Label::Fault => "fault",
            Label::Effect => "effect",
            Label::Steady => "steady",
            Label::Breaks => "breaks",
            Label::NoData => "no data",
            Label::Broken => "broken",
            Label::Stop => "stop",
            Label::Undo => "rollback",
            Label::Undone => "restored",
            Label::Left => "left",
            Label::Messages => "messages",
            Label::Recovery => "recovery",
            Label::Owner => "owner",
            Label::Verdict => "verdict",
        }
    }
}

impl Tone {
    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Tone::Quiet => "quiet",
            Tone::Plain => "plain",
            Tone::Strong => "strong",
            Tone::Good => "good",
            Tone::Warning => "warning",
            Tone::Bad => "bad",
        }
    }
}

impl Line {
    fn of(recorded: &Recorded, started: Time, (label, tone, text): (Label, Tone, String)) -> Line {
        Line {
            seq: recorded.seq,
            at: recorded.at,
            offset: words::offset(started, recorded.at),
            label,
            tone,
            text: words::one_line(&text),
        }
    }
}

/// `+05:00  fault     reserved concurrency of function PaymentWorker: unset -> 0`
impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<6}  {:<10}{}", self.offset, self.label.word(), self.text)
    }
}

/// Tells a run event by event.
#[derive(Clone, Debug, Default)]
pub struct Narrator {
    state: Option<State>,
    signals: BTreeMap<usize, LastSaid>,
    unmeasured: BTreeSet<String>,
}

/// What was last said of a signal.
#[derive(Clone, Debug, PartialEq)]
struct LastSaid {
    mood: Mood,
    at: Time,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    NoData,
    Steady { in_alarm: bool },
    Breaks,
}

/// Every line of a journal.
pub fn lines(events: &[Recorded]) -> Vec<Line> {
    let mut narrator = Narrator::default();
    events.iter().filter_map(|recorded| narrator.tell(recorded)).collect()
}

/// The whole story as text, a line feed after each line.
pub fn text(events: &[Recorded]) -> String {
    lines(events).iter().map(|line| format!("{line}\n")).collect()
}

impl Narrator {
    /// Takes in the next event and says what there is to say of it.
    pub fn tell(&mut self, recorded: &Recorded) -> Option<Line> {
        if let Event::Acknowledged { run, by, reason, left } = &recorded.event {
            let left = words::plural(left.len(), "thing", "things");
            let text = format!("{by} acknowledged {left} that {run} left behind: {reason}");
            return Some(Line::of(recorded, recorded.at, (Label::Owner, Tone::Strong, text)));
        }
        match &mut self.state {
            None => self.state = State::start(recorded.at, &recorded.event),
            Some(state) => state.apply(recorded.at, &recorded.event),
        }
        // Nothing can be said of a journal that does not begin at its beginning.
        let state = self.state.take()?;
        let said = self.say(&state, recorded);
        let line = said.map(|said| Line::of(recorded, state.started, said));
        self.state = Some(state);
        line
    }

    /// What is known of the run so far.
    pub fn state(&self) -> Option<&State> {
        self.state.as_ref()
    }

    fn say(&mut self, state: &State, recorded: &Recorded) -> Option<(Label, Tone, String)> {
        let plan = &*state.plan;
        match &recorded.event {
            Event::Started { by, version, .. } => {
                let text = format!("{}; {} by {by}, seed {}, squall {version}", plan.title, plan.run, plan.seed);
                Some((Label::Start, Tone::Strong, text))
            }
            Event::Entered { phase } => entered(state, *phase),
            Event::Sampled { .. } => self.sampled(state, recorded),
            Event::Unmeasured { query, error, .. } => self.unmeasured(query, &error.to_string()),
            Event::SignalBroken { signal, window } => {
                let about = plan.signals.get(*signal)?;
                let judgement = Case::of(state, *signal)?.judgement();
                let how = match judgement.kind {
                    VerdictKind::Broken => words::reason(state, judgement.brief()),
                    _ => format!("broke ({})", words::window(state.started, *window)),
                };
                Some((Label::Broken, Tone::Bad, format!("{} {how}", about.title)))
            }
            Event::Blind { .. } | Event::Sighted { .. } => sight(&recorded.event),
            Event::Extended { until, why } => Some(extended(state, *until, why)),
            Event::Arming { .. } | Event::Armed { .. } | Event::SwitchEnded { .. } => {
                switch::told(state, &recorded.event)
            }
            Event::StepBegins { step } => {
                let about = plan.steps.get(*step)?;
                Some((Label::Fault, Tone::Strong, format!("{}: {}", about.fault, about.summary)))
            }
            Event::Effective { step, since, seen } => {
                let fault = &plan.steps.get(*step)?.fault;
                let text = format!("{fault} in effect since {}: {seen}", words::offset(state.started, *since));
                Some((Label::Effect, Tone::Plain, text))
            }
            Event::NotEffective { step } => {
                let about = plan.steps.get(*step)?;
                let text = format!("{}: no evidence of an effect; expected: {}", about.fault, about.evidence.expect);
                Some((Label::Effect, Tone::Warning, text))
            }
            Event::Changing { .. }
            | Event::Changed { .. }
            | Event::Restoring { .. }
            | Event::Restored { .. }
            | Event::FoundAgain { .. }
            | Event::Settled { .. } => changed(plan, &recorded.event),
            Event::Sending { .. } | Event::Sent { .. } | Event::Accounted { .. } => messages(state, &recorded.event),
            Event::Loaded { .. } | Event::Sweeping { .. } | Event::Swept { .. } => None,
            Event::Stopping { why } => Some((Label::Stop, Tone::Warning, words::stop(plan, why))),
            Event::Hindered { .. } | Event::LookAgain { .. } => held_up(plan, &recorded.event),
            Event::Acknowledged { .. } => None,
            Event::FaultGone => Some((
                Label::Recovery,
                Tone::Strong,
                format!("the fault has ended; the signals have {} to be steady again", plan.recovers_within),
            )),
            Event::TakenOver { by, epoch } => {
                Some((Label::Owner, Tone::Warning, format!("{by} took the run over (epoch {epoch})")))
            }
            Event::Closed { verdict, left } => Some(closed(state, verdict, left)),
        }
    }

    /// A signal is said when it turns, and again once a minute while it breaks though it must not, until it is decided.
    fn sampled(&mut self, state: &State, recorded: &Recorded) -> Option<(Label, Tone, String)> {
        let Event::Sampled { signal, phase, window, sample, breaks } = &recorded.event else { return None };
        let about = state.plan.signals.get(*signal)?;
        self.unmeasured.remove(&about.query.to_string());
        let mood = match (words::finite(sample.value), breaks) {
            (None, _) => Mood::NoData,
            (Some(_), true) => Mood::Breaks,
            (Some(v), false) => Mood::Steady { in_alarm: about.query.metric == Metric::AlarmState && v >= 0.5 },
        };
        let allowed = may_break_now(about, *phase);
        let decided = state.signals.get(*signal).is_some_and(|known| known.broken.is_some());
        let news = match self.signals.get(signal) {
            None => true,
            Some(last) if last.mood != mood => true,
            Some(last) => mood == Mood::Breaks && !allowed && !decided && recorded.at.since(last.at) >= REPEAT,
        };
        if !news {
            return None;
        }
        self.signals.insert(*signal, LastSaid { mood, at: recorded.at });
        let (label, tone) = match mood {
            Mood::NoData => (Label::NoData, Tone::Warning),
            Mood::Steady { .. } => (Label::Steady, Tone::Quiet),
            Mood::Breaks if allowed => (Label::Breaks, Tone::Warning),
            Mood::Breaks => (Label::Breaks, Tone::Bad),
        };
        let when = words::window(state.started, *window);
        let own = state.signals.get(*signal).and_then(|known| known.windows.last()).map_or(0, |seen| seen.own);
        let text = match mood {
            Mood::NoData => format!("{} ({when})", about.query),
            _ => format!(
                "{} is {}{}, {}{} ({when})",
                about.query,
                words::sample(about, *sample, *breaks),
                words::own(own, sample.value),
                words::expected(about.query.metric, about.bound, *phase),
                if allowed && *breaks { until_when(state) } else { String::new() },
            ),
        };
        Some((label, tone, text))
    }

    fn unmeasured(&mut self, query: &Query, error: &str) -> Option<(Label, Tone, String)> {
        let text = format!("{query} could not be measured: {error}");
        self.unmeasured.insert(query.to_string()).then_some((Label::NoData, Tone::Warning, text))
    }
}

/// What is seen no more, or again.
fn sight(event: &Event) -> Option<(Label, Tone, String)> {
    match event {
        Event::Blind { what, why, .. } => {
            let text = format!("{what} cannot be measured: {why}; after 3m the run stops");
            Some((Label::NoData, Tone::Warning, text))
        }
        Event::Sighted { what } => Some((Label::Steady, Tone::Plain, format!("{what} is measured again"))),
        _ => None,
    }
}

fn extended(state: &State, until: Time, why: &str) -> (Label, Tone, String) {
    let until = words::offset(state.started, until);
    let why = words::reason(state, why);
    let text = format!("{why}; the baseline continues until its last windows hold, until {until} at the most");
    (Label::Baseline, Tone::Warning, text)
}

/// Whether a hypothesis allows a signal to be out of its bound: what may break, until the recovery is over.
pub fn may_break_now(signal: &SignalPlan, phase: Phase) -> bool {
    let may = signal.during_fault == DuringFault::MayBreak || matches!(signal.bound, Bound::FiresWithin(_));
    may && phase != Phase::Baseline
}

fn until_when(state: &State) -> String {
    match state.gone {
        None => "; allowed now".into(),
        Some(gone) => format!("; it has until {}", words::offset(state.started, gone + state.plan.recovers_within)),
    }
}

fn entered(state: &State, phase: Phase) -> Option<(Label, Tone, String)> {
    let plan = &state.plan;
    let said = match phase {
        Phase::Baseline => {
            let judged = plan.signals.iter().filter(|signal| signal.is_judged()).count();
            let signals = words::plural(judged, "signal", "signals");
            (Label::Baseline, Tone::Strong, format!("{signals} must be steady for {}", plan.baseline))
        }
        Phase::Fault => {
            let faults = words::plural(plan.steps.len(), "fault", "faults");
            (Label::Baseline, Tone::Plain, format!("accepted; {faults} to inject"))
        }
        Phase::Rollback => {
            let out =
                state.outstanding().filter(|id| plan.changes.get(id).is_some_and(|c| !c.setting.is_lock())).count();
            let text = match (out, state.unaccounted().next()) {
                (0, None) => "nothing is changed".into(),
                (0, Some(_)) => "no setting is changed; searching for the messages".into(),
                (n, _) => format!("rolling back {}", words::plural(n, "change", "changes")),
            };
            (Label::Undo, Tone::Strong, text)
        }
        // That the fault is gone says it.
        Phase::Recovery => return None,
    };
    Some(said)
}

/// What keeps a rollback from being done.
fn held_up(plan: &Plan, event: &Event) -> Option<(Label, Tone, String)> {
    match event {
        Event::Hindered { why } => {
            Some((Label::Undo, Tone::Bad, format!("the rollback cannot go on and is tried again: {why}")))
        }
        Event::LookAgain { changes, from } => {
            let settings = changes.iter().filter_map(|id| plan.changes.get(id)).map(|c| c.setting.describe());
            let (settings, from, run) = (settings.collect::<Vec<_>>().join(", "), words::instant(*from), plan.origin());
            let text = format!(
                "a write had no answer: after {from}, `squall undo {run}` reads again whether it took effect: {settings}"
            );
            Some((Label::Undo, Tone::Warning, text))
        }
        _ => None,
    }
}

fn changed(plan: &Plan, event: &Event) -> Option<(Label, Tone, String)> {
    let name = |change: &ChangeId| plan.changes.get(change).map(|c| (&c.setting, &c.before, &c.after));
    match event {
        // What a rollback of another run begins with is what that run may have done, and when is not known.
        Event::Changing { change } if plan.rolls_back.is_some() => {
            let (setting, before, after) = name(change)?;
            let [before, after] = [before, after].map(|value| words::setting_value(setting, value));
            Some(match setting {
                Setting::Lock { resource } => {
                    (Label::Lock, Tone::Quiet, format!("{resource} is locked by {}", plan.origin()))
                }
                _ => {
                    let text =
                        format!("{setting}: {} may have set it to {after}; before it was {before}", plan.origin());
                    (Label::Fault, Tone::Plain, text)
                }
            })
        }
        Event::Changing { change } => {
            let (setting, before, after) = name(change)?;
            Some(match setting {
                Setting::Lock { resource } => {
                    (Label::Lock, Tone::Quiet, format!("{resource} is locked by {}", plan.run))
                }
                _ => (Label::Fault, Tone::Plain, arrow(setting, before, after)),
            })
        }
        Event::Restoring { change, found } => {
            let (setting, before, _) = name(change)?;
            // What a lock says is for other runs, not for a reader of this one.
            (!setting.is_lock()).then(|| (Label::Undo, Tone::Plain, arrow(setting, found, before)))
        }
        Event::Changed { change, outcome } | Event::Restored { change, outcome } => {
            let (setting, ..) = name(change)?;
            let label = if matches!(event, Event::Changed { .. }) { Label::Fault } else { Label::Undo };
            match outcome {
                WriteOutcome::Applied => None,
                WriteOutcome::Refused(error) => Some((label, Tone::Warning, format!("{setting} was refused: {error}"))),
                WriteOutcome::Unknown(why) => {
                    Some((label, Tone::Warning, format!("{setting}: outcome unknown: {why}")))
                }
            }
        }
        Event::FoundAgain { change } => {
            let (setting, ..) = name(change)?;
            let text = format!("{setting}: the fault's value is back; rolling it back again");
            Some((Label::Undo, Tone::Warning, text))
        }
        Event::Settled { change, how } => {
            let (setting, before, _) = name(change)?;
            Some(match (how.needs_attention(), setting) {
                (true, _) => (Label::Left, Tone::Bad, format!("{setting}: {}", words::settled(setting, how))),
                (false, Setting::Lock { resource }) => (Label::Lock, Tone::Quiet, format!("{resource} is unlocked")),
                (false, _) => {
                    let before = words::setting_value(setting, before);
                    let text = match how {
                        Settled::Restored => format!("{setting}: {before} again, verified"),
                        Settled::AlreadyBefore => format!("{setting}: was already {before}"),
                        _ => format!("{setting}: {}", words::settled(setting, how)),
                    };
                    (Label::Undone, Tone::Good, text)
                }
            })
        }
        _ => None,
    }
}

fn arrow(setting: &Setting, from: &Value, to: &Value) -> String {
    format!("{setting}: {} -> {}", words::setting_value(setting, from), words::setting_value(setting, to))
}

/// The first and the last send of a step are said, every one that went wrong, and the account of them all.
fn messages(state: &State, event: &Event) -> Option<(Label, Tone, String)> {
    let emission = |step: &usize| state.plan.steps.get(*step).and_then(|s| s.emission.as_ref());
    match event {
        Event::Sending { step, first, .. } => {
            let emission = emission(step).filter(|emission| emission.first == *first)?;
            let n = words::plural(emission.bodies.len(), "message goes", "messages go");
            Some((Label::Messages, Tone::Plain, format!("{n} to {}, one every {}", emission.queue, emission.interval)))
        }
        Event::Sent { first, last, outcomes: Err(error), .. } => {
            Some((Label::Messages, Tone::Warning, format!("sending {first} to {last}: {error}")))
        }
        Event::Sent { step, first, last, outcomes: Ok(outcomes) } => {
            let refused: Vec<String> = (*first..)
                .zip(outcomes)
                .filter_map(|(number, outcome)| match outcome {
                    SendOutcome::Accepted => None,
                    SendOutcome::Refused(why) => Some(format!("message {number} was refused: {why}")),
                })
                .collect();
            if !refused.is_empty() {
                return Some((Label::Messages, Tone::Warning, refused.join("; ")));
            }
            let emission = emission(step)?;
            let all = emission.bodies.len();
            let is_last = last.saturating_sub(emission.first) as usize + 1 >= all;
            let accepted = state.steps.get(*step)?.sends.accepted.len();
            is_last.then(|| {
                let text = format!("the queue took {} of {}", words::whole(accepted as u64), words::whole(all as u64));
                (Label::Messages, Tone::Plain, text)
            })
        }
        Event::Accounted { account, why, .. } => {
            let tone = if account.left > 0 || !account.not_found.is_empty() { Tone::Warning } else { Tone::Good };
            Some((Label::Messages, tone, format!("{}; {why}", account_sentence(account))))
        }
        _ => None,
    }
}

/// `20 sent: 18 swept from the dead-letter queue, 2 taken by the application`.
pub fn account_sentence(account: &MessageAccount) -> String {
    let mut parts = Vec::new();
    let mut part = |n: usize, text: &str| {
        if n > 0 {
            parts.push(format!("{} {text}", words::whole(n as u64)));
        }
    };
    part(account.swept as usize, "swept from the dead-letter queue");
    part(account.left as usize, "left in the dead-letter queue");
    part(account.consumed.len(), "taken by the application");
    part(account.not_found.len(), "not found");
    part(account.refused as usize, "refused by the queue");
    part(account.unknown as usize, "with no answer to the send");
    let sent = words::whole(account.sent() as u64);
    match parts.is_empty() {
        true => format!("{sent} sent"),
        false => format!("{sent} sent: {}", words::list(&parts)),
    }
}

/// What became of squall's own locks.
pub fn locks_sentence(locks: &[&LedgerEntry]) -> String {
    let made = locks.iter().filter(|lock| lock.status.was_made()).count();
    let removed =
        locks.iter().filter(|lock| matches!(&lock.status, Status::Settled(how) if !how.needs_attention())).count();
    match (made, made - removed.min(made)) {
        (0, _) => "No resource was locked.".into(),
        (made, 0) => format!("{} set and removed by squall.", words::plural(made, "lock", "locks")),
        (made, left) => {
            format!("{} set by squall; {left} not removed.", words::plural(made, "lock", "locks"))
        }
    }
}

fn closed(state: &State, verdict: &Verdict, left: &[Left]) -> (Label, Tone, String) {
    let tone = match (verdict.kind, left.is_empty()) {
        (_, false) | (VerdictKind::Broken, _) => Tone::Bad,
        (VerdictKind::Unknown, _) => Tone::Warning,
        (VerdictKind::Held, _) => Tone::Good,
    };
    let mut text = verdict.kind.to_string();
    if !verdict.reasons.is_empty() {
        text += ": ";
        let reasons = verdict.reasons.iter().map(|reason| words::reason(state, reason));
        text += &reasons.collect::<Vec<_>>().join("; ");
    }
    text += &match (left.len(), state.look_again) {
        (0, None) => "; nothing is left behind".to_owned(),
        (0, Some(_)) => "; nothing is seen left behind, and what had no answer is to be read once more".to_owned(),
        (n, _) => format!("; {} left behind", words::plural(n, "thing is", "things are")),
    };
    (Label::Verdict, tone, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn a_held_run_is_told() {
        insta::assert_snapshot!(text(&sample::held()));
    }

    #[test]
    fn a_run_that_left_something_is_told() {
        insta::assert_snapshot!(text(&sample::left_behind()));
    }

    #[test]
    fn a_broken_run_is_told() {
        insta::assert_snapshot!(text(&sample::broken()));
    }

    #[test]
    fn what_was_said_while_it_ran_is_what_the_log_says() {
        for (name, events) in sample::all() {
            let mut narrator = Narrator::default();
            let live: Vec<Line> = events.iter().filter_map(|recorded| narrator.tell(recorded)).collect();
            for cut in 0..=events.len() {
                let replayed = lines(&events[..cut]);
                assert_eq!(replayed, live[..replayed.len()], "{name} cut at {cut}");
            }
        }
    }

    #[test]
    fn a_line_is_one_line() {
        for line in lines(&sample::hostile()) {
            let shown = line.to_string();
            assert!(!shown.contains(|c: char| c.is_control()), "{shown:?}");
        }
    }
}
