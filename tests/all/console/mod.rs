//! The console: who may open and do what, links and sessions, what a responder's browser gets, and streams that are cut.

#![expect(clippy::unwrap_used, reason = "these are tests")]

mod bench;
mod secrecy;
mod streams;

use squall::access::invitation::Invitation;
use squall::gameday::day::Day;
use squall::gameday::role::Role;
use squall::serve::http::{Doors, Speaks};
use squall::store::Store as _;
use squall::store::days::Days as _;
use squall::store::invitations::Invitations as _;
use squall::units::{Span, Time};

use self::bench::{Bench, DAY, Who, body, day};

/// Who may do what, written down by hand. `members`: those of this day.
const MAY: [(&str, &str); 17] = [
    ("GET /", "all"),
    ("GET /assets/console.css", "all"),
    ("GET /assets/console.js", "all"),
    ("GET /join/{link}", "all"),
    ("POST /join", "all"),
    ("GET /days/{day}", "members"),
    ("GET /days/{day}/stream", "members"),
    ("POST /days/{day}/do", "members"),
    ("POST /days/{day}/abort", "members expired"),
    ("GET /console", "viewer operator approver admin"),
    ("GET /console/runs/{run}", "viewer operator approver admin"),
    ("GET /console/runs/{run}/stream", "viewer operator approver admin"),
    ("GET /console/schedules", "viewer operator approver admin"),
    ("GET /console/board", "viewer operator approver admin"),
    ("POST /console/runs/{run}/stop", "operator approver admin"),
    ("POST /console/halt", "operator approver admin"),
    ("POST /console/lift", "operator admin"),
];

#[test]
fn every_page_lets_in_who_may_and_nobody_else() {
    let bench = Bench::new(&day());
    let routes = bench::pages();
    assert_eq!(routes.len(), MAY.len());
    for (route, (name, may)) in routes.iter().zip(MAY) {
        assert_eq!(format!("{} {}", route.verb.word(), route.path), name);
        assert!(matches!(route.speaks, Speaks::Pages(_)), "{name}");
        let path = route.path.replace("{day}", DAY).replace("{run}", "run-1").replace("{link}", "x");
        for (who, cookie) in bench.everybody() {
            if path.ends_with("/lift") {
                bench.store().set_halt(Some("test")).unwrap();
            }
            let (status, answer) = match route.verb.word() {
                "GET" => bench.get(&path, &cookie),
                _ => bench.post(&path, &cookie, "do=note&text=a"),
            };
            let listed = |word: &str| may.split(' ').any(|may| may == word);
            let let_in = match &who {
                Who::Anyone | Who::Forged | Who::OtherDay => listed("all"),
                Who::Member(_) => listed("all") || listed("members"),
                Who::Expired => listed("all") || listed("expired"),
                Who::Console(role) => listed("all") || listed(role.word()),
            };
            // There is no such link, and the run has ended or is not there.
            let done: &[u16] = if name.contains("join") { &[404] } else { &[200, 303, 409] };
            let expected: &[u16] = if let_in { done } else { &[401, 403] };
            assert!(expected.contains(&status), "{name} as {who:?}: {status} {answer}");
        }
    }
}

