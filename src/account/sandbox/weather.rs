//! The weather of the API: what goes wrong between a caller and the services, all of it from the seed or at exact calls.
//!
//! Weather never changes what a call does, only whether, when and how often its caller learns of it. The one exception
//! is the third party: others change, delete and create.

use std::collections::BTreeMap;

use super::chance::Chance;
use crate::account::{Observed, Resource, Setting, Write};
use crate::units::{Share, Span, Time};

/// After which a caller stops waiting for an answer, as the connect and attempt time-outs of an SDK do.
pub const ATTEMPT_TIMEOUT: Span = Span::from_secs(10);

/// What becomes of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It happens and is answered.
    Normal,
    /// It never reaches the service; the caller gets no answer.
    LostBefore,
    /// It happens; the answer is lost.
    LostReply,
    /// The caller gets no answer, and so long after that the call happens, whether the caller still lives or not.
    LateBy(Span),
}

/// When a third party acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// At an instant.
    At(Time),
    /// Just before the call of this number (from 1) takes effect: in the gap between a caller's read and its write.
    OnCall(u64),
}

/// What a third party does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    Set(Write),
    /// Everything that was set on the resource goes with it.
    Delete(Resource),
    /// Creates a deleted resource again, with nothing set on it.
    Create(Resource),
}

/// A third party, or an automatic remediation, acts in the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThirdParty {
    pub when: When,
    pub act: Act,
}

/// How the API behaves. [`Weather::calm`] answers every call in 20 to 60 ms.
#[derive(Clone, Debug, PartialEq)]
pub struct Weather {
    /// From a call's start to its answer, uniform.
    pub latency: (Span, Span),
    /// Calls that are throttled: nothing happened.
    pub throttled: Share,
    /// Calls that end in an internal error: one half of them happened.
    pub failing: Share,
    /// Calls that never reach the service.
    pub lost_before: Share,
    /// Calls of which the answer is lost.
    pub lost_reply: Share,
    /// Calls that land late, uniform up to `late_up_to` after the caller gave up.
    pub late: Share,
    pub late_up_to: Span,
    /// Reads that show the value before, within `stale_for` of a write.
    pub stale: Share,
    pub stale_for: Span,
    /// A written setting works after a time, uniform up to this.
    pub slow_settings: Span,
    /// What others do.
    pub third_party: Vec<ThirdParty>,
    /// Calls of the dead-man switch that fail: a third of them happened, and a third happens late.
    pub switch_failing: Share,
    /// How much later than it should the dead-man switch wakes.
    pub switch_late: Span,
    /// From when until when the caller's credentials are not accepted.
    pub expired: Option<(Time, Time)>,
}

impl Weather {
    /// Nothing goes wrong.
    pub fn calm() -> Weather {
        Weather {
            latency: (Span::from_millis(20), Span::from_millis(60)),
            throttled: Share::NONE,
            failing: Share::NONE,
            lost_before: Share::NONE,
            lost_reply: Share::NONE,
            late: Share::NONE,
            late_up_to: Span::from_secs(30),
            stale: Share::NONE,
            stale_for: Span::from_secs(5),
            slow_settings: Span::ZERO,
            third_party: Vec::new(),
            switch_failing: Share::NONE,
            switch_late: Span::ZERO,
            expired: None,
        }
    }

    /// Everything goes wrong now and then, but for third parties: each kind with the probability `share`.
    pub fn rough(share: Share) -> Weather {
        Weather {
            throttled: share,
            failing: share,
            lost_before: share,
            lost_reply: share,
            late: share,
            stale: share,
            switch_failing: share,
            slow_settings: Span::from_secs(5),
            ..Weather::calm()
        }
    }
}

/// What the weather decided for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outlook {
    Fated(Fate),
    Throttled,
    /// An internal error; whether the call happened.
    Failed {
        happened: bool,
    },
}

/// The weather and what it has to remember.
#[derive(Clone, Debug)]
pub(super) struct Sky {
    pub weather: Weather,
    chance: Chance,
    /// Of renewals, which have a number of 0.
    renewals: Chance,
    /// Fates forced by a test, by the number of the call.
    forced: BTreeMap<u64, Fate>,
    /// What was there before a recent write, and when it was written.
    before: BTreeMap<Setting, (Observed, Time)>,
}

impl Sky {
    pub fn new(weather: Weather, seed: u64) -> Sky {
        let (chance, renewals) = (Chance::of(seed, "weather"), Chance::of(seed, "renewals"));
        Sky { weather, chance, renewals, forced: BTreeMap::new(), before: BTreeMap::new() }
    }

    /// Decides the fate of the call with this number beforehand.
    pub fn force(&mut self, call: u64, fate: Fate) {
        self.forced.insert(call, fate);
    }

    /// What becomes of the call with this number.
    pub fn outlook(&mut self, call: u64) -> Outlook {
        if let Some(fate) = self.forced.remove(&call) {
            return Outlook::Fated(fate);
        }
        let weather = &self.weather;
        let shares = [weather.throttled, weather.failing, weather.lost_before, weather.lost_reply, weather.late];
        if shares.iter().all(|share| *share == Share::NONE) {
            return Outlook::Fated(Fate::Normal);
        }
        let chance = if call == 0 { &mut self.renewals } else { &mut self.chance };
        let mut left = chance.unit();
        let mut drawn = None;
        for (kind, share) in shares.iter().enumerate() {
            if left < share.get() {
                drawn = Some(kind);
                break;
            }
            left -= share.get();
        }
        match drawn {
            Some(0) => Outlook::Throttled,
            Some(1) => Outlook::Failed { happened: chance.unit() < 0.5 },
            Some(2) => Outlook::Fated(Fate::LostBefore),
            Some(3) => Outlook::Fated(Fate::LostReply),
            Some(_) => Outlook::Fated(Fate::LateBy(chance.between(Span::ZERO, weather.late_up_to))),
            None => Outlook::Fated(Fate::Normal),
        }
    }

    /// From the start of the call with this number to its answer.
    pub fn latency(&mut self, call: u64) -> Span {
        let (from, to) = self.weather.latency;
        let chance = if call == 0 { &mut self.renewals } else { &mut self.chance };
        chance.between(from, to)
    }

    /// How long a written setting takes to work, beyond what its service always takes.
    pub fn settles_in(&mut self) -> Span {
        match self.weather.slow_settings {
            Span::ZERO => Span::ZERO,
            up_to => self.chance.between(Span::ZERO, up_to),
        }
    }

    /// Remembers what a write is about to replace, when reads may be stale.
    pub fn about_to_write(&mut self, setting: &Setting, shown: &Observed, now: Time) {
        if self.weather.stale.get() > 0.0 {
            self.before.insert(setting.clone(), (shown.clone(), now));
        }
    }

    /// An older value in place of the true one, if this read is stale.
    pub fn stale(&mut self, setting: &Setting, now: Time) -> Option<Observed> {
        let (before, written) = self.before.get(setting)?;
        if now.since(*written) > self.weather.stale_for {
            self.before.remove(setting);
            return None;
        }
        self.chance.happens(self.weather.stale).then(|| before.clone())
    }

    /// The third party that acts just before the call of this number takes effect.
    pub fn third_party_on(&self, call: u64) -> impl Iterator<Item = u32> + use<> {
        let acts = |party: &ThirdParty| party.when == When::OnCall(call);
        let found: Vec<u32> =
            (0_u32..).zip(&self.weather.third_party).filter(|(_, p)| acts(p)).map(|(i, _)| i).collect();
        found.into_iter()
    }
}
