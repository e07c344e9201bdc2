//! GetMetricData: what is asked of one window goes out together, 500 queries in a call.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use aws_sdk_cloudwatch::operation::get_metric_data::GetMetricDataOutput;
use aws_sdk_cloudwatch::types::{Dimension, Metric as CloudWatchMetric, MetricDataQuery, MetricStat, StatusCode};
use aws_smithy_types::DateTime;
use tokio::sync::oneshot;

use super::failure::Operation;
use super::session::Session;
use crate::account::gateway::Family;
use crate::account::{CallError, RefusedBy, Window};
use crate::project::probe::{MathMetric, MetricMathProbe};
use crate::units::{Span, Time};

/// GetMetricData takes so many queries
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html>).
const QUERIES: usize = 500;
/// How long the first who asks about a window waits for others.
const GATHER: Span = Span::from_millis(50);

/// What CloudWatch is asked for: one value a window.
#[derive(Clone, Debug, PartialEq)]
pub enum Wanted {
    Statistic(Statistic),
    Math(MetricMathProbe),
}

/// One statistic of one metric of a service.
#[derive(Clone, Debug, PartialEq)]
pub struct Statistic {
    pub namespace: &'static str,
    pub metric: &'static str,
    pub dimensions: Vec<(&'static str, String)>,
    pub statistic: String,
}

/// The values in the order in which they were asked for; none where CloudWatch has none.
pub type Values = Result<Vec<Option<f64>>, CallError>;

/// What waits to be asked for together.
#[derive(Default)]
pub struct Batches(Mutex<BTreeMap<Window, Vec<Waiting>>>);

struct Waiting {
    wanted: Vec<Wanted>,
    answer: oneshot::Sender<Values>,
}

impl Batches {
    /// Asks, together with whoever else asks about the window now.
    pub async fn ask(&self, session: &Session, window: Window, wanted: Vec<Wanted>) -> Values {
        let (answer, answered) = oneshot::channel();
        let first = {
            let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let batch = waiting.entry(window).or_default();
            batch.push(Waiting { wanted, answer });
            batch.len() == 1
        };
        if first {
            session.caller.sleep(GATHER).await;
            let batch = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&window).unwrap_or_default();
            settle(session, window, batch).await;
        }
        answered.await.unwrap_or_else(|_| Err(CallError::Unknown("the query was lost".into())))
    }
}

/// Asks for a batch and tells everybody who waits. When CloudWatch does not take it, each is asked for alone, so that one
/// wrong expression costs nobody else their data.
async fn settle(session: &Session, window: Window, batch: Vec<Waiting>) {
    let all: Vec<Wanted> = batch.iter().flat_map(|waiting| waiting.wanted.clone()).collect();
    let values = in_calls(session, window, &all).await;
    let wrong = matches!(values, Err(CallError::Refused { by: RefusedBy::Invalid, .. }));
    let (alone, mut from) = (wrong && batch.len() > 1, 0);
    for Waiting { wanted, answer } in batch {
        let to = from + wanted.len();
        let own = match alone {
            true => in_calls(session, window, &wanted).await,
            false => values.clone().map(|values| values[from..to].to_vec()),
        };
        // Whoever does not wait any more does not want to know.
        let _ = answer.send(own);
        from = to;
    }
}

/// Asks in as few calls as there may be.
async fn in_calls(session: &Session, window: Window, wanted: &[Wanted]) -> Values {
    let (mut values, mut rest) = (Vec::with_capacity(wanted.len()), wanted);
    while !rest.is_empty() {
        let mut queries = 0;
        let fits = rest.iter().take_while(|one| {
            queries += one.queries();
            queries <= QUERIES
        });
        let (now, later) = rest.split_at(fits.count().max(1));
        values.extend(ask(session, window, now).await?);
        rest = later;
    }
    Ok(values)
}

