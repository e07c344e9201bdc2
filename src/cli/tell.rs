//! Events as they are printed: the one place for a live run and for its journal, so that both give the same bytes.

use owo_colors::Style;

use super::output::Pipe;
use crate::ids::RunId;
use crate::report::jsonl;
use crate::report::line::{Line, Narrator, Tone};
use crate::run::Recorded;
use crate::run::state::State;

/// Prints a run event by event.
pub struct Teller {
    run: RunId,
    narrator: Narrator,
    json: bool,
}

impl Teller {
    /// For one run, in words or in JSON.
    pub fn new(run: &RunId, json: bool) -> Teller {
        Teller { run: run.clone(), narrator: Narrator::default(), json }
    }

    /// What there is to print of the next event, with its line feed; often nothing.
    pub fn text(&mut self, recorded: &Recorded, pipe: &Pipe) -> String {
        let line = self.narrator.tell(recorded);
        match (self.json, line) {
            (true, _) => jsonl::line(&self.run, recorded) + "\n",
            (false, Some(line)) => painted(&line, pipe) + "\n",
            (false, None) => String::new(),
        }
    }

    /// Prints the next event.
    pub fn tell(&mut self, recorded: &Recorded, pipe: &mut Pipe) {
        let text = self.text(recorded, pipe);
        if !text.is_empty() {
            pipe.text(text);
        }
    }

    /// Takes in an event that was told before.
    pub fn hear(&mut self, recorded: &Recorded) {
        let _ = self.narrator.tell(recorded);
    }

    /// The run so far.
    pub fn state(&self) -> Option<&State> {
        self.narrator.state()
    }
}

fn painted(line: &Line, pipe: &Pipe) -> String {
    pipe.paint(style(line.tone), line.to_string())
}

/// How a tone looks.
pub fn style(tone: Tone) -> Style {
    match tone {
        Tone::Quiet => Style::new().dimmed(),
        Tone::Plain => Style::new(),
        Tone::Strong => Style::new().bold(),
        Tone::Good => Style::new().green(),
        Tone::Warning => Style::new().yellow(),
        Tone::Bad => Style::new().red().bold(),
    }
}
