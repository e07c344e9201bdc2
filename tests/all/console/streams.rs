//! Streams that are cut at random, and sessions that end under an open stream.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _};
use squall::gameday::event::{Event, Recorded};
use squall::gameday::role::{Actor, Role, Statement};
use squall::store::days::Days as _;
use squall::store::invitations::Invitations as _;
use squall::units::Time;

use super::bench::{Bench, DAY, day, id};

/// A page that is kept up to date by a stream, as the script does it.
#[derive(Default)]
struct Page {
    parts: BTreeMap<String, String>,
    heard: u64,
}

impl Page {
    /// Takes a message in. What is there already in the same form was sent twice.
    fn take(&mut self, number: u64, data: &str) {
        assert!(number > self.heard, "message {number} after {}", self.heard);
        self.heard = number;
        let parts: Vec<(String, String)> = serde_json::from_str(data).unwrap();
        assert!(!parts.is_empty());
        for (name, html) in parts {
            let before = self.parts.insert(name.clone(), html.clone());
            assert_ne!(before.as_ref(), Some(&html), "{name} came twice");
        }
    }
}

fn follow(bench: &Bench, cookie: &str, heard: u64) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(bench.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let (host, path) = (bench.address, format!("/days/{DAY}/stream"));
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nCookie: squall={cookie}\r\nLast-Event-ID: {heard}\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    BufReader::new(stream)
}

/// Reads so many lines of a stream, or up to the end of a message, which is taken in.
fn read(reader: &mut BufReader<TcpStream>, page: &mut Page, lines: usize) {
    let (mut number, mut data) = (None, String::new());
    for _ in 0..lines {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap() == 0 {
            return;
        }
        match line.trim_end().split_once(": ") {
            Some(("id", id)) => number = id.parse().ok(),
            Some(("data", parts)) => data = parts.to_owned(),
            _ if line.trim_end().is_empty() && !data.is_empty() => {
                page.take(number.unwrap(), &data);
                return;
            }
            _ => {}
        }
    }
}

fn said(seq: u64) -> Recorded {
    let by = Actor { person: "First responder".parse().unwrap(), role: Role::Responder, agent: false };
    let event = match seq % 3 {
        // What responders do not see lies between what they do.
        0 => Event::Noted { text: format!("hidden {seq}"), by },
        _ => Event::Said { statement: Statement::Status, text: format!("update {seq}"), by },
    };
    Recorded { seq, at: Time::from_micros(seq as i64 * 1_000_000), event }
}

#[test]
fn streams_that_are_cut_two_thousand_times_lose_nothing_and_repeat_nothing() {
    let bench = Bench::new(&day());
    let cookie = bench.member(Role::Responder);
    let mut random = rand_pcg::Pcg64Mcg::seed_from_u64(15);
    let (mut page, mut seq, mut messages) = (Page::default(), 1, 0);
    for cut in 0..2_000_u64 {
        if cut % 8 == 0 {
            let news: Vec<Recorded> = (seq + 1..=seq + random.random_range(1..3)).map(said).collect();
            seq = news.last().unwrap().seq;
            bench.store().append_day(&id(), &news, None).unwrap();
        }
        let mut reader = follow(&bench, &cookie, page.heard);
        // The head and the greeting have sixteen lines, and a message five; where none is to come, no more is waited for.
        let before = page.heard;
        let comes = before < 1 + (2..=seq).filter(|seq| seq % 3 != 0).count() as u64;
        read(&mut reader, &mut page, random.random_range(1..if comes { 30 } else { 16 }));
        messages += usize::from(page.heard > before);
    }
    assert!(messages > 100, "{messages} messages came whole before a cut");
    let whole = bench.get(&format!("/days/{DAY}"), &cookie).1;
    let last: u64 = whole.split("data-after=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap();
    while page.heard < last {
        let mut reader = follow(&bench, &cookie, page.heard);
        read(&mut reader, &mut page, 40);
    }
    let entries: Vec<&String> = page.parts.keys().filter(|name| name.starts_with("timeline-")).collect();
    let visible = (2..=seq).filter(|seq| seq % 3 != 0).count();
    assert_eq!(entries.len(), visible);
    assert_eq!(page.heard, 1 + visible as u64, "numbers have no gaps for what is hidden");
    for (name, html) in &page.parts {
        assert!(whole.contains(html.as_str()), "{name} is as on the page");
    }
}

#[test]
fn a_stream_ends_when_its_session_is_revoked() {
    let bench = Bench::new(&day());
    let cookie = bench.member(Role::Responder);
    let mut reader = follow(&bench, &cookie, 0);
    read(&mut reader, &mut Page::default(), 40);
    let row = bench.store().invitations().unwrap().pop().unwrap();
    bench.store().revoke_invitation(&row.link, Time::EPOCH).unwrap();
    let mut rest = String::new();
    while !rest.contains("event: error") {
        let mut line = String::new();
        assert!(reader.read_line(&mut line).unwrap() > 0, "{rest}");
        rest += &line;
    }
}
