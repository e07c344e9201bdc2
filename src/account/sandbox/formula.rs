//! Metric math of an alarm, as far as it is modelled: arithmetic, comparisons, `AND`, `OR`, `FILL`, `IF`, and `SUM`, `AVG`,
//! `MIN` and `MAX` of a list
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html>).
//!
//! A point exists only where all that it is made of exist; a list leaves out what does not.

use std::cell::Cell;
use std::collections::BTreeMap;

use super::app::{App, Values};
use super::metrics::Series;
use super::published::Watched;
use super::world::World;
use crate::account::Window;

/// Deeper expressions are not read.
const DEEPEST: u32 = 64;
/// Nor are longer ones, with everything that they use written out.
const LONGEST: u32 = 1_000;

/// Where an alarm's data points come from.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Formula {
    Metric(Watched),
    Number(f64),
    Negative(Box<Formula>),
    Two(Op, Box<Formula>, Box<Formula>),
    /// The first where it exists, else the second.
    Fill(Box<Formula>, Box<Formula>),
    If(Box<Formula>, Box<Formula>, Box<Formula>),
    List(Fold, Vec<Formula>),
}

/// An operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Or,
    And,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
    Plus,
    Minus,
    Times,
    Over,
    Power,
}

/// How a list becomes one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fold {
    Sum,
    Average,
    Least,
    Greatest,
}

/// The operators with their signs: a longer sign before one that it begins with. Those that bind loosest come first.
const LEVELS: [&[(&str, Op)]; 6] = [
    &[("OR", Op::Or), ("||", Op::Or)],
    &[("AND", Op::And), ("&&", Op::And)],
    &[
        ("<=", Op::LessOrEqual),
        (">=", Op::GreaterOrEqual),
        ("==", Op::Equal),
        ("!=", Op::NotEqual),
        ("<", Op::Less),
        (">", Op::Greater),
    ],
    &[("+", Op::Plus), ("-", Op::Minus)],
    &[("*", Op::Times), ("/", Op::Over)],
    &[("^", Op::Power)],
];

impl Formula {
    /// Reads what an alarm watches.
    ///
    /// # Errors
    /// Why the model has no such value, as a clause.
    pub fn of(app: &App, values: &Values) -> Result<Formula, String> {
        match values {
            Values::Metric(metric) => Watched::of(app, metric).map(Formula::Metric),
            Values::Math { metrics, expressions, returns } => {
                let watched = metrics.iter().map(|(id, metric)| Ok((id.as_str(), Watched::of(app, metric)?)));
                let metrics: BTreeMap<&str, Watched> = watched.collect::<Result<_, String>>()?;
                Terms { metrics: &metrics, expressions, room: Cell::new(LONGEST) }.term(returns, 0)
            }
        }
    }

    /// Whether a series is part of it.
    pub fn uses(&self, series: Series) -> bool {
        match self {
            Formula::Metric(watched) => watched.is_of(series),
            Formula::Number(_) => false,
            Formula::Negative(formula) => formula.uses(series),
            Formula::Two(_, a, b) | Formula::Fill(a, b) => a.uses(series) || b.uses(series),
            Formula::If(a, b, c) => a.uses(series) || b.uses(series) || c.uses(series),
            Formula::List(_, formulas) => formulas.iter().any(|formula| formula.uses(series)),
        }
    }

    /// The value over a window; `None` without data.
    pub fn value(&self, world: &World, window: Window) -> Option<f64> {
        let of = |formula: &Formula| formula.value(world, window);
        match self {
            Formula::Metric(watched) => watched.value(world, window),
            Formula::Number(number) => Some(*number),
            Formula::Negative(formula) => of(formula).map(|value| -value),
            Formula::Two(op, left, right) => op.apply(of(left)?, of(right)?),
            Formula::Fill(formula, instead) => of(formula).or_else(|| of(instead)),
            Formula::If(condition, yes, no) => of(if of(condition)? == 0.0 { no } else { yes }),
            Formula::List(fold, formulas) => fold.of(&formulas.iter().filter_map(of).collect::<Vec<_>>()),
        }
    }
}

