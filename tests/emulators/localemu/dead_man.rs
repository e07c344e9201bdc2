//! The dead-man switch as a run arms it: squall is killed with its fault in place, and the state machine, deployed from squall's
//! own template, rolls back, alone or at the same moment as `squall undo`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use aws_sdk_sqs::types::QueueAttributeName;

use crate::account::{Account, pause, until};
use crate::emulator::localemu;
use crate::proxy::Proxy;
use crate::shop::Shop;
use crate::squall::{Ended, Project};

/// `squall undo` begins at so many moments around the one at which the switch wakes, half a second apart. More at a time keep the
/// emulator from answering the tests beside this one.
const RACES: u32 = 6;
const APART: Duration = Duration::from_millis(500);
/// Runs whose store is deleted as well: nothing but the switch can roll them back.
const ALONE: u32 = 1;
/// So many runs at a time are under way to their fault: each look at a queue must be answered within its window of ten seconds.
const AT_A_TIME: usize = 3;
/// When switches wake in place of the latest end of their runs, which is half an hour away. A slow machine must have put its fault in
/// by then.
const WAKES: Duration = Duration::from_secs(150);
/// The delay of every queue from before, and as the fault makes it.
const BEFORE: &str = "3";
const DURING: &str = "45";

fn name(number: u32) -> String {
    format!("dead-man-{number}")
}

fn experiment(queue: &str) -> String {
    format!(
        "version: 1\ntitle: {queue} may be late\nbecause: Its consumer can wait.\n\
         targets: {{ late: {{ queue: {queue} }} }}\n\
         hypotheses: [ {{ signal: depth of late stays at 0, every: 10s }} ]\nbaseline: 10s\n\
         faults: [ {{ inject: {{ sqs.delay: {{ target: late, delay: {DURING}s }} }}, at: 0m, for: 10m }} ]\n\
         recovers_within: 1m\nguards: {{ longest: 30m }}\n"
    )
}

/// Deploys the switch for all of the queues from the template that squall prints.
fn deploy(account: &Account, project: &Project) {
    let files: Vec<String> = (0..RACES + ALONE + 1)
        .map(|number| project.write(&format!("experiments/{}.yaml", name(number)), &experiment(&name(number))))
        .collect();
    let files = files.iter().map(String::as_str);
    let template =
        project.ended(&[&["dead-man", "template"], files.collect::<Vec<_>>().as_slice()].concat()).expect(0).out;
    Shop::deploy_template::<&str>(account, "squall-dead-man", &template, &[]);
}

fn delay(account: &Account, queue: &str) -> String {
    let url = account.wait(account.sqs.get_queue_url().queue_name(queue).send()).unwrap().queue_url.unwrap();
    let get = account.sqs.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::DelaySeconds);
    let found = account.wait(get.send()).unwrap();
    found.attributes().unwrap()[&QueueAttributeName::DelaySeconds].clone()
}

fn set_delay(account: &Account, queue: &str, delay: &str) {
    let url = account.wait(account.sqs.get_queue_url().queue_name(queue).send()).unwrap().queue_url.unwrap();
    let set = account.sqs.set_queue_attributes().queue_url(url).attributes(QueueAttributeName::DelaySeconds, delay);
    account.wait(set.send()).unwrap();
}

/// squall's locks on the queues of this test.
fn locks(account: &Account) -> Vec<String> {
    let (mut token, mut locks) = (None, Vec::new());
    loop {
        let page = account.ssm.get_parameters_by_path().path("/squall/marks/queue").recursive(true);
        let page = account.wait(page.set_next_token(token).send()).unwrap();
        locks.extend(page.parameters().iter().filter_map(|lock| lock.name().map(str::to_owned)));
        locks.retain(|lock| lock.contains("/dead-man-"));
        token = page.next_token().map(str::to_owned);
        if token.is_none() {
            return locks;
        }
    }
}

/// A project with a switch for every fault, whose switches wake early.
fn project(account: &Account, proxy: &Proxy) -> Project {
    let project = Project::new(account);
    project.configure(|yaml| yaml.replace("dead_man: none", "dead_man: required").replace(&account.url, &proxy.url));
    project
}

/// A run with its fault in place, then killed. Gives back its name, and when its switch wakes.
fn killed(account: &Account, proxy: &Proxy, project: &Project, queue: &str) -> (String, SystemTime) {
    let file = project.write(&format!("experiments/{queue}.yaml"), &experiment(queue));
    let _turn = turn();
    let mut run = project.run(&file);
    let armed = run.until("armed");
    run.until_all_is_changed();
    run.kill();
    let name = armed.line["run"].as_str().unwrap().to_owned();
    let wakes = proxy.wakes(&name).unwrap();
    assert!(now() < wakes, "{queue}: the fault went in too late for this test: {}", run.story());
    assert_eq!(delay(account, queue), DURING, "{queue}");
    (name, wakes)
}