#[test]
fn every_command_is_for_the_roles_that_may_ask_it() {
    let bench = Bench::new(&day());
    for (command, may) in [
        ("next", "facilitator"),
        ("go", "facilitator"),
        ("check everybody is here ok", "facilitator"),
        ("release ticket", "facilitator"),
        ("skip ticket", "facilitator"),
        ("hint", "facilitator"),
        ("test 1 ticket", "facilitator"),
        ("confirm cause", "facilitator"),
        ("skip-scenario", "facilitator"),
        ("resume", "facilitator"),
        ("shift 1m", "facilitator"),
        ("end it is late", "facilitator"),
        ("pause", "facilitator safety_monitor"),
        ("stop", "facilitator safety_monitor"),
        ("say noticed", "responder"),
        ("note hello", "facilitator responder observer scribe safety_monitor"),
        ("correct 1 hello", "facilitator observer scribe safety_monitor"),
        ("answer 1 hello", "facilitator responder observer scribe safety_monitor"),
        ("action Grace add an alarm", "facilitator scribe"),
    ] {
        for role in Role::ALL {
            let (status, answer) = bench.post(
                &format!("/days/{DAY}/do"),
                &bench.member(role),
                &format!("do={}", command.replace(' ', "+")),
            );
            let allowed = may.split(' ').any(|may| may == role.word());
            // What is allowed may be impossible now.
            assert_eq!(status != 403, allowed, "{command} as {role}: {status} {answer}");
            assert!([303, 403, 409, 400].contains(&status), "{command} as {role}: {status} {answer}");
        }
    }
    // Nobody speaks for another person.
    let other = bench.post(
        &format!("/days/{DAY}/do"),
        &bench.member(Role::Facilitator),
        "do=%40First+responder%3A+say+noticed",
    );
    assert_eq!(other.0, 403, "{}", other.1);
}

#[test]
fn a_link_joins_once_and_looking_at_it_changes_nothing() {
    let bench = Bench::new(&day());
    let link = bench.invite(Role::Responder, "First responder", Span::from_mins(60));
    for _ in 0..3 {
        let (status, answer) = bench.get(&format!("/join/{link}"), "");
        assert_eq!(status, 200);
        assert!(answer.contains("First responder") && answer.contains(">Join</button>"), "{answer}");
        assert!(!answer.to_ascii_lowercase().contains("set-cookie"));
    }
    let (status, answer) = bench.post("/join", "", &format!("link={link}"));
    assert_eq!(status, 303, "{answer}");
    let head = answer.to_ascii_lowercase();
    assert!(head.contains(&format!("location: /days/{DAY}\r\n")), "{answer}");
    let cookie = head.lines().find(|line| line.starts_with("set-cookie: ")).unwrap().to_owned();
    for attribute in ["httponly", "samesite=strict", &format!("path=/days/{DAY}")] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert!(!answer.contains(&link), "the link is in no later address");
    let session = cookie["set-cookie: squall=".len()..].split(';').next().unwrap().to_owned();
    let (status, page) = bench.get(&format!("/days/{DAY}"), &session);
    assert_eq!(status, 200);
    assert!(!page.contains(&link) && !page.contains(&session), "no secret is on a page");
    // Replayed: neither looked at nor joined with.
    assert_eq!(bench.post("/join", "", &format!("link={link}")).0, 410);
    assert_eq!(bench.get(&format!("/join/{link}"), "").0, 410);
    // The link is no session, and neither is kept in the store or the audit.
    assert_eq!(bench.get(&format!("/days/{DAY}"), &link).0, 401);
    let kept = format!("{:?}{:?}", bench.store().invitations().unwrap(), bench.store().acts(Time::EPOCH).unwrap());
    assert!(!kept.contains(&link) && !kept.contains(&session));
    assert!(kept.contains("join"), "{kept}");
}

#[test]
fn links_that_are_forged_expired_or_revoked_open_nothing() {
    let bench = Bench::new(&day());
    let expired = bench.invite(Role::Responder, "Ana", Span::ZERO);
    let revoked = bench.invite(Role::Responder, "Ana", Span::from_mins(60));
    let row = bench.store().invitations().unwrap().pop().unwrap();
    bench.store().revoke_invitation(&row.link, Time::EPOCH).unwrap();
    let forged = format!("squall_{}", "0".repeat(64));
    for (link, expected) in [(expired, 410), (revoked, 410), (forged, 404), ("x".into(), 404)] {
        assert_eq!(bench.get(&format!("/join/{link}"), "").0, expected);
        let (status, answer) = bench.post("/join", "", &format!("link={link}"));
        assert_eq!(status, expected);
        assert!(!answer.to_ascii_lowercase().contains("set-cookie"));
    }
    // A session ends with its revocation, from the next request on.
    let cookie = bench.member(Role::Scribe);
    assert_eq!(bench.get(&format!("/days/{DAY}"), &cookie).0, 200);
    let scribe = |row: &Invitation| format!("{:?}", row.seat).contains("Scribe");
    let row = bench.store().invitations().unwrap().into_iter().find(scribe).unwrap();
    bench.store().revoke_invitation(&row.link, Time::EPOCH).unwrap();
    assert_eq!(bench.get(&format!("/days/{DAY}"), &cookie).0, 401);
    assert_eq!(bench.post(&format!("/days/{DAY}/abort"), &cookie, "text=a").0, 401);
    let before = bench.store().day_events(&bench::id()).unwrap().len();
    assert_eq!(before, day().len(), "nothing was recorded");
}