async fn ask(session: &Session, window: Window, wanted: &[Wanted]) -> Values {
    let operation = Operation {
        family: Family::Metrics,
        action: "cloudwatch:GetMetricData",
        arn: "*".into(),
        about: "metrics".into(),
    };
    let period = window.to.since(window.from).micros() / 1_000_000;
    let period = i32::try_from(period).unwrap_or(i32::MAX);
    let queries: Vec<_> = wanted.iter().enumerate().flat_map(|(index, one)| one.query(index, period)).collect();
    let (mut values, mut next) = (vec![None; wanted.len()], None::<String>);
    loop {
        let call = || {
            let call = session.cloudwatch().get_metric_data().set_metric_data_queries(Some(queries.clone()));
            call.start_time(date(window.from)).end_time(date(window.to)).set_next_token(next.clone()).send()
        };
        let page = session.caller.read(&operation, call).await.map_err(session.refuse(&operation))?;
        take(&page, window, &mut values)?;
        match page.next_token() {
            Some(token) if !token.is_empty() => next = Some(token.to_owned()),
            _ => return Ok(values),
        }
    }
}

/// Takes over the values of a page. A result that the service could not finish is no missing value.
fn take(page: &GetMetricDataOutput, window: Window, values: &mut [Option<f64>]) -> Result<(), CallError> {
    for result in page.metric_data_results() {
        if matches!(result.status_code(), Some(StatusCode::InternalError | StatusCode::Forbidden)) {
            let why = result.messages().iter().filter_map(|message| message.value()).collect::<Vec<_>>().join("; ");
            return Err(CallError::Unknown(format!("cloudwatch:GetMetricData could not finish a query: {why}")));
        }
        let index = result.id().and_then(|id| id.strip_prefix('m')?.parse::<usize>().ok());
        let Some(place) = index.and_then(|index| values.get_mut(index)) else { continue };
        let mut points = result.timestamps().iter().zip(result.values());
        let within = |at: &DateTime| (window.from..window.to).contains(&Time::from_micros(at.secs() * 1_000_000));
        if let Some((_, value)) = points.find(|(at, _)| within(at)) {
            *place = Some(*value);
        }
    }
    Ok(())
}

impl Wanted {
    fn queries(&self) -> usize {
        match self {
            Wanted::Statistic(_) => 1,
            Wanted::Math(math) => math.metrics.len() + 1,
        }
    }

    /// The queries that give it; the one called `m` and the index has its value.
    fn query(&self, index: usize, period: i32) -> Vec<MetricDataQuery> {
        let own = MetricDataQuery::builder().id(format!("m{index}"));
        match self {
            Wanted::Statistic(one) => {
                let dimensions = one.dimensions.iter().map(|(name, value)| (*name, value.as_str()));
                vec![own.metric_stat(stat(one.namespace, one.metric, dimensions, &one.statistic, period)).build()]
            }
            Wanted::Math(math) => {
                let name = |metric: &str| format!("m{index}_{metric}");
                let part = |(id, metric): (&String, &MathMetric)| {
                    let dimensions = metric.dimensions.iter().map(|(name, value)| (name.as_str(), value.as_str()));
                    let stat = stat(&metric.namespace, &metric.name, dimensions, &metric.statistic, period);
                    MetricDataQuery::builder().id(name(id)).metric_stat(stat).return_data(false).build()
                };
                let whole = own.expression(math.renamed(name)).period(period).build();
                math.metrics.iter().map(part).chain([whole]).collect()
            }
        }
    }
}

fn stat<'d>(
    namespace: &str,
    metric: &str,
    dimensions: impl Iterator<Item = (&'d str, &'d str)>,
    statistic: &str,
    period: i32,
) -> MetricStat {
    let dimensions = dimensions.map(|(name, value)| Dimension::builder().name(name).value(value).build());
    let metric = CloudWatchMetric::builder().namespace(namespace).metric_name(metric);
    let metric = metric.set_dimensions(Some(dimensions.collect())).build();
    MetricStat::builder().metric(metric).period(period).stat(statistic).build()
}

fn date(time: Time) -> DateTime {
    DateTime::from_secs(time.micros() / 1_000_000)
}
