//! Hostile names: whatever anybody wrote into names, titles, messages, locks and tags, no output takes it for its own. A terminal
//! does nothing on it, a shell runs nothing of it, a page and a comment show it as text.

#![expect(clippy::unwrap_used, clippy::panic, reason = "these are tests")]

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;

use squall::account::sandbox::{Opening, Pace, Sandbox, Weather, shop};
use squall::account::{Call, CallError, Location, Resource, ResourceKind, Setting, Value, Write, ask};
use squall::env::RealEnv;
use squall::ids::RunId;
use squall::judge::verdict::Verdict;
use squall::plan::{Change, ChangeId, Plan};
use squall::planner::show;
use squall::run::event::{Event, Left, Recorded, Settled, Stop, WriteOutcome};
use squall::run::lock::{Lock, LockedChange};
use squall::store::Store as _;
use squall::store::sqlite::SqliteStore;
use squall::units::{Span, Time};

use crate::engine::{family, shipped};
use crate::kills::bench::{Bench, text};

/// Everything at once: cursor, colour, title and hidden text, turned text, a line of its own, a shell, HTML, Markdown.
const NASTY: &str = "x'\"; touch PWNED; $(touch PWNED)`touch PWNED`\u{1b}[2J\u{1b}[8m\u{1b}]0;title\u{7}\u{9b}31m\u{7f}\u{202e}\rback\nFORGED \
                     line\n# heading <script>alert(1)</script><img src=x onerror=alert(1)> [link](https://evil.example) \
                     https://evil.example www.evil.example @org/team *bold* | ``` ]]> &amp;";

/// The same without what no file of YAML may hold.
fn typed() -> String {
    NASTY.chars().filter(|c| !c.is_control() && *c != '\u{202e}').collect()
}

fn nasty_resource(kind: ResourceKind) -> Resource {
    Resource::new(&Location::sandbox(), kind, NASTY)
}

/// One setting of each kind, with hostile names, changed to a hostile text where it holds one.
fn nasty_changes() -> Vec<Change> {
    let mut changes = Vec::new();
    for mut sample in Setting::samples(&nasty_resource) {
        match &mut sample.setting {
            Setting::RolePolicy { policy, .. } => *policy = NASTY.into(),
            Setting::FaultFlag { key, .. } => *key = NASTY.into(),
            Setting::Variables { prefix, .. } => *prefix = NASTY.into(),
            _ => {}
        }
        for (before, after) in [(Value::Unset, sample.value.clone()), (sample.value.clone(), Value::Text(NASTY.into()))]
        {
            changes.push(Change {
                setting: sample.setting.clone(),
                before,
                after,
                whole_before: sample.whole.clone(),
                expires: None,
                takes_effect_within: Span::ZERO,
                lasts_after: Span::ZERO,
            });
        }
    }
    changes
}

/// A plan in which everything that comes from outside is hostile.
fn nasty_plan() -> Plan {
    let mut plan =
        shipped::plans(1).into_iter().find(|plan| !plan.signals.is_empty() && !plan.steps.is_empty()).unwrap();
    plan.run = RunId("run-1".into());
    plan.title = NASTY.into();
    plan.because = NASTY.into();
    plan.file = format!("experiments/{NASTY}.yaml");
    plan.warnings.push(NASTY.into());
    for signal in &mut plan.signals {
        signal.title = NASTY.into();
        signal.hypothesis = NASTY.into();
        signal.query.resource.name = NASTY.into();
    }
    for step in &mut plan.steps {
        step.summary = NASTY.into();
        step.evidence.expect = NASTY.into();
        step.hits = vec![nasty_resource(ResourceKind::Function)];
        step.changes.clear();
    }
    plan.changes = (1..).map(ChangeId).zip(nasty_changes()).collect();
    plan.watches = vec![nasty_resource(ResourceKind::Queue)];
    plan
}

