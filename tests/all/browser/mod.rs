//! The console in a real browser: a facilitator, a responder and a safety monitor walk through the shipped first game day, on the
//! sandbox and with the real binary. `tests/browser/setup.sh` fetches what this needs.

#![expect(clippy::unwrap_used, clippy::panic, reason = "these are tests")]

mod webdriver;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use serde_json::Value as Json;

use self::webdriver::{Browser, Driver};
use crate::kills::bench::{Bench, text, until};

/// Sizes of a phone and of a laptop.
const SIZES: [(u32, u32); 2] = [(390, 844), (1280, 900)];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where pictures are written.
fn picture(name: &str) -> PathBuf {
    root().join("target/test-logs").join(format!("{name}.png"))
}

/// A process that ends with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A project with the shipped first game day at work, and a console.
struct Stage {
    bench: Bench,
    /// The account before the day.
    before: BTreeMap<String, String>,
    day: Process,
    _console: Process,
    /// Such as `http://127.0.0.1:40123`.
    base: String,
    /// The link to the project's pages.
    project: String,
}

impl Stage {
    fn begin() -> Stage {
        let bench = Bench::new();
        let ran =
            bench.ended(&["run", "experiments/payment-worker-throttled.yaml", "--run-id", "run-1", "--pace", "max"]);
        assert!(ran.status.code().is_some_and(|code| code < 6), "{}", text(&ran.stderr));
        // Times that no machine is too slow for: the fault stays until somebody aborts, and nothing expires before.
        let held = bench.held("payment-worker-throttled.yaml");
        let mut runbook = std::fs::read_to_string(root().join("runbooks/first-game-day.md")).unwrap();
        let experiment = format!("experiment: {}", held.trim_end_matches(".yaml"));
        for (shipped, of_test) in
            [("experiment: payment-worker-throttled", experiment.as_str()), ("longest: 70m", "longest: 40h")]
        {
            assert!(runbook.contains(shipped), "{shipped}");
            runbook = runbook.replace(shipped, of_test);
        }
        for within in ["7m", "8m", "9m"] {
            runbook = runbook.replace(&format!("within: {within}"), "within: 20h");
        }
        std::fs::write(bench.folder.path().join("day.md"), runbook).unwrap();
        let before = bench.picture();
        let people = [
            "Fay=facilitator",
            "Grace=responder",
            "Ria=responder",
            "Sam=scribe",
            "Max=safety_monitor",
            "Olga=observer",
        ];
        let mut arguments =
            vec!["gameday", "run", "day.md", "--day-id", "day-1", "--pace", "60x", "--without-rehearsal"];
        people.iter().for_each(|person| arguments.extend(["--person", person]));
        let mut command = bench.squall(&arguments);
        // Its terminal is open, and nobody types there.
        let led = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let day = Process(led);
        until("the day is open", || bench.ended(&["gameday", "status"]).status.success());
        let mut command = bench.squall(&["console", "--http", "0", "--json"]);
        let mut console = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(console.stdout.take().unwrap()).lines();
        let link: Json = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        let project = link["link"].as_str().unwrap().to_owned();
        let base = project.split("/join/").next().unwrap().to_owned();
        Stage { bench, before, day, _console: Process(console), base, project }
    }

    /// The link of a person.
    fn link(&self, person: &str) -> String {
        let invited = self.bench.ended(&["gameday", "invite", "--name", person, "--url", &self.base]);
        assert!(invited.status.success(), "{}", text(&invited.stderr));
        text(&invited.stdout).trim().to_owned()
    }

    /// A browser that has joined.
    fn joined(&self, driver: &Driver, person: &str, flags: &[&str]) -> Browser {
        let browser = driver.browser(flags);
        browser.open(&self.link(person));
        browser.click("#join");
        until("the page of the day", || browser.url().ends_with("/days/day-1"));
        browser
    }
}

