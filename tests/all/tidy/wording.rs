//! What a person reads: every text of the interface in one list for a reviewer, and none of the words that the project avoids.

use super::{assert_none, files, root, sources, without_test_items};

/// Words that the interface and the documents do not use, each with what to write instead.
const AVOIDED: [(&str, &str); 19] = [
    ("whoever", "name the person or process"),
    ("nobody", "say what is not known or not done"),
    ("somebody", "others, or another run"),
    ("anybody", "name who"),
    ("anew", "again"),
    ("mend", "fix"),
    ("bears", "has"),
    ("thereof", "of it"),
    ("left away", "by default, or removed"),
    ("put back", "rolled back"),
    ("putting back", "rolling back"),
    ("stands twice", "duplicate"),
    ("here belongs", "expected"),
    ("belongs here", "expected"),
    ("length of time", "duration"),
    ("feels the fault", "is hit by the fault"),
    ("for sure", "surely, or reliably"),
    ("wrong use", "usage error"),
    ("may mean", "is ambiguous"),
];

/// The texts of a source file: string literals with two words or more, without those of its tests.
fn texts(source: &str) -> Vec<String> {
    let code: String = without_test_items(source).into_iter().map(|(_, line)| format!("{line}\n")).collect();
    let mut found = Vec::new();
    let mut rest = code.as_str();
    while let Some(next) = rest.find(['"', '\'', '/']) {
        let before = rest[..next].chars().next_back();
        let at = &rest[next..];
        if at.starts_with("//") {
            rest = at.split_once('\n').map_or("", |(_, after)| after);
        } else if let Some(after) = at.strip_prefix('/') {
            rest = after;
        } else if let Some(after_quote) = at.strip_prefix('\'') {
            // A character, or a lifetime: only a character can hide a quote.
            rest = match (at.strip_prefix("'\\"), at.strip_prefix("'\"'")) {
                // The escaped character may itself be a quote.
                (Some(escaped), _) => {
                    escaped.get(1..).and_then(|after| after.split_once('\'')).map_or("", |(_, rest)| rest)
                }
                (_, Some(after)) => after,
                _ => after_quote,
            };
        } else if matches!(before, Some('r' | '#')) && raw(&rest[..next]).is_some() {
            let end = format!("\"{}", "#".repeat(raw(&rest[..next]).unwrap_or_default()));
            let (text, after) = at[1..].split_once(&end).unwrap_or((&at[1..], ""));
            found.push(text.to_owned());
            rest = after;
        } else {
            let (text, after) = quoted(&at[1..]);
            found.push(text);
            rest = after;
        }
    }
    found.retain(|text| is_read(text));
    found
}

/// The number of `#` of a raw string that begins right behind this code.
fn raw(before: &str) -> Option<usize> {
    let bare = before.trim_end_matches('#');
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let start = bare.strip_suffix('r').or_else(|| bare.strip_suffix("br"))?;
    (!start.ends_with(word)).then(|| before.len() - bare.len())
}

/// A string up to its closing quote, its continued lines joined, and what follows it.
fn quoted(from: &str) -> (String, &str) {
    let mut text = String::new();
    let mut chars = from.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (text, &from[at + 1..]),
            '\\' => match chars.next() {
                Some((_, '\n')) => {
                    let blank = chars.as_str().len() - chars.as_str().trim_start().len();
                    for _ in 0..blank {
                        chars.next();
                    }
                }
                Some((_, '"')) => text.push('"'),
                Some((_, other)) => text.extend(['\\', other]),
                None => {}
            },
            _ => text.push(c),
        }
    }
    (text, "")
}

/// Whether a person may read it: two words in small letters, and neither SQL nor JSONata.
fn is_read(text: &str) -> bool {
    let words = text.split(' ').filter(|word| word.chars().filter(char::is_ascii_lowercase).count() > 1).count();
    let language =
        ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "CREATE ", "PRAGMA ", "\nCREATE", "\nSELECT", "$states", "$type("];
    words > 1 && !language.iter().any(|language| text.contains(language))
}

#[test]
#[expect(clippy::disallowed_methods, reason = "tests are told by the environment to write")]
fn every_text_of_the_interface_is_in_one_list() {
    let mut list = String::from("Every text that a person may read, by file. `./test.sh --update` writes this list.\n");
    for (path, source) in sources() {
        let texts = texts(&source);
        if !texts.is_empty() {
            list += &format!("\n{path}\n");
            texts.iter().for_each(|text| list += &format!("  {}\n", text.replace('\n', "\n    ")));
        }
    }
    let path = root().join("tests/all/snapshots/interface.txt");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &list).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == list,
        "texts have changed: write {} with ./test.sh --update, and read its difference",
        path.display()
    );
}

#[test]
fn the_interface_speaks_plain_english() {
    let mut read: Vec<(String, String)> = Vec::new();
    for (path, source) in sources() {
        read.extend(texts(&source).into_iter().map(|text| (path.clone(), text)));
        if path.starts_with("src/cli/") || path.starts_with("src/spec/") || path.starts_with("src/project/") {
            read.extend(
                source.lines().filter(|line| line.contains("/// ")).map(|line| (path.clone(), line.to_owned())),
            );
        }
    }
    for folder in ["docs", "."] {
        let texts = files(folder, ".md").into_iter().filter(|(path, _)| {
            let own = !path.contains("/adr/") && !path.ends_with("glossary.md") && !path.ends_with("CHANGELOG.md");
            own && (folder == "docs" || path == "README.md")
        });
        read.extend(
            texts.flat_map(|(path, text)| text.lines().map(|line| (path.clone(), line.to_owned())).collect::<Vec<_>>()),
        );
    }
    assert_none("words that the interface avoids", &avoided(&read));
}

fn avoided(read: &[(String, String)]) -> Vec<String> {
    let mut broken = Vec::new();
    for (path, text) in read {
        let spaced = format!(" {} ", text.to_lowercase().replace(|c: char| !c.is_alphanumeric(), " "));
        for (word, instead) in AVOIDED {
            if spaced.contains(&format!(" {word} ")) {
                broken.push(format!("{path}: `{word}` ({instead}): {}", text.trim()));
            }
        }
    }
    broken
}

#[test]
fn texts_and_avoided_words_are_found() {
    let source = r###"
        fn f<'a>(text: &'a str) -> char {
            let quote = '"'; // "a comment is none"
            let joined = "one line \
                          with another";
            say(r#"a "raw" text"#, "SELECT run FROM runs", "word", format!("it has \"{n}\" of them"));
            '\''
        }
        #[cfg(test)]
        fn only_in_tests() {
            say("not for a person");
        }
    "###;
    assert_eq!(texts(source), ["one line with another", "a \"raw\" text", "it has \"{n}\" of them"]);
    let read = |text: &str| avoided(&[("x".to_owned(), text.to_owned())]).len();
    assert_eq!(read("Mend it, whoever you are"), 2);
    assert_eq!(read("recommend a fix"), 0);
}
