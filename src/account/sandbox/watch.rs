//! What the alarms of an application watch: metrics of the model, expressions of them, or other alarms. What is not modelled
//! is left out with the reason, and never guessed.

use std::collections::{BTreeMap, BTreeSet};

use super::alarm::{EXTRA_PERIODS, LONGEST_LOOK};
use super::app::{App, Threshold, Watches};
use super::formula::Formula;
use super::metrics::{PERIOD, Series};
use super::rule::{self, Rule};
use crate::units::Span;

/// An alarm that is modelled.
#[derive(Clone, Debug)]
pub(super) struct AlarmModel {
    pub watch: Watch,
}

impl AlarmModel {
    /// How far back it looks at a series, when it does.
    pub fn looks_back(&self, series: Series) -> Option<Span> {
        match &self.watch {
            Watch::Threshold(alarm) if alarm.values.uses(series) => {
                let periods = alarm.spec.evaluation_periods.max(1) + EXTRA_PERIODS;
                Some(alarm.spec.period * i64::from(periods))
            }
            Watch::Threshold(_) | Watch::Rule(_) => None,
        }
    }
}

/// What an alarm looks at.
#[derive(Clone, Debug)]
pub(super) enum Watch {
    Threshold(ThresholdModel),
    Rule(Rule),
}

/// An alarm on a metric or an expression of metrics.
#[derive(Clone, Debug)]
pub(super) struct ThresholdModel {
    pub spec: Threshold,
    pub values: Formula,
}

/// Alarms by name: those that are modelled, and why the others are not.
type Alarms = (BTreeMap<String, AlarmModel>, BTreeMap<String, String>);

/// Which alarms of an application are modelled, and why the others are not.
pub(super) fn alarms(app: &App) -> Alarms {
    let mut others = BTreeMap::new();
    let mut formulas = BTreeMap::new();
    for (name, alarm) in &app.alarms {
        match &alarm.watches {
            Watches::Threshold(spec) => match threshold(app, spec) {
                Ok(model) => {
                    formulas.insert(name, model);
                }
                Err(why) => {
                    others.insert(name.clone(), why);
                }
            },
            Watches::Other(what) => {
                others.insert(name.clone(), format!("the sandbox does not model {what}"));
            }
            Watches::Alarms { .. } => {}
        }
    }
    // A rule about an alarm that is not modelled is not modelled itself, and so on; one in a circle is never known.
    let rules = app.alarms.iter().filter_map(|(name, alarm)| match &alarm.watches {
        Watches::Alarms { rule } => Some((name, rule)),
        _ => None,
    });
    let mut open: BTreeMap<&String, &String> = rules.collect();
    let mut known: BTreeSet<String> = formulas.keys().map(|name| (*name).clone()).collect();
    loop {
        let ready = |rule: &str| rule::names(rule).is_some_and(|names| names.iter().all(|name| known.contains(name)));
        let next: Vec<&String> = open.iter().filter(|(_, rule)| ready(rule)).map(|(name, _)| *name).collect();
        if next.is_empty() {
            break;
        }
        for name in next {
            known.insert(name.clone());
            open.remove(name);
        }
    }
    let names: Vec<&String> = known.iter().collect();
    let index = |name: &str| names.binary_search_by(|known| known.as_str().cmp(name)).ok();
    let mut alarms = BTreeMap::new();
    for (name, alarm) in &app.alarms {
        let Watches::Alarms { rule } = &alarm.watches else { continue };
        match Rule::parse(rule, &index) {
            Ok(rule) => {
                alarms.insert(name.clone(), AlarmModel { watch: Watch::Rule(rule) });
            }
            Err(why) => {
                others.insert(name.clone(), why);
            }
        }
    }
    alarms.extend(
        formulas.into_iter().map(|(name, model)| (name.clone(), AlarmModel { watch: Watch::Threshold(model) })),
    );
    (alarms, others)
}

fn threshold(app: &App, spec: &Threshold) -> Result<ThresholdModel, String> {
    if spec.period < PERIOD {
        return Err(
            "AWS publishes its services' metrics once a minute: an alarm with a shorter period lacks data".into()
        );
    }
    let looks_back = spec.period * i64::from(spec.evaluation_periods.max(1));
    if looks_back > LONGEST_LOOK {
        return Err(format!("it looks back {looks_back}, and the sandbox keeps metrics no longer than {LONGEST_LOOK}"));
    }
    Ok(ThresholdModel { spec: spec.clone(), values: Formula::of(app, &spec.values)? })
}

/// Each alarm after those that its rule is about. There are no circles.
pub(super) fn order(alarms: &BTreeMap<String, AlarmModel>) -> Vec<usize> {
    let about: Vec<BTreeSet<usize>> = alarms
        .values()
        .map(|alarm| match &alarm.watch {
            Watch::Threshold(_) => BTreeSet::new(),
            Watch::Rule(rule) => rule.about(),
        })
        .collect();
    let mut order: Vec<usize> = Vec::new();
    while order.len() < about.len() {
        let done = order.len();
        let ready = (0..about.len()).filter(|index| !order.contains(index));
        let ready: Vec<usize> = ready.filter(|index| about[*index].iter().all(|on| order.contains(on))).collect();
        order.extend(ready);
        if order.len() == done {
            break;
        }
    }
    order
}
