//! `squall faults`.

use serde_json::json;

use super::{Context, Ended, Exit, Failure};
use crate::faults::{FaultSpec, Page};
use crate::yaml::read::closest;

/// List the faults that an experiment can inject, or explain one
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  squall faults
  squall faults lambda.throttle")]
pub struct Args {
    /// The fault to explain
    fault: Option<String>,
}

pub fn execute(args: &Args, context: &mut Context) -> Ended {
    let Some(name) = &args.fault else {
        list(context);
        return Ok(Exit::Fine);
    };
    let names = FaultSpec::PAGES.iter().map(|page| page.name);
    let Some(page) = FaultSpec::PAGES.iter().find(|page| page.name == name) else {
        let next = match closest(name, names) {
            Some(close) => format!("squall faults {close}"),
            None => "squall faults".into(),
        };
        return Err(Failure::usage(format!("there is no fault `{name}`"), next));
    };
    let text = match context.json {
        true => to_json(page).to_string(),
        false => page.markdown().trim_end().to_owned(),
    };
    context.output.out.text(text + "\n");
    Ok(Exit::Fine)
}

fn list(context: &mut Context) {
    let out = &mut context.output.out;
    if context.json {
        let all: Vec<_> = FaultSpec::PAGES.iter().map(|page| to_json(page)).collect();
        return out.json(&json!(all));
    }
    let width = FaultSpec::PAGES.iter().map(|page| page.name.len()).max().unwrap_or(0);
    for page in FaultSpec::PAGES {
        out.line(format!("{:width$}  {}", page.name, page.summary));
    }
    out.line("");
    out.line("`squall faults NAME` explains one");
}

fn to_json(page: &Page) -> serde_json::Value {
    json!({
        "name": page.name,
        "summary": page.summary,
        "targets": page.kinds.iter().map(|kind| kind.word()).collect::<Vec<_>>(),
        "does": page.does,
        "evidence": page.evidence,
        "undo": page.undo,
        "alone": page.alone,
        "actions_do": page.actions_do,
        "actions_undo": page.actions_undo,
        "refusals": page.refusals,
        "example": page.example,
    })
}
