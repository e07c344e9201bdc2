//! Whether the process lives, and whether it is ready.

use schemars::JsonSchema;
use serde::Serialize;

use crate::serve::http::{Answer, App, Asked, Refusal};

/// What health checks get.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Health {
    /// `ok`.
    pub status: String,
}

fn ok() -> Result<Answer, Refusal> {
    Answer::json(&Health { status: "ok".into() })
}

/// It answers, so it lives.
pub fn healthz(_: &App, _: &Asked) -> Result<Answer, Refusal> {
    ok()
}

/// Whether runs would start: the loop turns, the store can be read, nothing stops the process.
pub fn readyz(app: &App, _: &Asked) -> Result<Answer, Refusal> {
    // Strangers may ask, so the reason is in the log and not here.
    let not_ready = || Refusal::new(503, "not ready");
    if app.backend.not_ready().is_some() {
        return Err(not_ready());
    }
    app.with_store(|store| store.halted()).map_err(|_| not_ready())?;
    ok()
}
