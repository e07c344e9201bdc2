//! Probes: requests, queries of logs and of Prometheus, commands, metric math.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;

use super::*;
use crate::account::aws::Shared;
use crate::account::aws::worker::Worker;
use crate::account::{CallId, Dispatch, FunctionLog, Injected, LogSearch, LoggedMinute, Trace};
use crate::env::RealEnv;
use crate::project::probe::{
    CommandProbe, HttpProbe, LogsProbe, MathMetric, Method, MetricMathProbe, ProbeSpec, PrometheusProbe, Url,
};

const SECONDS: Span = Span::from_secs(20);

fn config(probes: impl IntoIterator<Item = (&'static str, ProbeSpec)>) -> AccountConfig {
    let probes: BTreeMap<String, ProbeSpec> = probes.into_iter().map(|(name, spec)| (name.into(), spec)).collect();
    AccountConfig { probes, ..prod() }
}

/// An account with a probe `errors`, which is a query of logs.
pub fn with_probes() -> AccountConfig {
    let groups = vec!["/aws/lambda/pay".into()];
    let query = "filter level = 'error' | stats count(*)".into();
    let logs = LogsProbe { groups, query, settles: Span::from_secs(30), timeout: Span::from_secs(3) };
    config([("errors", ProbeSpec::Logs(logs))])
}

fn value_of(name: &str, window: Window) -> Call {
    let metric = Metric::Value { settles: Span::ZERO };
    Call::Measure { query: Query { metric, resource: resource(ResourceKind::Probe, name) }, window }
}

fn sample(value: Option<f64>) -> Outcome {
    Ok(Reply::Sample(Sample { value, of: None }))
}

/// A server that answers requests one after another, and says what it was asked.
fn server(answers: Vec<String>) -> (String, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let served = std::thread::spawn(move || {
        let one = |answer: String| {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut head, mut length) = (String::new(), 0);
            loop {
                let from = head.len();
                reader.read_line(&mut head).unwrap();
                let line = head[from..].trim().to_ascii_lowercase();
                if let Some(bytes) = line.strip_prefix("content-length:") {
                    length = bytes.trim().parse().unwrap();
                }
                if line.is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            head + &String::from_utf8(body).unwrap()
        };
        answers.into_iter().map(one).collect()
    });
    (address, served)
}

fn answer(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

fn http(url: &str) -> HttpProbe {
    HttpProbe {
        url: Url(url.into()),
        method: Method::Get,
        headers: BTreeMap::new(),
        headers_from_env: BTreeMap::new(),
        body: None,
        status: None,
        contains: None,
        timeout: SECONDS,
    }
}

#[test]
fn a_request_counts_when_it_is_answered_as_expected() {
    let replies = ["200 OK", "500 Internal Server Error", "302 Found", "404 Not Found"].map(|line| answer(line, "ok"));
    let (url, served) = server(replies.into_iter().chain([answer("200 OK", "status: up")]).collect());
    let get = |more: fn(HttpProbe) -> HttpProbe| ProbeSpec::Http(more(http(&format!("{url}/health?x=1"))));
    let account = Tape::new().account_of(config([
        ("plain", get(|probe| probe)),
        ("missing", get(|probe| HttpProbe { status: Some(404), ..probe })),
        (
            "said",
            get(|probe| HttpProbe {
                method: Method::Post,
                headers: [("x-probe".to_owned(), "squall".to_owned())].into(),
                body: Some("{}".into()),
                contains: Some("up".into()),
                ..probe
            }),
        ),
    ]));
    let now = account.clock.now();
    let ask = |name| account.ask(value_of(name, Window { from: now - Span::from_secs(10), to: now }));
    assert_eq!(ask("plain"), sample(Some(1.0)));
    assert_eq!(ask("plain"), sample(Some(0.0)), "a failure of the server");
    assert_eq!(ask("plain"), sample(Some(0.0)), "a redirect is not followed");
    assert_eq!(ask("missing"), sample(Some(1.0)));
    assert_eq!(ask("said"), sample(Some(1.0)));
    let asked = served.join().unwrap();
    assert!(asked[0].starts_with("GET /health?x=1 HTTP/1.1\r\n"), "{}", asked[0]);
    assert!(asked[4].starts_with("POST ") && asked[4].contains("x-probe: squall") && asked[4].ends_with("{}"));
    assert_eq!(ask("plain"), sample(Some(0.0)), "nobody is there any more");
    assert_eq!(account.ask(value_of("other", window())), Err(CallError::Gone("probe other".into())));
    // What is of now says nothing of five minutes ago.
    let old = Window { from: now - Span::from_mins(6), to: now - Span::from_mins(5) };
    assert_eq!(account.ask(value_of("plain", old)), sample(None));
}

#[test]
fn a_secret_that_is_not_there_is_no_empty_header() {
    let probe =
        HttpProbe { headers_from_env: [("x-key".into(), "SHOP_KEY".into())].into(), ..http("http://127.0.0.1:1") };
    let account = Tape::new().account_of(config([("up", ProbeSpec::Http(probe))]));
    let now = account.clock.now();
    let outcome = account.ask(value_of("up", Window { from: now - Span::from_secs(10), to: now }));
    assert!(matches!(&outcome, Err(CallError::Unknown(why)) if why.contains("SHOP_KEY")), "{outcome:?}");
}

#[test]
fn prometheus_is_asked_about_the_windows_end() {
    let body = r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"0.25"]}]}}"#;
    let wrong = r#"{"status":"error","error":"parse error"}"#;
    let (url, served) = server(vec![answer("200 OK", body), answer("400 Bad Request", wrong)]);
    let (query, settles) = ("sum(rate(failed[$window]))".into(), Span::from_secs(30));
    let probe = PrometheusProbe { url: Url(url), query, headers_from_env: BTreeMap::new(), settles, timeout: SECONDS };
    let account = Tape::new().account_of(config([("failed", ProbeSpec::Prometheus(probe))]));
    assert_eq!(account.ask(value_of("failed", window())), sample(Some(0.25)));
    let outcome = account.ask(value_of("failed", window()));
    assert!(matches!(&outcome, Err(CallError::Unknown(why)) if why.contains("parse error")), "{outcome:?}");
    let asked = served.join().unwrap();
    let time = window().to.micros() / 1_000_000;
    let line = format!("GET /api/v1/query?time={time}&query=sum%28rate%28failed%5B60s%5D%29%29 ");
    assert!(asked[0].starts_with(&line), "{}", asked[0]);
}

