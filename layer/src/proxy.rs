//! The proxy: what the runtime says goes to the Runtime API and back, byte for byte and piece by piece.
//!
//! Each connection of the runtime has one of its own to the Runtime API, opened with it and closed with it, so that the
//! runtime sees what it would see without the proxy. What the proxy does not understand becomes a tunnel.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use crate::body::Body;
use crate::faults::Faults;
use crate::head::Head;
use crate::runtime_api::{self, Call};
use crate::wire::{NoHead, Wire, readable};

/// A thread of a connection needs little.
const STACK: usize = 128 << 10;

/// The proxy of a function's environment.
pub struct Proxy {
    /// Address and port of the Runtime API.
    upstream: String,
    faults: Option<Arc<Faults>>,
}

/// A connection of the runtime with its own to the Runtime API.
pub(crate) struct Pair {
    pub(crate) client: Wire,
    pub(crate) upstream: Wire,
    address: String,
}

/// Whether a connection goes on after an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    Next,
    Close,
    /// From here on bytes pass without being looked at.
    Tunnel,
}

/// What came of passing a request on.
pub(crate) enum Sent {
    Whole(After),
    /// The Runtime API answers, or has closed, before it was sent all of the request.
    Early,
}

impl Proxy {
    /// A proxy of the Runtime API at `upstream`, which passes everything through.
    pub fn new(upstream: impl Into<String>) -> Proxy {
        Proxy { upstream: upstream.into(), faults: None }
    }

    /// A proxy that injects faults.
    pub fn with(faults: Arc<Faults>) -> Proxy {
        Proxy { upstream: faults.settings.upstream.clone(), faults: Some(faults) }
    }

    /// Accepts connections until the listener fails.
    pub fn serve(self: Arc<Self>, listener: &TcpListener) -> io::Error {
        loop {
            match listener.accept() {
                Ok((client, _)) => {
                    let proxy = self.clone();
                    // Without a thread the connection is dropped, as by a server that is out of them.
                    let _ = thread::Builder::new().stack_size(STACK).spawn(move || proxy.connection(client));
                }
                Err(error) if is_passing(&error) => (),
                Err(error) => return error,
            }
        }
    }

    /// All exchanges of one connection. An error on one side closes both.
    fn connection(&self, client: TcpStream) -> io::Result<()> {
        let upstream = Wire::new(TcpStream::connect(&self.upstream)?)?;
        let mut pair = Pair { client: Wire::new(client)?, upstream, address: self.upstream.clone() };
        loop {
            let (asked, _) = readable(&pair.client, &pair.upstream, None)?;
            if !asked {
                // The Runtime API has closed the connection between two requests.
                return Ok(());
            }
            let head = match pair.client.head()? {
                Ok(head) => head,
                Err(NoHead::End) => return Ok(()),
                Err(NoHead::Unknown) => return pair.tunnel(),
            };
            match self.exchange(&mut pair, head)? {
                After::Next => (),
                After::Close => return Ok(()),
                After::Tunnel => return pair.tunnel(),
            }
        }
    }

    fn exchange(&self, pair: &mut Pair, head: Head) -> io::Result<After> {
        let call = runtime_api::call(&head);
        let Some(faults) = &self.faults else { return pair.exchange(&head, call == Call::Next) };
        match call {
            Call::Next => pair.next(&head, faults),
            Call::Response(request) => pair.response(&head, &request, false, faults.kept(&request), faults),
            Call::Error(request) => pair.response(&head, &request, true, faults.kept(&request), faults),
            Call::Other => pair.exchange(&head, false),
        }
    }
}

/// An error of one connection that says nothing about the next.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}

impl Pair {
    /// Passes one request and its response. `waits`: the response may take as long as it likes, and a runtime that goes away
    /// meanwhile takes its request along.
    pub(crate) fn exchange(&mut self, head: &Head, waits: bool) -> io::Result<After> {
        let asked = match self.pass_request(head)? {
            Sent::Whole(After::Tunnel) | Sent::Early => return Ok(After::Tunnel),
            Sent::Whole(after) => after,
        };
        if waits {
            self.await_response()?;
        }
        let Some(response) = self.response_head()? else { return Ok(After::Tunnel) };
        let Some(mut body) = response.response_body(head.method()) else {
            self.client.send(response.bytes())?;
            return Ok(After::Tunnel);
        };
        let answered = self.pass_response(response, &mut body, &[])?;
        Ok(if asked == After::Next { answered } else { asked })
    }

