//! What a role sees of a day, as parts of a page that change one by one.
//!
//! A change is counted when an event changes a part of the role's own page. So the numbers have no gaps for hidden events, and they
//! are the same in every process: they follow from the record alone.

use std::collections::BTreeMap;

use super::{facilitator, member};
use crate::gameday::day::Day;
use crate::gameday::event::Recorded;
use crate::gameday::role::Role;
use crate::ids::DayId;

/// A part of a page: its id in the document, and its element.
pub type Part = (String, String);

/// A day, and what each role sees of it.
pub struct Projection {
    id: DayId,
    events: Vec<Recorded>,
    roles: BTreeMap<Role, Seen>,
}

/// What one role sees.
#[derive(Clone)]
pub struct Seen {
    pub day: Day,
    /// How many events are in it.
    events: usize,
    /// How often the role's page changed.
    pub number: u64,
    /// Each part, and the number of its last change.
    parts: BTreeMap<String, (String, u64)>,
    /// Lines of the day's story, for those who see everything.
    story: Vec<facilitator::Told>,
}

impl Projection {
    /// Of a day whose events were not read yet.
    pub fn new(id: DayId) -> Projection {
        Projection { id, events: Vec::new(), roles: BTreeMap::new() }
    }

    /// The number of the last event.
    pub fn seq(&self) -> u64 {
        self.events.last().map_or(0, |event| event.seq)
    }

    /// Takes in what was read after [`Projection::seq`]. What another reader took in meanwhile is left out.
    ///
    /// # Errors
    /// They are no events of a day.
    pub fn take(&mut self, events: &[Recorded]) -> Result<(), String> {
        let seq = self.seq();
        self.events.extend(events.iter().filter(|event| event.seq > seq).cloned());
        self.events.first().map_or(Err("it has no event".into()), |first| Day::open(first.at, &first.event).map(drop))
    }

    /// What a role sees now.
    ///
    /// # Errors
    /// The first event opens no day.
    pub fn seen(&mut self, role: Role) -> Result<&Seen, String> {
        let first = self.events.first().ok_or("it has no event")?;
        if !self.roles.contains_key(&role) {
            let day = Day::open(first.at, &first.event)?;
            let mut seen = Seen { day, events: 1, number: 0, parts: BTreeMap::new(), story: Vec::new() };
            seen.story.extend(facilitator::told(first, &seen.day));
            seen.change(role, &self.id);
            self.roles.insert(role, seen);
        }
        let seen = self.roles.get_mut(&role).ok_or("it has no such role")?;
        for recorded in self.events.iter().skip(seen.events) {
            seen.day.apply(recorded.at, &recorded.event);
            seen.story.extend(facilitator::told(recorded, &seen.day));
            seen.events += 1;
            seen.change(role, &self.id);
        }
        Ok(seen)
    }
}

impl Seen {
    /// Counts a change, if a part of the page is another one now.
    fn change(&mut self, role: Role, id: &DayId) {
        let parts = match role {
            Role::Facilitator => facilitator::parts(id, &self.day, &self.story),
            _ => member::parts(id, &self.day.view(role), role),
        };
        let differs = |(name, html): &&Part| self.parts.get(name).is_none_or(|(before, _)| before != html);
        let changed: Vec<Part> = parts.iter().filter(differs).cloned().collect();
        if changed.is_empty() {
            return;
        }
        self.number += 1;
        for (name, html) in changed {
            self.parts.insert(name, (html, self.number));
        }
    }

    /// The parts that changed after a number, oldest change first.
    pub fn changed_after(&self, number: u64) -> Vec<Part> {
        let newer = self.parts.iter().filter(|(_, (_, changed))| *changed > number);
        let mut newer: Vec<(u64, Part)> =
            newer.map(|(name, (html, changed))| (*changed, (name.clone(), html.clone()))).collect();
        newer.sort_by(|(a, (a_name, _)), (b, (b_name, _))| (a, a_name).cmp(&(b, b_name)));
        newer.into_iter().map(|(_, part)| part).collect()
    }

    /// One part; empty where the role has none of this name.
    pub fn part(&self, name: &str) -> &str {
        self.parts.get(name).map_or("", |(html, _)| html.as_str())
    }

    /// The entries of a list, newest first: parts named `LIST-NUMBER`.
    pub fn entries(&self, list: &str) -> Vec<&str> {
        let prefix = format!("{list}-");
        let of_list = self.parts.iter().filter(|(name, _)| name.starts_with(&prefix));
        of_list.rev().map(|(_, (html, _))| html.as_str()).collect()
    }
}

/// The name of a list's entry. Names sort as the entries do.
pub fn entry(list: &str, number: usize) -> String {
    format!("{list}-{number:05}")
}
