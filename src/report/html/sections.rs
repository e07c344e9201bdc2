//! The sections of the HTML report below the verdict, in the order of all reports.

use maud::{Markup, html};

use super::chip;
use crate::account::Value;
use crate::numbers::thousands;
use crate::report::summary::Summary;
use crate::report::summary::faults::{Effect, MessageStory, StepStory};
use crate::report::summary::ledger::{LedgerEntry, Status};
use crate::report::summary::signals::SignalStory;
use crate::report::{chart, line, reproduce, words};
use crate::run::event::Phase;
use crate::units::Time;

/// A table of more windows than this is left to the JSON report.
const MOST_ROWS: usize = 500;

/// Every section.
pub(super) fn all(summary: &Summary) -> Markup {
    html! {
        (hypothesis(summary))
        (what_was_done(summary))
        (signals(summary))
        (alarms(summary))
        (checks(summary))
        (effects(summary))
        (ledger(summary))
        (recovery(summary))
        (messages(summary))
        (load(summary))
        (timeline(summary))
        (environment(summary))
        // A rollback from locks knows no file.
        @if !summary.environment.file.is_empty() { (reproduced(summary)) }
    }
}

fn hypothesis(summary: &Summary) -> Markup {
    html! {
        section {
            h2 { @if summary.hypotheses.is_empty() { "Why" } @else { "Hypothesis" } }
            @if !summary.because.is_empty() { p { (prose(&summary.because)) } }
            @for hypothesis in &summary.hypotheses {
                @let signals = summary.signals_of(hypothesis);
                div class="hypothesis" {
                    @match signals.as_slice() {
                        // A hypothesis that was written in the experiment itself has no other name.
                        [only] if only.title == hypothesis.name => {
                            h3 { (only.title) " " (chip(only.verdict)) }
                            p class="soft" { (only.asked()) }
                        }
                        signals => {
                            h3 { (hypothesis.name) }
                            ul { @for signal in signals { li { (signal.title) " " (chip(signal.verdict)) " " span class="soft" { (signal.asked()) } } } }
                        }
                    }
                }
            }
        }
    }
}

fn what_was_done(summary: &Summary) -> Markup {
    let at = |time: Option<Time>| time.map_or_else(|| "–".into(), |time| summary.offset(time));
    html! {
        section {
            h2 { "Timeline" }
            @if let Some(stopped) = &summary.stopped {
                p { "The run stopped early at " (summary.offset(stopped.at)) ": " (stopped.why) "." }
            }
            figure tabindex="0" { (chart::timeline(summary)) }
            div class="wide" tabindex="0" { table {
                thead { tr {
                    th scope="col" { "Fault" } th scope="col" { "What it does" } th scope="col" { "Affected" }
                    th scope="col" { "Planned" } th scope="col" class="time" { "In" } th scope="col" class="time" { "Ended" } th scope="col" class="time" { "Undone" }
                } }
                tbody { @for step in &summary.steps { tr {
                    th scope="row" { (step.fault) }
                    td { (step.summary) }
                    td { (words::list(&step.hits.iter().map(|hit| words::one_line(&hit.to_string())).collect::<Vec<_>>())) }
                    td { (planned(step)) }
                    td class="time" { (at(step.began)) }
                    td class="time" { (at(step.undo_began)) }
                    td class="time" { (at(step.undone)) }
                } } }
            } }
            p class="soft" { "Times count from the start of the run, " (words::instant(summary.times.started)) ". Planned times count from the accepted baseline. Started by " (summary.environment.by) "." }
            @if !summary.warnings.is_empty() {
                h3 { "The plan warned" }
                ul { @for warning in &summary.warnings { li { (prose(warning)) } } }
            }
        }
    }
}