#[test]
fn a_session_that_has_expired_still_aborts_the_day_and_does_nothing_else() {
    let bench = Bench::new(&day());
    let cookie = bench.expired();
    let (status, page) = bench.get(&format!("/days/{DAY}"), &cookie);
    assert_eq!(status, 401);
    assert!(body(&page).contains(&format!("action=\"/days/{DAY}/abort\"")), "{page}");
    assert_eq!(bench.post(&format!("/days/{DAY}/do"), &cookie, "do=note&text=hello").0, 401);
    let (status, answer) = bench.post(&format!("/days/{DAY}/abort"), &cookie, "text=customers+see+errors");
    assert_eq!(status, 200, "{answer}");
    let events = bench.store().day_events(&bench::id()).unwrap();
    let recorded = events.iter().any(|recorded| format!("{:?}", recorded.event).contains("customers see errors"));
    assert!(recorded);
}

/// The process that led the day is gone, with a fault in place: who may know of the fault is told, and nothing is said to be done.
#[test]
fn a_day_that_no_process_leads_says_so_to_those_who_may_know() {
    let (_, events) = crate::gameday::rehearsed(&crate::gameday::runbooks()[0], "scripted");
    let mut day = Day::open(events[0].at, &events[0].event).unwrap();
    let in_place = events[1..].iter().position(|event| {
        day.apply(event.at, &event.event);
        day.duty().is_some()
    });
    let bench = Bench::new(&events[..in_place.unwrap() + 2]);
    let page = |role| bench.get(&format!("/days/{DAY}"), &bench.member(role)).1;
    let words = "no process leads this day";
    assert!(Role::ALL.iter().all(|role| !page(*role).contains(words)));
    bench.stage.led.store(false, std::sync::atomic::Ordering::SeqCst);
    for role in Role::ALL {
        let knows = matches!(role, Role::Facilitator | Role::Observer | Role::SafetyMonitor);
        assert_eq!(page(role).contains(words), knows, "{role:?}");
    }
    let ask = |role, what: &str| bench.post(&format!("/days/{DAY}/{what}"), &bench.member(role), "do=stop&text=now");
    for (role, what) in [(Role::Facilitator, "do"), (Role::SafetyMonitor, "abort")] {
        let (status, answer) = ask(role, what);
        assert!(status == 409 && answer.contains("squall undo"), "{status} {answer}");
    }
}