/// A run that ended with something left, and says so in hostile words.
fn nasty_run() -> Vec<Recorded> {
    let plan = nasty_plan();
    let ids: Vec<ChangeId> = plan.changes.keys().copied().collect();
    let refused = WriteOutcome::Refused(CallError::Unknown(NASTY.into()));
    let mut events = vec![Event::Started { plan: Box::new(plan), by: NASTY.into(), version: NASTY.into() }];
    for change in ids {
        events.push(Event::Changing { change });
        events.push(Event::Changed { change, outcome: WriteOutcome::Unknown(NASTY.into()) });
        events.push(Event::Restoring { change, found: Value::Text(NASTY.into()) });
        events.push(Event::Restored { change, outcome: refused.clone() });
        let found = Value::Text(NASTY.into());
        let how = match change.0 % 3 {
            0 => Settled::Theirs { found },
            1 => Settled::Left { why: NASTY.into() },
            _ => Settled::Contested { found: found.clone(), other: found },
        };
        events.push(Event::Settled { change, how });
    }
    events.push(Event::Blind { what: NASTY.into(), since: family::start(), why: NASTY.into() });
    events.push(Event::Hindered { why: NASTY.into() });
    events.push(Event::Stopping { why: Stop::Asked { by: NASTY.into() } });
    let left = Left { resource: nasty_resource(ResourceKind::Queue), what: NASTY.into(), remedy: NASTY.into() };
    events.push(Event::Closed { verdict: Verdict::unknown(NASTY), left: vec![left] });
    let at = |seq: u64| family::start() + Span::from_secs(i64::try_from(seq).unwrap());
    (1..).zip(events).map(|(seq, event)| Recorded { seq, at: at(seq), event }).collect()
}

/// What a terminal is given: nothing that it acts on, and no line that the text made up.
fn terminal(what: &str, said: &str) {
    quiet(what, said);
    let forged: Vec<&str> = said.lines().filter(|line| line.trim_start().starts_with("FORGED")).collect();
    assert!(forged.is_empty(), "{what}: a line of its own: {forged:?}");
}

/// No character that a terminal or a reader acts on.
fn quiet(what: &str, said: &str) {
    let acted = |c: char| (c.is_control() && c != '\n' && c != '\t') || ('\u{202a}'..='\u{202e}').contains(&c);
    assert!(!said.contains(acted), "{what}: {:?}", said.chars().filter(|c| acted(*c)).collect::<String>());
}

fn json(what: &str, said: &str) {
    terminal(what, said);
    for line in said.lines().filter(|line| line.starts_with('{')) {
        if let Err(error) = serde_json::from_str::<serde_json::Value>(said).or_else(|_| serde_json::from_str(line)) {
            panic!("{what}: {error}");
        }
    }
}

fn markdown(what: &str, said: &str) {
    use pulldown_cmark::{Event as Piece, Options, Parser, Tag};
    terminal(what, said);
    let mut code = false;
    for piece in Parser::new_ext(said, Options::all()) {
        match &piece {
            Piece::Html(html) | Piece::InlineHtml(html) => assert!(html.contains("details>"), "{what}: {html}"),
            Piece::Start(Tag::Link { .. } | Tag::Image { .. } | Tag::Emphasis) => panic!("{what}: {piece:?}"),
            Piece::Start(Tag::CodeBlock(_)) => code = true,
            Piece::End(pulldown_cmark::TagEnd::CodeBlock) => code = false,
            // A forge notifies whoever is mentioned, and makes links of addresses, in what is no code.
            Piece::Text(text) if !code => {
                for live in ["@org", "https://evil", "www.evil"] {
                    assert!(!text.contains(live), "{what}: {live} in {text}");
                }
            }
            _ => {}
        }
    }
}

fn html(what: &str, said: &str) {
    let said = said.replace("http://www.w3.org/2000/svg", "");
    for live in ["<script", "<img", "href=", "src=x onerror=alert(1)>", "\u{1b}", "\u{9b}", "\u{202e}"] {
        assert!(!said.contains(live), "{what}: {live}");
    }
}

/// A project whose journal is hostile, and whose sandbox has hostile locks.
fn bench() -> Bench {
    let bench = Bench::new();
    bench.picture();
    let run = RunId("run-1".into());
    let mut store = SqliteStore::open(&bench.state()).unwrap();
    let epoch = store.create(&run, NASTY).unwrap();
    store.append(&run, epoch, &nasty_run()).unwrap();
    store.set_halt(Some(NASTY)).unwrap();
    let start: Time = family::start();
    let opening = Opening { seed: 7, start, identity: 7, pace: Pace::Max, weather: Weather::calm() };
    let path = bench.state().join("sandbox.db");
    let mut sandbox = Sandbox::open(&path, &shop(), opening, Arc::new(RealEnv)).unwrap();
    let location = sandbox.location().clone();
    let on = |kind, name: &str| Resource::new(&location, kind, name);
    let function = on(ResourceKind::Function, "shop-payment-worker");
    let lock = Lock {
        run: RunId("run-2".into()),
        title: NASTY.chars().take(150).collect(),
        by: NASTY.chars().take(150).collect(),
        made_at: start,
        latest_end: start,
        lease: Some(Span::from_mins(3)),
        changes: vec![LockedChange {
            setting: Setting::ReservedConcurrency { function: function.clone() },
            before: Value::Unset,
            after: Value::Number(0),
            whole_before: None,
        }],
        sends: Vec::new(),
    };
    let queue = on(ResourceKind::Queue, NASTY);
    for (resource, text) in [(function.clone(), lock.text(&function)), (queue, NASTY.to_owned())] {
        let write = Write { setting: Setting::Lock { resource }, value: Value::Text(text), whole: None };
        ask(&mut sandbox, Call::Write(write)).unwrap();
    }
    bench
}

