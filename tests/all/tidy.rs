//! The rules of the house that a compiler does not know. Clippy holds the others (`Cargo.toml`, `clippy.toml`).

#![expect(clippy::unwrap_used, clippy::panic, reason = "these are tests")]

mod accounts;
mod wording;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file under `folder` whose name ends so, with its path from the root.
fn files(folder: &str, ending: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if name == ".git" {
                continue;
            }
            if path.is_dir() {
                if !["target", ".squall", "node_modules", "__pycache__"].contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if name.ends_with(ending)
                && let Ok(text) = fs::read_to_string(&path)
            {
                found.push((path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/"), text));
            }
        }
    }
    found.sort();
    found
}

/// A source file's own code, line by line with numbers: no comments, and nothing from its tests on.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let tests = |line: &&str| line.trim() == "mod tests {" || line.trim() == "mod tests;";
    let lines = text.lines().take_while(move |line| !tests(line)).enumerate();
    lines.map(|(index, line)| (index + 1, line)).filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// The source files, except those that are tests altogether.
fn sources() -> Vec<(String, String)> {
    let mut sources = files("src", ".rs");
    sources.retain(|(path, _)| !path.ends_with("/tests.rs") && !path.contains("/tests/"));
    assert!(sources.len() > 20);
    sources
}

fn assert_none(rule: &str, broken: &[String]) {
    assert!(broken.is_empty(), "{rule}:\n{}", broken.join("\n"));
}

/// Every line of code outside of some folders that has one of some words in it.
fn naming(words: &[&str], allowed: &[&str]) -> Vec<String> {
    let mut broken = Vec::new();
    for (path, text) in sources() {
        if allowed.iter().any(|allowed| path.starts_with(allowed)) {
            continue;
        }
        for (number, line) in code(&text) {
            if words.iter().any(|word| line.contains(word)) {
                broken.push(format!("{path}:{number}: {}", line.trim()));
            }
        }
    }
    broken
}

#[test]
fn only_the_command_line_prints() {
    let printing = ["println!", "print!(", "eprint", "stdout()", "stderr()"];
    assert_none("only src/cli prints", &naming(&printing, &["src/cli/"]));
}

#[test]
fn modules_form_no_cycle() {
    let imports = Imports::of(&sources());
    assert!(imports.modules.len() > 10 && imports.made.len() > 30, "{:?}", imports.modules);
    assert_none("modules that import each other; what they share lies below both", &imports.cycles());
}

#[test]
fn a_cycle_of_modules_is_seen() {
    let source = |path: &str, text: &str| (path.to_owned(), text.to_owned());
    let mut sources = vec![
        source("src/lib.rs", "pub mod a;\npub mod b;\npub mod c;\n"),
        source("src/a/mod.rs", "#[cfg(test)]\npub(crate) mod stage;\nuse crate::b::{Thing, other};\n"),
        source("src/a/stage.rs", "use crate::c::OnlyInTests;\n"),
        source(
            "src/b.rs",
            "#[cfg(test)]\nuse crate::a::X;\n#[cfg(test)]\nfn f() {\n    crate::a::x();\n}\nfn g() {}\n",
        ),
        source(
            "src/c.rs",
            "#[macro_export]\nmacro_rules! made {\n}\n// crate::a\nmod tests {\n    use crate::a::X;\n}\n",
        ),
    ];
    assert_eq!(Imports::of(&sources).cycles(), Vec::<String>::new());
    sources[3].1 += "use crate::{\n    made,\n    units,\n};\n";
    assert_eq!(Imports::of(&sources).cycles(), Vec::<String>::new());
    sources[4].1 = "fn f() -> crate::a::X {\n}\n".to_owned() + &sources[4].1;
    let expected = [
        "a -> b -> c -> a",
        "    src/a/mod.rs:3: use crate::b::{Thing, other};",
        "    src/b.rs:8: use crate::{",
        "    src/c.rs:1: fn f() -> crate::a::X {",
    ];
    assert_eq!(Imports::of(&sources).cycles(), expected);
}

/// Which of the crate's top-level modules use which, outside of tests.
struct Imports {
    modules: BTreeSet<String>,
    /// From a module to another one: the lines that say so.
    made: BTreeMap<(String, String), Vec<String>>,
}

impl Imports {
    fn of(sources: &[(String, String)]) -> Imports {
        let top = |path: &str| {
            let name = path.strip_prefix("src/").unwrap().split('/').next().unwrap();
            name.strip_suffix(".rs").unwrap_or(name).to_owned()
        };
        let mut modules: BTreeSet<String> = sources.iter().map(|(path, _)| top(path)).collect();
        modules.retain(|module| module != "lib" && module != "main");
        // Where each name directly below the crate leads: a module, or the one that exports a macro.
        let mut named: BTreeMap<String, String> =
            modules.iter().map(|module| (module.clone(), module.clone())).collect();
        let mut only_in_tests = BTreeSet::new();
        for (path, text) in sources {
            for (line, next) in text.lines().zip(text.lines().skip(1)) {
                if line == "#[macro_export]" {
                    named.insert(next.replace("macro_rules!", "").replace('{', "").trim().to_owned(), top(path));
                }
                let file = next.trim().trim_end_matches(';').rsplit_once("mod ").filter(|_| line == "#[cfg(test)]");
                if let Some((_, name)) = file {
                    let folder = path.trim_end_matches("/mod.rs").trim_end_matches(".rs");
                    only_in_tests.insert(format!("{folder}/{name}.rs"));
                }
            }
        }
        let mut made = BTreeMap::new();
        for (path, text) in sources.iter().filter(|(path, _)| !only_in_tests.contains(path)) {
            for (number, line, name) in names_below_the_crate(text) {
                let from = top(path);
                if let Some(to) = named.get(&name).filter(|to| **to != from && modules.contains(&from)) {
                    let line = format!("    {path}:{number}: {}", line.trim());
                    made.entry((from, to.clone())).or_insert_with(Vec::new).push(line);
                }
            }
        }
        Imports { modules, made }
    }

    /// A shortest cycle through each module that is in one, with the lines that make it; each cycle once.
    fn cycles(&self) -> Vec<String> {
        let (mut said, mut seen) = (Vec::new(), BTreeSet::new());
        for module in &self.modules {
            let Some(cycle) = self.shortest_cycle(module) else { continue };
            if !seen.insert(cycle.iter().cloned().collect::<BTreeSet<String>>()) {
                continue;
            }
            said.push(format!("{} -> {module}", cycle.join(" -> ")));
            for (index, from) in cycle.iter().enumerate() {
                let to = cycle.get(index + 1).unwrap_or(module);
                said.extend(self.made[&(from.clone(), to.clone())].iter().cloned());
            }
        }
        said
    }

    /// The modules on the way from one back to itself, itself first.
    fn shortest_cycle(&self, module: &str) -> Option<Vec<String>> {
        let mut ways = vec![vec![module.to_owned()]];
        let mut reached = BTreeSet::new();
        while !ways.is_empty() {
            let mut longer = Vec::new();
            for way in ways {
                let last = way.last().unwrap();
                for (_, to) in self.made.keys().filter(|(from, _)| from == last) {
                    if to == module {
                        return Some(way);
                    }
                    if reached.insert(to.clone()) {
                        longer.push([way.clone(), vec![to.clone()]].concat());
                    }
                }
            }
            ways = longer;
        }
        None
    }
}

/// Every name that follows `crate::` in code that is not only for tests, with its line and the line's number.
fn names_below_the_crate(text: &str) -> Vec<(usize, &str, String)> {
    let mut names = Vec::new();
    // A group over several lines: its first line, and how deep in braces it is.
    let mut group: Option<(usize, &str, usize)> = None;
    for (number, line) in without_test_items(text) {
        let mut rest = line;
        while group.is_some() || rest.contains("crate::") {
            let (at, whole, mut depth) = group.take().unwrap_or_else(|| {
                rest = rest.split_once("crate::").unwrap().1;
                (number, line, 0)
            });
            let mut word = String::new();
            // Only the first word of each path in the group is below the crate.
            let mut counts = true;
            for (index, c) in rest.char_indices().chain([(rest.len(), ' ')]) {
                if c.is_alphanumeric() || c == '_' {
                    word.push(c);
                    continue;
                }
                if counts && depth <= 1 && !word.is_empty() {
                    names.push((at, whole, word.clone()));
                    counts = false;
                }
                word.clear();
                match c {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    ',' if depth == 1 => counts = true,
                    _ => {}
                }
                if depth == 0 {
                    rest = &rest[index..];
                    break;
                }
            }
            if depth > 0 {
                group = Some((at, whole, depth));
                break;
            }
        }
    }
    names
}

/// The lines of [`code`] that do not belong to an item under `#[cfg(test)]`.
fn without_test_items(text: &str) -> Vec<(usize, &str)> {
    let mut kept = Vec::new();
    let mut lines = code(text);
    while let Some((number, line)) = lines.next() {
        if line.trim() != "#[cfg(test)]" {
            kept.push((number, line));
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        let end = |line: &str| line.len() - line.trim_start().len() == indent && line.ends_with([';', '}']);
        lines.by_ref().find(|(_, line)| end(line));
    }
    kept
}

/// The number that stands behind some words in a file, such as the limits in the guide.
fn number(file: &str, words: &str) -> usize {
    let text = fs::read_to_string(root().join(file)).unwrap();
    let (_, rest) = text.split_once(words).unwrap_or_else(|| panic!("{file} does not say `{words}`"));
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().unwrap()
}

/// The guide is the one place that says how long; Clippy holds the length of functions.
#[test]
fn files_and_functions_are_as_short_as_the_guide_says() {
    let most = number("CONTRIBUTING.md", "Files under ");
    let mut lengths: Vec<(usize, String)> = ["src", "tests", "benches"]
        .iter()
        .flat_map(|folder| files(folder, ".rs"))
        .map(|(path, text)| (text.lines().count(), path))
        .collect();
    lengths.sort();
    let long: Vec<_> =
        lengths.iter().filter(|(lines, _)| *lines >= most).map(|(lines, path)| format!("{path}: {lines}")).collect();
    assert_none(&format!("every file has under {most} lines"), &long);
    let functions = number("CONTRIBUTING.md", "functions under ");
    assert_eq!(functions, number("clippy.toml", "too-many-lines-threshold = "), "the guide and clippy.toml differ");
    let (median, _) = lengths[lengths.len() / 2];
    assert!(median < 250, "the median file has {median} lines");
}

#[test]
fn what_is_public_is_documented() {
    let items = ["pub fn ", "pub const fn ", "pub struct ", "pub enum ", "pub trait ", "pub type ", "pub async fn "];
    let mut broken = Vec::new();
    for (path, text) in sources() {
        let lines: Vec<&str> = text.lines().collect();
        if !lines.first().is_some_and(|first| first.starts_with("//!")) {
            broken.push(format!("{path}: it does not say what it is for"));
        }
        for (number, line) in code(&text) {
            if !items.iter().any(|item| line.trim_start().starts_with(item)) {
                continue;
            }
            if !documentation_above(&lines[..number - 1]).starts_with("///") {
                broken.push(format!("{path}:{number}: {}", line.trim()));
            }
        }
    }
    // A command's entry point says nothing that its arguments do not say, nor a constructor what its type does not.
    broken.retain(|line| !line.contains("pub fn execute(") || !line.starts_with("src/cli/"));
    broken.retain(|line| !line.contains(": pub fn new("));
    assert_none("no documentation on", &broken);
}

/// The line above an item's attributes, of which some go over several lines.
fn documentation_above<'a>(above: &[&'a str]) -> &'a str {
    let mut above = above.iter().rev().map(|line| line.trim());
    while let Some(line) = above.next() {
        if line.starts_with("#[") {
            continue;
        }
        if !line.ends_with(")]") {
            return line;
        }
        above.find(|line| line.starts_with("#["));
    }
    ""
}

