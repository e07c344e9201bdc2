//! A world: virtual time, an agenda of events, and the services of one account.
//!
//! A world is a value. Two worlds made from the same application, seed and start that get the same calls at the same
//! times do the same, event by event; a clone goes on exactly as its original would. The application itself is shared
//! between clones, so that a test can clone a world at each of many thousand points.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::agenda::Agenda;
use super::alarm::Alarms;
use super::app::App;
use super::arrivals::{Loads, Sources};
use super::asynchronous::Asynchronous;
use super::control::Control;
use super::event::Event;
use super::http::Http;
use super::iam::Iam;
use super::lambda::Lambda;
use super::logs::Logs;
use super::mapping::{Batches, MappingState};
use super::message::Place;
use super::metrics::PERIOD;
use super::model::{Dangling, Model};
use super::queue::Queues;
use super::reasons::Reasons;
use super::settings::Settings;
use super::switch::Switches;
use super::table::Tables;
use super::topic::Topics;
use super::weather::{Act, Sky, Weather, When};
use crate::account::{Account, Call, CallId, Location, Outcome, Reason};
use crate::units::Time;

/// An account in virtual time. As an [`Account`] it runs as fast as it goes: waiting costs nothing.
#[derive(Clone, Debug)]
pub struct World {
    pub(super) location: Location,
    pub(super) model: Arc<Model>,
    pub(super) now: Time,
    /// When its clock started; nothing was measured before.
    pub(super) born: Time,
    pub(super) agenda: Agenda,
    pub(super) sky: Sky,
    pub(super) control: Control,
    pub(super) settings: Settings,
    pub(super) switches: Switches,
    pub(super) lambda: Lambda,
    pub(super) queues: Queues,
    pub(super) iam: Iam,
    pub(super) asynchronous: Asynchronous,
    pub(super) mappings: Vec<MappingState>,
    pub(super) batches: Batches,
    pub(super) http: Http,
    pub(super) tables: Tables,
    pub(super) topics: Topics,
    pub(super) alarms: Alarms,
    pub(super) sources: Sources,
    pub(super) loads: Loads,
    pub(super) reasons: Reasons,
    pub(super) logs: Logs,
}

impl World {
    /// A world of `app` whose clock starts at `start`, in calm weather. The seed decides everything that is left to chance.
    ///
    /// # Errors
    /// The application names something that is not in it.
    pub fn new(app: &App, seed: u64, start: Time) -> Result<World, Dangling> {
        let model = Arc::new(Model::of(app)?);
        let mut world = World {
            location: Location::sandbox(),
            now: start,
            born: start,
            agenda: Agenda::default(),
            sky: Sky::new(Weather::calm(), seed),
            control: Control::new(start),
            settings: Settings::new(app),
            switches: Switches::new(seed),
            lambda: Lambda::new(&model, seed, start),
            queues: Queues::new(&model),
            iam: Iam::new(&model, seed),
            asynchronous: Asynchronous::default(),
            mappings: vec![MappingState::new(); model.mappings.len()],
            batches: Batches::default(),
            http: Http::new(&model, start),
            tables: Tables::new(&model, start),
            topics: Topics::new(model.topics.len()),
            alarms: Alarms::new(model.alarms.len(), start),
            sources: Sources::new(&model, seed),
            loads: Loads::default(),
            reasons: Reasons::default(),
            logs: Logs::default(),
            model,
        };
        world.agenda.at(start.window_start(PERIOD) + PERIOD, Event::Minute);
        world.start_traffic();
        world.settings.template = Arc::new(world.all_settings());
        Ok(world)
    }

    /// The same world, as the account at this location.
    #[must_use]
    pub fn at_location(self, location: Location) -> World {
        let mut world = World { location, ..self };
        world.settings.template = Arc::new(world.all_settings());
        world
    }

    /// Changes the weather from now on.
    #[must_use]
    pub fn with_weather(mut self, weather: Weather) -> World {
        for (index, party) in (0_u32..).zip(&weather.third_party) {
            if let When::At(time) = party.when
                && time >= self.now
            {
                self.agenda.at(time, Event::ThirdParty(index));
            }
        }
        self.sky.weather = weather;
        self
    }

