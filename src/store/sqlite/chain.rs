//! The hash chain of a journal. It shows damage and accidents; it does not stop a person who rewrites the whole file.

use rusqlite::types::{FromSql, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use sha2::{Digest as _, Sha256};

use crate::ids::RunId;

/// A SHA-256 digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hash([u8; 32]);

/// The end of a chain: the last event's number and hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub seq: u64,
    pub hash: Hash,
}

/// What an event's hash covers besides the hash before it.
#[derive(Clone, Copy, Debug)]
pub struct Link<'a> {
    pub seq: u64,
    /// Microseconds since the epoch.
    pub at: i64,
    pub body: &'a str,
}

impl Head {
    /// Before the first event of a run. The run's name is in it: one run's events do not fit into another.
    pub fn start(run: &RunId) -> Head {
        Head::of(&run.0)
    }

    /// Before the first event of anything with a name.
    pub fn of(name: &str) -> Head {
        Head { seq: 0, hash: Hash(Sha256::digest(name).into()) }
    }

    /// After one more event.
    pub fn follow(&self, link: &Link<'_>) -> Head {
        let digest = Sha256::new()
            .chain_update(self.hash.0)
            .chain_update(link.seq.to_be_bytes())
            .chain_update(link.at.to_be_bytes())
            .chain_update(link.body);
        Head { seq: link.seq, hash: Hash(digest.finalize().into()) }
    }
}

/// Number, time, body and hash of a row, the body not copied.
pub fn columns<'a>(row: &'a rusqlite::Row<'_>) -> Result<(u64, i64, &'a str, Hash), rusqlite::Error> {
    Ok((row.get(0)?, row.get(1)?, row.get_ref(2)?.as_str()?, row.get(3)?))
}

impl ToSql for Hash {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.0.to_sql()
    }
}

impl FromSql for Hash {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Hash> {
        FromSql::column_result(value).map(Hash)
    }
}
