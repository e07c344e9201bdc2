//! The rule of a composite alarm: `ALARM("a") AND NOT (OK("b") OR INSUFFICIENT_DATA("c"))`
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html>).

use std::cell::RefCell;
use std::collections::BTreeSet;

use super::alarm::{AlarmState, Alarms};

/// Deeper rules are not read; CloudWatch takes 10,240 characters.
const DEEPEST: u32 = 64;

/// A rule about other alarms.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Rule {
    Always(bool),
    /// The alarm of this index is in this state.
    Is(AlarmState, usize),
    Not(Box<Rule>),
    All(Vec<Rule>),
    Any(Vec<Rule>),
}

impl Rule {
    /// Reads a rule. `index` gives an alarm's index by its name.
    ///
    /// # Errors
    /// What in the rule is not understood, as a clause.
    pub fn parse(text: &str, index: &dyn Fn(&str) -> Option<usize>) -> Result<Rule, String> {
        let mut reading = Reading { rest: text.trim_start(), index, depth: 0 };
        let rule = reading.any()?;
        match reading.rest.is_empty() {
            true => Ok(rule),
            false => Err(format!("its rule is not understood at `{:.30}`", reading.rest)),
        }
    }

    /// Whether it holds now.
    pub fn holds(&self, alarms: &Alarms) -> bool {
        match self {
            Rule::Always(holds) => *holds,
            Rule::Is(state, index) => alarms.state(*index) == *state,
            Rule::Not(rule) => !rule.holds(alarms),
            Rule::All(rules) => rules.iter().all(|rule| rule.holds(alarms)),
            Rule::Any(rules) => rules.iter().any(|rule| rule.holds(alarms)),
        }
    }

    /// The alarms that it is about.
    pub fn about(&self) -> BTreeSet<usize> {
        match self {
            Rule::Always(_) => BTreeSet::new(),
            Rule::Is(_, index) => BTreeSet::from([*index]),
            Rule::Not(rule) => rule.about(),
            Rule::All(rules) | Rule::Any(rules) => rules.iter().flat_map(Rule::about).collect(),
        }
    }
}

/// The names of the alarms that a rule is about; `None` when it is no rule.
pub(super) fn names(text: &str) -> Option<BTreeSet<String>> {
    let names = RefCell::new(BTreeSet::new());
    let keep = |name: &str| {
        names.borrow_mut().insert(name.to_owned());
        Some(0)
    };
    Rule::parse(text, &keep).ok()?;
    Some(names.into_inner())
}

struct Reading<'t> {
    rest: &'t str,
    index: &'t dyn Fn(&str) -> Option<usize>,
    depth: u32,
}

impl Reading<'_> {
    fn word(&mut self, word: &str) -> bool {
        let Some(rest) = self.rest.strip_prefix(word) else { return false };
        let ends = !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_') || word == "(" || word == ")";
        if ends {
            self.rest = rest.trim_start();
        }
        ends
    }

    fn any(&mut self) -> Result<Rule, String> {
        let mut rules = vec![self.all()?];
        while self.word("OR") {
            rules.push(self.all()?);
        }
        Ok(if rules.len() == 1 { rules.remove(0) } else { Rule::Any(rules) })
    }

    fn all(&mut self) -> Result<Rule, String> {
        let mut rules = vec![self.one()?];
        while self.word("AND") {
            rules.push(self.one()?);
        }
        Ok(if rules.len() == 1 { rules.remove(0) } else { Rule::All(rules) })
    }

    fn one(&mut self) -> Result<Rule, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err("its rule is nested too deeply".into());
        }
        let rule = if self.word("NOT") {
            Rule::Not(Box::new(self.one()?))
        } else if self.word("TRUE") {
            Rule::Always(true)
        } else if self.word("FALSE") {
            Rule::Always(false)
        } else if self.word("(") {
            let rule = self.any()?;
            self.close()?;
            rule
        } else {
            self.state()?
        };
        self.depth -= 1;
        Ok(rule)
    }

    fn state(&mut self) -> Result<Rule, String> {
        let states =
            [("ALARM", AlarmState::Alarm), ("OK", AlarmState::Ok), ("INSUFFICIENT_DATA", AlarmState::InsufficientData)];
        for (word, state) in states {
            if self.word(word) {
                if !self.word("(") {
                    return Err(format!("its rule has `{word}` without an alarm in parentheses"));
                }
                let name = self.name()?;
                let index = (self.index)(&name);
                let index =
                    index.ok_or_else(|| format!("its rule is about the alarm `{name}`, which is not modelled"))?;
                self.close()?;
                return Ok(Rule::Is(state, index));
            }
        }
        Err(format!("its rule is not understood at `{:.30}`", self.rest))
    }

    /// A name or an ARN, with or without quotation marks.
    fn name(&mut self) -> Result<String, String> {
        let quoted = self.rest.chars().next().filter(|c| matches!(c, '"' | '\''));
        let (name, rest) = match quoted {
            Some(quote) => self.rest[1..].split_once(quote).ok_or("its rule has a name without an end")?,
            None => self.rest.split_at(self.rest.find(')').unwrap_or(self.rest.len())),
        };
        self.rest = rest.trim_start();
        let name = name.trim();
        Ok(name.rsplit_once(":alarm:").map_or(name, |(_, name)| name).to_owned())
    }

    fn close(&mut self) -> Result<(), String> {
        match self.word(")") {
            true => Ok(()),
            false => Err("its rule has a parenthesis without an end".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Time;

    fn parse(text: &str) -> Result<Rule, String> {
        Rule::parse(text, &|name| ["a", "b", "c"].iter().position(|known| *known == name))
    }

    #[test]
    fn and_binds_closer_than_or_and_not_closest() {
        let is = |index| Rule::Is(AlarmState::Alarm, index);
        let rule = parse(r#"ALARM("a") OR NOT ALARM(b) AND ALARM('c')"#).unwrap();
        assert_eq!(rule, Rule::Any(vec![is(0), Rule::All(vec![Rule::Not(Box::new(is(1))), is(2)])]));
        let rule = parse("(ALARM(a) OR ALARM(arn:aws:cloudwatch:eu-west-1:000000000000:alarm:b)) AND TRUE").unwrap();
        assert_eq!(rule, Rule::All(vec![Rule::Any(vec![is(0), is(1)]), Rule::Always(true)]));
        assert_eq!(rule.about(), BTreeSet::from([0, 1]));
    }

    #[test]
    fn a_rule_holds_by_the_states_of_its_alarms() {
        // Alarms begin as OK.
        let alarms = Alarms::new(3, Time::EPOCH);
        for (text, holds) in [
            ("OK(a) AND OK(b)", true),
            ("ALARM(a) OR FALSE", false),
            ("NOT ALARM(a)", true),
            ("INSUFFICIENT_DATA(a)", false),
        ] {
            assert_eq!(parse(text).unwrap().holds(&alarms), holds, "{text}");
        }
    }

    #[test]
    fn what_is_not_a_rule_is_said() {
        for (text, says) in [
            ("ALARM(d)", "alarm `d`"),
            ("ALARM(a) AND", "not understood"),
            ("ALARM a", "without an alarm"),
            ("(OK(a)", "without an end"),
            ("OK(\"a)", "without an end"),
            ("MAYBE(a)", "not understood at `MAYBE"),
            ("OK(a) OK(b)", "not understood at `OK(b)"),
            (&"(".repeat(10_000), "too deeply"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
        assert_eq!(names("ALARM(a) OR OK(\"x y\")"), Some(BTreeSet::from(["a".into(), "x y".into()])));
        assert_eq!(names("ALARM(a) OR"), None);
    }
}