    /// Lets time pass until `until`, answers or not.
    pub fn run_until(&mut self, until: Time) {
        while self.step(until) {}
    }

    /// The next event, when it is due at `until` or before; else the clock stands at `until`.
    fn step(&mut self, until: Time) -> bool {
        let Some((at, event)) = self.agenda.pop_until(until) else {
            self.now = self.now.max(until);
            return false;
        };
        self.now = at;
        self.happen(event);
        if self.agenda.has_doubled() {
            let mut agenda = std::mem::take(&mut self.agenda);
            agenda.drop_moot(|event| self.matters(event));
            self.agenda = agenda;
        }
        true
    }

    /// Whether an event of the agenda will do anything, as far as is known by now.
    fn matters(&self, event: Event) -> bool {
        match event {
            Event::Visible { queue, message, receive } => self.waits_for(queue as usize, message, Some(receive)),
            Event::Due { queue, message } => self.waits_for(queue as usize, message, None),
            Event::Invocation(key) => self.lambda.invocations.get(key).is_some(),
            Event::Asynchronous(key) => self.asynchronous.get(key).is_some(),
            Event::Batch(key) => self.batches.has(key),
            Event::GatewayGivesUp(key) => self.http.waits(key),
            _ => true,
        }
    }

    /// Everything that a run could leave behind, in words: what each setting holds, and marked messages with their queue. Two pictures are equal when nothing was left.
    pub fn picture(&self) -> BTreeMap<String, String> {
        let settings = self.all_settings().into_iter().map(|(setting, value)| (setting.describe(), value.to_string()));
        let mut picture: BTreeMap<String, String> = settings.collect();
        for (name, state) in self.model.queues.names().iter().zip(&self.queues.queues) {
            for (id, held) in &state.messages {
                if let Some(marker) = &held.marker {
                    let place = match held.place {
                        Place::Visible(_) => "visible",
                        Place::InFlight { .. } => "in flight",
                        Place::Delayed(_) => "delayed",
                    };
                    let key = format!("message {} of {} in queue {name} (message-{id})", marker.number, marker.run);
                    picture.insert(key, place.into());
                }
            }
        }
        picture
    }

    /// A third party acts, as the weather said.
    pub(super) fn third_party_acts(&mut self, index: u32) {
        if let Some(party) = self.sky.weather.third_party.get(index as usize) {
            match party.act.clone() {
                // What is refused to a third party does not concern the run.
                Act::Set(write) => drop(self.set(&write)),
                Act::Delete(resource) => self.delete(&resource),
                Act::Create(resource) => self.create(&resource),
            }
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::CallArrives(ticket) => self.call_arrives(ticket),
            Event::CallAnswers(ticket) => self.call_answers(ticket),
            Event::ThirdParty(index) => self.third_party_acts(index),
            Event::Settles(ticket) => self.settles(ticket),
            Event::PolicyPropagates(ticket) => self.policy_propagates(ticket),
            Event::Visible { queue, message, receive } => self.visible_again(queue as usize, message, receive),
            Event::Due { queue, message } => self.message_due(queue as usize, message),
            Event::Retention { queue } => self.retention_ends(queue as usize),
            Event::Arrival { source } => self.arrival(source as usize),
            Event::Invocation(key) => self.invocation_goes_on(key),
            Event::Asynchronous(key) => self.try_asynchronous(key),
            Event::Batch(key) => self.try_batch(key),
            Event::WindowEnds { mapping, window } => self.window_ends(mapping as usize, window),
            Event::Growth { mapping } => self.grow(mapping as usize),
            Event::LookAgain { mapping } => self.looks_again(mapping as usize),
            Event::GatewayGivesUp(key) => self.gateway_gives_up(key),
            Event::LoadRequest { load } => self.load_request(load),
            Event::LoadEnds { load } => self.load_ends(load),
            Event::SwitchWakes { execution } => self.switch_wakes(execution),
            Event::SwitchActs { execution, resource } => self.switch_acts(execution, resource),
            Event::Minute => {
                self.read_gauges();
                self.note_concurrency();
                self.judge_alarms();
                self.forget_old_minutes();
                self.agenda.at(self.now + PERIOD, Event::Minute);
            }
        }
    }
}

