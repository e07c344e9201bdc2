//! The judge: from the readings of signals to evidence, and from evidence to a verdict whose error is known.
//!
//! Nothing here knows where readings come from, what time it is, or any chance: the same readings give the same verdict,
//! live and replayed. The method, its guarantee and its measured figures are in `docs/judge.md`.
//!
//! Reading order: [`ask`] turns each kind of bound into how bad a window was; [`betting`] turns that into evidence;
//! [`weighing`] decides, and [`judgement`] says what was decided and how sure that is. Beside it stand the bounds that
//! need no chance ([`invariant`], [`detection`], [`budget`], [`abort`]), those that compare ([`baseline`], [`control`]),
//! and what a verdict says of itself ([`power`], [`effect`]).

pub mod abort;
pub mod ask;
pub mod baseline;
pub mod betting;
pub mod bound;
pub mod budget;
pub mod control;
pub mod criterion;
pub mod detection;
pub mod effect;
pub mod effectiveness;
pub mod foresight;
pub mod held;
pub mod invariant;
pub mod judgement;
pub mod power;
pub mod recovery;
pub mod simulate;
pub mod special;
pub mod verdict;
pub mod watermark;
pub mod weighing;
