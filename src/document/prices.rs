//! What a run costs, and what the application costs before and during it.

use std::sync::Arc;

use crate::account::modelled::Usage;
use crate::plan::Plan;
use crate::predict::prediction::Prediction;
use crate::yaml::{Findings, Loaded, Source, Version};

crate::record! {
    /// Prices, all in one place with their date and source. They are given by `--prices FILE`.
    pub struct Prices {
        /// The version of this format.
        pub version: Version,
        /// The region that they are for.
        pub region: String,
        /// When they were looked up.
        pub date: String,
        /// Where.
        pub source: String,
        /// In which currency.
        pub currency: String,
        /// A million invocations.
        pub lambda_requests: f64,
        /// A gigabyte of memory for a second.
        pub lambda_gb_second: f64,
        /// A million requests of an API.
        pub api_requests: f64,
        /// A million sends, receives and deletes.
        pub queue_requests: f64,
        /// A million write units.
        pub table_writes: f64,
        /// A million messages published to topics.
        pub published: f64,
        /// A thousand metrics read.
        pub metrics_read: f64,
    }
}

/// What the run and its damage cost.
#[derive(Clone, Debug, PartialEq)]
pub struct Cost {
    pub prices: Prices,
    /// Metrics that squall reads, and what for.
    pub metrics: f64,
    pub reading: f64,
    /// How often logs are searched at the most; each search is billed by what those logs took in.
    pub searches: usize,
    /// What the application is billed for a minute before the faults and with them, and for the whole run.
    pub application: Option<Application>,
}

/// What the application costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Application {
    pub minute_before: f64,
    pub minute_during: f64,
    pub run: f64,
    /// For one invocation, before and during.
    pub invocation: (f64, f64),
    /// For one request of an API that was answered well, before and during; nothing where there is none.
    pub unit: (Option<f64>, Option<f64>),
}

impl Prices {
    /// Those that are part of the binary, or of a file.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn read(source: &Arc<Source>) -> Result<Prices, Findings> {
        let (loaded, findings) = Loaded::<Prices>::read(source);
        loaded.map(|loaded| loaded.value).ok_or(findings)
    }

    /// The shipped file.
    pub fn shipped() -> Arc<Source> {
        Source::new("prices.yaml", include_str!("prices.yaml"))
    }

    fn of(&self, usage: Usage) -> f64 {
        const MILLION: f64 = 1e6;
        usage.invocations * self.lambda_requests / MILLION
            + usage.gb_seconds * self.lambda_gb_second
            + usage.api_requests * self.api_requests / MILLION
            + usage.queue_requests * self.queue_requests / MILLION
            + usage.table_writes * self.table_writes / MILLION
            + usage.published * self.published / MILLION
    }
}

impl Cost {
    /// Of a plan, and of the application where it was predicted.
    pub fn of(plan: &Plan, prediction: Option<&Prediction>, prices: Prices) -> Cost {
        let minutes = plan.fits_into().secs_f64() / 60.0;
        let published = plan.signals.iter().filter(|signal| signal.settles > crate::units::Span::ZERO);
        // A window is read when it is there and when it is final; a share takes two metrics.
        let windows = published.map(|signal| {
            let reads = if signal.query.metric.is_share() { 4.0 } else { 2.0 };
            reads * minutes * 60.0 / signal.every.secs_f64().max(1.0)
        });
        let metrics = windows.sum::<f64>().ceil();
        let application = prediction.map(|prediction| {
            let used = &prediction.usage;
            let one = |usage: Usage, units: f64| (units > 0.0).then(|| prices.of(usage) / units);
            let well = |usage: Usage| usage.api_requests - usage.api_failed;
            Application {
                minute_before: prices.of(used.before),
                minute_during: prices.of(used.during),
                run: prices.of(used.whole),
                invocation: (
                    one(used.before, used.before.invocations).unwrap_or_default(),
                    one(used.during, used.during.invocations).unwrap_or_default(),
                ),
                unit: (one(used.before, well(used.before)), one(used.during, well(used.during))),
            }
        });
        let reading = metrics * prices.metrics_read / 1e3;
        let searches = plan.steps.iter().filter(|step| step.evidence.logs.is_some()).count();
        Cost { metrics, reading, searches, application, prices }
    }

    /// In sentences.
    pub fn lines(&self) -> Vec<String> {
        let money = |amount: f64| money(amount, &self.prices.currency);
        let Prices { region, date, source, .. } = &self.prices;
        let mut lines = vec![format!("squall reads about {} metrics, for {}", self.metrics, money(self.reading))];
        if self.searches > 0 {
            lines.push(format!(
                "at most {} of CloudWatch Logs Insights may come on top, each billed by what the logs of its functions took in during \
                 the run",
                if self.searches == 1 { "one query".to_owned() } else { format!("{} queries", self.searches) }
            ));
        }
        if let Some(application) = &self.application {
            let Application { minute_before, minute_during, run, invocation, unit } = application;
            lines.push(format!(
                "the application costs {} a minute before the faults and {} with them, {} for the whole run",
                money(*minute_before),
                money(*minute_during),
                money(*run)
            ));
            if let (before, during) = invocation
                && *during > 0.0
            {
                lines.push(format!("one invocation costs {} before, {} during", money(*before), money(*during)));
            }
            lines.push(match unit {
                (Some(before), Some(during)) => {
                    format!("one successful request costs {} before, {} during", money(*before), money(*during))
                }
                (Some(before), None) => {
                    format!("one request costs {} before; none succeeds during", money(*before))
                }
                (None, _) => "there is no API, so no cost per request is given".into(),
            });
        }
        lines.push(format!(
            "list prices of {region}, {date}, without a free tier ({source}); not priced: logs, data transfer, polling of \
             empty queues, provisioned capacity, alarms; --prices FILE replaces them"
        ));
        lines
    }
}

/// `0.0123 USD`, with three digits that count.
fn money(amount: f64, currency: &str) -> String {
    if amount <= 0.0 {
        return format!("0 {currency}");
    }
    let decimals = (2 - amount.log10().floor() as i32).clamp(2, 12) as usize;
    format!("{amount:.decimals$} {currency}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prices() -> Prices {
        Prices::read(&Prices::shipped()).unwrap()
    }

    #[test]
    fn the_example_of_lambdas_price_page_costs_what_it_says() {
        // 3 million requests of 1 s with 512 MB: 0.60 for the requests and 25.00 for the GB-seconds, without the free tier.
        let usage = Usage { invocations: 3e6, gb_seconds: 1.5e6, ..Usage::default() };
        assert!((prices().of(usage) - 25.60).abs() < 0.001, "{}", prices().of(usage));
    }

    #[test]
    fn small_sums_keep_digits_that_count() {
        assert_eq!(money(0.000_012_345, "USD"), "0.0000123 USD");
        assert_eq!(money(12.3456, "USD"), "12.35 USD");
        assert_eq!(money(0.0, "USD"), "0 USD");
    }
}