fn results(status: &str, rows: Json) -> Recording {
    fine(json!({ "status": status, "results": rows }))
}

#[test]
fn a_query_of_logs_is_waited_for_and_stopped_when_it_takes_too_long() {
    let tape = calm();
    let rows = json!([[{ "field": "name", "value": "n" }, { "field": "count(*)", "value": "17" }]]);
    tape.on("GetQueryResults", [results("Running", json!([])), results("Complete", rows)]);
    let account = tape.account_of(with_probes());
    assert_eq!(account.ask(value_of("errors", window())), sample(Some(17.0)));
    let asked: Json = serde_json::from_str(&tape.body("StartQuery")).unwrap();
    let (from, to) = (window().from.micros() / 1_000_000, window().to.micros() / 1_000_000);
    assert_eq!((&asked["startTime"], &asked["endTime"]), (&json!(from), &json!(to - 1)), "both ends belong to it");
    tape.on("GetQueryResults", [results("Complete", json!([]))]);
    assert_eq!(account.ask(value_of("errors", window())), sample(None), "no row is no data");
    tape.on("GetQueryResults", [results("Failed", json!([]))]);
    assert!(matches!(account.ask(value_of("errors", window())), Err(CallError::Unknown(_))));
    tape.on("GetQueryResults", [results("Running", json!([]))]).on("StopQuery", [fine(json!({ "success": true }))]);
    let outcome = account.ask(value_of("errors", window()));
    assert!(matches!(&outcome, Err(CallError::Unknown(why)) if why.contains("within 3s")), "{outcome:?}");
    assert_eq!(tape.asked().last().map(String::as_str), Some("StopQuery"));
}

fn math(expression: &str) -> ProbeSpec {
    let metric = |name: &str| MathMetric {
        namespace: "Shop".into(),
        name: name.into(),
        dimensions: [("Service".to_owned(), "checkout".to_owned())].into(),
        statistic: "Sum".into(),
    };
    let metrics = [("failed", "Failed"), ("all", "Requests")].map(|(id, name)| (id.to_owned(), metric(name)));
    ProbeSpec::MetricMath(MetricMathProbe { expression: expression.into(), metrics: metrics.into() })
}

