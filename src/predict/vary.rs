//! What is varied to find a breaking point: a value of the experiment, of the traffic file, or of the application, and
//! from where to where.

use std::str::FromStr;

use crate::numbers::tidy;
use crate::template::app::App;
use crate::units::{Rate, Share, Span};
use crate::yaml::tree::{Kind, Node};

/// From here on a range is gone through in steps of the same ratio and not of the same difference.
const WIDE: f64 = 10.0;

/// `WHAT=FROM..TO`.
#[derive(Clone, Debug, PartialEq)]
pub struct Vary {
    /// `faults.0.for`, `traffic.*.rate`, `functions.PaymentWorker.reserved`.
    pub path: String,
    pub unit: Unit,
    pub from: f64,
    pub to: f64,
}

/// What the ends of a range are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// `2m..20m`, in seconds.
    Time,
    /// `1/s..50/s`, per second.
    Rate,
    /// `1%..20%`, as a part of one.
    Share,
    /// `x1..x100`: the value that is there, so many times.
    Factor,
    /// `0..50`, whole where both ends are.
    Whole,
    Number,
}

/// Where the value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Experiment,
    Traffic,
    /// A setting of the template.
    Application,
}

impl FromStr for Vary {
    type Err = String;

    fn from_str(text: &str) -> Result<Vary, String> {
        const FORM: &str = "write WHAT=FROM..TO, such as `faults.0.for=2m..20m`, `traffic.*.rate=x1..x100` or \
                            `functions.PaymentWorker.reserved=0..20`";
        let (path, range) = text.split_once('=').ok_or(FORM)?;
        let (from, to) = range.split_once("..").ok_or(FORM)?;
        let (path, from, to) = (path.trim(), from.trim(), to.trim());
        let both = |read: &dyn Fn(&str) -> Option<f64>| Some((read(from)?, read(to)?));
        let factor = |text: &str| text.strip_prefix('x').and_then(|times| times.parse::<f64>().ok());
        let number = |text: &str| text.parse::<f64>().ok();
        let whole = |text: &str| text.parse::<u32>().ok().map(f64::from);
        let (unit, (from, to)) = if let Some(ends) = both(&factor) {
            (Unit::Factor, ends)
        } else if let Some(ends) = both(&whole) {
            (Unit::Whole, ends)
        } else if let Some(ends) = both(&number) {
            (Unit::Number, ends)
        } else if let Some(ends) = both(&|text| text.parse::<Share>().ok().map(Share::get)) {
            (Unit::Share, ends)
        } else if let Some(ends) = both(&|text| text.parse::<Rate>().ok().map(Rate::get)) {
            (Unit::Rate, ends)
        } else if let Some(ends) = both(&|text| text.parse::<Span>().ok().map(Span::secs_f64)) {
            (Unit::Time, ends)
        } else {
            return Err(format!("`{range}` needs two ends of the same kind; {FORM}"));
        };
        let good = from.is_finite() && to.is_finite() && from >= 0.0 && from < to && !path.is_empty();
        if !good || (unit == Unit::Factor && from <= 0.0) {
            return Err(format!("`{range}` must rise, and not begin below zero; {FORM}"));
        }
        Ok(Vary { path: path.to_owned(), unit, from, to })
    }
}

impl Vary {
    /// In which of the three it is.
    pub fn place(&self) -> Place {
        let mut words = self.path.split('.');
        match (words.next(), words.next_back()) {
            (Some("functions"), Some("reserved" | "timeout" | "memory")) => Place::Application,
            (Some("queues" | "mappings" | "tables" | "account"), _) => Place::Application,
            (Some("traffic" | "functions"), _) => Place::Traffic,
            _ => Place::Experiment,
        }
    }

