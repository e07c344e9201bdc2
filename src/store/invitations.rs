//! Invitations to the console in the store.

use super::StoreError;
use crate::access::invitation::Invitation;
use crate::access::token::TokenHash;
use crate::units::Time;

/// What every store can do with invitations.
pub trait Invitations {
    /// Keeps a new invitation, durably.
    ///
    /// # Errors
    /// The store cannot be used.
    fn invite(&mut self, invitation: &Invitation) -> Result<(), StoreError>;

    /// Every invitation, in the order in which they were made; those that are used up as well.
    ///
    /// # Errors
    /// As [`Invitations::invite`].
    fn invitations(&self) -> Result<Vec<Invitation>, StoreError>;

    /// Uses a link up: from now on `session` is the person's. Of two who join with one link at the same time, one succeeds.
    /// `false`: the link is unknown, used, expired or revoked, and nothing is changed.
    ///
    /// # Errors
    /// As [`Invitations::invite`].
    fn join(&mut self, link: &TokenHash, session: TokenHash, at: Time) -> Result<bool, StoreError>;

    /// Revokes an invitation and its session. One that is revoked already keeps its time.
    ///
    /// # Errors
    /// As [`Invitations::invite`].
    fn revoke_invitation(&mut self, link: &TokenHash, at: Time) -> Result<(), StoreError>;
}

/// Everything that a project keeps.
pub trait ProjectStore: super::Store + super::days::Days + Invitations {}

impl<S: super::Store + super::days::Days + Invitations> ProjectStore for S {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Person;
    use crate::access::invitation::Seat;
    use crate::access::token::issue;
    use crate::env::RealEnv;
    use crate::gameday::role::{Actor, Role};
    use crate::ids::DayId;
    use crate::store::memory::MemoryStore;
    use crate::store::sqlite::SqliteStore;

    fn invitation(seat: Seat, secs: i64) -> Invitation {
        let (_, link) = issue(&RealEnv);
        let at = |secs: i64| Time::from_micros(secs * 1_000_000);
        Invitation {
            seat,
            link,
            made: at(secs),
            made_by: "test".into(),
            expires: at(100),
            revoked: None,
            session: None,
        }
    }

    /// What every store must do, seen by two processes.
    fn check(first: &mut dyn Invitations, second: &mut dyn Invitations) {
        let at = |secs: i64| Time::from_micros(secs * 1_000_000);
        let actor = Actor { person: "Ana B".parse().unwrap(), role: Role::SafetyMonitor, agent: true };
        let ana = invitation(Seat::Day { day: DayId("day-1".into()), actor }, 1);
        let console = Person { name: "bo".parse().unwrap(), role: crate::access::Role::Operator };
        let bo = invitation(Seat::Console(console), 2);
        first.invite(&ana).unwrap();
        first.invite(&bo).unwrap();
        assert_eq!(second.invitations().unwrap(), [ana.clone(), bo.clone()]);
        let (_, session) = issue(&RealEnv);
        let (_, other) = issue(&RealEnv);
        assert!(!first.join(&other, session, at(5)).unwrap(), "an unknown link");
        assert!(!first.join(&ana.link, session, at(100)).unwrap(), "an expired one");
        assert!(first.join(&ana.link, session, at(5)).unwrap());
        assert!(!second.join(&ana.link, other, at(6)).unwrap(), "a used one");
        assert_eq!(second.invitations().unwrap()[0].session, Some((session, at(5))));
        second.revoke_invitation(&bo.link, at(7)).unwrap();
        second.revoke_invitation(&bo.link, at(8)).unwrap();
        assert!(!first.join(&bo.link, other, at(9)).unwrap(), "a revoked one");
        assert_eq!(first.invitations().unwrap()[1].revoked, Some(at(7)));
    }

    #[test]
    fn every_store_keeps_invitations() {
        let mut memory = MemoryStore::new();
        let mut another = memory.another_process();
        check(&mut memory, &mut another);
        let folder = tempfile::tempdir().unwrap();
        let open = || SqliteStore::open(folder.path()).unwrap();
        check(&mut open(), &mut open());
    }
}
