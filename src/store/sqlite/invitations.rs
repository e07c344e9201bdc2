//! Invitations in SQLite.

use rusqlite::{Row, params};

use super::{SqliteStore, access::has, failed, write};
use crate::access::Person;
use crate::access::invitation::{Invitation, Seat};
use crate::access::token::TokenHash;
use crate::gameday::role::Actor;
use crate::ids::DayId;
use crate::store::StoreError;
use crate::store::invitations::Invitations;
use crate::units::Time;

impl Invitations for SqliteStore {
    fn invite(&mut self, invitation: &Invitation) -> Result<(), StoreError> {
        let Invitation { seat, link, made, made_by, expires, revoked, session } = invitation;
        let (day, who, role, agent) = match seat {
            Seat::Day { day, actor } => (Some(&day.0), actor.person.0.as_str(), actor.role.word(), actor.agent),
            Seat::Console(person) => (None, person.name.as_str(), person.role.word(), false),
        };
        let (secret, joined) = (session.map(|(hash, _)| hash.0), session.map(|(_, at)| at.micros()));
        let transaction = write(&mut self.db)?;
        transaction
            .execute(
                "INSERT INTO invitations (link, day, who, role, agent, made, made_by, expires, revoked, session, joined)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
                params![
                    link.0,
                    day,
                    who,
                    role,
                    agent,
                    made.micros(),
                    made_by,
                    expires.micros(),
                    revoked.map(Time::micros),
                    secret,
                    joined
                ],
            )
            .map_err(failed)?;
        transaction.commit().map_err(failed)
    }

    fn invitations(&self) -> Result<Vec<Invitation>, StoreError> {
        if !has(&self.db, "invitations")? {
            return Ok(Vec::new());
        }
        let mut select = self
            .db
            .prepare_cached(
                "SELECT link, day, who, role, agent, made, made_by, expires, revoked, session, joined
                 FROM invitations ORDER BY made, who",
            )
            .map_err(failed)?;
        let mut rows = select.query([]).map_err(failed)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(failed)? {
            let time = |column| row.get::<usize, i64>(column).map(Time::from_micros).map_err(failed);
            let perhaps =
                |column| row.get::<usize, Option<i64>>(column).map(|at| at.map(Time::from_micros)).map_err(failed);
            let session: Option<[u8; 32]> = row.get(9).map_err(failed)?;
            found.push(Invitation {
                seat: seat(row)?,
                link: TokenHash(row.get(0).map_err(failed)?),
                made: time(5)?,
                made_by: row.get(6).map_err(failed)?,
                expires: time(7)?,
                revoked: perhaps(8)?,
                session: session.map(TokenHash).zip(perhaps(10)?),
            });
        }
        Ok(found)
    }

    fn join(&mut self, link: &TokenHash, session: TokenHash, at: Time) -> Result<bool, StoreError> {
        let transaction = write(&mut self.db)?;
        let changed = transaction
            .execute(
                "UPDATE invitations SET session = ?2, joined = ?3
                 WHERE link = ?1 AND session IS NULL AND revoked IS NULL AND expires > ?3",
                params![link.0, session.0, at.micros()],
            )
            .map_err(failed)?;
        transaction.commit().map_err(failed)?;
        Ok(changed == 1)
    }

    fn revoke_invitation(&mut self, link: &TokenHash, at: Time) -> Result<(), StoreError> {
        let transaction = write(&mut self.db)?;
        transaction
            .execute(
                "UPDATE invitations SET revoked = ?2 WHERE link = ?1 AND revoked IS NULL",
                params![link.0, at.micros()],
            )
            .map_err(failed)?;
        transaction.commit().map_err(failed)
    }
}

fn seat(row: &Row<'_>) -> Result<Seat, StoreError> {
    let unknown = |why: String| StoreError::Failed(format!("an invitation of the store cannot be used: {why}"));
    let day: Option<String> = row.get(1).map_err(failed)?;
    let who: String = row.get(2).map_err(failed)?;
    let role: String = row.get(3).map_err(failed)?;
    Ok(match day {
        Some(day) => {
            let person = who.parse().map_err(unknown)?;
            let actor = Actor { person, role: role.parse().map_err(unknown)?, agent: row.get(4).map_err(failed)? };
            Seat::Day { day: DayId(day), actor }
        }
        None => Seat::Console(Person { name: who.parse().map_err(unknown)?, role: role.parse().map_err(unknown)? }),
    })
}
