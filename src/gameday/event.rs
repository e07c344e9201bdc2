//! The events of a game day: the only truth about it. Pages, status and record read these and nothing else.

use super::role::{Actor, ItemName, Person, Statement};
use crate::ids::RunId;
use crate::judge::verdict::VerdictKind;
use crate::units::{Span, Time};

/// An event as the store holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// From 1, without gaps.
    pub seq: u64,
    /// By the clock of the account that the day takes place in.
    pub at: Time,
    pub event: Event,
}

/// Where a day stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Everybody hears what the day is about.
    Briefing,
    /// What must be true before anything is broken is checked.
    Readiness,
    /// The facilitator decides whether the day goes on.
    GoNoGo,
    /// The scenarios, one after the other.
    Scenarios,
    /// Everything is as it was, and everybody is told so.
    AllClear,
    /// What people saw and thought, at once.
    Debrief,
    /// What will be done about it, by whom and until when.
    Actions,
    /// The last phase: nothing follows but corrections of the record.
    Closed,
}

impl Phase {
    /// For people.
    pub const fn word(self) -> &'static str {
        match self {
            Phase::Briefing => "briefing",
            Phase::Readiness => "readiness",
            Phase::GoNoGo => "go or no go",
            Phase::Scenarios => "scenarios",
            Phase::AllClear => "all clear",
            Phase::Debrief => "hot debrief",
            Phase::Actions => "actions",
            Phase::Closed => "closed",
        }
    }
}

/// What a pause does about faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Faults {
    /// A fault that works stays, and one that is due begins.
    GoOn,
    /// A fault that works is rolled back, and none begins before the day goes on.
    HoldBack,
}

/// What a readiness check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    Passed,
    Failed,
    /// It could not be looked at.
    Unknown,
}

/// Why something was released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Its moment came.
    Moment,
    /// The facilitator released it.
    ByHand,
}

/// What became of an item or an expectation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Succeeded,
    Failed,
    Completed,
    Expired,
    Skipped,
}

impl Outcome {
    /// For people.
    pub const fn word(self) -> &'static str {
        match self {
            Outcome::Succeeded => "succeeded",
            Outcome::Failed => "failed",
            Outcome::Completed => "done",
            Outcome::Expired => "expired",
            Outcome::Skipped => "skipped",
        }
    }
}

/// How a scenario ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScenarioEnd {
    /// Nothing was left to wait for.
    Done,
    /// The facilitator ended it.
    ByHand,
    /// It took as long as it may.
    TimeIsUp,
    /// It never began.
    Skipped,
    /// The day was aborted.
    Aborted,
}

impl ScenarioEnd {
    /// For people.
    pub const fn word(self) -> &'static str {
        match self {
            ScenarioEnd::Done => "done",
            ScenarioEnd::ByHand => "ended by the facilitator",
            ScenarioEnd::TimeIsUp => "its time was up",
            ScenarioEnd::Skipped => "skipped",
            ScenarioEnd::Aborted => "aborted",
        }
    }
}

/// Why a fault has to go before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    Asked,
    Paused,
    ScenarioOver,
    Aborted,
}

impl StopReason {
    /// For people.
    pub const fn word(self) -> &'static str {
        match self {
            StopReason::Asked => "the facilitator ended it",
            StopReason::Paused => "the day is paused and faults are held back",
            StopReason::ScenarioOver => "the scenario is over",
            StopReason::Aborted => "the day was aborted",
        }
    }
}

/// Something that a team wants to do after the day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    pub text: String,
    pub owner: String,
    /// A date: `2026-12-24`.
    pub due: Option<String>,
    /// A link to a ticket.
    pub ticket: Option<String>,
    /// The date on which the scenario's experiment runs again.
    pub retest: Option<String>,
    /// The scenario that showed it, counted from 0.
    pub scenario: Option<usize>,
}

/// One thing that happened. Scenarios are counted from 0, as in the runbook.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The first event. The runbook's whole text is in it, so that the day can be read when its file is gone.
    Opened {
        file: String,
        text: String,
        people: Vec<Actor>,
        by: Person,
        rehearsal: bool,
    },
    Entered {
        phase: Phase,
    },
    /// A readiness check.
    Checked {
        check: String,
        finding: Finding,
        detail: String,
        by: Person,
    },
    Decided {
        go: bool,
        why: String,
        by: Person,
    },
    ScenarioBegan {
        scenario: usize,
    },
    ScenarioEnded {
        scenario: usize,
        how: ScenarioEnd,
    },
    /// An item was released; `late` is how much later than its moment.
    Released {
        scenario: usize,
        item: ItemName,
        cause: Cause,
        late: Span,
    },
    /// The next hint, counted from 0.
    Hinted {
        scenario: usize,
        hint: usize,
        by: Person,
    },
    /// An item was looked at before the day, as its receivers will see it.
    Tested {
        scenario: usize,
        item: ItemName,
        by: Person,
    },
    /// Something became of an item or an expectation. Nobody is named where a signal or the time decided.
    Settled {
        scenario: usize,
        name: ItemName,
        outcome: Outcome,
        by: Option<Person>,
    },
    /// What a person said with one word.
    Said {
        statement: Statement,
        text: String,
        by: Actor,
    },
    Noted {
        text: String,
        by: Actor,
    },
    /// A note says something else now. What it said before stays in the record.
    Corrected {
        note: u64,
        text: String,
        by: Actor,
    },
    Paused {
        faults: Faults,
        by: Person,
    },
    Resumed {
        by: Person,
    },
    /// Everything that is still to come moves by this much.
    Shifted {
        by: Span,
        who: Person,
    },
    /// Intent: a run of the scenario's experiment is about to begin.
    FaultDue {
        scenario: usize,
        run: RunId,
    },
    /// The run did not begin, and nothing was touched.
    FaultRefused {
        scenario: usize,
        why: String,
    },
    /// The first proof that the fault works: since then, known to `within`.
    FaultEffective {
        scenario: usize,
        since: Time,
        within: Span,
        seen: String,
    },
    /// The fault has to go before its time.
    FaultStopping {
        scenario: usize,
        why: StopReason,
    },
    /// Everything that was changed is back as it was.
    FaultGone {
        scenario: usize,
        at: Time,
    },
    /// The run is over. `recovered` is from the fault gone until every signal was steady, where that was seen.
    RunEnded {
        scenario: usize,
        verdict: VerdictKind,
        why: Vec<String>,
        left: Vec<String>,
        recovered: Option<Span>,
    },
    /// An alarm went into ALARM, or out of it, within the minute before `at`.
    AlarmChanged {
        alarm: String,
        firing: bool,
        at: Time,
    },
    EndedEarly {
        why: String,
        by: Person,
    },
    Aborted {
        why: String,
        by: Actor,
    },
    Agreed {
        action: Action,
        by: Person,
    },
    Answered {
        question: String,
        answer: String,
        by: Actor,
    },
    /// What somebody asked for was not possible any more when it came.
    Refused {
        asked: String,
        why: String,
        by: Actor,
    },
}
