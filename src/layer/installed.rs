//! Whether a function has the layer right: from what AWS says of it to findings, each with what to do.

use std::collections::BTreeMap;

use super::{Architecture, EMPTY, LAYER, WRAPPER, terms};

/// What AWS says of a function, as far as the layer goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Installed {
    /// The function's name.
    pub function: String,
    /// Its runtime; empty for a container image.
    pub runtime: String,
    /// Lambda's word for its architecture.
    pub architecture: String,
    /// The ARNs of its layers, with their versions.
    pub layers: Vec<String>,
    /// Its variables that concern the layer: `AWS_LAMBDA_EXEC_WRAPPER`, and those that begin with `SQUALL_`.
    pub variables: BTreeMap<String, String>,
    /// The parameter that it names, if it names one.
    pub parameter: Option<Parameter>,
}

/// The parameter with the orders, and whether the function may read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub content: Content,
    /// Whether the function's role may read it: `Ok(true)`; the reason why not, or why it is not known.
    pub readable: Readable,
}

/// What a parameter holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// It does not exist.
    Missing,
    /// It is encrypted, which the layer refuses.
    Secure,
    /// This text.
    Text(String),
    /// It could not be read, because of this.
    Unknown(String),
}

/// Whether the role of a function may read its parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readable {
    /// A policy allows it.
    Yes,
    /// This stands against it.
    No(String),
    /// This is why it is not known.
    Unknown(String),
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What: `wrapper`.
    pub what: &'static str,
    /// How it is.
    pub found: Found,
    /// What was seen, and what to do unless it is right.
    pub detail: String,
}

/// How a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// As the layer needs it.
    Right,
    /// Faults do not reach the function so.
    Wrong,
    /// AWS does not say.
    Unknown,
}

fn check(what: &'static str, found: Found, detail: impl Into<String>) -> Check {
    Check { what, found, detail: detail.into() }
}

impl Installed {
    /// Everything about the layer in this function, in the order in which to correct it.
    pub fn checks(&self) -> Vec<Check> {
        let mut checks = vec![self.layer(), self.wrapper(), self.switch()];
        match &self.parameter {
            None => checks.push(check(
                "parameter",
                Found::Wrong,
                format!("set SQUALL_FAULTS_PARAM of {} to the name of an SSM parameter", self.function),
            )),
            Some(parameter) => checks.extend([content(parameter), self.right(parameter)]),
        }
        checks.push(self.limits());
        checks
    }

    fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A layer is found by its name; a container image has none, and may have the files all the same.
    fn layer(&self) -> Check {
        let what = "layer";
        let architecture = Architecture::ALL.into_iter().find(|known| known.word() == self.architecture);
        let named = architecture.map_or_else(|| LAYER.to_owned(), Architecture::layer);
        if self.runtime.is_empty() {
            return check(what, Found::Unknown, "a container image: copy the two files of the zip to /opt in it");
        }
        let name =
            |arn: &String| arn.split(":layer:").nth(1).and_then(|rest| rest.split(':').next()).map(str::to_owned);
        let layers: Vec<String> = self.layers.iter().filter_map(name).collect();
        let other = Architecture::ALL.into_iter().find(|known| Some(*known) != architecture);
        if layers.iter().any(|layer| *layer == named || layer == LAYER) {
            return check(what, Found::Right, format!("{named} is in place"));
        }
        if let Some(other) = other.filter(|other| layers.contains(&other.layer())) {
            return check(
                what,
                Found::Wrong,
                format!(
                    "{} is for another architecture than the function's, {architecture}: add {named} in its place",
                    other.layer(),
                    architecture = self.architecture
                ),
            );
        }
        match layers.is_empty() {
            true => check(what, Found::Wrong, format!("no layer: add {named} (`squall layer publish` prints how)")),
            false => check(
                what,
                Found::Unknown,
                format!("none of its layers is called {named}: {}; one of them may contain it", layers.join(", ")),
            ),
        }
    }

    fn wrapper(&self) -> Check {
        let what = "wrapper";
        let bootstrap = self.runtime.is_empty() || self.runtime.starts_with("provided");
        match (self.variable("AWS_LAMBDA_EXEC_WRAPPER"), bootstrap) {
            (_, true) => check(
                what,
                Found::Unknown,
                format!(
                    "Lambda runs no wrapper script here; its bootstrap or entry point must begin with `exec {WRAPPER}`"
                ),
            ),
            (Some(WRAPPER), false) => check(what, Found::Right, format!("AWS_LAMBDA_EXEC_WRAPPER={WRAPPER}")),
            (Some(other), false) => check(
                what,
                Found::Unknown,
                format!("AWS_LAMBDA_EXEC_WRAPPER is {other}, which must end with `exec {WRAPPER} \"$@\"`"),
            ),
            (None, false) => check(what, Found::Wrong, format!("set AWS_LAMBDA_EXEC_WRAPPER to {WRAPPER}")),
        }
    }

