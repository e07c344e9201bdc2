//! Probes: numbers from elsewhere than the services' own metrics, as `squall.yaml` has them for an account.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::units::Span;
use crate::yaml::shape::Leaf;
use crate::yaml::tree::Node;
use crate::yaml::{Code, FromNode, Reader, Shape};
use crate::{choice, record, words};

/// No probe may take longer: the next window is due.
pub const LONGEST_TIMEOUT: Span = Span::from_secs(60);
/// CloudWatch's metrics arrive in 1 to 3 minutes (facts: AWS publication delay).
const METRICS_SETTLE: Span = Span::from_secs(120);

choice! {
    /// Where a probe's number comes from.
    pub enum ProbeSpec {
        /// An HTTP request: 1 when the response is as expected, 0 when not. One at the end of each window.
        Http(HttpProbe) as "http",
        /// A query of CloudWatch Logs Insights over the window: the first number of its first row.
        Logs(LogsProbe) as "logs",
        /// A Prometheus instant query at the window's end: its single value.
        Prometheus(PrometheusProbe) as "prometheus",
        /// A command on this machine: the number that it prints. One at the end of each window.
        Command(CommandProbe) as "command",
        /// A CloudWatch metric math expression over metrics of the window.
        MetricMath(MetricMathProbe) as "metric_math",
    }
}

record! {
    /// A request, and what is expected of its response. A redirect is a response and is not followed; a refused
    /// connection is none.
    pub struct HttpProbe {
        /// The address.
        pub url: Url,
        /// The method. What the application does for a `post` is not rolled back.
        pub method: Method = Method::Get,
        /// Headers of the request.
        pub headers: BTreeMap<String, String> = BTreeMap::new(),
        /// Headers with secret values: each with the name of the environment variable that has it.
        pub headers_from_env: BTreeMap<String, String> = BTreeMap::new(),
        /// The body of a `post`.
        pub body: Option<String>,
        /// The expected status. By default, any from 200 to 299.
        pub status: Option<u32>,
        /// Text that the response body must contain.
        pub contains: Option<String>,
        /// A slower response counts as none; at most `60s`.
        pub timeout: Span = Span::from_secs(5),
    }
}

/// How a request asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Get,
    Head,
    Post,
}

words! {
    /// How a request asks.
    Method {
        /// For a page.
        Get as "get",
        /// For the head of one.
        Head as "head",
        /// With a body.
        Post as "post",
    }
}

record! {
    /// A query of CloudWatch Logs Insights.
    pub struct LogsProbe {
        /// The names of the log groups.
        pub groups: Vec<String>,
        /// The query, such as `filter level = "error" | stats count(*)`. Without a row there is no data.
        pub query: String,
        /// How long after the window's end its log lines can be searched.
        pub settles: Span = Span::from_secs(30),
        /// A slower query is stopped and gives no data; at most `60s`.
        pub timeout: Span = Span::from_secs(30),
    }
}

record! {
    /// An instant query of a Prometheus server.
    pub struct PrometheusProbe {
        /// The server's URL, without `/api`.
        pub url: Url,
        /// The query; `$window` in it is the window's length, as in `sum(rate(failed_total[$window]))`. It must return
        /// one series; none means no data.
        pub query: String,
        /// Headers with secret values: each with the name of the environment variable that has it.
        pub headers_from_env: BTreeMap<String, String> = BTreeMap::new(),
        /// How long after the window's end its last samples arrive: the server's scrape interval.
        pub settles: Span = Span::from_secs(30),
        /// A slower response counts as none; at most `60s`.
        pub timeout: Span = Span::from_secs(10),
    }
}

record! {
    /// A command, with the permissions of the user that runs squall. Of the environment it gets `PATH`, `HOME`, `LANG`
    /// and `TZ`; the
    /// window is in `SQUALL_FROM` and `SQUALL_TO`.
    pub struct CommandProbe {
        /// The program and its arguments; no shell is involved.
        pub run: Vec<String>,
        /// More environment variables to pass, such as `AWS_PROFILE`.
        pub pass: Vec<String> = Vec::new(),
        /// When it takes longer, it is killed with everything it started; at most `60s`.
        pub timeout: Span = Span::from_secs(10),
    }
}

record! {
    /// A CloudWatch metric math expression that returns one series.
    pub struct MetricMathProbe {
        /// The expression over the metrics' names, such as `100 * FILL(failed, 0) / all`.
        pub expression: String,
        /// The metrics, by the names that the expression uses.
        pub metrics: BTreeMap<String, MathMetric>,
    }
}

