//! Two squalls on two stores aim at one function: one has it, the other is refused and says who has it.

use crate::account::Account;
use crate::day::Day;
use crate::emulator::ministack;
use crate::picture::picture;
use crate::shop::Shop;
use crate::short::{UNTIL_ENDED, shipped_in};
use crate::squall::{Event, Project};

#[test]
fn one_has_the_function_and_the_other_is_refused() {
    let account = Account::new(ministack());
    let shop = Shop::deploy(&account);
    Day::off(&shop);
    let before = picture(&account);
    let [ana, ben] = [(); 2].map(|()| Project::new(&account));
    let file = shipped_in(&ana, "payment-worker-throttled", UNTIL_ENDED);
    shipped_in(&ben, "payment-worker-throttled", UNTIL_ENDED);

    // Both planned before either had locked anything; whoever comes second at the end of the baseline finds the lock.
    let mut runs = [(&ana, "run-of-ana"), (&ben, "run-of-ben")]
        .map(|(project, id)| project.begin(&["run", &file, "--yes", "--seed", "7", "--run-id", id]));
    let decided = |event: &Event| event.name == "step_begins" || event.name == "stopping";
    let began = runs.each_mut().map(|run| run.until_event("step_begins or stopping", decided).name == "step_begins");
    assert_eq!(began.iter().filter(|began| **began).count(), 1, "one of two has it");
    let (one, two) = if began[0] { (0, 1) } else { (1, 0) };
    let has_it = ["run-of-ana", "run-of-ben"][one];

    let (status, err) = runs[two].rest();
    assert_eq!(status.code(), Some(5), "{}\n{err}", runs[two].story());
    assert!(runs[two].reasons().contains(&format!("locked by {has_it}")), "{}", runs[two].reasons());

    // A third one is refused at its plan already.
    let carl = Project::new(&account);
    shipped_in(&carl, "payment-worker-throttled", UNTIL_ENDED);
    let refused = carl.ended(&["run", &file, "--yes"]).expect(3);
    assert!(refused.err.contains(has_it), "{}", refused.err);

    runs[one].end_the_faults();
    let (status, err) = runs[one].rest();
    assert_eq!(status.code(), Some(5), "{}\n{err}", runs[one].story());
    assert_eq!(picture(&account), before, "nothing stacked");
}