#[test]
fn nothing_names_a_machine() {
    // Put together here, so that this file does not break its own rule.
    let paths = [["/wo", "rk/"], ["/ro", "ot/"], ["/ho", "me/"], ["/tm", "p/"]].map(|parts| parts.concat());
    let mut broken = Vec::new();
    for (file, text) in files("", "") {
        for (index, line) in text.lines().enumerate() {
            if paths.iter().any(|path| line.contains(path.as_str())) {
                broken.push(format!("{file}:{}: {}", index + 1, line.trim()));
            }
        }
    }
    assert_none("paths of a machine", &broken);
}

#[test]
fn every_dependency_has_a_licence_that_is_allowed() {
    let deny = fs::read_to_string(root().join("deny.toml")).unwrap();
    let allowed = deny.split("allow = [").nth(1).unwrap().split(']').next().unwrap();
    let allowed: BTreeSet<&str> = allowed.split('"').skip(1).step_by(2).collect();
    assert!(allowed.contains("MIT"));

    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--all-features"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 50);
    let mut broken = Vec::new();
    for package in packages {
        let licence = package["license"].as_str().unwrap_or_default();
        let name = package["name"].as_str().unwrap();
        let excepted = format!("{{ crate = \"{name}\", allow = [\"{licence}\"] }}");
        if !is_allowed(licence, &allowed) && !deny.contains(&excepted) {
            broken.push(format!("{} {}: {licence:?}", package["name"], package["version"]));
        }
    }
    assert_none("licences that deny.toml does not allow", &broken);
}

