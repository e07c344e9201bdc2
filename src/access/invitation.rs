//! Invitations: a link that seats one person, and the session that it becomes.
//!
//! Both are 256 random bits of which only the SHA-256 is kept. A link is used up by the first person who joins with it, so that one
//! that is found later in a chat or a proxy's log opens nothing. A session ends with its invitation.

use super::Person;
use super::token::TokenHash;
use crate::gameday::role::Actor;
use crate::ids::DayId;
use crate::units::Time;

/// What an invitation is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seat {
    /// Take part in a game day.
    Day { day: DayId, actor: Actor },
    /// Look at the project's runs and schedules, with a role of the table of permissions.
    Console(Person),
}

/// What is kept of an invitation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    pub seat: Seat,
    /// Of the link's secret.
    pub link: TokenHash,
    pub made: Time,
    pub made_by: String,
    /// From then on neither the link nor the session opens anything.
    pub expires: Time,
    /// Since then neither opens anything.
    pub revoked: Option<Time>,
    /// Of the session's secret, and when the person joined.
    pub session: Option<(TokenHash, Time)>,
}

/// A person of a game day who asks, and how they came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub day: DayId,
    pub actor: Actor,
    pub session: TokenHash,
    /// The session has ended by time. Such a member can still abort a day that is not over.
    pub expired: bool,
}

/// Why a link opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spent {
    Expired,
    Revoked,
    Used,
}

impl Spent {
    /// In a sentence.
    pub const fn sentence(self) -> &'static str {
        match self {
            Spent::Expired => "This link has expired",
            Spent::Revoked => "This link was revoked",
            Spent::Used => "This link was used already",
        }
    }
}

impl Invitation {
    /// Whether one can join with it at an instant.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, now: Time) -> Result<(), Spent> {
        match () {
            () if self.revoked.is_some() => Err(Spent::Revoked),
            () if self.session.is_some() => Err(Spent::Used),
            () if now >= self.expires => Err(Spent::Expired),
            () => Ok(()),
        }
    }
}

/// The invitation of a link. Every row is looked at, whichever fits.
pub fn of_link<'a>(rows: &'a [Invitation], secret: &str) -> Option<&'a Invitation> {
    let hash = TokenHash::of(secret);
    rows.iter().filter(|row| row.link.matches(&hash)).last()
}

/// The invitation whose session this is, unless it was revoked. Every row is looked at, whichever fits.
pub fn of_session<'a>(rows: &'a [Invitation], session: &TokenHash) -> Option<&'a Invitation> {
    let fits = |row: &&Invitation| row.session.is_some_and(|(hash, _)| hash.matches(session));
    rows.iter().filter(fits).filter(|row| row.revoked.is_none()).last()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::token::issue;
    use crate::env::RealEnv;
    use crate::gameday::role::Role;

    #[test]
    fn a_link_opens_once_and_until_it_expires_or_is_revoked() {
        let at = |secs: i64| Time::from_micros(secs * 1_000_000);
        let (link, hash) = issue(&RealEnv);
        let (session, session_hash) = issue(&RealEnv);
        let actor = Actor { person: "Ana".parse().unwrap(), role: Role::Responder, agent: false };
        let seat = Seat::Day { day: DayId("day-1".into()), actor };
        let made_by = "test".to_owned();
        let row = Invitation { seat, link: hash, made: at(0), made_by, expires: at(10), revoked: None, session: None };
        assert_eq!((row.check(at(9)), row.check(at(10))), (Ok(()), Err(Spent::Expired)));
        let joined = Invitation { session: Some((session_hash, at(1))), ..row.clone() };
        assert_eq!(joined.check(at(2)), Err(Spent::Used));
        let revoked = Invitation { revoked: Some(at(3)), ..joined.clone() };
        assert_eq!(revoked.check(at(4)), Err(Spent::Revoked));
        let rows = [row, joined];
        assert_eq!(of_link(&rows, &link), Some(&rows[1]));
        assert_eq!(of_link(&rows, &session), None);
        assert_eq!(of_session(&rows, &TokenHash::of(&session)), Some(&rows[1]));
        assert_eq!(of_session(&rows, &TokenHash::of(&link)), None);
        assert_eq!(of_session(&[revoked], &TokenHash::of(&session)), None);
    }
}