record! {
    /// One statistic of one metric.
    pub struct MathMetric {
        /// The namespace, such as `AWS/Lambda`.
        pub namespace: String,
        /// The metric's name, such as `Errors`.
        pub name: String,
        /// Its dimensions, all of them.
        pub dimensions: BTreeMap<String, String> = BTreeMap::new(),
        /// The statistic, such as `Sum`, `Average` or `p99`.
        pub statistic: String,
    }
}

impl ProbeSpec {
    /// How long after a window's end its value is final.
    pub fn settles(&self) -> Span {
        match self {
            ProbeSpec::Http(_) | ProbeSpec::Command(_) => Span::ZERO,
            ProbeSpec::Logs(logs) => logs.settles,
            ProbeSpec::Prometheus(prometheus) => prometheus.settles,
            ProbeSpec::MetricMath(_) => METRICS_SETTLE,
        }
    }

    /// Whether it has a value for whole minutes only.
    pub fn by_the_minute(&self) -> bool {
        matches!(self, ProbeSpec::MetricMath(_))
    }

    /// How long it may take; metric math has the time-outs of every call.
    pub fn timeout(&self) -> Option<Span> {
        match self {
            ProbeSpec::Http(probe) => Some(probe.timeout),
            ProbeSpec::Logs(probe) => Some(probe.timeout),
            ProbeSpec::Prometheus(probe) => Some(probe.timeout),
            ProbeSpec::Command(probe) => Some(probe.timeout),
            ProbeSpec::MetricMath(_) => None,
        }
    }
}

impl MetricMathProbe {
    /// The names in the expression and where they stand: of its metrics and, in capitals, of functions. What is quoted is
    /// neither.
    pub fn names(&self) -> Vec<(Range<usize>, &str)> {
        let text = self.expression.as_str();
        let (mut names, mut quote, mut from) = (Vec::new(), None, None::<usize>);
        let ends = text.char_indices().chain([(text.len(), ' ')]);
        for (at, c) in ends {
            let in_word = quote.is_none() && (c.is_ascii_alphanumeric() || c == '_');
            match (from, in_word) {
                (None, true) => from = Some(at),
                (Some(start), false) => {
                    // A number such as `1e3` is no name.
                    if !text[start..].starts_with(|c: char| c.is_ascii_digit()) {
                        names.push((start..at, &text[start..at]));
                    }
                    from = None;
                }
                _ => {}
            }
            match quote {
                Some(open) if open == c => quote = None,
                None if c == '"' || c == '\'' => quote = Some(c),
                _ => {}
            }
        }
        names
    }

    /// The expression with its metrics under other names.
    pub fn renamed(&self, other: impl Fn(&str) -> String) -> String {
        let (mut renamed, mut from) = (String::new(), 0);
        for (at, name) in self.names() {
            if self.metrics.contains_key(name) {
                renamed += &self.expression[from..at.start];
                renamed += &other(name);
                from = at.end;
            }
        }
        renamed + &self.expression[from..]
    }
}

/// An address that begins with `http://` or `https://`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url(pub String);

impl FromNode for Url {
    fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = reader.text(node, &Self::shape())?;
        let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
        let host = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
        if host.is_some_and(|host| !host.is_empty()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Some(Url(text.into_owned()));
        }
        let help = "write for example `https://shop.example/health`; encode other characters, such as `%C3%A9`";
        reader.report(Code::BadValue, node.at, format!("`{text}` is not a URL"), help);
        None
    }

    fn shape() -> Shape {
        Shape::Leaf(Leaf {
            name: "a URL",
            json_type: "string",
            pattern: r#"^https?://[!"$-.0->@-~][!-~]*$"#,
            examples: &["https://shop.example/health"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_in_an_expression_get_other_names_and_nothing_else_does() {
        let metric = || MathMetric {
            namespace: "N".into(),
            name: "M".into(),
            dimensions: BTreeMap::new(),
            statistic: "Sum".into(),
        };
        let math = |expression: &str| MetricMathProbe {
            expression: expression.into(),
            metrics: ["e", "sum_all"].map(|name| (name.to_owned(), metric())).into(),
        };
        let renamed = |expression: &str| math(expression).renamed(|name| format!("m7_{name}"));
        assert_eq!(renamed("100*e/FILL(sum_all, 0)"), "100*m7_e/FILL(m7_sum_all, 0)");
        assert_eq!(renamed("IF(e>1e3, e, 'e \"e') + other"), "IF(m7_e>1e3, m7_e, 'e \"e') + other");
        let names: Vec<_> = math("RATE(e) + é + x1").names().into_iter().map(|(_, name)| name.to_owned()).collect();
        assert_eq!(names, ["RATE", "e", "x1"]);
    }
}
