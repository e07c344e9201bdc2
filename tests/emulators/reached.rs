//! How an account is reached: the right one or none, through a role, with which permissions; and what doctor says of it.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value as Json, json};

use crate::account::Account;
use crate::emulator::ministack;
use crate::picture::picture;
use crate::shop::Shop;
use crate::squall::{Ended, Project, shipped};

const EXPERIMENT: &str = "experiments/payment-worker-throttled.yaml";

/// A user of the account with one inline policy, and its keys.
fn user(account: &Account, name: &str, policy: &Json) -> (String, String) {
    let iam = &account.iam;
    account.wait(iam.create_user().user_name(name).send()).unwrap();
    let put = iam.put_user_policy().user_name(name).policy_name("all").policy_document(policy.to_string());
    account.wait(put.send()).unwrap();
    let made = account.wait(iam.create_access_key().user_name(name).send()).unwrap();
    let key = made.access_key().unwrap();
    (key.access_key_id().to_owned(), key.secret_access_key().to_owned())
}

fn allow(action: &str) -> Json {
    json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": action, "Resource": "*" }] })
}

/// A project with the experiment and its hypotheses.
fn project(account: &Account) -> Project {
    let project = Project::new(account);
    for file in ["shoppers-can-order", "no-order-is-lost", "payments-are-taken"] {
        let file = format!("hypotheses/{file}.yaml");
        project.write(&file, &shipped(&file));
    }
    project.write(EXPERIMENT, &shipped(EXPERIMENT));
    project
}

/// The rows of `squall doctor --json` as (what, finding, detail).
fn rows(ended: &Ended) -> Vec<(String, String, String)> {
    let json: Json = serde_json::from_str(&ended.out).unwrap();
    let text = |row: &Json, key: &str| row[key].as_str().unwrap().to_owned();
    let rows = json["checks"].as_array().unwrap().iter();
    rows.map(|row| (text(row, "what"), text(row, "finding"), text(row, "detail"))).collect()
}

#[track_caller]
fn row<'a>(rows: &'a [(String, String, String)], what: &str) -> (&'a str, &'a str) {
    let found = rows.iter().find(|row| row.0 == what);
    found.map(|(_, finding, detail)| (finding.as_str(), detail.as_str())).unwrap_or_else(|| panic!("{what}: {rows:?}"))
}

#[test]
fn another_account_is_refused_before_anything_is_asked_of_it() {
    let account = Account::new(ministack());
    let shop = Shop::deploy(&account);
    let project = project(&account);
    let (url, asked) = listening_before(&account.url);
    let other = "999988887777";
    project.configure(|yaml| yaml.replace(&account.url, &url).replace(&account.id, other));
    let before = picture(&account);
    for (arguments, code) in [
        (&["plan", EXPERIMENT][..], 3),
        (&["run", EXPERIMENT, "--yes"], 3),
        (&["policy", EXPERIMENT], 3),
        // A rollback cannot tell what may be left, which is the worst.
        (&["undo", "--account", "emulated"], 6),
    ] {
        let ended = project.ended(arguments).expect(code);
        let said = format!("has the id {other}, but its credentials belong to {}", account.id);
        assert!(ended.err.contains(&said), "{arguments:?}: {}", ended.err);
    }
    let doctor = project.ended(&["doctor", "--json"]).expect(3);
    assert_eq!(row(&rows(&doctor), "identity").0, "not_well");
    let asked = asked.lock().unwrap().clone();
    assert!(asked.len() >= 5 && asked.iter().all(|service| service == "sts"), "{asked:?}");
    assert_eq!(picture(&account), before);
    drop(shop);
}

/// Without its time-outs a call would wait for ever, and so would this test.
#[test]
fn a_server_that_stays_silent_is_given_up() {
    let account = Account::new(ministack());
    let project = project(&account);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    project.configure(|yaml| yaml.replace(&account.url, &url));
    let doctor = project.ended(&["doctor", "--json"]).expect(3);
    let rows = rows(&doctor);
    let (finding, detail) = row(&rows, "reachability");
    assert!(finding == "not_well" && detail.contains("timeout"), "{rows:?}");
}

/// Listens in front of an emulator, passes everything on, and notes the service that each signed request is for.
fn listening_before(emulator: &str) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (to, asked) = (emulator.trim_start_matches("http://").to_owned(), Arc::new(Mutex::new(Vec::new())));
    let noted = asked.clone();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (client, server) = (client.unwrap(), TcpStream::connect(&to).unwrap());
            let (back, answers) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            let noted = noted.clone();
            std::thread::spawn(move || {
                pass(client, server, |bytes| {
                    let text = String::from_utf8_lossy(bytes);
                    let signed = text.match_indices("/aws4_request").map(|(at, _)| &text[..at]);
                    noted
                        .lock()
                        .unwrap()
                        .extend(signed.filter_map(|scope| scope.rsplit('/').next().map(str::to_owned)));
                });
            });
            std::thread::spawn(move || pass(answers, back, |_| {}));
        }
    });
    (url, asked)
}

