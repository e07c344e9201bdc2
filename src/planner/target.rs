//! From the names in an experiment to resources: targets, picked by the seed, and the subjects of sentences.

use std::collections::BTreeMap;

use rand::RngExt;
use rand_pcg::Pcg64;
use rand_pcg::rand_core::SeedableRng;
use sha2::{Digest, Sha256};

use super::survey::Survey;
use crate::account::target::SelectBy;
use crate::account::{Location, Metric, Resource, ResourceKind, Selector};
use crate::faults::{Refusal, listed};
use crate::ids::AccountName;
use crate::spec::sentence::{Subject, applies};
use crate::spec::target::{Take, Target};
use crate::yaml::TargetName;

/// What a target means in this run.
#[derive(Clone, Debug, PartialEq)]
pub struct Picked {
    /// Everything that its selector found.
    pub found: Vec<Resource>,
    /// Those that are taken, by name.
    pub taken: Vec<Resource>,
    /// Whether it names one resource, so that how many were found says nothing.
    pub by_name: bool,
}

/// Looks a target up and takes what it says of it.
pub fn pick(
    name: &TargetName,
    target: &Target,
    (account, location): (&AccountName, &Location),
    seed: u64,
    survey: &mut Survey<'_>,
) -> Result<Picked, Refusal> {
    let found = survey.resolve(location, &target.selector)?;
    let (kind, by_name) = (target.selector.kind.word(), matches!(target.selector.by, SelectBy::Name(_)));
    if found.is_empty() {
        return Err(Refusal::new(
            format!("there is no {} in account {account}", target.selector),
            match by_name {
                true => format!("write the {kind}'s name, its logical id in the template, or its ARN"),
                false => "check the tag or the stack's name, and the account's region".to_owned(),
            },
        ));
    }
    let wanted = match target.take {
        Take::One if found.len() > 1 => {
            return Err(Refusal::new(
                format!(
                    "{} is ambiguous; it names {}: {}",
                    target.selector,
                    found.len(),
                    listed(found.iter().map(|r| &r.name))
                ),
                "write the ARN of the right one",
            ));
        }
        Take::One => 1,
        Take::Count(count) if (count as usize) > found.len() => {
            return Err(Refusal::new(
                format!("`count: {count}` is too many: {} finds {}", target.selector, found.len()),
                format!("write `count: {}` or less", found.len()),
            ));
        }
        Take::Count(count) => count as usize,
        Take::Share(share) => ((found.len() as f64 * share.get() + 1e-9) as usize).max(1),
    };
    let taken = draw(found.clone(), wanted, seed_of(seed, name));
    Ok(Picked { found, taken, by_name })
}

/// A target's own seed, so that another target in the file does not change what is drawn for this one.
fn seed_of(seed: u64, name: &TargetName) -> u64 {
    let mut hash = Sha256::new();
    hash.update(seed.to_be_bytes());
    hash.update(name.0.as_bytes());
    hash.finalize().iter().take(8).fold(0, |seed, byte| (seed << 8) | u64::from(*byte))
}

/// Draws `wanted` of the resources without putting back.
fn draw(mut resources: Vec<Resource>, wanted: usize, seed: u64) -> Vec<Resource> {
    let mut random = Pcg64::seed_from_u64(seed);
    resources.sort();
    while resources.len() > wanted {
        let out = random.random_range(0..resources.len());
        resources.remove(out);
    }
    resources
}

/// Whom a sentence is about: a target, or else the one resource of that name that its metric applies to.
pub fn subject(
    subject: &Subject,
    metric: Metric,
    targets: &BTreeMap<TargetName, Picked>,
    (account, location): (&AccountName, &Location),
    survey: &mut Survey<'_>,
) -> Result<Vec<Resource>, Refusal> {
    let fits = |kind: ResourceKind| metric.applies_to(kind) && subject.kind.is_none_or(|said| said == kind);
    if let Some(picked) = targets.get(&TargetName(subject.name.clone())) {
        return match picked.taken.iter().find(|resource| !fits(resource.kind)) {
            None => Ok(picked.taken.clone()),
            Some(other) => Err(Refusal::new(
                format!("this is not measured on a {}, but target {} is {other}", other.kind.word(), subject.name),
                applies(metric),
            )),
        };
    }
    let mut found = Vec::new();
    for kind in ResourceKind::ALL.into_iter().filter(|kind| fits(*kind)) {
        let selector = Selector { kind, by: SelectBy::Name(subject.name.clone()) };
        found.extend(survey.resolve(location, &selector)?);
    }
    match found.len() {
        0 => Err(Refusal::new(
            format!(
                "`{}` is neither a target nor a resource of account {account} on which this is measured",
                subject.name
            ),
            format!("write a target name or a resource; {}", applies(metric)),
        )),
        1 => Ok(found),
        _ => Err(Refusal::new(
            format!("`{}` is ambiguous: {}", subject.name, listed(&found)),
            format!("write which one: `of {} {}`", found[0].kind.word(), subject.name),
        )),
    }
}