impl Account for World {
    fn now(&self) -> Time {
        self.now
    }

    fn submit(&mut self, id: CallId, call: Call) {
        self.start_call(id, call);
    }

    fn next(&mut self, until: Time) -> Option<(CallId, Outcome)> {
        loop {
            if let Some(answer) = self.control.answered.pop_front() {
                return Some(answer);
            }
            if !self.step(until) {
                return None;
            }
        }
    }

    fn reasons(&self) -> Vec<Reason> {
        self.reason_counts()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::contract::{Fixture, check};
    use crate::account::sandbox::testing::{at, resource};
    use crate::account::sandbox::{Fate, ThirdParty, shop_like};
    use crate::account::{CallError, Metric, Reply, ResourceKind, Setting, Value, Write, ask};
    use crate::units::{Share, Span};

    fn world(seed: u64) -> World {
        World::new(&shop_like(), seed, at(0)).unwrap()
    }

    fn fixture() -> Fixture {
        let mut app = shop_like();
        app.mappings.clear();
        Fixture {
            account: Box::new(World::new(&app, 1, Time::EPOCH).unwrap()),
            function: resource(ResourceKind::Function, "payment-worker"),
            tag: Some(("chaos".into(), "yes".into())),
            stack: Some("shop-like".into()),
            variables: false,
            role: resource(ResourceKind::Role, "payment-worker-role"),
            parameter: resource(ResourceKind::Parameter, "/shop/faults"),
            queue: resource(ResourceKind::Queue, "orders"),
            dead_letter: resource(ResourceKind::Queue, "orders-dlq"),
            max_receive_count: 5,
            patience: Span::from_secs(10),
        }
    }

    #[test]
    fn the_contract_holds() {
        check(fixture);
    }

    fn reserved() -> Setting {
        Setting::ReservedConcurrency { function: resource(ResourceKind::Function, "payment-worker") }
    }

    fn throttle() -> Call {
        Call::Write(Write { setting: reserved(), value: Value::Number(0), whole: None })
    }

    fn value(world: &World) -> Value {
        world.setting(&reserved()).unwrap().value
    }

    #[test]
    fn a_lost_reply_is_of_a_write_that_happened() {
        let mut world = world(1);
        world.force_fate(0, Fate::LostReply);
        let outcome = ask(&mut world, throttle());
        assert!(matches!(outcome, Err(CallError::Unknown(_))), "{outcome:?}");
        assert_eq!(value(&world), Value::Number(0));
    }

    #[test]
    fn a_lost_call_never_happens() {
        let mut world = world(1);
        world.force_fate(1, Fate::LostBefore);
        assert!(matches!(ask(&mut world, Call::Read { setting: reserved() }), Ok(Reply::Observed(_))));
        let outcome = ask(&mut world, throttle());
        assert!(matches!(outcome, Err(CallError::Unknown(_))), "{outcome:?}");
        world.run_until(world.now() + Span::from_secs(600));
        assert_eq!(value(&world), Value::Unset);
        assert_eq!(world.calls_made(), 2);
    }

    #[test]
    fn a_late_write_lands_after_its_caller_is_gone() {
        let mut world = world(1);
        world.force_fate(0, Fate::LateBy(Span::from_secs(30)));
        let outcome = ask(&mut world, throttle());
        assert!(matches!(outcome, Err(CallError::Unknown(_))), "{outcome:?}");
        world.forget_caller();
        assert_eq!(value(&world), Value::Unset);
        world.run_until(world.now() + Span::from_secs(29));
        assert_eq!(value(&world), Value::Unset);
        world.run_until(world.now() + Span::from_secs(2));
        assert_eq!(value(&world), Value::Number(0));
    }

    #[test]
    fn what_a_forgotten_caller_asked_for_still_happens() {
        let mut world = world(1);
        world.submit(CallId(1), throttle());
        world.forget_caller();
        assert_eq!(world.next(world.now() + Span::from_secs(60)), None);
        assert_eq!(value(&world), Value::Number(0));
    }

    #[test]
    fn a_third_party_acts_between_a_read_and_a_write() {
        let theirs = Write { setting: reserved(), value: Value::Number(7), whole: None };
        let party = ThirdParty { when: When::OnCall(2), act: Act::Set(theirs) };
        let mut world = world(1).with_weather(Weather { third_party: vec![party], ..Weather::calm() });
        let Ok(Reply::Observed(read)) = ask(&mut world, Call::Read { setting: reserved() }) else { panic!() };
        assert_eq!(read.value, Value::Unset);
        let Ok(Reply::Observed(read)) = ask(&mut world, Call::Read { setting: reserved() }) else { panic!() };
        assert_eq!(read.value, Value::Number(7));
    }

    #[test]
    fn a_stale_read_shows_what_was_there_before() {
        let mut world = world(1).with_weather(Weather { stale: Share::ALL, ..Weather::calm() });
        assert_eq!(ask(&mut world, throttle()), Ok(Reply::Done));
        let read = |world: &mut World| match ask(world, Call::Read { setting: reserved() }) {
            Ok(Reply::Observed(observed)) => observed.value,
            other => panic!("{other:?}"),
        };
        assert_eq!(read(&mut world), Value::Unset);
        assert_eq!(value(&world), Value::Number(0));
        world.run_until(world.now() + Span::from_secs(6));
        assert_eq!(read(&mut world), Value::Number(0));
    }

    #[test]
    fn every_kind_of_bad_weather_comes() {
        let share = Share::new(0.15).unwrap();
        let mut world = world(3).with_weather(Weather::rough(share));
        let mut seen = [0_u32; 3];
        for _ in 0..400 {
            match ask(&mut world, Call::Read { setting: reserved() }) {
                Ok(_) => seen[0] += 1,
                Err(CallError::Throttled) => seen[1] += 1,
                Err(CallError::Unknown(_)) => seen[2] += 1,
                other => panic!("{other:?}"),
            }
        }
        // 400 draws: 25 % normal, 15 % throttled, 60 % without an answer; four standard errors are 0.1 at the most.
        for (count, share) in seen.into_iter().zip([0.25, 0.15, 0.6]) {
            assert!((f64::from(count) / 400.0 - share).abs() < 0.1, "{seen:?}");
        }
    }

    #[test]
    fn lambda_takes_fifteen_control_calls_a_second() {
        let mut world = world(1);
        for id in 0..20 {
            world.submit(CallId(id), Call::Read { setting: reserved() });
        }
        let until = world.now() + Span::from_secs(1);
        let outcomes: Vec<_> = std::iter::from_fn(|| world.next(until)).collect();
        assert_eq!(outcomes.len(), 20);
        assert!(outcomes.iter().filter(|(_, o)| *o == Err(CallError::Throttled)).count() >= 4, "{outcomes:?}");
    }

    #[test]
    fn a_clone_goes_on_as_its_original() {
        let mut world = world(5).with_weather(Weather::rough(Share::new(0.1).unwrap()));
        let _ = ask(&mut world, throttle());
        let mut twin = world.clone();
        for _ in 0..50 {
            let call = Call::Read { setting: reserved() };
            assert_eq!(ask(&mut world, call.clone()), ask(&mut twin, call));
            assert_eq!(world.now(), twin.now());
        }
    }

    fn busy() -> App {
        use crate::account::sandbox::app::{Arrivals, Traffic, TrafficTarget};
        let mut app = shop_like();
        app.traffic = vec![Traffic {
            to: TrafficTarget::Queue("orders".into()),
            rate: crate::units::Rate::per_sec(5.0).unwrap(),
            arrivals: Arrivals::Poisson,
            groups: Vec::new(),
        }];
        app
    }

    #[test]
    fn the_same_seed_does_the_same_and_another_one_does_not() {
        let after = |seed| {
            let mut world = World::new(&busy(), seed, Time::EPOCH).unwrap();
            let _ = ask(&mut world, throttle());
            world.run_until(Time::EPOCH + Span::from_secs(900));
            format!("{world:?}")
        };
        let first = after(1);
        assert!(first == after(1), "two worlds of one seed differ");
        assert!(first != after(2), "two worlds of different seeds are the same");
    }

    #[test]
    fn time_may_be_cut_in_any_pieces() {
        let mut whole = World::new(&busy(), 1, Time::EPOCH).unwrap();
        let mut pieces = whole.clone();
        whole.run_until(Time::EPOCH + Span::from_secs(100));
        for tenth in 1..=1000 {
            assert_eq!(pieces.next(Time::EPOCH + Span::from_millis(tenth * 100)), None);
        }
        assert!(format!("{whole:?}") == format!("{pieces:?}"));
    }

    #[test]
    fn what_came_and_went_leaves_nothing() {
        let mut app = busy();
        app.traffic[0].rate = crate::units::Rate::per_sec(300.0).unwrap();
        let size = |minutes: i64| {
            let mut world = World::new(&app, 1, at(0)).unwrap();
            world.messages_saved();
            world.run_until(at(minutes * 60));
            let sent = world.value(Metric::Calls, ResourceKind::Queue, "orders", 0..minutes - 2).unwrap();
            (sent, world.agenda.len(), world.queues.queues[0].messages.len(), world.changed_messages().count())
        };
        let (few, many) = (size(4), size(10));
        assert!(many.0 > 100_000.0, "{many:?}");
        // 300 a second, and 30 s to each one's visibility: 9,000 moot events without the sweep.
        assert!(few.1.max(many.1) <= 2 * 256, "{few:?} {many:?}");
        assert!(few.2.max(many.2) < 500 && few.3.max(many.3) < 500, "{few:?} {many:?}");
    }

    #[test]
    fn the_shop_has_ordinary_days_and_a_throttled_worker_is_seen_and_recovers() {
        let mut world = World::new(&crate::account::sandbox::shop(), 1, at(0)).unwrap();
        world.run_until(at(600));
        let api = |world: &World, metric, minutes| world.value(metric, ResourceKind::Api, "ShopApi", minutes);
        let queue = |world: &World, metric, name| world.value(metric, ResourceKind::Queue, name, 0..1).unwrap();
        let alarm = |world: &World| world.value(Metric::AlarmState, ResourceKind::Alarm, "OrdersBacklogAlarm", 0..1);
        // 5/s for eight minutes; four standard errors of a Poisson count of 2,400 are 196.
        let orders = api(&world, Metric::Calls, 0..8).unwrap();
        assert!((orders - 2400.0).abs() < 196.0, "{orders}");
        assert!(api(&world, Metric::FailedShare, 0..8).unwrap() < 0.005);
        assert!(queue(&world, Metric::Depth, "OrdersQueue") < 20.0);
        assert_eq!(alarm(&world), Some(0.0));

        world.reserve("PaymentWorker", Value::Number(0));
        world.run_until(at(600 + 240));
        assert_eq!(alarm(&world), Some(1.0), "four minutes are enough to see it");
        world.run_until(at(1200));
        let backlog = queue(&world, Metric::Depth, "OrdersQueue") + queue(&world, Metric::InFlight, "OrdersQueue");
        assert!((backlog - 3000.0).abs() < 230.0, "{backlog}");
        assert!(api(&world, Metric::FailedShare, 11..18).unwrap() < 0.005, "shoppers do not see it");

        world.reserve("PaymentWorker", Value::Unset);
        world.run_until(at(1200 + 480));
        assert!(queue(&world, Metric::Depth, "OrdersQueue") < 20.0, "eight minutes are enough to recover");
        assert_eq!(alarm(&world), Some(0.0));
        assert_eq!(queue(&world, Metric::Depth, "OrdersDeadLetters"), 0.0, "and nothing was lost");
    }
}