fn found(values: &[(&str, Option<f64>)]) -> Recording {
    let at = window().from.micros() / 1_000_000;
    let one = |(id, value): &(&str, Option<f64>)| match value {
        Some(value) => json!({ "Id": id, "Timestamps": [{ "at": at }], "Values": [value], "StatusCode": "Complete" }),
        None => json!({ "Id": id, "Timestamps": [], "Values": [], "StatusCode": "Complete" }),
    };
    cbor(&json!({ "MetricDataResults": values.iter().map(one).collect::<Vec<_>>() }))
}

#[test]
fn metric_math_goes_out_with_the_other_metrics_of_its_window() {
    let tape = Tape::new();
    let account = tape.account_of(config([("a", math("100 * failed / all")), ("b", math("failed"))]));
    tape.on("GetMetricData", [found(&[("m0", Some(2.5)), ("m1", None), ("m2", Some(4.0))])]);
    let calls =
        || [value_of("a", window()), value_of("b", window()), measure(Metric::Throttles, ResourceKind::Function)];
    assert_eq!(account.ask_all(calls()), [sample(Some(2.5)), sample(None), sample(Some(4.0))]);
    assert_eq!(tape.asked(), ["GetMetricData"]);
    let asked = tape.body("GetMetricData");
    for part in ["100 * m0_failed / m0_all", "m1_failed", "m0_all", "Requests", "checkout"] {
        assert!(asked.contains(part), "{part}: {asked}");
    }

    // One that CloudWatch does not take costs the others nothing.
    let wrong = error("GetMetricData", 400, "ValidationError", "Error in expression 'm0'");
    tape.on("GetMetricData", [wrong.clone(), wrong, found(&[("m0", Some(1.0))])]);
    let outcomes = account.ask_all(calls());
    assert_eq!(refused(outcomes[0].clone()).0, RefusedBy::Invalid);
    assert_eq!(outcomes[1..], [sample(Some(1.0)), sample(Some(1.0))]);

    let half = Window { from: window().from, to: window().from + Span::from_secs(30) };
    assert_eq!(refused(account.ask(value_of("a", half))).0, RefusedBy::Unsupported);
}

#[test]
fn a_call_takes_no_more_than_five_hundred_queries() {
    let tape = Tape::new();
    // Each takes three queries, so 166 of them fit into a call.
    let names: Vec<&'static str> = (0..200).map(|n| &*format!("p{n}").leak()).collect();
    let account = tape.account_of(config(names.iter().map(|name| (*name, math("failed / all")))));
    tape.on("GetMetricData", [found(&[("m0", Some(1.0)), ("m165", Some(2.0))]), found(&[("m33", Some(3.0))])]);
    let outcomes = account.ask_all(names.iter().map(|name| value_of(name, window())));
    assert_eq!(tape.asked(), ["GetMetricData", "GetMetricData"]);
    assert_eq!(outcomes[0], sample(Some(1.0)));
    assert_eq!((&outcomes[165], &outcomes[166]), (&sample(Some(2.0)), &sample(None)));
    assert_eq!(outcomes[199], sample(Some(3.0)));
}

/// The account says when a probe's value is final, and that its windows are whole minutes.
#[test]
fn a_probe_is_described_without_asking_anybody() {
    let tape = Tape::new();
    let account = tape.account_of(config([("share", math("failed / all"))]));
    let described = account.ask(Call::Describe { resource: resource(ResourceKind::Probe, "share") });
    let expected = Description::Probe { name: "share".into(), settles: Span::from_secs(120), by_the_minute: true };
    assert_eq!(described, Ok(Reply::Description(Box::new(expected))));
    assert_eq!(tape.asked(), Vec::<String>::new());
}

/// A command that does not end is under way: a write is answered meanwhile, and the command is killed with its account.
#[test]
fn a_probe_under_way_delays_nothing_and_dies_with_its_account() {
    use aws_smithy_runtime_api::shared::IntoShared as _;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let script = format!("echo $$ > {0}.new; mv {0}.new {0}; exec sleep 1000", file.display());
    let run = ["sh", "-c", &script].map(str::to_owned).to_vec();
    let probe = ProbeSpec::Command(CommandProbe { run, pass: Vec::new(), timeout: Span::from_mins(10) });
    let tape = Tape::new();
    tape.on(PUT, [fine(json!({}))]);
    let (sender, answers) = std::sync::mpsc::channel();
    let env = std::sync::Arc::new(RealEnv);
    let worker = Worker::start(
        vec![config([("slow", probe)])],
        env.clone(),
        Shared::of_process(),
        sender,
        Some(tape.into_shared()),
    );
    let now = env.now();
    let window = Window { from: now - Span::from_secs(10), to: now };
    worker.submit(CallId(1), value_of("slow", window), Dispatch::default());
    while !file.exists() {
        std::thread::yield_now();
    }
    worker.submit(CallId(2), write(concurrency(), Value::Number(0)), Dispatch::default());
    assert_eq!(answers.recv().unwrap(), (CallId(2), Ok(Reply::Done)));
    drop(worker);
    let pid = std::fs::read_to_string(&file).unwrap();
    let gone = || {
        // A killed process stays as a zombie until somebody waits for it.
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        stat.is_empty() || stat.contains(") Z ")
    };
    while !gone() {
        std::thread::yield_now();
    }
}