#[test]
fn no_output_takes_a_hostile_text_for_its_own() {
    let bench = bench();
    let said = |arguments: &[&str]| {
        let mut command = bench.squall(arguments);
        let ended = command.env("SQUALL_WHO", NASTY.replace('\0', "")).output().unwrap();
        (text(&ended.stdout), text(&ended.stderr))
    };
    let file = "experiments/hostile.yaml";
    let shipped =
        std::fs::read_to_string(bench.folder.path().join("experiments/payment-worker-throttled.yaml")).unwrap();
    let quoted = typed().replace('\'', "''");
    let (_, rest) = shipped.split_once("\ntargets:").unwrap();
    let written = format!("version: 1\ntitle: '{quoted}'\nbecause: '{quoted}'\n\ntargets:{rest}");
    std::fs::write(bench.folder.path().join(file), written).unwrap();
    let words: [&[&str]; 12] = [
        &["status"],
        &["status", "--all"],
        &["log", "run-1"],
        &["undo"],
        &["undo", "run-1", "--change", "2"],
        &["undo", "--account", "sandbox"],
        &["undo", "--account", "sandbox", "--yes", "--pace", "max"],
        &["acknowledge", "run-1", "--reason", NASTY],
        &["halt"],
        &["check", file],
        &["plan", file],
        &["doctor"],
    ];
    let mut printed = BTreeMap::new();
    for arguments in words {
        let (out, err) = said(arguments);
        let what = arguments[..arguments.len().min(3)].join(" ");
        // A command to be pasted keeps the lines of its values, in quotes.
        terminal(&what, out.split("  by hand").next().unwrap());
        terminal(&what, &err);
        printed.insert(what, out + &err);
    }
    // The texts were there to be printed.
    for (what, shown) in
        [("status", "touch PWNED"), ("log run-1", "touch PWNED"), ("plan experiments/hostile.yaml", "touch PWNED")]
    {
        assert!(printed[what].contains(shown), "{what}: {}", printed[what]);
    }
    for arguments in [
        &["status", "--json"][..],
        &["log", "run-1", "--json"],
        &["undo", "run-1", "--change", "2", "--json"],
        &["plan", file, "--json"],
        &["report", "run-1", "--format", "json"],
    ] {
        json(&arguments.join(" "), &said(arguments).0);
    }
    markdown("report", &said(&["report", "run-1", "--format", "markdown"]).0);
    markdown("plan", &said(&["plan", file, "--markdown", "-"]).0);
    html("report", &said(&["report", "run-1", "--format", "html"]).0);
    said(&["plan", file, "--html", "plan.html"]);
    html("plan", &std::fs::read_to_string(bench.folder.path().join("plan.html")).unwrap());
    let junit = said(&["report", "run-1", "--format", "junit"]).0;
    // A line break in an attribute is a blank.
    quiet("junit", &junit);
    roxmltree::Document::parse(&junit).unwrap();
    assert!(!bench.folder.path().join("PWNED").exists());
}

/// Every printed command is run by a shell that has an `aws` and a `jq` that do nothing: nothing else may happen.
#[test]
fn a_printed_command_runs_nothing_but_aws() {
    let folder = tempfile::tempdir().unwrap();
    let bin = folder.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    for name in ["aws", "jq"] {
        use std::os::unix::fs::PermissionsExt as _;
        let path = bin.join(name);
        std::fs::write(&path, "#!/bin/sh\nexit 0\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let plan = nasty_plan();
    let commands = [show::commands_do(&plan), show::commands_undo(&plan)].concat();
    assert!(commands.len() > 20, "{}", commands.len());
    let path = format!("{}:/usr/bin:/bin", bin.display());
    for command in commands {
        let ended = Command::new("sh")
            .args(["-c", &command])
            .env_clear()
            .env("PATH", &path)
            .current_dir(folder.path())
            .output();
        let ended = ended.unwrap();
        assert!(!folder.path().join("PWNED").exists(), "{command}");
        assert!(text(&ended.stderr).is_empty(), "{command}\n{}", text(&ended.stderr));
    }
}
