//! Bad input: ten thousand damaged files, and files made to exhaust a machine.

#![expect(clippy::unwrap_used, reason = "these are tests")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64;
use squall::ids::AccountName;
use squall::project::Project;
use squall::spec::check;
use squall::spec::hypothesis::Hypothesis;
use squall::spec::load::ExperimentFiles;
use squall::template::{self, Deployment};
use squall::yaml::{Code, Findings, FromNode, HypothesisName, Loaded, Severity, Source, Style, tree};

const EXPERIMENTS: usize = 8_000;
const HYPOTHESES: usize = 2_000;
const TEMPLATES: usize = 500;
const SEED: u64 = 0x5941_4d4c;

fn texts(folder: &str) -> Vec<(PathBuf, String)> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut texts: Vec<_> = entries.map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect();
    texts.sort();
    texts
}

/// One to four damages, of the kinds that editors, merges and people make.
fn damage(text: &str, random: &mut Pcg64) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..random.random_range(1..=4) {
        bytes = damage_once(bytes, random);
    }
    bytes
}

fn damage_once(mut bytes: Vec<u8>, random: &mut Pcg64) -> Vec<u8> {
    if bytes.is_empty() {
        return bytes;
    }
    let at = random.random_range(0..bytes.len());
    let kind = random.random_range(0..8);
    match kind {
        0 => bytes[at] ^= 1 << random.random_range(0..8),
        1 => bytes.truncate(at),
        2 => {
            let odd = b"\t{}[]:,&*!|>'\"%@`#-? \r\n\x00\xff";
            bytes.insert(at, odd[random.random_range(0..odd.len())]);
        }
        _ => {
            let mut lines: Vec<Vec<u8>> = bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
            let (line, other) = (random.random_range(0..lines.len()), random.random_range(0..lines.len()));
            match kind {
                3 => drop(lines.remove(line)),
                4 => lines.insert(other, lines[line].clone()),
                5 => lines[line].splice(0..0, b"  ".iter().copied()).for_each(drop),
                6 => lines[line] = lines[line].strip_prefix(b"  ").unwrap_or(&lines[line]).to_vec(),
                _ => swap_values(&mut lines, line, other),
            }
            bytes = lines.concat();
        }
    }
    bytes
}

/// Gives two lines each other's value: what stands after the first colon.
fn swap_values(lines: &mut [Vec<u8>], a: usize, b: usize) {
    let value = |line: &[u8]| line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
    let (at_a, at_b) = (value(&lines[a]), value(&lines[b]));
    let (value_a, value_b) = (lines[a][at_a..].to_vec(), lines[b][at_b..].to_vec());
    lines[a].splice(at_a.., value_b);
    lines[b].splice(value(&lines[b])..lines[b].len(), value_a);
}

/// Every finding stands in the text and can be shown.
fn sound(findings: &Findings, text: &[u8]) {
    let shown = findings.render(Style::Plain);
    for finding in findings.iter() {
        let source = &finding.source;
        assert!(finding.at.start <= finding.at.end && finding.at.end <= source.text.len(), "{finding:?}");
        let position = source.position(finding.at.start);
        assert!(position.line <= source.text.lines().count() + 1, "{finding:?}");
        assert!(!finding.what.is_empty(), "{finding:?} in\n{}", String::from_utf8_lossy(text));
        assert!(shown.contains("-->") || findings.len() > 100, "{shown}");
    }
}

fn source(bytes: &[u8]) -> Result<Arc<Source>, Findings> {
    Source::from_bytes("damaged.yaml", bytes.to_vec()).map_err(|finding| Findings::from(*finding))
}

fn read<T: FromNode>(bytes: &[u8]) -> (Option<Loaded<T>>, Findings) {
    match source(bytes) {
        Ok(source) => Loaded::read(&source),
        Err(findings) => (None, findings),
    }
}

/// A file without a value has an error, and one with a value has none.
fn consistent<T>(value: &Option<T>, findings: &Findings, bytes: &[u8]) {
    assert_eq!(value.is_none(), findings.has_errors(), "{}", String::from_utf8_lossy(bytes));
    sound(findings, bytes);
}

