//! squall against emulators of AWS, with functions that really run.
//!
//! `./test.sh` sets up what is needed (`tests/emulators/setup.sh` does it by hand) and runs this target with more threads
//! than cores, for the tests mostly wait. What a test asserts is what the *application* saw, beside what the API says.
//!
//! # Interfaces
//!
//! - [`emulator::ministack`], [`emulator::moto`], [`emulator::localemu`]: started at their first use on a free port of
//!   127.0.0.1 and stopped when this program ends, however it ends. Another emulator is one more function there.
//! - [`account::Account::new`]: an account of its own for a test, with the SDK's clients, through which a test is the
//!   application or a third party; `account.wait(future)` waits for them, [`account::until`] for anything else.
//! - [`shop::Shop::deploy`]: the shipped shop in an account, from `sandbox/shop`, with its real functions.
//!   `shop.order()` is a shopper; `shop.name("OrdersQueue")` is a resource's physical name.
//! - [`squall::Project::new`]: a project of its own (folder, squall.yaml, store) for an account, in which
//!   `project.squall(&["plan", ...])` runs the real binary and `project.begin(...)` follows a run event by event.
//! - [`proxy::Proxy::before`]: a network in front of an emulator that loses, delays and refuses calls.
//! - [`day::Day::with`]: shoppers who order one after the other and remember what they saw, and alarms that ring.
//! - [`short::shipped_in`]: a shipped experiment with short times, in a project.
//! - [`picture::picture`]: all in an account that a run could have changed.

#![expect(clippy::unwrap_used, clippy::panic, reason = "these are tests")]

mod account;
mod contract;
mod day;
mod denied;
mod deployed;
mod emulator;
mod identity;
mod killed;
mod layer;
mod localemu;
mod picture;
mod poisoned;
mod policy;
mod probes;
mod proxy;
mod reached;
mod samples;
mod shop;
mod short;
mod side_by_side;
mod squall;
mod third_party;
mod throttled;
mod unreliable;
mod wrapped;