    /// The value at a part of the way, 0 to 1: in steps of the same ratio where the range is wide.
    pub fn at(&self, part: f64) -> f64 {
        let value = match self.from > 0.0 && self.to / self.from >= WIDE {
            true => self.from * (self.to / self.from).powf(part),
            false => self.from + (self.to - self.from) * part,
        };
        // The ends are what was written; between them three digits are enough.
        let rounded = match self.unit {
            Unit::Whole => value.round(),
            Unit::Time if self.to - self.from > 60.0 => value.round(),
            Unit::Share => tidy(value * 100.0) / 100.0,
            _ => tidy(value),
        };
        rounded.clamp(self.from, self.to)
    }

    /// A value as it is written: `9m30s`, `x2.5`.
    pub fn shown(&self, value: f64) -> String {
        match self.unit {
            Unit::Time => Span::from_secs_f64(value).to_string(),
            Unit::Rate => Rate::per_sec(value).unwrap_or_default().to_string(),
            Unit::Share => Share::new(value).unwrap_or_default().to_string(),
            Unit::Factor => format!("x{}", tidy(value)),
            Unit::Whole => format!("{}", value.round()),
            Unit::Number => format!("{}", tidy(value)),
        }
    }

    /// Puts a value into a file's tree; gives how many places it is in now.
    ///
    /// # Errors
    /// There is no such place, or what is there cannot be multiplied.
    pub fn put(&self, tree: &mut Node, value: f64) -> Result<usize, String> {
        let mut put = 0;
        self.walk(tree, &self.path, &mut |node| {
            node.kind = self.kind(node, value)?;
            put += 1;
            Ok(())
        })?;
        match put {
            0 => Err(format!("there is no `{}` in the file", self.path)),
            put => Ok(put),
        }
    }

    fn kind(&self, node: &Node, value: f64) -> Result<Kind, String> {
        match (self.unit, &node.kind) {
            (Unit::Whole, _) => Ok(Kind::Int(value.round() as i64)),
            (Unit::Number, _) => Ok(Kind::Float(value)),
            (Unit::Time | Unit::Rate | Unit::Share, _) => Ok(Kind::Text(self.shown(value))),
            (Unit::Factor, Kind::Int(was)) => Ok(Kind::Int((*was as f64 * value).round() as i64)),
            (Unit::Factor, Kind::Float(was)) => Ok(Kind::Float(was * value)),
            (Unit::Factor, Kind::Text(was)) => multiplied(was, value)
                .map(Kind::Text)
                .ok_or_else(|| format!("`{was}` at `{}` is not a number, a time, a rate or a share", self.path)),
            (Unit::Factor, _) => Err(format!("`{}` is {}, and cannot be multiplied", self.path, node.kind_name())),
        }
    }

    /// Every node that a path means. A key may have points in it, and `*` is every key or item.
    fn walk(
        &self,
        node: &mut Node,
        rest: &str,
        then: &mut dyn FnMut(&mut Node) -> Result<(), String>,
    ) -> Result<(), String> {
        if rest.is_empty() {
            return then(node);
        }
        let (word, after) = rest.split_once('.').unwrap_or((rest, ""));
        match &mut node.kind {
            Kind::List(items) if word == "*" => items.iter_mut().try_for_each(|item| self.walk(item, after, then)),
            Kind::List(items) => match word.parse::<usize>().ok().and_then(|index| items.get_mut(index)) {
                Some(item) => self.walk(item, after, then),
                None => Err(format!("`{}`: there is no item {word}; they count from 0", self.path)),
            },
            Kind::Map(entries) if word == "*" => {
                entries.iter_mut().try_for_each(|entry| self.walk(&mut entry.value, after, then))
            }
            Kind::Map(entries) => {
                let fits =
                    |key: &str| rest.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
                let keys = entries.iter().map(|entry| entry.key.clone()).collect::<Vec<_>>().join("`, `");
                let entry = entries.iter_mut().filter(|entry| fits(&entry.key)).max_by_key(|entry| entry.key.len());
                let Some(entry) = entry else {
                    return Err(format!("`{}`: there is no `{word}`; there are `{keys}`", self.path));
                };
                let rest = rest[entry.key.len()..].trim_start_matches('.');
                self.walk(&mut entry.value, rest, then)
            }
            _ => Err(format!("`{}` continues past {}", self.path, node.kind_name())),
        }
    }

