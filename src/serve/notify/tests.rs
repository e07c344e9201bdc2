use super::*;
use crate::account::{Location, Resource, ResourceKind};
use crate::ids::{RunId, ScheduleName};
use crate::judge::verdict::Verdict;
use crate::run::event::{Event, Left, Phase, Recorded};
use crate::store::memory::MemoryStore;
use crate::store::occurrences::OccurrenceKey;
use crate::store::{Epoch, Store as _};

fn row(fate: Fate) -> OccurrenceRow {
    let at: Time = "2027-03-01T09:00:00Z".parse().unwrap();
    let key = OccurrenceKey { schedule: ScheduleName("daily".into()), at, by_hand: false };
    OccurrenceRow { key, decided: at, by: "ana".into(), fate }
}

fn told(row: &OccurrenceRow, store: &MemoryStore) -> Vec<String> {
    let line = |message: &Message| format!("{} {:?}: {}", message.id, message.level, message.text);
    of(row, &store.runs().unwrap(), row.decided).iter().map(line).collect()
}

#[test]
fn a_run_is_told_from_its_start_to_what_it_left() {
    let mut store = MemoryStore::new();
    let run = RunId("run-1".into());
    let row = row(Fate::Run(run.clone()));
    assert_eq!(told(&row, &store), Vec::<String>::new());
    store.create(&run, "ana").unwrap();
    assert_eq!(told(&row, &store), Vec::<String>::new());
    let recorded = |seq, event| Recorded { seq, at: row.decided, event };
    store.append(&run, Epoch(1), &[recorded(1, Event::Entered { phase: Phase::Fault })]).unwrap();
    let start = "daily/2027-03-01T09:00:00Z/start Info: daily: run-1 began ()";
    assert_eq!(told(&row, &store), [start]);
    let mut held = store.clone();
    held.append(&run, Epoch(1), &[recorded(2, Event::Closed { verdict: Verdict::held(), left: vec![] })]).unwrap();
    assert_eq!(
        told(&row, &held),
        [
            start,
            "daily/2027-03-01T09:00:00Z/end Info: daily: run-1 ended: held ()",
            "daily/2027-03-01T09:00:00Z/rolled-back Info: daily: run-1 is rolled back and verified",
        ]
    );
    let queue = Resource::new(&Location::sandbox(), ResourceKind::Queue, "orders");
    let left = vec![Left { resource: queue, what: "a delay".into(), remedy: "look".into() }];
    store.append(&run, Epoch(1), &[recorded(2, Event::Closed { verdict: Verdict::held(), left })]).unwrap();
    let last = told(&row, &store).pop().unwrap();
    assert!(
        last.starts_with("daily/2027-03-01T09:00:00Z/left-over Alert: daily: run-1 LEFT something changed: "),
        "{last}"
    );
}

#[test]
fn that_no_run_began_is_told_with_its_reason() {
    let store = MemoryStore::new();
    let skipped = told(&row(Fate::Skipped("halted by bo\u{1b}[2J".into())), &store);
    assert_eq!(skipped.len(), 1);
    assert!(skipped[0].contains("Info: daily: no run at 2027-03-01T09:00:00Z: halted by bo"), "{skipped:?}");
    assert!(!skipped[0].contains('\u{1b}'));
    assert!(told(&row(Fate::Failed("x".into())), &store)[0].contains("Warning"));
}

/// Requests to a server that answers as it is told.
#[cfg(feature = "serve")]
mod sent {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::thread::JoinHandle;

    use super::super::{send, signature};
    use crate::channel::address::InnerAddress;
    use crate::channel::{Channel, SlackChannel, WebhookChannel};
    use crate::env::{Env, FixedEnv};
    use crate::units::{Span, Time};

