//! What is named on the command line has to be there: a name that nothing has is a usage error, with the nearest one, and never a
//! command that succeeds because there was nothing to do.

use std::path::{Path, PathBuf};

use super::project::Project;
use super::{Context, Failure};
use crate::spec::load::{CONFIG, ProjectFiles};
use crate::yaml::read::closest;

/// A file to read; for clap. Other programs may write into a pipe or device that is read.
pub fn file(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.is_dir() {
        return Err(format!("this is a folder; name a file in it{}", nearest(&path.join("x"), "").unwrap_or_default()));
    }
    // A link to nothing and a file that may not be read are told by the reading.
    if path.symlink_metadata().is_ok() {
        return Ok(path);
    }
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Err(format!("there is no such file{}", nearest(&path, &name).unwrap_or_default()))
}

/// The same, or a folder of files; for clap.
pub fn file_or_folder(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.is_dir() { Ok(path) } else { file(text) }
}

/// `; did you mean experiments/slow.yaml?`, for a file beside this path whose name is near; without a name, the first one.
fn nearest(path: &Path, name: &str) -> Option<String> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut beside: Vec<String> = std::fs::read_dir(folder)
        .ok()?
        .filter_map(Result::ok)
        .filter(|entry| entry.path().is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    beside.sort();
    if name.is_empty() {
        let first = beside.iter().find(|name| name.ends_with(".yaml"))?;
        return Some(format!(", such as {}", crate::outside::one_line(&folder.join(first).display().to_string())));
    }
    let near = closest(name, beside.iter().map(String::as_str))?;
    let near = path.with_file_name(near).display().to_string();
    Some(format!("; did you mean {}?", crate::outside::one_line(&near)))
}

/// That the project has the account named with `--account`. A `squall.yaml` that cannot be read is told by the command.
pub fn account(context: &Context) -> Result<(), Failure> {
    let Some(name) = &context.account else { return Ok(()) };
    let (Some(files), _) = ProjectFiles::open(&context.project.root) else { return Ok(()) };
    match files.project.accounts.contains_key(name) {
        true => Ok(()),
        false => Err(no_account(&name.0, &files)),
    }
}

/// There is no account of this name; the nearest one, or all.
pub fn no_account(name: &str, files: &ProjectFiles) -> Failure {
    let known: Vec<&str> = files.project.accounts.keys().map(|name| name.0.as_str()).collect();
    let next = match closest(name, known.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("squall.yaml has {}", known.join(", ")),
    };
    Failure::usage(format!("there is no account {}", crate::outside::one_line(name)), next)
}

/// That something can be halted or rolled back here: in a folder without a project and without a journal, success would only
/// say that this is the wrong folder.
pub fn somewhere(project: &Project) -> Result<(), Failure> {
    if project.path(CONFIG).exists() || project.folder().symlink_metadata().is_ok() {
        return Ok(());
    }
    let here = match project.root.as_os_str().is_empty() {
        true => "this folder".to_owned(),
        false => crate::outside::one_line(&project.root.display().to_string()),
    };
    Err(Failure::usage(
        format!("{here} has no {CONFIG}, and nothing was ever run in it"),
        "change to your project's folder, or name it with --project",
    ))
}

/// That the folder named with `--project` is one.
pub fn project(folder: Option<&Path>) -> Result<(), Failure> {
    match folder {
        Some(folder) if !folder.is_dir() => Err(Failure::usage(
            format!("there is no folder {}", crate::outside::one_line(&folder.display().to_string())),
            "name the folder that has squall.yaml, or leave --project out",
        )),
        _ => Ok(()),
    }
}