/// Whether an SPDX expression can be met with allowed licences alone. `/` is an old way to write OR.
fn is_allowed(expression: &str, allowed: &BTreeSet<&str>) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ").replace(" WITH ", "+WITH+");
    let mut words: Vec<&str> = spaced.split_whitespace().rev().collect();
    let met = either(&mut words, allowed);
    assert!(words.is_empty(), "{expression}");
    met
}

fn either(words: &mut Vec<&str>, allowed: &BTreeSet<&str>) -> bool {
    let mut met = both(words, allowed);
    while words.pop_if(|word| *word == "OR").is_some() {
        met |= both(words, allowed);
    }
    met
}

fn both(words: &mut Vec<&str>, allowed: &BTreeSet<&str>) -> bool {
    let mut met = one(words, allowed);
    while words.pop_if(|word| *word == "AND").is_some() {
        met &= one(words, allowed);
    }
    met
}

fn one(words: &mut Vec<&str>, allowed: &BTreeSet<&str>) -> bool {
    match words.pop() {
        Some("(") => {
            let met = either(words, allowed);
            assert_eq!(words.pop(), Some(")"));
            met
        }
        word => word.is_some_and(|word| allowed.contains(word)),
    }
}

#[test]
fn licence_expressions_are_understood() {
    let allowed = BTreeSet::from(["MIT", "Apache-2.0"]);
    for (expression, expected) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("MIT/GPL-3.0", true),
        ("MIT AND GPL-3.0", false),
        ("(MIT OR GPL-3.0) AND Apache-2.0", true),
        ("GPL-3.0 OR MIT AND BSL-1.0", false),
        ("Apache-2.0 WITH LLVM-exception OR MIT", true),
        ("", false),
    ] {
        assert_eq!(is_allowed(expression, &allowed), expected, "{expression}");
    }
}