    fn switch(&self) -> Check {
        match self.variable("SQUALL_LAYER") {
            Some("off") => {
                check("switch", Found::Wrong, "SQUALL_LAYER=off: the layer does nothing; remove the variable")
            }
            _ => check("switch", Found::Right, "on (SQUALL_LAYER=off would switch it off)"),
        }
    }

    fn right(&self, parameter: &Parameter) -> Check {
        let what = "right";
        let allow = format!("allow its role ssm:GetParameter on {}", parameter.name);
        match &parameter.readable {
            Readable::Yes => check(what, Found::Right, format!("its role may read {}", parameter.name)),
            Readable::No(why) => check(what, Found::Wrong, format!("{why}: {allow}")),
            Readable::Unknown(why) => check(what, Found::Unknown, format!("{why}; {allow} if it may not")),
        }
    }

    /// The limits that hold, and variables that the layer would not understand: one such variable switches it off.
    fn limits(&self) -> Check {
        let what = "limits";
        let mut holds = Vec::new();
        for limit in &LIMITS {
            let value = match self.variable(limit.variable).map(str::parse::<u32>) {
                None => limit.usual,
                Some(Ok(value)) if (limit.least..=limit.most).contains(&value) => value,
                Some(_) => {
                    return check(
                        what,
                        Found::Wrong,
                        format!(
                            "{} must be a number from {} to {}; until it is, the layer is off",
                            limit.variable, limit.least, limit.most
                        ),
                    );
                }
            };
            if let Some(words) = limit.words {
                holds.push(format!("{words} {value}{}", limit.unit));
            }
        }
        let kinds = self.variable("SQUALL_LAYER_KINDS").unwrap_or("all");
        let unknown = |kind: &&str| *kind != "all" && !terms::KINDS.contains(kind);
        if let Some(unknown) = kinds.split(',').map(str::trim).find(unknown) {
            let detail = format!(
                "SQUALL_LAYER_KINDS has `{unknown}`, which is none of {}; until it is corrected, the layer is off",
                terms::KINDS.join(", ")
            );
            return check(what, Found::Wrong, detail);
        }
        check(what, Found::Right, format!("{}, kinds of faults: {kinds}", holds.join(", ")))
    }
}

/// A variable with a number.
struct Limit {
    variable: &'static str,
    /// What it limits; `None`: nothing that an order asks for.
    words: Option<&'static str>,
    unit: &'static str,
    usual: u32,
    least: u32,
    most: u32,
}

/// Those of `layer/src/settings.rs`.
const LIMITS: [Limit; 6] = [
    Limit {
        variable: "SQUALL_LAYER_MAX_DELAY_MS",
        words: Some("longest delay"),
        unit: " ms",
        usual: terms::LONGEST_DELAY_MS,
        least: 0,
        most: terms::LONGEST_DELAY_MS,
    },
    Limit {
        variable: "SQUALL_LAYER_MAX_PERCENT",
        words: Some("largest share"),
        unit: " %",
        usual: 100,
        least: 0,
        most: 100,
    },
    Limit {
        variable: "SQUALL_LAYER_MAX_MINUTES",
        words: Some("an order ends within"),
        unit: " min",
        usual: terms::USUAL_MINUTES,
        least: 0,
        most: terms::MOST_MINUTES,
    },
    Limit { variable: "SQUALL_LAYER_PORT", words: None, unit: "", usual: 0, least: 0, most: 65_535 },
    Limit { variable: "SQUALL_LAYER_WAIT_MS", words: None, unit: "", usual: 0, least: 0, most: terms::LONGEST_WAIT_MS },
    Limit {
        variable: "SQUALL_LAYER_INTERVAL_S",
        words: None,
        unit: "",
        usual: terms::INTERVAL_S,
        least: terms::INTERVAL_S,
        most: terms::LONGEST_INTERVAL_S,
    },
];

