//! Ctrl-C, SIGTERM and SIGHUP: the first one asks a run to stop and roll back, the others only ask how far it is.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::env::{Interrupt, Interrupts};

/// What came of signals since [`Signals::listen`].
#[derive(Clone, Debug, Default)]
pub struct Signals {
    /// The first one, for the driver.
    pub interrupts: Interrupts,
    came: Arc<AtomicUsize>,
    /// How often SIGHUP came, where it means that files are to be read again.
    reloads: Option<Arc<AtomicUsize>>,
}

/// SIGXFSZ on Linux and macOS. Left alone it ends a process whose file grows over a limit; caught, the write fails and the
/// run stops and undoes as on a full disk.
const FILE_SIZE: i32 = 25;

impl Signals {
    /// Catches signals from now on, in a thread of its own. `on_more` is told of every one after the first.
    pub fn listen(on_more: impl Fn() + Send + 'static) -> io::Result<Signals> {
        Signals::default().begin(on_more)
    }

    /// The same for a process without a terminal: SIGHUP asks it to read its files again.
    pub fn listen_without_terminal() -> io::Result<Signals> {
        Signals { reloads: Some(Arc::default()), ..Signals::default() }.begin(|| {})
    }

    fn begin(self, on_more: impl Fn() + Send + 'static) -> io::Result<Signals> {
        let signals = self;
        let told = signals.clone();
        let (ready, caught) = mpsc::channel();
        std::thread::Builder::new().name("signals".into()).spawn(move || {
            // A receiver that is gone means that this is not waited for any more.
            match Catcher::new() {
                Ok(catcher) => {
                    let _ = ready.send(Ok(()));
                    catcher.run(&told, &on_more);
                }
                Err(error) => drop(ready.send(Err(error))),
            }
        })?;
        caught.recv().unwrap_or_else(|_| Err(io::Error::other("the signal thread ended")))?;
        Ok(signals)
    }

    /// How often files were to be read again so far.
    pub fn reloads(&self) -> usize {
        self.reloads.as_ref().map_or(0, |reloads| reloads.load(Ordering::SeqCst))
    }

    /// How many came.
    pub fn count(&self) -> usize {
        self.came.load(Ordering::SeqCst)
    }
}

struct Catcher {
    runtime: tokio::runtime::Runtime,
    sources: Vec<(Interrupt, Signal)>,
    _file_size: Signal,
}

impl Catcher {
    fn new() -> io::Result<Catcher> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let entered = runtime.enter();
        let sources = vec![
            (Interrupt::CtrlC, signal(SignalKind::interrupt())?),
            (Interrupt::Terminate, signal(SignalKind::terminate())?),
            (Interrupt::HangUp, signal(SignalKind::hangup())?),
        ];
        let file_size = signal(SignalKind::from_raw(FILE_SIZE))?;
        drop(entered);
        Ok(Catcher { runtime, sources, _file_size: file_size })
    }

    fn run(self, told: &Signals, on_more: &dyn Fn()) {
        let (sender, mut came) = tokio::sync::mpsc::unbounded_channel();
        for (interrupt, mut source) in self.sources {
            let sender = sender.clone();
            self.runtime.spawn(async move { while source.recv().await.is_some() && sender.send(interrupt).is_ok() {} });
        }
        self.runtime.block_on(async {
            while let Some(interrupt) = came.recv().await {
                if let (Interrupt::HangUp, Some(reloads)) = (interrupt, &told.reloads) {
                    reloads.fetch_add(1, Ordering::SeqCst);
                    continue;
                }
                told.interrupts.raise(interrupt);
                if told.came.fetch_add(1, Ordering::SeqCst) > 0 {
                    on_more();
                }
            }
        });
    }
}
