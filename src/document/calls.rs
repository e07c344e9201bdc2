//! How many calls a run makes to AWS, against what an account allows.

use crate::plan::Plan;
use crate::units::Span;

/// How often a changed setting is looked at while it holds, and a queue's count is read.
const HOLD: f64 = 30.0;
/// Lambda's control plane, all operations together
/// (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>).
const LAMBDA: &str = "15 a second for the whole account";
/// The General Reference's quotas of Systems Manager; PutParameter as AWS Support says.
const SSM: &str = "40 a second to read, 3 a second to write";
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html>
const METRICS: &str = "GetMetricData: 50 a second";
/// No number is published.
const IAM: &str = "no published limit; squall stays under 10 a second";

/// A line for each service.
pub(super) fn lines(plan: &Plan) -> Vec<String> {
    let changes = || plan.changes.values().filter(|change| !change.setting.is_lock());
    let holds = plan.timeline().secs_f64() / HOLD;
    // Read, write, read back; then read, write and read back for the rollback; and a look every thirty seconds between.
    let of_change = 6.0 + holds;
    let service = |wanted: &str| changes().filter(|change| service_of(change) == wanted).count() as f64 * of_change;
    let locks = plan.changes.values().filter(|change| change.setting.is_lock()).count() as f64 * 4.0;
    let minutes = plan.fits_into().secs_f64() / 60.0;
    let published = plan.signals.iter().filter(|signal| signal.settles > Span::ZERO).count() as f64;
    let direct = plan.signals.iter().filter(|signal| signal.settles == Span::ZERO);
    let direct: f64 = direct.map(|signal| minutes * 60.0 / signal.every.secs_f64().max(1.0)).sum();
    let sent: f64 =
        plan.steps.iter().filter_map(|step| step.emission.as_ref()).map(|e| e.bodies.len() as f64 / 10.0).sum();
    let rows = [
        ("lambda", service("lambda"), LAMBDA),
        ("ssm", service("ssm") + locks, SSM),
        ("iam", service("iam"), IAM),
        ("sqs", service("sqs") + direct + sent.ceil(), "nearly unlimited for standard queues"),
        ("cloudwatch", published * minutes * 2.0 / 100.0 + if published > 0.0 { minutes * 2.0 } else { 0.0 }, METRICS),
    ];
    let line = |(service, calls, limit): (&str, f64, &str)| {
        (calls > 0.0)
            .then(|| format!("{service}: about {} calls in {}; limit: {limit}", calls.ceil(), plan.fits_into()))
    };
    rows.into_iter().filter_map(line).collect()
}

/// The service of a change, by the kind of its resource.
fn service_of(change: &crate::plan::Change) -> &'static str {
    use crate::ids::ResourceKind as K;
    match change.setting.resource().kind {
        K::Function => "lambda",
        K::Queue => "sqs",
        K::Role => "iam",
        K::Parameter => "ssm",
        _ => "other",
    }
}
