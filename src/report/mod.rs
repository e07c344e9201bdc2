//! Reports: projections of a run's events, and of nothing else. A live view and a replay of the journal give the same
//! bytes (DESIGN rule 14).

pub mod jsonl;
pub mod line;
#[cfg(test)]
mod sample;
pub mod summary;
pub mod words;
