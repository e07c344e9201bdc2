//! The live view of a run on a terminal: its lines go by, and under them stands where the run is, redrawn in place.
//!
//! Nothing of the terminal is switched (no cursor hidden, no other screen), so that nothing has to be restored when
//! the process is killed.

use super::output::Pipe;
use super::tell::style;
use crate::report::live::{Row, rows};
use crate::report::words;
use crate::run::state::State;

/// What is drawn now.
#[derive(Debug, Default)]
pub struct Live {
    lines: usize,
}

impl Live {
    /// Prints `text` above the view, and the view again.
    pub fn show(&mut self, text: &str, state: Option<&State>, pipe: &mut Pipe) {
        let (width, height) = size();
        let view = state.filter(|state| state.closed.is_none()).map(|state| view(state, width, height, pipe));
        let view = view.unwrap_or_default();
        let drawn: String = view.iter().map(|line| format!("{line}\n")).collect();
        pipe.control(self.erased());
        pipe.text(format!("{text}{drawn}"));
        self.lines = view.len();
    }

    /// Takes the view away.
    pub fn end(&mut self, pipe: &mut Pipe) {
        pipe.control(self.erased());
        self.lines = 0;
    }

    fn erased(&self) -> String {
        match self.lines {
            0 => String::new(),
            lines => format!("\r\x1b[{lines}A\x1b[J"),
        }
    }
}

fn size() -> (usize, usize) {
    match terminal_size::terminal_size_of(std::io::stdout()) {
        Some((width, height)) => (width.0.into(), height.0.into()),
        None => (80, 24),
    }
}

/// A blank line and the rows, as many as fit: a view that is taller than the terminal cannot be erased.
fn view(state: &State, width: usize, height: usize, pipe: &Pipe) -> Vec<String> {
    // The last column stays free: some terminals wrap when it is written.
    let mut rows = rows(state, width.saturating_sub(1));
    rows.truncate(height.saturating_sub(3));
    let paint = |row: &Row| row.0.iter().map(|(tone, text)| pipe.paint(style(*tone), text)).collect::<String>();
    std::iter::once(String::new()).chain(rows.iter().map(paint)).collect()
}

/// The progress of the rollback, shown after a second signal: `rolling back: 1 of 3 changes settled`.
pub fn undo_progress(state: &State) -> String {
    let all = state.lives.values().filter(|life| life.intended.is_some()).count();
    let settled = all.saturating_sub(state.outstanding().count());
    match (state.closed.is_some(), state.rolling_back() || state.stopping.is_some()) {
        (true, _) => "the run is closed".into(),
        (false, true) => format!("rolling back: {settled} of {} settled", words::plural(all, "change", "changes")),
        (false, false) => "stopping: the rollback begins".into(),
    }
}
