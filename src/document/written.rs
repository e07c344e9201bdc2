//! The document as it is written: for programs, with a version and a schema.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Document as Inside;
use crate::format::plan::Plan;
use crate::format::{Convert, VERSION};
use crate::predict::margin_show;
use crate::predict::written::Prediction;

/// What `squall plan --json` prints.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// Version of this form.
    pub format: u32,
    /// Over what the plan resolves to: `squall run --plan HASH` runs nothing else.
    pub hash: String,
    pub plan: Plan,
    /// Why it may not be run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<String>,
    /// What the faults reach, where a model of the application is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blast_radius: Option<BlastRadius>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prediction: Option<Prediction>,
    /// Why there is none, where one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_predicted: Option<String>,
    /// Where it stops holding, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub margin: Option<margin_show::Document>,
    /// Every section of the document in words.
    pub sections: Vec<Section>,
}

/// What the faults reach.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BlastRadius {
    pub affected: Vec<Affected>,
    /// Entry points of users that fail.
    pub entry_points: Vec<String>,
}

/// One thing that is reached.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Affected {
    /// `queue OrdersQueue`.
    pub resource: String,
    /// `messages wait`.
    pub how: String,
    /// `queue OrdersQueue feeds function PaymentWorker`; none of what is hit itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub over: Option<String>,
}

/// A part of the document.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Section {
    pub title: String,
    pub lines: Vec<String>,
}

/// What is read back of a document: the plan that was agreed on.
#[derive(Clone, Debug, Deserialize)]
pub struct Agreed {
    pub plan: Plan,
}

impl Document {
    /// A document, as it is printed.
    pub fn of(inside: &Inside<'_>) -> Document {
        let radius = inside.radius().map(|radius| BlastRadius {
            affected: radius
                .affected
                .iter()
                .map(|affected| Affected {
                    resource: affected.node.to_string(),
                    how: affected.how.to_string(),
                    over: affected
                        .over
                        .as_ref()
                        .map(|edge| format!("{} {} {}", edge.from, edge.relation.word(), edge.to)),
                })
                .collect(),
            entry_points: radius.entry_points.iter().map(ToString::to_string).collect(),
        });
        Document {
            format: VERSION,
            hash: inside.hash().to_string(),
            plan: inside.plan.clone().convert(),
            refused: inside.refused.clone(),
            blast_radius: radius,
            prediction: inside.prediction.as_ref().map(Prediction::of),
            not_predicted: inside.not_predicted.clone(),
            margin: inside.margin.as_ref().map(|margin| margin_show::Document::of(&inside.plan.title, margin)),
            sections: inside
                .sections()
                .into_iter()
                .map(|section| Section { title: section.title.to_owned(), lines: section.lines })
                .collect(),
        }
    }
}