    /// Sets a value of the application.
    ///
    /// # Errors
    /// It has no such setting or resource.
    pub fn set(&self, app: &mut App, value: f64) -> Result<(), String> {
        let words: Vec<&str> = self.path.split('.').collect();
        if let ["account", key] = words.as_slice() {
            return self.set_account(app, key, value);
        }
        let [group, name, key] = words.as_slice() else {
            return Err(format!("`{}` is not of the form functions.NAME.SETTING", self.path));
        };
        let name = app.logical_ids.get(*name).map_or(*name, String::as_str).to_owned();
        let chosen = |known: &String| name == "*" || *known == name;
        let count = |was: u32| self.changed(f64::from(was), value).round().clamp(0.0, f64::from(u32::MAX)) as u32;
        let span = |was: Span| Span::from_secs_f64(self.changed(was.secs_f64(), value));
        let mut set = 0;
        match *group {
            "functions" => {
                for (_, function) in app.functions.iter_mut().filter(|(name, _)| chosen(name)) {
                    match *key {
                        "reserved" => function.reserved = Some(count(function.reserved.unwrap_or(1))),
                        "timeout" => function.timeout = span(function.timeout),
                        _ => function.memory_mb = count(function.memory_mb),
                    }
                    set += 1;
                }
            }
            "queues" => {
                for (_, queue) in app.queues.iter_mut().filter(|(name, _)| chosen(name)) {
                    match (*key, &mut queue.redrive) {
                        ("visibility", _) => queue.visibility = span(queue.visibility),
                        ("delay", _) => queue.delay = span(queue.delay),
                        ("retention", _) => queue.retention = span(queue.retention),
                        ("max_receive_count", Some(redrive)) => {
                            redrive.max_receive_count = count(redrive.max_receive_count).max(1);
                        }
                        ("max_receive_count", None) => continue,
                        _ => return Err(self.no_setting("visibility, delay, retention and max_receive_count")),
                    }
                    set += 1;
                }
            }
            "mappings" => {
                for (_, mapping) in app.mappings.iter_mut().filter(|(name, _)| chosen(name)) {
                    match *key {
                        "batch_size" => mapping.batch_size = count(mapping.batch_size).max(1),
                        "batch_window" => mapping.batch_window = span(mapping.batch_window),
                        "maximum_concurrency" => {
                            mapping.maximum_concurrency = Some(count(mapping.maximum_concurrency.unwrap_or(1)).max(1));
                        }
                        _ => return Err(self.no_setting("batch_size, batch_window and maximum_concurrency")),
                    }
                    set += 1;
                }
            }
            "tables" => {
                for (_, table) in app.tables.iter_mut().filter(|(name, _)| chosen(name)) {
                    match *key {
                        "writes" => table.writes_per_second = Some(count(table.writes_per_second.unwrap_or(1))),
                        _ => return Err(self.no_setting("writes")),
                    }
                    set += 1;
                }
            }
            _ => {}
        }
        if set == 0 {
            return Err(format!(
                "the application has nothing called `{}`; `squall template` lists what it has",
                self.path
            ));
        }
        Ok(())
    }

    fn set_account(&self, app: &mut App, key: &str, value: f64) -> Result<(), String> {
        let limit = match key {
            "concurrency" => &mut app.account_concurrency,
            "unreserved" => &mut app.unreserved_floor,
            "api_requests" => &mut app.api_limit.per_second,
            "api_burst" => &mut app.api_limit.burst,
            _ => return Err(self.no_setting("concurrency, unreserved, api_requests and api_burst")),
        };
        *limit = self.changed(f64::from(*limit), value).round() as u32;
        Ok(())
    }

    fn no_setting(&self, known: &str) -> String {
        format!("`{}`: you can vary {known}", self.path)
    }

    fn changed(&self, was: f64, value: f64) -> f64 {
        if self.unit == Unit::Factor { was * value } else { value }
    }
}

