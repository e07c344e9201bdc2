//! Probes of `squall.yaml`: requests that cannot be made, commands of nothing, expressions over metrics that are not there.

use crate::project::probe::{HttpProbe, LONGEST_TIMEOUT, Method, MetricMathProbe, ProbeSpec};
use crate::project::{AccountSpec, Project};
use crate::units::Span;
use crate::yaml::finding::{Code, Findings};
use crate::yaml::read::Loaded;

use super::meant;

/// Functions of metric math that take in whatever else is asked for at the same time, or that give many series.
const MANY: [&str; 6] = ["METRICS", "SEARCH", "SELECT", "LAMBDA", "ANOMALY_DETECTION_BAND", "DB_PERF_INSIGHTS"];

pub(super) fn check(project: &Loaded<Project>, findings: &mut Findings) {
    for (name, account) in &project.value.accounts {
        let AccountSpec::Aws(account) = account else { continue };
        for (probe, spec) in &account.probes {
            let path = format!("accounts/{name}/aws/probes/{probe}/{}", spec.key());
            Probe { project, path, findings }.check(spec);
        }
    }
}

struct Probe<'a> {
    project: &'a Loaded<Project>,
    path: String,
    findings: &'a mut Findings,
}

impl Probe<'_> {
    fn report(&mut self, code: Code, key: &str, what: impl Into<String>, help: impl Into<String>) {
        let path = format!("{}/{key}", self.path);
        // Inside of a mapping of the user's own it is the key that is wrong.
        let at = if key.contains('/') { self.project.key_place(&path) } else { self.project.place(&path) };
        self.findings.push(self.project.finding(code, at, what).help(help));
    }

    fn check(&mut self, spec: &ProbeSpec) {
        match spec.timeout() {
            Some(Span::ZERO) => {
                self.report(Code::Zero, "timeout", "a timeout of 0s never gets an answer", "write for example `5s`");
            }
            Some(timeout) if timeout > LONGEST_TIMEOUT => {
                let what = format!("a probe may take at most {LONGEST_TIMEOUT}, not {timeout}");
                self.report(Code::BadValue, "timeout", what, format!("write `{LONGEST_TIMEOUT}` or less"));
            }
            _ => {}
        }
        match spec {
            ProbeSpec::Http(http) => self.http(http),
            ProbeSpec::Logs(logs) if logs.groups.is_empty() => {
                self.report(Code::Empty, "groups", "there is no log group", "write for example `[/aws/lambda/orders]`");
            }
            ProbeSpec::Command(command) if command.run.is_empty() => {
                self.report(Code::Empty, "run", "there is no program", "write for example `[./lag.sh, orders]`");
            }
            ProbeSpec::MetricMath(math) => self.math(math),
            ProbeSpec::Prometheus(prometheus) => self.headers(&[("headers_from_env", &prometheus.headers_from_env)]),
            ProbeSpec::Logs(_) | ProbeSpec::Command(_) => {}
        }
    }

    fn http(&mut self, http: &HttpProbe) {
        self.headers(&[("headers", &http.headers), ("headers_from_env", &http.headers_from_env)]);
        if http.body.is_some() && http.method != Method::Post {
            self.report(Code::BadValue, "body", "only a `post` has a body", "write `method: post`, or remove `body`");
        }
        if let Some(status) = http.status
            && !(100..600).contains(&status)
        {
            self.report(Code::BadValue, "status", format!("{status} is not an HTTP status"), "write for example `200`");
        }
    }

    fn headers(&mut self, maps: &[(&str, &std::collections::BTreeMap<String, String>)]) {
        let part = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        for (key, headers) in maps {
            for (name, value) in *headers {
                if !name.chars().all(part) || value.contains(|c: char| c.is_control()) {
                    let what = format!("`{name}` cannot be sent as a header");
                    self.report(
                        Code::BadValue,
                        &format!("{key}/{name}"),
                        what,
                        "write for example `accept: text/html`",
                    );
                }
            }
        }
    }

    fn math(&mut self, math: &MetricMathProbe) {
        if math.metrics.is_empty() {
            let help = "write for example `failed: { namespace: Shop, name: Failed, statistic: Sum }`";
            return self.report(Code::Empty, "metrics", "there is no metric", help);
        }
        for name in math.metrics.keys() {
            let fits = name.starts_with(|c: char| c.is_ascii_lowercase())
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            if !fits {
                let help = "it has letters, digits and `_`, and begins with a small letter";
                let what = format!("`{name}` cannot be the name of a metric in an expression");
                self.report(Code::BadValue, &format!("metrics/{name}"), what, help);
            }
        }
        let (names, before) = (math.names(), self.findings.iter().count());
        let named = || math.metrics.keys().map(String::as_str);
        for (_, name) in &names {
            let is_metric = name.starts_with(|c: char| c.is_ascii_lowercase());
            if MANY.contains(name) {
                let what = format!("`{name}` returns many series, or reads other queries' metrics");
                self.report(Code::BadValue, "expression", what, "name each metric, and write them into the expression");
            } else if is_metric && !math.metrics.contains_key(*name) {
                self.report(
                    Code::BadValue,
                    "expression",
                    format!("`{name}` is not one of its metrics"),
                    meant(name, named()),
                );
            }
        }
        let told = self.findings.iter().count() > before;
        if !told && !names.iter().any(|(_, name)| math.metrics.contains_key(*name)) {
            self.report(Code::BadValue, "expression", "the expression uses none of the metrics", meant("", named()));
        }
    }
}
