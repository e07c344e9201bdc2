//! A runtime and a Runtime API that say exactly which bytes they send, and see exactly which bytes come.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use squall_layer::proxy::Proxy;

/// So long a test waits before it calls bytes missing. No test passes by it.
const PATIENCE: Duration = Duration::from_secs(20);

/// One side of a connection.
pub struct End(pub TcpStream);

impl End {
    pub fn connect(address: SocketAddr) -> End {
        End::of(TcpStream::connect(address).unwrap())
    }

    pub fn of(stream: TcpStream) -> End {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        End(stream)
    }

    pub fn says(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).unwrap();
    }

    /// Exactly these bytes come next.
    #[track_caller]
    pub fn hears(&mut self, expected: impl AsRef<[u8]>) {
        let expected = expected.as_ref();
        let mut heard = vec![0; expected.len()];
        let mut filled = 0;
        while filled < heard.len() {
            match self.0.read(&mut heard[filled..]) {
                Ok(read) if read > 0 => filled += read,
                other => panic!("{other:?} after {:?}", String::from_utf8_lossy(&heard[..filled])),
            }
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert_eq!(text(&heard), text(expected));
    }

    /// What comes until an empty line, with it.
    pub fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        String::from_utf8(head).unwrap()
    }

    /// The connection is closed, or reset, with nothing left to read.
    #[track_caller]
    pub fn is_closed(&mut self) {
        let mut rest = [0; 64];
        match self.0.read(&mut rest) {
            Ok(0) => (),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => (),
            other => panic!("{other:?}: {:?}", String::from_utf8_lossy(&rest)),
        }
    }
}

/// A Runtime API, and a proxy before it.
pub struct Stage {
    api: TcpListener,
    pub proxy: SocketAddr,
}

impl Stage {
    pub fn new(proxy: impl FnOnce(String) -> Proxy) -> Stage {
        let api = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Arc::new(proxy(api.local_addr().unwrap().to_string()));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || proxy.serve(&listener));
        Stage { api, proxy: address }
    }

    pub fn passing() -> Stage {
        Stage::new(Proxy::new)
    }

    /// A new connection of the runtime, and the Runtime API's end of it.
    pub fn connection(&self) -> (End, End) {
        let runtime = End::connect(self.proxy);
        (runtime, End::of(self.api.accept().unwrap().0))
    }
}
