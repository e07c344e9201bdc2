//! The shipped experiments in seconds instead of minutes.

use regex::Regex;

use crate::day::{Day, SHOPPERS_ALARM};
use crate::picture::picture;
use crate::shop::Shop;
use crate::squall::{Project, Running, shipped};

/// How long a fault stays in that a test ends itself, once it has seen enough: longer than any machine takes to show that.
pub const UNTIL_ENDED: &str = "20m";

/// Writes a shipped experiment into a project, with short times and otherwise the same, and the hypotheses beside it; gives
/// back its file's name. Each fault stays in for so long; the baseline is followed by two minutes for late metrics anyhow.
pub fn shipped_in(project: &Project, name: &str, stays: &str) -> String {
    let file = format!("experiments/{name}.yaml");
    let original = shipped(&file);
    let mut text = original.clone();
    for (key, time) in [("baseline: ", "10s"), ("  for: ", stays), ("recovers_within: ", "20s")] {
        assert!(text.contains(key), "{file} has no `{key}`");
        text = timed(key).replace_all(&text, format!("${{1}}{time}")).into_owned();
    }
    // A second fault comes while the first is in.
    text = Regex::new("(  at: )[1-9][0-9]*[a-z]+").unwrap().replace_all(&text, "${1}10s").into_owned();
    let span = Regex::new(r"(?-u:\b)[0-9]+(ms|s|m|h)(?-u:\b)").unwrap();
    assert_eq!(span.replace_all(&text, "TIME"), span.replace_all(&original, "TIME"), "only times may differ");
    for (name, text) in hypotheses() {
        project.write(&format!("hypotheses/{name}.yaml"), &text);
    }
    project.write(&file, &text)
}

/// An ordinary day in the shop with a run of a shipped experiment in it. Its faults stay in until `seen` ends them with
/// [`Running::end_the_faults`], and the run is interrupted when it returns. That early nothing can be known, so it ends unknown; and the account is as it was, to the byte.
pub fn in_a_run_of(name: &str, shop: &Shop<'_>, seen: impl FnOnce(&Day<'_>, &mut Running)) {
    let project = Project::new(shop.account);
    let file = shipped_in(&project, name, UNTIL_ENDED);
    let before = picture(shop.account);
    Day::with(shop, |day| {
        let mut run = project.run(&file);
        seen(day, &mut run);
        let (status, err) = run.interrupt();
        assert_eq!(status.code(), Some(5), "{}\n{err}", run.story());
    });
    assert_eq!(picture(shop.account), before);
}

/// What a key says of a time.
fn timed(key: &str) -> Regex {
    Regex::new(&format!("({})[0-9a-z]+", regex::escape(key))).unwrap()
}

/// The shipped hypotheses, as far as MiniStack can measure them: counts of queues and states of alarms. It has no metrics
/// of apis and queues, and those of functions are wrong.
fn hypotheses() -> [(&'static str, String); 4] {
    let one = |title: &str, signals: &str, rest: &str| {
        format!(
            "version: 1\ntitle: {title}\nbecause: It is what can be seen here.\nsignals:\n{signals}every: 10s\n{rest}"
        )
    };
    let shoppers = format!("  - alarm {SHOPPERS_ALARM} stays quiet\n");
    let lost = "  - depth of OrdersDeadLetters stays at 0\n";
    let told = "  - depth of NotificationDeadLetters stays at 0\n";
    [
        ("shoppers-can-order", one("Shoppers can order", &shoppers, "")),
        ("no-order-is-lost", one("No order is lost", lost, "")),
        ("customers-are-told", one("Customers are told", told, "")),
        (
            "payments-are-taken",
            one("Payments are taken in time", "  - depth of OrdersQueue is at most 5\n", "during_fault: may_break\n"),
        ),
    ]
}
