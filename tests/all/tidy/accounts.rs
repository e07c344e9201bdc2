//! Who may know the kinds of accounts, and who may write to one; each rule is tried on planted faults.

use super::{assert_none, sources, without_test_items};

#[test]
fn the_core_names_no_kind_of_account() {
    assert_none("only src/account and src/cli know the kinds of accounts", &kinds_named(&sources()));
}

/// Where the modules of a kind of account are used, in whatever way the path is written, and where code asks which kind an
/// account is that must not depend on it.
fn kinds_named(sources: &[(String, String)]) -> Vec<String> {
    // What `squall.yaml` says of each kind is read and checked where that is done, and an identity is written and read.
    let tells_apart = [
        "src/account/",
        "src/cli/",
        "src/location.rs",
        "src/project/",
        "src/spec/check/",
        "src/guard.rs",
        "src/planner/",
    ];
    let mut broken = Vec::new();
    for (path, text) in sources {
        let within = |folders: &[&str]| folders.iter().any(|folder| path.starts_with(folder));
        for (number, line, used) in paths_used(text) {
            let module = ["account::sandbox", "account::aws", "account::*"]
                .iter()
                .any(|kind| used.strip_prefix(kind).is_some_and(|rest| rest.is_empty() || rest.starts_with("::")));
            if module && !within(&["src/account/", "src/cli/"]) {
                broken.push(format!("{path}:{number}: {}", line.trim()));
            }
        }
        let asks = ["AccountSpec::", "AccountIdentity::Aws", "AccountIdentity::Sandbox"];
        for (number, line) in without_test_items(text) {
            let exports = path == "src/account/mod.rs"
                && ["pub use sandbox", "pub use aws"].iter().any(|kind| line.contains(kind));
            if exports || !within(&tells_apart) && asks.iter().any(|asked| line.contains(asked)) {
                broken.push(format!("{path}:{number}: {}", line.trim()));
            }
        }
    }
    broken
}

#[test]
fn a_core_that_names_a_kind_of_account_is_seen() {
    let source = |path: &str, text: &str| (path.to_owned(), text.to_owned());
    for planted in [
        source("src/run/x.rs", "use crate::account::sandbox::World;\n"),
        source("src/run/x.rs", "use crate::account::{Call, sandbox};\n"),
        source("src/judge/x.rs", "use crate::{\n    account::{\n        aws::Aws,\n    },\n};\n"),
        source("src/run/x.rs", "use crate::account::*;\n"),
        source("src/driver/x.rs", "fn f() {\n    let x = crate::account::aws::open();\n}\n"),
        source("src/faults/x.rs", "fn f() {\n    if let AccountIdentity::Sandbox { .. } = it {}\n}\n"),
        source("src/account/mod.rs", "pub use sandbox::World;\n"),
    ] {
        assert_eq!(kinds_named(std::slice::from_ref(&planted)).len(), 1, "{planted:?}");
    }
    let allowed = source(
        "src/run/x.rs",
        "use crate::account::{Call, Sample};\nmod tests {\n    use crate::account::sandbox::X;\n}\n",
    );
    assert_eq!(kinds_named(&[allowed]), Vec::<String>::new());
}

/// Every path below the crate that is not only used in tests, groups taken apart: `account::sandbox::World`.
fn paths_used(text: &str) -> Vec<(usize, &str, String)> {
    let lines = without_test_items(text);
    let mut found = Vec::new();
    for (index, (number, line)) in lines.iter().enumerate() {
        for (at, _) in line.match_indices("crate::") {
            let rest = std::iter::once(&line[at + "crate::".len()..]);
            let whole: String = rest.chain(lines[index + 1..].iter().take(40).map(|(_, line)| *line)).collect();
            expand("", &whole, &mut |path| found.push((*number, *line, path)));
        }
    }
    found
}

/// Takes a group of paths apart; gives back how much of the text it was.
fn expand(before: &str, text: &str, found: &mut dyn FnMut(String)) -> usize {
    let mut path = before.to_owned();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        match c {
            '{' => {
                at += 1;
                while !text[at..].is_empty() {
                    at += expand(&path, &text[at..], found);
                    match text[at..].chars().next() {
                        Some(',') => at += 1,
                        _ => break,
                    }
                }
                return at + usize::from(text[at..].starts_with('}'));
            }
            ' ' if path.len() == before.len() => at += 1,
            c if c.is_alphanumeric() || "_:*".contains(c) => {
                path.push(c);
                at += c.len_utf8();
            }
            _ => break,
        }
    }
    if path.len() > before.len() {
        found(path.trim_end_matches("::").to_owned());
    }
    at
}

#[test]
fn only_the_driver_writes_to_an_account() {
    assert_none(
        "only src/driver/mod.rs submits calls, and only the machine makes some that change",
        &writing(&sources()),
    );
}

/// Where calls are submitted, and where calls that change something are made: the planner and the commands look with `ask`, and
/// have nothing to hand to it but reads.
fn writing(sources: &[(String, String)]) -> Vec<String> {
    let changing = ["Write", "Send", "DeleteMessage", "ReleaseMessage", "Load"];
    let makes = |line: &str| {
        let named = changing.iter().any(|call| {
            line.match_indices(&format!("Call::{call}")).any(|(at, found)| {
                let after = line[at + found.len()..].chars().next();
                !after.is_some_and(|c| c.is_alphanumeric() || c == '_')
            })
        });
        named || line.contains("Call::*") || line.contains("Call::{") || line.contains("Call as ")
    };
    let mut broken = Vec::new();
    for (path, text) in sources {
        let within = |folders: &[&str]| folders.iter().any(|folder| path.starts_with(folder));
        for (number, line) in without_test_items(text) {
            let submits =
                [".submit(", ".submit_with(", "::submit(", "::submit_with("].iter().any(|call| line.contains(call))
                    && !within(&["src/driver/mod.rs", "src/account/"]);
            if submits || makes(line) && !within(&["src/run/", "src/account/"]) {
                broken.push(format!("{path}:{number}: {}", line.trim()));
            }
        }
    }
    broken
}

#[test]
fn a_write_past_the_driver_is_seen() {
    let source = |path: &str, text: &str| (path.to_owned(), format!("fn f() {{\n    {text}\n}}\n"));
    for planted in [
        source("src/planner/x.rs", "account.submit(id, call);"),
        source("src/planner/x.rs", "Account::submit(account, id, call);"),
        source("src/cli/x.rs", "ask(account, Call::Write(write));"),
        source("src/cli/x.rs", "ask(account, Call::Send { queue, messages });"),
        source("src/driver/supervise.rs", "self.account.submit(id, call);"),
        source("src/report/x.rs", "use crate::account::Call::*;"),
    ] {
        assert_eq!(writing(std::slice::from_ref(&planted)).len(), 1, "{planted:?}");
    }
    let reads = source("src/planner/x.rs", "ask(account, Call::Read { setting }); Call::LoadedX;");
    assert_eq!(writing(&[reads]), Vec::<String>::new());
}