/// What axe-core finds against the page, in both sizes and both colours; nothing may be wider than the window either.
fn is_accessible(browser: &Browser, name: &str) {
    let axe = std::fs::read_to_string(root().join("target/browser/node_modules/axe-core/axe.min.js"))
        .unwrap_or_else(|error| panic!("axe-core: {error}; run tests/browser/setup.sh"));
    // 640 px are a laptop's page at 200 % zoom.
    for (width, height) in SIZES.into_iter().chain([(640, 450)]) {
        for scheme in ["light", "dark"] {
            browser.look(width, height, scheme);
            let found = browser.run_until_told(&format!(
                "{axe}; const done = arguments[arguments.length - 1];
                axe.run(document).then(result => done({{ passes: result.passes.length, violations:
                    result.violations.map(it => it.id + ': ' + it.nodes.map(node => node.html + ' ' + node.failureSummary).join(' | ')) }}));"
            ));
            assert_eq!(found["violations"], serde_json::json!([]), "{name} at {width} px, {scheme}");
            assert!(found["passes"].as_u64().unwrap() > 8, "{name}: axe looked at nothing");
            let wider = browser.run("return document.documentElement.scrollWidth - window.innerWidth");
            assert!(wider.as_i64().unwrap() <= 0, "{name} at {width} px is {wider} px too wide");
            browser.run("document.activeElement.blur(); document.getElementById('answer').textContent = ''; window.scrollTo(0, 0)");
            if width != 640 {
                browser.screenshot(&picture(&format!("console-{name}-{width}-{scheme}")));
            }
        }
    }
    browser.look(1280, 900, "light");
}

/// Tab reaches everything that can be used, in the order of the page, and what has the focus can be seen.
fn is_usable_by_keyboard(browser: &Browser, name: &str) {
    let all =
        "return [...document.querySelectorAll('a[href], button, input:not([type=hidden]), summary, [tabindex=\"0\"]')]
        .filter(it => it.checkVisibility()).length";
    browser.run("document.activeElement.blur(); window.reached = new Set(); window.scrollTo(0, 0)");
    let wanted = browser.run(all).as_u64().unwrap();
    for _ in 0..wanted + 5 {
        browser.press("\u{e004}");
        let seen = browser.run(
            "const it = document.activeElement; if (it === document.body) return 'body';
            window.reached.add(it); const style = getComputedStyle(it);
            return style.outlineStyle === 'none' || parseFloat(style.outlineWidth) < 2 ? it.outerHTML : ''",
        );
        if seen == "body" {
            continue;
        }
        assert_eq!(seen, "", "{name}: the focus cannot be seen");
    }
    let reached = browser.run("return window.reached.size").as_u64().unwrap();
    assert!(reached >= wanted && wanted > 3, "{name}: {reached} of {wanted} are reached by Tab");
}

/// What the first load took, in bytes and milliseconds, and how far the page moved while it was built.
fn first_load(browser: &Browser) -> (u64, f64, f64) {
    let all =
        "const all = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]";
    let bytes = browser.run(&format!("{all}; return all.reduce((sum, it) => sum + it.transferSize, 0)"));
    let took = browser.run("return performance.getEntriesByType('navigation')[0].loadEventEnd");
    let moved = browser.run_until_told(
        "const done = arguments[0]; let moved = 0; new PerformanceObserver(list => list.getEntries().forEach(it => moved += it.value))
            .observe({ type: 'layout-shift', buffered: true }); setTimeout(() => done(moved), 100)",
    );
    (bytes.as_u64().unwrap(), took.as_f64().unwrap(), moved.as_f64().unwrap())
}

