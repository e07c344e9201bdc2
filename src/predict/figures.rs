//! The figures of an application that are not known exactly: rates, durations, shares of failures. A prediction draws them
//! again for each run, within what the traffic file says of their uncertainty.

use sha2::{Digest, Sha256};

use crate::template::app::{
    App, DEFAULT_CALL, DEFAULT_DURATION, Destination, Duration, Function, TrafficTarget, default_cold_start,
};
use crate::units::{Rate, Share, Span};

/// A figure that the traffic file leaves to its default is a guess: half of it, or twice as much, would be no surprise.
const GUESS: f64 = 2.0;

/// A figure, by what it is of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Figure {
    /// `duration of PaymentWorker`.
    pub name: String,
    /// Whether it is a default: the traffic file does not say it.
    pub guessed: bool,
}

/// What the figures of one run are multiplied with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    uncertainty: f64,
    seed: u64,
}

impl Figures {
    /// Draws for the run of a seed.
    pub fn drawn(uncertainty: Share, seed: u64) -> Figures {
        Figures { uncertainty: uncertainty.get(), seed }
    }

    /// What one figure is multiplied with: uniform within the uncertainty; of a guess from a half to twice, as often below
    /// as above.
    pub fn factor(&self, figure: &Figure) -> f64 {
        let centred = 2.0 * self.unit(&figure.name) - 1.0;
        if figure.guessed { GUESS.powf(centred) } else { 1.0 + self.uncertainty * centred }
    }

    /// Uniform in 0..1, a number of its own for each name.
    fn unit(&self, name: &str) -> f64 {
        let digest = Sha256::new().chain_update(self.seed.to_le_bytes()).chain_update(name.as_bytes()).finalize();
        let bits = digest.iter().take(8).fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
        (bits >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// The application with its figures changed.
    #[must_use]
    pub fn of(&self, app: &App) -> App {
        let mut changed = app.clone();
        each(&mut changed, &mut |figure, value| value.multiply(self.factor(figure)));
        changed
    }
}

/// Every figure of an application that is above zero, in the order of its names.
pub fn all(app: &App) -> Vec<Figure> {
    let mut figures = Vec::new();
    each(&mut app.clone(), &mut |figure, _| figures.push(figure.clone()));
    figures.sort();
    figures
}

/// One figure's value in an application.
enum Value<'a> {
    Rate(&'a mut Rate),
    Duration(&'a mut Duration),
    Share(&'a mut Share),
}

impl Value<'_> {
    fn multiply(self, factor: f64) {
        let span = |span: Span| Span::from_secs_f64(span.secs_f64() * factor);
        match self {
            Value::Rate(rate) => *rate = Rate::per_sec(rate.get() * factor).unwrap_or(*rate),
            Value::Share(share) => *share = Share::new((share.get() * factor).min(1.0)).unwrap_or(*share),
            Value::Duration(duration) => {
                *duration = match &*duration {
                    Duration::Constant(length) => Duration::Constant(span(*length)),
                    Duration::Exponential(mean) => Duration::Exponential(span(*mean)),
                    Duration::Lognormal { median, sigma } => {
                        Duration::Lognormal { median: span(*median), sigma: *sigma }
                    }
                    Duration::Uniform { from, to } => Duration::Uniform { from: span(*from), to: span(*to) },
                }
            }
        }
    }
}

fn each(app: &mut App, with: &mut dyn FnMut(&Figure, Value<'_>)) {
    let mut tell = |name: String, guessed: bool, value: Value<'_>| with(&Figure { name, guessed }, value);
    for traffic in &mut app.traffic {
        let name = match &traffic.to {
            TrafficTarget::Api { api, route } => format!("rate of {route} of {api}"),
            TrafficTarget::Function(name) | TrafficTarget::Queue(name) => format!("rate of {name}"),
        };
        tell(name, false, Value::Rate(&mut traffic.rate));
    }
    for (name, function) in &mut app.functions {
        let Function { cold_start, duration, errors, calls, runtime, .. } = function;
        let guessed = *cold_start == default_cold_start(runtime);
        tell(format!("cold start of {name}"), guessed, Value::Duration(cold_start));
        let guessed = *duration == DEFAULT_DURATION;
        tell(format!("duration of {name}"), guessed, Value::Duration(duration));
        if *errors > Share::NONE {
            tell(format!("errors of {name}"), false, Value::Share(errors));
        }
        for call in calls {
            let (Destination::Queue(to)
            | Destination::Table(to)
            | Destination::Topic(to)
            | Destination::Function(to)
            | Destination::FunctionAsync(to)
            | Destination::External(to)) = &call.to;
            let call_name = format!("the call of {name} to {to}");
            let guessed = call.duration == DEFAULT_CALL;
            tell(format!("duration of {call_name}"), guessed, Value::Duration(&mut call.duration));
            if call.errors > Share::NONE {
                tell(format!("errors of {call_name}"), false, Value::Share(&mut call.errors));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::sandbox::shop;

    #[test]
    fn every_figure_is_drawn_within_its_uncertainty_and_by_itself() {
        let app = shop();
        let figures = all(&app);
        assert!(figures.len() > 10, "{figures:?}");
        let mut sums = vec![0.0; figures.len()];
        for seed in 0..400 {
            let drawn = Figures::drawn(Share::percent(20), seed);
            for (sum, figure) in sums.iter_mut().zip(&figures) {
                let factor = drawn.factor(figure);
                let allowed = if figure.guessed { 0.5..=2.0 } else { 0.8..=1.2 };
                assert!(allowed.contains(&factor), "{figure:?}: {factor}");
                *sum += factor.ln();
            }
        }
        // The mean of 400 logarithms; a guess's has a standard deviation of 0.4, so four standard errors are 0.08.
        assert!(sums.iter().all(|sum| (sum / 400.0).abs() < 0.09), "{sums:?}");
    }

    #[test]
    fn without_uncertainty_what_is_written_stays() {
        let app = shop();
        let changed = Figures::drawn(Share::NONE, 7).of(&app);
        assert_eq!(changed.traffic, app.traffic);
        assert_eq!(changed.functions["PaymentWorker"].calls, app.functions["PaymentWorker"].calls);
        let other = Figures::drawn(Share::percent(20), 7).of(&app);
        assert_ne!(other.traffic, app.traffic);
        assert_eq!(other, Figures::drawn(Share::percent(20), 7).of(&app));
    }

    #[test]
    fn defaults_are_guesses_and_what_the_file_says_is_not() {
        let guessed: Vec<String> = all(&shop()).into_iter().filter(|f| f.guessed).map(|f| f.name).collect();
        assert_eq!(
            guessed,
            ["cold start of NotifyFunction", "cold start of OrderFunction", "cold start of PaymentWorker"]
        );
    }
}
