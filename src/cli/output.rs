//! Where everything is printed. A reader that goes away (`| head`), a closed terminal or a full disk ends the printing,
//! never the command.

use std::io::{self, IsTerminal as _, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use anstream::ColorChoice;
use owo_colors::{OwoColorize as _, Style};

use crate::outside;

/// Standard output and standard error.
pub struct Output {
    pub out: Pipe,
    pub err: Pipe,
}

/// One of the two.
pub struct Pipe {
    to: Sink,
    colour: bool,
    terminal: bool,
    /// Why something was not written, other than that no reader is left.
    failed: Option<String>,
}

enum Sink {
    Direct(Box<dyn Write + Send>),
    /// A thread writes, so that a slow reader never stops the caller; its end is told by the receiver.
    Detached(Sender<Vec<u8>>, Receiver<Box<dyn Write + Send>>),
    /// No reader is left.
    Gone,
}

impl Output {
    /// The process's own. Colours only on a terminal, and never with `NO_COLOR`.
    pub fn standard() -> Output {
        let colours = |choice| choice != ColorChoice::Never;
        Output {
            out: Pipe {
                colour: colours(anstream::AutoStream::choice(&io::stdout())),
                terminal: io::stdout().is_terminal(),
                to: Sink::Direct(Box::new(io::stdout())),
                failed: None,
            },
            err: Pipe {
                colour: colours(anstream::AutoStream::choice(&io::stderr())),
                terminal: io::stderr().is_terminal(),
                to: Sink::Direct(Box::new(io::stderr())),
                failed: None,
            },
        }
    }
}

impl Pipe {
    /// One without colours, to anywhere.
    pub fn plain(to: impl Write + Send + 'static) -> Pipe {
        Pipe { to: Sink::Direct(Box::new(to)), colour: false, terminal: false, failed: None }
    }

    /// Whether colours are welcome.
    pub fn colour(&self) -> bool {
        self.colour
    }

    /// Whether a person looks at it as it is printed.
    pub fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Leaves a pipe that prints nothing, and gives this one away.
    pub fn take(&mut self) -> Pipe {
        Pipe {
            to: std::mem::replace(&mut self.to, Sink::Gone),
            colour: self.colour,
            terminal: self.terminal,
            failed: None,
        }
    }

    /// Prints one line, whatever breaks are in the text.
    pub fn line(&mut self, text: impl AsRef<str>) {
        self.text(outside::flat(text.as_ref()) + "\n");
    }

    /// Prints a document for programs on one line. What a terminal would act on is escaped in it.
    pub fn json(&mut self, document: &serde_json::Value) {
        self.line(outside::escaped_json(&document.to_string()));
    }

    /// Prints a text. Whatever is in it from outside moves no cursor and hides nothing.
    pub fn text(&mut self, text: impl AsRef<str>) {
        self.control(outside::for_terminal(text.as_ref(), self.colour));
    }

    /// Moves the cursor and clears: for what squall draws itself, never for a text.
    pub fn control(&mut self, sequence: impl AsRef<str>) {
        let bytes = sequence.as_ref().as_bytes();
        let written = match &mut self.to {
            Sink::Direct(to) => to.write_all(bytes).and_then(|()| to.flush()),
            Sink::Detached(to, _) => to.send(bytes.to_vec()).map_err(|_| io::ErrorKind::BrokenPipe.into()),
            Sink::Gone => Ok(()),
        };
        if let Err(error) = written {
            self.to = Sink::Gone;
            if error.kind() != io::ErrorKind::BrokenPipe {
                self.failed = Some(error.to_string());
            }
        }
    }

    /// Why something that was printed is missing, as on a full disk. A reader that went away is no failure.
    pub fn failed(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    /// `text` in a style where colours are welcome.
    pub fn paint(&self, style: Style, text: impl AsRef<str>) -> String {
        match self.colour && !style.is_plain() {
            true => text.as_ref().style(style).to_string(),
            false => text.as_ref().to_owned(),
        }
    }

    /// From now on a thread writes, and printing never waits for the reader.
    pub fn detach(&mut self) {
        let Sink::Direct(mut to) = std::mem::replace(&mut self.to, Sink::Gone) else { return };
        let (sender, texts) = channel::<Vec<u8>>();
        let (done, end) = channel();
        std::thread::spawn(move || {
            let write = |bytes: Vec<u8>| to.write_all(&bytes).and_then(|()| to.flush());
            // Ends at the first failure, or when nothing is printed any more; a waiting caller gets the rest.
            if texts.into_iter().try_for_each(write).is_ok() {
                let _ = done.send(to);
            }
        });
        self.to = Sink::Detached(sender, end);
    }

    /// Waits until everything is written, or `give_up` says that this is enough. From then on it prints directly again.
    pub fn finish(&mut self, give_up: impl Fn() -> bool) {
        let Sink::Detached(sender, end) = std::mem::replace(&mut self.to, Sink::Gone) else { return };
        drop(sender);
        loop {
            match end.recv_timeout(Duration::from_millis(50)) {
                Ok(to) => return self.to = Sink::Direct(to),
                Err(RecvTimeoutError::Timeout) if !give_up() => {}
                Err(_) => return,
            }
        }
    }
}

/// For [`tracing_subscriber`], which would complain on a closed standard error, and panic there.
#[derive(Clone, Copy, Debug, Default)]
pub struct QuietStderr;

impl Write for QuietStderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A log line without a reader is no error.
        let _ = io::stderr().write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};

    /// Fails like a closed pipe after some writes.
    struct Closing(Arc<AtomicUsize>);

    impl Write for Closing {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            match self.0.fetch_add(1, Ordering::SeqCst) {
                0 | 1 => Ok(bytes.len()),
                _ => Err(io::ErrorKind::BrokenPipe.into()),
            }
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_goes_away_ends_the_printing_alone() {
        for detached in [false, true] {
            let writes = Arc::new(AtomicUsize::new(0));
            let mut pipe = Pipe::plain(Closing(writes.clone()));
            if detached {
                pipe.detach();
            }
            for _ in 0..10 {
                pipe.line("text");
            }
            pipe.finish(|| false);
            assert_eq!(writes.load(Ordering::SeqCst), 3, "the third one failed, and no other was tried");
        }
    }

    #[test]
    fn a_detached_pipe_writes_everything_in_order_before_it_finishes() {
        let kept = Kept::default();
        let mut pipe = Pipe::plain(kept.clone());
        pipe.line("first");
        pipe.detach();
        pipe.line("second");
        pipe.text("third");
        pipe.finish(|| false);
        assert_eq!(*kept.0.lock().unwrap(), b"first\nsecond\nthird");
    }
}