fn pass(mut from: TcpStream, mut to: TcpStream, mut see: impl FnMut(&[u8])) {
    let mut bytes = vec![0; 65_536];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        see(&bytes[..count]);
        if to.write_all(&bytes[..count]).is_err() {
            return;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Write);
}

/// The role wants its external id, and the trail shows the session's name.
#[test]
fn a_role_is_assumed_with_its_external_id() {
    let account = Account::new(ministack());
    let _shop = Shop::deploy(&account);
    let trust = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": { "AWS": format!("arn:aws:iam::{}:root", account.id) },
        "Condition": { "StringEquals": { "sts:ExternalId": "tea-7" } },
    }] });
    let iam = &account.iam;
    account.wait(iam.create_role().role_name("squall").assume_role_policy_document(trust.to_string()).send()).unwrap();
    let put = iam.put_role_policy().role_name("squall").policy_name("all").policy_document(allow("*").to_string());
    account.wait(put.send()).unwrap();
    let mut project = project(&account);
    project.keys = user(&account, "ana", &allow("sts:AssumeRole"));
    let role = format!("      role: arn:aws:iam::{}:role/squall\n      session_name: game-day\n", account.id);
    project.configure(|yaml| yaml + &role);

    let without = project.ended(&["doctor", "--json"]).expect(3);
    assert_eq!(row(&rows(&without), "identity").0, "not_well", "{}", without.out);
    project.configure(|yaml| yaml + "      external_id: coffee-8\n");
    project.ended(&["doctor"]).expect(3);
    project.configure(|yaml| yaml.replace("coffee-8", "tea-7"));
    let well = project.ended(&["doctor", "--json"]).expect(0);
    let (rows, session) = (rows(&well), format!("arn:aws:sts::{}:assumed-role/squall/game-day", account.id));
    let (finding, who) = row(&rows, "identity");
    assert!(finding == "well" && who.contains(&session), "{rows:?}");
    for what in ["reachability", "credentials", "clock"] {
        assert_eq!(row(&rows, what).0, "well", "{rows:?}");
    }
    // The user itself may only assume the role: what is planned was read as the role.
    project.ended(&["plan", EXPERIMENT]).expect(0);
    project.configure(|yaml| yaml.replace(&role, "").replace("      external_id: tea-7\n", ""));
    let refused = project.ended(&["plan", EXPERIMENT]).expect(3);
    assert!(refused.err.contains("AccessDenied") && refused.err.contains("\"Effect\":\"Allow\""), "{}", refused.err);
}

/// Whoever may throttle and may not put it back is told so, and stopped before anything is changed.
#[test]
fn an_undo_that_is_not_permitted_is_noticed_before_anything_is_done() {
    let account = Account::new(ministack());
    let shop = Shop::deploy(&account);
    let mut project = project(&account);
    project.keys = user(&account, "ana", &allow("*"));
    let undo = "undo lambda:DeleteFunctionConcurrency";
    let well = rows(&project.ended(&["doctor", EXPERIMENT, "--json"]).expect(0));
    let (finding, detail) = row(&well, undo);
    assert!(finding == "well" && detail.ends_with(&shop.name("PaymentWorker")), "{well:?}");

    let deny = json!({ "Effect": "Deny", "Action": "lambda:DeleteFunctionConcurrency", "Resource": "*" });
    let mut policy = allow("*");
    policy["Statement"].as_array_mut().unwrap().push(deny);
    let put = account.iam.put_user_policy().user_name("ana").policy_name("all").policy_document(policy.to_string());
    account.wait(put.send()).unwrap();
    let doctor = rows(&project.ended(&["doctor", EXPERIMENT, "--json"]).expect(3));
    assert_eq!(row(&doctor, "do lambda:PutFunctionConcurrency").0, "well", "{doctor:?}");
    let (finding, detail) = row(&doctor, undo);
    assert!(finding == "not_well" && detail.contains("denies it explicitly"), "{doctor:?}");
    let before = picture(&account);
    let run = project.ended(&["run", EXPERIMENT, "--yes"]).expect(3);
    assert!(run.err.contains("lambda:DeleteFunctionConcurrency"), "{}", run.err);
    assert_eq!(picture(&account), before);
}
