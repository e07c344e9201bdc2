//! The contract tests: one list of what every account must do, run against each kind.