    /// Passes a request on.
    pub(crate) fn pass_request(&mut self, head: &Head) -> io::Result<Sent> {
        let Some(mut body) = head.request_body() else {
            self.upstream.send(head.bytes())?;
            return Ok(Sent::Whole(After::Tunnel));
        };
        let after = if head.closes() { After::Close } else { After::Next };
        let mut bytes = head.bytes().to_vec();
        if head.expects_continue() && !body.is_done() {
            // The runtime waits for this before it sends the body; the Runtime API need not be asked.
            self.client.send(b"HTTP/1.1 100 Continue\r\n\r\n")?;
            bytes = head.without("expect");
        }
        loop {
            match self.client.pass(&mut body, std::mem::take(&mut bytes), &mut self.upstream) {
                Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(error),
                Err(_) => return Ok(Sent::Early),
                Ok(()) => (),
            }
            if body.is_done() {
                return Ok(Sent::Whole(after));
            }
            let (_, answered) = readable(&self.client, &self.upstream, None)?;
            if answered {
                return Ok(Sent::Early);
            }
            if self.client.fill()? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Waits for the first byte of a response, and fails when the runtime goes away before it.
    pub(crate) fn await_response(&self) -> io::Result<()> {
        if !self.client.data().is_empty() {
            return Ok(());
        }
        let (client, upstream) = readable(&self.client, &self.upstream, None)?;
        if client && !upstream && self.client.is_closed() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }

    /// Reads the head of the response; passes on those before it that are provisional. `None` if the rest is a tunnel's.
    pub(crate) fn response_head(&mut self) -> io::Result<Option<Head>> {
        loop {
            let head = match self.upstream.head()? {
                Ok(head) => head,
                Err(NoHead::End) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Err(NoHead::Unknown) => return Ok(None),
            };
            match head.status() {
                Some(status @ 100..200) => {
                    self.client.send(head.bytes())?;
                    if status == 101 {
                        return Ok(None);
                    }
                }
                _ => return Ok(Some(head)),
            }
        }
    }

    /// A new connection to the Runtime API in place of one that it closes.
    pub(crate) fn reconnect(&mut self) -> io::Result<()> {
        self.upstream = Wire::new(TcpStream::connect(&self.address)?)?;
        Ok(())
    }

    /// Passes a response back, each piece of it as soon as it is there. `read` is what was read of its body already.
    pub(crate) fn pass_response(&mut self, head: Head, body: &mut Body, read: &[u8]) -> io::Result<After> {
        let closes = head.closes() || body.ends_with_connection();
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(read);
        loop {
            self.upstream.pass(body, std::mem::take(&mut bytes), &mut self.client)?;
            if body.is_done() {
                return Ok(if closes { After::Close } else { After::Next });
            }
            if self.upstream.fill()? == 0 {
                return match body.ends_with_connection() {
                    true => Ok(After::Close),
                    false => Err(io::ErrorKind::UnexpectedEof.into()),
                };
            }
        }
    }

    /// Passes bytes in both directions until both have ended.
    fn tunnel(mut self) -> io::Result<()> {
        let (from_client, from_upstream) = (self.client.data().to_vec(), self.upstream.data().to_vec());
        self.client.send(&from_upstream)?;
        let _ = self.upstream.send(&from_client);
        let (client, upstream) = (self.client.stream().try_clone()?, self.upstream.stream().try_clone()?);
        let up = thread::Builder::new().stack_size(STACK).spawn(move || copy(&client, &upstream))?;
        copy(self.upstream.stream(), self.client.stream());
        let _ = up.join();
        Ok(())
    }
}

/// Passes bytes on until there are no more, and says so to the receiver.
fn copy(mut from: &TcpStream, mut to: &TcpStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}
