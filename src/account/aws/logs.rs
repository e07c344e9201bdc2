//! CloudWatch Logs Insights: queries of logs as probes, and the search for what a fault leaves in them.

use aws_sdk_cloudwatchlogs::operation::get_query_results::GetQueryResultsOutput;
use aws_sdk_cloudwatchlogs::types::QueryStatus;

use super::failure::Operation;
use super::names;
use super::session::Session;
use crate::account::gateway::Family;
use crate::account::signal::METRIC_PERIOD;
use crate::account::{CallError, Injected, LogSearch, LoggedMinute, Trace, Window};
use crate::project::probe::LogsProbe;
use crate::units::{Span, Time};

/// How often a query's results are looked at.
const POLL: Span = Span::from_millis(500);
/// How long a search of functions' logs may take.
const SEARCH_TIMEOUT: Span = Span::from_secs(120);
/// The most rows that a query gives (CloudWatch Logs quotas).
const MOST_ROWS: i64 = 10_000;

fn operation(action: &'static str, arn: String) -> Operation {
    Operation { family: Family::Logs, action, arn, about: "the log groups of the query".into() }
}

/// What is asked of which log groups.
struct Asked<'a> {
    groups: Vec<String>,
    text: &'a str,
    window: Window,
    /// At most so many rows; all that there are where it is not said.
    limit: Option<i32>,
    timeout: Span,
}

/// The first number of the first row of a query over a window. A query that takes too long is stopped.
pub async fn query(session: &Session, probe: &LogsProbe, window: Window) -> Result<Option<f64>, CallError> {
    let (groups, text) = (probe.groups.clone(), &probe.query);
    let page = ask(session, Asked { groups, text, window, limit: None, timeout: probe.timeout }).await?;
    Ok(first_number(&page))
}

/// The minutes in which functions' logs have lines that show a fault: one query, with a row for each minute.
pub async fn search(session: &Session, search: &LogSearch, window: Window) -> Result<Vec<LoggedMinute>, CallError> {
    let groups = search.logs.iter().map(|log| log.group.clone()).collect();
    let minutes = window.to.since(window.from).micros() / METRIC_PERIOD.micros();
    let limit = i32::try_from(minutes.clamp(1, MOST_ROWS)).ok();
    let text = insights(&search.trace);
    let page = ask(session, Asked { groups, text: &text, window, limit, timeout: SEARCH_TIMEOUT }).await?;
    let mut found = Vec::new();
    for row in page.results() {
        let field = |name: &str| row.iter().find(|field| field.field() == Some(name)).and_then(|field| field.value());
        let from = field("minute").and_then(utc);
        let lines = field("lines").and_then(|text| text.parse::<f64>().ok());
        let (Some(from), Some(lines)) = (from, lines) else {
            return Err(CallError::Unknown("the Logs Insights query gave a row without a minute and a count".into()));
        };
        found.push(LoggedMinute { from, lines: lines as u64 });
    }
    found.sort_by_key(|minute| minute.from);
    Ok(found)
}

/// A time as Logs Insights prints it: `2026-03-02 09:05:00.000`, in UTC.
fn utc(text: &str) -> Option<Time> {
    let (date, time) = text.split_once(' ')?;
    format!("{date}T{time}Z").parse().ok()
}

/// The query that counts the lines of a trace by the minute.
fn insights(trace: &Trace) -> String {
    let filter = match trace {
        // failure-lambda 1.x writes `"mode":"latency","action":"inject"`, as JSON or as its layer's text; before that it wrote
        // sentences (github.com/gunnargrosch/failure-lambda: src/failures, layer/proxy/src/failures.rs, lib/failure.js).
        Trace::Injected { fault: Injected::Latency } => {
            let sentence = r"/Injecting \d+ ?ms latency/";
            format!("@message like {sentence} or {}", of_wrapper("latency"))
        }
        Trace::Injected { fault: Injected::Error } => {
            format!("@message like /Injecting exception message/ or {}", of_wrapper("exception"))
        }
        // squall's layer alone does these, and is counted instead.
        Trace::Injected { fault: fault @ (Injected::Response | Injected::Hang) } => of_wrapper(fault.key()),
        // `... is not authorized to perform: dynamodb:PutItem on resource: ... with an explicit deny in an identity-based policy`
        // (<https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>).
        Trace::Denied { actions } => {
            let actions: Vec<String> = actions.iter().map(|action| pattern(action)).collect();
            format!(
                "@message like /(?i)not authorized to perform: ?({})/ and @message like /(?i)explicit deny/",
                actions.join("|")
            )
        }
    };
    format!("filter {filter} | stats count(*) as lines by bin(1m) as minute | sort minute asc")
}

fn of_wrapper(mode: &str) -> String {
    format!(
        r"(@message like /failure-lambda/ and @message like /mode\W+{mode}\b/ and @message like /action\W+inject\b/)"
    )
}

/// An action as a regular expression; nothing in it but `*` and `?` is special in one.
fn pattern(action: &str) -> String {
    let mut text = String::new();
    for c in action.chars() {
        match c {
            '*' => text.push_str(r"\w*"),
            '?' => text.push_str(r"\w"),
            c if c.is_ascii_alphanumeric() || c == ':' || c == '-' => text.push(c),
            // No action has one; it would end the expression or mean something in it.
            _ => text.push('.'),
        }
    }
    text + r"\b"
}

/// Makes a query and waits for its end. One that takes too long is stopped.
async fn ask(session: &Session, asked: Asked<'_>) -> Result<GetQueryResultsOutput, CallError> {
    let group = asked.groups.first().map(String::as_str).unwrap_or_default();
    let start = operation("logs:StartQuery", names::in_region(session, "logs", &format!("log-group:{group}:*")));
    let seconds = |time: Time| time.micros() / 1_000_000;
    let call = || {
        let call = session.logs().start_query().set_log_group_names(Some(asked.groups.clone()));
        // Both ends belong to the query's range.
        let call = call.start_time(seconds(asked.window.from)).end_time(seconds(asked.window.to) - 1);
        call.query_string(asked.text).set_limit(asked.limit).send()
    };
    let started = session.caller.read(&start, call).await.map_err(session.refuse(&start))?;
    let id = started.query_id().unwrap_or_default();
    let results = operation("logs:GetQueryResults", "*".into());
    let began = session.caller.env.monotonic();
    while session.caller.env.monotonic() - began < asked.timeout {
        let call = || session.logs().get_query_results().query_id(id).send();
        let page = session.caller.read(&results, call).await.map_err(session.refuse(&results))?;
        match page.status() {
            Some(QueryStatus::Complete) => return Ok(page),
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
    Err(CallError::Unknown(format!("the Logs Insights query did not complete within {}", asked.timeout)))
}

fn first_number(page: &GetQueryResultsOutput) -> Option<f64> {
    let fields = page.results().first().into_iter().flatten();
    fields.filter_map(|field| field.value()?.parse::<f64>().ok()).find(|value| value.is_finite())
}