impl Op {
    /// `None` where there is no result: a division by zero gives no data point.
    fn apply(self, left: f64, right: f64) -> Option<f64> {
        let truth = |holds: bool| if holds { 1.0 } else { 0.0 };
        let value = match self {
            Op::Or => truth(left != 0.0 || right != 0.0),
            Op::And => truth(left != 0.0 && right != 0.0),
            Op::Less => truth(left < right),
            Op::LessOrEqual => truth(left <= right),
            Op::Greater => truth(left > right),
            Op::GreaterOrEqual => truth(left >= right),
            Op::Equal => truth(left == right),
            Op::NotEqual => truth(left != right),
            Op::Plus => left + right,
            Op::Minus => left - right,
            Op::Times => left * right,
            Op::Over => left / right,
            Op::Power => left.powf(right),
        };
        Some(value).filter(|value| value.is_finite())
    }
}

impl Fold {
    fn of(self, values: &[f64]) -> Option<f64> {
        let sum: f64 = values.iter().sum();
        match self {
            _ if values.is_empty() => None,
            Fold::Sum => Some(sum),
            Fold::Average => Some(sum / values.len() as f64),
            Fold::Least => values.iter().copied().reduce(f64::min),
            Fold::Greatest => values.iter().copied().reduce(f64::max),
        }
    }
}

/// The terms of an alarm by their ids.
struct Terms<'t> {
    metrics: &'t BTreeMap<&'t str, Watched>,
    expressions: &'t BTreeMap<String, String>,
    /// How much may still be read.
    room: Cell<u32>,
}

impl Terms<'_> {
    fn term(&self, id: &str, depth: u32) -> Result<Formula, String> {
        if let Some(watched) = self.metrics.get(id) {
            return Ok(Formula::Metric(watched.clone()));
        }
        let text =
            self.expressions.get(id).ok_or_else(|| format!("its expression uses `{id}`, which it does not define"))?;
        let mut reading = Reading { terms: self, rest: text.trim_start(), depth: depth + 1 };
        let formula = reading.binary(0)?;
        match reading.rest.is_empty() {
            true => Ok(formula),
            false => Err(reading.not_understood()),
        }
    }
}

struct Reading<'t> {
    terms: &'t Terms<'t>,
    rest: &'t str,
    depth: u32,
}

