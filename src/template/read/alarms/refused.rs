//! Values of an alarm's metrics that PutMetricAlarm refuses
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html>).

use std::collections::BTreeSet;

use crate::template::part::Part;
use crate::template::value::Value;
use crate::yaml::Code;

/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html>
const UNITS: &[&str] = &[
    "Seconds",
    "Microseconds",
    "Milliseconds",
    "Bytes",
    "Kilobytes",
    "Megabytes",
    "Gigabytes",
    "Terabytes",
    "Bits",
    "Kilobits",
    "Megabits",
    "Gigabits",
    "Terabits",
    "Percent",
    "Count",
    "Bytes/Second",
    "Kilobytes/Second",
    "Megabytes/Second",
    "Gigabytes/Second",
    "Terabytes/Second",
    "Bits/Second",
    "Kilobits/Second",
    "Megabits/Second",
    "Gigabits/Second",
    "Terabits/Second",
    "Count/Second",
    "None",
];

/// `Statistic`.
pub(super) fn statistic(text: &str, properties: &mut Part<'_>) {
    if !["Sum", "Average", "Minimum", "Maximum", "SampleCount"].contains(&text) {
        let help = "write `Sum`, `Average`, `Minimum`, `Maximum` or `SampleCount`; percentiles are `ExtendedStatistic`";
        properties.fail_at("Statistic", Code::UnknownWord, format!("unknown statistic `{text}`"), help);
    }
}

/// `ExtendedStatistic`: a percentile, a trimmed or winsorized mean, a rank
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html>).
pub(super) fn extended_statistic(text: &str, properties: &mut Part<'_>) {
    let percent = |digits: &str| digits.parse::<f64>().is_ok_and(|percent| (0.0..=100.0).contains(&percent));
    let short = ["p", "tm", "wm", "tc", "ts"].iter().any(|word| text.strip_prefix(word).is_some_and(percent));
    let long = ["TM(", "WM(", "TC(", "TS(", "PR("].iter().any(|word| text.starts_with(word) && text.ends_with(')'));
    if !short && !long && text != "IQM" {
        let help =
            "write a percentile from `p0` to `p100`, or another of CloudWatch's extended statistics, such as `tm90`";
        properties.fail_at("ExtendedStatistic", Code::UnknownWord, format!("unknown statistic `{text}`"), help);
    }
}

/// `Unit`; none when the alarm takes any.
pub(super) fn unit(properties: &mut Part<'_>) -> Option<String> {
    let unit = properties.text("Unit").filter(|unit| !unit.is_empty())?;
    if !UNITS.contains(&unit.as_str()) {
        let help = "write one of CloudWatch's units, such as `Count`, `Seconds` or `Milliseconds`, or remove it";
        properties.fail_at("Unit", Code::UnknownWord, format!("unknown unit `{unit}`"), help);
    }
    Some(unit)
}

/// The ids of `Metrics`: each begins with a small letter, and none is there twice.
pub(super) fn ids(items: &[Value], properties: &mut Part<'_>) {
    let mut seen = BTreeSet::new();
    for at in items.iter().filter_map(|item| item.get("Id")) {
        let Some(id) = at.plain() else { continue };
        let letters = id.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
        if !letters || !id.starts_with(|first: char| first.is_ascii_lowercase()) {
            let help = "CloudWatch takes letters, digits and `_`, the first a small letter, such as `m1`";
            properties.report(Code::BadValue, &at.at, format!("`{id}` cannot be the id of a metric"), help);
        } else if !seen.insert(id.clone()) {
            properties.report(Code::BadValue, &at.at, format!("the id `{id}` is given twice"), "CloudWatch refuses it");
        }
    }
}

/// Ids in the expressions of `Metrics` that no entry has. CloudWatch's functions have capital letters.
pub(super) fn expressions(items: &[Value], properties: &mut Part<'_>) {
    let ids: BTreeSet<String> = items.iter().filter_map(|item| item.get("Id")?.plain()).collect();
    for at in items.iter().filter_map(|item| item.get("Expression")) {
        let Some(text) = at.plain() else { continue };
        // A query names columns and namespaces, which are no ids.
        if text.trim_start().to_ascii_uppercase().starts_with("SELECT") {
            continue;
        }
        for word in words(&text) {
            if word.starts_with(|first: char| first.is_ascii_lowercase()) && !ids.contains(word) {
                let what =
                    format!("the expression `{text}` uses `{word}`, which is not the id of a metric of the alarm");
                properties.report(
                    Code::UnknownWord,
                    &at.at,
                    what,
                    "CloudWatch refuses it: add it, or correct the name",
                );
            }
        }
    }
}

/// The words of an expression, without its texts in quotes and its numbers.
fn words(text: &str) -> Vec<&str> {
    let mut all = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        let end = match first {
            '"' | '\'' => rest[1..].find(first).map_or(rest.len(), |end| end + 2),
            _ if word(first) => rest.find(|letter| !word(letter)).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        all.push(&rest[..end]);
        rest = &rest[end..];
    }
    all.retain(|part| part.starts_with(|first: char| first.is_ascii_alphabetic()));
    all
}
