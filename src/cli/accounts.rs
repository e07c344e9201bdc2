//! Accounts by their configuration: which kind each is, and how it is opened. With `account/`, the only place that
//! knows the kinds.

mod examine;
mod open;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use super::project::Project;
use crate::account::ResourceKind;
use crate::account::sandbox::app::App;
use crate::account::sandbox::shop::shop_sources;
use crate::account::sandbox::traffic::read_app;
pub use crate::account::sandbox::{Opening, Pace};
use crate::graph;
use crate::ids::AccountName;
use crate::project::{AccountSpec, SandboxAccount};
use crate::spec::check::{Known, KnownAccount};
use crate::spec::left_out::{Accepted, accept};
use crate::spec::load::ProjectFiles;
use crate::yaml::{Findings, Source};
pub use examine::{Health, Row, examine};
pub use open::{NamedBy, Opened, open, open_at, opening, pace, sandbox_file};

/// What the files of an account say about it.
#[derive(Clone, Debug, Default)]
pub struct Examined {
    /// What is wrong in them, without what squall.yaml accepts.
    pub findings: Findings,
    pub accepted: Vec<Accepted>,
}

/// The names of everything in the accounts that can be looked into without a call, and for each account what is wrong in
/// its files.
pub fn known(files: &ProjectFiles) -> (Known, BTreeMap<AccountName, Examined>) {
    let mut known = Known::new();
    let mut examined = BTreeMap::new();
    for (name, sandbox) in sandboxes(files) {
        let (app, mut findings) = read(files, sandbox);
        let accepted = accept(&mut findings, name, sandbox, files);
        examined.insert(name.clone(), Examined { findings, accepted });
        if let Some(app) = app {
            let (names, usual, location, roles) = (names(&app), graph::usual(&app), app.location, app.roles);
            known.insert(name.clone(), KnownAccount { names, usual, location, roles });
        }
    }
    (known, examined)
}

/// The files that describe accounts.
pub fn files(files: &ProjectFiles) -> Vec<PathBuf> {
    let of = |sandbox: &SandboxAccount| [files.root.join(&sandbox.template), files.root.join(&sandbox.traffic)];
    sandboxes(files).flat_map(|(_, sandbox)| of(sandbox)).filter(|path| path.exists()).collect()
}

fn sandboxes(files: &ProjectFiles) -> impl Iterator<Item = (&AccountName, &SandboxAccount)> {
    files.project.accounts.iter().filter_map(|(name, account)| match account {
        AccountSpec::Sandbox(sandbox) => Some((name, sandbox)),
        AccountSpec::Aws(_) => None,
    })
}

/// The project's own sandbox, when it is the default account and was used before.
pub fn own_sandbox(project: &Project) -> Option<AccountName> {
    let files = ProjectFiles::open(&project.root).0?;
    let name = files.project.default_account.clone();
    let is_sandbox = matches!(files.project.accounts.get(&name), Some(AccountSpec::Sandbox(_)));
    (is_sandbox && sandbox_file(&name, &files, project).exists()).then_some(name)
}

/// The sandbox of this name.
pub fn sandbox<'a>(name: &AccountName, files: &'a ProjectFiles) -> Option<&'a SandboxAccount> {
    match files.project.accounts.get(name) {
        Some(AccountSpec::Sandbox(sandbox)) => Some(sandbox),
        _ => None,
    }
}

/// The application of a sandbox.
pub fn read(files: &ProjectFiles, sandbox: &SandboxAccount) -> (Option<App>, Findings) {
    match sources(files, sandbox) {
        Ok((template, traffic)) => read_app(&template, &traffic, &sandbox.stack),
        Err(findings) => (None, findings),
    }
}

/// The template and the traffic file of a sandbox. The shipped shop is part of the binary, for folders that do not have its
/// files.
pub fn sources(files: &ProjectFiles, sandbox: &SandboxAccount) -> Result<(Arc<Source>, Arc<Source>), Findings> {
    let (shop, shop_traffic) = shop_sources();
    let open = |path: &str, shipped: Arc<Source>| match files.root.join(path) {
        own if own.exists() || path != shipped.file => Source::open(&own),
        _ => Ok(shipped),
    };
    match (open(&sandbox.template, shop), open(&sandbox.traffic, shop_traffic)) {
        (Ok(template), Ok(traffic)) => Ok((template, traffic)),
        (template, traffic) => {
            let mut findings = Findings::default();
            let errors = template.err().into_iter().chain(traffic.err());
            errors.for_each(|finding| findings.push(*finding));
            Err(findings)
        }
    }
}

/// Every name by which an experiment may call a resource.
fn names(app: &App) -> BTreeMap<ResourceKind, BTreeSet<String>> {
    let set = |names: &mut dyn Iterator<Item = &String>| -> BTreeSet<String> { names.cloned().collect() };
    let mut names = BTreeMap::from([
        (ResourceKind::Function, set(&mut app.functions.keys())),
        (ResourceKind::Queue, set(&mut app.queues.keys())),
        (ResourceKind::Role, set(&mut app.roles.keys())),
        (ResourceKind::Parameter, set(&mut app.parameters.keys())),
        (ResourceKind::Table, set(&mut app.tables.keys())),
        (ResourceKind::Topic, set(&mut app.topics.keys())),
        (ResourceKind::Api, set(&mut app.apis.keys())),
        (ResourceKind::Alarm, set(&mut app.alarms.keys())),
    ]);
    for names in names.values_mut() {
        let ids = app.logical_ids.iter().filter(|(_, name)| names.contains(*name)).map(|(id, _)| id.clone());
        let ids: Vec<String> = ids.collect();
        names.extend(ids);
    }
    names
}
