//! One end of a connection: a socket with the bytes that were read from it and not yet passed on.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::body::Body;
use crate::head::{self, Head, LONGEST_HEAD};

/// The buffer of a connection at rest. A head or a body that fills it makes it grow, while that lasts.
const PIECE: usize = 16 << 10;

/// So much of a body is read at once at most.
const LARGEST_PIECE: usize = 256 << 10;

/// One end of a connection.
pub struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

/// What came instead of a head.
pub enum NoHead {
    /// The connection ended before the first byte.
    End,
    /// Bytes that this proxy does not understand; they are still there.
    Unknown,
}

impl Wire {
    /// An end that sends without delay.
    pub fn new(stream: TcpStream) -> io::Result<Wire> {
        stream.set_nodelay(true)?;
        Ok(Wire { stream, buffer: vec![0; PIECE], start: 0, end: 0 })
    }

    /// The socket.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// What was read and not yet passed on.
    pub fn data(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Takes `count` bytes off.
    pub fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Reads what is there, waiting for at least a byte; 0 at the end of the connection.
    pub fn fill(&mut self) -> io::Result<usize> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.end == self.buffer.len() {
            self.buffer.resize(self.end * 2, 0);
        }
        let room = self.buffer.len() - self.end;
        let read = loop {
            match self.stream.read(self.buffer.get_mut(self.end..).unwrap_or_default()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                other => break other?,
            }
        };
        self.end += read;
        if read == room && self.buffer.len() < LARGEST_PIECE {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        Ok(read)
    }

    /// Reads until a head is complete.
    pub fn head(&mut self) -> io::Result<Result<Head, NoHead>> {
        if self.end <= PIECE && self.buffer.len() > PIECE {
            self.buffer.truncate(PIECE);
            self.buffer.shrink_to_fit();
        }
        loop {
            if let Some(length) = head::length(self.data()) {
                let bytes = self.data().get(..length).unwrap_or_default();
                let Some(head) = Head::read(bytes) else { return Ok(Err(NoHead::Unknown)) };
                self.consume(length);
                return Ok(Ok(head));
            }
            if self.data().len() > LONGEST_HEAD {
                return Ok(Err(NoHead::Unknown));
            }
            if self.fill()? == 0 {
                return Ok(Err(if self.data().is_empty() { NoHead::End } else { NoHead::Unknown }));
            }
        }
    }

    /// Sends all of `bytes`.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Reads the rest of `body` and keeps up to `limit` bytes of its content, without frames.
    pub fn content(&mut self, body: &mut Body, limit: usize) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        loop {
            let keep = |bytes: &[u8]| {
                let room = limit.saturating_sub(content.len()).min(bytes.len());
                content.extend_from_slice(bytes.get(..room).unwrap_or_default());
            };
            let taken = body.take(self.data(), keep).map_err(|_| broken())?;
            self.consume(taken);
            if body.is_done() || (self.fill()? == 0 && body.ends_with_connection()) {
                return Ok(content);
            }
            if self.data().is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Passes on what is here of `body`, after `before`. Both go out together.
    pub fn pass(&mut self, body: &mut Body, mut before: Vec<u8>, to: &mut Wire) -> io::Result<()> {
        let taken = body.take(self.data(), |_| ()).map_err(|_| broken())?;
        let bytes = self.data().get(..taken).unwrap_or_default();
        if before.is_empty() {
            to.send(bytes)?;
        } else {
            before.extend_from_slice(bytes);
            to.send(&before)?;
        }
        self.consume(taken);
        Ok(())
    }

    /// Whether the other side has closed the connection and left nothing to read.
    pub fn is_closed(&self) -> bool {
        self.data().is_empty() && matches!(self.stream.peek(&mut [0]), Ok(0) | Err(_))
    }
}

/// The error of a body that breaks the rules of its frame.
pub fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "not a chunked body")
}

/// Which of two ends have something to read, or were closed. Waits for that, at most for `limit`.
pub fn readable(one: &Wire, other: &Wire, limit: Option<Duration>) -> io::Result<(bool, bool)> {
    if !one.data().is_empty() || !other.data().is_empty() {
        return Ok((!one.data().is_empty(), !other.data().is_empty()));
    }
    let mut ends = [PollFd::new(&one.stream, PollFlags::IN), PollFd::new(&other.stream, PollFlags::IN)];
    wait(&mut ends, limit)?;
    let [one, other] = ends.map(|end| !end.revents().is_empty());
    Ok((one, other))
}

/// Whether an end has something to read, or was closed, within `limit`.
pub fn readable_within(end: &Wire, limit: Duration) -> io::Result<bool> {
    let mut ends = [PollFd::new(&end.stream, PollFlags::IN)];
    wait(&mut ends, Some(limit))?;
    Ok(ends.iter().any(|end| !end.revents().is_empty()))
}

fn wait(ends: &mut [PollFd<'_>], limit: Option<Duration>) -> io::Result<()> {
    let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
    loop {
        match poll(ends, limit.as_ref()) {
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::INTR) => (),
            Err(error) => return Err(error.into()),
        }
    }
}
