//! Waiting for a live run that was asked to stop.

use crate::cli::screen::Screen;
use crate::cli::signals::Signals;
use crate::cli::{Context, Exit, Failure, run};
use crate::env::Env as _;
use crate::ids::RunId;
use crate::run::event::Event;
use crate::store::Store;
use crate::units::Span;

/// What came of waiting.
pub enum Waited {
    /// Its process undid it.
    Closed(Exit),
    /// Its process died before it was done.
    Died,
}

/// Between two looks.
const PAUSE: Span = Span::from_millis(100);
/// A run that tells nothing for so long is worth a hint.
const SILENCE: Span = Span::from_secs(10);

/// Asks a live run to stop, and tells what it does until it is closed.
pub fn until_closed(run: &RunId, store: &mut dyn Store, context: &mut Context) -> Result<Waited, Failure> {
    store.ask_to_stop(run, &context.env.who())?;
    let mut told = store.events(run)?.len();
    let screen = Screen::over(&mut context.output, run, context.json);
    screen.catch_up(&store.events(run)?);
    screen.say(&format!("{run} is live: asked it to stop and roll back; waiting"));
    let signals = Signals::listen(|| {}).map_err(|error| run::no_signals(&error))?;
    let mut heard = context.env.monotonic();
    let mut hinted = false;
    let waited = loop {
        // Alive first: what it wrote before it died is there when it is read afterwards.
        let alive = store.is_alive(run)?;
        let events = store.events(run)?;
        for recorded in events.iter().skip(told) {
            screen.tell(recorded);
            heard = context.env.monotonic();
        }
        told = told.max(events.len());
        if let Some(Event::Closed { left, .. }) = events.last().map(|last| &last.event) {
            break Ok(Waited::Closed(if left.is_empty() { Exit::Fine } else { Exit::Left }));
        }
        if !alive {
            break Ok(Waited::Died);
        }
        if let Some(interrupt) = signals.interrupts.get() {
            break Err(Failure {
                exit: Exit::Left,
                what: format!("{} ended the wait; {run} is still running", interrupt.name()),
                next: Some(format!("squall undo {run}")),
            });
        }
        if !hinted && context.env.monotonic() - heard > SILENCE {
            hinted = true;
            screen.say(&format!("no reaction; to take the run over from its process: squall undo {run} --take-over"));
        }
        context.env.sleep(PAUSE);
    };
    screen.end(&mut context.output, || true);
    waited
}