/// A quantity, so many times, as it is written.
fn multiplied(text: &str, times: f64) -> Option<String> {
    let rate = || Rate::per_sec(text.parse::<Rate>().ok()?.get() * times).map(|rate| format!("{}/s", rate.get()));
    let share = || Share::new((text.parse::<Share>().ok()?.get() * times).min(1.0)).map(|share| share.to_string());
    let span = || Some(Span::from_secs_f64(text.parse::<Span>().ok()?.secs_f64() * times).to_string());
    rate().or_else(share).or_else(span)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::sandbox::shop;
    use crate::yaml::Source;
    use crate::yaml::tree::parse;

    fn vary(text: &str) -> Vary {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn ranges_read_and_print() {
        for (text, unit, half) in [
            ("faults.0.for=2m..20m", Unit::Time, "6m19s"),
            ("faults.0.for=10m..20m", Unit::Time, "15m"),
            ("traffic.*.rate=x1..x100", Unit::Factor, "x10"),
            ("traffic.*.rate=1/s..9/s", Unit::Rate, "5/s"),
            ("functions.A.reserved=0..20", Unit::Whole, "10"),
            ("functions.A.errors=1%..3 %", Unit::Share, "2 %"),
            ("hypotheses.0.x=0.5..1.5", Unit::Number, "1"),
        ] {
            let vary = vary(text);
            assert_eq!((vary.unit, vary.shown(vary.at(0.5)).as_str()), (unit, half), "{text}");
            assert_eq!((vary.at(0.0), vary.at(1.0)), (vary.from, vary.to));
        }
        for wrong in ["faults.0.for", "a=1..", "a=2..1", "a=1m..5", "=1..2", "a=x0..x5", "a=-1..3"] {
            assert!(wrong.parse::<Vary>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn values_are_put_where_the_path_leads_even_through_keys_with_points() {
        let text = "faults:\n  - inject: { lambda.throttle: { concurrency: 0 } }\n    for: 9m\ntraffic:\n  - rate: 5/s\n  - rate: 30/min\n";
        let source = Source::new("x.yaml", text);
        let put = |path: &str, value: f64| {
            let mut tree = parse(&source).0.unwrap();
            let put = vary(path).put(&mut tree, value);
            put.map(|put| (put, format!("{:?}", tree)))
        };
        let (places, tree) = put("faults.0.inject.lambda.throttle.concurrency=0..9", 4.0).unwrap();
        assert!(places == 1 && tree.contains("Int(4)"), "{tree}");
        let (places, tree) = put("traffic.*.rate=x1..x9", 3.0).unwrap();
        assert!(places == 2 && tree.contains("15/s") && tree.contains("1.5/s"), "{tree}");
        assert!(put("faults.0.for=2m..20m", 330.0).unwrap().1.contains("5m30s"));
        assert_eq!(
            put("faults.1.for=2m..20m", 330.0).unwrap_err(),
            "`faults.1.for`: there is no item 1; they count from 0"
        );
        assert!(put("faults.0.form=2m..20m", 330.0).unwrap_err().contains("there are `inject`, `for`"));
        assert!(put("traffic=x1..x2", 2.0).unwrap_err().contains("cannot be multiplied"));
    }

    #[test]
    fn settings_of_the_application_are_set() {
        let mut app = shop();
        vary("functions.PaymentWorker.reserved=0..20").set(&mut app, 7.0).unwrap();
        vary("queues.*.visibility=x1..x3").set(&mut app, 2.0).unwrap();
        vary("account.concurrency=100..1000").set(&mut app, 300.0).unwrap();
        assert_eq!(app.functions["PaymentWorker"].reserved, Some(7));
        assert_eq!(app.queues["OrdersQueue"].visibility, shop().queues["OrdersQueue"].visibility * 2);
        assert_eq!(app.account_concurrency, 300);
        assert!(vary("queues.Nothing.visibility=1m..2m").set(&mut app, 60.0).is_err());
        assert!(vary("queues.OrdersQueue.colour=1..2").set(&mut app, 1.0).is_err());
    }
}