/// A sentence whose `words in backticks` are set as code.
pub(super) fn prose(text: &str) -> Markup {
    html! {
        @for (place, part) in text.split('`').enumerate() {
            @if place % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

/// What to do: a command stands on its own, anything else is a sentence.
pub(super) fn remedy(text: &str) -> Markup {
    html! {
        @if ["squall ", "aws "].iter().any(|program| text.starts_with(program)) {
            pre { (text) }
        } @else {
            p { (prose(text)) }
        }
    }
}

fn planned(step: &StepStory) -> String {
    format!("at {}, for {}", step.planned_at, step.planned_to_last)
}

fn signals(summary: &Summary) -> Markup {
    html! {
        section {
            h2 { "Signals" }
            @for signal in &summary.signals {
                figure tabindex="0" {
                    figcaption {
                        h3 { (signal.title) " " (chip(signal.verdict)) }
                        span class="soft" { (signal.note(&summary.times)) }
                    }
                    (chart::signal(summary, signal))
                    @if !signal.why.is_empty() { p class="why" { (prose(&words::sentence(&signal.why))) } }
                    @if let Some(control) = signal.control.and_then(|number| summary.signals.get(number - 1)) {
                        p class="soft note" { "Dashed: " (control.query) ", its control." }
                    }
                    @if signal.counts_own() {
                        p class="soft note" { "Grey bars: messages that squall sent itself. They do not count against \
                                the bound." }
                    }
                    (windows(summary, signal))
                }
            }
            p class="soft" {
                "Shaded: a fault is active. The grey band is the range of the baseline. A dot is a window; a larger \
                 red diamond is a window outside the bound; where the line stops there is no data."
            }
            p class="soft" {
                "Evidence against the bound: 1 in 400 means that if the bound held, fewer than one run in 400 would \
                 look this bad. It rises with windows worse than tolerated, and falls with better ones. At the dashed \
                 line the bound counts as broken."
            }
        }
    }
}

fn alarms(summary: &Summary) -> Markup {
    html! {
        @if !summary.alarms.rows().is_empty() {
            section {
                h2 { "Alarms" }
                dl class="pairs" { @for (what, names) in summary.alarms.rows() { dt { (what) } dd { (words::list(names)) } } }
            }
        }
    }
}

fn windows(summary: &Summary, signal: &SignalStory) -> Markup {
    let rows = signal.windows.len();
    html! {
        @if (1..=MOST_ROWS).contains(&rows) {
            details {
                summary { (words::plural(rows, "window", "windows")) " as a table" }
                div class="wide" tabindex="0" { table {
                    thead { tr { th scope="col" { "Window" } th scope="col" { "Phase" } th scope="col" class="number" { "Value" } th scope="col" class="number" { "Of" } th scope="col" { "Bound" } th scope="col" class="number" { "Evidence" } } }
                    tbody { @for point in &signal.windows { tr {
                        td class="time" { (summary.offset(point.from)) " to " (summary.offset(point.to)) }
                        td { (words::phase(point.phase)) }
                        td class="number" { (signal.shown(point)) }
                        td class="number" { @match point.of { Some(of) => (words::whole(of)), None => "–" } }
                        td { @if point.value.is_none() || !signal.has_outside() { "–" } @else if point.breaks { "outside" } @else { "inside" } }
                        td class="number" { @match point.odds { None => "–", Some(odds) if odds < 2.0 => "none", Some(odds) => { "1 in " (thousands(odds)) } } }
                    } } }
                } }
            }
        }
    }
}

fn checks(summary: &Summary) -> Markup {
    let phases = [Phase::Baseline, Phase::Fault, Phase::Recovery];
    html! {
        section {
            h2 { "Checks" }
            div class="wide" tabindex="0" { table class="dense" {
                thead { tr {
                    th scope="col" { "Signal" } th scope="col" { "Expected" }
                    @for phase in phases { th scope="col" { "In " (words::phase(phase)) } }
                    th scope="col" { "Result" }
                } }
                tbody { @for signal in &summary.signals { tr {
                    th scope="row" { (signal.query) @if signal.hypothesis != signal.title { small { (signal.hypothesis) } } }
                    td { (signal.expected) @if !signal.judged().is_empty() { small { (signal.judged()) } } }
                    @for phase in phases { td { (observed(signal, phase)) } }
                    td { (chip(signal.verdict)) }
                } } }
            } }
            p class="soft" { "The second line says how a signal is judged. Where something is tolerated, evidence \
                    against the bound adds up window by window, and the signal is broken when chance alone would \
                    explain it less than once in that many runs." }
        }
    }
}

fn observed(signal: &SignalStory, phase: Phase) -> Markup {
    let story = signal.phases.iter().find(|story| story.phase == phase);
    html! {
        @match story {
            None => span class="soft" { "no window" },
            Some(story) => {
                @match (story.lowest, story.highest) {
                    (Some(low), Some(high)) => span class="whole" { (words::range(signal.metric, low, high)) },
                    _ => "no data",
                }
                @if signal.has_outside() { small class="whole" { (story.breaking) " of " (story.windows) " outside" } }
                @if story.with_data < story.windows { small class="whole" { (story.windows - story.with_data) " without data" } }
            }
        }
    }
}

fn effects(summary: &Summary) -> Markup {
    html! {
        section {
            h2 { "Did the faults take effect?" }
            p { "Writing a setting does not prove an effect. Each fault had to show one of these:" }
            div class="wide" tabindex="0" { table {
                thead { tr { th scope="col" { "Fault" } th scope="col" { "Evidence needed" } th scope="col" { "Seen" } th scope="col" class="time" { "Since" } th scope="col" { "Result" } } }
                tbody { @for step in &summary.steps {
                    @let evidence = &step.evidence;
                    tr {
                        th scope="row" { (step.fault) }
                        td { (evidence.expect) small { "within " (evidence.within) } }
                        td { @match &evidence.seen { Some(seen) => (seen), None => "–" } }
                        td class="time" { @match evidence.since { Some(since) => (summary.offset(since)), None => "–" } }
                        td { (effect_chip(evidence.found)) }
                    }
                } }
            } }
        }
    }
}

fn effect_chip(effect: Effect) -> Markup {
    let (class, word) = match effect {
        Effect::Seen => ("held", "✓ seen"),
        Effect::NotSeen => ("unknown", "? not seen"),
        Effect::Waiting => ("unknown", "? not seen yet"),
        Effect::NotTried => ("none", "not tried"),
    };
    html! { span class={ "chip " (class) } { (word) } }
}

fn ledger(summary: &Summary) -> Markup {
    let (locks, changes): (Vec<&LedgerEntry>, Vec<&LedgerEntry>) =
        summary.ledger.iter().partition(|entry| entry.is_lock);
    let at = |time: Option<Time>| time.map_or_else(|| "–".into(), |time| summary.offset(time));
    html! {
        section {
            h2 { "Rollback" }
            p { (prose(&summary.undo_sentence)) }
            @if !changes.is_empty() {
                div class="wide" tabindex="0" { table {
                    thead { tr {
                        th scope="col" class="number" { "No." } th scope="col" { "Setting" } th scope="col" { "Before" } th scope="col" { "After" }
                        th scope="col" class="time" { "Written" } th scope="col" class="time" { "Rolled back" } th scope="col" class="time" { "Verified" } th scope="col" { "Status" }
                    } }
                    tbody { @for entry in &changes { tr {
                        td class="number" { (entry.change.0) }
                        th scope="row" { (entry.setting) }
                        td { (value(entry, &entry.before)) }
                        td { (value(entry, &entry.after)) }
                        td class="time" { (at(entry.written.or(entry.announced))) }
                        td class="time" { (at(entry.undo_began)) @if entry.undo_tries > 1 { small { (entry.undo_tries) " tries" } } }
                        td class="time" { (at(entry.settled_at.filter(|_| !entry.status.needs_attention()))) }
                        td { (status_chip(&entry.status)) small { (entry.sentence()) } }
                    } } }
                } }
            }
            @if !locks.is_empty() { p class="soft" { (line::locks_sentence(&locks)) } }
        }
    }
}

fn value(entry: &LedgerEntry, value: &Value) -> Markup {
    let text = words::one_line(&entry.on.shown(value));
    html! {
        @match value {
            Value::Unset => "unset",
            _ if text.chars().count() <= 40 => code { (text) },
            _ => details { summary { (words::whole(text.chars().count() as u64)) " characters" } code { (text) } },
        }
    }
}

fn status_chip(status: &Status) -> Markup {
    let (class, word) = match status {
        Status::NotMade => ("none", "not made"),
        Status::Refused => ("none", "refused"),
        Status::Outstanding => ("broken", "✕ outstanding"),
        Status::Settled(how) if how.needs_attention() => ("broken", "✕ check it"),
        Status::Settled(_) => ("held", "✓ verified"),
    };
    html! { span class={ "chip " (class) } { (word) } }
}

fn recovery(summary: &Summary) -> Markup {
    let recovery = &summary.recovery;
    html! {
        section {
            h2 { "Recovery" }
            @match recovery.gone {
                None => p { "No fault was seen to end, so recovery was not judged." },
                Some(gone) => {
                    p { (prose(&recovery.told(summary.times.started, gone))) }
                    div class="wide" tabindex="0" { table {
                        thead { tr { th scope="col" { "Signal" } th scope="col" { "Steady again" } } }
                        tbody { @for (signal, recovered) in summary.signals.iter().zip(&recovery.signals) { tr {
                            th scope="row" { (signal.query) } td { (recovered.sentence()) }
                        } } }
                    } }
                }
            }
        }
    }
}

fn messages(summary: &Summary) -> Markup {
    html! {
        @if !summary.messages.is_empty() {
            section {
                h2 { "Messages" }
                @for message in &summary.messages { (message_account(summary, message)) }
            }
        }
    }
}

fn message_account(summary: &Summary, message: &MessageStory) -> Markup {
    let account = &message.account;
    let rows: [(&str, usize); 7] = [
        ("accepted by the queue", account.accepted as usize),
        ("refused by the queue", account.refused as usize),
        ("sent, with no answer", account.unknown as usize),
        ("swept from the dead-letter queue", account.swept as usize),
        ("seen there, left in place", account.left as usize),
        ("taken by the application", account.consumed.len()),
        ("not found", account.not_found.len()),
    ];
    let fault = summary.steps.get(message.step - 1).map(|step| step.fault.to_string()).unwrap_or_default();
    html! {
        p {
            (fault) " sent messages to " (message.queue) ", " (message.planned) " planned. "
            @match (&message.ended, &message.dead_letter) {
                (Some(why), _) => { "The sweep ended: " (why) "." },
                (None, Some(queue)) => b { "They are not accounted for yet; squall searches for them in " (queue) "." },
                (None, None) => "The experiment says that they may stay in the queue.",
            }
        }
        table class="figures" {
            tbody { @for (word, number) in rows { tr { th scope="row" { (word) } td class="number" { (words::whole(number as u64)) } } } }
        }
        @if !account.not_found.is_empty() {
            p { "Not found: number " (words::list(&account.not_found.iter().take(50).map(u32::to_string).collect::<Vec<_>>())) "." }
        }
        @if account.foreign > 0 {
            p { (words::plural(account.foreign as usize, "message of others was", "messages of others were")) " seen, and made visible again." }
        }
    }
}

fn load(summary: &Summary) -> Markup {
    html! {
        @if !summary.load.is_empty() {
            section {
                h2 { "Load" }
                div class="wide" tabindex="0" { table {
                    thead { tr { th scope="col" { "To" } th scope="col" { "Rate" } th scope="col" class="number" { "Requests" } th scope="col" class="number" { "Failed" } th scope="col" class="number" { "At most" } } }
                    tbody { @for load in &summary.load { tr {
                        th scope="row" { (load.target) }
                        td { (load.from) @if load.to != load.from { " to " (load.to) } }
                        td class="number" { (words::whole(load.requests)) }
                        td class="number" { (words::whole(load.failed)) }
                        td class="number" { (words::whole(u64::from(load.at_most))) }
                    } } }
                } }
            }
        }
    }
}

fn timeline(summary: &Summary) -> Markup {
    html! {
        section {
            h2 { "Timeline" }
            ol class="log" {
                @for line in &summary.timeline {
                    li class=(line.tone.word()) {
                        time datetime=(line.at) { (line.offset) }
                        span class="label" { (line.label.word()) }
                        span { (line.text) }
                    }
                }
            }
        }
    }
}

fn environment(summary: &Summary) -> Markup {
    let environment = &summary.environment;
    html! {
        section {
            h2 { "Environment" }
            dl class="pairs" {
                dt { "Run" } dd { (summary.run) }
                dt { "Started" } dd { (words::instant(summary.times.started)) " by " (environment.by) }
                dt { "Account" } dd { (words::list(&environment.accounts.iter().map(ToString::to_string).collect::<Vec<_>>())) }
                dt { "Experiment" } dd { (environment.file) }
                dt { "Its SHA-256" } dd { code { (environment.file_sha256) } }
                dt { "Seed" } dd { (environment.seed) }
                @for (name, value) in &environment.inputs { dt { "Input" } dd { code { (name) "=" (value) } } }
                dt { "squall" } dd { (environment.squall) }
                dt { "Journal" } dd { (words::plural(environment.events, "event", "events")) ", the last at " (words::instant(summary.times.last)) }
                @for taken in &environment.taken_over {
                    dt { "Taken over" } dd { (summary.offset(taken.at)) " by " (taken.by) }
                }
                @for failed in &environment.unmeasured {
                    dt { "Not measured" } dd { (failed.query) ", " (words::plural(failed.times, "time", "times")) ": " (failed.first_error) }
                }
            }
        }
    }
}

fn reproduced(summary: &Summary) -> Markup {
    html! {
        section {
            h2 { "How to reproduce" }
            p { (reproduce::sentence(summary)) }
            pre { (reproduce::command(summary)) }
            p { "Every event and every number of this report:" }
            pre { "squall log " (summary.run) " --json\nsquall report " (summary.run) " --format json" }
        }
    }
}
