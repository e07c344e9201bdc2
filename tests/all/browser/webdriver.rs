//! A browser that is driven by WebDriver (<https://www.w3.org/TR/webdriver2/>): as much of it as these tests need.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value as Json, json};

use crate::kills::bench::pause;

/// The name under which an element's reference comes.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Chromium's driver, at a port of its own. Its browsers end with it.
pub struct Driver {
    child: Child,
    port: u16,
}

impl Driver {
    pub fn begin() -> Driver {
        let spawned = Command::new("chromedriver").arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut child = spawned.unwrap_or_else(|error| panic!("chromedriver: {error}; run tests/browser/setup.sh"));
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.split("successfully on port ").nth(1)?.trim_end_matches('.').parse().ok())
            .unwrap();
        // What it says later is not read; it must not wait for that.
        std::thread::spawn(move || lines.for_each(drop));
        Driver { child, port }
    }

    /// A browser with a profile of its own.
    pub fn browser(&self, more: &[&str]) -> Browser {
        let profile = tempfile::TempDir::new().unwrap();
        let mut flags: Vec<String> = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
        ]
        .map(str::to_owned)
        .to_vec();
        flags.extend(more.iter().map(|flag| (*flag).to_owned()));
        flags.push(format!("--user-data-dir={}", profile.path().display()));
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": { "args": flags },
            "timeouts": { "script": 120_000 },
        } } });
        let session = call(self.port, "POST", "/session", &wanted).unwrap();
        let id = session["sessionId"].as_str().unwrap().to_owned();
        let browser = Browser { port: self.port, id, _profile: profile };
        browser.look(1280, 900, "light");
        browser
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One browser, with one window.
pub struct Browser {
    port: u16,
    id: String,
    _profile: tempfile::TempDir,
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = call(self.port, "DELETE", &format!("/session/{}", self.id), &Json::Null);
    }
}

impl Browser {
    fn ask(&self, verb: &str, path: &str, body: &Json) -> Result<Json, String> {
        call(self.port, verb, &format!("/session/{}{path}", self.id), body)
    }

    pub fn open(&self, url: &str) {
        self.ask("POST", "/url", &json!({ "url": url })).unwrap();
    }

    pub fn url(&self) -> String {
        self.ask("GET", "/url", &Json::Null).unwrap().as_str().unwrap().to_owned()
    }

    /// Runs a function's body in the page.
    pub fn run(&self, script: &str) -> Json {
        self.ask("POST", "/execute/sync", &json!({ "script": script, "args": [] })).unwrap()
    }

    /// The same, whose last argument is a function that ends it.
    pub fn run_until_told(&self, script: &str) -> Json {
        self.ask("POST", "/execute/async", &json!({ "script": script, "args": [] })).unwrap()
    }

    /// The element of a selector, when it is there and seen.
    fn find(&self, selector: &str) -> Result<String, String> {
        let found = self.ask("POST", "/element", &json!({ "using": "css selector", "value": selector }))?;
        Ok(found[ELEMENT].as_str().unwrap().to_owned())
    }

    /// Clicks as a person does: what lies over it would be clicked instead, and is an error. A part of the page may be replaced
    /// under the pointer; then the new one is clicked.
    pub fn click(&self, selector: &str) {
        let mut last = String::new();
        for _ in 0..100 {
            let found = self.find(selector);
            let clicked = found.and_then(|it| self.ask("POST", &format!("/element/{it}/click"), &json!({})));
            match clicked {
                Ok(_) => return,
                Err(why) => last = why,
            }
            assert!(last.contains("no such element") || last.contains("stale element"), "{selector}: {last}");
            pause(std::time::Duration::from_millis(200));
        }
        panic!("{selector} cannot be clicked: {last}\n{}", self.text());
    }

    /// Types into a field.
    pub fn type_into(&self, selector: &str, text: &str) {
        let element = self.find(selector).unwrap();
        self.ask("POST", &format!("/element/{element}/value"), &json!({ "text": text })).unwrap();
    }

    /// Presses a key, whatever has the focus.
    pub fn press(&self, key: &str) {
        let actions = json!([{ "type": "keyDown", "value": key }, { "type": "keyUp", "value": key }]);
        let keyboard = json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": actions }] });
        self.ask("POST", "/actions", &keyboard).unwrap();
    }

    /// The text of the page, as it is seen.
    pub fn text(&self) -> String {
        self.run("return document.body.innerText").as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the page says something.
    pub fn until_it_says(&self, words: &str) {
        for _ in 0..100 {
            if self.text().contains(words) {
                return;
            }
            pause(std::time::Duration::from_millis(200));
        }
        panic!("{} does not say {words:?}:\n{}", self.url(), self.text());
    }

    /// A command of Chromium's own protocol.
    pub fn cdp(&self, command: &str, parameters: &Json) {
        self.ask("POST", "/goog/cdp/execute", &json!({ "cmd": command, "params": parameters })).unwrap();
    }

    /// The window's size, and the colours that its user wants.
    pub fn look(&self, width: u32, height: u32, scheme: &str) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.cdp("Emulation.setDeviceMetricsOverride", &size);
        let wanted = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.cdp("Emulation.setEmulatedMedia", &wanted);
    }

    /// The window as a picture.
    pub fn screenshot(&self, file: &Path) {
        let picture = self.ask("GET", "/screenshot", &Json::Null).unwrap();
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, base64(picture.as_str().unwrap())).unwrap();
    }
}

/// A call, and its value.
fn call(port: u16, verb: &str, path: &str, body: &Json) -> Result<Json, String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).map_err(|error| error.to_string())?;
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let head = format!(
        "{verb} {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\nContent-Type: application/json\r\n"
    );
    let request = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).map_err(|error| error.to_string())?;
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).map_err(|error| error.to_string())?;
        match line.trim_end().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().unwrap()
            }
            None if line.trim_end().is_empty() => break,
            _ => {}
        }
    }
    let mut answer = vec![0; length];
    reader.read_exact(&mut answer).map_err(|error| error.to_string())?;
    let answer: Json = serde_json::from_slice(&answer).map_err(|error| error.to_string())?;
    match answer["value"]["error"].as_str() {
        Some(error) => Err(format!("{error}: {}", answer["value"]["message"])),
        None => Ok(answer["value"].clone()),
    }
}

/// Bytes from their form in letters (RFC 4648, 4).
fn base64(text: &str) -> Vec<u8> {
    let value = |letter: u8| match letter {
        b'A'..=b'Z' => Some(letter - b'A'),
        b'a'..=b'z' => Some(letter - b'a' + 26),
        b'0'..=b'9' => Some(letter - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for six in text.bytes().filter_map(value) {
        bits = bits << 6 | u32::from(six);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    bytes
}