#[test]
fn logs_are_searched_with_one_query_of_one_range_and_a_row_a_minute() {
    let log =
        |name: &str| FunctionLog { function: resource(ResourceKind::Function, name), group: format!("/logs/{name}") };
    let denied = Trace::Denied { actions: vec!["dynamodb:Put*".into(), "sqs:SendMessage".into()] };
    let search =
        |trace: &Trace| LogSearch { at: prod().location(), logs: vec![log("pay"), log("ship")], trace: trace.clone() };
    let hour = Window { from: window().from, to: window().from + Span::from_mins(20) };
    let rows = json!([
        [{ "field": "minute", "value": "2026-03-02 09:11:00.000" }, { "field": "lines", "value": "4" }],
        [{ "field": "minute", "value": "2026-03-02 09:09:00.000" }, { "field": "lines", "value": "2" }],
    ]);
    let tape = calm();
    tape.on("GetQueryResults", [results("Running", json!([])), results("Complete", rows)]);
    let account = tape.account_of(with_probes());
    let at = |time: &str| time.parse::<Time>().unwrap();
    let found = [("2026-03-02T09:09:00Z", 2), ("2026-03-02T09:11:00Z", 4)];
    let found = found.map(|(from, lines)| LoggedMinute { from: at(from), lines });
    assert_eq!(
        account.ask(Call::SearchLogs { search: search(&denied), window: hour }),
        Ok(Reply::Logged(found.into()))
    );
    assert_eq!(tape.asked().iter().filter(|asked| *asked == "StartQuery").count(), 1);
    let asked: Json = serde_json::from_str(&tape.body("StartQuery")).unwrap();
    assert_eq!(asked["logGroupNames"], json!(["/logs/pay", "/logs/ship"]));
    assert_eq!(asked["limit"], json!(20));
    assert_eq!(asked["endTime"].as_i64().unwrap() - asked["startTime"].as_i64().unwrap(), 20 * 60 - 1);
    assert_eq!(
        asked["queryString"],
        json!(
            r"filter @message like /(?i)not authorized to perform: ?(dynamodb:Put\w*\b|sqs:SendMessage\b)/ and @message like /(?i)explicit deny/ | stats count(*) as lines by bin(1m) as minute | sort minute asc"
        )
    );
    // What a wrapper says.
    tape.on("GetQueryResults", [results("Complete", json!([]))]);
    for (fault, word, sentence) in [
        (Injected::Latency, r"/mode\W+latency\b/", "ms latency/"),
        (Injected::Error, r"/mode\W+exception\b/", "exception message/"),
    ] {
        let trace = Trace::Injected { fault };
        assert_eq!(
            account.ask(Call::SearchLogs { search: search(&trace), window: hour }),
            Ok(Reply::Logged(Vec::new()))
        );
        let asked: Json = serde_json::from_str(&tape.body("StartQuery")).unwrap();
        let text = asked["queryString"].as_str().unwrap();
        assert!(text.contains(word) && text.contains(sentence) && text.contains("/failure-lambda/"), "{text}");
    }
    // What is refused is said, and a row that says nothing is not no line.
    tape.on("GetQueryResults", [results("Complete", json!([[{ "field": "lines", "value": "4" }]]))]);
    let outcome = account.ask(Call::SearchLogs { search: search(&denied), window: hour });
    assert!(matches!(outcome, Err(CallError::Unknown(_))), "{outcome:?}");
    tape.on("StartQuery", [error("StartQuery", 400, "AccessDeniedException", "no")]);
    let (by, message) = refused(account.ask(Call::SearchLogs { search: search(&denied), window: hour }));
    assert_eq!(by, RefusedBy::Permission);
    assert!(message.contains("logs:StartQuery"), "{message}");
}
