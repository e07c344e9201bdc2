//! Nothing is passed over: a key that no row of the table has is a warning, at every level.

use serde_json::{Value as Json, json};

use super::*;
use crate::template::table::{Row, event_types, types};

/// One step into nested properties.
#[derive(Clone, Debug)]
enum Step {
    Key(&'static str),
    /// Into the only item of a list.
    Item,
    /// A name of the author's own.
    Name,
}

/// The ways to every level of some rows.
fn levels(rows: &'static [Row], way: &[Step], all: &mut Vec<Vec<Step>>) {
    all.push(way.to_vec());
    for row in rows {
        let (steps, rows) = match row {
            Row::In(key, rows) => (vec![Step::Key(key)], rows),
            Row::Each(key, rows) => (vec![Step::Key(key), Step::Item], rows),
            Row::Named(key, rows) => (vec![Step::Key(key), Step::Name], rows),
            Row::Read(_) | Row::NoEffect(..) | Row::Warned(..) => continue,
        };
        levels(rows, &[way, &steps].concat(), all);
    }
}

/// An unknown key at the end of a way.
fn surprise(way: &[Step]) -> Json {
    way.iter().rev().fold(json!({ "Surprise": 1 }), |inner, step| match step {
        Step::Key(key) => json!({ *key: inner }),
        Step::Item => json!([inner]),
        Step::Name => json!({ "Mine": inner }),
    })
}

fn is_reported(template: &Json, where_: &str) {
    let found = lines(&read_text(&template.to_string()).1);
    assert!(found.contains("not-modelled t.yaml") && found.contains("unknown key `Surprise`"), "{where_}: {found}");
}

#[test]
fn an_unknown_key_at_every_level_of_every_type_is_a_warning() {
    let mut tried = 0;
    for known in types() {
        let mut all = Vec::new();
        levels(known.rows, &[], &mut all);
        for way in all {
            let template = json!({ "Resources": { "X": { "Type": known.name, "Properties": surprise(&way) } } });
            is_reported(&template, &format!("{} {way:?}", known.name));
            tried += 1;
        }
    }
    assert!(tried > 70, "{tried} levels");
}

#[test]
fn an_unknown_key_at_every_level_of_every_event_is_a_warning() {
    for (kinds, rows) in event_types() {
        let mut all = Vec::new();
        levels(rows, &[], &mut all);
        for (kind, way) in kinds.iter().flat_map(|kind| all.iter().map(move |way| (kind, way))) {
            let event = json!({ "Type": kind, "Properties": surprise(way) });
            let template = json!({ "Resources": { "F": { "Type": "AWS::Serverless::Function", "Properties": { "Events": { "E": event } } } } });
            is_reported(&template, &format!("{kind} {way:?}"));
        }
        let event = json!({ "Type": kinds[0], "Surprise": 1 });
        let template = json!({ "Resources": { "F": { "Type": "AWS::Serverless::Function", "Properties": { "Events": { "E": event } } } } });
        is_reported(&template, kinds[0]);
    }
}

#[test]
fn unknown_keys_around_properties_are_warnings() {
    let queue = json!({ "Type": "AWS::SQS::Queue" });
    for template in [
        json!({ "Surprise": 1, "Resources": { "Q": queue } }),
        json!({ "Resources": { "Q": { "Type": "AWS::SQS::Queue", "Surprise": 1 } } }),
        json!({ "Resources": { "Q": queue }, "Parameters": { "P": { "Type": "String", "Surprise": 1 } } }),
        json!({ "Resources": { "Q": queue }, "Outputs": { "O": { "Value": 1, "Surprise": 1 } } }),
        json!({ "Resources": { "Q": { "Type": "AWS::SQS::Queue", "Connectors": { "C": { "Surprise": 1 } } } } }),
        json!({ "Resources": { "Q": { "Type": "AWS::SQS::Queue", "Connectors": { "C": { "Properties": { "Surprise": 1 } } } } } }),
        json!({ "Resources": { "F": { "Type": "AWS::Serverless::Function" } }, "Globals": { "Function": { "Environment": { "Surprise": 1 } } } }),
    ] {
        is_reported(&template, &template.to_string());
    }
    // A type that no table knows is one warning for the whole resource.
    let (_, found) = app_and_warnings("Resources: { X: { Type: AWS::New::Thing, Properties: { A: { B: 1 } } } }");
    assert_eq!(found.lines().count(), 1, "{found}");
}

#[test]
fn what_is_left_out_says_with_which_consequence() {
    let (_, found) = app_and_warnings(&format!(
        "{SAM}
  F: {{ Type: AWS::Serverless::Function, Properties: {{ SnapStart: {{ ApplyOn: PublishedVersions }}, Layers: [ a ] }} }}
"
    ));
    assert!(
        found.contains("`SnapStart` of function F is not modelled; cold starts take as long as without it"),
        "{found}"
    );
    assert!(!found.contains("Layers"), "{found}");
}

/// What is switched off has nothing that could be left out.
#[test]
fn what_is_off_is_no_warning() {
    app(&format!(
        "{SAM}
  F: {{ Type: AWS::Serverless::Function, Properties: {{ SnapStart: {{ ApplyOn: None }} }} }}
  Api:
    Type: AWS::Serverless::Api
    Properties: {{ StageName: v1, CacheClusterEnabled: false, MethodSettings: [{{ HttpMethod: '*', ResourcePath: /*, LoggingLevel: INFO, CachingEnabled: false }}] }}
  Plain: {{ Type: AWS::ApiGateway::RestApi, Properties: {{ Name: plain, Policy: '' }} }}
"
    ));
    let limits = "MethodSettings: [{ HttpMethod: '*', ResourcePath: /*, ThrottlingRateLimit: 0 }]";
    let (_, found) = app_and_warnings(&format!(
        "{SAM}\n  Api: {{ Type: AWS::Serverless::Api, Properties: {{ StageName: v1, {limits} }} }}\n"
    ));
    assert!(found.contains("`ThrottlingRateLimit` of `MethodSettings` of api Api is not modelled"), "{found}");
}
