//! Work on several threads, whose results are heard one after another on this one.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// Tells work under way that its result is not needed any more.
#[derive(Debug, Default)]
pub(super) struct Stop(AtomicBool);

impl Stop {
    /// Whether to leave the work where it is.
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// How often `enough` is asked while nothing ends.
const LOOK: Duration = Duration::from_millis(20);

/// Does the jobs 0 to `jobs` in their order, several at a time, and tells each that ended. Ends when all are done, when
/// `enough` says so, or at the first error of `heard`. Work gives nothing when it was left because of [`Stop`].
pub(super) fn each<T: Send, E>(
    threads: usize,
    jobs: usize,
    enough: &dyn Fn() -> bool,
    work: &(dyn Fn(usize, &Stop) -> Option<T> + Sync),
    heard: &mut dyn FnMut(usize, T) -> Result<(), E>,
) -> Result<(), E> {
    let (stop, next) = (Stop::default(), AtomicUsize::new(0));
    let (sender, ended) = channel();
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, jobs.max(1)) {
            let (sender, stop, next) = (sender.clone(), &stop, &next);
            scope.spawn(move || {
                loop {
                    let job = next.fetch_add(1, Ordering::Relaxed);
                    if job >= jobs || stop.is_asked() {
                        return;
                    }
                    let Some(result) = work(job, stop) else { return };
                    // A receiver that is gone waits for nothing any more.
                    if sender.send((job, result)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let mut result = Ok(());
        loop {
            match ended.recv_timeout(LOOK) {
                Ok((job, outcome)) => result = heard(job, outcome),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if result.is_err() || enough() {
                break;
            }
        }
        stop.0.store(true, Ordering::Relaxed);
        result
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(threads: usize, jobs: usize, enough: &dyn Fn() -> bool) -> Vec<(usize, usize)> {
        let mut heard = Vec::new();
        let work = |job: usize, _: &Stop| Some(job * job);
        let result: Result<(), ()> = each(threads, jobs, enough, &work, &mut |job, result| {
            heard.push((job, result));
            Ok(())
        });
        assert_eq!(result, Ok(()));
        heard.sort_unstable();
        heard
    }

    #[test]
    fn every_job_is_done_once_on_any_number_of_threads() {
        for threads in [1, 2, 7] {
            let expected: Vec<(usize, usize)> = (0..100).map(|job| (job, job * job)).collect();
            assert_eq!(run(threads, 100, &|| false), expected);
        }
        assert_eq!(run(3, 0, &|| false), []);
    }

    #[test]
    fn enough_ends_it_even_when_no_job_ends() {
        let work = |_: usize, stop: &Stop| {
            while !stop.is_asked() {
                std::thread::yield_now();
            }
            None::<()>
        };
        let ended: Result<(), ()> = each(2, 10, &|| true, &work, &mut |_, ()| Ok(()));
        assert_eq!(ended, Ok(()));
    }

    #[test]
    fn the_first_error_ends_it() {
        let work = |job: usize, _: &Stop| Some(job);
        let ended = each(2, 1000, &|| false, &work, &mut |job, _| if job == 5 { Err(job) } else { Ok(()) });
        assert_eq!(ended, Err(5));
    }
}