    struct Set(FixedEnv, Vec<(&'static str, String)>);

    impl Env for Set {
        fn now(&self) -> Time {
            self.0.now()
        }
        fn monotonic(&self) -> Span {
            self.0.monotonic()
        }
        fn sleep(&self, _: Span) {}
        fn entropy(&self) -> u64 {
            0
        }
        fn var(&self, name: &str) -> Option<String> {
            self.1.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
        }
        fn who(&self) -> String {
            String::new()
        }
    }

    /// Answers one request, and gives it back.
    fn answering(answer: &'static str) -> (String, JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hook?secret=1", listener.local_addr().unwrap());
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = String::new();
            let mut buffer = [0; 4096];
            while !request.ends_with('}') {
                let length = stream.read(&mut buffer).unwrap();
                request += &String::from_utf8_lossy(&buffer[..length]);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            request
        });
        (url, thread)
    }

    fn try_(channel: &Channel, url: &str, listed: &[&str]) -> Result<(), String> {
        let now = Time::from_micros(1_700_000_000_000_000);
        let env =
            Set(FixedEnv::at(now), vec![("URL", url.to_owned()), ("KEY", "Jefe".into()), ("EMPTY", String::new())]);
        let listed: Vec<InnerAddress> = listed.iter().map(|block| block.parse().unwrap()).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(send(channel, "daily/1/start", r#"{"text":"x"}"#, &listed, now, &env))
    }

    fn webhook(key: &str) -> Channel {
        Channel::Webhook(WebhookChannel { url_from_env: "URL".into(), key_from_env: key.into() })
    }

    fn slack() -> Channel {
        Channel::Slack(SlackChannel { url_from_env: "URL".into() })
    }

    /// As Python's `hmac` computes it.
    const SIGNATURE: &str = "f00fdfa932e87c41ea3e3424631a986cc20ed3f30998b79f3ba0a788602b3815";

    #[test]
    fn a_webhook_gets_a_signed_message() {
        assert_eq!(signature("Jefe", "1700000000", r#"{"text":"x"}"#).unwrap(), SIGNATURE);
        let (url, thread) = answering("HTTP/1.1 204 No Content\r\n\r\n");
        try_(&webhook("KEY"), &url, &["127.0.0.1"]).unwrap();
        let request = thread.join().unwrap();
        assert!(request.starts_with("POST /hook?secret=1 HTTP/1.1\r\n"), "{request}");
        for header in
            ["squall-id: daily/1/start", "squall-timestamp: 1700000000", &format!("squall-signature: v1={SIGNATURE}")]
        {
            assert!(request.contains(header), "{request}");
        }
        assert!(request.ends_with("\r\n\r\n{\"text\":\"x\"}"), "{request}");
    }

    #[test]
    fn a_redirect_and_an_error_are_no_delivery_and_secrets_stay_out_of_the_reason() {
        for answer in [
            "HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
        ] {
            let (url, thread) = answering(answer);
            let why = try_(&slack(), &url, &["127.0.0.0/8"]).unwrap_err();
            assert!(why.contains("302") || why.contains("500"), "{why}");
            assert!(!why.contains("secret") && !why.contains("hook"), "{why}");
            thread.join().unwrap();
        }
    }

    #[test]
    fn addresses_that_are_not_listed_are_not_connected_to() {
        // Nothing answers at any of them; the reason tells that none was tried.
        for url in [
            "https://127.0.0.1:9/x",
            "https://169.254.169.254/latest/meta-data",
            "https://[::1]:9/x",
            "https://[::ffff:127.0.0.1]:9/x",
            "https://localhost:9/x",
            "https://2130706433:9/x",
            "https://0x7f.1:9/x",
            "https://127.1:9/x",
        ] {
            let why = try_(&slack(), url, &[]).unwrap_err();
            assert!(
                why.contains("invalid dns name")
                    || why.contains("not listed")
                    || why.contains("lookup")
                    || why.contains("resolve")
                    || why.contains("cannot be read"),
                "{url}: {why}"
            );
        }
        for (url, words) in [
            ("http://hooks.example.com/x", "https://"),
            ("http://8.8.8.8/x", "https://"),
            ("https://ana:pw@hooks.example.com/x", "no user"),
            ("ftp://127.0.0.1/x", "not listed"),
            ("/x", "no host"),
            ("", "cannot be read"),
        ] {
            let why = try_(&slack(), url, &[]).unwrap_err();
            assert!(why.contains(words) && !why.contains("pw"), "{url}: {why}");
        }
        assert!(try_(&webhook("NONE"), "https://x.example", &[]).unwrap_err().contains("no NONE"));
        assert!(try_(&webhook("EMPTY"), "https://x.example", &[]).unwrap_err().contains("empty"));
    }
}
