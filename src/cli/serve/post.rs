//! Notifications of a process that serves: what is to be told is queued, and a thread of its own delivers it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crate::channel::{ChannelName, Level, Notifications};
use crate::env::{Env as _, RealEnv};
use crate::ids::ScheduleName;
use crate::schedule::Schedule;
use crate::serve::notify::{self, Message};
use crate::store::occurrences::{Fate, OccurrenceKey, OccurrenceRow};
use crate::store::outbox::Outgoing;
use crate::store::{Store, StoreError};
use crate::units::{Span, Time};

/// What is told to whom, and what was already looked at.
pub struct Post {
    spec: Notifications,
    /// Something has happened since.
    stirred: bool,
    looked: Span,
    announced: Span,
}

/// How often runs at work are looked at.
const LOOK: Span = Span::from_secs(2);
/// How often it is looked what is to be announced.
const ANNOUNCE: Span = Span::from_secs(30);
/// Delivered messages are kept for so long.
const KEPT: Span = Span::from_mins(7 * 1_440);

impl Post {
    /// Nothing was looked at yet: what a process before this one could not queue any more is queued at the first turn.
    pub fn new(spec: Notifications) -> Post {
        Post { spec, stirred: true, looked: Span::ZERO, announced: Span::ZERO - ANNOUNCE }
    }

    /// Something was decided, or a run has ended.
    pub fn stir(&mut self) {
        self.stirred = true;
    }

    /// Queues what is to be told by now. Messages that are queued already are not queued again.
    pub fn turn(
        &mut self,
        schedules: &[Schedule],
        at_work: bool,
        store: &mut dyn Store,
        now: Time,
        monotonic: Span,
    ) -> Result<(), StoreError> {
        if self.spec.channels.is_empty() {
            return Ok(());
        }
        let mut told = Vec::new();
        if self.stirred || at_work && monotonic - self.looked >= LOOK {
            let rows = store.runs()?;
            for row in store.occurrences(now - notify::LOOK_BACK)? {
                told.extend(notify::of(&row, &rows, now));
            }
            (self.stirred, self.looked) = (false, monotonic);
        }
        if let Some(ahead) = self.spec.announce
            && monotonic - self.announced >= ANNOUNCE
        {
            told.extend(announced(schedules, now, ahead));
            self.announced = monotonic;
            store.forget_mail(now - KEPT)?;
        }
        let outgoing = self.addressed(&told, schedules, now);
        if outgoing.is_empty() { Ok(()) } else { store.queue(&outgoing).map(drop) }
    }

    /// Each message for every channel that wants its level.
    fn addressed(&self, messages: &[Message], schedules: &[Schedule], now: Time) -> Vec<Outgoing> {
        let own: BTreeMap<&ScheduleName, &BTreeMap<ChannelName, Level>> =
            schedules.iter().filter_map(|schedule| Some((&schedule.name, schedule.notify.as_ref()?))).collect();
        let mut outgoing = Vec::new();
        for message in messages {
            let wanted = own.get(&ScheduleName(message.schedule.clone())).copied().unwrap_or(&self.spec.notify);
            for (channel, _) in wanted.iter().filter(|(_, least)| message.level >= **least) {
                // Serializing plain texts does not fail.
                let body = serde_json::to_string(message).unwrap_or_default();
                let (channel, id) = (channel.0.clone(), message.id.clone());
                outgoing.push(Outgoing { number: 0, channel, id, body, queued: now, tries: 0, due: now });
            }
        }
        outgoing
    }
}

/// What is to begin within a time.
fn announced(schedules: &[Schedule], now: Time, ahead: Span) -> Vec<Message> {
    let mut messages = Vec::new();
    for schedule in schedules.iter().filter(|schedule| schedule.enabled) {
        let coming = schedule.occurrences(now).take_while(|coming| coming.at <= now + ahead);
        for coming in coming.filter(|coming| coming.skipped.is_none()) {
            let key = OccurrenceKey { schedule: schedule.name.clone(), at: coming.at, by_hand: false };
            let row = OccurrenceRow { key, decided: now, by: String::new(), fate: Fate::Skipped(String::new()) };
            messages.push(notify::before(&row, &schedule.experiment, now));
        }
    }
    messages
}

