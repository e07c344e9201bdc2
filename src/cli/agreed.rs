//! Whether a plan is the one that was agreed on.

use std::path::Path;

use super::{Context, Failure};
use crate::document::written::Agreed;
use crate::format::Convert as _;
use crate::plan::Plan;
use crate::planner::fingerprint::{PlanHash, Section, lines};
use crate::planner::show::changed;
use crate::report::reproduce::inputs;

/// Compares a plan with one that was agreed on, by its hash or by the file that `squall plan --json` wrote.
///
/// # Errors
/// Something resolves differently; the difference is printed. Nothing was touched.
pub fn check(agreed: &str, plan: &Plan, context: &mut Context) -> Result<(), Failure> {
    let now = PlanHash::of(plan);
    let (then, before) = read(agreed)?;
    let differs = then.differs_in(&now);
    if differs.is_empty() {
        return Ok(());
    }
    let err = &mut context.output.err;
    for section in &differs {
        err.line(format!("{section}: now different"));
        let now = lines(plan, *section);
        match &before {
            Some(before) => {
                changed(&lines(before, *section), &now).iter().for_each(|line| err.line(format!("  {line}")));
            }
            None => now.iter().for_each(|line| err.line(format!("  now: {line}"))),
        }
    }
    let words: Vec<String> = differs.iter().map(Section::to_string).collect();
    Err(Failure::refused(
        format!("the plan is not the one that was approved; it differs in its {}", words.join(", ")),
        format!(
            "review it with `squall plan {}{} --seed {}`, then approve {now}",
            plan.file,
            inputs(&plan.inputs),
            plan.seed
        ),
    ))
}

fn read(agreed: &str) -> Result<(PlanHash, Option<Plan>), Failure> {
    let wrong = |what: String| {
        Failure::usage(what, "give the hash that `squall plan` prints, or a file of `squall plan --json`")
    };
    match agreed.parse::<PlanHash>() {
        Ok(hash) => Ok((hash, None)),
        Err(why) if !Path::new(agreed).exists() => {
            Err(wrong(format!("`{agreed}` is neither a file nor a hash: {why}")))
        }
        Err(_) => {
            let text = std::fs::read_to_string(agreed).map_err(|error| wrong(format!("{agreed}: {error}")))?;
            let read: Agreed = serde_json::from_str(&text).map_err(|error| wrong(format!("{agreed}: {error}")))?;
            let plan: Plan = read.plan.convert();
            Ok((PlanHash::of(&plan), Some(plan)))
        }
    }
}
