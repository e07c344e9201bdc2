//! Event streams, and more connections than there is room for.

use super::*;

/// Reads messages of a feed until one has these words.
fn read_until(reader: &mut BufReader<TcpStream>, words: &str) -> String {
    let mut text = String::new();
    while !text.contains(words) {
        let mut line = String::new();
        assert!(reader.read_line(&mut line).unwrap() > 0, "it ended before {words:?}:\n{text}");
        text += &line;
    }
    text
}

#[test]
fn a_run_is_followed_from_its_first_event_to_its_last_and_resumed() {
    let bench = Bench::new();
    bench.run("run-1", &[event(1), event(2)]);
    let token = Some(bench.tokens[&Role::Viewer].as_str());
    let follow = |more: &str| {
        let mut stream = bench.connect();
        stream.write_all((bench.head("GET", "/api/v1/runs/run-1/events", token, more) + "\r\n").as_bytes()).unwrap();
        BufReader::new(stream)
    };
    let mut reader = follow("");
    let begin = read_until(&mut reader, "id: 0\n");
    assert!(begin.contains("content-type: text/event-stream"), "{begin}");
    let first = read_until(&mut reader, r#""seq":2"#);
    assert!(first.contains("id: 1\nevent: event\ndata: {") && first.contains("id: 2\n"), "{first}");
    bench.run("run-1", &[event(3)]);
    read_until(&mut reader, "id: 3\n");
    // Another one comes back where it was.
    let mut again = follow("Last-Event-ID: 2\r\n");
    let resumed = read_until(&mut again, "id: 3\n");
    assert!(resumed.contains("id: 2\ndata:\n\n") && !resumed.contains(r#""seq":2"#), "{resumed}");
    bench.run("run-1", &[closed(4)]);
    for reader in [&mut reader, &mut again] {
        let end = read_until(reader, "event: end\n");
        assert!(end.contains("id: 4\n"), "{end}");
    }
    // A reader that comes back after the last event has heard all there is.
    read_until(&mut follow("Last-Event-ID: 4\r\n"), "event: end\n");
    for (path, heard, expected) in [("run-x", "1", 404), ("run-1", "x", 400), ("run-1", "-1", 400)] {
        let head =
            bench.head("GET", &format!("/api/v1/runs/{path}/events"), token, &format!("Last-Event-ID: {heard}\r\n"));
        assert_eq!(bench.raw((head + "\r\n").as_bytes()).0, expected, "{path} {heard}");
    }
}

#[test]
fn readers_that_take_nothing_in_are_dropped_and_delay_nobody() {
    let limits = Limits { stall: Span::from_millis(200), feeds: 3, ..Limits::default() };
    let bench = Bench::with(Doors { requests_a_minute: 100_000, ..Doors::default() }, limits);
    // More than the buffers on the way hold: the writer has to wait.
    let why = "x".repeat(100_000);
    let many = (1..=120).map(|seq| Recorded { event: Event::Hindered { why: why.clone() }, ..event(seq) });
    let many: Vec<Recorded> = many.collect();
    bench.run("run-1", &many);
    let token = Some(bench.tokens[&Role::Viewer].as_str());
    let head = bench.head("GET", "/api/v1/runs/run-1/events", token, "") + "\r\n";
    let slow: Vec<TcpStream> = (0..3)
        .map(|_| {
            let mut stream = bench.connect();
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    // Others are answered, but for a fourth feed; when the slow ones were dropped there is room again.
    let mut refused = false;
    loop {
        assert_eq!(bench.ask("GET", "/healthz", None, "").0, 200);
        let mut stream = bench.connect();
        stream.write_all(head.as_bytes()).unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        match line.split(' ').nth(1) {
            Some("503") => refused = true,
            _ if refused => break,
            // The slow ones may not have come yet.
            _ => {}
        }
    }
    drop(slow);
}

#[test]
fn connections_beyond_the_limit_are_closed_at_once() {
    let limits = Limits { connections: 4, head: Span::from_millis(300), ..Limits::default() };
    let bench = Bench::with(Doors { requests_a_minute: 100_000, ..Doors::default() }, limits);
    // They say nothing, so that each is ended when its head does not come.
    let idle: Vec<TcpStream> = (0..4).map(|_| bench.connect()).collect();
    let mut closed = 0;
    while bench.ask("GET", "/healthz", None, "").0 != 200 {
        closed += 1;
    }
    assert!(closed > 0);
    drop(idle);
}
