//! The conductor of a game day: gives the machine of the day the time, what people ask and what its runs do, makes every event
//! durable before it is told, and does what the day says has to be done.
//!
//! Invariants: what has to be done follows from the recorded events alone, so a process that takes over goes on where the one
//! before it ended; trouble with the record stops a run and never its rollback.

pub mod script;

use crate::account::watching::{AlarmChange, Seen};
use crate::driver::{Driver, Ending};
use crate::gameday::command::{Ask, World};
use crate::gameday::day::{Day, Duty};
use crate::gameday::due::wake;
use crate::gameday::event::{Event, Phase, Recorded};
use crate::gameday::role::{Actor, Person, Role};
use crate::gameday::step::{Input, Refusal, step};
use crate::ids::{DayId, RunId};
use crate::judge::verdict::VerdictKind;
use crate::predict::outcome::recovered;
use crate::run;
use crate::store::StoreError;
use crate::store::days::Days;
use crate::units::{Span, Time};

/// How exactly it is known since when a fault works: metrics come by the minute.
const EFFECT_WINDOW: Span = Span::from_mins(1);

/// Where commands come from that no other process left in the store: a terminal, or a script.
pub trait Asks {
    /// What is asked now, if anything is.
    fn next(&mut self, day: &Day, at: Time) -> Option<Ask>;

    /// Something that this asked for was not possible.
    fn refused(&mut self, refusal: &Refusal);

    /// When it will ask for something by itself.
    fn wake(&self, day: &Day, at: Time) -> Option<Time>;

    /// Whether it cannot go on, so that a day that no other process leads would never end.
    fn gives_up(&self) -> bool {
        false
    }
}

/// Where a day takes place: what performs its runs.
pub trait Stage {
    /// The clock of the account.
    fn now(&self) -> Time;

    /// Waits until then, or for a tenth of a second of real time where time passes for real.
    fn wait(&mut self, until: Time);

    /// Alarms that changed since the last look.
    fn alarms(&mut self) -> Vec<AlarmChange>;

    /// Performs a run to its end: begins it, or rolls it back where a process that is gone had begun it. `stop`: it is not begun.
    ///
    /// # Errors
    /// Why it did not begin: then nothing was touched. Whatever began ends with [`Conductor::drive`], [`Conductor::ended`] or
    /// [`Conductor::lost`].
    fn perform(
        &mut self,
        conductor: &mut Conductor<'_>,
        run: &RunId,
        scenario: usize,
        stop: bool,
    ) -> Result<(), String>;
}

/// Leads one day.
pub struct Conductor<'a> {
    id: DayId,
    day: Day,
    store: &'a mut dyn Days,
    asks: &'a mut dyn Asks,
    tell: &'a mut dyn FnMut(&Recorded, &Day),
    /// Why the record could not be written.
    trouble: Option<StoreError>,
}

