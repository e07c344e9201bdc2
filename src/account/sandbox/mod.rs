//! The sandbox: an application in virtual time that behaves like an account.

pub mod app;