#[test]
fn ten_thousand_damaged_files_are_read_or_refused_with_a_place() {
    let mut random = Pcg64::seed_from_u64(SEED);
    let hypotheses: BTreeMap<HypothesisName, Loaded<Hypothesis>> = texts("hypotheses")
        .into_iter()
        .map(|(path, text)| {
            let name = HypothesisName(path.file_stem().unwrap().to_string_lossy().into_owned());
            (name, read(text.as_bytes()).0.unwrap())
        })
        .collect();
    let (originals, project) = (texts("experiments"), Project::default());
    let (mut refused, mut warned) = (0, 0);
    for round in 0..EXPERIMENTS {
        let bytes = damage(&originals[round % originals.len()].1, &mut random);
        let (experiment, mut findings) = read(&bytes);
        consistent(&experiment, &findings, &bytes);
        if let Some(experiment) = experiment {
            let files = ExperimentFiles {
                experiment,
                hypotheses: hypotheses.clone(),
                account: AccountName::sandbox(),
                inputs: BTreeMap::new(),
            };
            check::experiment(&files, &project, &BTreeMap::new(), &mut findings);
            sound(&findings, &bytes);
        }
        refused += usize::from(findings.has_errors());
        warned += usize::from(!findings.is_empty() && !findings.has_errors());
    }
    let originals = texts("hypotheses");
    for round in 0..HYPOTHESES {
        let bytes = damage(&originals[round % originals.len()].1, &mut random);
        let (hypothesis, mut findings) = read::<Hypothesis>(&bytes);
        consistent(&hypothesis, &findings, &bytes);
        if let Some(hypothesis) = hypothesis {
            check::hypothesis(&hypothesis, &mut findings);
            sound(&findings, &bytes);
        }
        refused += usize::from(findings.has_errors());
    }
    println!("NOTE: {} damaged files: {refused} refused, {warned} with warnings", EXPERIMENTS + HYPOTHESES);
    // Most damage is seen; a changed word in a title is not, and need not be.
    assert!(refused > (EXPERIMENTS + HYPOTHESES) / 3, "{refused}");
}

#[test]
fn damaged_templates_are_read_or_refused_with_a_place() {
    let mut random = Pcg64::seed_from_u64(SEED);
    let original = std::fs::read_to_string("sandbox/shop/template.yaml").unwrap();
    for _ in 0..TEMPLATES {
        let bytes = damage(&original, &mut random);
        match source(&bytes) {
            Ok(source) => {
                let (app, findings) = template::read(&source, &Deployment::default());
                consistent(&app, &findings, &bytes);
            }
            Err(findings) => sound(&findings, &bytes),
        }
    }
}

/// Ten levels of ten aliases each: ten thousand million nodes, if somebody counted.
fn laughs() -> String {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..10 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        text += &format!("a{level}: &a{level} [{aliases}]\n");
    }
    text
}

#[test]
fn bombs_are_refused() {
    let bombs = [
        ("aliases", laughs(), Code::Limit),
        ("brackets", "[".repeat(1 << 20), Code::Limit),
        ("braces", "{a: ".repeat(1 << 18), Code::Limit),
        ("dashes", "- ".repeat(1 << 19), Code::Limit),
        ("items", "- 1\n".repeat(1 << 18), Code::Limit),
        ("keys", (0..100_000).map(|key| format!("k{key}: 1\n")).collect(), Code::Limit),
        ("merges", format!("a: &a {{x: 1}}\nb:\n{}", "  <<: *a\n".repeat(100_000)), Code::Limit),
        ("a long text", "a".repeat(1 << 20), Code::WrongKind),
    ];
    for (name, text, code) in bombs {
        let (value, findings) = read::<Hypothesis>(text.as_bytes());
        assert!(value.is_none(), "{name}");
        assert_eq!(findings.iter().next().map(|finding| finding.code), Some(code), "{name}: {}", findings.count());
        sound(&findings, text.as_bytes());
    }
}

#[test]
fn a_file_full_of_mistakes_drowns_nobody() {
    let mistakes: String = (0..20_000).map(|key| format!("k{key}: 1\n")).collect();
    let (_, findings) = read::<Hypothesis>(format!("version: 1\n{mistakes}").as_bytes());
    assert!(findings.len() >= 1_000 && findings.has_errors());
    assert!(findings.render(Style::Plain).lines().count() < 1_000);
}

/// As many targets, faults and sentences as a file can have. Nothing here may take time by the square of them.
#[test]
fn a_very_large_experiment_is_checked() {
    let mut text = "version: 1\ntitle: x\nbecause: y\nbaseline: 5m\nrecovers_within: 5m\ntargets:\n".to_owned();
    (0..2_500).for_each(|n| text += &format!("  t{n}: {{ function: F }}\n"));
    text += "hypotheses:\n";
    (0..2_500).for_each(|n| text += &format!("  - throttles of u{n} < 5\n"));
    text += "faults:\n";
    (0..2_500).for_each(|n| {
        text += &format!("  - {{ inject: {{ lambda.throttle: {{ target: t{n}x, concurrency: 0 }} }}, for: 10m }}\n");
        text += &format!("  - {{ inject: {{ lambda.throttle: {{ target: t{n}, concurrency: 0 }} }}, for: 10m }}\n");
    });
    let (experiment, mut findings) = read(text.as_bytes());
    let experiment = experiment.expect("it reads");
    let files = ExperimentFiles {
        experiment,
        hypotheses: BTreeMap::new(),
        account: AccountName::sandbox(),
        inputs: BTreeMap::new(),
    };
    check::experiment(&files, &Project::default(), &BTreeMap::new(), &mut findings);
    assert!(findings.len() >= 1_000 && findings.has_errors());
}

#[test]
fn every_finding_of_a_tree_is_an_error_or_a_warning() {
    assert!(Code::ALL.iter().any(|code| code.severity() == Severity::Warning));
    let (tree, findings) = tree::parse(&Source::new("x.yaml", "a: [1, {b: c}]"));
    assert!(tree.is_some() && findings.is_empty());
    assert!(Source::open(Path::new("/no/such/file")).is_err());
}
