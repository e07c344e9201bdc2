//! What a run shows while it goes on: its lines, on a terminal with the live view under them.
//!
//! Shared between the run and the signal thread, so that a second Ctrl-C gets its answer at once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::live::{Live, undo_progress};
use super::output::{Output, Pipe};
use super::tell::Teller;
use crate::ids::RunId;
use crate::run::Recorded;

/// A shared screen.
#[derive(Clone)]
pub struct Screen(Arc<Mutex<Shown>>);

struct Shown {
    out: Pipe,
    err: Pipe,
    teller: Teller,
    live: Option<Live>,
}

impl Screen {
    /// Takes the output over, until [`Screen::end`].
    pub fn over(output: &mut Output, run: &RunId, json: bool) -> Screen {
        let (mut out, mut err) = (output.out.take(), output.err.take());
        // From here on a reader that is slow or stopped must not hold up the run.
        out.detach();
        err.detach();
        let live = (out.is_terminal() && !json).then(Live::default);
        Screen(Arc::new(Mutex::new(Shown { teller: Teller::new(run, json), live, out, err })))
    }

    /// The next event.
    pub fn tell(&self, recorded: &Recorded) {
        let shown = &mut *self.lock();
        let text = shown.teller.text(recorded, &shown.out);
        match &mut shown.live {
            Some(live) => live.show(&text, shown.teller.state(), &mut shown.out),
            None if text.is_empty() => {}
            None => shown.out.text(text),
        }
    }

    /// What was told before, so that the rest can be told from there.
    pub fn catch_up(&self, before: &[Recorded]) {
        let shown = &mut *self.lock();
        before.iter().for_each(|recorded| shown.teller.hear(recorded));
    }

    /// A line for the person, which is no part of the run's story.
    pub fn say(&self, line: &str) {
        let shown = &mut *self.lock();
        match &mut shown.live {
            Some(live) => live.show(&format!("{line}\n"), shown.teller.state(), &mut shown.out),
            None => shown.err.line(line),
        }
    }

    /// Says how far the undo is.
    pub fn say_progress(&self) {
        let progress = self.lock().teller.state().map_or_else(|| "nothing is changed yet".into(), undo_progress);
        self.say(&progress);
    }

    /// Gives the output back, without the live view. Waits for slow readers until `give_up`.
    pub fn end(self, output: &mut Output, give_up: impl Fn() -> bool) {
        let shown = &mut *self.lock();
        if let Some(live) = &mut shown.live {
            live.end(&mut shown.out);
        }
        shown.out.finish(&give_up);
        shown.err.finish(&give_up);
        *output = Output { out: shown.out.take(), err: shown.err.take() };
    }

    fn lock(&self) -> MutexGuard<'_, Shown> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
