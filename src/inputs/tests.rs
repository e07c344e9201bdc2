use proptest::prelude::*;

use super::*;
use crate::spec::Experiment;
use crate::yaml::finding::Style;

const DECLARED: &str = "\
concurrency: { whole_number: { from: 0, to: 10, default: 2 } }
lasts: { duration: { from: 1m, to: 20m } }
part: { share: { from: 10 %, to: 50 %, default: 20 % } }
during: { one_of: { words: [must_hold, may_break] } }
";

fn declared_inputs() -> Inputs {
    Loaded::<Inputs>::read(&Source::new("x.yaml", DECLARED)).0.unwrap().value
}

fn given(pairs: &[&str]) -> Vec<Given> {
    pairs.iter().map(|pair| pair.parse().unwrap()).collect()
}

fn chosen(pairs: &[&str]) -> (String, Vec<String>) {
    let given = given(pairs);
    let (values, problems) = values(&declared_inputs(), Chosen::These(&given));
    let values: Vec<String> = values.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    let said =
        |problem: Problem| format!("{} {:?}: {}; {}", problem.code.id(), problem.about, problem.what, problem.help);
    (values.join(" "), problems.into_iter().map(said).collect())
}

#[test]
fn values_have_their_type_and_defaults_fill_in() {
    let (values, problems) = chosen(&["lasts=90s", "during = must_hold", "part=0.5e2%"]);
    assert_eq!((values.as_str(), problems), ("concurrency=2 during=must_hold lasts=1m30s part=50 %", vec![]));
    assert!("concurrency".parse::<Given>().is_err());
}

#[test]
fn what_is_wrong_with_a_value_is_said_with_what_to_write() {
    let (_, problems) = chosen(&["concurency=5", "lasts=21m", "part=5", "during=may_brake", "concurrency=-1"]);
    insta::assert_snapshot!(problems.join("\n"), @r#"
    unknown-input Name("concurency"): the experiment has no input `concurency`; did you mean `concurrency`?
    bad-value Value("lasts"): `21m` is outside the bounds of the input `lasts`; write a value from 1m to 20m
    bad-value Value("part"): `5` is not a share, as the input `part` is; write a value from 10 % to 50 %
    bad-value Value("during"): `may_brake` is not a word of the input `during`; did you mean `may_break`?
    bad-value Value("concurrency"): `-1` is not a whole number, as the input `concurrency` is; write a value from 0 to 10
    "#);
    let (_, problems) = chosen(&["during=must_hold", "during=must_hold"]);
    insta::assert_snapshot!(problems.join("\n"), @r#"
    bad-value Name("during"): the input `during` is given twice; give it once
    missing-input Missing("lasts"): the input `lasts` has no value; choose one, such as `--with lasts=1m`, or give it a default
    "#);
}

#[test]
fn values_of_a_run_replace_those_of_its_schedule() {
    let both = over(&given(&["a=1", "b=2"]), &given(&["b=3", "c=4"]));
    assert_eq!(both, given(&["a=1", "b=3", "c=4"]));
}

const EXPERIMENT: &str = "\
version: 1
title: Orders wait
because: x
inputs:
  concurrency: { whole_number: { from: 0, to: 10, default: 2 } }
  lasts: { duration: { from: 1m, to: 20m, default: 10m } }
targets: { worker: { function: PaymentWorker }, orders: { queue: OrdersQueue } }
hypotheses: [ depth of OrdersDeadLetters stays at 0 ]
baseline: 5m
faults:
  - inject: { lambda.throttle: { target: worker, concurrency: { input: concurrency } } }
    for: { input: lasts }
recovers_within: 8m
";

fn read(text: &str, pairs: &[&str]) -> (Option<Loaded<Experiment>>, Findings) {
    let source = Source::new("x.yaml", text);
    let given = given(pairs);
    Loaded::read_with(&source, |tree, findings| {
        let inputs = declared(&source, tree).unwrap();
        let (values, problems) = values(&inputs, Chosen::These(&given));
        assert!(problems.is_empty(), "{problems:?}");
        findings.append(put(&source, tree, &inputs, &values));
    })
}

#[test]
fn an_input_takes_the_place_of_a_whole_value() {
    for (pairs, lasts, concurrency) in
        [(&[][..], 10, "concurrency: 2"), (&["lasts=3m", "concurrency=7"][..], 3, "concurrency: 7")]
    {
        let (experiment, findings) = read(EXPERIMENT, pairs);
        assert!(findings.is_empty(), "{}", findings.render(Style::Plain));
        let fault = experiment.unwrap().value.faults.remove(0);
        assert_eq!(fault.lasts, Span::from_mins(lasts));
        assert!(format!("{:?}", fault.fault).contains(concurrency), "{:?}", fault.fault);
    }
}

#[test]
fn an_input_is_refused_where_another_type_or_a_text_belongs() {
    let wrong = EXPERIMENT
        .replace("title: Orders wait", "title: { input: concurrency }")
        .replace("recovers_within: 8m", "recovers_within: { input: concurrency }\nalpha: { input: lasts }")
        .replace("function: PaymentWorker", "function: { input: lasts }")
        .replace("baseline: 5m", "baseline: { input: last }");
    let findings: Vec<String> =
        read(&wrong, &[]).1.iter().map(|finding| format!("{} {finding}", finding.code.id())).collect();
    insta::assert_snapshot!(findings.join("\n"));
}

#[test]
fn a_tag_may_be_called_input() {
    let text =
        EXPERIMENT.replace("{ function: PaymentWorker }", "{ functions: { tag: { input: payments }, count: 1 } }");
    let (experiment, findings) = read(&text, &[]);
    assert!(experiment.is_some(), "{}", findings.render(Style::Plain));
}

proptest! {
    /// Whatever is chosen, the value that comes out is within the bounds and reads back as itself.
    #[test]
    fn no_value_gets_past_its_bounds(text in "[0-9]{0,12}|[0-9]{1,3}(m|s|h| %|%)|\\PC{0,12}") {
        let inputs = declared_inputs();
        for (InputName(name), input) in &inputs {
            let chosen = [Given { name: name.clone(), value: text.clone() }];
            let (found, problems) = values(&inputs, Chosen::These(&chosen));
            let Some(found) = found.get(name) else {
                prop_assert!(problems.iter().any(|problem| problem.about == About::Value(name.clone())));
                continue;
            };
            let inside = match input.read(name, found) {
                Ok(Value::Whole(value)) => value <= 10,
                Ok(Value::Duration(value)) => (Span::from_mins(1)..=Span::from_mins(20)).contains(&value),
                Ok(Value::Share(value)) => (0.1..=0.5).contains(&value.get()),
                Ok(Value::Word(word)) => word == "must_hold" || word == "may_break",
                Err(_) => false,
            };
            prop_assert!(inside, "{name}={found}");
        }
    }
}
