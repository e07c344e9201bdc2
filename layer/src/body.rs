//! Where a body ends: counted as its bytes pass, so that none of them is kept.

/// How much of a body has passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body(State);

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Done,
    Length(u64),
    UntilClose,
    /// In the line with a chunk's size: what was read of it, and whether its digits are over.
    Size {
        size: u64,
        digits: u8,
        over: bool,
    },
    Chunk(u64),
    /// In the line end after a chunk.
    ChunkEnd,
    /// In the trailers: how long the line is so far, without its end.
    Trailer(usize),
}

/// The bytes are not a chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

/// A size of a chunk has at most so many hexadecimal digits.
const SIZE_DIGITS: u8 = 15;

impl Body {
    /// No body.
    pub const fn none() -> Body {
        Body(State::Done)
    }

    /// A body of `length` bytes.
    pub const fn of_length(length: u64) -> Body {
        Body(if length == 0 { State::Done } else { State::Length(length) })
    }

    /// A body in chunks, with trailers.
    pub const fn chunked() -> Body {
        Body(State::Size { size: 0, digits: 0, over: false })
    }

    /// A body that ends with its connection.
    pub const fn until_close() -> Body {
        Body(State::UntilClose)
    }

    /// How many bytes are left of a body whose length is known.
    pub const fn length(&self) -> Option<u64> {
        match self.0 {
            State::Length(left) => Some(left),
            _ => None,
        }
    }

    /// Whether all of it has passed.
    pub const fn is_done(&self) -> bool {
        matches!(self.0, State::Done)
    }

    /// Whether the end of the connection is its end.
    pub const fn ends_with_connection(&self) -> bool {
        matches!(self.0, State::UntilClose)
    }

    /// Whether it came, or comes, in chunks.
    pub const fn is_chunked(&self) -> bool {
        !matches!(self.0, State::Done | State::Length(_) | State::UntilClose)
    }

    /// How many bytes at the beginning of `data` belong to it. They count as passed, and `payload` is given those of them
    /// that are content and no frame around it.
    pub fn take(&mut self, data: &[u8], mut payload: impl FnMut(&[u8])) -> Result<usize, Broken> {
        let mut taken = 0;
        while let Some(rest) = data.get(taken..).filter(|rest| !rest.is_empty()) {
            match &mut self.0 {
                State::Done => break,
                State::UntilClose => {
                    payload(rest);
                    taken = data.len();
                }
                State::Length(left) | State::Chunk(left) => {
                    let now = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    payload(rest.get(..now).unwrap_or_default());
                    *left -= now as u64;
                    taken += now;
                    if *left == 0 {
                        self.0 = if matches!(self.0, State::Chunk(_)) { State::ChunkEnd } else { State::Done };
                    }
                }
                State::Size { .. } | State::ChunkEnd | State::Trailer(_) => {
                    let byte = rest.first().copied().unwrap_or_default();
                    self.0 = self.frame(byte)?;
                    taken += 1;
                }
            }
        }
        Ok(taken)
    }

    /// One byte of the frame around chunks.
    fn frame(&self, byte: u8) -> Result<State, Broken> {
        match (&self.0, byte) {
            (State::Size { digits: 0, .. }, b'\n') => Err(Broken),
            (State::Size { size: 0, .. }, b'\n') => Ok(State::Trailer(0)),
            (State::Size { size, .. }, b'\n') => Ok(State::Chunk(*size)),
            (State::Size { size, digits, over: false }, byte) if byte.is_ascii_hexdigit() => {
                let digit = char::from(byte).to_digit(16).ok_or(Broken)?;
                let digits = digits + 1;
                if digits > SIZE_DIGITS {
                    return Err(Broken);
                }
                Ok(State::Size { size: size * 16 + u64::from(digit), digits, over: false })
            }
            (State::Size { digits: 0, .. }, _) => Err(Broken),
            (State::Size { size, digits, over }, byte) if *over || matches!(byte, b'\r' | b';' | b' ' | b'\t') => {
                Ok(State::Size { size: *size, digits: *digits, over: true })
            }
            (State::ChunkEnd, b'\r') => Ok(State::ChunkEnd),
            (State::ChunkEnd, b'\n') => Ok(State::Size { size: 0, digits: 0, over: false }),
            (State::Trailer(0), b'\n') => Ok(State::Done),
            (State::Trailer(_), b'\n') => Ok(State::Trailer(0)),
            (State::Trailer(length), b'\r') => Ok(State::Trailer(*length)),
            (State::Trailer(length), _) => Ok(State::Trailer(length + 1)),
            _ => Err(Broken),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pass(mut body: Body, pieces: &[&[u8]]) -> (Vec<u8>, usize, bool) {
        let (mut content, mut taken) = (Vec::new(), 0);
        for piece in pieces {
            taken += body.take(piece, |bytes| content.extend_from_slice(bytes)).unwrap();
        }
        (content, taken, body.is_done())
    }

    #[test]
    fn a_length_is_counted() {
        assert_eq!(pass(Body::of_length(3), &[b"ab", b"cd"]), (b"abc".to_vec(), 3, true));
        assert_eq!(pass(Body::of_length(3), &[b"ab"]), (b"ab".to_vec(), 2, false));
        assert!(Body::of_length(0).is_done());
    }

    #[test]
    fn chunks_extensions_and_trailers_are_told_apart() {
        let bytes =
            b"3;x=y\r\nabc\r\n00A\r\n0123456789\r\n0\r\nLambda-Runtime-Function-Error-Type: T\r\nB: c\r\n\r\nnext";
        assert_eq!(pass(Body::chunked(), &[bytes]), (b"abc0123456789".to_vec(), bytes.len() - 4, true));
        assert_eq!(pass(Body::chunked(), &[b"0\r\n\r\n"]), (Vec::new(), 5, true));
    }

    #[test]
    fn what_is_no_chunk_is_broken() {
        for bytes in ["\r\n", "x\r\n", "1\r\nab", "1x\r\n", "ffffffffffffffff\r\n", "-1\r\n"] {
            assert_eq!(Body::chunked().take(bytes.as_bytes(), |_| ()), Err(Broken), "{bytes}");
        }
    }

    proptest! {
        /// However a body is cut into packets, the same bytes of it pass.
        #[test]
        fn packets_do_not_matter(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..6), cuts in prop::collection::vec(1..20usize, 1..40)) {
            let mut bytes = Vec::new();
            for chunk in &chunks {
                bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                bytes.extend_from_slice(chunk);
                bytes.extend_from_slice(b"\r\n");
            }
            bytes.extend_from_slice(b"0\r\nT: x\r\n\r\n");
            let whole = bytes.len();
            bytes.extend_from_slice(b"GET / HTTP/1.1\r\n");
            let (mut rest, mut pieces, mut cuts) = (&bytes[..], Vec::new(), cuts.iter().cycle());
            while !rest.is_empty() {
                let (piece, after) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
                pieces.push(piece);
                rest = after;
            }
            prop_assert_eq!(pass(Body::chunked(), &pieces), (chunks.concat(), whole, true));
        }
    }
}
