//! The place of the HTTP API in a squall that was built without it (the cargo feature `serve`).

use std::sync::Arc;
use std::sync::mpsc::Sender;

use super::Order;
use crate::cli::prepare::Allowed;
use crate::cli::{Context, Failure};
use crate::project::serve::{Listen, ServeSpec};
use crate::schedule::Schedule;
use crate::store::occurrences::OccurrenceRow;
use crate::units::Span;

/// Nothing that listens.
pub struct Http;

impl Http {
    /// Refuses to listen.
    pub fn begin(
        listen: Option<Listen>,
        _: &ServeSpec,
        _: Arc<Vec<Schedule>>,
        _: &Allowed,
        _: Sender<Order>,
        _: &Context,
    ) -> Result<Http, Failure> {
        match listen {
            None => Ok(Http),
            Some(_) => Err(Failure::refused("this squall was built without HTTP", "build it with the feature `serve`")),
        }
    }

    /// The loop has turned.
    pub fn turned(&self) {}

    /// Others are served from now on.
    pub fn set_schedules(&self, _: Arc<Vec<Schedule>>) {}

    /// An occurrence was decided.
    pub fn decided(&self, _: &OccurrenceRow) {}

    /// A run was rolled back.
    pub fn rolled_back(&self, _: Span) {}

    /// Nothing starts any more.
    pub fn stops(&self) {}
}