/// Waits until fewer than [`AT_A_TIME`] runs are under way.
fn turn() -> MutexGuard<'static, ()> {
    static TURNS: [Mutex<()>; AT_A_TIME] = [const { Mutex::new(()) }; AT_A_TIME];
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let turn = &TURNS[NEXT.fetch_add(1, Ordering::SeqCst) % AT_A_TIME];
    turn.lock().unwrap_or_else(PoisonError::into_inner)
}

#[expect(clippy::disallowed_methods, reason = "emulators live in real time")]
fn now() -> SystemTime {
    SystemTime::now()
}

fn sleep_until(time: SystemTime) {
    pause(time.duration_since(now()).unwrap_or_default());
}

#[test]
fn the_switch_rolls_back_what_a_dead_machine_left() {
    let account = Account::new(localemu());
    for number in 0..RACES + ALONE + 1 {
        account.wait(account.sqs.create_queue().queue_name(name(number)).send()).unwrap();
        set_delay(&account, &name(number), BEFORE);
    }
    let proxy = Proxy::before(&account.url, 1, Default::default());
    proxy.switches_wake_after(WAKES);
    let template = project(&account, &proxy);
    deploy(&account, &template);
    let doctor = template.ended(&["doctor"]);
    assert!(doctor.out.contains("deployed and current"), "{}\n{}", doctor.out, doctor.err);

    let undone: BTreeMap<u32, Ended> = std::thread::scope(|scope| {
        let (url, id, proxy) = (&account.url, &account.id, &proxy);
        let racing = (0..RACES).map(|number| {
            scope.spawn(move || {
                let (account, queue) = (Account::at(url, id), name(number));
                let project = project(&account, proxy);
                let (run, wakes) = killed(&account, proxy, &project, &queue);
                sleep_until(wakes + APART * number - APART * (RACES / 2));
                // From the journal, or from the locks as another machine would.
                let undone = if number % 2 == 0 {
                    project.ended(&["undo"])
                } else {
                    std::fs::remove_dir_all(project.store()).unwrap();
                    project.ended(&["undo", &run, "--account", "emulated", "--take-over", "--yes"])
                };
                (number, undone)
            })
        });
        let racing: Vec<_> = racing.collect();
        let alone = (RACES..RACES + ALONE).map(|number| {
            scope.spawn(move || {
                let (account, queue) = (Account::at(url, id), name(number));
                let project = project(&account, proxy);
                killed(&account, proxy, &project, &queue);
                std::fs::remove_dir_all(project.store()).unwrap();
                until("the switch restores the delay", || (delay(&account, &queue) == BEFORE).then_some(()));
            })
        });
        let alone: Vec<_> = alone.collect();
        let foreign = scope.spawn(move || {
            let (account, queue) = (Account::at(url, id), name(RACES + ALONE));
            let project = project(&account, proxy);
            let (_, wakes) = killed(&account, proxy, &project, &queue);
            set_delay(&account, &queue, "7");
            sleep_until(wakes);
            (project, queue)
        });
        alone.into_iter().for_each(|alone| alone.join().unwrap());
        let undone = racing.into_iter().map(|race| race.join().unwrap()).collect();
        // What a third party set is left alone, and the lock stays for a person to see.
        let (project, queue) = foreign.join().unwrap();
        until("all but the lock on what others changed are gone", || {
            let locks = locks(&account);
            (locks.len() == 1 && locks[0].ends_with(&queue)).then_some(())
        });
        assert_eq!(delay(&account, &queue), "7");
        let left = project.ended(&["undo"]).expect(6);
        assert!(left.out.contains(&queue), "{}", left.out);
        assert_eq!(delay(&account, &queue), "7");
        undone
    });
    for (number, undone) in &undone {
        assert_eq!(undone.code, 0, "{}: {}\n{}", name(*number), undone.out, undone.err);
        assert_eq!(delay(&account, &name(*number)), BEFORE, "{}", name(*number));
    }
    let by_the_switch = undone.values().filter(|undone| undone.out.contains("acted before it was stopped")).count();
    println!(
        "NOTE: the dead-man switch: {RACES} races with an undo, {by_the_switch} of which the switch was first; {ALONE} stores deleted"
    );
}