#[test]
fn the_test_command_is_executable() {
    #[cfg(unix)]
    for file in ["test.sh", ".ci/run"] {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(root().join(PathBuf::from(file))).unwrap().permissions().mode();
        assert!(mode & 0o111 != 0, "{file}");
    }
}

/// A test program that `test.sh` does not name would be skipped without a word.
#[test]
fn the_test_command_runs_every_test_program() {
    let script = fs::read_to_string(root().join("test.sh")).unwrap();
    let mut programs = 0;
    for entry in fs::read_dir(root().join("tests")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if path.is_file() || path.join("main.rs").exists() {
            programs += 1;
            assert!(path.is_dir(), "{name}: tests are modules of tests/all, so that few programs are linked");
            assert!(script.contains(&format!("--test {name}")), "test.sh does not run {name}");
        }
    }
    assert!(programs >= 2);
    // A module without a line in main.rs is never compiled.
    let main = fs::read_to_string(root().join("tests/all/main.rs")).unwrap();
    for entry in fs::read_dir(root().join("tests/all")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let module = path.extension().is_some_and(|ending| ending == "rs") || path.join("mod.rs").exists();
        assert!(!module || name == "main" || main.contains(&format!("mod {name};")), "tests/all/main.rs lacks {name}");
    }
}

#[test]
fn links_lead_somewhere() {
    let mut broken = Vec::new();
    for (path, text) in files("", ".md") {
        let folder = Path::new(&path).parent().unwrap().to_path_buf();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap();
            let elsewhere = file.is_empty() || file.contains("://") || file.contains(char::is_whitespace);
            if !elsewhere && !root().join(&folder).join(file).exists() {
                broken.push(format!("{path}: {link}"));
            }
        }
    }
    assert_none("a link in a page leads to a file", &broken);
}