#[test]
fn three_people_walk_through_the_first_game_day() {
    let mut stage = Stage::begin();
    let driver = Driver::begin();

    // The link's page, which changes nothing: it is opened twice.
    let facilitator = driver.browser(&[]);
    let link = stage.link("Fay");
    facilitator.open(&link);
    facilitator.open(&link);
    is_accessible(&facilitator, "join");
    facilitator.click("#join");
    until("the facilitator's page", || facilitator.url().ends_with("/days/day-1"));
    let (bytes, took, moved) = first_load(&facilitator);
    println!("NOTE: first load of the facilitator's page: {bytes} bytes, {took:.0} ms, layout shift {moved}");
    assert!(bytes < 100_000, "{bytes} bytes");
    assert!(moved < 0.001, "the page moved by {moved}");
    let responder = stage.joined(&driver, "Grace", &[]);
    let safety = stage.joined(&driver, "Max", &[]);
    let scribe = stage.joined(&driver, "Sam", &[]);
    responder.until_it_says("Live");

    // To the scenario: briefing, checks, go.
    facilitator.until_it_says("Briefing");
    facilitator.click("#do-next");
    facilitator.until_it_says("Go through the checks");
    facilitator.click("#checks button");
    facilitator.click("#do-next");
    facilitator.click("#do-go");
    facilitator.until_it_says("Not every check is ok");
    facilitator.type_into("#text-go", "a test\u{e007}");
    facilitator.until_it_says("Begin the next scenario");
    facilitator.click("#do-next");
    responder.until_it_says("The scenario has begun");
    facilitator.until_it_says("has a fault in place that works since");
    responder.until_it_says("Scenarios");
    assert!(!responder.text().contains("The fault works now"));

    // People say what they see; everybody who may gets it, and no page is loaded again.
    facilitator.run("window.same = true");
    responder.run("window.same = true");
    responder.click("#say-noticed");
    responder.click("#say-command");
    responder.type_into("#text-say-cause", "no concurrency is left");
    responder.click("button[value='say cause']");
    facilitator.until_it_says("The cause is: no concurrency is left");
    scribe.type_into("#note", "Grace looks at the worker\u{e007}");
    facilitator.until_it_says("Grace looks at the worker");
    facilitator.click("#do-confirm-cause");
    facilitator.until_it_says("cause succeeded, says Fay: The team");
    facilitator.click("#do-hint");
    responder.until_it_says("Where do orders wait");
    assert_eq!(
        (facilitator.run("return window.same"), responder.run("return window.same")),
        (true.into(), true.into())
    );
    assert!(!responder.text().contains("Grace looks at the worker"), "notes are not for responders");
    // What is not possible is said on the page.
    facilitator.type_into("#typed", "release nothing-of-this-name\u{e007}");
    facilitator.until_it_says("Not possible now");

    for (browser, name) in
        [(&facilitator, "facilitator"), (&responder, "responder"), (&safety, "safety"), (&scribe, "scribe")]
    {
        is_accessible(browser, name);
        is_usable_by_keyboard(browser, name);
    }

    // The safety monitor aborts where no script runs, so that no stream does either.
    let bare = stage.joined(&driver, "Max", &["--blink-settings=scriptEnabled=false"]);
    bare.click("#abort");
    facilitator.until_it_says("ABORTED by Max");
    responder.until_it_says("Aborted by Max");
    facilitator.until_it_says("Ask the questions while it is fresh");
    facilitator.click("#do-next");
    facilitator.until_it_says("Who does what, until when?");
    facilitator.click("#do-next");
    facilitator.until_it_says("Thank everybody");
    until("the day's process ends", || stage.day.0.try_wait().unwrap().is_some());
    assert_eq!(stage.bench.picture(), stage.before, "everything is as it was");
}

#[test]
fn the_pages_of_a_project_have_no_barriers() {
    let stage = Stage::begin();
    let driver = Driver::begin();
    let browser = driver.browser(&[]);
    browser.open(&stage.project);
    browser.click("#join");
    until("the project's page", || browser.url().ends_with("/console"));
    for (path, name) in [
        ("/console", "runs"),
        ("/console/runs/run-1", "run"),
        ("/console/schedules", "calendar"),
        ("/console/board", "board"),
    ] {
        browser.open(&format!("{}{path}", stage.base));
        assert!(!browser.text().contains("There is no such page"), "{path}");
        is_accessible(&browser, name);
        is_usable_by_keyboard(&browser, name);
    }
}