fn content(parameter: &Parameter) -> Check {
    let (what, name) = ("parameter", &parameter.name);
    let create = format!("aws ssm put-parameter --name {name} --type String --value '{EMPTY}'");
    match &parameter.content {
        Content::Missing => check(what, Found::Wrong, format!("{name} does not exist: {create}")),
        Content::Secure => check(
            what,
            Found::Wrong,
            format!("{name} is a SecureString, which the layer refuses: delete it, then {create}"),
        ),
        Content::Unknown(why) => check(what, Found::Unknown, why),
        Content::Text(text) => {
            let document: Option<serde_json::Map<String, serde_json::Value>> = serde_json::from_str(text).ok();
            match document {
                Some(document) if document.get("version") == Some(&1.into()) => {
                    let orders: Vec<&str> =
                        document.keys().map(String::as_str).filter(|key| *key != "version").collect();
                    let orders =
                        if orders.is_empty() { "no orders".into() } else { format!("orders: {}", orders.join(", ")) };
                    check(what, Found::Right, format!("{name} has {orders}"))
                }
                _ => {
                    check(what, Found::Wrong, format!("{name} does not hold orders of version 1: {create} --overwrite"))
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(set: &[(&str, &str)]) -> BTreeMap<String, String> {
        set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn ready() -> Installed {
        Installed {
            function: "orders".into(),
            runtime: "nodejs22.x".into(),
            architecture: "arm64".into(),
            layers: vec!["arn:aws:lambda:eu-west-1:111122223333:layer:squall-layer-arm64:3".into()],
            variables: variables(&[("AWS_LAMBDA_EXEC_WRAPPER", WRAPPER), ("SQUALL_FAULTS_PARAM", "/shop/faults")]),
            parameter: Some(Parameter {
                name: "/shop/faults".into(),
                content: Content::Text(EMPTY.into()),
                readable: Readable::Yes,
            }),
        }
    }

    /// The one check that is not right, and its words.
    #[track_caller]
    fn finds(installed: &Installed, what: &str, found: Found, words: &str) {
        let checks: Vec<_> = installed.checks().into_iter().filter(|check| check.found != Found::Right).collect();
        let [check] = &checks[..] else { panic!("{checks:?}") };
        assert_eq!((check.what, check.found), (what, found), "{check:?}");
        assert!(check.detail.contains(words), "`{words}` is not in `{}`", check.detail);
    }

    #[test]
    fn a_function_that_is_ready_says_so() {
        let checks = ready().checks();
        assert!(checks.iter().all(|check| check.found == Found::Right), "{checks:?}");
        let whats: Vec<_> = checks.iter().map(|check| check.what).collect();
        assert_eq!(whats, ["layer", "wrapper", "switch", "parameter", "right", "limits"]);
        let limits = &checks[5].detail;
        assert_eq!(
            limits,
            "longest delay 900000 ms, largest share 100 %, an order ends within 60 min, kinds of faults: all"
        );
    }

    #[test]
    fn each_part_that_is_missing_is_named_with_what_to_do() {
        let with = |change: &dyn Fn(&mut Installed)| {
            let mut installed = ready();
            change(&mut installed);
            installed
        };
        finds(&with(&|it| it.layers.clear()), "layer", Found::Wrong, "add squall-layer-arm64");
        let other = "arn:aws:lambda:eu-west-1:111122223333:layer:squall-layer-x86_64:1";
        finds(&with(&|it| it.layers = vec![other.into()]), "layer", Found::Wrong, "another architecture");
        let another = "arn:aws:lambda:eu-west-1:111122223333:layer:tools:1";
        finds(&with(&|it| it.layers = vec![another.into()]), "layer", Found::Unknown, "tools");
        let wrapper =
            |it: &mut Installed, value: &str| drop(it.variables.insert("AWS_LAMBDA_EXEC_WRAPPER".into(), value.into()));
        finds(
            &with(&|it| wrapper(it, "")),
            "wrapper",
            Found::Wrong,
            "set AWS_LAMBDA_EXEC_WRAPPER to /opt/squall-layer",
        );
        finds(&with(&|it| wrapper(it, "/opt/otel")), "wrapper", Found::Unknown, "exec /opt/squall-layer");
        finds(&with(&|it| it.runtime = "provided.al2023".into()), "wrapper", Found::Unknown, "bootstrap");
        let set = |it: &mut Installed, name: &str, value: &str| drop(it.variables.insert(name.into(), value.into()));
        finds(&with(&|it| set(it, "SQUALL_LAYER", "off")), "switch", Found::Wrong, "remove the variable");
        finds(&with(&|it| it.parameter = None), "parameter", Found::Wrong, "set SQUALL_FAULTS_PARAM of orders");
        finds(&with(&|it| set(it, "SQUALL_LAYER_MAX_PERCENT", "101")), "limits", Found::Wrong, "from 0 to 100");
        finds(&with(&|it| set(it, "SQUALL_LAYER_INTERVAL_S", "1")), "limits", Found::Wrong, "from 5 to 20");
        finds(&with(&|it| set(it, "SQUALL_LAYER_KINDS", "latency, disks")), "limits", Found::Wrong, "`disks`");
    }

    #[test]
    fn a_parameter_that_the_layer_cannot_use_is_told_with_the_command() {
        let holds = |content: Content, readable: Readable| {
            let parameter = Some(Parameter { name: "/shop/faults".into(), content, readable });
            Installed { parameter, ..ready() }
        };
        finds(
            &holds(Content::Missing, Readable::Yes),
            "parameter",
            Found::Wrong,
            "--type String --value '{\"version\": 1}'",
        );
        finds(&holds(Content::Secure, Readable::Yes), "parameter", Found::Wrong, "SecureString");
        finds(&holds(Content::Text("{}".into()), Readable::Yes), "parameter", Found::Wrong, "--overwrite");
        finds(&holds(Content::Unknown("throttled".into()), Readable::Yes), "parameter", Found::Unknown, "throttled");
        let text = || Content::Text(EMPTY.into());
        let no = Readable::No("no policy allows it".into());
        finds(&holds(text(), no), "right", Found::Wrong, "allow its role ssm:GetParameter on /shop/faults");
        let unknown = Readable::Unknown("it depends on aws:SourceIp".into());
        finds(&holds(text(), unknown), "right", Found::Unknown, "depends on aws:SourceIp");
    }
}
