//! CloudWatch Logs Insights: queries of logs as probes.

use aws_sdk_cloudwatchlogs::operation::get_query_results::GetQueryResultsOutput;
use aws_sdk_cloudwatchlogs::types::QueryStatus;

use super::failure::Operation;
use super::names;
use super::session::Session;
use crate::account::gateway::Family;
use crate::account::{CallError, Window};
use crate::project::probe::LogsProbe;
use crate::units::{Span, Time};

/// How often a query's results are looked at.
const POLL: Span = Span::from_millis(500);

fn operation(action: &'static str, arn: String) -> Operation {
    Operation { family: Family::Logs, action, arn, about: "the log groups of the query".into() }
}

/// The first number of the first row of a query over a window. A query that takes too long is stopped.
pub async fn query(session: &Session, probe: &LogsProbe, window: Window) -> Result<Option<f64>, CallError> {
    let group = probe.groups.first().map(String::as_str).unwrap_or_default();
    let start = operation("logs:StartQuery", names::in_region(session, "logs", &format!("log-group:{group}:*")));
    let seconds = |time: Time| time.micros() / 1_000_000;
    let call = || {
        let call = session.logs().start_query().set_log_group_names(Some(probe.groups.clone()));
        // Both ends belong to the query's range.
        call.query_string(&probe.query).start_time(seconds(window.from)).end_time(seconds(window.to) - 1).send()
    };
    let started = session.caller.read(&start, call).await.map_err(session.refuse(&start))?;
    let id = started.query_id().unwrap_or_default();
    let results = operation("logs:GetQueryResults", "*".into());
    let began = session.caller.env.monotonic();
    while session.caller.env.monotonic() - began < probe.timeout {
        let call = || session.logs().get_query_results().query_id(id).send();
        let page = session.caller.read(&results, call).await.map_err(session.refuse(&results))?;
        match page.status() {
            Some(QueryStatus::Complete) => return Ok(first_number(&page)),
            Some(QueryStatus::Scheduled | QueryStatus::Running) => session.caller.sleep(POLL).await,
            status => {
                let status = status.map_or("no status", QueryStatus::as_str);
                return Err(CallError::Unknown(format!("the Logs Insights query did not complete: {status}")));
            }
        }
    }
    let stop = operation("logs:StopQuery", "*".into());
    // One that cannot be stopped ends by itself, after an hour at the latest.
    let _ = session.caller.write(&stop, session.logs().stop_query().query_id(id).send()).await;
    Err(CallError::Unknown(format!("the Logs Insights query did not complete within {}", probe.timeout)))
}

fn first_number(page: &GetQueryResultsOutput) -> Option<f64> {
    let fields = page.results().first().into_iter().flatten();
    fields.filter_map(|field| field.value()?.parse::<f64>().ok()).find(|value| value.is_finite())
}