/// The thread that delivers.
pub struct Delivery {
    stops: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// At the end, messages may go out for so long.
const AT_THE_END: Span = Span::from_secs(5);

impl Delivery {
    /// Begins to deliver, unless there is no channel.
    pub fn begin(
        spec: &Notifications,
        open: impl Fn() -> Result<Box<dyn Store + Send>, StoreError> + Send + 'static,
    ) -> std::io::Result<Delivery> {
        let stops = Arc::new(AtomicBool::new(false));
        if spec.channels.is_empty() {
            return Ok(Delivery { stops, thread: None });
        }
        let (told, spec) = (Arc::clone(&stops), spec.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name("post".into()).spawn(move || {
            let mut store = None;
            loop {
                let stops = told.load(Ordering::SeqCst);
                // A store that cannot be used now may be later: the messages wait in it.
                if store.is_none() {
                    store = open().ok();
                }
                if let Some(open) = &mut store
                    && let Err(error) = runtime.block_on(deliver(&spec, open.as_mut()))
                {
                    tracing::warn!("notifications wait: {error}");
                    store = None;
                }
                if stops {
                    return;
                }
                RealEnv.sleep(Span::from_millis(500));
            }
        })?;
        Ok(Delivery { stops, thread: Some(thread) })
    }

    /// Ends when what is being tried has been tried.
    pub fn stop(self) {
        self.stops.store(true, Ordering::SeqCst);
    }

    /// Tries what is due once more, for a short while. What is not delivered stays in the store.
    pub fn end(self) {
        self.stops.store(true, Ordering::SeqCst);
        let until = RealEnv.monotonic() + AT_THE_END;
        while self.thread.as_ref().is_some_and(|thread| !thread.is_finished()) && RealEnv.monotonic() < until {
            RealEnv.sleep(Span::from_millis(20));
        }
    }
}

/// Tries every message that is due.
async fn deliver(spec: &Notifications, store: &mut dyn Store) -> Result<(), StoreError> {
    const AT_ONCE: usize = 20;
    for message in store.due(RealEnv.now(), AT_ONCE)? {
        let now = RealEnv.now();
        let sent = match spec.channels.get(&ChannelName(message.channel.clone())) {
            Some(channel) => notify::send(channel, &message.id, &message.body, &spec.addresses, now, &RealEnv).await,
            None => Err("there is no such channel any more".to_owned()),
        };
        let tried = match sent {
            Ok(()) => crate::store::outbox::Tried::Delivered,
            Err(why) => {
                tracing::warn!("{} could not be told {}: {why}", message.channel, message.id);
                crate::store::outbox::after_failure(&message, why, now, RealEnv.entropy())
            }
        };
        store.tried(message.number, &tried)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::{Channel, SlackChannel};
    use crate::schedule::compile::tests::compiled;
    use crate::store::memory::MemoryStore;

    fn at(text: &str) -> Time {
        text.parse().unwrap()
    }

    fn spec(least: Level) -> Notifications {
        let ops = ChannelName("ops".into());
        let channel = Channel::Slack(SlackChannel { url_from_env: "URL".into() });
        Notifications {
            channels: [(ops.clone(), channel)].into(),
            notify: [(ops, least)].into(),
            announce: Some(Span::from_mins(60)),
            addresses: Vec::new(),
        }
    }

    fn decided(store: &mut MemoryStore, schedule: &str, fate: Fate) {
        let time = at("2027-03-01T09:00:00Z");
        let key = OccurrenceKey { schedule: ScheduleName(schedule.into()), at: time, by_hand: false };
        store.claim_occurrence(&OccurrenceRow { key, decided: time, by: "ana".into(), fate }).unwrap();
    }

    fn ids(store: &MemoryStore) -> Vec<String> {
        store.due(at("2030-01-01T00:00:00Z"), 99).unwrap().into_iter().map(|message| message.id).collect()
    }

    #[test]
    fn what_a_dead_process_did_not_queue_is_queued_once_by_the_next() {
        let mut store = MemoryStore::new();
        decided(&mut store, "daily", Fate::Failed("the disk is full".into()));
        decided(&mut store, "hourly", Fate::Skipped("halted".into()));
        let now = at("2027-03-01T09:05:00Z");
        for _ in 0..3 {
            Post::new(spec(Level::Warning)).turn(&[], false, &mut store, now, Span::ZERO).unwrap();
        }
        // Only what is important enough.
        assert_eq!(ids(&store), ["daily/2027-03-01T09:00:00Z/no-run"]);
        let much_later = at("2027-03-03T09:05:00Z");
        Post::new(spec(Level::Info)).turn(&[], false, &mut store, much_later, Span::ZERO).unwrap();
        assert_eq!(ids(&store).len(), 1);
    }

    #[test]
    fn a_schedule_may_tell_others_and_is_announced_once() {
        let mut store = MemoryStore::new();
        let schedule = |name: &str, notify| {
            let mut schedule = compiled("experiment: y\n    when: { cron: 30 9 * * * }\n");
            (schedule.name, schedule.notify) = (ScheduleName(name.into()), notify);
            schedule
        };
        let quiet = schedule("quiet", Some(BTreeMap::new()));
        let mut post = Post::new(spec(Level::Info));
        let schedules = [schedule("daily", None), quiet];
        for minute in ["08:00", "09:00", "09:10"] {
            let now = at(&format!("2027-03-01T{minute}:00Z"));
            let monotonic = now.since(at("2027-03-01T00:00:00Z"));
            post.turn(&schedules, false, &mut store, now, monotonic).unwrap();
        }
        assert_eq!(ids(&store), ["daily/2027-03-01T09:30:00Z/before"]);
        let body = store.due(at("2030-01-01T00:00:00Z"), 9).unwrap().remove(0).body;
        assert!(body.contains("daily: y runs in 30m at 2027-03-01T09:30:00Z"), "{body}");
    }
}