impl<'a> Conductor<'a> {
    /// Opens a new day: its first event is durable.
    ///
    /// # Errors
    /// The store cannot be used, or the text of the event is no runbook.
    pub fn open(
        id: DayId,
        first: Recorded,
        store: &'a mut dyn Days,
        asks: &'a mut dyn Asks,
        tell: &'a mut dyn FnMut(&Recorded, &Day),
    ) -> Result<Conductor<'a>, StoreError> {
        let day = Day::open(first.at, &first.event).map_err(StoreError::Failed)?;
        store.append_day(&id, std::slice::from_ref(&first), None)?;
        tell(&first, &day);
        Ok(Conductor { id, day, store, asks, tell, trouble: None })
    }

    /// Goes on with a day that another process led.
    ///
    /// # Errors
    /// The store cannot be used, or there is no such day.
    pub fn resume(
        id: DayId,
        store: &'a mut dyn Days,
        asks: &'a mut dyn Asks,
        tell: &'a mut dyn FnMut(&Recorded, &Day),
    ) -> Result<Conductor<'a>, StoreError> {
        let events = store.day_events(&id)?;
        let day = Day::replay(&events).map_err(|why| StoreError::Failed(format!("{id} cannot be read: {why}")))?;
        Ok(Conductor { id, day, store, asks, tell, trouble: None })
    }

    /// What is known of the day.
    pub fn day(&self) -> &Day {
        &self.day
    }

    /// Leads the day to its end, or until `leave` says that this process goes away.
    ///
    /// # Errors
    /// The record cannot be written any more. No fault is at work then.
    pub fn lead(&mut self, stage: &mut dyn Stage, leave: &dyn Fn() -> bool) -> Result<(), StoreError> {
        loop {
            for change in stage.alarms() {
                self.world(stage.now(), told_of_alarm(change))?;
            }
            self.turn(stage.now())?;
            let leaves = (leave() || self.asks.gives_up()) && self.day.duty().is_none();
            if self.day.phase == Phase::Closed || leaves {
                return Ok(());
            }
            match self.day.duty() {
                Some(Duty::Run { scenario, run }) => self.perform(stage, &run, scenario, leave())?,
                Some(Duty::Stop { scenario, run, .. }) => self.perform(stage, &run, scenario, true)?,
                None => {
                    let now = stage.now();
                    let moments = [wake(&self.day), self.asks.wake(&self.day, now)];
                    stage.wait(moments.into_iter().flatten().min().unwrap_or(now + Span::from_secs(1)));
                }
            }
        }
    }

    fn perform(&mut self, stage: &mut dyn Stage, run: &RunId, scenario: usize, stop: bool) -> Result<(), StoreError> {
        let performed = stage.perform(self, run, scenario, stop);
        let now = stage.now();
        if let Some(trouble) = self.trouble.take() {
            return Err(trouble);
        }
        if let Err(why) = performed {
            self.world(now, World::Refused { why })?;
        }
        Ok(())
    }

    /// Drives a run to its end, and the day beside it.
    ///
    /// # Errors
    /// As [`Driver::advance`].
    pub fn drive(
        &mut self,
        driver: &mut Driver<'_>,
        alarms: &Seen,
        leave: &dyn Fn() -> bool,
        tell: &mut dyn FnMut(&run::Recorded),
    ) -> Result<Ending, StoreError> {
        loop {
            let mut news = Vec::new();
            let ending = driver.advance(&mut |recorded| {
                news.extend(told_of(recorded));
                tell(recorded);
            })?;
            news.extend(alarms.take().into_iter().map(told_of_alarm));
            let now = driver.now().max(self.day.last);
            for world in news {
                self.unless_trouble(|it| it.world(now, world));
            }
            if let Some(ending) = ending {
                self.ended(now, &ending, recovered(driver.state()));
                return Ok(ending);
            }
            self.unless_trouble(|it| it.turn(now));
            match (&self.trouble, self.day.duty()) {
                (Some(_), _) => driver.ask_to_stop("the game day: its record cannot be written"),
                (None, Some(Duty::Stop { why, .. })) => driver.ask_to_stop(&format!("the game day: {}", why.word())),
                (None, _) if leave() => driver.ask_to_stop("the game day: its process was stopped"),
                (None, _) => {}
            }
        }
    }

    /// Says how a run ended.
    pub fn ended(&mut self, now: Time, ending: &Ending, recovered: Option<Span>) {
        let world = match ending {
            Ending::Closed { verdict, left, .. } => World::RunEnded {
                verdict: verdict.kind,
                why: verdict.reasons.iter().cloned().collect(),
                left: left.iter().map(|left| format!("{}: {}", left.resource, left.what)).collect(),
                recovered,
            },
            Ending::TakenOver { by } => World::RunEnded {
                verdict: VerdictKind::Unknown,
                why: vec![format!("{by} took the run over")],
                left: Vec::new(),
                recovered: None,
            },
        };
        self.unless_trouble(|it| it.world(now, world));
    }

    /// Says that a run's end is not known: a person has to look.
    pub fn lost(&mut self, now: Time, why: String) {
        let (verdict, left) = (VerdictKind::Unknown, vec![why.clone()]);
        let world = World::RunEnded { verdict, why: vec![why], left, recovered: None };
        self.unless_trouble(|it| it.world(now, world));
    }

    fn unless_trouble(&mut self, act: impl FnOnce(&mut Self) -> Result<(), StoreError>) {
        if self.trouble.is_none() {
            self.trouble = act(self).err();
        }
    }

    /// Takes in something that happened outside.
    ///
    /// # Errors
    /// The record cannot be written.
    pub fn world(&mut self, at: Time, world: World) -> Result<(), StoreError> {
        // The world is never refused.
        let at = at.max(self.day.last);
        let events = step(&self.day, &self.id.0, at, Input::World(world)).unwrap_or_default();
        self.record(at, events, None)
    }

    /// Takes in what people ask, and what follows from the time.
    fn turn(&mut self, at: Time) -> Result<(), StoreError> {
        let at = at.max(self.day.last);
        for (number, ask) in self.store.day_asks(&self.id)? {
            let events = self.ask(at, ask).unwrap_or_else(|refused| vec![refused.1]);
            self.record(at, events, Some(number))?;
        }
        while let Some(ask) = self.asks.next(&self.day, at) {
            match self.ask(at, ask) {
                Ok(events) => self.record(at, events, None)?,
                Err(refused) => self.asks.refused(&refused.0),
            }
        }
        let events = step(&self.day, &self.id.0, at, Input::Tick).unwrap_or_default();
        self.record(at, events, None)
    }

    fn ask(&self, at: Time, Ask { by, command }: Ask) -> Result<Vec<Event>, Box<(Refusal, Event)>> {
        let asked = command.words();
        step(&self.day, &self.id.0, at, Input::Asked(by.clone(), command)).map_err(|refusal| {
            let why = refusal.to_string();
            Box::new((refusal, Event::Refused { asked, why, by }))
        })
    }

    fn record(&mut self, at: Time, events: Vec<Event>, taken: Option<u64>) -> Result<(), StoreError> {
        if events.is_empty() && taken.is_none() {
            return Ok(());
        }
        let numbered = (self.day.seq + 1..).zip(events).map(|(seq, event)| Recorded { seq, at, event });
        let recorded: Vec<Recorded> = numbered.collect();
        self.store.append_day(&self.id, &recorded, taken)?;
        for recorded in recorded {
            self.day.apply(recorded.at, &recorded.event);
            (self.tell)(&recorded, &self.day);
        }
        Ok(())
    }
}

fn told_of_alarm(AlarmChange { alarm, firing, at }: AlarmChange) -> World {
    World::Alarm { alarm, firing, at }
}

/// What an event of a run means to the day.
fn told_of(recorded: &run::Recorded) -> Option<World> {
    match &recorded.event {
        run::event::Event::Effective { since, seen, .. } => {
            Some(World::Effective { since: *since, within: EFFECT_WINDOW, seen: seen.clone() })
        }
        run::event::Event::FaultGone => Some(World::Gone { at: recorded.at }),
        _ => None,
    }
}

/// The user of this machine, as the facilitator that a day needs.
pub fn facilitator(who: &str) -> Actor {
    Actor { person: Person(who.to_owned()), role: Role::Facilitator, agent: false }
}