#[test]
fn forms_of_other_pages_and_names_of_other_servers_are_refused() {
    let bench = Bench::new(&day());
    let cookie = bench.member(Role::Facilitator);
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let own = format!("Origin: http://{}\r\n", bench.address);
    for (headers, expected) in [
        (format!("{form}{own}"), 303),
        (form.to_owned(), 403),
        (format!("{form}Origin: null\r\n"), 403),
        (format!("{form}Origin: http://evil.example\r\n"), 403),
        (format!("{form}Origin: http://localhost:1\r\n"), 403),
        (format!("Content-Type: application/json\r\n{own}"), 415),
        (format!("Content-Type: text/plain\r\n{own}"), 415),
        (own.clone(), 415),
    ] {
        let (status, answer) = bench.raw("POST", &format!("/days/{DAY}/do"), &cookie, &headers, "do=note&text=x");
        assert_eq!(status, expected, "{headers}: {answer}");
    }
    let port = bench.address.port();
    for host in [format!("evil.example:{port}"), "localhost".into()] {
        assert_eq!(bench.hosted(&host, &format!("/days/{DAY}"), &cookie).0, 403, "{host}");
    }
    // The API knows no cookies, so that no page can make a browser use it.
    let admin = bench.console(squall::access::Role::Admin);
    let json = format!("Content-Type: application/json\r\n{own}");
    assert_eq!(bench.raw("POST", "/api/v1/halt", &admin, &json, "{\"reason\":\"x\"}").0, 401);
    assert_eq!(bench.store().halted().unwrap(), None);
}

#[test]
fn a_page_runs_and_fetches_nothing_that_is_not_ours() {
    let bench = Bench::new(&day());
    for (path, cookie) in [
        ("/".to_owned(), String::new()),
        (format!("/days/{DAY}"), bench.member(Role::Facilitator)),
        ("/console".into(), bench.console(squall::access::Role::Viewer)),
        (format!("/days/{DAY}"), String::new()),
    ] {
        let (_, answer) = bench.get(&path, &cookie);
        let head = answer.split("\r\n\r\n").next().unwrap().to_ascii_lowercase();
        let policy = head.lines().find(|line| line.starts_with("content-security-policy: ")).unwrap().to_owned();
        assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self'"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
        assert!(
            head.contains("referrer-policy: strict-origin\r\n") && head.contains("cache-control: no-store"),
            "{head}"
        );
        let page = body(&answer);
        for forbidden in ["<script>", " style=", "<style", " onclick", "src=\"http", "href=\"//", "javascript:"] {
            assert!(!page.contains(forbidden), "{path}: {forbidden}");
        }
        assert_eq!(page.matches("<script ").count(), 1, "{path}");
    }
}

#[test]
fn hostile_titles_and_notes_are_shown_as_text() {
    let nasty = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\u{202e}";
    let bench = Bench::new(&bench::titled(nasty));
    let typed =
        "do=note&text=%3Cscript%3Ealert(2)%3C%2Fscript%3E%22%27%3E%3Cimg+src%3Dx+onerror%3Dalert(2)%3E%E2%80%AE";
    assert_eq!(bench.post(&format!("/days/{DAY}/do"), &bench.member(Role::Scribe), typed).0, 303);
    for role in Role::ALL {
        let (_, answer) = bench.get(&format!("/days/{DAY}"), &bench.member(role));
        let page = body(&answer);
        assert!(!page.contains("<script>") && !page.contains("<img") && !page.contains('\u{202e}'), "{role}: {page}");
        assert!(page.contains("&lt;script&gt;alert(1)"), "{role}");
        let notes = page.contains("&lt;script&gt;alert(2)");
        assert_eq!(notes, role != Role::Responder, "{role}");
    }
}

#[test]
fn an_office_with_one_address_is_told_apart_by_its_sessions() {
    let doors = Doors { requests_a_minute: 40, ..Doors::default() };
    let bench = Bench::with(&day(), doors);
    let path = format!("/days/{DAY}");
    let (one, other) = (bench.member(Role::Responder), bench.member(Role::Scribe));
    // Strangers use the address up.
    let refused = (0..60).filter(|_| bench.get("/", "").0 == 429).count();
    assert!(refused >= 15, "{refused}");
    assert_eq!(bench.get(&path, &one).0, 200, "a member is answered all the same");
    assert_eq!(bench.get(&path, &format!("squall_{}", "1".repeat(64))).0, 429, "and a forged session is not");
    // One member who asks without end stops nobody else.
    let refused = (0..60).filter(|_| bench.get(&path, &one).0 == 429).count();
    assert!(refused >= 15, "{refused}");
    assert_eq!(bench.get(&path, &other).0, 200);
}
