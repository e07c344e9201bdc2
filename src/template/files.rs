//! Other files that a template names: nested stacks, OpenAPI documents, included snippets. Only local ones, relative to
//! the template, and not very many.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::value::{Entry, Kind, Spot, Value};
use crate::yaml::{Code, Finding, Findings, Source, tree};

/// More files of one application are not read.
const MOST_FILES: usize = 50;
/// Nor are they read more often than this in all: files that name themselves would multiply.
const MOST_READS: usize = 400;
/// Stacks in stacks in stacks: deeper ones are not read. A template that names itself ends here.
pub(super) const DEEPEST: usize = 6;

/// The files of an application; each is read once.
#[derive(Debug)]
pub(super) struct Files {
    /// Whether any other file is read.
    pub allowed: bool,
    read: RefCell<BTreeMap<PathBuf, Option<Arc<Source>>>>,
    reads: Cell<usize>,
}

/// What a text says about where something lies.
pub(super) enum Location<'t> {
    Local(&'t str),
    /// In S3, or behind a URL.
    Elsewhere,
}

/// Where a `TemplateURL`, a `DefinitionUri` or a `Location` leads.
pub(super) fn location(text: &str) -> Location<'_> {
    match text.contains("://") || text.starts_with("s3:") || Path::new(text).is_absolute() {
        true => Location::Elsewhere,
        false => Location::Local(text),
    }
}

impl Files {
    /// None is read yet; and none ever, unless `allowed`.
    pub fn new(allowed: bool) -> Files {
        Files { allowed, read: RefCell::default(), reads: Cell::new(0) }
    }

    /// A local file, by its path from the file that names it. `None`: a finding says why.
    pub fn open(&self, path: &str, at: &Spot, findings: &mut Findings) -> Option<Arc<Source>> {
        if !self.allowed {
            return None;
        }
        self.reads.set(self.reads.get() + 1);
        if self.reads.get() > MOST_READS {
            // Said once: every further one is of the same kind.
            if self.reads.get() == MOST_READS + 1 {
                let what = format!("the files of this application are read more than {MOST_READS} times");
                let help = "does a template name itself? What it names is not read any more";
                findings.push(Finding::new(Code::Limit, &at.source, at.at, what).help(help));
            }
            return None;
        }
        let whole = Path::new(&at.source.file).parent().unwrap_or(Path::new("")).join(path);
        let mut read = self.read.borrow_mut();
        if let Some(known) = read.get(&whole) {
            return known.clone();
        }
        if read.len() >= MOST_FILES {
            let what = format!("the application has more than {MOST_FILES} files");
            findings.push(Finding::new(Code::Limit, &at.source, at.at, what).help("this one is not read"));
            return None;
        }
        let opened = match Source::open_named(&whole) {
            Ok(source) => Some(source),
            Err(error) => {
                // The template may have been copied without it: what the file says is unknown, like an import.
                let what = format!("`{path}` cannot be read: {}", error.what);
                let help = "the application is modelled without what it says; the path counts from this file";
                findings.push(Finding::new(Code::UnknownValue, &at.source, at.at, what).help(help));
                None
            }
        };
        read.insert(whole, opened.clone());
        opened
    }

    /// A local file's tree.
    pub fn tree(&self, path: &str, at: &Spot, findings: &mut Findings) -> Option<Value> {
        let source = self.open(path, at, findings)?;
        let (node, found) = tree::parse_template(&source);
        findings.append(found);
        node.map(|node| Value::of(&source, &node))
    }

    /// The tree with every `AWS::Include` of a local file in its place. One that lies elsewhere stays, and is unknown.
    pub fn include(&self, value: Value, depth: usize, findings: &mut Findings) -> Value {
        let at = value.at.clone();
        let kind = match value.kind {
            Kind::List(items) => {
                Kind::List(items.into_iter().map(|item| self.include(item, depth, findings)).collect())
            }
            Kind::Map(entries) => {
                let mut all: Vec<Entry> = Vec::with_capacity(entries.len());
                for entry in entries {
                    let included = match entry.key.as_str() {
                        "Fn::Transform" | "Transform" if depth < DEEPEST => {
                            self.included(&entry.value, depth, findings)
                        }
                        _ => None,
                    };
                    match included.map(|value| value.kind) {
                        // Keys of the file join those beside it.
                        Some(Kind::Map(more)) => all.extend(more),
                        _ => all.push(Entry { value: self.include(entry.value, depth, findings), ..entry }),
                    }
                }
                Kind::Map(all)
            }
            other => other,
        };
        Value { kind, at }
    }

    fn included(&self, given: &Value, depth: usize, findings: &mut Findings) -> Option<Value> {
        if given.get("Name").and_then(Value::text) != Some("AWS::Include") {
            return None;
        }
        let path = given.get("Parameters")?.get("Location")?;
        let Location::Local(text) = location(path.text()?) else { return None };
        let tree = self.tree(text, &path.at, findings)?;
        Some(self.include(tree, depth + 1, findings))
    }
}