impl Reading<'_> {
    fn not_understood(&self) -> String {
        format!("the sandbox does not model its expression from `{:.30}` on", self.rest)
    }

    fn sign(&mut self, sign: &str) -> bool {
        let Some(rest) = self.rest.strip_prefix(sign) else { return false };
        let is_word = sign.starts_with(|c: char| c.is_alphabetic());
        if is_word && rest.starts_with(|c: char| c.is_alphanumeric() || c == '_') {
            return false;
        }
        self.rest = rest.trim_start();
        true
    }

    fn expect(&mut self, sign: &str) -> Result<(), String> {
        if self.sign(sign) { Ok(()) } else { Err(self.not_understood()) }
    }

    fn binary(&mut self, level: usize) -> Result<Formula, String> {
        let Some(operators) = LEVELS.get(level) else { return self.single() };
        let mut left = self.binary(level + 1)?;
        while let Some((_, op)) = operators.iter().find(|(sign, _)| self.sign(sign)) {
            left = Formula::Two(*op, Box::new(left), Box::new(self.binary(level + 1)?));
        }
        Ok(left)
    }

    fn single(&mut self) -> Result<Formula, String> {
        self.depth += 1;
        let room = self.terms.room.get();
        if self.depth > DEEPEST || room == 0 {
            return Err("its expression is too long, nested too deeply, or in a circle".into());
        }
        self.terms.room.set(room - 1);
        let formula = if self.sign("-") {
            Formula::Negative(Box::new(self.single()?))
        } else if self.sign("(") {
            let formula = self.binary(0)?;
            self.expect(")")?;
            formula
        } else if self.rest.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
            self.number()?
        } else {
            self.named()?
        };
        self.depth -= 1;
        Ok(formula)
    }

    fn number(&mut self) -> Result<Formula, String> {
        let end = self.rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at(end);
        let number = digits.parse().map_err(|_| self.not_understood())?;
        self.rest = rest.trim_start();
        Ok(Formula::Number(number))
    }

    /// A term, or a function with its arguments.
    fn named(&mut self) -> Result<Formula, String> {
        let end = self.rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        if !rest.trim_start().starts_with('(') {
            if name.is_empty() {
                return Err(self.not_understood());
            }
            let formula = self.terms.term(name, self.depth)?;
            self.rest = rest.trim_start();
            return Ok(formula);
        }
        let fold = match name {
            "SUM" => Fold::Sum,
            "AVG" => Fold::Average,
            "MIN" => Fold::Least,
            "MAX" => Fold::Greatest,
            "FILL" | "IF" => return self.function(name, rest.trim_start()),
            _ => return Err(self.not_understood()),
        };
        self.rest = rest.trim_start();
        self.expect("(")?;
        let list = self.list()?;
        self.expect(")")?;
        Ok(Formula::List(fold, list))
    }

    fn function(&mut self, name: &str, rest: &str) -> Result<Formula, String> {
        // `rest` is a part of what is left to read.
        self.rest = &self.rest[self.rest.len() - rest.len()..];
        self.expect("(")?;
        let first = Box::new(self.binary(0)?);
        self.expect(",")?;
        let second = Box::new(self.binary(0)?);
        let formula = if name == "FILL" {
            Formula::Fill(first, second)
        } else {
            self.expect(",")?;
            Formula::If(first, second, Box::new(self.binary(0)?))
        };
        self.expect(")")?;
        Ok(formula)
    }

    /// `[m1, m2]` or `METRICS()`: all metrics, no expressions.
    fn list(&mut self) -> Result<Vec<Formula>, String> {
        if self.sign("METRICS") {
            self.expect("(")?;
            self.expect(")")?;
            return Ok(self.terms.metrics.values().cloned().map(Formula::Metric).collect());
        }
        self.expect("[")?;
        let mut list = vec![self.binary(0)?];
        while self.sign(",") {
            list.push(self.binary(0)?);
        }
        self.expect("]")?;
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::sandbox::shop_like;
    use crate::account::sandbox::testing::{at, world};

    fn formula(expressions: &[(&str, &str)]) -> Result<Formula, String> {
        let metrics = BTreeMap::new();
        let expressions = expressions.iter().map(|(id, text)| ((*id).to_owned(), (*text).to_owned())).collect();
        Terms { metrics: &metrics, expressions: &expressions, room: Cell::new(LONGEST) }.term("e", 0)
    }

    fn value(text: &str) -> Option<f64> {
        let world = world(&shop_like());
        formula(&[("e", text)]).unwrap().value(&world, Window { from: at(0), to: at(60) })
    }

    #[test]
    fn operators_bind_as_in_arithmetic() {
        for (text, wanted) in [
            ("1 + 2 * 3", 7.0),
            ("(1 + 2) * 3", 9.0),
            ("-2 ^ 2 + 10 / 4", 6.5),
            ("10 - 2 - 3", 5.0),
            ("1 < 2 AND 3 >= 4 OR 1 == 1", 1.0),
            ("IF(2 > 1, 5, 6) + FILL(7, 0)", 12.0),
            ("SUM([1, 2, 3]) + AVG([2, 4]) * MAX([1, 9]) - MIN([4, 5])", 29.0),
        ] {
            assert_eq!(value(text), Some(wanted), "{text}");
        }
    }

    #[test]
    fn what_does_not_exist_makes_nothing_exist() {
        assert_eq!(value("1 / 0"), None);
        assert_eq!(value("5 + 1 / 0"), None);
        assert_eq!(value("FILL(1 / 0, 3)"), Some(3.0));
        assert_eq!(value("SUM([1, 1 / 0, 2])"), Some(3.0));
        assert_eq!(value("MAX([1 / 0])"), None);
    }

    #[test]
    fn expressions_use_each_other_but_not_in_a_circle() {
        let world = world(&shop_like());
        let two = formula(&[("e", "100 * half"), ("half", "1 / 2")]).unwrap();
        assert_eq!(two.value(&world, Window { from: at(0), to: at(60) }), Some(50.0));
        for (expressions, says) in [
            (&[("e", "f"), ("f", "e + 1")][..], "in a circle"),
            (&[("e", "g")], "`g`, which it does not define"),
            (&[("e", "RATE(m)")], "from `RATE(m)` on"),
            (&[("e", "1 +")], "does not model"),
            (&[("e", "1 2")], "from `2` on"),
        ] {
            let error = formula(expressions).unwrap_err();
            assert!(error.contains(says), "{expressions:?}: {error}");
        }
        assert!(formula(&[("e", &"(".repeat(100_000))]).unwrap_err().contains("too deeply"));
    }
}
